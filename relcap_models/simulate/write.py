"""Write a simulated survey as files: whole files or none, never half a table."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from relcap_models.simulate.simulation import Simulated


def write(simulated: Simulated, data: Path, truth: Path) -> None:
    """Write the tables to `data` and the truth to `truth`, one CSV each (UTF-8 without BOM, comma, point).

    The folders are made where they are absent; other files in them stay. Every file is written beside its
    place first and then moved there.
    """
    for folder, tables in ((data, simulated.tables), (truth, simulated.truth)):
        _write_tables(tables, Path(folder))


def _write_tables(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as scratch:
        for name, table in tables.items():
            table.to_csv(Path(scratch) / f"{name}.csv", index=False, encoding="utf-8", lineterminator="\n")
        for name in tables:
            os.replace(Path(scratch) / f"{name}.csv", folder / f"{name}.csv")
