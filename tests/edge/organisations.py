"""Small organisations as users bring them: tables, a study file, and what a run made of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from relcap_models.schema import load_instrument

FEW_DRAWS = {"chains": 2, "draws": 25, "tune": 15, "kfold": 0}
"""Nothing converges in so few: the runs end with failed checks, and with everything else."""


def answers(
    staff: Mapping[str, int],
    *,
    instrument: str = "relational_capacity",
    items: Sequence[str] | None = None,
    waves: Sequence[str] = ("w1",),
    own: bool = True,
    others: bool = True,
    seed: int = 1,
) -> pd.DataFrame:
    """Long answers 1–5 where every respondent of every unit rates the units in question.

    staff : unit → number of respondents · own, others : whether they rate the own unit, and the other units
    """
    rng = np.random.default_rng(seed)
    items = items or load_instrument(instrument).item_ids
    leniency = {(unit, k): rng.normal(0, 0.5) for unit in staff for k in range(staff[unit])}
    quality = {unit: rng.normal(0, 0.5) for unit in staff}
    rows = []
    for wave in waves:
        for (unit, k), lenient in leniency.items():
            for target in staff:
                if (own if target == unit else others) is False:
                    continue
                for item in items:
                    answer = np.clip(round(3.4 + lenient + quality[target] + rng.normal()), 1, 5)
                    person = f"{list(staff).index(unit)}-{k}"
                    rows.append((wave, person, unit, target, instrument, item, int(answer)))
    names = ["wave", "respondent_id", "rater_unit", "target_unit", "instrument", "item", "value"]
    return pd.DataFrame(rows, columns=names)


def write_study(
    folder: Path,
    tables: Mapping[str, pd.DataFrame],
    *,
    analyses: Sequence[Mapping[str, Any]] = ({"kind": "relations", "instrument": "relational_capacity"},),
    instruments: Sequence[str] | None = None,
    waves: Sequence[str] = ("w1",),
    **settings: Any,
) -> Path:
    """A study folder with these tables. The study file is JSON, which is YAML too."""
    (folder / "data").mkdir(parents=True)
    for name, table in tables.items():
        table.to_csv(folder / "data" / f"{name}.csv", index=False)
    study = {
        "name": "edge",
        "title": "A study at the edge",
        "seed": 11,
        "instruments": list(instruments or dict.fromkeys(a["instrument"] for a in analyses)),
        "waves": [{"id": wave} for wave in waves],
        "analyses": list(analyses),
        "inference": FEW_DRAWS,
        **settings,
    }
    (folder / "study.yaml").write_text(json.dumps(study, ensure_ascii=False, indent=1), encoding="utf-8")
    return folder


def public_table(results: Path, name: str) -> pd.DataFrame:
    """A public table, every cell as its text."""
    return read(results / "public" / "tables" / f"{name}.csv")


def estimates(results: Path, name: str) -> pd.DataFrame:
    """The uncontrolled twin of a public table, every cell as its text."""
    return read(results / "restricted" / "tables" / f"{name}.csv")


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def raw_cells(path: Path) -> set[str]:
    """Every text of a CSV file, by Python's own reader."""
    return {cell for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"))) for cell in row}


class Page(HTMLParser):
    """What a reader of an HTML page sees, and what a browser would run.

    texts : between two tags each · cells : of each table cell · tags : (name, attributes)
    """

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self.cells: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self._open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        while tag in self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if {"script", "style"} & set(self._open):
            return
        self.texts.append(data)
        if {"td", "th"} & set(self._open):
            self.cells[-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    @property
    def shown_cells(self) -> set[str]:
        return {cell.strip() for cell in self.cells}
