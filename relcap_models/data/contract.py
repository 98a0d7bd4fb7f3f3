"""One table against its contract: columns, blanks, numbers, waves, references, keys; then as a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from relcap_models.data.findings import MOST_OF_A_KIND, Findings, unknown_id_remedy
from relcap_models.data.numerals import Numerals, read_numerals
from relcap_models.data.table import Column, Table
from relcap_models.language import Message
from relcap_models.schema.problems import nearest
from relcap_models.schema.tables import ColumnContract, TableContract, table_contract

WAVE_COLUMNS = ("wave", "start_wave")


def check_columns(table: Table, required: Sequence[str], findings: Findings) -> None:
    """Every required column is there; otherwise the nearest column that is."""
    contract = set(table_contract(table.name).names)
    others = [name for name in table.columns if name not in contract]
    for name in required:
        if name not in table.columns:
            close = nearest(name, others)
            there = f"Columns there: {', '.join(table.columns) or 'none'}"
            remedy = f"Is it '{close}'? Rename that column. {there}" if close else f"Add it. {there}"
            findings.add(table.file, "this column is missing", remedy, column=name)


def check_filled(table: Table, columns: Sequence[str], findings: Findings) -> None:
    """No cell of these columns is blank."""
    for name in columns:
        if name in table.columns:
            cells = table.columns[name]
            blank = np.flatnonzero(cells.codes < 0)
            findings.add_rows(
                table, blank, "nothing is given here", f"Give the {name}, or remove the row", column=name
            )


def check_one_line(table: Table, columns: Sequence[str], findings: Findings) -> None:
    """No id holds a line break: a quotation mark that is never closed would swallow rows unnoticed."""
    for name in columns:
        if name in table.columns:
            cells = table.columns[name]
            broken = np.array([*("\n" in text or "\r" in text for text in cells.texts), False])
            findings.add_rows(
                table,
                np.flatnonzero(broken[cells.codes]),
                "an id with a line break in it",
                "Is a quotation mark opened here and closed in a later row?",
                column=name,
            )


def check_known(
    table: Table, column: str, known: Mapping[str, int], message: str, remedy_of: object, findings: Findings
) -> np.ndarray:
    """(row,) the number of each cell's id among the known ones, -1 where blank or (a finding) not known."""
    cells = table.columns[column]
    numbers = cells.matched(dict(known))
    unknown = np.flatnonzero((numbers < 0) & (cells.codes >= 0))
    findings.add_rows(table, unknown, message, remedy_of, column=column)
    return numbers


def check_waves(table: Table, column: str, waves: Mapping[str, int], findings: Findings) -> np.ndarray:
    """(row,) the number of each cell's wave; waves that the study does not declare are findings."""
    remedy = unknown_id_remedy(waves, add_to="`waves` of the study", verb="Declare it under")
    return check_known(table, column, waves, "this wave is not declared", remedy, findings)


def check_units(
    table: Table, column: str, units: Mapping[str, int], units_file: str, findings: Findings
) -> np.ndarray:
    """(row,) the number of each cell's unit; units missing from the units table are findings."""
    remedy = unknown_id_remedy(units, add_to=units_file)
    return check_known(table, column, units, f"this unit is not in {units_file}", remedy, findings)


def check_key(table: Table, contract: TableContract, findings: Findings) -> None:
    """No two rows with the same key (rows with blanks in it are reported as such elsewhere)."""
    key = [*contract.key, *(name for name in contract.optional_key if name in table.columns)]
    if any(name not in table.columns for name in key):
        return
    codes = pd.DataFrame({name: table.columns[name].codes for name in key})
    again = codes.duplicated(keep="first") & (codes[list(contract.key)] >= 0).all(axis=1)
    rows = np.flatnonzero(again)[:MOST_OF_A_KIND]
    if len(rows) == 0:
        return
    first = codes.reset_index().groupby(key, sort=False)["index"].transform("first").to_numpy()
    findings.add_rows(
        table,
        rows,
        f"a row with the same {', '.join(key)} stands above",
        [f"Remove it or the one in row {earlier}" for earlier in table.line(first[rows])],
        column=key[0],
        values=[", ".join(str(table.columns[name].at(row)) for name in key) for row in rows],
    )


def check_numbers(table: Table, column: ColumnContract, findings: Findings) -> np.ndarray:
    """(row,) the column as numbers, nan where blank; what is no number, or out of range, is a finding."""
    cells = table.columns[column.name]
    numerals = numerals_of(table, column.name, findings)
    values = np.append(numerals.values, np.nan)[cells.codes]
    filled = cells.codes >= 0
    findings.add_rows(
        table,
        np.flatnonzero(filled & np.isnan(values)),
        "this is not a number",
        "Correct it",
        column=column.name,
    )
    if column.type == "integer":
        findings.add_rows(
            table,
            np.flatnonzero(filled & (values != np.round(values)) & ~np.isnan(values)),
            "this is not a whole number",
            "Write it without decimals and without signs between thousands",
            column=column.name,
        )
    if column.minimum is not None:
        low = np.flatnonzero(filled & (values < column.minimum))
        findings.add_rows(table, low, f"this is below {column.minimum:g}", "Correct it", column=column.name)
    return values


def numerals_of(table: Table, column: str, findings: Findings) -> Numerals:
    """The distinct texts of a column as numbers; texts that could be read two ways are findings."""
    cells = table.columns[column]
    numerals = read_numerals(cells.texts, separator=table.separator)
    doubtful = np.append(numerals.ambiguous, False)[cells.codes]
    findings.add_rows(
        table,
        np.flatnonzero(doubtful),
        "this number can be read in two ways: the sign stands for decimals or for thousands",
        "Write it without signs between thousands, decimals with a point",
        column=column,
    )
    if numerals.decimal_comma:
        findings.note(Message("intake.decimal_commas", file=table.file, column=column))
    return numerals


def check_table(
    table: Table,
    *,
    waves: Mapping[str, int],
    units: Mapping[str, int],
    units_file: str,
    findings: Findings,
) -> pd.DataFrame:
    """Check a table other than responses, and return it as a frame: ids text, numbers float.

    Columns beyond the contract are attributes: numbers where every value is one (and none has leading zeros).
    """
    contract = table_contract(table.name)
    check_columns(table, contract.required, findings)
    check_filled(table, [c.name for c in contract.columns if not c.blank], findings)
    check_one_line(table, [n for n in contract.key if n in table.columns], findings)
    check_key(table, contract, findings)
    frame: dict[str, object] = {}
    for column in contract.columns:
        if column.name not in table.columns:
            continue
        if column.is_number:
            frame[column.name] = check_numbers(table, column, findings)
            continue
        frame[column.name] = _as_texts(table.columns[column.name])
        if column.name in WAVE_COLUMNS:
            check_waves(table, column.name, waves, findings)
        elif contract.references.get(column.name, ("",))[0] == "units":
            check_units(table, column.name, units, units_file, findings)
    absent = [column.name for column in contract.columns if column.name not in table.columns]
    for name, cells in table.columns.items():
        if name not in frame:
            frame[name] = _as_attribute(cells, table.separator)
            note_attribute(table.file, name, absent, findings)
    return pd.DataFrame(frame, index=pd.RangeIndex(table.n_rows))


def note_attribute(file: str, column: str, absent: Sequence[str], findings: Findings) -> None:
    """Say so where a column that the contract does not know is close to one that is not there."""
    if close := nearest(column, absent):
        findings.note(Message("intake.attribute", file=file, column=column, close=close))


def empty_frame(name: str) -> pd.DataFrame:
    """An absent table: its required columns, no rows."""
    return pd.DataFrame(
        {
            column.name: pd.Series(dtype=float if column.is_number else "str")
            for column in table_contract(name).columns
            if not column.optional
        }
    )


def _as_texts(cells: Column) -> pd.Series:
    return pd.Series(np.array([*cells.texts, None], dtype=object)[cells.codes], dtype="str")


def _as_attribute(cells: Column, separator: str | None) -> pd.Series | np.ndarray:
    if any(len(text) > 1 and text[0] == "0" and text[1].isdigit() for text in cells.texts):
        return _as_texts(cells)
    numerals = read_numerals(cells.texts, separator=separator)
    if not cells.texts or np.isnan(numerals.values).any() or numerals.ambiguous.any():
        return _as_texts(cells)
    return np.append(numerals.values, np.nan)[cells.codes]
