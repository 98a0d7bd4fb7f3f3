"""Structural-after-measurement: each factor's measurement first, then how factors explain one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement

import numpy as np
import pandas as pd

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.structural.estimate_ml import total_expected
from relcap_models.psychometrics.structural.fit import (
    Fit,
    ModelTest,
    build_model,
    fit_table,
    with_estimates,
)
from relcap_models.psychometrics.structural.fit_measures import fit_measures
from relcap_models.psychometrics.structural.parameter_table import parameter_table
from relcap_models.psychometrics.structural.result import parameter_frame
from relcap_models.psychometrics.structural.sample import Pattern, Sample, build_sample, columns
from relcap_models.psychometrics.structural.start_values import with_sample_moments
from relcap_models.psychometrics.structural.syntax import Syntax, Term, parse
from relcap_models.psychometrics.structural.variables import Variables, variables_of


@dataclass(frozen=True)
class SamResult:
    """A structural model estimated after its measurement models.

    parameters : as in `CfaResult`. measurement : a row for each factor with columns factor, n_items, chisq,
    df, reliability (of its maximum-likelihood score). fit_measures : of the structural part. n : respondents
    used.
    """

    parameters: pd.DataFrame
    measurement: pd.DataFrame
    fit_measures: pd.Series
    notes: tuple[str, ...]
    n: int


def sam(syntax: str, data: pd.DataFrame) -> SamResult:
    """How constructs explain one another, where errors in one part of the model do not spread to the others.

    Each factor is fitted alone; the factors' covariances follow from its loadings and residual variances; the
    regressions are fitted to them, with standard errors that count both steps.

    Parameters
    ----------
    syntax : a model in lavaan's syntax (see `cfa`) with factors of three items or more, no item of two
        factors, and no means. data : columns of numbers; respondents with missing answers are left out.

    Raises
    ------
    DataError
        If the model cannot be divided by factors, or the data cannot be read.
    FitError
        If a part is not identified or does not converge, or a residual variance is not positive.

    Source: Rosseel & Loh (2024), Psychological Methods 29, 561-588: local SAM, maximum-likelihood mapping,
    two-step standard errors, as in lavaan 0.6.
    """
    model = parse(syntax)
    names = variables_of(model.terms)
    _check(model, names)
    sample, notes = build_sample(
        columns(data, names.observed),
        np.arange(len(data)),
        group="",
        observed=names.observed,
        covariates=(),
        fiml=False,
    )
    table = parameter_table(model, groups=("",), means=False)
    measured = {factor: _measurement(model, factor, sample) for factor in names.latent}
    structural, reliability = _structural(model, names, measured, sample)
    joint = _joint(table, model, names, sample, measured, structural)
    rows = [
        (factor, len(fit.names[0].observed), fit.test.chisq, fit.test.df, reliability[factor])
        for factor, fit in measured.items()
    ]
    measurement = pd.DataFrame(rows, columns=["factor", "n_items", "chisq", "df", "reliability"])
    return SamResult(parameter_frame(joint), measurement, _structural_fit(structural), notes, sample.n)


def _check(model: Syntax, names: Variables) -> None:
    if model.groups or model.levels:
        raise DataError(
            "The model has blocks for groups or levels, which this method does not know: use cfa()"
        )
    if not names.latent:
        raise DataError("The model measures nothing with =~: use cfa()")
    if any(t.op in ("~1", "|", "~*~") for t in model.terms):
        raise DataError("The model speaks of means or thresholds, which this method does not know: use cfa()")
    if any(relation.op == "==" for relation in model.relations):
        raise DataError("The model has constraints with ==, which this method does not know: use cfa()")
    factors_of: dict[str, list[str]] = {}
    for term in model.terms:
        if term.op == "=~":
            factors_of.setdefault(term.rhs, []).append(term.lhs)
    for item, factors in factors_of.items():
        if len(factors) > 1 or item in (*names.latent, *names.outcomes, *names.predictors):
            raise DataError(f"{item} belongs to more than one factor or regression: use cfa()")
    part_of: dict[str, str] = {}
    for term in model.terms:
        part = term.lhs if term.op == "=~" else factors_of.get(term.lhs, [""])[0]
        for label in (*term.modifier.label, *term.modifier.equal):
            if part_of.setdefault(label, part) != part:
                raise DataError(f"The label '{label}' is shared by parts that are estimated apart: use cfa()")
        items = [factors_of[v][0] for v in (term.lhs, term.rhs) if v in factors_of]
        if term.op == "~~" and (len(items) == 1 or len(set(items)) == 2):
            raise DataError(
                f"model, row {term.line}: {term.lhs} ~~ {term.rhs} goes beyond one factor: use cfa()"
            )


def _terms_of(model: Syntax, factor: str) -> list[Term]:
    items = {t.rhs for t in model.terms if t.op == "=~" and t.lhs == factor}
    return [
        t
        for t in model.terms
        if (t.op == "=~" and t.lhs == factor)
        or (t.op == "~~" and (t.lhs in items or t.lhs == t.rhs == factor))
    ]


def _measurement(model: Syntax, factor: str, sample: Sample) -> Fit:
    terms = tuple(_terms_of(model, factor))
    names = variables_of(terms)
    table = parameter_table(Syntax(terms, ()), groups=("",), means=False)
    at = [sample.observed.index(v) for v in names.observed]
    part = _of_moments(sample.cov[np.ix_(at, at)], names.observed, sample)
    try:
        fit = fit_table(table, (), (names,), (part,), estimator="ML", fiml=False)
    except FitError as error:
        raise FitError(f"The measurement of {factor}: {error}") from None
    residual = fit.table[(fit.table["op"] == "~~") & (fit.table["lhs"] == fit.table["rhs"])]
    improper = residual.loc[residual["est"] <= 0, "lhs"]
    if len(improper):
        raise FitError(
            f"The measurement of {factor}: the variance of {', '.join(improper)} is not positive (a Heywood "
            "case). Leave an item out, or set loadings equal"
        )
    return fit


def _of_moments(cov: np.ndarray, observed: tuple[str, ...], sample: Sample) -> Sample:
    """A complete sample of which only covariances matter."""
    values, position = np.empty((sample.n, 0)), sample.position
    mean = np.zeros(len(observed))
    pattern = Pattern(np.arange(len(observed)), np.arange(sample.n), mean, cov)
    return Sample("", observed, values, position, (pattern,), mean, cov)


def _structural(
    model: Syntax, names: Variables, measured: Mapping[str, Fit], sample: Sample
) -> tuple[Fit, dict[str, float]]:
    """The regressions, fitted to covariances of factors and observed variables, and reliabilities."""
    others = tuple(v for v in names.observed if v not in names.indicators)
    terms = [t for t in model.terms if t.op == "~" or (t.op == "~~" and t.lhs in (*names.latent, *others))]
    variables = variables_of(terms) if terms else None
    if variables is None or not variables.outcomes:
        raise DataError("The model has no regressions with ~: use cfa()")
    order = tuple(dict.fromkeys((*variables.observed, *names.latent, *others)))
    cov, reliability = _covariances(names.latent, order, measured, sample)
    exogenous = [v for v in order if v not in variables.outcomes]
    present = {frozenset((t.lhs, t.rhs)) for t in terms if t.op == "~~"}
    terms += [
        Term(a, "~~", b, 0)
        for a, b in combinations_with_replacement(exogenous, 2)
        if frozenset((a, b)) not in present
    ]
    names = variables_of(terms)
    at = [order.index(v) for v in names.observed]
    part = _of_moments(cov[np.ix_(at, at)], names.observed, sample)
    table = parameter_table(Syntax(tuple(terms), ()), groups=("",), means=False)
    return fit_table(table, (), (names,), (part,), estimator="ML", fiml=False), reliability


def _structural_fit(structural: Fit) -> pd.Series:
    """Fit measures whose baseline model lets exogenous variables covary, as where they are covariates."""
    (names,) = structural.names
    exogenous = tuple(v for v in names.observed if v not in names.outcomes)
    measures = fit_measures(replace(structural, names=(replace(names, covariates=exogenous),)))
    return measures[["chisq", "df", "pvalue", "cfi", "tli", "rmsea", "srmr"]]


def _covariances(
    latent: Sequence[str], order: Sequence[str], measured: Mapping[str, Fit], sample: Sample
) -> tuple[np.ndarray, dict[str, float]]:
    """Covariances of factors, freed of their items' errors, and of observed variables; and reliabilities.

    Where they would not be positive definite, less of the error is taken away (Fuller 1987, section 2.2).
    """
    p = len(sample.observed)
    mapping, error = np.zeros((len(order), p)), np.zeros((p, p))
    for i, name in enumerate(order):
        if name not in latent:
            mapping[i, sample.observed.index(name)] = 1.0
            continue
        fit = measured[name]
        block, (moments,) = fit.model.blocks[0], fit.model.moments(fit.theta)
        at = [sample.observed.index(v) for v in block.observed]
        loading = moments.effects[: block.n_observed, block.n_observed]
        residual = moments.sigma - np.outer(loading, loading) * moments.covariance[-1, -1]
        weight = np.linalg.solve(residual, loading)
        mapping[i, at] = weight / (loading @ weight)
        error[np.ix_(at, at)] = residual
    total, noise = mapping @ sample.cov @ mapping.T, mapping @ error @ mapping.T
    root = 1 / np.linalg.eigvals(np.linalg.solve(total, noise)).real.max()
    share = root - 1 / (sample.n - 1) if root < 1 + 1 / (sample.n - 1) else 1.0
    cov = total - share * noise
    ratio = np.diag(cov) / np.diag(total)
    return cov, {name: float(r) for name, r in zip(order, ratio) if name in latent}


def _joint(
    table: pd.DataFrame,
    model: Syntax,
    names: Variables,
    sample: Sample,
    measured: Mapping[str, Fit],
    structural: Fit,
) -> Fit:
    """All parameters with estimates of their step, and standard errors of both steps."""
    table = with_sample_moments(table, (sample,))
    free = table["free"].to_numpy()
    number_of = {_key(*key): n - 1 for *key, n in table[["lhs", "op", "rhs", "free"]].itertuples(index=False)}
    theta = np.full(free.max(), np.nan)
    first = np.zeros((len(theta), len(theta)))
    for fit in measured.values():
        at, own = _matched(fit, number_of)
        theta[at] = fit.theta[own]
        first[np.ix_(at, at)] = fit.vcov[np.ix_(own, own)]
    in_first = np.diag(first) > 0
    second, own = _matched(structural, number_of)
    theta[second] = structural.theta[own]
    first[second] = 0.0
    first[:, second] = 0.0
    whole = build_model(table, (names,), (sample,))
    information = total_expected(whole, theta)
    inverse = np.linalg.inv(information[np.ix_(second, second)])
    carried = inverse @ information[np.ix_(second, in_first)]
    vcov = first.copy()
    vcov[np.ix_(second, second)] = (
        inverse / sample.n + carried @ first[np.ix_(in_first, in_first)] @ carried.T
    )
    fitted = with_estimates(table, theta, vcov)
    none = ModelTest(np.nan, 0)
    return Fit(fitted, model.relations, (names,), whole, theta, vcov, none, np.nan, np.nan, "ML", False)


def _key(lhs: str, op: str, rhs: str) -> tuple:
    return (op, frozenset((lhs, rhs))) if op == "~~" else (op, lhs, rhs)


def _matched(fit: Fit, number_of: Mapping[tuple, int]) -> tuple[list[int], list[int]]:
    """Numbers in the joint model and in the part of the parameters that both estimate."""
    pairs = {}
    for lhs, op, rhs, n in fit.table[["lhs", "op", "rhs", "free"]].itertuples(index=False):
        joint = number_of.get(_key(lhs, op, rhs), -1)
        if n > 0 and joint >= 0:
            pairs.setdefault(joint, n - 1)
    return list(pairs), list(pairs.values())
