"""What grids of simulated data sets share: batches of seeds, and bias, coverage, rejection with their errors.

The table of what was measured is also what a grid goes on from: it tells of each cell how many seeds are in
it, so that a grid of days can be run on many evenings and many machines.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

import relcap_models as rc
from relcap_models.study.many import run_many

BATCH = 10
"""Seeds of each cell between two states of the table."""


class Cell(Protocol):
    """One kind of data set. Seeds of every cell are 1, 2, …, `replicates`."""

    replicates: int

    @property
    def name(self) -> str: ...


def summary(found: pd.DataFrame, *, truth: str, by: Sequence[str]) -> pd.DataFrame:
    """Bias, coverage and rejection of each group of estimates.

    found : a row for each estimate of each data set (`seed`), with mean, sd, lower, upper
    truth : the column with what is estimated · by : columns that tell groups apart
    """
    found = found.dropna(subset=["mean", "lower", "upper"])
    found = found.assign(
        error=found["mean"] - found[truth],
        covered=(found["lower"] <= found[truth]) & (found[truth] <= found["upper"]),
        rejected=(found["lower"] > 0) | (found["upper"] < 0),
    )
    table = found.groupby(list(by), sort=False).agg(
        data_sets=("seed", "nunique"),
        bias=("error", "mean"),
        spread=("error", "std"),
        sd=("sd", "median"),
        coverage=("covered", "mean"),
        rejection=("rejected", "mean"),
    )
    return _with_errors(table).reset_index()


def pooled(first: pd.DataFrame, second: pd.DataFrame, *, by: Sequence[str]) -> pd.DataFrame:
    """The summary of two disjoint sets of data sets from theirs (of `sd`, the mean of both medians)."""
    both = pd.concat([first, second], ignore_index=True)
    n = both["data_sets"]
    sums = both[list(by)].assign(
        data_sets=n,
        squares=n * both["bias"] ** 2 + (n - 1) * both["spread"].fillna(0.0) ** 2,
        **{name: n * both[name] for name in ("bias", "sd", "coverage", "rejection")},
    )
    table = sums.groupby(list(by), sort=False).sum()
    n = table["data_sets"]
    for name in ("bias", "sd", "coverage", "rejection"):
        table[name] /= n
    table["spread"] = np.sqrt((table.pop("squares") - n * table["bias"] ** 2) / (n - 1))
    columns = ["data_sets", "bias", "spread", "sd", "coverage", "rejection"]
    return _with_errors(table[columns]).reset_index()


def _with_errors(table: pd.DataFrame) -> pd.DataFrame:
    n = table["data_sets"]
    table.insert(2, "bias_mcse", table["spread"] / np.sqrt(n))
    for share in ("coverage", "rejection"):
        table[f"{share}_mcse"] = np.sqrt(table[share] * (1 - table[share]) / n)
    return table


def run_batches(
    work: Callable[..., pd.DataFrame],
    cells: Sequence[Cell],
    *,
    measured: Path,
    by: Sequence[str],
    folder: Path,
    until: int | None = None,
) -> pd.DataFrame:
    """Run the data sets that are not in the table `measured` yet, batch by batch, and return the table.

    After each batch the table is written; stopped within one, what it had is kept in `folder` and used.

    work : called with `number` of a cell and `seed`, returns rows for `summary` with the truth in `truth`
    by : columns that tell groups apart, in the rows as in the table, those of the cells among them
    until : the last seed; None for the `replicates` of each cell
    """
    ends = [min(cell.replicates, until or cell.replicates) for cell in cells]
    about = {"version": rc.__version__}
    before = None
    while True:
        table = pd.read_csv(measured) if measured.exists() else None
        done = [_seeds(table, cell) for cell in cells]
        left = [reached for reached, end in zip(done, ends) if reached < end]
        if not left:
            return table
        if done == before:
            raise RuntimeError(f"{measured.name}: the last batch is not in the table")
        before = done
        batch = min(left) + BATCH
        tasks: dict[str, Mapping[str, Any]] = {
            f"{cell.name}-{seed}": {"number": number, "seed": seed}
            for seed in range(1, batch + 1)
            for number, cell in enumerate(cells)
            if done[number] < seed <= ends[number]
        }
        place = folder / f"to_{batch}"
        many = run_many(work, tasks, folder=place, about=about)
        # Keys as they will be read again from the table.
        rows = pd.concat(many.tables.values()).round(dict.fromkeys(by, 4))
        found = summary(rows, truth="truth", by=by).assign(failed=0)
        new = found if table is None else pooled(table, found, by=by)
        new["failed"] = len(many.failed) + (0 if table is None else table["failed"].max())
        for cell, reached, end in zip(cells, done, ends):
            new.loc[_rows(new, cell), "seeds"] = max(reached, min(batch, end))
        measured.parent.mkdir(exist_ok=True)
        unfinished = measured.with_suffix(".part")
        new.round(4).to_csv(unfinished, index=False)
        unfinished.replace(measured)
        shutil.rmtree(place)


def _rows(table: pd.DataFrame, cell: Cell) -> pd.Series:
    """Which rows are the cell's."""
    known = pd.DataFrame([asdict(cell)]).round(4).iloc[0]
    known = known[[name for name in known.index if name in table]]
    return (table[known.index].round(4) == known).all(axis=1)


def _seeds(table: pd.DataFrame | None, cell: Cell) -> int:
    """The last seed of the cell that is in the table."""
    rows = pd.DataFrame() if table is None else table[_rows(table, cell)]
    return 0 if rows.empty else int(rows["seeds"].max())
