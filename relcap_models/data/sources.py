"""Which table stands where: a folder, or a mapping of table names to files and frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet

from relcap_models.data.columns import column_of_arrow, named_columns, table_of_frame
from relcap_models.data.csvfile import read_csv
from relcap_models.data.findings import Findings
from relcap_models.data.table import Table
from relcap_models.schema.places import is_file
from relcap_models.schema.problems import nearest, suggestion
from relcap_models.schema.tables import TABLES

Tables = Mapping[str, Path | str | pd.DataFrame]
_SUFFIXES = (".csv", ".parquet")


def find_tables(tables: Path | str | Tables, findings: Findings) -> dict[str, Path | pd.DataFrame]:
    """Table name to file or frame, in the order of the contract; what can't be placed is a finding."""
    given = tables if isinstance(tables, Mapping) else _in_folder(Path(tables), findings)
    for name in given:
        if name not in TABLES:
            findings.add(str(name), "there is no table of this name", suggestion(name, TABLES, what="tables"))
    found = {name: given[name] for name in TABLES if name in given and given[name] is not None}
    if "responses" not in found and not findings.problems:
        findings.add("responses", "this table is missing", "Give responses.csv or responses.parquet")
    return {name: table if isinstance(table, pd.DataFrame) else Path(table) for name, table in found.items()}


def _in_folder(folder: Path, findings: Findings) -> dict[str, Path]:
    if not folder.is_dir():
        what = "this is a file, not a folder of tables" if folder.exists() else "there is no such folder"
        findings.add(str(folder), what, "Name the folder that holds responses.csv, units.csv …")
        return {}
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        name, suffix = path.stem, path.suffix.lower()
        if suffix not in _SUFFIXES:
            if name in TABLES:
                findings.add(
                    path.name, "tables are read from .csv and .parquet files", "Save it as CSV UTF-8"
                )
            continue
        if name not in TABLES and (close := nearest(name, TABLES)):
            findings.add(
                path.name,
                "there is no table of this name",
                f"Did you mean '{close}'? Rename the file, or move it elsewhere",
            )
            continue
        if name in found:
            findings.add(
                path.name, f"the table also stands in {found[name].name}", "Remove one of the two files"
            )
        elif name in TABLES:
            found[name] = path
    if "responses" not in found and not findings.problems:
        there = [path.name for path in sorted(folder.iterdir()) if path.suffix.lower() in _SUFFIXES]
        remedy = suggestion("responses.csv", there, what="tables in it") if there else "It holds no tables"
        findings.add(str(folder), "there is no responses.csv or responses.parquet in this folder", remedy)
    return found


def load_table(
    source: Path | pd.DataFrame, name: str, expected: Iterable[str], findings: Findings
) -> Table | None:
    """The table as text columns, or None where it can't be read (the findings say why)."""
    if isinstance(source, pd.DataFrame):
        table: Table | None = table_of_frame(source, name, findings)
    else:
        try:
            table = _table_of_file(source, name, expected, findings)
        except OSError as error:
            remedy = "Look whether it may be read, and is not open in another program"
            findings.add(source.name, f"the file can't be read: {error.strerror or error}", remedy)
            return None
    if table is not None and table.complete and table.n_rows == 0 and name in ("responses", "units"):
        findings.add(
            table.file, "the table has no rows", "It needs at least one row below the names of its columns"
        )
    return table


def _table_of_file(path: Path, name: str, expected: Iterable[str], findings: Findings) -> Table | None:
    if not is_file(path):
        findings.add(path.name, "there is no such file", f"Looked for {path}")
        return None
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path, name, findings)
    if path.suffix.lower() in (".csv", ".txt", ".tsv"):
        return read_csv(path, name, expected, findings)
    findings.add(path.name, "tables are read from .csv and .parquet files", "Save it as CSV UTF-8")
    return None


def _read_parquet(path: Path, name: str, findings: Findings) -> Table | None:
    try:
        schema = parquet.read_schema(path)
        texts = [
            field.name
            for field in schema
            if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        ]
        read = parquet.ParquetFile(path, read_dictionary=texts).read()
    except (pa.ArrowInvalid, OSError) as error:
        findings.add(path.name, f"the file can't be read as Parquet: {error}", "Write it again")
        return None
    nested = [field.name for field in read.schema if pa.types.is_nested(field.type)]
    for column in nested:
        findings.add(
            path.name, "the column holds lists or records, not single values", "Remove it", column=column
        )
    if nested:
        return None
    # By position: Parquet allows two columns of one name.
    kept = [i for i, name in enumerate(read.column_names) if not name.startswith("__index_level_")]
    names = [read.column_names[i] for i in kept]
    columns = []
    for i in kept:
        try:
            columns.append(column_of_arrow(read.column(i)))
        except UnicodeDecodeError:
            remedy = "Decode its texts (they may be Latin-1) and write the file again"
            name_of = read.column_names[i]
            findings.add(path.name, "the column holds text that is not UTF-8", remedy, column=name_of)
    if len(columns) < len(kept):
        return None
    return Table(
        name=name,
        file=path.name,
        columns=named_columns(names, columns, path.name, findings),
        n_rows=read.num_rows,
        line=lambda rows: rows + 1,
    )
