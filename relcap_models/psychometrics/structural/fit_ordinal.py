"""A model with ordinal items fitted: from parameter table and statistics to estimates and tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from relcap_models.errors import FitError
from relcap_models.psychometrics.ordinal_statistics import OrdinalStatistics
from relcap_models.psychometrics.structural.constraints import Freedom, check_labels, freedom
from relcap_models.psychometrics.structural.estimate_dwls import (
    OrdinalModel,
    check_identified_ordinal,
    dwls_chisq,
    dwls_information,
    estimate_dwls,
    sandwich_dwls,
    scaled_shifted,
    slopes,
)
from relcap_models.psychometrics.structural.fit import Fit, ModelTest, parameter_names, with_estimates
from relcap_models.psychometrics.structural.ordinal_moments import build_ordinal_block, residual_variances
from relcap_models.psychometrics.structural.sample import Sample
from relcap_models.psychometrics.structural.start_values import start_values, with_sample_moments
from relcap_models.psychometrics.structural.syntax import Relation
from relcap_models.psychometrics.structural.variables import Variables

SMALLEST_RESIDUAL = 1e-4
ORDINAL_ESTIMATORS = ("WLSMV", "DWLS")


def build_ordinal_model(
    table: pd.DataFrame,
    names: Sequence[Variables],
    samples: Sequence[Sample],
    statistics: Sequence[OrdinalStatistics],
    relations: tuple[Relation, ...] = (),
    *,
    theta: bool,
) -> OrdinalModel:
    """The model of a parameter table. theta : the parameterization."""
    n_free = int(table["free"].max())
    blocks = tuple(
        build_ordinal_block(
            table[(table["block"] == b).to_numpy()], v, frozenset(s.thresholds), theta=theta, n_free=n_free
        )
        for b, (v, s) in enumerate(zip(names, statistics))
    )
    free = freedom(table, relations) if n_free else Freedom(np.zeros((0, 0)), np.zeros(0))
    return OrdinalModel(blocks, tuple(samples), tuple(statistics), free)


def fit_ordinal_table(
    table: pd.DataFrame,
    relations: tuple[Relation, ...],
    names: tuple[Variables, ...],
    samples: tuple[Sample, ...],
    statistics: tuple[OrdinalStatistics, ...],
    *,
    estimator: str,
    theta: bool,
) -> Fit:
    """Estimate a model of ordinal items whose parameter table is made.

    Raises
    ------
    FitError
        If it does not converge, is not identified, or has more parameters than the data have statistics.
    """
    check_labels(table, relations)
    table = _with_covariates(table, names, samples)
    model = build_ordinal_model(table, names, samples, statistics, relations, theta=theta)
    df = model.n_statistics - model.n_estimated
    if df < 0:
        raise FitError(
            f"The model is not identified: it has {model.n_estimated} free parameters, and the data hold "
            f"only {model.n_statistics} thresholds, correlations and moments. Fix some, or set some equal"
        )
    at = estimate_dwls(model, _start(table[~table["exo"]], samples, statistics, theta=theta))
    _check_explained(model, at)
    check_identified_ordinal(model, at, parameter_names(table))
    slope = slopes(model, at)
    scaling, shift = np.nan, 0.0
    if estimator == "WLSMV":
        vcov = sandwich_dwls(model, slope)
        if df:
            scaling, shift = scaled_shifted(model, slope, df)
    else:
        vcov = model.freedom.invert(dwls_information(model, slope)) / model.n_errors
    test = ModelTest(dwls_chisq(model, at), df, scaling, shift)
    table = _completed(with_estimates(table, at, vcov), model, at)
    return Fit(table, relations, names, model, at, vcov, test, np.nan, np.nan, estimator, fiml=False)


def _with_covariates(
    table: pd.DataFrame, names: Sequence[Variables], samples: Sequence[Sample]
) -> pd.DataFrame:
    """The table with the covariates' variances, covariances and means from the sample in `ustart`.

    Divided by n - 1, as lavaan does here; they enter standardised parameters and factor scores only.
    """
    own = [
        replace(
            sample,
            observed=v.covariates,
            mean=x.mean(axis=0),
            cov=np.cov(x.T).reshape(2 * (len(x.T),)),
        )
        for v, sample, x in ((v, s, s.given) for v, s in zip(names, samples) if v.covariates)
    ]
    return with_sample_moments(table, own) if own else table


def _start(
    table: pd.DataFrame, samples: Sequence[Sample], statistics: Sequence[OrdinalStatistics], *, theta: bool
) -> np.ndarray:
    """Starting values: thresholds of the sample, scales and residual variances of 1."""
    given = table["ustart"].to_numpy(copy=True)
    for i in np.flatnonzero(np.isnan(given)):
        lhs, op, rhs, b = (table[c].iat[i] for c in ("lhs", "op", "rhs", "block"))
        if op == "|":
            given[i] = statistics[b].thresholds[lhs][int(rhs[1:]) - 1]
        elif op == "~*~" or (theta and op == "~~" and lhs == rhs and lhs in statistics[b].thresholds):
            given[i] = 1.0
    return start_values(table.assign(ustart=given), samples)


def _check_explained(model: OrdinalModel, theta: np.ndarray) -> None:
    """Raise a FitError if estimates went to infinity in search of a Heywood case (only theta does)."""
    for part, sample, found in zip(model.parts_ordinal, model.samples, model.implied(theta)):
        if not part.theta:
            continue
        paths = np.linalg.inv(found.latent.effects)
        residual = np.diag(paths @ found.latent.covariance @ paths.T)[: len(part.ordinal)]
        share = np.where(part.ordinal, residual * found.scale**2, 1.0)
        if np.abs(share).min() < SMALLEST_RESIDUAL:
            item = sample.observed[int(np.abs(share).argmin())]
            where = f" in group '{sample.group}'" if sample.group else ""
            raise FitError(
                f"The model explains all of {item}{where} (a Heywood case), for which the theta "
                "parameterization has no estimates: see it with "
                'parameterization="delta", or simplify the model'
            )


def _completed(table: pd.DataFrame, model: OrdinalModel, theta: np.ndarray) -> pd.DataFrame:
    """The table with the residual variances (delta) or scales (theta) that follow from other parameters."""
    est = table["est"].to_numpy(copy=True)
    for b, (part, found) in enumerate(zip(model.parts_ordinal, model.implied(theta))):
        items = [name for name, is_ordinal in zip(part.block.observed, part.ordinal) if is_ordinal]
        scale = found.scale[part.ordinal]
        follows = scale if part.theta else residual_variances(part, theta, found.scale)
        op = "~*~" if part.theta else "~~"
        mine = (table["block"] == b) & (table["op"] == op) & (table["lhs"] == table["rhs"])
        for name, value in zip(items, follows):
            est[(mine & (table["lhs"] == name)).to_numpy()] = value
    return table.assign(est=est)


def fit_ordinal_baseline(fit: Fit) -> Fit:
    """The model in which no items are related, but for what covariates explain of each."""
    rows = []
    for b, (v, statistics) in enumerate(zip(fit.names, fit.model.statistics)):
        for i, name in enumerate(v.observed):
            if name in statistics.thresholds:
                rows += [(b, name, "|", f"t{k + 1}", t) for k, t in enumerate(statistics.thresholds[name])]
            else:
                sample = fit.model.samples[b]
                rows += [(b, name, "~~", name, sample.cov[i, i]), (b, name, "~1", "", sample.mean[i])]
            rows += [(b, name, "~", x, statistics.slopes.loc[name, x]) for x in v.covariates]
    table = pd.DataFrame(rows, columns=["block", "lhs", "op", "rhs", "ustart"])
    table = table.assign(group=table["block"] + 1, level="", label="", user=False, exo=False)
    table["free"] = np.arange(1, len(table) + 1)
    names = tuple(replace(v, latent=()) for v in fit.names)
    return fit_ordinal_table(
        table, (), names, fit.model.samples, fit.model.statistics, estimator=fit.estimator, theta=False
    )
