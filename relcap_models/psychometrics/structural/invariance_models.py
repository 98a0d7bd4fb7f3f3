"""The models of measurement invariance, in lavaan's syntax.

Occasions are groups, waves, or each group at each wave; the first occasion is the first group at the first
wave. Ordinal items follow Wu & Estabrook: thresholds become equal first, which frees their intercepts and
residual variances after the first occasion; then loadings, which frees factor variances; then intercepts,
which frees factor means; then residual variances. Continuous items follow the same order without thresholds.

One threshold, of an item with two categories, identifies the intercept or the residual variance and not both:
the intercept is free until it is equal, and then the residual variance is.

Source: Wu & Estabrook (2016), Psychometrika 81, 1014-1045; Liu et al. (2017), Psychological Methods 22,
486-506.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from relcap_models.errors import DataError, Problem
from relcap_models.psychometrics.items import read_groups, read_items
from relcap_models.psychometrics.structural.missing_answers import PAIRWISE
from relcap_models.psychometrics.structural.ordinal_sample import category_text, is_ordered
from relcap_models.psychometrics.structural.sample import check_frame, refuse_repeated
from relcap_models.psychometrics.structural.syntax import Modifier, Term, parse

NAN = float("nan")
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Design:
    """What is compared.

    factors : items by factor. covariances : between residuals. thresholds : number by ordinal item.
    groups : their names, empty if there are none. columns : for each wave the column of each item, empty if
    there are no waves.
    """

    factors: dict[str, tuple[str, ...]]
    covariances: tuple[tuple[str, str], ...]
    thresholds: dict[str, int]
    groups: tuple[str, ...]
    columns: tuple[Mapping[str, str], ...]

    @property
    def items(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(i for part in self.factors.values() for i in part))

    @property
    def places(self) -> tuple[Mapping[str, str], ...]:
        """For each wave, or the one there is, the variable of each item and factor."""
        if not self.columns:
            return ({name: name for name in (*self.items, *self.factors)},)
        return tuple(
            {**columns, **{factor: f"{factor}.w{k}" for factor in self.factors}}
            for k, columns in enumerate(self.columns, start=1)
        )

    @property
    def binary(self) -> tuple[str, ...]:
        """Items with two categories."""
        return tuple(item for item, n in self.thresholds.items() if n == 1)


def read_design(
    syntax: str,
    data: pd.DataFrame,
    ordered: Sequence[str] | bool,
    group: str | Sequence | None,
    waves: Sequence[Mapping[str, str]] | None,
    missing: str,
) -> Design:
    """The design of a comparison. missing : `listwise`, `pairwise` or `fiml`.

    Raises
    ------
    DataError
        If the model has modifiers, `group` or `waves` cannot be used, or an item's categories differ.
    """
    if group is None and waves is None:
        raise DataError("Name `group`, `waves`, or both: there is nothing to compare")
    check_frame(data)
    terms = parse(syntax).terms
    check_plain(terms, "Name what shall stay free in `partial`")
    factors: dict[str, tuple[str, ...]] = {}
    for term in terms:
        if term.op == "=~":
            factors[term.lhs] = (*factors.get(term.lhs, ()), term.rhs)
    items = tuple(dict.fromkeys(i for part in factors.values() for i in part))
    covariances = tuple((t.lhs, t.rhs) for t in terms if t.op == "~~" and t.lhs in items and t.rhs in items)
    asked = items if ordered is True else (ordered,) if isinstance(ordered, str) else tuple(ordered or ())
    unknown = [name for name in asked if name not in items]
    if unknown:
        raise DataError(f"`ordered` names {', '.join(unknown)}, which the model does not measure")
    columns = () if waves is None else tuple(waves)
    if waves is not None:
        _check_waves(columns, items, data)
    places = columns or ({item: item for item in items},)
    absent = [place[item] for place in places for item in items if place[item] not in data.columns]
    if absent:
        raise DataError(f"The data have no column {', '.join(absent)}")
    used = list(dict.fromkeys(place[item] for place in places for item in items))
    refuse_repeated(data, used)
    numbers = [column for column in used if not is_ordered(data[column])]
    if numbers and len(data) > 1:
        read_items(data[numbers], constant=True)
    codes, groups = _groups(data, group)
    ordinal = [i for i in items if i in asked or any(is_ordered(data[place[i]]) for place in places)]
    thresholds = _thresholds(data, ordinal, items, columns, groups, codes, missing)
    return Design(factors, covariances, thresholds, groups, columns)


def _groups(data: pd.DataFrame, group: str | Sequence | None) -> tuple[np.ndarray, tuple[str, ...]]:
    if group is None:
        return np.zeros(len(data), dtype=int), ()
    column = data[group] if isinstance(group, str) and group in data.columns else group
    codes, names = read_groups(column, len(data)) if not isinstance(column, str) else (np.zeros(0), ())
    if len(names) < 2:
        raise DataError(f"`group` must be a column of the data, or values, with two groups: {group!r}")
    return codes, names


def check_plain(terms: Sequence[Term], remedy: str) -> None:
    """Raise a DataError if the model is more than loadings and residual covariances without modifiers."""
    latent = {t.lhs for t in terms if t.op == "=~"}
    problems = []
    for term in terms:
        mixed = (term.lhs in latent) != (term.rhs in latent) if term.op == "~~" else term.rhs in latent
        if term.modifier != Modifier() or term.op not in ("=~", "~~") or term.lhs == term.rhs or mixed:
            shown = f"{term.lhs} {term.op} {term.rhs}".strip()
            message = f"`{shown}` with its modifiers is not a plain loading or residual covariance"
            problems.append(Problem(file="model", row=term.line, message=message, remedy=remedy))
    if problems:
        raise DataError(problems=problems)


def _check_waves(columns: Sequence[Mapping[str, str]], items: Sequence[str], data: pd.DataFrame) -> None:
    if len(columns) < 2:
        raise DataError("`waves` needs two waves, each with the column of every item")
    problems = []
    for k, wave in enumerate(columns, start=1):
        for item in items:
            if wave.get(item) not in data.columns:
                said = f"wave {k} names no column of the data for item '{item}'"
                problems.append(Problem(file="waves", message=said, column=wave.get(item)))
    used = [wave[item] for wave in columns for item in items if item in wave]
    if not problems and len(set(used)) < len(used):
        twice = next(name for name in used if used.count(name) > 1)
        problems.append(Problem(file="waves", message="a column stands twice", column=twice))
    if problems:
        raise DataError(problems=problems)


def _thresholds(
    data: pd.DataFrame,
    ordinal: Sequence[str],
    items: Sequence[str],
    columns: Sequence[Mapping[str, str]],
    groups: Sequence[str],
    codes: np.ndarray,
    missing: str,
) -> dict[str, int]:
    """Number of thresholds by item, the same in all groups at all waves."""
    places = columns or ({item: item for item in items},)
    answered = data[[place[item] for place in places for item in items]].notna()
    usable = (answered.all(axis=1) if missing == "listwise" else answered.any(axis=1)).to_numpy()
    occasions = []
    for g in range(max(1, len(groups))):
        rows = usable & (codes == g)
        if ordinal and rows.sum() == 0:
            of = f" in group '{groups[g]}'" if groups else ""
            everything = f"Nobody{of} answered every item{' at every wave' if columns else ''}"
            raise DataError(f"{everything}, fewest {answered[codes == g].sum().idxmin()}: {PAIRWISE}")
        for k, place in enumerate(places, start=1):
            where = f" in group '{groups[g]}'" if groups else ""
            where += f" at wave {k}" if columns else ""
            occasions.append((rows, place, where))
    found, problems = {}, []
    for item in ordinal:
        seen = [set(data.loc[rows, place[item]].dropna().unique()) for rows, place, _ in occasions]
        every = sorted(set().union(*seen))
        for mine, (_, _, where) in zip(seen, occasions):
            if not mine:
                said, remedy = (
                    f"was answered by nobody{where}",
                    "Leave it, or those who did not answer it, out",
                )
                problems.append(Problem(file="items", column=item, message=said, remedy=remedy))
                continue
            lacking = [category_text(value) for value in every if value not in mine]
            if lacking:
                said = f"nobody{where} who can be used chose category {', '.join(lacking)}"
                alike = [
                    f"in all {name}" for name, there in (("groups", groups), ("waves", columns)) if there
                ]
                remedy = f"Collapse it with a neighbouring category, {' and '.join(alike)} alike"
                problems.append(Problem(file="items", column=item, message=said, remedy=remedy))
        if len(every) < 2:
            said = f"was answered {category_text(every[0])} by everybody who can be used"
            problems.append(Problem(file="items", column=item, message=said, remedy="Leave it out"))
        found[item] = len(every) - 1
    if problems:
        raise DataError(problems=problems)
    return found


def freed_parameters(partial: Sequence[str], design: Design) -> frozenset[Key]:
    """Parameters of `partial`; what it leaves must still tie the groups or waves together."""
    partial = (partial,) if isinstance(partial, str) else tuple(partial)
    if not partial:
        return frozenset()
    freed = {(t.lhs, t.op, t.rhs) for t in parse("\n".join(partial)).terms}
    known = {(f, "=~", i) for f, items in design.factors.items() for i in items}
    known |= {(i, "|", f"t{k}") for i, n in design.thresholds.items() for k in range(1, n + 1)}
    known |= {(i, "~1", "") for i in design.items} | {(i, "~~", i) for i in design.items}
    unknown = [" ".join(key).replace("~1", "~ 1").strip() for key in sorted(freed - known)]
    if unknown:
        raise DataError(
            f"`partial` names {', '.join(unknown)}, which the model does not have. It can free loadings "
            "(f =~ x), thresholds (x | t1), intercepts (x ~ 1) and residual variances (x ~~ x)"
        )
    for item, n in design.thresholds.items():
        equal = n - sum((item, "|", f"t{k}") in freed for k in range(1, n + 1))
        if equal < min(n, 2):
            raise DataError(
                f"`partial` leaves fewer than two equal thresholds of {item}: two identify its intercept and "
                "residual variance"
                if n > 1
                else f"`partial` frees the only threshold of {item}, which nothing else would tie together"
            )
    for factor, items in design.factors.items():
        for op, what in (("=~", "loading"), ("~1", "intercept")):
            keys = [(factor, "=~", i) if op == "=~" else (i, "~1", "") for i in items]
            if all(key in freed for key in keys):
                raise DataError(f"`partial` leaves no equal {what} of {factor}, which would identify it")
    return frozenset(freed)


def model_at(design: Design, active: Sequence[str], freed: frozenset[Key]) -> str:
    """The model at the last of the active levels, in lavaan's syntax.

    active : the levels up to it, whether fitted or not.
    """
    lines: list[str] = []

    def add(lhs: str, op: str, rhs: str, first: float, later: float, level: str = "") -> None:
        equal = level in active and (lhs, op, rhs) not in freed
        label = f"{lhs}.{ {'=~': 'l', '|': '', '~1': 'i', '~~': 'r'}[op] }{rhs}" if equal else ""
        lines.extend(_lines(design, (lhs, op, rhs), first, later, label))

    for factor, items in design.factors.items():
        for item in items:
            add(factor, "=~", item, NAN, NAN, "loadings")
        add(factor, "~~", factor, 1, NAN if "loadings" in active else 1)
        add(factor, "~1", "", 0, NAN if "intercepts" in active else 0)
    for item in design.items:
        if item not in design.thresholds:
            add(item, "~1", "", NAN, NAN, "intercepts")
            add(item, "~~", item, NAN, NAN, "residuals")
            continue
        for k in range(1, design.thresholds[item] + 1):
            add(item, "|", f"t{k}", NAN, NAN, "thresholds")
        common = "thresholds" in active
        mean_free = common and ("intercepts" not in active or (item, "~1", "") in freed)
        add(item, "~1", "", 0, NAN if mean_free else 0)
        spread_free = common and ("residuals" not in active or (item, "~~", item) in freed)
        spread_free &= item not in design.binary or not mean_free
        add(item, "~~", item, 1, NAN if spread_free else 1)
    for first, second in design.covariances:
        lines.extend(_lines(design, (first, "~~", second), NAN, NAN, ""))
    for one_wave, other in combinations(design.columns, 2):
        lines += [f"{one_wave[item]} ~~ {other[item]}" for item in design.items]
    return "\n".join(lines)


def _lines(design: Design, key: Key, first: float, later: float, label: str) -> list[str]:
    """A line for each wave. first, later : value on the first occasion and on all others, NaN if free."""
    lhs, op, rhs = key
    n_groups = max(1, len(design.groups))
    found = []
    for k, names in enumerate(design.places):
        values = [later] * n_groups
        if k == 0:
            values[0] = first
        shown = _by_group(["NA" if np.isnan(value) else f"{value:g}" for value in values])
        labels = _by_group([label] * n_groups) if label else ""
        found.append(_line(names[lhs], op, names.get(rhs, rhs), shown, labels))
    return found


def _by_group(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"c({', '.join(values)})"


def _line(lhs: str, op: str, rhs: str, value: str, label: str) -> str:
    sign, variable = ("~", "1") if op == "~1" else (op, rhs)
    return f"{lhs} {sign} {value}*{variable}" + (f" + {label}*{variable}" if label else "")
