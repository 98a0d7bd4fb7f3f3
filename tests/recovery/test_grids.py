"""A grid goes on from its table, and what is pooled is what all data sets together would have given."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tests.recovery.grids import BATCH, pooled, run_batches, summary


@dataclass(frozen=True)
class Cell:
    effect: float
    replicates: int

    @property
    def name(self) -> str:
        return f"{self.effect:g}"


# Three times .1 is not .3 in binary numbers.
CELLS = (Cell(0.0, BATCH + 3), Cell(3 * 0.1, BATCH - 2))


def estimate(number: int, seed: int) -> pd.DataFrame:
    mean = CELLS[number].effect + np.random.default_rng((number, seed)).normal()
    row = {"effect": CELLS[number].effect, "truth": CELLS[number].effect, "seed": seed}
    return pd.DataFrame([row | {"mean": mean, "sd": 1.0, "lower": mean - 1.5, "upper": mean + 1.5}])


def test_pooled_summaries_are_the_summary_of_all():
    rows = pd.concat([estimate(number, seed) for number in (0, 1) for seed in range(1, 30)])
    parts = (rows[rows["seed"] <= 11], rows[rows["seed"] > 11])
    whole, first, second = (summary(part, truth="truth", by=["effect"]) for part in (rows, *parts))
    pd.testing.assert_frame_equal(pooled(first, second, by=["effect"]), whole)


def test_a_grid_goes_on_from_its_table(tmp_path):
    measured = tmp_path / "measured.csv"
    settings = {"measured": measured, "by": ["effect"], "folder": tmp_path / "results"}
    early = run_batches(estimate, CELLS, until=4, **settings)
    assert early["seeds"].tolist() == [4, 4]
    table = run_batches(estimate, CELLS, **settings)
    assert table["seeds"].tolist() == table["data_sets"].tolist() == [BATCH + 3, BATCH - 2]
    rows = pd.concat([estimate(0, seed) for seed in range(1, BATCH + 4)])
    assert abs(table.loc[0, "bias"] - rows["mean"].mean()) < 1e-4
    written = measured.stat().st_mtime_ns
    pd.testing.assert_frame_equal(run_batches(estimate, CELLS, **settings), table)
    assert measured.stat().st_mtime_ns == written
