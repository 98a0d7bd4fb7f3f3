"""Our figures beside the reference: rows of the table, and how they are summed up for the README."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from tests.validation.reference.entry import Entry, values

COLUMNS = ["id", "quantity", "ours", "reference", "difference", "allowed", "agrees", "reason", "software"]
NOT_RUN = "run `make validation`"
# The reference has ten digits.
FLOOR = 1e-9


def compare(
    entry: Entry, reference: Path, ours: pd.Series | None = None, allowed: pd.Series | None = None
) -> pd.DataFrame:
    """A row for each reference value of the entry's id, in their order.

    ours, allowed : of sampled quantities; of others they are found here. Figures without a reference value
    are an error.
    """
    theirs = values(reference)
    rows = theirs[theirs["id"] == entry.id].rename(columns={"value": "reference"}).set_index("quantity")
    if entry.figures is not None:
        ours = entry.figures(reference)
        allowed = pd.Series({name: entry.tolerance.of(name, x) for name, x in rows["reference"].items()})
    ours = pd.Series(dtype=float) if ours is None else ours
    unknown = ours.index.difference(rows.index)
    if len(unknown) or ours.index.has_duplicates:
        raise LookupError(f"{entry.id}: no reference value, or two figures, for {', '.join(unknown)}")
    rows["ours"] = ours.reindex(rows.index)
    rows["allowed"] = allowed if allowed is not None else np.nan
    rows["difference"] = rows["ours"] - rows["reference"]
    rows["agrees"] = np.where(
        rows["ours"].notna(), (rows["difference"].abs() <= rows["allowed"]).astype(str), ""
    )
    rows["reason"] = [entry.reason(quantity) for quantity in rows.index]
    return rows.reset_index()[COLUMNS]


def unexplained(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows that are neither reproduced nor explained, or both."""
    return rows[rows["ours"].notna() == (rows["reason"] != "")]


def summary(table: pd.DataFrame, entries: Iterable[Entry]) -> pd.DataFrame:
    """A row for each analysis: figures, how many agree, their largest difference and the largest allowed.

    Differences are shares of figures beyond 1. `remark` has the reasons of what is not reproduced.
    """
    rows = []
    for analysis in dict.fromkeys(entry.analysis for entry in entries):
        those = [entry for entry in entries if entry.analysis == analysis]
        part = table[table["id"].isin([entry.id for entry in those])]
        unit = np.maximum(1.0, part["reference"].abs())
        reasons = part.loc[part["reason"] != "", "reason"].value_counts(sort=False)
        remarks = [f"{n} not reproduced: {why}" for why, n in reasons.items() if why != NOT_RUN]
        if (part["reason"] == NOT_RUN).any():
            remarks.insert(0, NOT_RUN)
        remarks = [*dict.fromkeys(entry.remark for entry in those if entry.remark), *remarks]
        rows.append(
            {
                "analysis": analysis,
                "software": ", ".join(dict.fromkeys(map(_short, part["software"]))),
                "figures": len(part),
                "agree": int((part["agrees"] == "True").sum()),
                "compared": int(part["ours"].notna().sum()),
                "difference": (part["difference"].abs() / unit).max(),
                "allowed": (part["allowed"] / unit)[part["ours"].notna()].max(),
                "remark": "; ".join(remarks),
            }
        )
    return pd.DataFrame(rows)


def _short(software: str) -> str:
    """Name and version: 'amen 1.4.5 ordinal probit SRM, one chain' → 'amen 1.4.5'."""
    named = re.match(r"\S+ \d[\w.]*", software)
    return named.group() if named else re.split(" of | = ", software)[0]


def rounded_up(difference: float) -> float:
    """To one significant digit, and to what the digits of the reference can tell."""
    if math.isnan(difference):
        return difference
    unit = 10.0 ** math.floor(math.log10(max(difference, FLOOR)))
    return math.ceil(max(difference, FLOOR) / unit - 1e-9) * unit


def markdown(table: pd.DataFrame, entries: Iterable[Entry]) -> str:
    """The README's table."""
    lines = [
        "| Analysis | Compared with | Agree | Largest difference | Allowed | Remark |",
        "|---|---|---|---|---|---|",
    ]
    for row in summary(table, entries).itertuples():
        agree = f"{row.agree if row.compared else '–'} of {row.figures}"
        difference, allowed = _power(rounded_up(row.difference)), _power(row.allowed)
        lines.append(
            f"| {row.analysis} | {row.software} | {agree} | {difference} | {allowed} | {row.remark} |"
        )
    return "\n".join(lines)


def _power(x: float) -> str:
    """'2e-6', '0.04', or '–' where nothing was compared."""
    if math.isnan(x):
        return "–"
    return f"{x:.1g}" if x >= 0.001 else f"{x:.0e}".replace("e-0", "e-")
