"""The responses table: every row and cell checked, then one frame of answers and one of "don't know"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.data.cells import (
    Cells,
    instrument_of_row,
    is_wide,
    long_cells,
    required_columns,
    text_columns,
    wide_cells,
)
from relcap_models.data.contract import check_columns, check_filled, check_one_line, note_attribute
from relcap_models.data.findings import Findings
from relcap_models.data.items import ANSWER, DONT_KNOW, MISSING, NOT_UNDERSTOOD, Items, kinds_of_texts
from relcap_models.data.numerals import read_numerals
from relcap_models.data.rows import Known, RowIds, check_one_unit_per_respondent, row_ids
from relcap_models.data.table import Column, Table
from relcap_models.language import Message
from relcap_models.schema.tables import table_contract


@dataclass(frozen=True)
class Responses:
    """What became of the responses table; `counts` has a row per instrument (read, answers, dont_know …)."""

    answers: pd.DataFrame
    dont_know: pd.DataFrame
    counts: pd.DataFrame


def read_responses(table: Table, items: Items, known: Known, findings: Findings) -> Responses | None:
    """Check the responses. None where the findings leave nothing to build."""
    required = required_columns(table, items)
    check_columns(table, required, findings)
    if any(name not in table.columns for name in required):
        return None
    ids_given = list(dict.fromkeys(name for name in (*required, "instrument") if name != "value"))
    check_filled(table, ids_given, findings)
    check_one_line(table, ids_given, findings)
    ids = row_ids(table, known, findings)
    instrument = instrument_of_row(table, items, findings)
    if is_wide(table, items):
        cells = wide_cells(table, items, instrument, findings)
    else:
        cells = long_cells(table, items, instrument, findings)
    check_one_unit_per_respondent(table, ids, findings)
    _check_own_unit(table, items, ids, cells, findings)
    numbers, kinds = _check_values(table, items, cells, findings)
    order = _order_and_check_repeats(table, items, ids, cells, findings)
    counts = _counts(items, cells, kinds)
    if not findings.problems and counts["answers"].sum() == 0:
        findings.add(table.file, "there is not a single answer", "Are the values in the column `value`?")
    if findings.problems:
        return None
    cells = Cells(
        cells.row[order], cells.item[order], cells.text[order], cells.texts, cells.columns, cells.blank
    )
    kinds = kinds[order]
    attributes = text_columns(table, items)
    absent = [name for name in table_contract("responses").names if name not in table.columns]
    for name in attributes:
        note_attribute(table.file, name, absent, findings)
    build = _FrameBuilder(items, ids, known, attributes)
    is_answer = np.flatnonzero(kinds == ANSWER)
    answers = build.frame(cells.row[is_answer], cells.item[is_answer], numbers[cells.text[is_answer]])
    is_dont_know = np.flatnonzero(kinds == DONT_KNOW)
    return Responses(answers, build.frame(cells.row[is_dont_know], cells.item[is_dont_know], None), counts)


def _check_own_unit(table: Table, items: Items, ids: RowIds, cells: Cells, findings: Findings) -> None:
    """Instruments about the own team or leaders: the target is the rater's own unit."""
    if not items.own_unit.any():
        return
    elsewhere = (ids.rater != ids.target) & (ids.rater >= 0) & (ids.target >= 0)
    instrument = items.instrument_of[cells.item]
    for k in np.flatnonzero(items.own_unit):
        rows = np.unique(cells.row[(instrument == k) & elsewhere[cells.row]])
        findings.add_rows(
            table,
            rows,
            f"{items.instrument_ids[k]} is about the respondent's own unit, but another is rated",
            "Make target_unit the same as rater_unit in these rows, or correct the instrument",
            column="target_unit",
        )


def _check_values(
    table: Table, items: Items, cells: Cells, findings: Findings
) -> tuple[np.ndarray, np.ndarray]:
    """(text,) the texts as numbers, and (cell,) what each cell is."""
    numerals = read_numerals(cells.texts, separator=table.separator)
    kinds_of = kinds_of_texts(items, cells.texts, numerals.values)
    instrument = items.instrument_of[cells.item]
    kinds = kinds_of[instrument, cells.text].astype(np.int8)
    is_answer = kinds == ANSWER
    value = numerals.values[cells.text]
    doubtful = is_answer & numerals.ambiguous[cells.text]
    outside = (
        is_answer & ~doubtful & ((value < items.minimum[cells.item]) | (value > items.maximum[cells.item]))
    )
    between = is_answer & ~doubtful & ~outside & (value != np.round(value))
    report = _CellReporter(table, items, cells, findings)
    for k, name in enumerate(items.instrument_ids):
        report(
            np.flatnonzero((kinds == NOT_UNDERSTOOD) & (instrument == k)),
            f"neither a number nor a code of {name}",
            "Correct it, or declare it under `dont_know` or `missing` of the instrument",
        )
    report(
        np.flatnonzero(doubtful),
        "this number can be read in two ways: the sign stands for decimals or for thousands",
        "Write it without signs between thousands, decimals with a point",
    )
    for low, high in sorted(set(zip(items.minimum.tolist(), items.maximum.tolist()))):
        of_scale = (items.minimum == low) & (items.maximum == high)
        scale = f"{low:g} to {high:g}"
        report(
            np.flatnonzero(outside & of_scale[cells.item]),
            f"outside the response scale {scale}",
            "Correct it, or correct `scale` (or the codes) of the instrument",
        )
        report(
            np.flatnonzero(between & of_scale[cells.item]),
            f"between two answers of the response scale {scale} (whole numbers)",
            "Decide how to round it, and write whole numbers",
        )
    if numerals.decimal_comma:
        findings.note(Message("intake.decimal_commas_in_answers", file=table.file))
    return numerals.values, kinds


@dataclass(frozen=True)
class _CellReporter:
    """Reports cells by the row and column that they stand in."""

    table: Table
    items: Items
    cells: Cells
    findings: Findings

    def __call__(self, found: np.ndarray, message: str, remedy: str) -> None:
        if len(found) == 0:
            return
        columns = np.array([self.cells.columns.get(i, "") for i in range(len(self.items.ids))])
        column_of = columns[self.cells.item[found]]
        for column in dict.fromkeys(column_of.tolist()):
            of_column = found[column_of == column]
            values = (self.cells.texts[text] for text in self.cells.text[of_column])
            self.findings.add_rows(
                self.table, self.cells.row[of_column], message, remedy, column=column, values=values
            )


def _order_and_check_repeats(
    table: Table, items: Items, ids: RowIds, cells: Cells, findings: Findings
) -> np.ndarray:
    """(cell,) order by wave, respondent, target, task and item; two answers to the same are findings."""
    row = cells.row
    radix = [
        (ids.wave[row], int(ids.wave.max(initial=0)) + 2),
        (ids.respondent[row], len(ids.respondents) + 1),
        (ids.target[row], int(ids.target.max(initial=0)) + 2),
        *([] if ids.task is None else [(ids.task[row], len(ids.tasks) + 1)]),
        (cells.item, len(items.ids) + 1),
    ]
    key = np.zeros(len(row), dtype=np.int64)
    size = 1
    for numbers, n in radix:
        if size > (2**62) // n:
            key = np.unique(key, return_inverse=True)[1].astype(np.int64)
            size = len(key) + 1
        key *= n
        key += numbers
        key += 1
        size *= n
    order = np.argsort(key, kind="stable")
    again = np.flatnonzero(key[order[1:]] == key[order[:-1]]) + 1
    if len(again) == 0:
        return order
    found = np.sort(order[again])
    complete = (ids.wave[row[found]] >= 0) & (ids.respondent[row[found]] >= 0) & (ids.target[row[found]] >= 0)
    _CellReporter(table, items, cells, findings)(
        found[complete],
        "this respondent has already answered this item about this target in this wave",
        "Keep one of the answers"
        + ("" if ids.task is not None else " (for several tasks, add the column `task`)"),
    )
    return order


def _counts(items: Items, cells: Cells, kinds: np.ndarray) -> pd.DataFrame:
    n = len(items.instrument_ids)
    instrument = items.instrument_of[cells.item]
    of_kind = {k: np.bincount(instrument[kinds == k], minlength=n) for k in (ANSWER, DONT_KNOW, MISSING)}
    counts = pd.DataFrame(
        {
            "read": np.bincount(instrument, minlength=n) + cells.blank,
            "answers": of_kind[ANSWER],
            "dont_know": of_kind[DONT_KNOW],
            "missing": of_kind[MISSING],
            "blank": cells.blank,
        },
        index=pd.Index(items.instrument_ids, name="instrument", dtype="str"),
    )
    return counts.astype(np.int64)


@dataclass(frozen=True)
class _FrameBuilder:
    """Frames with the contract's columns from numbers of ids."""

    items: Items
    ids: RowIds
    known: Known
    attributes: dict[str, Column]

    def frame(self, row: np.ndarray, item: np.ndarray, value: np.ndarray | None) -> pd.DataFrame:
        ids, items = self.ids, self.items
        distinct = items.distinct_ids()
        item_category = np.array([distinct.index(i) for i in items.ids], dtype=np.int32)
        columns: dict[str, object] = {
            "wave": _categorical(ids.wave[row], self.known.waves),
            "respondent_id": _categorical(ids.respondent[row], ids.respondents),
            "rater_unit": _categorical(ids.rater[row], self.known.units),
            "target_unit": _categorical(ids.target[row], self.known.units),
            "instrument": _categorical(items.instrument_of[item], items.instrument_ids),
            "item": _categorical(item_category[item], distinct),
        }
        if value is not None:
            columns["value"] = value
        if ids.task is not None:
            columns["task"] = _categorical(ids.task[row], ids.tasks)
        for name, column in self.attributes.items():
            columns[name] = _categorical(column.codes[row], column.texts)
        return pd.DataFrame(columns, copy=False)


def _categorical(codes: np.ndarray, categories: object) -> pd.Categorical:
    return pd.Categorical.from_codes(
        codes, categories=pd.Index(list(categories), dtype="str"), validate=False
    )
