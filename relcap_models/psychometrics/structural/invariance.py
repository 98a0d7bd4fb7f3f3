"""Whether items measure the same in all groups, or at all waves: models with ever more parameters equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from relcap_models.errors import DataError, FitError
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
        the level above diff.chisq, diff.df, diff.pvalue (`satorra.2000` of `compare`, or
        `satorra.bentler.2001` with `missing="fiml"`): NaN in the first row; so is the p-value where equality
        costs no degree of freedom (thresholds of two or three categories).
    mean_impact : a row for each latent mean after the first group or wave, with columns factor, where (the
        group, `w2` for the second wave, or both), equal (the mean if everything is equal), partial (if the
        parameters of `partial` are free), and impact (partial minus equal), in standard deviations of the
        first group or wave. Empty without `partial` or below `intercepts`.
    notes : what a reader should know, such as levels that cannot be tested.
    """

    fits: dict[str, CfaResult]
    table: pd.DataFrame
    syntax: dict[str, str]
    mean_impact: pd.DataFrame
    notes: tuple[str, ...] = ()


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
    missing: str = "listwise",
) -> Invariance:
    """Whether differences between groups, or changes over waves, are differences in what is measured.

    Parameters
    ----------
    syntax : factors and their items, such as `trust =~ t1 + t2 + t3`, and residual covariances (`t1 ~~ t2`),
        all without modifiers.
    data : a row for each respondent.
    ordered : items (as in `syntax`) with ordered categories, or True for all. Pandas' ordered categories are
        ordered anyhow.
    group : a column of the data, or each respondent's group.
    waves : for each wave the column of each item; the same item's residuals covary over waves, and factors
        are called `trust.w1`, `trust.w2`, …. With `group` too, parameters are equal over groups and waves.
    levels : which are fitted, in their order; some may be left out. A level has the equalities of all before
        it in the full order, whether these are fitted or not, and is compared with the one above in the list.
        `thresholds` is left out without ordered items.
    cluster : a column of the data, or each respondent's cluster, such as the organisation, or the person who
        is in several groups: errors and tests then hold although answers within clusters depend on each other
        (see `cfa`).
    partial : parameters that stay free at all levels, such as `trust =~ t2`, `t3 | t1`, `t2 ~ 1`, `t2 ~~ t2`.
    missing : `listwise` leaves respondents with missing answers out; `fiml` uses all answers (maximum
        likelihood for answers missing at random; not of ordered items); `pairwise`, of ordered items,
        estimates each threshold and correlation from all who answered (missing completely at random).

    With ordered items the estimator is WLSMV in the theta parameterization, otherwise MLR. The first group
    (at the first wave) has factor means 0 and variances 1.

    Thresholds of an item with two or three categories are equal without loss, and their level alone says
    nothing of it. With two categories its residual variances are 1 up to `loadings`, and free at
    `intercepts`; that level is then not nested in `loadings`, and is compared with the level before.

    Raises
    ------
    DataError
        If the model or data cannot be read or compared: a category that a group or wave lacks, a factor that
        `partial` leaves without equal parameters, levels out of order.
    FitError
        If a model does not converge or is not identified.

    Source: Wu & Estabrook (2016), Psychometrika 81, 1014-1045.
    """
    levels = _levels(levels)
    if missing not in ("listwise", "pairwise", "fiml"):
        raise DataError(f"`missing` is 'listwise', 'pairwise' or 'fiml', and not {missing!r}")
    design = read_design(syntax, data, ordered, group, waves, missing)
    levels = tuple(level for level in levels if level != "thresholds" or design.thresholds)
    if not levels:
        raise DataError("`levels` is `thresholds` alone, and there are no ordered items")
    if missing == "fiml" and design.thresholds:
        raise DataError(
            f'"fiml" knows no ordered items ({", ".join(design.thresholds)}): use missing="pairwise"'
        )
    if missing == "pairwise" and not design.thresholds:
        raise DataError('"pairwise" is of ordered items, and there are none: use missing="fiml"')
    freed = freed_parameters(partial, design)
    models = {level: model_at(design, _up_to(level), freed) for level in levels}
    fits = {}
    for level, model in models.items():
        try:
            fits[level] = _fit(model, data, design, group, cluster, missing)
        except FitError as error:
            said = f"At the level `{level}`: {error}. `levels` without it fits the others"
            if level == "intercepts" and design.binary:
                said += (
                    "; `residuals` then tests intercepts too, with residual variances of two categories equal"
                )
            raise FitError(said) from None
    impact = _mean_impact(design, data, group, cluster, missing, freed, fits)
    table, notes = _table(fits, design)
    return Invariance(fits, table, models, impact, (*_notes(design, levels), *notes))


def _levels(levels: Sequence[str]) -> tuple[str, ...]:
    asked = (levels,) if isinstance(levels, str) else tuple(levels)
    if not asked or asked != tuple(level for level in LEVELS if level in asked):
        raise DataError(
            f"`levels` are some of {', '.join(LEVELS)}, each once and in this order, and not "
            f"{', '.join(map(str, asked)) or 'empty'}"
        )
    return asked


def _up_to(level: str) -> tuple[str, ...]:
    """The levels whose equalities this one has: its own and all before."""
    return LEVELS[: LEVELS.index(level) + 1]


def _base(level: str, before: Sequence[str], design: Design) -> str | None:
    """The level that this one is compared with: the last above in which it is nested."""
    nested = [b for b in before if not (design.binary and (b, level) == ("loadings", "intercepts"))]
    return nested[-1] if nested else None


def _notes(design: Design, levels: Sequence[str]) -> tuple[str, ...]:
    notes = []
    three = [item for item, n in design.thresholds.items() if n == 2]
    if three and "thresholds" in levels:
        notes.append(
            f"Three categories ({', '.join(three)}): equal thresholds alone cost no degree of freedom, and "
            "are tested with the levels that follow"
        )
    if not design.binary or levels[-1] == "configural":
        return tuple(notes)
    said = (
        f"Two categories ({', '.join(design.binary)}): thresholds and loadings cannot be tested apart from "
        "one another. Equal thresholds alone cost no degree of freedom; the loadings level holds residual "
        "variances equal too, and the intercepts level lets them differ"
    )
    if "intercepts" in levels and "loadings" in levels:
        base = _base("intercepts", levels[: levels.index("intercepts")], design)
        said += (
            f", so that it is compared with {f'the {base} level' if base else 'none'} and not with loadings"
        )
    return (*notes, said)


def _fit(
    model: str,
    data: pd.DataFrame,
    design: Design,
    group: str | Sequence | None,
    cluster: str | Sequence | None,
    missing: str,
) -> CfaResult:
    ordered = [place[item] for place in design.places for item in design.thresholds]
    estimator = "WLSMV" if ordered else "MLR"
    return cfa(
        model,
        data,
        ordered=ordered,
        estimator=estimator,
        parameterization="theta",
        group=group,
        cluster=cluster,
        missing=missing,
    )


def _table(fits: dict[str, CfaResult], design: Design) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The levels' fit and differences, and notes on those that cannot be computed."""
    rows, notes = [], []
    for k, (level, result) in enumerate(fits.items()):
        row = {name: result.fit_measures[name] for name in MEASURES}
        last = {"chisq_diff": NAN, "df_diff": NAN, "p": NAN}
        base = _base(level, tuple(fits)[:k], design)
        if base is not None:
            method = "satorra.bentler.2001" if result.fit.fiml else "satorra.2000"
            try:
                last = compare(fits[base], result, method=method).iloc[1]
            except DataError as error:
                if not result.fit.fiml:
                    raise
                notes.append(f"`{level}` against `{base}`: {error}")
        row |= {"diff.chisq": last["chisq_diff"], "diff.df": last["df_diff"], "diff.pvalue": last["p"]}
        rows.append(row)
    return pd.DataFrame(rows, index=pd.Index(fits, name="level")).astype({"df": int}), tuple(notes)


def _mean_impact(
    design: Design,
    data: pd.DataFrame,
    group: str | Sequence | None,
    cluster: str | Sequence | None,
    missing: str,
    freed: frozenset[Key],
    fits: dict[str, CfaResult],
) -> pd.DataFrame:
    names = ["factor", "where", "equal", "partial", "impact"]
    level = next((level for level in fits if "intercepts" in _up_to(level)), None)
    if not freed or level is None:
        return pd.DataFrame(columns=names)
    model = model_at(design, _up_to(level), frozenset())
    equal = _means(_fit(model, data, design, group, cluster, missing), design)
    partial = _means(fits[level], design)
    rows = [(*place, equal[place], partial[place], partial[place] - equal[place]) for place in equal]
    return pd.DataFrame(rows[len(design.factors) :], columns=names)


def _means(result: CfaResult, design: Design) -> dict[tuple[str, str], float]:
    """Factor means by factor and occasion, those of the first occasion first."""
    table = result.parameters[result.parameters["op"] == "~1"].set_index(["lhs", "group"])["est"]
    found = {}
    for number, name in enumerate(design.groups or ("",), start=1):
        for k, place in enumerate(design.places, start=1):
            where = " ".join(part for part in (name, f"w{k}" if design.columns else "") if part)
            for factor in design.factors:
                found[factor, where] = float(table[place[factor], number])
    return found
