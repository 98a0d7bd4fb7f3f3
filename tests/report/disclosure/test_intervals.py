"""Feasibility intervals against another solver, one fresh programme for each end."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linprog

from relcap_models.report.disclosure.intervals import interval_lengths


@pytest.mark.parametrize("n_unknown", [14, 300])
@pytest.mark.parametrize("seed", range(8))
def test_lengths_are_those_of_fresh_programmes(seed, n_unknown):
    """Each objective starts where the last one ended: none may inherit what was true of another."""
    rng = np.random.default_rng(seed)
    n_equations, n_sums = 6, 10
    matrix = (rng.random((n_equations, n_unknown)) < 0.4).astype(float)
    truth = rng.integers(1, 9, n_unknown).astype(float)
    lower, upper = np.ones(n_unknown), np.full(n_unknown, 9.0)
    weights = (rng.random((n_sums, n_unknown)) < 0.3).astype(float)
    # Never enough: every sum gets its own two programmes.
    system = sparse.csr_array(matrix), truth, lower, upper, sparse.csr_array(weights)
    found = interval_lengths(*system, np.full(n_sums, np.inf))
    bounds = np.column_stack([lower, upper])
    for length, weight in zip(found, weights):
        ends = [
            sign * linprog(sign * weight, A_eq=matrix, b_eq=matrix @ truth, bounds=bounds).fun
            for sign in (1.0, -1.0)
        ]
        assert length == pytest.approx(ends[1] - ends[0], abs=1e-6)
    # Enough for some: what mixed directions clear is never longer than it is.
    cleared = interval_lengths(*system, np.median(found) * np.ones(n_sums))
    assert np.all(cleared <= found + 1e-6)
    assert np.array_equal(cleared >= np.median(found), found >= np.median(found))
