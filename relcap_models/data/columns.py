"""Columns of text from Arrow arrays and from pandas frames."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as arrow

from relcap_models.data.findings import Findings
from relcap_models.data.table import Column, Table, clean_column
from relcap_models.language import Message


def column_of_arrow(values: pa.ChunkedArray) -> tuple[Column, bool]:
    """The column's texts, and whether blanks around some were taken off."""
    if not pa.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    values = values.unify_dictionaries().combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        if values.num_chunks == 0:
            return clean_column(np.empty(0, dtype=np.int32), ())
        values = values.chunk(0)
    codes = arrow.fill_null(values.indices.cast(pa.int32()), -1).to_numpy(zero_copy_only=False)
    return clean_column(codes, [as_text(value) for value in values.dictionary.to_pylist()])


def column_of_series(values: pd.Series) -> tuple[Column, bool]:
    """The column's texts, and whether blanks around some were taken off."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        texts = [as_text(value) for value in values.cat.categories]
        return clean_column(values.cat.codes.to_numpy().astype(np.int32), texts)
    if values.dtype == object:
        # Before equal-looking values are merged: to pandas 1, 1.0 and True are one.
        values = values.map(as_text)
    codes, distinct = pd.factorize(values, use_na_sentinel=True)
    return clean_column(codes.astype(np.int32), [as_text(value) for value in distinct])


def named_columns(
    names: Sequence[object],
    columns: Sequence[tuple[Column, bool]],
    file: str,
    findings: Findings,
    *,
    row: int | None = None,
) -> dict[str, Column]:
    """Columns by name; names that are blank or given twice are findings, the first of a name is kept."""
    named: dict[str, Column] = {}
    place: dict[str, int] = {}
    spaced: list[str] = []
    for i, (written, (column, stripped)) in enumerate(zip(names, columns), start=1):
        name = str(written).strip()
        if not name:
            if len(column.texts):
                findings.add(
                    file, f"column {i} has values but no name", "Name it in the header, or remove it", row=row
                )
            continue
        if name in named:
            findings.add(
                file,
                f"the column name is given twice (columns {place[name]} and {i})",
                "Rename or remove one of them",
                row=row,
                column=name,
            )
            continue
        named[name], place[name] = column, i
        if stripped:
            spaced.append(name)
    if spaced:
        findings.note(Message("intake.blanks", file=file, columns=spaced))
    return named


def table_of_frame(frame: pd.DataFrame, name: str, findings: Findings) -> Table:
    """A table in memory. Its `file` is the table's name and its rows count from 1."""
    columns = [column_of_series(frame.iloc[:, i]) for i in range(frame.shape[1])]
    table = Table(
        name=name,
        file=name,
        columns=named_columns(list(frame.columns), columns, name, findings),
        n_rows=len(frame),
        line=lambda rows: np.asarray(rows) + 1,
    )
    for i, label in enumerate(frame.columns):
        _check_types(frame.iloc[:, i], str(label), table, findings)
    return table


def _check_types(values: pd.Series, label: str, table: Table, findings: Findings) -> None:
    """Numbers among texts: 7 and '07' may be one id or two. Only answers may mix (a number, or a code)."""
    if values.dtype != object or label == "value":
        return
    kind = values.map(
        lambda value: "" if as_text(value) is None else "text" if isinstance(value, str) else "number"
    )
    rows = {name: np.flatnonzero((kind == name).to_numpy()) for name in ("text", "number")}
    if min(len(found) for found in rows.values()) == 0:
        return
    rarer = min(rows, key=lambda name: len(rows[name]))
    other = "number" if rarer == "text" else "text"
    findings.add_rows(
        table,
        rows[rarer],
        f"a {rarer} in a column that otherwise holds {other}",
        "Make the whole column text (frame[column].astype(str)) or the whole column numbers",
        column=label,
    )


def as_text(value: object) -> str | None:
    """A cell's value as CSV would have it: 4.0 is '4', a date is ISO, nothing is None."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):
        if math.isnan(value):
            return None
        return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else str(value)
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat()
    return str(value)
