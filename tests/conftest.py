"""What all tests share."""

from pathlib import Path, PurePosixPath

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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """Tests that share costly fixtures run in one process: a file's, or a folder's that fits models.

    pytest-xdist's own groups (`--dist loadgroup`) are lost with pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByCostlyFixtures(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = PurePosixPath(nodeid.split("::")[0])
            return str(path.parent if path.parent.name in ("edge", "inference") else path)

    return ByCostlyFixtures(config, log)
