"""Whether items measure the same in all groups, or at all waves: models with ever more parameters equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from relcap_models.errors import DataError
from relcap_models.psychometrics.structural.cfa import cfa
from relcap_models.psychometrics.structural.compare import compare
from relcap_models.psychometrics.structural.invariance_models import (
    Design,
    Key,
    freed_parameters,
    model_at,
    read_design,
)
from relcap_models.psychometrics.structural.result import CfaResult

LEVELS = ("configural", "thresholds", "loadings", "intercepts", "residuals")
MEASURES = ("chisq", "df", "chisq.scaled", "cfi.scaled", "rmsea.scaled", "srmr")
NAN = float("nan")


@dataclass(frozen=True)
class Invariance:
    """Models of a sequence of levels, each with more parameters equal than the one above.

    fits, syntax : by level, the model fitted and its text.
    table : a row for each level with chisq, df, chisq.scaled, cfi.scaled, rmsea.scaled, srmr, and against
        the level above diff.chisq, diff.df, diff.pvalue (scaled differences, see `compare`): NaN in the
        first row; so is the p-value where equality costs no degree of freedom (three categories' thresholds).
    mean_impact : a row for each latent mean after the first group or wave, with columns factor, where, equal
        (the mean if everything is equal), partial (if the parameters of `partial` are free), and impact
        (partial minus equal), in standard deviations of the first group or wave. Empty without `partial` or
        below `intercepts`.
    """

    fits: dict[str, CfaResult]
    table: pd.DataFrame
    syntax: dict[str, str]
    mean_impact: pd.DataFrame


def invariance(
    syntax: str,
    data: pd.DataFrame,
    *,
    ordered: Sequence[str] | bool = (),
    group: str | Sequence | None = None,
    waves: Sequence[Mapping[str, str]] | None = None,
    levels: Sequence[str] = LEVELS,
    partial: Sequence[str] = (),
    cluster: str | Sequence | None = None,
) -> Invariance:
    """Whether differences between groups, or changes over waves, are differences in what is measured.

    Parameters
    ----------
    syntax : factors and their items, such as `trust =~ t1 + t2 + t3`, and residual covariances (`t1 ~~ t2`),
        all without modifiers.
    data : a row for each respondent.
    ordered : items (as in `syntax`) with ordered categories, three or more, or True for all.
    group : a column of the data, or each respondent's group.
    waves : in place of `group`, for each wave the column of each item; the same item's residuals covary over
        waves, and factors are called `trust.w1`, `trust.w2`, ….
    levels : which are fitted, `configural` and any number of those that follow. `thresholds` is fitted if and
        only if there are ordered items.
    cluster : a column of the data, or each respondent's cluster, such as the organisation, or the person who
        is in several groups: errors and tests then hold although answers within clusters depend on each other
        (see `cfa`).
    partial : parameters that stay free at all levels, such as `trust =~ t2`, `t3 | t1`, `t2 ~ 1`, `t2 ~~ t2`.

    With ordered items the estimator is WLSMV in the theta parameterization, otherwise MLR. Respondents with
    missing answers are left out. The first group or wave has factor means 0 and variances 1.

    Raises
    ------
    DataError
        If the model or data cannot be read or compared: an item with two categories, a category that a group
        or wave lacks, a factor that `partial` leaves without equal parameters.
    FitError
        If a model does not converge or is not identified.

    Source: Wu & Estabrook (2016), Psychometrika 81, 1014-1045.
    """
    levels = _levels(levels)
    design = read_design(syntax, data, ordered, group, waves)
    levels = tuple(level for level in levels if level != "thresholds" or design.thresholds)
    freed = freed_parameters(partial, design)
    models = {level: model_at(design, levels[: k + 1], freed) for k, level in enumerate(levels)}
    fits = {level: _fit(model, data, design, group, cluster) for level, model in models.items()}
    return Invariance(
        fits, _table(fits), models, _mean_impact(design, data, group, cluster, levels, freed, fits)
    )


def _levels(levels: Sequence[str]) -> tuple[str, ...]:
    asked = tuple(level for level in levels if level != "thresholds")
    if not asked or asked != tuple(level for level in LEVELS if level != "thresholds")[: len(asked)]:
        raise DataError(f"`levels` is a leading part of {', '.join(LEVELS)}, and not {', '.join(levels)}")
    return LEVELS[: LEVELS.index(levels[-1]) + 1]


def _fit(
    model: str,
    data: pd.DataFrame,
    design: Design,
    group: str | Sequence | None,
    cluster: str | Sequence | None,
) -> CfaResult:
    places = design.columns or ({item: item for item in design.items},)
    ordered = [place[item] for place in places for item in design.thresholds]
    estimator = "WLSMV" if ordered else "MLR"
    return cfa(
        model,
        data,
        ordered=ordered,
        estimator=estimator,
        parameterization="theta",
        group=group,
        cluster=cluster,
    )


def _table(fits: dict[str, CfaResult]) -> pd.DataFrame:
    rows = []
    before = None
    for result in fits.values():
        row = {name: result.fit_measures[name] for name in MEASURES}
        last = {"chisq_diff": NAN, "df_diff": NAN, "p": NAN}
        if before is not None:
            last = compare(before, result).iloc[1]
        row |= {"diff.chisq": last["chisq_diff"], "diff.df": last["df_diff"], "diff.pvalue": last["p"]}
        rows.append(row)
        before = result
    return pd.DataFrame(rows, index=pd.Index(fits, name="level")).astype({"df": int})


def _mean_impact(
    design: Design,
    data: pd.DataFrame,
    group: str | Sequence | None,
    cluster: str | Sequence | None,
    levels: Sequence[str],
    freed: frozenset[Key],
    fits: dict[str, CfaResult],
) -> pd.DataFrame:
    names = ["factor", "where", "equal", "partial", "impact"]
    if not freed or "intercepts" not in levels:
        return pd.DataFrame(columns=names)
    active = levels[: levels.index("intercepts") + 1]
    equal = _means(_fit(model_at(design, active, frozenset()), data, design, group, cluster), design)
    partial = _means(fits["intercepts"], design)
    places = [(f, o) for o in design.occasions[1:] for f in design.factors]
    rows = [(f, o, equal[f, o], partial[f, o], partial[f, o] - equal[f, o]) for f, o in places]
    return pd.DataFrame(rows, columns=names)


def _means(result: CfaResult, design: Design) -> dict[tuple[str, str], float]:
    table = result.parameters[result.parameters["op"] == "~1"]
    found = {}
    for number, occasion in enumerate(design.occasions, start=1):
        for factor in design.factors:
            name = f"{factor}.{occasion}" if design.columns else factor
            at = (table["lhs"] == name) & ((table["group"] == number) | bool(design.columns))
            found[factor, occasion] = float(table.loc[at, "est"].iloc[0])
    return found
