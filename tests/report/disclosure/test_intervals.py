"""Feasibility intervals against another solver, one fresh programme for each end."""

import numpy as np
import pytest
from scipy.optimize import linprog

from relcap_models.report.disclosure.intervals import interval_lengths


@pytest.mark.parametrize("seed", range(8))
def test_lengths_are_those_of_fresh_programmes(seed):
    """Each objective starts where the last one ended: none may inherit what was true of another."""
    rng = np.random.default_rng(seed)
    n_unknown, n_equations, n_sums = 14, 6, 10
    matrix = (rng.random((n_equations, n_unknown)) < 0.4).astype(float)
    truth = rng.integers(1, 9, n_unknown).astype(float)
    lower, upper = np.ones(n_unknown), np.full(n_unknown, 9.0)
    weights = (rng.random((n_sums, n_unknown)) < 0.3).astype(float)
    # Never enough: every sum gets its own two programmes.
    found = interval_lengths(matrix, truth, lower, upper, weights, np.full(n_sums, np.inf))
    bounds = np.column_stack([lower, upper])
    for length, weight in zip(found, weights):
        ends = [
            sign * linprog(sign * weight, A_eq=matrix, b_eq=matrix @ truth, bounds=bounds).fun
            for sign in (1.0, -1.0)
        ]
        assert length == pytest.approx(ends[1] - ends[0], abs=1e-6)
