"""One examined instrument: its rows of the tables, and words."""

from __future__ import annotations

import math

import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.blocks import Cell
from relcap_models.report.material import Analysis


class Examined:
    """One examined instrument: its rows of the tables, and words."""

    def __init__(self, analysis: Analysis, name: str) -> None:
        self.analysis, self.name, self.texts = analysis, name, analysis.material.texts

    def table(self, name: str) -> pd.DataFrame:
        rows = self.analysis.table(f"psychometrics_{name}")
        return rows[rows["instrument"] == self.name]

    def everybody(self, name: str) -> pd.DataFrame:
        rows = self.table(name)
        return rows[rows["split"] == "survey"]

    def group(self, split: str, group: str) -> str:
        if split == "survey":
            return self.texts("psychometrics.everybody")
        return self.analysis.material.wave(group) if split == "wave" else group

    def picture(self, name: str) -> str:
        return f"psychometrics_{name}_{self.analysis.number}"


def estimate_cell(texts: Texts, rows: pd.DataFrame, name: str) -> Cell:
    """A row's estimate and interval, or a dash where there is none."""
    if name not in rows.index or math.isnan(rows.loc[name, "estimate"]):
        return Cell("–", muted=True)
    row = rows.loc[name]
    value = texts.number(row["estimate"])
    if not math.isnan(row["lower"]):
        value = texts("format.estimate", mean=value, interval=texts.interval(row["lower"], row["upper"]))
    return Cell(value, row["estimate"])
