"""Confirmatory factor analysis and structural equation models in lavaan's syntax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import partial

import numpy as np
import pandas as pd

from relcap_models.errors import DataError
from relcap_models.psychometrics.items import read_groups
from relcap_models.psychometrics.structural.clusters import check_clusters, cluster_notes
from relcap_models.psychometrics.structural.fiml import with_saturated_moments
from relcap_models.psychometrics.structural.fit import ESTIMATORS, fit_table
from relcap_models.psychometrics.structural.fit_measures import fit_measures
from relcap_models.psychometrics.structural.fit_ordinal import ORDINAL_ESTIMATORS, fit_ordinal_table
from relcap_models.psychometrics.structural.improper import improper_notes
from relcap_models.psychometrics.structural.missing_answers import FIML, LEAVE_OUT, PAIRWISE, naming_missing
from relcap_models.psychometrics.structural.ordinal_sample import ordered_names, ordinal_samples
from relcap_models.psychometrics.structural.parameter_table import Ordinal, parameter_table, terms_of
from relcap_models.psychometrics.structural.result import CfaResult, parameter_frame
from relcap_models.psychometrics.structural.sample import (
    Sample,
    build_sample,
    check_frame,
    columns,
    refuse_repeated,
)
from relcap_models.psychometrics.structural.syntax import Syntax, parse
from relcap_models.psychometrics.structural.two_level import fit_two_level
from relcap_models.psychometrics.structural.variables import Variables, variables_of


def cfa(
    syntax: str,
    data: pd.DataFrame,
    *,
    ordered: Sequence[str] | bool = (),
    estimator: str | None = None,
    parameterization: str = "delta",
    group: str | Sequence | None = None,
    group_equal: Sequence[str] = (),
    missing: str = "listwise",
    std_lv: bool = False,
    cluster: str | Sequence | None = None,
) -> CfaResult:
    """Whether items measure what they are meant to, and how constructs explain one another.

    A factor model, or a structural equation model (lavaan's `cfa` and `sem` differ by name only). Observed
    predictors that nothing explains are covariates: their moments are taken from the sample. With ordered
    items the model is of the items given the covariates: thresholds, slopes and residual correlations are
    those of probit (and linear) regressions on them, and fit says nothing of how covariates are distributed.

    Parameters
    ----------
    syntax : the model in lavaan's syntax, such as `trust =~ t1 + t2 + t3`. `=~` measures, `~` regresses,
        `~~` covaries, `x ~ 1` is an intercept; `0.5*x` fixes, `NA*x` frees, `a*x` labels (equal labels are
        equal parameters), `start(0.5)*x` starts, `c(a, b)*x` does so by group; `a == b` constrains,
        `ab := a*b` defines.
    data : a row for each respondent, columns of numbers; missing answers are NaN.
    ordered : names of the items with ordered categories, or True for all observed variables. Pandas' ordered
        categories and items with thresholds in the model (`x | t1`) are ordered anyhow.
    estimator : `ML`; `MLM` (standard errors and a test after Satorra and Bentler, for non-normal complete
        data) or `MLR` (sandwich standard errors and the test of Yuan and Bentler, for missing answers too).
        With ordered items `WLSMV` (diagonally weighted least squares with robust standard errors and a scaled
        and shifted test) or `DWLS` (the same estimates, errors and test uncorrected). If left out, `ML`, or
        `WLSMV` with ordered items.
    parameterization : of ordered items: `delta` (scales, `x ~*~ x`) or `theta` (residual variances).
    group : a column of the data, or each respondent's group: one model for each, in order of appearance.
    group_equal : what is equal over groups: `loadings`, `intercepts`, `means`, `regressions`, `residuals`,
        `residual.covariances`, `lv.variances`, `lv.covariances`, `thresholds` (which frees scales or residual
        variances of ordered items, and latent means, in groups after the first).
    missing : `listwise` leaves respondents with missing answers out; `fiml` uses all answers (maximum
        likelihood for answers missing at random); with ordered items `pairwise` estimates each correlation
        from those who answered both items (for answers missing completely at random).
    std_lv : latent variances are 1 and first loadings free, in place of first loadings of 1.
    cluster : a column of the data, or each respondent's cluster (a team, a school, a person who answers
        several times): standard errors and scaled tests then hold although answers within clusters depend on
        each other, also across groups. Estimates are the same as without. It needs `MLR` (the default then)
        or `WLSMV`. With G clusters covariances are multiplied by G / (G − 1), by group, as in lavaan.
        With blocks `level: 1` (or `level: within`) and `level: 2` (or `level: between`) in the model, a model
        for what differs within clusters and one for what differs between them, of complete answers by `ML`
        or `MLR`: variables named at both levels differ within and between clusters, others at one only.

    Raises
    ------
    DataError
        If the model or the data cannot be read, or the data cannot carry it (too few respondents, a singular
        covariance matrix), with the line, variable or group.
    FitError
        If the model is not identified (with the parameters), or does not converge.

    Source: Rosseel (2012), Journal of Statistical Software 48(2); Jöreskog (1969), Psychometrika 34, 183-202.
    Conventions are those of lavaan 0.6 (likelihood with divisor n).
    """
    check_frame(data)
    model = parse(syntax)
    refuse_repeated(data, {name for term in model.terms for name in (term.lhs, term.rhs)})
    group_equal = (group_equal,) if isinstance(group_equal, str) else tuple(group_equal)
    names_of, codes = group_codes(data, group)
    shown = names_of if len(names_of) > 1 else ()
    if model.levels:
        _check_blocks(model, names_of)
        _check_level_options(missing, ordered)
        used = [name for t in model.terms for name in (t.lhs, t.rhs)]
        with naming_missing(data, used, codes, missing, LEAVE_OUT):
            fit, notes = fit_two_level(
                model,
                data,
                cluster=cluster,
                groups=names_of,
                codes=codes,
                estimator=estimator or "ML",
                group_equal=group_equal,
                std_lv=std_lv,
            )
        notes += (*improper_notes(fit), *_equal_labels(model, names_of))
        return CfaResult(parameter_frame(fit), fit_measures(fit), notes, fit.model.n, shown, fit)
    names = tuple(
        variables_of(terms_of(model, group=name, number=number, level=""))
        for number, name in enumerate(names_of, start=1)
    )
    _check_blocks(model, names_of)
    check_latent(names, data)
    items = ordered_names(ordered, model, names, data)
    clusters = _clusters(data, cluster)
    estimator = estimator or ("WLSMV" if items else "ML" if clusters is None else "MLR")
    _check_options(estimator, missing, parameterization, ordinal=bool(items))
    if clusters is not None and estimator not in ("WLSMV", "MLR"):
        raise DataError(f"{estimator} takes respondents as independent: with `cluster` use MLR, or WLSMV")
    used = [name for part in names for name in part.observed]
    hint = partial(naming_missing, data, used, codes, missing, PAIRWISE if items else FIML)
    if items:
        names = tuple(replace(part, observed=part.modelled) for part in names)
        theta = parameterization == "theta"
        with hint():
            samples, statistics, notes = ordinal_samples(
                data, names, items, names_of, codes, pairwise=missing == "pairwise"
            )
        samples = _in_clusters(samples, clusters)
        thresholds = {name: len(found) for s in statistics for name, found in s.thresholds.items()}
        table = parameter_table(
            model,
            groups=names_of,
            means=True,
            std_lv=std_lv,
            group_equal=group_equal,
            ordinal=Ordinal(thresholds, theta),
        )
        with hint():
            fit = fit_ordinal_table(
                table, model.relations, names, samples, statistics, estimator=estimator, theta=theta
            )
    else:
        scale = next((term for term in model.terms if term.op == "~*~"), None)
        if scale:
            raise DataError(f"model, row {scale.line}: {scale.lhs} ~*~ {scale.rhs} needs ordered categories")
        fiml = missing == "fiml"
        with hint():
            samples, notes = continuous_samples(data, names, names_of, codes, fiml=fiml)
        samples = _in_clusters(samples, clusters)
        several = len(names_of) > 1 or clusters is not None
        means = fiml or several or any(t.op == "~1" for t in model.terms)
        table = parameter_table(model, groups=names_of, means=means, std_lv=std_lv, group_equal=group_equal)
        with hint():
            fit = fit_table(table, model.relations, names, samples, estimator=estimator, fiml=fiml)
    few = cluster_notes(samples, fit.test.df + fit.model.n_estimated)
    notes = (*notes, *few, *_equal_labels(model, names_of), *improper_notes(fit))
    return CfaResult(parameter_frame(fit), fit_measures(fit), notes, fit.model.n, shown, fit)


def _check_level_options(missing: str, ordered: Sequence[str] | bool) -> None:
    if missing != "listwise":
        raise DataError('Two-level models need complete answers: use missing="listwise"')
    if ordered is True or len(ordered or ()):
        raise DataError(
            "Ordered items cannot be in two-level models: treat them as continuous, or leave the levels out"
        )


def _check_options(estimator: str, missing: str, parameterization: str, *, ordinal: bool) -> None:
    known, ways = (ORDINAL_ESTIMATORS, "pairwise") if ordinal else (ESTIMATORS, "fiml")
    kind = "with" if ordinal else "without"
    if estimator not in known:
        raise DataError(
            f"`estimator` is one of {', '.join(known)} {kind} ordered items, and not {estimator!r}"
        )
    if missing not in ("listwise", ways):
        raise DataError(f"`missing` is 'listwise' or '{ways}' {kind} ordered items, and not {missing!r}")
    if parameterization not in ("delta", "theta"):
        raise DataError(f"`parameterization` is 'delta' or 'theta', and not {parameterization!r}")


def group_codes(data: pd.DataFrame, group: str | Sequence | None) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the groups (one empty name without `group`), and each respondent's."""
    if group is None:
        return ("",), np.zeros(len(data), dtype=int)
    codes, names = read_groups(_column(data, group, "group"), len(data))
    if len(names) < 2:
        raise DataError(f"`group` has one value only ('{names[0]}'): leave it out")
    return names, codes


def _clusters(data: pd.DataFrame, cluster: str | Sequence | None) -> np.ndarray | None:
    if cluster is None:
        return None
    return read_groups(_column(data, cluster, "cluster"), len(data), argument="cluster")[0]


def _column(data: pd.DataFrame, given: str | Sequence, argument: str) -> Sequence:
    if not isinstance(given, str):
        return given
    if given not in data.columns:
        near = get_close_matches(given, list(map(str, data.columns)), n=1)
        raise DataError(
            f"`{argument}` '{given}' is no column of the data" + (f". Nearest: {near[0]}" if near else "")
        )
    return data[given]


def _in_clusters(samples: tuple[Sample, ...], clusters: np.ndarray | None) -> tuple[Sample, ...]:
    if clusters is None:
        return samples
    samples = tuple(replace(sample, cluster=clusters[sample.position]) for sample in samples)
    check_clusters(samples)
    return samples


def _check_blocks(model: Syntax, groups: Sequence[str]) -> None:
    numbers = [str(i) for i in range(1, len(groups) + 1)]
    strange = [name for name in model.groups if name not in groups and name not in numbers]
    if strange:
        known = ", ".join(groups) if len(groups) > 1 else "none (name a column with `group`)"
        raise DataError(
            f"The model has blocks for groups {', '.join(strange)}, and the data's groups are {known}"
        )


def check_latent(names: Sequence[Variables], data: pd.DataFrame) -> None:
    """Raise a DataError if a factor has the name of a column."""
    latent = [v for part in names for v in part.latent if v in data.columns]
    if latent:
        raise DataError(f"{latent[0]} is measured by =~ and is a column of the data too: rename the factor")


def continuous_samples(
    data: pd.DataFrame, names: Sequence[Variables], groups: Sequence[str], codes: np.ndarray, *, fiml: bool
) -> tuple[tuple[Sample, ...], tuple[str, ...]]:
    """Each group's sample and notes; with `fiml` means and covariances are those of maximum likelihood."""
    everything = tuple(dict.fromkeys(v for part in names for v in part.observed))
    values = columns(data, everything)
    found, notes = [], []
    for number, (name, part) in enumerate(zip(groups, names)):
        rows = np.flatnonzero(codes == number)
        at = [everything.index(v) for v in part.observed]
        sample, said = build_sample(
            values[np.ix_(rows, at)],
            rows,
            group=name,
            observed=part.observed,
            covariates=part.covariates,
            fiml=fiml,
        )
        notes += said
        if fiml:
            sample, said = with_saturated_moments(sample)
            notes += said
        found.append(sample)
    return tuple(found), tuple(notes)


def _equal_labels(model: Syntax, groups: Sequence[str]) -> tuple[str, ...]:
    if len(groups) < 2 or model.groups:
        return ()
    shared = dict.fromkeys(t.modifier.label[0] for t in model.terms if len(t.modifier.label) == 1)
    if not shared:
        return ()
    return (
        f"One label for all groups makes parameters equal over groups: {', '.join(shared)}. "
        "Use c(label1, label2) for labels by group",
    )
