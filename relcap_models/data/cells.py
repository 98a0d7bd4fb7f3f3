"""Long and wide responses as one list of cells: which row, which item, which text."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from relcap_models.data.findings import Findings
from relcap_models.data.items import Items
from relcap_models.data.table import Column, Table
from relcap_models.language import Message
from relcap_models.schema.problems import nearest, suggestion
from relcap_models.schema.shipped import shipped_instruments
from relcap_models.schema.tables import table_contract

_ROW_COLUMNS = ("wave", "respondent_id", "rater_unit", "target_unit")


@dataclass(frozen=True)
class Cells:
    """Every cell that is not blank and whose item is known.

    row : (cell,) row of the table · item : (cell,) number of the item · text : (cell,) position in `texts`
    columns : names of the columns that the cells stand in, by item number; long tables: `value` for all
    blank : (instrument,) how many cells of each instrument are blank
    """

    row: np.ndarray
    item: np.ndarray
    text: np.ndarray
    texts: tuple[str, ...]
    columns: dict[int, str]
    blank: np.ndarray


def is_wide(table: Table, items: Items) -> bool:
    """True if items are columns."""
    # In any case: `rc1` is a misspelt item, not a table without answers.
    ids = {item.casefold() for item in items.ids}
    return not {"item", "value"} & set(table.columns) and any(
        name.casefold() in ids for name in table.columns
    )


def required_columns(table: Table, items: Items) -> tuple[str, ...]:
    """Columns that must be there in the form that the table has."""
    return _ROW_COLUMNS if is_wide(table, items) else table_contract("responses").required


def instrument_of_row(table: Table, items: Items, findings: Findings) -> np.ndarray | None:
    """(row,) number of the instrument, -1 where unknown or blank; None without the column `instrument`."""
    if "instrument" not in table.columns:
        return None
    cells = table.columns["instrument"]
    known = {name: k for k, name in enumerate(items.instrument_ids)}
    numbers = cells.matched(known)
    unknown = np.flatnonzero((numbers < 0) & (cells.codes >= 0))

    def remedy(value: str) -> str:
        if value in shipped_instruments():
            return f"Add '{value}' to `instruments` of the study, or remove the rows"
        return suggestion(value, known, what="instruments of the study")

    findings.add_rows(table, unknown, "the study has no such instrument", remedy, column="instrument")
    return numbers


def long_cells(table: Table, items: Items, instrument: np.ndarray, findings: Findings) -> Cells:
    """The cells of a long table, one to a row."""
    item_column, value = table.columns["item"], table.columns["value"]
    lookup = np.full((len(items.instrument_ids) + 1, len(item_column.texts) + 1), -1, dtype=np.int32)
    for k in range(len(items.instrument_ids)):
        lookup[k, :-1] = [items.number(k, text) for text in item_column.texts]
    item = lookup[instrument, item_column.codes]
    _report_unknown_items(table, items, instrument, item, findings)
    blank = np.bincount(items.instrument_of[item[(value.codes < 0) & (item >= 0)]], minlength=len(lookup) - 1)
    row = np.flatnonzero((value.codes >= 0) & (item >= 0)).astype(np.int32)
    every = dict.fromkeys(range(len(items.ids)), "value")
    return Cells(row, item[row].astype(np.int16), value.codes[row], value.texts, every, blank)


def _report_unknown_items(
    table: Table, items: Items, instrument: np.ndarray, item: np.ndarray, findings: Findings
) -> None:
    codes = table.columns["item"].codes
    for k, questionnaire in enumerate(items.instruments):
        rows = np.flatnonzero((item < 0) & (codes >= 0) & (instrument == k))

        def remedy(value: str, known: tuple[str, ...] = questionnaire.item_ids) -> str:
            return suggestion(value, known, what="items")

        findings.add_rows(
            table, rows, f"the instrument {items.instrument_ids[k]} has no such item", remedy, column="item"
        )


def wide_cells(table: Table, items: Items, instrument: np.ndarray | None, findings: Findings) -> Cells:
    """The cells of a wide table, row by row in the order of the item columns.

    A row that answers no item of an instrument was not asked it, where the table has several instruments;
    cells left blank in other rows count as blank.
    """
    columns = [name for name in table.columns if name in items.ids]
    _report_columns(table, items, columns, findings)
    n_instruments = len(items.instrument_ids)
    texts: dict[str, int] = {}
    rows, numbers, values, column_of = [], [], [], {}
    filled: dict[int, np.ndarray] = {}
    for name in columns:
        candidates = items.of_any(name)
        if instrument is None and len(candidates) > 1:
            owners = ", ".join(items.instrument_ids[items.instrument_of[i]] for i in candidates)
            findings.add(
                table.file,
                f"several instruments have this item ({owners})",
                "Add the column `instrument`",
                column=name,
            )
            continue
        cells = table.columns[name]
        row = np.flatnonzero(cells.codes >= 0).astype(np.int32)
        shared = np.array([texts.setdefault(text, len(texts)) for text in cells.texts], dtype=np.int32)
        item = np.full(len(row), candidates[0], dtype=np.int16)
        if instrument is not None:
            of_instrument = np.full(n_instruments + 1, -1, dtype=np.int16)
            of_instrument[items.instrument_of[list(candidates)]] = candidates
            item = of_instrument[instrument[row]]
            _report_misplaced(table, name, row[(item < 0) & (instrument[row] >= 0)], findings)
            row, item = row[item >= 0], item[item >= 0]
        rows.append(row)
        numbers.append(item)
        values.append(shared[cells.codes[row]])
        for candidate in candidates:
            column_of[candidate] = name
            filled.setdefault(int(items.instrument_of[candidate]), np.zeros(table.n_rows, dtype=bool))[
                row
            ] = True
    blank = np.zeros(n_instruments, dtype=np.int64)
    for i, name in column_of.items():
        k = int(items.instrument_of[i])
        asked = filled[k] if instrument is None and len(filled) > 1 else np.ones(table.n_rows, dtype=bool)
        asked = asked if instrument is None else instrument == k
        blank[k] += int(((table.columns[name].codes < 0) & asked).sum())
    return Cells(
        np.concatenate(rows) if rows else np.empty(0, dtype=np.int32),
        np.concatenate(numbers) if rows else np.empty(0, dtype=np.int16),
        np.concatenate(values) if rows else np.empty(0, dtype=np.int32),
        tuple(texts),
        column_of,
        blank,
    )


def _report_misplaced(table: Table, column: str, rows: np.ndarray, findings: Findings) -> None:
    findings.add_rows(
        table,
        rows,
        "an answer to an item that the instrument of this row does not have",
        "Correct the column `instrument`, or leave the cell blank",
        column=column,
    )


def _report_columns(table: Table, items: Items, columns: list[str], findings: Findings) -> None:
    """Columns that look like items but are none are findings; other columns stay, as a note says."""
    contract = set(table_contract("responses").names)
    stems = {match.group(1).casefold() for item in items.ids if (match := re.fullmatch(r"(\D+)\d+", item))}
    kept = []
    for name in table.columns:
        if name in contract or name in columns:
            continue
        like = re.fullmatch(r"(\D+)\d+", name)
        if (like and like.group(1).casefold() in stems) or name.casefold() in {
            i.casefold() for i in items.ids
        }:
            close = nearest(name, [item for item in items.ids if item not in columns] or items.ids)
            findings.add(
                table.file,
                "this column looks like an item, but no instrument of the study has it",
                (f"Did you mean '{close}'? " if close else "") + "Rename or remove the column",
                column=name,
            )
        else:
            kept.append(name)
    if kept:
        findings.note(Message("intake.attributes", file=table.file, columns=kept))


def text_columns(table: Table, items: Items) -> dict[str, Column]:
    """Columns beyond the contract and the items: attributes of the rating."""
    contract = set(table_contract("responses").names)
    wide = is_wide(table, items)
    return {
        name: column
        for name, column in table.columns.items()
        if name not in contract and not (wide and name in items.ids)
    }
