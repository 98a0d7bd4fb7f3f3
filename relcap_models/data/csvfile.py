"""CSV files as they come: separator, header, quotes, ragged rows; each cell kept as the text that it is."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from relcap_models.data.columns import column_of_arrow, named_columns
from relcap_models.data.encoding import as_utf8
from relcap_models.data.findings import Findings
from relcap_models.data.records import Records, find_records
from relcap_models.data.table import Table, drop_empty_rows

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}


def read_csv(path: Path, name: str, expected: Iterable[str], findings: Findings) -> Table | None:
    """The table in a CSV file, or None where it can't be read at all (the findings say why).

    Parameters
    ----------
    name : of the table (`responses`)
    expected : column names by which the separator is recognised
    """
    data = as_utf8(path.read_bytes(), path.name, findings)
    if data is None:
        return None
    if b"\n" not in data and b"\r" in data:
        data = data.replace(b"\r", b"\n")
    lead, separator = _lead(data)
    header, body, header_line = _header(data[lead:], first_line=data[:lead].count(b"\n") + 1)
    if not header.strip():
        findings.add(
            path.name, "the file is empty", "It needs a header line with the names of the columns, and rows"
        )
        return None
    separator = separator or _separator(header, set(expected), path.name, header_line, findings)
    if separator is None:
        return None
    names = next(csv.reader([header], delimiter=separator))
    if header.count('"') % 2:
        findings.add(path.name, "a quotation mark in the header is not closed", "Close it", row=header_line)
        return None
    if separator != ",":
        findings.note(f"{path.name}: values are separated by {_SEPARATORS[separator]}s")
    return _read_body(body, names, separator, header_line, path, name, findings)


def _lead(data: bytes) -> tuple[int, str | None]:
    """Length of the line `sep=;` that Excel may put first, and the separator that it names."""
    if data[:4].lower() == b"sep=" and data[4:5].decode("latin-1") in _SEPARATORS:
        return data.find(b"\n") + 1 or len(data), data[4:5].decode()
    return 0, None


def _header(data: bytes, *, first_line: int) -> tuple[str, memoryview, int]:
    """The first line that is not blank, the bytes below it, and its line."""
    start, line = 0, first_line
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        header = data[start:end].decode().strip("\r\n")
        if header.strip():
            return header, memoryview(data)[min(end + 1, len(data)) :], line
        start, line = end + 1, line + 1
    return "", memoryview(b""), line


def _separator(header: str, expected: set[str], file: str, line: int, findings: Findings) -> str | None:
    """The separator under which most known column names appear, then under which there are most columns."""
    scores = {}
    for separator in _SEPARATORS:
        names = [name.strip() for name in next(csv.reader([header], delimiter=separator))]
        scores[separator] = (len(expected.intersection(names)), len(names))
    best = max(scores.values())
    winners = [separator for separator, score in scores.items() if score == best]
    several = [separator for separator in winners if scores[separator][1] > 1]
    if len(several) > 1:
        findings.add(
            file,
            f"the columns could be separated by {' or by '.join(_SEPARATORS[s] for s in several)}",
            "Use one separator throughout",
            row=line,
            value=header[:80],
        )
        return None
    return winners[0]


def _read_body(
    body: memoryview,
    names: list[str],
    separator: str,
    header_line: int,
    path: Path,
    table_name: str,
    findings: Findings,
) -> Table | None:
    positions = [str(i) for i in range(len(names))]
    ragged_seen: list[None] = []

    def skip(_: object) -> str:
        ragged_seen.append(None)
        return "skip"

    @cache
    def records() -> Records:
        return find_records(
            bytes(body), separator=separator, n_columns=len(names), first_line=header_line + 1
        )

    quotes = b'"' in body.obj
    if quotes and bytes(body).count(b'"') % 2:
        last = records()
        line = (
            last.ragged[-1][0] if last.ragged else int(last.lines[-1]) if len(last.lines) else header_line + 1
        )
        findings.add(
            path.name, "a quotation mark is opened and not closed", "Close it, or write it twice", row=line
        )
        return None
    try:
        read = arrow_csv.read_csv(
            pa.BufferReader(pa.py_buffer(body)),
            read_options=arrow_csv.ReadOptions(column_names=positions),
            parse_options=arrow_csv.ParseOptions(
                delimiter=separator, newlines_in_values=quotes, invalid_row_handler=skip
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={p: pa.dictionary(pa.int32(), pa.string()) for p in positions},
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
        columns = [column_of_arrow(read.column(p)) for p in positions]
    except pa.ArrowInvalid as error:
        if "Empty CSV" not in str(error):
            findings.add(path.name, f"the file can't be read as CSV: {error}", "Save it again as CSV UTF-8")
            return None
        columns = [column_of_arrow(pa.chunked_array([], type=pa.string())) for _ in positions]
    if ragged_seen:
        _report_ragged(records(), len(names), path.name, findings)
    n_read = n_rows = len(columns[0][0].codes)
    named = named_columns(names, columns, path.name, findings, row=header_line)
    named, kept = drop_empty_rows(named, n_rows)
    if kept is not None:
        findings.note(f"{path.name}: {n_read - len(kept)} rows without any value are left out")
        n_rows = len(kept)
    one_line_each = not ragged_seen and _n_lines(body) == n_read
    return Table(
        name=table_name,
        file=path.name,
        columns=named,
        n_rows=n_rows,
        line=_line_finder(kept, header_line, None if one_line_each else records),
        separator=separator,
    )


def _n_lines(body: memoryview) -> int:
    data = bytes(body)
    return data.count(b"\n") + (len(data) > 0 and not data.endswith(b"\n"))


def _line_finder(
    kept: np.ndarray | None, header_line: int, records: Callable[[], Records] | None
) -> Callable[[np.ndarray], np.ndarray]:
    def line(rows: np.ndarray) -> np.ndarray:
        rows = np.asarray(rows)
        read = rows if kept is None else kept[rows]
        return read + header_line + 1 if records is None else records().lines[read]

    return line


def _report_ragged(records: Records, n_columns: int, file: str, findings: Findings) -> None:
    for line, n_values, n_lines in records.ragged:
        remedy = (
            "Put values that contain the separator in quotation marks, and keep blank cells as empty values"
        )
        if n_lines > 1:
            remedy = f"It runs over {n_lines} lines: is a quotation mark opened and not closed?"
        findings.add(
            file,
            f"the row does not have {n_columns} values as the header has",
            remedy,
            row=line,
            value=str(n_values),
        )
    if records.broken is not None:
        findings.add(
            file, "the file can't be read from here on", "Look for an open quotation mark", row=records.broken
        )
