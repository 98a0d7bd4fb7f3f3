"""Panels: published counties, and simulated units."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def mpdta(reference: Path) -> pd.DataFrame:
    """Teen employment in 500 counties; `start` is the year of a raised minimum wage."""
    data = pd.read_csv(reference / "did_mpdta.csv")
    return data.rename(columns={"countyreal": "county", "first.treat": "start"}).assign(
        state=lambda x: x["county"] // 1000
    )


def panel(
    seed: int = 1, *, n: int = 60, times: int = 6, starts=(0, 3, 4, 6), effect: float = 0.5
) -> pd.DataFrame:
    """Units with levels of their own, a shock at each time, and an effect that grows from the start on."""
    random = np.random.default_rng(seed)
    start = random.choice(starts, size=n)
    start[: len(starts)] = starts
    unit, time = np.repeat(np.arange(n), times), np.tile(np.arange(1, times + 1), n)
    since = np.where(start[unit] > 0, time - start[unit] + 1, 0).clip(0)
    outcome = (
        random.normal(size=n)[unit]
        + random.normal(size=times)[time - 1]
        + effect * since
        + random.normal(size=n * times)
    )
    return pd.DataFrame(
        {"unit": unit, "time": time, "start": start[unit], "y": outcome, "district": unit % 12}
    )


COLUMNS = {"unit": "unit", "time": "time", "cohort": "start", "outcome": "y"}
