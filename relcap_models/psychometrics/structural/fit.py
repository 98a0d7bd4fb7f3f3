"""A model fitted: from syntax and data to estimates, their covariance, and the tests of fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import chi2

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.structural.constraints import Freedom, check_labels, freedom
from relcap_models.psychometrics.structural.estimate_dwls import OrdinalModel
from relcap_models.psychometrics.structural.estimate_ml import (
    estimate,
    surface_of,
    total_expected,
    total_hessian,
)
from relcap_models.psychometrics.structural.implied_moments import build_block
from relcap_models.psychometrics.structural.likelihood import log_likelihood
from relcap_models.psychometrics.structural.model import Model
from relcap_models.psychometrics.structural.newton import check_identified
from relcap_models.psychometrics.structural.robust import sandwich_mlm, sandwich_mlr
from relcap_models.psychometrics.structural.sample import Sample, check_invertible, undetermined_note
from relcap_models.psychometrics.structural.start_values import start_values, with_sample_moments
from relcap_models.psychometrics.structural.syntax import Relation
from relcap_models.psychometrics.structural.two_level_sample import TwoLevelSample
from relcap_models.psychometrics.structural.variables import Variables

ESTIMATORS = ("ML", "MLM", "MLR")


@dataclass(frozen=True)
class ModelTest:
    """A model against the saturated one.

    scaling, shift : what divides its chi-square without normality (NaN under ML and DWLS), and is then added.
    """

    chisq: float
    df: int
    scaling: float = np.nan
    shift: float = 0.0

    @property
    def p(self) -> float:
        return _tail(self.chisq, self.df)

    @property
    def chisq_scaled(self) -> float:
        return self.chisq / self.scaling + self.shift if self.df else self.chisq

    @property
    def p_scaled(self) -> float:
        return _tail(self.chisq_scaled, self.df)


def _tail(chisq: float, df: int) -> float:
    return float(chi2.sf(chisq, df)) if df else np.nan


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    table : the parameter table with `est` and `se`. names : variables of each block. theta : (free
    parameter,). vcov : (free parameter, free parameter). logl, logl_saturated : log-likelihoods, without
    the covariates'.
    """

    table: pd.DataFrame
    relations: tuple[Relation, ...]
    names: tuple[Variables, ...]
    model: Model | OrdinalModel
    theta: np.ndarray
    vcov: np.ndarray
    test: ModelTest
    logl: float
    logl_saturated: float
    estimator: str
    fiml: bool

    @property
    def ordinal(self) -> bool:
        """Whether there are ordinal items; log-likelihoods are then NaN."""
        return isinstance(self.model, OrdinalModel)

    @property
    def two_level(self) -> bool:
        """Whether the model has levels within and between clusters."""
        return isinstance(self.model.samples[0], TwoLevelSample)

    @property
    def scaled(self) -> bool:
        """Whether the test is scaled."""
        return self.estimator not in ("ML", "DWLS")

    @property
    def covariates(self) -> tuple[np.ndarray, ...]:
        """(observed,) bool for each block."""
        return covariate_masks(self.names)


def covariate_masks(names: Sequence[Variables]) -> tuple[np.ndarray, ...]:
    return tuple(np.isin(v.observed, v.covariates) for v in names)


def build_model(
    table: pd.DataFrame,
    names: Sequence[Variables],
    samples: Sequence[Sample] | Sequence[TwoLevelSample],
    relations: tuple[Relation, ...] = (),
) -> Model:
    """The model of a parameter table, whose covariates have their sample moments already."""
    blocks = tuple(
        build_block(
            table[(table["block"] == b).to_numpy()],
            v.observed,
            v.latent,
            means=bool((table["op"] == "~1").any()),
        )
        for b, v in enumerate(names)
    )
    if table["free"].max() == 0:
        return Model(blocks, tuple(samples), Freedom(np.zeros((0, 0)), np.zeros(0)))
    return Model(blocks, tuple(samples), freedom(table, relations))


def fit_table(
    table: pd.DataFrame,
    relations: tuple[Relation, ...],
    names: tuple[Variables, ...],
    samples: tuple[Sample, ...],
    *,
    estimator: str,
    fiml: bool,
) -> Fit:
    """Estimate a model whose parameter table is made.

    Raises
    ------
    FitError
        If it does not converge, is not identified, or has more parameters than the data have moments.
    """
    if estimator not in ESTIMATORS:
        raise DataError(f"`estimator` is one of {', '.join(ESTIMATORS)}, and not {estimator!r}")
    if estimator == "MLM" and fiml:
        raise DataError('MLM needs complete answers: use estimator="MLR" with missing="fiml"')
    for sample in samples:
        check_invertible(sample.cov, sample)
    table = with_sample_moments(table, samples)
    check_labels(table, relations)
    model = build_model(table, names, samples, relations)
    df = _moments(model, names) - model.n_estimated
    if df < 0:
        raise FitError(
            f"The model is not identified: it has {model.n_estimated} free parameters, and the data hold "
            f"only {df + model.n_estimated} means, variances and covariances. Fix some, or set some equal"
        )
    try:
        theta = estimate(model, start_values(table, samples))
        check_identified(surface_of(model), theta, parameter_names(table))
    except FitError as error:
        why = [undetermined_note(sample) for sample in samples if not sample.determined]
        raise FitError(". ".join([str(error), *why])) from None
    fit = Fit(
        table, relations, names, model, theta, np.zeros((0, 0)), ModelTest(0, df), 0, 0, estimator, fiml
    )
    return _tested(fit)


def _moments(model: Model, names: Sequence[Variables]) -> int:
    total = 0
    for block, v in zip(model.blocks, names):
        p, x = block.n_observed, len(v.covariates)
        total += p * (p + 1) // 2 - x * (x + 1) // 2 + (p - x if block.means else 0)
    return total


def parameter_names(table: pd.DataFrame) -> tuple[str, ...]:
    """(free parameter,) as in the model, with the level and group where there are several."""
    several = table["group"].max() > 1
    found: dict[int, str] = {}
    columns = ["lhs", "op", "rhs", "group", "level", "free"]
    for lhs, op, rhs, group, level, free in table[columns].itertuples(index=False):
        if free:
            name = f"{lhs} {op} {rhs}".strip() + (f" (level {level})" if level else "")
            name += f" (group {group})" if several else ""
            found.setdefault(free, name)
    return tuple(found[i] for i in sorted(found))


def _tested(fit: Fit) -> Fit:
    model, theta, df = fit.model, fit.theta, fit.test.df
    logl = logl_saturated = chisq = 0.0
    for (_, _, moments, sample, mu), fixed in zip(model.parts(theta), fit.covariates):
        saturated = log_likelihood(sample.cov, sample.mean, sample)
        mine = log_likelihood(moments.sigma, mu, sample)
        chisq += 2 * (saturated - mine)
        given = _covariates_likelihood(sample, fixed)
        logl += mine - given
        logl_saturated += saturated - given
    chisq = max(chisq, 0.0)
    trace = np.nan
    if fit.estimator == "MLM":
        vcov, trace = sandwich_mlm(model, theta, fit.covariates)
    elif fit.estimator == "MLR":
        vcov, trace = sandwich_mlr(model, theta, fit.covariates)
    else:
        information = total_hessian(model, theta) if fit.fiml else total_expected(model, theta)
        vcov = model.freedom.invert(information) / model.n
    test = ModelTest(chisq, df, trace / df if df else np.nan)
    table = with_estimates(fit.table, theta, vcov)
    return replace(fit, table=table, vcov=vcov, test=test, logl=logl, logl_saturated=logl_saturated)


def _covariates_likelihood(sample: Sample, fixed: np.ndarray) -> float:
    if not fixed.any():
        return 0.0
    p = int(fixed.sum())
    cov = sample.cov[np.ix_(fixed, fixed)]
    return -0.5 * sample.n * (p * np.log(2 * np.pi) + np.linalg.slogdet(cov)[1] + p)


def with_estimates(table: pd.DataFrame, theta: np.ndarray, vcov: np.ndarray) -> pd.DataFrame:
    """The table with columns est and se (0 where a parameter is fixed)."""
    free = table["free"].to_numpy()
    is_free = free > 0
    est = table["ustart"].to_numpy(dtype=float).copy()
    se = np.zeros(len(table))
    est[is_free] = theta[free[is_free] - 1]
    se[is_free] = np.sqrt(np.maximum(np.diag(vcov), 0.0))[free[is_free] - 1]
    return table.assign(est=est, se=se)


def fit_baseline(fit: Fit) -> Fit:
    """The model in which no observed variables are related, except covariates among themselves."""
    parts = []
    for b, v in enumerate(fit.names):
        sample = fit.model.samples[b]
        means = fit.model.blocks[b].means
        rows = [
            (name, "~~", name, sample.cov[i, i], False)
            for i, name in enumerate(v.observed)
            if name not in v.covariates
        ]
        if means:
            rows += [
                (n, "~1", "", m, False) for n, m in zip(v.observed, sample.mean) if n not in v.covariates
            ]
            rows += [(n, "~1", "", np.nan, True) for n in v.covariates]
        for i, first in enumerate(v.covariates):
            rows += [(first, "~~", second, np.nan, True) for second in v.covariates[i:]]
        part = pd.DataFrame(rows, columns=["lhs", "op", "rhs", "ustart", "exo"])
        parts.append(part.assign(block=b, group=b + 1, level="", label="", user=False))
    table = pd.concat(parts, ignore_index=True)
    table["free"] = np.where(table["exo"], 0, (~table["exo"]).cumsum())
    names = tuple(replace(v, latent=()) for v in fit.names)
    return fit_table(table, (), names, fit.model.samples, estimator=fit.estimator, fiml=fit.fiml)
