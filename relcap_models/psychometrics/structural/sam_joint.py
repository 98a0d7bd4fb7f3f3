"""All parameters of structural-after-measurement together, with errors that count both steps.

Steps estimate loadings with the first one 1, and means of observed variables. The model's table may have
other units (factors with a residual variance of 1) and has intercepts, which hang on the regressions too: its
parameters are a function of the steps' ones, and errors and information are carried from one to the other by
the derivatives of that function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from relcap_models.errors import DataError
from relcap_models.psychometrics.structural.estimate_ml import total_expected, total_hessian
from relcap_models.psychometrics.structural.fit import (
    Fit,
    ModelTest,
    build_model,
    with_estimates,
)
from relcap_models.psychometrics.structural.implied_moments import (
    COVARIANCE,
    LOADING,
    MEAN,
    Block,
    free_entries,
)
from relcap_models.psychometrics.structural.model import Model
from relcap_models.psychometrics.structural.parameter_table import parameter_table
from relcap_models.psychometrics.structural.sample import Sample
from relcap_models.psychometrics.structural.start_values import with_sample_moments
from relcap_models.psychometrics.structural.syntax import Syntax
from relcap_models.psychometrics.structural.variables import Variables

STEP = 1e-30


def joint_fit(
    model: Syntax,
    names: Sequence[Variables],
    samples: Sequence[Sample],
    groups: Sequence[str],
    measured: Mapping[str, Fit],
    structural: Fit,
    *,
    means: bool,
    fiml: bool,
    std_lv: bool,
    group_equal: Sequence[str] = (),
) -> Fit:
    """The whole model at the estimates of both steps.

    Raises
    ------
    DataError
        If `std_lv` does not go with what the model fixes or sets equal.
    """
    steps, table = (
        with_sample_moments(
            parameter_table(model, groups=groups, means=means, std_lv=unit, group_equal=group_equal), samples
        )
        for unit in (False, std_lv)
    )
    inner, whole = (build_model(t, names, samples) for t in (steps, table))
    theta, covariance, first, second = _both_steps(steps, samples, measured, structural)
    final, different = _in_table(inner, whole, theta, unit=std_lv)
    if different:
        rows = [table[table["block"] == b].iloc[entry] for b, entry in different]
        shown = dict.fromkeys(f"{row['lhs']} {row['op']} {row['rhs']}".strip() for row in rows)
        raise DataError(
            f"With std_lv the units of factors are given, and {', '.join(shown)} cannot be fixed or "
            "equal besides: leave std_lv out"
        )
    slope = np.empty((len(final), len(theta)))
    for k in range(len(theta)):
        moved = theta.astype(complex)
        moved[k] += 1j * STEP
        slope[:, k] = _in_table(inner, whole, moved, unit=std_lv)[0].imag / STEP
    information = total_hessian(whole, final) if fiml else total_expected(whole, final)
    information = slope.T @ information @ slope
    inverse = np.linalg.inv(information[np.ix_(second, second)])
    carried = -inverse @ information[np.ix_(second, first)]
    known = covariance[np.ix_(first, first)]
    covariance[np.ix_(second, second)] = inverse / whole.n + carried @ known @ carried.T
    covariance[np.ix_(second, first)] = carried @ known
    covariance[np.ix_(first, second)] = known @ carried.T
    vcov = slope @ covariance @ slope.T
    fitted = with_estimates(table, final, vcov)
    none = ModelTest(np.nan, 0)
    return Fit(fitted, model.relations, tuple(names), whole, final, vcov, none, np.nan, np.nan, "SAM", fiml)


def _both_steps(
    table: pd.DataFrame, samples: Sequence[Sample], measured: Mapping[str, Fit], structural: Fit
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(estimates, covariance of the first step's, numbers of the first and of the second step's).

    Of `~1` parameters the estimate is the variable's mean.
    """
    keys = table[["block", "lhs", "op", "rhs", "free"]]
    number_of = {_key(*key): n - 1 for *key, n in keys.itertuples(index=False)}
    theta = np.full(table["free"].max(), np.nan)
    covariance = np.zeros((len(theta), len(theta)))
    for fit in measured.values():
        at, own = _matched(fit, number_of)
        theta[at] = fit.theta[own]
        covariance[np.ix_(at, at)] = fit.vcov[np.ix_(own, own)]
    # The structural part's means are deviations, and free.
    second, own = _matched(structural, {key: n for key, n in number_of.items() if key[1] != "~1"})
    theta[second] = structural.theta[own]
    for b, lhs, op, _, n in keys.itertuples(index=False):
        if op == "~1" and n > 0 and np.isnan(theta[n - 1]):
            theta[n - 1] = samples[b].mean[samples[b].observed.index(lhs)]
            second.append(n - 1)
    second = np.array(second, dtype=int)
    covariance[second] = 0.0
    covariance[:, second] = 0.0
    return theta, covariance, np.setdiff1d(np.arange(len(theta)), second), second


def _key(block: int, lhs: str, op: str, rhs: str) -> tuple:
    return (block, op, frozenset((lhs, rhs))) if op == "~~" else (block, op, lhs, rhs)


def _matched(fit: Fit, number_of: Mapping[tuple, int]) -> tuple[list[int], list[int]]:
    """Numbers in the joint model and in the part of the parameters that both estimate."""
    pairs = {}
    columns = ["block", "lhs", "op", "rhs", "free"]
    for *key, n in fit.table[columns].itertuples(index=False):
        joint = number_of.get(_key(*key), -1)
        if n > 0 and joint >= 0:
            pairs.setdefault(joint, n - 1)
    return list(pairs), list(pairs.values())


def _in_table(
    inner: Model, whole: Model, theta: np.ndarray, *, unit: bool
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """(free parameter,) of the model's table; (block, entry) of what cannot have the value that it asks for.

    theta : those of the steps; `whole` has the same entries, of which others may be free.
    """
    found = np.full(whole.n_free, np.nan, dtype=theta.dtype)
    different = []
    for b, (steps, block) in enumerate(zip(inner.blocks, whole.blocks)):
        values = _of_block(steps, theta, unit=unit)
        for entry, value in enumerate(values):
            n = block.parameter[entry]
            asked = found[n] if n >= 0 else block.value[entry]
            if not np.isnan(asked) and abs(value - asked) > 1e-6 * max(1.0, abs(asked)):
                different.append((b, entry))
            if n >= 0 and np.isnan(asked):
                found[n] = value
    return found, different


def _of_block(block: Block, theta: np.ndarray, *, unit: bool) -> np.ndarray:
    """(entry,) the block's values, with intercepts for means. unit : factors in units of their residuals."""
    values = block.value.astype(theta.dtype)
    free = free_entries(block)
    values[free] = theta[block.parameter[free]]
    n, p = len(block.variables), block.n_observed
    path, covariance, mean = (block.kind == k for k in (LOADING, COVARIANCE, MEAN))
    paths, means, scale = (np.zeros(shape, dtype=theta.dtype) for shape in ((n, n), n, n))
    paths[block.row[path], block.column[path]] = values[path]
    means[block.row[mean]] = values[mean]
    means[p:] += np.linalg.solve(np.eye(n - p) - paths[p:, p:], paths[p:, :p] @ means[:p])
    intercepts = means - paths @ means
    scale[:] = 1.0
    own = covariance & (block.row == block.column) & (block.row >= p)
    if unit:
        scale[block.row[own]] = np.sqrt(values[own])
    row, column = scale[block.row], scale[block.column]
    values[path] = (values * column / row)[path]
    values[covariance] = (values / row / column)[covariance]
    values[mean] = (intercepts[block.row] / row)[mean]
    return values
