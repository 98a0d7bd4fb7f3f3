"""The models of measurement invariance, in lavaan's syntax.

Ordinal items follow Wu & Estabrook: thresholds become equal first, which frees their intercepts and residual
variances after the first group or wave; then loadings, which frees factor variances; then intercepts, which
frees factor means; then residual variances. Continuous items follow the same order without thresholds.

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
from relcap_models.psychometrics.items import read_groups
from relcap_models.psychometrics.structural.syntax import Modifier, Term, parse

NAN = float("nan")
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Design:
    """What is compared.

    factors : items by factor. covariances : between residuals. thresholds : number by ordinal item.
    occasions : groups or waves. columns : for each wave the column of each item, empty for groups.
    """

    factors: dict[str, tuple[str, ...]]
    covariances: tuple[tuple[str, str], ...]
    thresholds: dict[str, int]
    occasions: tuple[str, ...]
    columns: tuple[Mapping[str, str], ...]

    @property
    def items(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(i for part in self.factors.values() for i in part))


def read_design(
    syntax: str,
    data: pd.DataFrame,
    ordered: Sequence[str] | bool,
    group: str | Sequence | None,
    waves: Sequence[Mapping[str, str]] | None,
) -> Design:
    """The design of a comparison.

    Raises
    ------
    DataError
        If the model has modifiers, `group` or `waves` cannot be used, or an item's categories differ.
    """
    if (group is None) == (waves is None):
        raise DataError("Name either `group` or `waves`")
    terms = parse(syntax).terms
    check_plain(terms, "Name what shall stay free in `partial`")
    factors: dict[str, tuple[str, ...]] = {}
    for term in terms:
        if term.op == "=~":
            factors[term.lhs] = (*factors.get(term.lhs, ()), term.rhs)
    items = tuple(dict.fromkeys(i for part in factors.values() for i in part))
    covariances = tuple((t.lhs, t.rhs) for t in terms if t.op == "~~" and t.lhs in items and t.rhs in items)
    ordinal = items if ordered is True else (ordered,) if isinstance(ordered, str) else tuple(ordered or ())
    unknown = [name for name in ordinal if name not in items]
    if unknown:
        raise DataError(f"`ordered` names {', '.join(unknown)}, which the model does not measure")
    if waves is None:
        column = data[group] if isinstance(group, str) and group in data.columns else group
        occasions = read_groups(column, len(data))[1] if not isinstance(column, str) else ()
        columns: tuple[Mapping[str, str], ...] = ()
        if len(occasions) < 2:
            raise DataError(f"`group` must be a column of the data, or values, with two groups: {group!r}")
    else:
        columns = tuple(waves)
        occasions = tuple(f"w{k}" for k in range(1, len(columns) + 1))
        _check_waves(columns, items, data)
    thresholds = _thresholds(data, ordinal, items, columns)
    return Design(factors, covariances, thresholds, occasions, columns)


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
) -> dict[str, int]:
    """Number of thresholds by item, the same at all waves."""
    places = columns or ({item: item for item in items},)
    names = [place[item] for place in places for item in items]
    absent = [name for name in names if name not in data.columns]
    if absent:
        raise DataError(f"The data have no column {', '.join(absent)}")
    answered = data[names].dropna()
    found, problems = {}, []
    for item in ordinal:
        seen = [tuple(sorted(answered[place[item]].unique())) for place in places]
        every = sorted(set().union(*seen))
        for k, mine in enumerate(seen, start=1):
            lacking = [str(value) for value in every if value not in mine]
            if lacking:
                said = f"nobody at wave {k} who can be used chose category {', '.join(lacking)}"
                remedy = "Collapse it with a neighbouring category, at all waves alike"
                problems.append(Problem(file="items", column=item, message=said, remedy=remedy))
        if len(every) < 3:
            said = "has two categories, with which thresholds, loadings and intercepts cannot be told apart"
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
        if n - sum((item, "|", f"t{k}") in freed for k in range(1, n + 1)) < 2:
            raise DataError(
                f"`partial` leaves fewer than two equal thresholds of {item}: two identify its intercept and "
                "residual variance"
            )
    for factor, items in design.factors.items():
        for op, what in (("=~", "loading"), ("~1", "intercept")):
            keys = [(factor, "=~", i) if op == "=~" else (i, "~1", "") for i in items]
            if all(key in freed for key in keys):
                raise DataError(f"`partial` leaves no equal {what} of {factor}, which would identify it")
    return frozenset(freed)


def model_at(design: Design, active: Sequence[str], freed: frozenset[Key]) -> str:
    """The model at the last of the active levels, in lavaan's syntax."""
    later = len(design.occasions) - 1
    free, zero, one = (NAN,) * (later + 1), (0.0,) * (later + 1), (1.0,) * (later + 1)
    zero_first, one_first = (0.0, *(NAN,) * later), (1.0, *(NAN,) * later)
    lines: list[str] = []

    def add(lhs: str, op: str, rhs: str, values: tuple[float, ...], level: str = "") -> None:
        equal = level in active and (lhs, op, rhs) not in freed
        label = f"{lhs}.{ {'=~': 'l', '|': '', '~1': 'i', '~~': 'r'}[op] }{rhs}" if equal else ""
        lines.extend(_lines(design, (lhs, op, rhs), values, label))

    for factor, items in design.factors.items():
        for item in items:
            add(factor, "=~", item, free, "loadings")
        add(factor, "~~", factor, one_first if "loadings" in active else one)
        add(factor, "~1", "", zero_first if "intercepts" in active else zero)
    for item in design.items:
        if item not in design.thresholds:
            add(item, "~1", "", free, "intercepts")
            add(item, "~~", item, free, "residuals")
            continue
        for k in range(1, design.thresholds[item] + 1):
            add(item, "|", f"t{k}", free, "thresholds")
        common = "thresholds" in active
        mean_free = common and ("intercepts" not in active or (item, "~1", "") in freed)
        add(item, "~1", "", zero_first if mean_free else zero)
        spread_free = common and ("residuals" not in active or (item, "~~", item) in freed)
        add(item, "~~", item, one_first if spread_free else one)
    for first, second in design.covariances:
        lines.extend(_lines(design, (first, "~~", second), free, ""))
    for one_wave, other in combinations(design.columns, 2):
        lines += [f"{one_wave[item]} ~~ {other[item]}" for item in design.items]
    return "\n".join(lines)


def _lines(design: Design, key: Key, values: Sequence[float], label: str) -> list[str]:
    """One line for all groups, or one for each wave."""
    shown = ["NA" if np.isnan(value) else f"{value:g}" for value in values]
    if not design.columns:
        lhs, op, rhs = key
        labels = f"c({', '.join([label] * len(values))})"
        return [_line(lhs, op, rhs, f"c({', '.join(shown)})", labels if label else "")]
    found = []
    for wave, columns, value in zip(design.occasions, design.columns, shown):
        names = {**columns, **{factor: f"{factor}.{wave}" for factor in design.factors}}
        lhs, op, rhs = key
        found.append(_line(names[lhs], op, names.get(rhs, rhs), value, label))
    return found


def _line(lhs: str, op: str, rhs: str, value: str, label: str) -> str:
    sign, variable = ("~", "1") if op == "~1" else (op, rhs)
    return f"{lhs} {sign} {value}*{variable}" + (f" + {label}*{variable}" if label else "")
