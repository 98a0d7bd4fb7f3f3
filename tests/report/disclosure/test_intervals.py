"""Feasibility intervals against another solver, one fresh programme for each end."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linprog

from relcap_models.report.disclosure import intervals
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
    enough = 0.999 * np.median(found)  # a length that is just enough would hang on rounding
    cleared = interval_lengths(*system, np.full(n_sums, enough))
    assert np.all(cleared <= found + 1e-6)
    assert np.array_equal(cleared >= enough, found >= enough)


def programmes(monkeypatch, *system):
    """Lengths of intervals, and how many programmes were solved for them."""
    solved = []
    minimise = intervals._Programme.minimise

    def counted(self, objective, **how):
        solved.append(len(objective))
        return minimise(self, objective, **how)

    with monkeypatch.context() as patch:
        patch.setattr(intervals._Programme, "minimise", counted)
        return interval_lengths(*system), len(solved)


@pytest.mark.parametrize("n_units", [40, 160])
def test_pinned_sums_need_no_programmes_of_their_own(monkeypatch, n_units):
    """A programme costs what all units are large: one for each pinned sum would cost the square of that."""
    # In each unit two unknowns at their upper bound make one sum, and six in the middle another; a third
    # sums all eight.
    truth = np.tile([9.0, 9.0, *[5.0] * 6], n_units)
    n_unknown = len(truth)
    unit, place = np.divmod(np.arange(n_unknown), 8)
    own = np.where(place < 2, 2 * unit, 2 * unit + 1)
    whole = 2 * n_units + unit
    matrix = sparse.csr_array(
        (np.ones(2 * n_unknown), (np.r_[own, whole], np.tile(np.arange(n_unknown), 2))),
        shape=(3 * n_units, n_unknown),
    )
    bounds = np.ones(n_unknown), np.full(n_unknown, 9.0)
    every = sparse.csr_array(sparse.eye_array(n_unknown))
    length, solved = programmes(monkeypatch, matrix, truth, *bounds, every, np.ones(n_unknown))
    assert np.array_equal(length < 1, place < 2)
    assert solved <= 20


def test_intervals_of_single_unknowns_that_share_no_equation(monkeypatch):
    rng = np.random.default_rng(0)
    truth = rng.integers(1, 5, 30).astype(float)
    lower, upper = np.minimum(1.0, truth), truth + rng.integers(0, 3, 30)
    # The first equation leaves two above the lower bounds, the second one below the upper.
    truth[:10], upper[:10], upper[10:20] = 1.0, np.inf, truth[10:20]
    truth[1], upper[13] = 3.0, upper[13] + 1.0
    matrix = np.repeat(np.eye(3), 10, axis=1)
    asked = sparse.csr_array(np.eye(30)[::2])
    found, solved = programmes(
        monkeypatch, sparse.csr_array(matrix), truth, lower, upper, asked, np.full(15, np.inf)
    )
    assert solved == 0
    bounds = np.column_stack([lower, upper])
    for length, own in zip(found, asked.toarray()):
        ends = [
            sign * linprog(sign * own, A_eq=matrix, b_eq=matrix @ truth, bounds=bounds).fun
            for sign in (1.0, -1.0)
        ]
        assert length == pytest.approx(ends[1] - ends[0], abs=1e-6)
