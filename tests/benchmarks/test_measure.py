"""What the benchmarks measure with."""

import numpy as np
import pytest

from tests.benchmarks.measure import cost_of


def test_memory_of_a_process_is_its_own():
    """And not that of the one that started it, which may have held long runs."""
    held = np.ones(60_000_000)
    few = cost_of("-c", "pass").mib
    many = cost_of("-c", "held = bytearray(200 * 2**20)").mib
    assert few < 100 < held.nbytes / 2**20
    assert many - few == pytest.approx(200, abs=10)


def test_a_command_that_fails_says_why():
    with pytest.raises(AssertionError, match="no such luck"):
        cost_of("-c", "raise SystemExit('no such luck')")
    assert cost_of("-c", "raise SystemExit(3)", allowed=(0, 3)).seconds > 0
