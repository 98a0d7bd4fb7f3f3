"""What stands in every row of the responses: wave, respondent, rater unit, target unit, task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.data.contract import check_known, check_units, check_waves
from relcap_models.data.findings import MOST_OF_A_KIND, Findings, unknown_id_remedy
from relcap_models.data.table import Column, Table


@dataclass(frozen=True)
class Known:
    """The ids that responses may refer to, numbered. `respondents` is None if there is no such table."""

    waves: Mapping[str, int]
    units: Mapping[str, int]
    units_file: str
    respondents: Mapping[str, int] | None
    respondents_file: str


@dataclass(frozen=True)
class RowIds:
    """(row,) numbers of the ids of each row, -1 where blank or unknown. Respondents are in sorted order."""

    wave: np.ndarray
    respondent: np.ndarray
    rater: np.ndarray
    target: np.ndarray
    task: np.ndarray | None
    respondents: tuple[str, ...]
    tasks: tuple[str, ...]


def row_ids(table: Table, known: Known, findings: Findings) -> RowIds:
    """Number the ids of each row; ids that are not known are findings."""
    wave = check_waves(table, "wave", known.waves, findings)
    if known.respondents is not None:
        remedy = unknown_id_remedy(known.respondents, add_to=known.respondents_file)
        message = f"this respondent is not in {known.respondents_file}"
        check_known(table, "respondent_id", known.respondents, message, remedy, findings)
    rater, target = (
        check_units(table, column, known.units, known.units_file, findings)
        for column in ("rater_unit", "target_unit")
    )
    respondent, respondents = _sorted_codes(table.columns["respondent_id"])
    task, tasks = _sorted_codes(table.columns["task"]) if "task" in table.columns else (None, ())
    return RowIds(wave, respondent, rater, target, task, respondents, tasks)


def _sorted_codes(column: Column) -> tuple[np.ndarray, tuple[str, ...]]:
    ordered = tuple(sorted(column.texts))
    return column.matched({text: i for i, text in enumerate(ordered)}), ordered


def check_one_unit_per_respondent(table: Table, ids: RowIds, findings: Findings) -> None:
    """Within one wave each respondent belongs to one unit."""
    usable = np.flatnonzero((ids.wave >= 0) & (ids.respondent >= 0) & (ids.rater >= 0))
    person_wave = ids.wave[usable].astype(np.int64) * (len(ids.respondents) + 1) + ids.respondent[usable]
    if len(usable) == 0:
        return
    if person_wave.max() > 20 * len(usable) + 1_000_000:
        person_wave = pd.factorize(person_wave)[0]
    first = np.full(person_wave.max() + 1, -1, dtype=np.int64)
    # Of repeated positions NumPy keeps the last assigned: backwards, that is the first row.
    first[person_wave[::-1]] = usable[::-1]
    unit_first = ids.rater[first[person_wave]]
    moved = np.flatnonzero(ids.rater[usable] != unit_first)
    if len(moved) == 0:
        return
    rows, firsts = usable[moved], first[person_wave[moved]]
    people, units = table.columns["respondent_id"], table.columns["rater_unit"]
    shown = firsts[:MOST_OF_A_KIND]
    findings.add_rows(
        table,
        rows,
        "the respondent belongs to another unit elsewhere in this wave",
        [
            f"In row {line} '{people.at(start)}' is in '{units.at(start)}'. Give one unit per person and wave"
            for start, line in zip(shown, table.line(shown))
        ],
        column="rater_unit",
    )
