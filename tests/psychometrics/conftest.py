"""Data of published values, and how those name a model's figures."""

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
def bfi(data_of):
    """Personality items, A1 turned round."""
    return data_of("psychtools_bfi").assign(A1=lambda x: 7 - x["A1"])


@pytest.fixture(scope="session")
def agreeable(bfi):
    """Agreeableness, gender and education."""
    return bfi[[*(f"A{i}" for i in range(1, 6)), "gender", "education"]]


@pytest.fixture(scope="session")
def datcat(data_of):
    """Eight items of five categories, two groups."""
    return data_of("semtools_datcat")


def named(result) -> pd.Series:
    """A fitted model's figures by the names of the reference values."""
    table = result.parameters
    key = table["lhs"] + table["op"] + table["rhs"]
    for mark, of in {"@g": "group", "@l": "level"}.items():
        if (table[of] == 2).any():
            key = key + mark + table[of].astype(str)
    columns = {"est": "est", "se": "se", "std.all": "std_all"}
    parts = [pd.Series(table[c].to_numpy(), index=kind + ":" + key) for kind, c in columns.items()]
    return pd.concat([result.fit_measures.rename(lambda name: f"fit:{name}"), *parts])
