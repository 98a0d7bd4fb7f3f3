"""Modification indices: how much better the model would fit with one parameter more."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pandas as pd

from relcap_models.errors import FitError
from relcap_models.psychometrics.structural.estimate_dwls import dwls_gradient, dwls_information, slopes
from relcap_models.psychometrics.structural.estimate_ml import total_expected, total_gradient
from relcap_models.psychometrics.structural.fit import Fit, build_model
from relcap_models.psychometrics.structural.fit_ordinal import build_ordinal_model
from relcap_models.psychometrics.structural.standardize import standardized
from relcap_models.psychometrics.structural.two_level_likelihood import two_level_expected, two_level_gradient
from relcap_models.psychometrics.structural.variables import Variables

SMALLEST_INFORMATION = float(np.finfo(float).eps ** (1 / 3))


def modification_indices(fit: Fit) -> pd.DataFrame:
    """Expected drop of the chi-square for each parameter that is fixed or absent, largest first.

    Returns
    -------
    DataFrame with columns lhs, op, rhs, group, level, mi, epc (its expected change from 0 or
    from where it was fixed), sepc_lv and sepc_all (epc standardised).
    Parameters about which the data say nothing are left out.

    Source: Sörbom (1989), Psychometrika 54, 371-384.
    """
    if fit.estimator == "SAM":
        raise FitError(
            "After `sam` there are no modification indices: no chi-square of the whole model is minimised. "
            "Use those of `cfa` with the same model"
        )
    table, added = _extended(fit)
    n_own = fit.model.n_free
    theta = np.concatenate([fit.theta, table["ustart"].to_numpy()[added]])
    information, gradient = _information_and_gradient(fit, table, theta)
    own, new = slice(0, n_own), slice(n_own, None)
    inverse = fit.model.freedom.invert(information[own, own])
    cross = information[new, own]
    left = np.diag(information[new, new]) - np.einsum("ij,jk,ik->i", cross, inverse, cross)
    with np.errstate(divide="ignore", invalid="ignore"):
        known = left > SMALLEST_INFORMATION
        change = np.where(known, -gradient[new] / np.where(known, left, 1.0), np.nan)
    mi = fit.model.n * change**2 * left
    shown = table.loc[added, ["lhs", "op", "rhs", "group", "level"]].reset_index(drop=True)
    if not fit.two_level:
        shown["level"] = 1
    shown["mi"], shown["epc"] = mi, change
    for name, observed in (("sepc_lv", False), ("sepc_all", True)):
        shown[name] = _standardized_change(fit, table, added, change, observed=observed)
    return shown[known].sort_values("mi", ascending=False, kind="stable").reset_index(drop=True)


def _information_and_gradient(
    fit: Fit, table: pd.DataFrame, theta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if not fit.ordinal:
        model = build_model(table, fit.names, fit.model.samples)
        if fit.two_level:
            return two_level_expected(model, theta), two_level_gradient(model, theta)
        return total_expected(model, theta), total_gradient(model, theta)
    model = build_ordinal_model(
        table, fit.names, fit.model.samples, fit.model.statistics, theta=fit.model.parts_ordinal[0].theta
    )
    return dwls_information(model, slopes(model, theta)), dwls_gradient(model, theta)


def _extended(fit: Fit) -> tuple[pd.DataFrame, np.ndarray]:
    """The table with every parameter that could be added, and the rows of those that were fixed or absent."""
    table = fit.table.drop(columns=["est", "se"])
    fixed = (table["free"] == 0) & ~table["exo"]
    extra = []
    for b, names in enumerate(fit.names):
        group, level = fit.table.loc[fit.table["block"] == b, ["group", "level"]].iloc[0]
        block = fit.model.blocks[b]
        cells = {
            _cell(*key)
            for key in table.loc[table["block"] == b, ["lhs", "op", "rhs"]].itertuples(index=False)
        }
        for key in _candidates(names, means=block.means):
            if _cell(*key) not in cells:
                extra.append((*key, False, b, group, level, 0, 0.0, False, ""))
                cells.add(_cell(*key))
    more = pd.DataFrame(extra, columns=table.columns)
    whole = pd.concat([table, more], ignore_index=True) if extra else table
    added = np.concatenate([np.flatnonzero(fixed), np.arange(len(table), len(whole))]).astype(int)
    free = whole["free"].to_numpy(copy=True)
    free[added] = free.max(initial=0) + 1 + np.arange(len(added))
    return whole.assign(free=free), added


def _cell(lhs: str, op: str, rhs: str) -> tuple:
    """Parameters with the same cell are the same parameter, however they are written."""
    if op == "=~":
        return "path", rhs, lhs
    if op == "~":
        return "path", lhs, rhs
    return ("~~", frozenset((lhs, rhs))) if op == "~~" else ("~1", lhs)


def _candidates(names: Variables, *, means: bool) -> list[tuple[str, str, str]]:
    """Loadings, covariances, regressions, intercepts that could be added; nothing explains covariates."""
    structural = tuple(dict.fromkeys((*names.outcomes, *names.predictors)))
    indicators = [v for v in names.indicators if v not in names.latent]
    found = [(f, "=~", v) for f in names.latent for v in names.modelled if v not in structural]
    measured = [v for v in names.modelled if v in indicators]
    found += [(a, "~~", b) for a, b in combinations_with_replacement(measured, 2)]
    found += [(a, "~~", b) for a, b in combinations_with_replacement(names.latent, 2)]
    found += [
        (a, "~", b)
        for a in structural
        if a not in names.covariates
        for b in structural
        if a != b and not (a in indicators and b in names.latent)
    ]
    if means:
        found += [(v, "~1", "") for v in (*names.modelled, *names.latent)]
    return found


def _standardized_change(
    fit: Fit, table: pd.DataFrame, added: np.ndarray, change: np.ndarray, *, observed: bool
) -> np.ndarray:
    values = table["ustart"].to_numpy(dtype=float).copy()
    values[: len(fit.table)] = fit.table["est"].to_numpy()
    variance = ((table["op"] == "~~") & (table["lhs"] == table["rhs"])).to_numpy()
    put = added[~variance[added]]
    values[put] = change[~variance[added]]
    moments = fit.model.moments(fit.theta)
    scaled = standardized(table, values, fit.model.blocks, moments, observed=observed)[added]
    alone = table.iloc[added[variance[added]]]
    if len(alone):
        scaled[variance[added]] = standardized(
            alone.reset_index(drop=True),
            change[variance[added]],
            fit.model.blocks,
            moments,
            observed=observed,
        )
    return scaled
