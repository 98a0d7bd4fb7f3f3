"""Published and other software's values, and the data they belong to."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest


@pytest.fixture(scope="session")
def data_of(reference: Path) -> Callable[[str], pd.DataFrame]:
    """`data_of("lavaan_hs1939")`: a reference data set."""

    def read(name: str) -> pd.DataFrame:
        (path,) = sorted(reference.glob(f"{name}.csv*"))
        return pd.read_csv(path)

    return read


@pytest.fixture(scope="session")
def values_of(reference: Path) -> Callable[[str], pd.Series]:
    """`values_of("hs.cfa.ML")`: reference values by quantity."""
    table = pd.read_csv(reference / "values.csv")

    def read(id: str) -> pd.Series:
        found = table[table["id"] == id].set_index("quantity")["value"]
        assert len(found), f"no reference values for {id}"
        return found

    return read
