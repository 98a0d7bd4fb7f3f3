"""What benchmarks share: commands measured from outside, and their figures printed at the end."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

_FIGURES = pytest.StashKey[dict[str, list[dict[str, object]]]]()
_PACKAGES = ("relcap-models", "numpy", "pandas", "numba", "pymc", "nutpie", "arviz")


@dataclass(frozen=True)
class Cost:
    """Wall-clock seconds and peak resident memory in MiB of a process and the largest of its children."""

    seconds: float
    mib: float


def environment() -> str:
    """Machine and versions, without which no figure means anything."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}, {versions}"
    )


def cost_of(*command: object, allowed: tuple[int, ...] = (0,)) -> Cost:
    """Run a command of this Python to its end; another exit code than those allowed is an error."""
    began = time.perf_counter()
    arguments = [sys.executable, *map(str, command)]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in allowed, said
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(seconds, usage.ru_maxrss / unit)


def relcap(*arguments: object, allowed: tuple[int, ...] = (0,)) -> Cost:
    """Cost of a `relcap` command in a process of its own."""
    return cost_of("-c", "from relcap_models.cli import main; main()", *arguments, allowed=allowed)


@pytest.fixture
def figures(request) -> Callable[..., None]:
    """`figures(table, **row)`: a row that is printed after the run."""
    tables = request.config.stash.setdefault(_FIGURES, {})

    def add(table: str, **row: object) -> None:
        tables.setdefault(table, []).append(row)

    return add


@pytest.fixture(scope="session")
def measured_folder() -> Path:
    """Figures that the documentation shows stand here."""
    return Path(__file__).parent / "measured"


def pytest_terminal_summary(terminalreporter, config):
    tables = config.stash.get(_FIGURES, {})
    if tables:
        terminalreporter.section("figures")
        terminalreporter.write_line(environment())
    for name, rows in tables.items():
        terminalreporter.write_line(f"\n{name}")
        terminalreporter.write_line(pd.DataFrame(rows).to_string(index=False, float_format="{:.3g}".format))
