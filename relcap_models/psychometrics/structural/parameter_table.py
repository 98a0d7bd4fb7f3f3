"""The parameter table: every parameter of a model, what lavaan's defaults add, and which are equal."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, combinations_with_replacement

import numpy as np
import pandas as pd

from relcap_models.errors import DataError, Problem
from relcap_models.psychometrics.structural.syntax import Modifier, Syntax, Term
from relcap_models.psychometrics.structural.variables import Variables, variables_of

EQUALITIES = (
    "loadings",
    "intercepts",
    "thresholds",
    "means",
    "regressions",
    "residuals",
    "residual.covariances",
    "lv.variances",
    "lv.covariances",
)


@dataclass(frozen=True)
class Row:
    """One parameter. ustart : the value it is fixed at or starts from, NaN if neither is said."""

    lhs: str
    op: str
    rhs: str
    user: bool
    free: bool = True
    ustart: float = np.nan
    exogenous: bool = False
    modifier: Modifier = field(default_factory=Modifier)
    line: int = 0
    group: int = 1
    level: str = ""
    label: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.lhs, self.op, self.rhs

    def fixed(self, value: float) -> Row:
        return replace(self, free=False, ustart=value)

    def freed(self) -> Row:
        return replace(self, free=True, ustart=np.nan)


@dataclass(frozen=True)
class Ordinal:
    """The model's ordinal items.

    n_thresholds : by item. theta : residual variances are parameters (theta parameterization), else scales.
    """

    n_thresholds: Mapping[str, int]
    theta: bool


def parameter_table(
    syntax: Syntax,
    *,
    groups: Sequence[str],
    means: bool,
    std_lv: bool = False,
    group_equal: Collection[str] = (),
    ordinal: Ordinal | None = None,
) -> pd.DataFrame:
    """Every parameter of the model, in lavaan's order.

    Parameters
    ----------
    syntax : the model. groups : their names (one if there are none). means : whether means are modelled.
    std_lv : latent variances are 1, and the first loading is free.
    group_equal : what is equal over groups, such as `loadings` and `intercepts`.
    ordinal : what is known of ordinal items, if there are any; means are then modelled.

    Returns
    -------
    DataFrame with columns lhs, op, rhs, user (whether the model names it), block, group (1, 2, …),
    level, free (0 if fixed, else the number of the parameter; equal ones share it), ustart
    (fixed value or start, NaN if neither), exo (taken from the sample), label.

    Raises
    ------
    DataError
        If `group_equal` names something unknown, modifiers or blocks do not match the groups, or the model
        says of an ordinal item what cannot be.

    Source: Rosseel (2012), Journal of Statistical Software 48(2), sections 3 and 4.
    """
    unknown = [name for name in group_equal if name not in EQUALITIES]
    if unknown:
        raise DataError(f"`group_equal` cannot be {', '.join(unknown)}. It can be {', '.join(EQUALITIES)}")
    rows: list[Row] = []
    levels = syntax.levels or ("",)
    for number, group in enumerate(groups, start=1):
        for level in levels:
            terms = terms_of(syntax, group=group, number=number, level=level)
            block = _block_rows(terms, means=means, std_lv=std_lv, ordinal=ordinal)
            if number > 1 and not syntax.groups:
                block = _release(block, group_equal, std_lv=std_lv, ordinal=ordinal)
            if level != levels[-1]:
                upper = terms_of(syntax, group=group, number=number, level=levels[-1])
                block = _without_means(block, variables_of(upper).observed)
            rows += [replace(row, group=number, level=level) for row in block]
    rows = _modified(rows, len(groups), own_blocks=bool(syntax.groups))
    rows, free = _equalities(rows, group_equal)
    block_of = {key: i for i, key in enumerate(dict.fromkeys((r.group, r.level) for r in rows))}
    return pd.DataFrame(
        {
            "lhs": [r.lhs for r in rows],
            "op": [r.op for r in rows],
            "rhs": [r.rhs for r in rows],
            "user": [r.user for r in rows],
            "block": [block_of[r.group, r.level] for r in rows],
            "group": [r.group for r in rows],
            "level": [r.level for r in rows],
            "free": free,
            "ustart": [r.ustart for r in rows],
            "exo": [r.exogenous for r in rows],
            "label": [r.label for r in rows],
        }
    )


def terms_of(syntax: Syntax, *, group: str, number: int, level: str) -> tuple[Term, ...]:
    """What the model says about one group at one level.

    Raises
    ------
    DataError
        If the model has blocks for groups and none for this one.
    """
    block = group
    if syntax.groups:
        block = group if group in syntax.groups else str(number)
        if block not in syntax.groups:
            raise DataError(
                f"The model has blocks for groups {', '.join(syntax.groups)}, and none for {group}"
            )
    return tuple(t for t in syntax.terms if t.level == level and t.group in ("", block))


def _block_rows(terms: Sequence[Term], *, means: bool, std_lv: bool, ordinal: Ordinal | None) -> list[Row]:
    names = variables_of(terms)
    named = [_ordered(term, names) for term in terms]
    rows = [Row(*key, user=True, modifier=term.modifier, line=term.line) for key, term in named]
    present = {row.key for row in rows}
    defaults = _defaults(names, means=means)
    if ordinal:
        _check_ordinal(rows, ordinal)
        defaults = _with_ordinal(defaults, names, ordinal)
    rows += [Row(*key, user=False) for key in defaults if key not in present]
    single = _single_indicators(rows)
    first = _first_loadings(rows)
    rows = [_automatic(row, names, std_lv=std_lv, single=single, first=first) for row in rows]
    return [_automatic_ordinal(row, ordinal) for row in rows] if ordinal else rows


def _check_ordinal(rows: Sequence[Row], ordinal: Ordinal) -> None:
    """Raise a DataError for everything that the model says of ordinal items and cannot say."""
    problems = []
    for row in rows:
        shown = f"`{row.lhs} {row.op} {row.rhs}`"
        most = ordinal.n_thresholds.get(row.lhs)
        if row.op in ("|", "~*~") and most is None:
            said, remedy = f"{shown} is of an item that is not ordered", "Name it in `ordered`"
        elif row.op == "|" and int(row.rhs[1:]) > most:
            said = f"{shown}, but {row.lhs} has {most + 1} categories"
            remedy = f"Its thresholds are t1 to t{most}"
        elif row.op == "~*~" and ordinal.theta:
            said = f"{shown}: scales follow from residual variances in the theta parameterization"
            remedy = 'Use parameterization="delta"'
        elif row.op == "~~" and row.lhs == row.rhs and most is not None and not ordinal.theta:
            said = f"{shown}: the residual variance of an ordinal item is no parameter of its own"
            remedy = 'Leave it out, or use parameterization="theta"'
        else:
            continue
        problems.append(Problem(file="model", row=row.line, message=said, remedy=remedy))
    if problems:
        raise DataError(problems=problems)


def _with_ordinal(
    defaults: list[tuple[str, str, str]], names: Variables, ordinal: Ordinal
) -> list[tuple[str, str, str]]:
    """lavaan's order: thresholds first, and scales before means."""
    items = [v for v in names.observed if v in ordinal.n_thresholds]
    thresholds = [(v, "|", f"t{k}") for v in items for k in range(1, ordinal.n_thresholds[v] + 1)]
    second = [key for key in defaults if key[1] != "~1"]
    return [*thresholds, *second, *((v, "~*~", v) for v in items), *defaults[len(second) :]]


def _automatic_ordinal(row: Row, ordinal: Ordinal) -> Row:
    """Scales are 1, means 0, and residual variances 1, where the model says nothing else."""
    if row.user or row.lhs not in ordinal.n_thresholds:
        return row
    if row.op == "~*~" or (row.op == "~~" and row.lhs == row.rhs):
        return row.fixed(1.0)
    return row.fixed(0.0) if row.op == "~1" else row


def _ordered(term: Term, names: Variables) -> tuple[tuple[str, str, str], Term]:
    """A covariance's variables stand in the order in which the model introduces them."""
    key = (term.lhs, term.op, term.rhs)
    for kind in (names.latent, names.observed):
        if term.op == "~~" and term.lhs in kind and term.rhs in kind:
            first, second = sorted((term.lhs, term.rhs), key=kind.index)
            key = (first, "~~", second)
    return key, term


def _defaults(names: Variables, *, means: bool) -> list[tuple[str, str, str]]:
    found = [(v, "~~", v) for v in (*names.modelled, *names.latent)]
    found += [(a, "~~", b) for a, b in combinations(names.latent_exogenous, 2)]
    found += [(a, "~~", b) for a, b in combinations(names.last_outcomes, 2)]
    found += [(a, "~~", b) for a, b in combinations_with_replacement(names.covariates, 2)]
    if means:
        found += [(v, "~1", "") for v in (*names.observed, *names.latent)]
    return found


def _single_indicators(rows: list[Row]) -> set[str]:
    """Indicators that alone measure a factor, and no other: their residual variance is 0."""
    loadings = [row for row in rows if row.op == "=~"]
    factors = [row.lhs for row in loadings]
    indicators = [row.rhs for row in loadings]
    return {r.rhs for r in loadings if factors.count(r.lhs) == 1 and indicators.count(r.rhs) == 1}


def _first_loadings(rows: list[Row]) -> set[tuple[str, str, str]]:
    first: dict[str, tuple[str, str, str]] = {}
    for row in rows:
        if row.op == "=~":
            first.setdefault(row.lhs, row.key)
    return set(first.values())


def _automatic(row: Row, names: Variables, *, std_lv: bool, single: set, first: set) -> Row:
    variance = row.op == "~~" and row.lhs == row.rhs
    if std_lv and variance and row.lhs in names.latent:
        return row.fixed(1.0)
    if not std_lv and row.key in first:
        return row.fixed(1.0)
    if row.user:
        return row
    if variance and row.lhs in single:
        return row.fixed(0.0)
    if row.op == "~1" and row.lhs in names.latent:
        return row.fixed(0.0)
    if row.lhs in names.covariates and row.op in ("~~", "~1"):
        return replace(row, free=False, exogenous=True)
    return row


def _without_means(rows: list[Row], upper: Sequence[str]) -> list[Row]:
    """Within clusters, what differs between them too has mean 0, and so have factors that it measures."""
    centred = {*upper, *(row.lhs for row in rows if row.op == "=~" and row.rhs in upper)}
    return [row.fixed(0.0) if row.op == "~1" and row.lhs in centred and not row.user else row for row in rows]


def _release(
    rows: list[Row], group_equal: Collection[str], *, std_lv: bool, ordinal: Ordinal | None
) -> list[Row]:
    """What equality over groups identifies after the first one: latent means and variances, item scales."""
    latent = {row.lhs for row in rows if row.op == "=~"}
    means = not {"intercepts", "thresholds"}.isdisjoint(group_equal) and "means" not in group_equal
    variances = std_lv and "loadings" in group_equal and "lv.variances" not in group_equal
    scales = ordinal is not None and "thresholds" in group_equal

    def released(row: Row) -> bool:
        if scales and row.lhs in ordinal.n_thresholds:
            return row.op == "~~" and row.lhs == row.rhs if ordinal.theta else row.op == "~*~"
        if row.user or row.lhs not in latent:
            return False
        return means if row.op == "~1" else row.op == "~~" and row.lhs == row.rhs and variances

    return [row.freed() if released(row) else row for row in rows]


def _modified(rows: list[Row], n_groups: int, *, own_blocks: bool) -> list[Row]:
    found, problems = [], []
    for row in rows:
        m = row.modifier
        values = {"fixed": m.fixed, "start": m.start, "label": m.label, "equal": m.equal}
        needed = 1 if own_blocks else n_groups
        for kind, given in values.items():
            if len(given) not in (0, 1, needed):
                shown = f"{row.lhs} {row.op} {row.rhs}".strip()
                message = f"{shown} has {len(given)} values in c() for {needed} groups"
                problems.append(Problem(file="model", row=row.line, message=message))
                values[kind] = ()
        at = 0 if own_blocks else row.group - 1
        mine = {kind: given[at if len(given) > 1 else 0] for kind, given in values.items() if given}
        if "fixed" in mine:
            row = row.freed() if np.isnan(mine["fixed"]) else row.fixed(mine["fixed"])
        if "start" in mine:
            row = replace(row, ustart=mine["start"])
        label = mine.get("label") or mine.get("equal", "").replace(" ", "")
        found.append(replace(row, label=label))
    if problems:
        raise DataError(problems=list(dict.fromkeys(problems)))
    return found


def _equalities(rows: list[Row], group_equal: Collection[str]) -> tuple[list[Row], np.ndarray]:
    """Rows with labels where parameters are equal, and each row's number among the free ones (0 if fixed)."""
    sets: dict[str, list[int]] = {}
    latent = {row.lhs for row in rows if row.op == "=~"}
    first_level = rows[0].level
    for i, row in enumerate(rows):
        name = "".join(row.key) + (f".l{row.level}" if row.level != first_level else "")
        if row.group > 1 and (row.exogenous or _kind(row, latent) not in group_equal):
            name += f".g{row.group}"
        sets.setdefault(row.label or name, []).append(i)
    rows = list(rows)
    leader = np.arange(len(rows))
    for members in sets.values():
        fixed = next((i for i in members if not rows[i].free and not rows[i].exogenous), None)
        for i in members if len(members) > 1 else ():
            leader[i] = members[0]
            if fixed is not None:
                rows[i] = rows[i].fixed(rows[fixed].ustart)
            elif not rows[i].label:
                rows[i] = replace(rows[i], label=f".p{members[0] + 1}.")
    is_free = np.array([row.free for row in rows], dtype=bool)
    numbers = np.zeros(len(rows), dtype=int)
    leads = is_free & (leader == np.arange(len(rows)))
    numbers[leads] = np.arange(1, leads.sum() + 1)
    numbers = np.where(is_free, numbers[leader], 0)
    return rows, numbers


def _kind(row: Row, latent: set[str]) -> str:
    """What `group_equal` calls this kind of parameter."""
    if row.op == "~1":
        return "means" if row.lhs in latent else "intercepts"
    if row.op == "~~":
        same = row.lhs == row.rhs
        if row.lhs in latent:
            return "lv.variances" if same else "lv.covariances"
        return "residuals" if same else "residual.covariances"
    return {"=~": "loadings", "~": "regressions", "|": "thresholds"}.get(row.op, "")
