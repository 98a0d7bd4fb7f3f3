"""Structural-after-measurement: each factor's measurement first, then how factors explain one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from relcap_models.errors import DataError
from relcap_models.psychometrics.structural.cfa import check_latent, continuous_samples, group_codes
from relcap_models.psychometrics.structural.fit_measures import sam_fit_measures
from relcap_models.psychometrics.structural.improper import improper_notes
from relcap_models.psychometrics.structural.missing_answers import FIML, naming_missing
from relcap_models.psychometrics.structural.parameter_table import terms_of
from relcap_models.psychometrics.structural.result import CfaResult, parameter_frame
from relcap_models.psychometrics.structural.sam_joint import joint_fit
from relcap_models.psychometrics.structural.sam_steps import (
    factor_covariances,
    fit_measurement,
    fit_structure,
)
from relcap_models.psychometrics.structural.sample import check_frame, refuse_repeated
from relcap_models.psychometrics.structural.syntax import Syntax, parse
from relcap_models.psychometrics.structural.variables import Variables, variables_of

EQUAL = ("loadings", "residuals", "residual.covariances", "regressions")


def sam(
    syntax: str,
    data: pd.DataFrame,
    *,
    group: str | Sequence | None = None,
    group_equal: Sequence[str] = (),
    missing: str = "listwise",
    std_lv: bool = False,
) -> CfaResult:
    """How constructs explain one another, where errors in one part of the model do not spread to the others.

    Each factor is fitted alone; the factors' covariances follow from its loadings and residual variances; the
    regressions are fitted to them, with standard errors that count both steps.

    Parameters
    ----------
    syntax : a model in lavaan's syntax (see `cfa`) with factors of three items or more (or one, without
        error), no item of two factors, and no means.
    data : a row for each respondent, columns of numbers; missing answers are NaN.
    group : a column of the data, or each respondent's group: one model for each, in order of appearance.
    group_equal : what is equal over groups: `loadings`, `residuals`, `residual.covariances` (of items) in the
        first step, `regressions` in the second. (lavaan 0.6-14 only labels the regressions.)
    missing : `listwise` leaves respondents with missing answers out; `fiml` uses all answers, in either step.
    std_lv : residual variances of factors are 1 and first loadings free, in place of first loadings of 1:
        the same estimates in other units. (lavaan 0.6-14 takes the total variance of explained factors, and
        that of observed variables, as 1 too, and then fits another model.)

    Returns
    -------
    As `cfa` does, with `measurement` besides. `fit_measures` are of the structural part alone, since nothing
    tests both together; for the same reason there are no modification indices, and `compare` refuses.

    Raises
    ------
    DataError
        If the model cannot be divided by factors, or the data cannot be read.
    FitError
        If a part is not identified or does not converge, or a residual variance is not positive.

    Source: Rosseel & Loh (2024), Psychological Methods 29, 561-588: local SAM, maximum-likelihood mapping,
    two-step standard errors, as in lavaan 0.6. Where lavaan leaves the intercepts of observed outcomes out,
    and takes factors' means as 0 although covariates explain them, here implied means are those of the data.
    """
    check_frame(data)
    if missing not in ("listwise", "fiml"):
        raise DataError(f"`missing` is 'listwise' or 'fiml', and not {missing!r}")
    group_equal = (group_equal,) if isinstance(group_equal, str) else tuple(group_equal)
    if strange := [name for name in group_equal if name not in EQUAL]:
        raise DataError(f"`group_equal` of sam() is of {', '.join(EQUAL)}, and not {', '.join(strange)}")
    if std_lv and "loadings" in group_equal:
        raise DataError("With std_lv units differ between groups, and loadings with them: leave std_lv out")
    model = parse(syntax)
    refuse_repeated(data, {name for term in model.terms for name in (term.lhs, term.rhs)})
    _check(model, variables_of(model.terms))
    groups, codes = group_codes(data, group)
    names = tuple(variables_of(terms_of(model, group=g, number=k, level="")) for k, g in enumerate(groups, 1))
    check_latent(names, data)
    fiml = missing == "fiml"
    with naming_missing(data, names[0].observed, codes, missing, FIML):
        samples, notes = continuous_samples(data, names, groups, codes, fiml=fiml)
        measured = {
            factor: fit_measurement(
                model, factor, samples, groups, fiml=fiml, group_equal=set(group_equal) - {"regressions"}
            )
            for factor in names[0].latent
        }
        covariances, reliability = factor_covariances(names[0], measured, samples)
        means = fiml or len(groups) > 1
        paths = set(group_equal) & {"regressions"}
        structural = fit_structure(
            model, names[0], covariances, samples, groups, means=means, group_equal=paths
        )
        joint = joint_fit(
            model,
            names,
            samples,
            groups,
            measured,
            structural,
            means=means,
            fiml=fiml,
            std_lv=std_lv,
            group_equal=group_equal,
        )
    rows = [
        (
            factor,
            number,
            len(fit.names[0].observed),
            fit.test.chisq,
            fit.test.df,
            reliability[number - 1][factor],
        )
        for factor, fit in measured.items()
        for number in range(1, len(groups) + 1)
    ]
    return CfaResult(
        parameter_frame(joint),
        sam_fit_measures(structural),
        (*notes, *improper_notes(joint)),
        joint.model.n,
        groups if len(groups) > 1 else (),
        joint,
        pd.DataFrame(rows, columns=["factor", "group", "n_items", "chisq", "df", "reliability"]),
    )


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
    for term in model.terms:
        own = (
            term.op == "~~" and term.lhs == term.rhs and term.lhs in (set(names.latent) & set(names.outcomes))
        )
        if own and not np.isnan(term.modifier.fixed or np.nan).all():
            raise DataError(
                f"model, row {term.line}: {term.lhs} is explained, and its residual variance cannot be fixed "
                "in a step of its own: fix a loading, or use std_lv"
            )
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
