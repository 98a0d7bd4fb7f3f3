"""CSV files as they come: separator, header, quotes, ragged rows; each cell kept as the text that it is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from relcap_models.data.columns import column_of_arrow, named_columns
from relcap_models.data.encoding import as_utf8
from relcap_models.data.findings import Findings
from relcap_models.data.records import Records, find_records, values_of
from relcap_models.data.table import Column, Table, drop_empty_rows
from relcap_models.language import Message

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LONGEST_NAME = 1000


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
    lead, separator = _lead(data)
    header, start, header_line = _header(data, start=lead)
    if not header.strip():
        findings.add(
            path.name, "the file is empty", "It needs a header line with the names of the columns, and rows"
        )
        return None
    separator = separator or _separator(header, set(expected), path.name, header_line, findings)
    if separator is None:
        return None
    names = [_one_line(name) for name in values_of(header, separator)]
    if header.count('"') % 2:
        findings.add(path.name, "a quotation mark in the header is not closed", "Close it", row=header_line)
        return None
    if max(map(len, names)) > _LONGEST_NAME:
        message = f"a column name of {max(map(len, names)):,} signs, so this line is no header"
        remedy = "Is this a table? Its first line names the columns, and each row is a line of its own"
        findings.add(path.name, message, remedy, row=header_line)
        return None
    if separator != ",":
        findings.note(Message(f"intake.separated_by.{_SEPARATORS[separator]}", file=path.name))
    first_line = header_line + 1 + _line_ends(header.encode())
    body = _Body(data, start, first_line, separator, len(names))
    return _read_body(body, names, path.name, name, findings)


def _lead(data: bytes) -> tuple[int, str | None]:
    """Length of the line `sep=;` that Excel may put first, and the separator that it names."""
    if data[:4].lower() == b"sep=" and data[4:5].decode("latin-1") in _SEPARATORS:
        return _end_of_line(data, 0)[1], data[4:5].decode()
    return 0, None


def _header(data: bytes, *, start: int) -> tuple[str, int, int]:
    """The first record from `start` on that is not blank, where the next begins, and its line number.

    A name in quotation marks may hold line breaks (Alt+Enter in Excel). If the marks are never closed, the
    record is the first line alone.
    """
    line = _line_ends(data[:start]) + 1
    while start < len(data):
        end, following = _end_of_line(data, start)
        if data[start:end].strip():
            first = end, following
            n_quotes = data.count(b'"', start, end)
            while n_quotes % 2 and following < len(data):
                before = end
                end, following = _end_of_line(data, following)
                n_quotes += data.count(b'"', before, end)
            if n_quotes % 2:
                end, following = first
            return data[start:end].decode(), following, line
        start = following
        line += 1
    return "", len(data), line


def _end_of_line(data: bytes, start: int) -> tuple[int, int]:
    """Where the line that begins at `start` ends, and where the next begins: LF, CR LF, or CR of old Macs."""
    found = _LINE_END.search(data, start)
    return (len(data), len(data)) if found is None else found.span()


def _line_ends(data: bytes, start: int = 0) -> int:
    lone_returns = data.count(b"\r", start) - data.count(b"\r\n", start)
    return data.count(b"\n", start) + lone_returns


def _one_line(name: str) -> str:
    return " ".join(name.split()) if "\n" in name or "\r" in name else name


def _separator(header: str, expected: set[str], file: str, line: int, findings: Findings) -> str | None:
    """The separator under which most known column names appear, then under which there are most columns."""
    scores = {}
    for separator in _SEPARATORS:
        names = [name.strip() for name in values_of(header, separator)]
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


@dataclass(frozen=True)
class _Body:
    """What stands below the header: `data` from `start` on, its first line being `first_line`."""

    data: bytes
    start: int
    first_line: int
    separator: str
    n_columns: int

    @cached_property
    def records(self) -> Records:
        return find_records(
            self.data[self.start :],
            separator=self.separator,
            n_columns=self.n_columns,
            first_line=self.first_line,
        )

    @cached_property
    def n_quotes(self) -> int:
        return self.data.count(b'"', self.start)

    def n_lines(self) -> int:
        unfinished = len(self.data) > self.start and not self.data.endswith((b"\n", b"\r"))
        return _line_ends(self.data, self.start) + unfinished


def _read_body(body: _Body, names: list[str], file: str, table_name: str, findings: Findings) -> Table | None:
    if body.n_quotes % 2 and body.records.open_quote is not None:
        line = body.records.open_quote
        findings.add(
            file, "a quotation mark is opened and not closed", "Close it, or write it twice", row=line
        )
        return None
    try:
        columns, any_ragged = _parse(body)
    except pa.ArrowInvalid as error:
        findings.add(file, f"the file can't be read as CSV: {error}", "Save it again as CSV UTF-8")
        return None
    if any_ragged:
        _report_ragged(body, file, findings)
    n_read = len(columns[0][0].codes)
    named = named_columns(names, columns, file, findings, row=body.first_line - 1)
    named, kept = drop_empty_rows(named, n_read)
    if kept is not None:
        findings.note(Message("intake.empty_rows", file=file, n=n_read - len(kept)))
    one_line_each = not any_ragged and body.n_lines() == n_read

    def line(rows: np.ndarray) -> np.ndarray:
        read = np.asarray(rows) if kept is None else kept[rows]
        return read + body.first_line if one_line_each else body.records.lines[read]

    return Table(
        name=table_name,
        file=file,
        columns=named,
        n_rows=n_read if kept is None else len(kept),
        line=line,
        separator=body.separator,
        complete=not any_ragged,
    )


def _parse(body: _Body) -> tuple[list[tuple[Column, bool]], bool]:
    """The columns as text, and whether rows with another number of values were skipped."""
    positions = [str(i) for i in range(body.n_columns)]
    skipped: list[None] = []

    def skip(_: object) -> str:
        skipped.append(None)
        return "skip"

    if not body.data[body.start : body.start + 1000].strip() and not body.data[body.start :].strip():
        return [column_of_arrow(pa.chunked_array([], type=pa.string())) for _ in positions], False
    read = arrow_csv.read_csv(
        pa.BufferReader(pa.py_buffer(memoryview(body.data)[body.start :])),
        read_options=arrow_csv.ReadOptions(column_names=positions),
        parse_options=arrow_csv.ParseOptions(
            delimiter=body.separator, newlines_in_values=body.n_quotes > 0, invalid_row_handler=skip
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types={p: pa.dictionary(pa.int32(), pa.string()) for p in positions},
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    return [column_of_arrow(read.column(p)) for p in positions], bool(skipped)


def _report_ragged(body: _Body, file: str, findings: Findings) -> None:
    records = body.records
    for line, n_values, n_lines in records.ragged:
        remedy = (
            "Put values that contain the separator in quotation marks, and keep blank cells as empty values"
        )
        if n_lines > 1:
            remedy = f"It runs over {n_lines} lines: is a quotation mark opened and not closed?"
        findings.add(
            file,
            f"the row does not have {body.n_columns} values as the header has",
            remedy,
            row=line,
            value=str(n_values),
        )
    if records.broken is not None:
        findings.add(
            file, "the file can't be read from here on", "Look for an open quotation mark", row=records.broken
        )
