"""lavaan's model syntax, read: formulas with their modifiers, constraints and defined parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace

import numpy as np

from relcap_models.errors import DataError, Problem
from relcap_models.psychometrics.sem.expressions import evaluate

OPERATORS = re.compile(r"=~|<~|~\*~|~~|~|==|:=|<|>|\||:")
NAME = re.compile(r"[A-Za-z.][\w.]*\Z")
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\Z")
QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
THRESHOLD = re.compile(r"t[1-9]\d*\Z")
MEASURES = frozenset({"=~", "~", "~~", "|", "~*~"})


@dataclass(frozen=True)
class Modifier:
    """What stands before a variable. Each entry is by group, or one for all; empty where nothing is said.

    fixed : numbers, NaN for `NA` (free). start : numbers. label : names. equal : the parameter
    meant, as text.
    """

    fixed: tuple[float, ...] = ()
    start: tuple[float, ...] = ()
    label: tuple[str, ...] = ()
    equal: tuple[str, ...] = ()


@dataclass(frozen=True)
class Term:
    """One parameter that the model names: `lhs op rhs`, `rhs` empty for an intercept (`op` is `~1`)."""

    lhs: str
    op: str
    rhs: str
    line: int
    modifier: Modifier = field(default_factory=Modifier)
    group: str = ""
    level: str = ""


@dataclass(frozen=True)
class Relation:
    """A constraint (`==`) or a defined parameter (`:=`) between labels; the sides are arithmetic as text."""

    lhs: str
    op: str
    rhs: str
    line: int


@dataclass(frozen=True)
class Syntax:
    """A model as it was written. groups and levels : names of its blocks, empty if it has none."""

    terms: tuple[Term, ...]
    relations: tuple[Relation, ...]
    groups: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()


def parse(text: str) -> Syntax:
    """Read a model in lavaan's syntax.

    Raises
    ------
    DataError
        Naming every line that cannot be read.

    Source: Rosseel (2012), Journal of Statistical Software 48(2), section 3.
    """
    terms: list[Term] = []
    relations: list[Relation] = []
    problems: list[Problem] = []
    block = {"group": "", "level": ""}
    seen: dict[str, list[str]] = {"group": [], "level": []}
    for line, formula in _formulas(text):
        try:
            lhs, op, rhs = _split(formula)
            if op == ":":
                kind = lhs.lower()
                if kind not in block or not rhs:
                    raise ValueError(f"a block begins with `group: NAME` or `level: NAME`, not '{formula}'")
                block[kind] = QUOTED.sub(lambda m: m[0][1:-1], rhs)
                if block[kind] not in seen[kind]:
                    seen[kind].append(block[kind])
            elif op in ("==", ":="):
                relations.append(Relation(_bare(lhs), op, _bare(rhs), line))
            elif op in MEASURES:
                terms += _terms(lhs, op, rhs, line, block["group"], block["level"])
            else:
                raise ValueError(f"the operator {op} cannot be used")
        except ValueError as error:
            problems.append(_problem(line, str(error)))
    problems += _duplicates(terms)
    if problems:
        raise DataError(problems=problems)
    if not terms:
        raise DataError("The model is empty: write lines such as `factor =~ item1 + item2 + item3`")
    return Syntax(tuple(terms), tuple(relations), tuple(seen["group"]), tuple(seen["level"]))


def _problem(line: int, message: str) -> Problem:
    return Problem(file="model", row=line, message=message)


def _formulas(text: str) -> list[tuple[int, str]]:
    """(line, formula) with comments and blanks gone, and formulas over several lines put together."""
    found: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        bare = re.split(r"[#!]", line, maxsplit=1)[0].replace("˜", "~")
        for piece in bare.split(";"):
            kept = re.sub(r"\s+", "", piece) if not QUOTED.search(piece) else _squeeze(piece)
            if not kept:
                continue
            if OPERATORS.search(QUOTED.sub("q", kept)) or not found:
                found.append((number, kept))
            else:
                found[-1] = (found[-1][0], found[-1][1] + kept)
    return found


def _squeeze(piece: str) -> str:
    parts = re.split(f"({QUOTED.pattern})", piece)
    return "".join(part if QUOTED.fullmatch(part) else re.sub(r"\s+", "", part) for part in parts)


def _split(formula: str) -> tuple[str, str, str]:
    masked = QUOTED.sub(lambda m: "q" * len(m[0]), formula)
    # An interaction's or block's colon counts only where no other operator stands.
    for pattern in (r"=~|<~|~\*~|~~|~|==|:=|<|>|\|", ":"):
        found = re.search(pattern, masked)
        if found:
            return formula[: found.start()], found[0], formula[found.end() :].removeprefix("+")
    raise ValueError(f"'{formula}' has no operator such as =~ or ~")


def _bare(text: str) -> str:
    return text.replace('"', "").replace("'", "")


def _terms(lhs: str, op: str, rhs: str, line: int, group: str, level: str) -> list[Term]:
    if not lhs:
        raise ValueError(f"nothing stands before {op}")
    if not rhs:
        raise ValueError(f"nothing stands after {lhs} {op}")
    found = []
    for left in _pieces(lhs, "+"):
        name = left.rsplit("*", 1)[-1]
        _check_name(name)
        for right in _pieces(rhs, "+"):
            variable, modifier = _read_term(right, op)
            if op in ("=~", "~") and variable == name:
                raise ValueError(f"{name} cannot stand on both sides of {op}")
            if op == "|" and not THRESHOLD.match(variable):
                raise ValueError(f"thresholds are named t1, t2, …, and not '{variable}'")
            if op == "~*~" and variable != name:
                raise ValueError(f"the scale of {name} is written `{name} ~*~ {name}`")
            key = (name, "~1", "") if op == "~" and variable == "" else (name, op, variable)
            found.append(Term(*key, line, modifier, group, level))
    return _merged(found)


def _merged(terms: list[Term]) -> list[Term]:
    """`f =~ NA*x + a*x` is one term with two modifiers."""
    found: dict[tuple[str, str, str], Term] = {}
    for term in terms:
        key = (term.lhs, term.op, term.rhs)
        if key not in found:
            found[key] = term
            continue
        first, more = found[key].modifier, term.modifier
        parts = {
            field.name: (getattr(first, field.name), getattr(more, field.name)) for field in fields(Modifier)
        }
        if any(all(pair) for pair in parts.values()) or more == Modifier():
            raise ValueError(f"{' '.join(key).strip()} stands twice")
        found[key] = replace(term, modifier=Modifier(**{name: a or b for name, (a, b) in parts.items()}))
    return list(found.values())


def _pieces(text: str, separator: str) -> list[str]:
    """Split where the separator stands outside brackets and quotes."""
    pieces, depth, quote, start = [], 0, "", 0
    for at, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
        elif sign == separator and depth == 0 and not _in_exponent(text, at):
            pieces.append(text[start:at])
            start = at + 1
    pieces.append(text[start:])
    if depth:
        raise ValueError(f"a bracket is not closed in '{text}'")
    if any(not piece for piece in pieces):
        raise ValueError(f"something is missing beside a {separator} in '{text}'")
    return pieces


def _in_exponent(text: str, at: int) -> bool:
    return bool(re.search(r"(^|[^\w.])\d+\.?\d*[eE]$", text[:at]))


def _read_term(text: str, op: str) -> tuple[str, Modifier]:
    """Variable and modifier of one term; the variable is empty for an intercept."""
    *modifiers, last = _pieces(re.sub(r"^\(?(-?[\d.]+)\)?\?", r"start(\1)*", text), "*")
    parts: dict[str, tuple] = {}
    for modifier in modifiers:
        kind, values = _modifier(modifier)
        parts[kind] = values
    if op == "~" and last in ("1", "0"):
        if last == "0" and not modifiers:
            parts["fixed"] = (0.0,)
        return "", Modifier(**parts)
    _check_name(last)
    return last, Modifier(**parts)


def _check_name(name: str) -> None:
    if ":" in name:
        raise ValueError(f"'{name}' is a product: make it a column of the data and name that")
    if not NAME.match(name):
        raise ValueError(f"'{name}' is no name of a variable")


CALL = re.compile(r"(c|start|label|equal|rep)\((.*)\)\Z")


def _modifier(text: str) -> tuple[str, tuple]:
    call = CALL.match(text)
    if call and call[1] in ("start", "label", "equal"):
        inner = CALL.match(call[2])
        values = _pieces(inner[2], ",") if inner and inner[1] == "c" else [call[2]]
        if call[1] == "start":
            return "start", tuple(_number(value) for value in values)
        return call[1], tuple(_bare(value) for value in values)
    values = _pieces(call[2], ",") if call and call[1] == "c" else [text]
    if all(value == "NA" or _is_number(value) for value in values):
        return "fixed", tuple(_number(value) for value in values)
    names = tuple("" if value == "NA" else _bare(value) for value in values)
    for name in names:
        if name and not NAME.match(name):
            raise ValueError(f"'{text}' cannot be read as a number, a label, NA, start(), equal() or c()")
    return "label", names


def _is_number(text: str) -> bool:
    try:
        _number(text)
    except ValueError:
        return False
    return True


def _number(text: str) -> float:
    if text == "NA":
        return np.nan
    if NUMBER.match(text):
        return float(text)
    try:
        value = float(evaluate(text, {}))
    except DataError:
        raise ValueError(f"'{text}' is no number") from None
    if not np.isfinite(value):
        raise ValueError(f"'{text}' is no number")
    return value


def _duplicates(terms: list[Term]) -> list[Problem]:
    """A parameter that the model names twice within one block."""
    seen: dict[tuple, int] = {}
    problems = []
    for term in terms:
        pair = frozenset((term.lhs, term.rhs)) if term.op == "~~" else (term.lhs, term.rhs)
        key = (term.op, pair, term.group, term.level)
        if key in seen:
            shown = f"{term.lhs} {term.op} {term.rhs}".strip()
            problems.append(_problem(term.line, f"{shown} stands in line {seen[key]} already"))
        seen.setdefault(key, term.line)
    return problems
