"""Tables on disk: UTF-8 without byte-order mark, comma, point, `true` and `false`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from relcap_models.report.disclosure import safe_csv

_UNITS = ("unit", "unit_a", "unit_b", "rater_unit", "target_unit")
_DIGITS = 7
"""Significant digits: well below Monte Carlo error, and figures stay readable."""


def write_tables(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write each table as `<name>.csv`."""
    for name, table in tables.items():
        text = {column: _as_written(table[column]) for column in table}
        safe_csv(pd.DataFrame(text, columns=table.columns), folder / f"{name}.csv")


def stack_tables(parts: Iterable[Mapping[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """The tables of several analyses as one table of each name, in order of the analyses."""
    collected: dict[str, list[pd.DataFrame]] = {}
    for tables in parts:
        for name, table in tables.items():
            collected.setdefault(name, []).append(table)
    return {name: pd.concat(frames, ignore_index=True) for name, frames in collected.items()}


def named_units(public: Mapping[str, pd.DataFrame], units: pd.DataFrame) -> pd.DataFrame:
    """`unit_id, name` of the units in public tables: these have ids, the report has names."""
    columns = [table[name] for table in public.values() for name in _UNITS if name in table]
    found = set().union(*(column.dropna().astype(str) for column in columns))
    return units.loc[units["unit_id"].astype(str).isin(found), ["unit_id", "name"]].reset_index(drop=True)


def _as_written(values: pd.Series) -> pd.Series:
    if pd.api.types.is_float_dtype(values):
        return values.map(lambda value: float(f"{value:.{_DIGITS}g}"), na_action="ignore")
    if not (pd.api.types.is_bool_dtype(values) or pd.api.types.is_object_dtype(values)):
        return values
    return values.map(
        lambda value: str(value).lower() if isinstance(value, bool | np.bool_) else value
    ).astype(object)
