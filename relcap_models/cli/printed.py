"""Tables as a terminal shows them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def display(what: object) -> None:
    """Print a table, or several things one below the other."""
    from rich.console import Console

    # A pipe has no width; Rich would take 80 columns and fold what a program or a pager could show.
    width = None if sys.stdout.isatty() else 200
    Console(highlight=False, markup=False, width=width).print(what)


def power_table(table: pd.DataFrame) -> object:
    """What is asked first: a row for each analysis and design."""
    from rich.table import Table

    design = ["units", "respondents", "partners", "waves"]
    wanted = {
        ("interval_width", "relation"): "width, relation",
        ("interval_width", "gap"): "width, gap",
        ("interval_width", "seen_by_others"): "width, unit",
        ("interval_width", "own_staff"): "width, unit",
        ("respondents_for_0.70", "all_relations"): "needed for .70",
        ("respondents_for_0.70", "units"): "needed for .70",
    }
    columns = list(dict.fromkeys(wanted.values()))
    shown = Table("analysis", *design, box=None, pad_edge=False)
    for name in columns:
        shown.add_column(name, justify="right")
    for key, rows in table.groupby(["analysis", *design], sort=False):
        cells = dict.fromkeys(columns, "")
        for row in rows.itertuples():
            if (row.quantity, row.of) in wanted:
                cells[wanted[row.quantity, row.of]] = f"{row.value:.2f} ± {2 * row.mc_error:.2f}"
        shown.add_row(key[0], *(f"{value:g}" for value in key[1:]), *cells.values())
    return shown
