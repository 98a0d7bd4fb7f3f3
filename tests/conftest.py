"""What all tests share."""

import importlib.metadata
import os
import platform
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pandas as pd
import pytest

REPOSITORY = Path(__file__).parents[1]
_FIGURES = pytest.StashKey[dict[str, list[dict[str, object]]]]()
_PACKAGES = ("relcap-models", "numpy", "pandas", "numba", "pymc", "nutpie", "arviz", "jax", "blackjax")


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


@pytest.fixture(scope="session")
def environment() -> str:
    """Machine and versions, without which a speed means nothing."""
    return _environment()


def _environment() -> str:
    there = {d.name: d.version for d in importlib.metadata.distributions()}
    versions = ", ".join(f"{name} {there[name]}" for name in _PACKAGES if name in there)
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}, {versions}"
    )


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`figures(table, **row)`: a row that is printed after the run."""
    tables = request.config.stash.setdefault(_FIGURES, {})

    def add(table: str, **row: object) -> None:
        tables.setdefault(table, []).append(row)

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    tables = config.stash.get(_FIGURES, {})
    if tables:
        terminalreporter.section("figures")
        terminalreporter.write_line(_environment())
    for name, rows in tables.items():
        terminalreporter.write_line(f"\n{name}")
        terminalreporter.write_line(pd.DataFrame(rows).to_string(index=False, float_format="{:.3g}".format))
