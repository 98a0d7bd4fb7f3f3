"""What benchmarks share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def measured_folder() -> Path:
    """Figures that the documentation shows stand here."""
    return Path(__file__).parent / "measured"
