"""What all tests share."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def reference() -> Path:
    """Published data and values, which stand beside the checkout and are not part of it."""
    folder = REPOSITORY.parent / "shared" / "reference"
    if not folder.is_dir():
        pytest.skip("the reference data are not here (../shared/reference beside the checkout)")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share costly fixtures run in one process: a file's, or a folder's that fits models."""
    for item in items:
        folder = item.path.parent
        shared = folder if folder.name in ("edge", "inference") else item.path
        item.add_marker(pytest.mark.xdist_group(str(shared.relative_to(REPOSITORY))))
