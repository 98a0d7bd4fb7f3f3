"""What comparisons with published values share."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import pytest

from tests.validation.reference.comparison import compare, unexplained
from tests.validation.reference.entry import values
from tests.validation.reference.measured import put
from tests.validation.reference.registry import ENTRIES


@pytest.fixture(scope="session")
def published(reference: Path) -> Mapping[tuple[str, str], float]:
    """(id, quantity) → value of the shared table of published values."""
    return values(reference).set_index(["id", "quantity"])["value"].to_dict()


@pytest.fixture
def sampled(repository: Path, reference: Path, environment: str) -> Callable[..., None]:
    """`sampled(id, ours, allowed)`: posterior means for the table by quantity, and differences allowed."""

    def add(id: str, ours: Mapping[str, float], allowed: Mapping[str, float]) -> None:
        (entry,) = (entry for entry in ENTRIES if entry.id == id)
        rows = compare(entry, reference, pd.Series(ours), pd.Series(allowed))
        assert unexplained(rows).empty
        put(repository, reference, environment, rows)

    return add
