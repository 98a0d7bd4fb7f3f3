"""Effects by cohort and time against R's did, and the two-way estimate against R's lm."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from relcap_models.differences import att_gt, goodman_bacon
from tests.validation.reference.entry import DIGITS, Entry, read

_ANALYSIS = "Programme effects"
_PANEL = {"unit": "countyreal", "time": "year", "cohort": "first.treat", "outcome": "lemp"}


def _effects(reference: Path) -> pd.Series:
    found = att_gt(read(reference, "did_mpdta"), **_PANEL)
    cells = {f"att({row.group:g},{row.time:g})": row.att for row in found.table.itertuples()}
    wholes = {kind: found.aggregate(kind).att for kind in ("simple", "group", "dynamic")}
    return pd.Series(cells | wholes)


def _two_way(reference: Path) -> pd.Series:
    return pd.Series({"twfe": goodman_bacon(read(reference, "did_mpdta"), **_PANEL).twfe})


ENTRIES = (
    Entry("mpdta.never-treated.unconditional", _ANALYSIS, _effects, DIGITS),
    Entry(
        "mpdta.twfe",
        _ANALYSIS,
        _two_way,
        DIGITS,
        reasons={"se.*": "no error of an estimate that is shown as wrong"},
    ),
)
