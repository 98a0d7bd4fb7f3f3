"""The table contracts: which columns a table has, of which type, what is a row's key, what refers to what.

They stand in `data_schemas/tables/*.json` as Table Schemas of the Data Package standard, version 2, with one
property of our own: `optional` on a field (the column may be left out). A key to which optional columns
belong where they are given is a unique key: a primary key would demand them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from relcap_models.schema.shipped import schema_folder

TABLES = ("responses", "units", "respondents", "nominations", "programmes", "outcomes")


@dataclass(frozen=True)
class ColumnContract:
    """One column. `minimum` is the lowest number allowed, `blank` whether a cell may be empty."""

    name: str
    type: str
    description: str
    optional: bool
    blank: bool
    minimum: float | None

    @property
    def is_number(self) -> bool:
        return self.type in ("number", "integer")


@dataclass(frozen=True)
class TableContract:
    """One table. `optional_key` belongs to the key where it is given; `references` maps a column to the table
    and column in which its values must stand."""

    name: str
    columns: tuple[ColumnContract, ...]
    key: tuple[str, ...]
    optional_key: tuple[str, ...]
    references: dict[str, tuple[str, str]]

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that must be there."""
        return tuple(column.name for column in self.columns if not column.optional)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


@cache
def table_contract(name: str) -> TableContract:
    """The contract of one of `TABLES`."""
    described = json.loads((schema_folder() / "tables" / f"{name}.json").read_text(encoding="utf-8"))
    columns = tuple(_column(field) for field in described["fields"])
    optional = {column.name for column in columns if column.optional}
    key = described["primaryKey"] if "primaryKey" in described else described["uniqueKeys"][0]
    return TableContract(
        name=name,
        columns=columns,
        key=tuple(column for column in key if column not in optional),
        optional_key=tuple(column for column in key if column in optional),
        references={
            link["fields"][0]: (link["reference"]["resource"], link["reference"]["fields"][0])
            for link in described.get("foreignKeys", ())
        },
    )


def _column(field: dict) -> ColumnContract:
    constraints = field.get("constraints", {})
    return ColumnContract(
        name=field["name"],
        type=field["type"],
        description=field["description"],
        optional=field.get("optional", False),
        blank=not constraints.get("required", False),
        minimum=constraints.get("minimum"),
    )
