"""What benchmarks share."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from tests.benchmarks.measure import keep


@pytest.fixture(scope="session")
def measured_folder() -> Path:
    """Figures that the documentation shows stand here."""
    return Path(__file__).parent / "measured"


@pytest.fixture
def kept(
    figures: Callable[..., None], measured_folder: Path, environment: str
) -> Callable[[str, pd.DataFrame, Sequence[str]], None]:
    """`kept(table, rows, by)`: rows that are printed after the run, and take the place of those with the same
    `by` in a table of what was measured."""

    def add(table: str, rows: pd.DataFrame, by: Sequence[str]) -> None:
        for row in rows.to_dict("records"):
            figures(table, **row)
        keep(rows, measured_folder / f"{table}.csv", by=by, environment=environment)

    return add
