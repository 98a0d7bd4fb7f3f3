"""Tables as CSV that a machine reads back unchanged.

A text cell that begins with = + - @, a tab or a carriage return is run as a formula by spreadsheet programs
(CSV injection). OWASP's remedy, an apostrophe in front, changes the data: a unit called "-19 team" would no
longer be found by its name in the next table. These tables are read by programs, and names must survive from
table to report, so cells are quoted where the format needs it and never changed. `formula_like` finds the
cells in question, so that a run can say in words which names not to open in a spreadsheet.

Source: OWASP, CSV Injection (owasp.org/www-community/attacks/CSV_Injection); RFC 4180.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pandas as pd

STARTS = ("=", "+", "-", "@", "\t", "\r")


def safe_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table: UTF-8 without byte-order mark, comma, point, quoted where needed, whole or not at all.

    Floats are written so that they read back exactly; missing values are empty.
    """
    beside = path.with_name(path.name + ".part")
    table.to_csv(beside, index=False, quoting=csv.QUOTE_MINIMAL, lineterminator="\n", encoding="utf-8")
    os.replace(beside, path)


def formula_like(table: pd.DataFrame) -> list[str]:
    """The text cells that a spreadsheet program would run, each once, sorted."""
    found: set[str] = set()
    for column in table.columns:
        if not pd.api.types.is_numeric_dtype(table[column]):
            found.update(
                v for v in table[column].dropna().unique() if isinstance(v, str) and v.startswith(STARTS)
            )
    return sorted(found)
