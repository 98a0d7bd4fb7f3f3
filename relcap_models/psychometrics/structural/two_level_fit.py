"""A two-level model fitted: estimates, their covariance, and the test against two levels without a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from relcap_models.errors import FitError
from relcap_models.psychometrics.structural.constraints import check_labels
from relcap_models.psychometrics.structural.estimate_ml import plain_start
from relcap_models.psychometrics.structural.fit import (
    Fit,
    ModelTest,
    build_model,
    parameter_names,
    with_estimates,
)
from relcap_models.psychometrics.structural.model import Model
from relcap_models.psychometrics.structural.newton import check_identified, maximum
from relcap_models.psychometrics.structural.start_values import start_values, with_sample_moments
from relcap_models.psychometrics.structural.syntax import Relation
from relcap_models.psychometrics.structural.two_level_likelihood import (
    two_level_hessian,
    two_level_log_likelihood,
    two_level_surface,
)
from relcap_models.psychometrics.structural.two_level_robust import two_level_sandwich
from relcap_models.psychometrics.structural.two_level_sample import (
    LevelMoments,
    TwoLevelSample,
    level_moments,
)
from relcap_models.psychometrics.structural.variables import Variables


def fit_two_level_table(
    table: pd.DataFrame,
    relations: tuple[Relation, ...],
    names: tuple[Variables, ...],
    samples: tuple[TwoLevelSample, ...],
    *,
    estimator: str,
) -> Fit:
    """Estimate a two-level model whose parameter table is made, with observed information.

    names : of the blocks: within and between of the first group, then of the next, …

    Raises
    ------
    FitError
        If it does not converge, is not identified, or has more parameters than the data have moments.
    """
    moments = level_moments(samples)
    table = with_sample_moments(table, moments)
    check_labels(table, relations)
    model = build_model(table, names, samples, relations)
    df = _moments(names) - model.n_estimated
    if df < 0:
        raise FitError(
            f"The model is not identified: it has {model.n_estimated} free parameters, and the data hold "
            f"only {df + model.n_estimated} means, variances and covariances at both levels. Fix some, or "
            "set some equal"
        )
    theta = _estimates(model, table, moments)
    fit = Fit(
        table, relations, names, model, theta, np.zeros((0, 0)), ModelTest(0, df), 0, 0, estimator, False
    )
    return _tested(fit)


def _estimates(model: Model, table: pd.DataFrame, moments: Sequence[LevelMoments]) -> np.ndarray:
    """(free parameter,) estimates from the first start that leads to some which the data determine."""
    surface = two_level_surface(model)
    start = start_values(table, moments)
    failed = ""
    for attempt in (
        _with_latent_variances(table, moments, start),
        start,
        plain_start(model.blocks, moments, start),
    ):
        try:
            theta = maximum(surface, (attempt,))
            check_identified(surface, theta, parameter_names(table))
        except FitError as error:
            failed = failed or str(error)
        else:
            return theta
    why = [note for sample in model.samples for note in sample.saturated.notes]
    raise FitError(". ".join([failed, *why]))


def _with_latent_variances(
    table: pd.DataFrame, moments: Sequence[LevelMoments], start: np.ndarray
) -> np.ndarray:
    """`start`, factors having half the variance of the item that gives them its unit."""
    theta = start.copy()
    for b, level in enumerate(moments):
        mine = table[table["block"] == b]
        unit = mine[(mine["op"] == "=~") & (mine["free"] == 0) & (mine["ustart"] == 1)]
        for factor, item in unit[["lhs", "rhs"]].itertuples(index=False):
            own = mine[(mine["op"] == "~~") & (mine["lhs"] == factor) & (mine["rhs"] == factor)]
            if (
                item in level.observed
                and len(own)
                and own["free"].iloc[0]
                and np.isnan(own["ustart"].iloc[0])
            ):
                at = level.observed.index(item)
                theta[own["free"].iloc[0] - 1] = 0.5 * level.cov[at, at]
    return theta


def _moments(names: Sequence[Variables]) -> int:
    """Means, variances and covariances at both levels, without those of covariates alone."""
    total = 0
    for within, between in zip(names[::2], names[1::2]):
        for v in (within, between):
            p, x = len(v.observed), len(v.covariates)
            total += p * (p + 1) // 2 - x * (x + 1) // 2
        total += len(between.modelled) + len([v for v in within.modelled if v not in between.observed])
    return total


def _tested(fit: Fit) -> Fit:
    model, theta, df = fit.model, fit.theta, fit.test.df
    moments = model.moments(theta)
    mine = [
        two_level_log_likelihood(sample, *moments[2 * g : 2 * g + 2])
        for g, sample in enumerate(model.samples)
    ]
    saturated = [sample.saturated.logl for sample in model.samples]
    chisq = max(2 * (sum(saturated) - sum(mine)), 0.0)
    given = _covariates_likelihood(fit)
    if fit.estimator == "MLR":
        vcov, trace = two_level_sandwich(model, theta, fit.covariates)
    else:
        vcov = model.freedom.invert(two_level_hessian(model, theta)) / model.n
        trace = np.nan
    test = ModelTest(chisq, df, trace / df if df else np.nan)
    return replace(
        fit,
        table=with_estimates(fit.table, theta, vcov),
        vcov=vcov,
        test=test,
        logl=sum(mine) - given,
        logl_saturated=sum(saturated) - given,
    )


def _covariates_likelihood(fit: Fit) -> float:
    """Of covariates at one level alone: the others' is no factor of the likelihood, and stays in it."""
    total = 0.0
    levels = level_moments(fit.model.samples)
    for b, v in enumerate(fit.names):
        sample = fit.model.samples[b // 2]
        level = levels[b]
        at = [v.observed.index(x) for x in v.covariates if x not in sample.shared]
        if at:
            _, determinant = np.linalg.slogdet(level.cov[np.ix_(at, at)])
            total -= 0.5 * level.n * (len(at) * np.log(2 * np.pi) + determinant + len(at))
    return total


def fit_two_level_baseline(fit: Fit) -> Fit:
    """The model in which nothing is related at either level, except covariates among themselves."""
    parts, levels = [], level_moments(fit.model.samples)
    for b, (v, level) in enumerate(zip(fit.names, levels)):
        shared = fit.model.samples[b // 2].shared
        rows = []
        for i, name in enumerate(v.observed):
            covariate = name in v.covariates
            if not covariate:
                least = 0.05 * levels[b - b % 2].cov.diagonal().min()
                rows.append((name, "~~", name, max(level.cov[i, i], least), False, False))
            zero = b % 2 == 0 and name in shared
            rows.append((name, "~1", "", 0.0 if zero else level.mean[i], covariate and not zero, zero))
        for i, first in enumerate(v.covariates):
            rows += [(first, "~~", second, np.nan, True, False) for second in v.covariates[i:]]
        part = pd.DataFrame(rows, columns=["lhs", "op", "rhs", "ustart", "exo", "zero"])
        parts.append(part.assign(block=b, group=b // 2 + 1, level=b % 2 + 1, label="", user=False))
    table = pd.concat(parts, ignore_index=True)
    free = ~table["exo"] & ~table["zero"]
    table["free"] = np.where(free, free.cumsum(), 0)
    names = tuple(replace(v, latent=()) for v in fit.names)
    return fit_two_level_table(table, (), names, fit.model.samples, estimator=fit.estimator)
