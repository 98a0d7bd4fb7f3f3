"""The two steps of structural-after-measurement: factors one by one, then regressions among them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations_with_replacement

import numpy as np

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.structural.fiml import with_saturated_moments
from relcap_models.psychometrics.structural.fit import Fit, fit_table
from relcap_models.psychometrics.structural.parameter_table import parameter_table
from relcap_models.psychometrics.structural.sample import Pattern, Sample, build_sample
from relcap_models.psychometrics.structural.syntax import Syntax, Term
from relcap_models.psychometrics.structural.variables import Variables, variables_of


def fit_measurement(
    model: Syntax,
    factor: str,
    samples: Sequence[Sample],
    groups: Sequence[str],
    *,
    fiml: bool,
    group_equal: Collection[str] = (),
) -> Fit:
    """One factor and its items alone, in all groups.

    Raises
    ------
    FitError
        If it is not identified or does not converge, or a residual variance is not positive.
    """
    terms = tuple(_terms_of(model, factor))
    names = variables_of(terms)
    means = fiml or len(groups) > 1
    table = parameter_table(Syntax(terms, ()), groups=groups, means=means, group_equal=group_equal)
    parts = tuple(_part(sample, names.observed, fiml=fiml) for sample in samples)
    try:
        fit = fit_table(table, (), (names,) * len(groups), parts, estimator="ML", fiml=fiml)
    except FitError as error:
        raise FitError(f"The measurement of {factor}: {error}") from None
    own = (fit.table["op"] == "~~") & (fit.table["lhs"] == fit.table["rhs"]) & (fit.table["free"] > 0)
    improper = fit.table.loc[own & (fit.table["est"] <= 0), "lhs"].unique()
    if len(improper):
        raise FitError(
            f"The measurement of {factor}: the variance of {', '.join(improper)} is not positive (a Heywood "
            "case). Leave an item out, or set loadings equal"
        )
    return fit


def _terms_of(model: Syntax, factor: str) -> list[Term]:
    items = {t.rhs for t in model.terms if t.op == "=~" and t.lhs == factor}
    return [
        t
        for t in model.terms
        if (t.op == "=~" and t.lhs == factor)
        or (t.op == "~~" and (t.lhs in items or t.lhs == t.rhs == factor))
    ]


def _part(sample: Sample, observed: tuple[str, ...], *, fiml: bool) -> Sample:
    """The sample of some of its variables."""
    at = [sample.observed.index(v) for v in observed]
    part, _ = build_sample(
        sample.values[:, at], sample.position, group=sample.group, observed=observed, covariates=(), fiml=fiml
    )
    return with_saturated_moments(part)[0] if fiml else part


def factor_covariances(
    names: Variables, measured: Mapping[str, Fit], samples: Sequence[Sample]
) -> tuple[list[np.ndarray], list[dict[str, float]]]:
    """By group the covariances of `structural_order`, factors freed of their items' errors; reliabilities.

    Where they would not be positive definite, less of the error is taken away (Fuller 1987, section 2.2).
    """
    order = structural_order(names)
    n = sum(sample.n for sample in samples)
    found, reliability = [], []
    for group, sample in enumerate(samples):
        p = len(sample.observed)
        mapping, error = np.zeros((len(order), p)), np.zeros((p, p))
        for i, name in enumerate(order):
            if name not in names.latent:
                mapping[i, sample.observed.index(name)] = 1.0
                continue
            fit = measured[name]
            block, moments = fit.model.blocks[group], fit.model.moments(fit.theta)[group]
            at = [sample.observed.index(v) for v in block.observed]
            loading = moments.effects[: block.n_observed, block.n_observed]
            residual = moments.sigma - np.outer(loading, loading) * moments.covariance[-1, -1]
            # A factor's only item has no error, and is the factor.
            weight = np.linalg.solve(residual, loading) if len(at) > 1 else np.ones(1)
            mapping[i, at] = weight / (loading @ weight)
            error[np.ix_(at, at)] = residual
        total, noise = mapping @ sample.cov @ mapping.T, mapping @ error @ mapping.T
        root = 1 / max(np.linalg.eigvals(np.linalg.solve(total, noise)).real.max(), 1e-300)
        share = root - 1 / (n - 1) if root < 1 + 1 / (n - 1) else 1.0
        cov = total - share * noise
        ratio = np.diag(cov) / np.diag(total)
        found.append(cov)
        reliability.append({name: float(r) for name, r in zip(order, ratio) if name in names.latent})
    return found, reliability


def structural_order(names: Variables) -> tuple[str, ...]:
    """Factors, and observed variables that are no items."""
    return (*names.latent, *(v for v in names.observed if v not in names.indicators))


def fit_structure(
    model: Syntax,
    names: Variables,
    covariances: Sequence[np.ndarray],
    samples: Sequence[Sample],
    groups: Sequence[str],
    *,
    means: bool,
    group_equal: Collection[str] = (),
) -> Fit:
    """The regressions, fitted to the covariances of `factor_covariances`. means : count, and are free."""
    order = structural_order(names)
    terms = [t for t in model.terms if t.op == "~" or (t.op == "~~" and t.lhs in order)]
    if not names.outcomes:
        raise DataError("The model has no regressions with ~: use cfa()")
    exogenous = [v for v in order if v not in names.outcomes]
    present = {frozenset((t.lhs, t.rhs)) for t in terms if t.op == "~~"}
    terms += [
        Term(a, "~~", b, 0)
        for a, b in combinations_with_replacement(exogenous, 2)
        if frozenset((a, b)) not in present
    ]
    inner = variables_of(terms)
    at = [order.index(v) for v in inner.observed]
    parts = tuple(
        _of_moments(cov[np.ix_(at, at)], inner.observed, sample) for cov, sample in zip(covariances, samples)
    )
    table = parameter_table(Syntax(tuple(terms), ()), groups=groups, means=means, group_equal=group_equal)
    return fit_table(table, (), (inner,) * len(groups), parts, estimator="ML", fiml=False)


def _of_moments(cov: np.ndarray, observed: tuple[str, ...], sample: Sample) -> Sample:
    """A complete sample of which only covariances matter."""
    mean = np.zeros(len(observed))
    pattern = Pattern(np.arange(len(observed)), np.arange(sample.n), mean, cov)
    return Sample(sample.group, observed, np.empty((sample.n, 0)), sample.position, (pattern,), mean, cov)
