"""Which rows of which result tables publish which row of `Cells`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from relcap_models.errors import DataError, Problem
from relcap_models.report.disclosure.cells import OVERALL, Key
from relcap_models.schema.instrument import Instrument

IDS = {
    "relation_scores": ("analysis", "wave", "rater_unit", "target_unit", "dimension", "asynchronous"),
    "unit_scores": ("analysis", "wave", "unit", "role", "dimension"),
    "perception_gaps": ("analysis", "wave", "unit_a", "unit_b", "dimension"),
    "changes": (
        "analysis",
        "level",
        "role",
        "rater_unit",
        "target_unit",
        "dimension",
        "wave_from",
        "wave_to",
    ),
    "item_profiles": ("analysis", "wave", "rater_unit", "target_unit", "item", "dimension"),
    "item_distributions": ("analysis", "item", "dimension", "category"),
}
"""Columns that stay in a suppressed row: what it is about, and what the nominations say. The rest is
figures."""

COUNTS = (
    "n_respondents",
    "n_ratings",
    "n_respondents_a",
    "n_respondents_b",
    "n_ratings_a",
    "n_ratings_b",
    "n_respondents_from",
    "n_respondents_to",
)

DISTRIBUTION = ("favourable_mean", "favourable_lower", "favourable_upper", "naive_favourable")

ORGANISATION = {
    "variance_shares": ("analysis", "dimension", "component", "quantity"),
    "reliability": ("analysis", "dimension", "comparison", "scale", "quantity", "n_respondents"),
    "item_parameters": ("analysis", "item", "dimension", "parameter"),
}
"""Tables about a whole analysis without rows of units, and the columns that stay in a hidden row: what it is
about."""

UNCONTROLLED = ("checks", "intake", "agreement", "effect_agreement", "predictive_fit")

_ROLES = {"seen_by_others": "seen_by", "as_rater": "as_rater", "within_unit": "within", "own_staff": "within"}

Place = tuple[str, Key]
"""(wave, row)."""


def row_places(
    name: str, table: pd.DataFrame, instruments: Mapping[str, Instrument]
) -> Iterator[tuple[Place, ...]]:
    """For each row of a table, the rows of `Cells` that it shows or is the difference of.

    Parameters
    ----------
    instruments : by analysis. An organisation's change is about relations or own units, as its instrument is.
    """
    reader = {
        "relation_scores": _of_relation,
        "unit_scores": _of_unit,
        "perception_gaps": _of_gap,
        "changes": _of_change,
        "item_profiles": _of_item,
    }[name]
    columns = [column for column in IDS[name] if column in table.columns]
    for values in table[columns].astype(object).itertuples(index=False, name=None):
        row = {c: "" if pd.isna(v) else str(v) for c, v in zip(columns, values, strict=True)}
        if row.get("level") == "organisation":
            kind = "total" if instruments[row["analysis"]].about_targets else "total_within"
            key = (kind, "", "", row["dimension"])
            yield (row["wave_from"], key), (row["wave_to"], key)
        else:
            yield reader(row)


def _pair(kind: str, rater: str, target: str, column: str) -> Key:
    return ("within" if kind == "relation" and rater == target else kind, rater, target, column)


def _of_relation(row: Mapping[str, str]) -> tuple[Place, ...]:
    return ((row["wave"], _pair("relation", row["rater_unit"], row["target_unit"], row["dimension"])),)


def _of_item(row: Mapping[str, str]) -> tuple[Place, ...]:
    rater, target = row["rater_unit"] or row["target_unit"], row["target_unit"] or row["rater_unit"]
    return ((row["wave"], ("item", rater, target, row["item"])),)


def _unit_key(role: str, unit: str, dimension: str) -> Key:
    kind = _ROLES[role]
    rater = unit if kind in ("as_rater", "within") else ""
    target = unit if kind in ("seen_by", "within") else ""
    return (kind, rater, target, dimension)


def _of_unit(row: Mapping[str, str]) -> tuple[Place, ...]:
    return ((row["wave"], _unit_key(row["role"], row["unit"], row["dimension"])),)


def _of_gap(row: Mapping[str, str]) -> tuple[Place, ...]:
    a, b = row["unit_a"], row["unit_b"]
    return tuple((row["wave"], ("relation", *ends, row["dimension"])) for ends in ((a, b), (b, a)))


def _of_change(row: Mapping[str, str]) -> tuple[Place, ...]:
    rater, target, dimension, role = (row[c] for c in ("rater_unit", "target_unit", "dimension", "role"))
    if row["level"] == "relation":
        key = _pair("relation", rater, target, dimension)
    else:
        key = _unit_key(role, target or rater, dimension)
    return ((row["wave_from"], key), (row["wave_to"], key))


def instrument_of_analyses(
    tables: Mapping[str, pd.DataFrame], instruments: Mapping[str, Instrument]
) -> dict[str, Instrument]:
    """The instrument that each analysis is about, told by the dimensions and items of its rows.

    Raises
    ------
    DataError
        If the rows of an analysis fit no instrument of the study, or several.
    """
    dimensions: dict[str, set[str]] = {}
    items: dict[str, set[str]] = {}
    for name in (*IDS, "item_parameters"):
        table = tables.get(name)
        if table is None:
            continue
        for column, found in (("dimension", dimensions), ("item", items)):
            for analysis, part in (
                table.groupby(table["analysis"].astype(str))[column] if column in table else ()
            ):
                found.setdefault(analysis, set()).update(part.dropna().astype(str))
    result, problems = {}, []
    for analysis in sorted(dimensions.keys() | items.keys()):
        used = dimensions.get(analysis, set()) - {OVERALL, ""}
        asked = items.get(analysis, set()) - {""}
        fitting = [
            instrument
            for instrument in instruments.values()
            if used <= set(instrument.dimension_ids) and asked <= set(instrument.item_ids)
        ]
        if len(fitting) == 1:
            result[analysis] = fitting[0]
        else:
            names = ", ".join(instrument.id for instrument in fitting) or "none"
            problems.append(
                Problem(
                    file="result tables",
                    message=f"the dimensions and items of analysis '{analysis}' must fit one instrument"
                    f" of the study, and fit: {names}",
                    remedy="Name dimensions and items differently in each instrument",
                )
            )
    if problems:
        raise DataError(problems=problems)
    return result
