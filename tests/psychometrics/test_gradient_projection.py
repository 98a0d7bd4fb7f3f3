"""Starts that descend together end where each would alone, and where statsmodels does; the lowest counts."""

import numpy as np
import pytest
from statsmodels.multivariate.factor_rotation import rotate_factors

from relcap_models.psychometrics.gradient_projection import TOLERANCE, descend, lowest
from relcap_models.psychometrics.rotation import geomin_criterion, quartimin_criterion, varimax_criterion

CRITERIA = {
    "varimax": (varimax_criterion, False),
    "quartimax": (quartimin_criterion, False),
    "quartimin": (quartimin_criterion, True),
    "geomin": (geomin_criterion, True),
}


def _alike(n_items: int, n_factors: int, seed: int) -> np.ndarray:
    loadings = np.random.default_rng(seed).normal(size=(n_items, n_factors))
    return loadings / np.linalg.norm(loadings, axis=1, keepdims=True)


@pytest.mark.parametrize("name", ["varimax", "quartimax", "quartimin"])
def test_one_start_ends_where_statsmodels_does(name):
    criterion, oblique = CRITERIA[name]
    loadings = _alike(12, 3, seed=1)
    expected, turn = rotate_factors(loadings, name, tol=TOLERANCE, max_tries=2000)
    found, correlation, settled = lowest(loadings, criterion, oblique=oblique, starts=0)
    assert settled
    assert found == pytest.approx(expected, abs=1e-5)
    assert correlation == pytest.approx(turn.T @ turn, abs=1e-5)


@pytest.mark.parametrize("name", CRITERIA)
def test_starts_do_not_meet_each_other(name):
    criterion, oblique = CRITERIA[name]
    loadings = _alike(9, 4, seed=2)
    starts = np.linalg.qr(np.random.default_rng(3).normal(size=(6, 4, 4)))[0]
    together = descend(loadings, criterion, starts, oblique=oblique, steps=40)
    for i in range(6):
        alone = descend(loadings, criterion, starts[i : i + 1], oblique=oblique, steps=40)
        assert together.value[i] == pytest.approx(alone.value[0], abs=1e-9)
        assert together.turn[i] == pytest.approx(alone.turn[0], abs=1e-6)
    before = criterion(loadings @ (starts if not oblique else np.linalg.inv(starts).swapaxes(1, 2)))[0]
    assert (together.value < before).all()
    assert (together.best(2) == together.turn[np.argsort(together.value)[:2]]).all()


@pytest.mark.parametrize("name", CRITERIA)
def test_the_end_is_a_minimum(name):
    criterion, oblique = CRITERIA[name]
    loadings = _alike(10, 3, seed=4)
    found, correlation, settled = lowest(loadings, criterion, oblique=oblique, starts=5)
    assert settled
    assert np.diag(correlation) == pytest.approx(1)
    assert found @ correlation @ found.T == pytest.approx(loadings @ loadings.T)
    rng = np.random.default_rng(5)
    for _ in range(20):
        # Factors beside these, of length 1, and orthogonal ones where the criterion's are.
        turn = np.eye(3) + 1e-3 * rng.normal(size=(3, 3))
        if oblique:
            root = np.linalg.cholesky(correlation).T
            turn = root @ turn
            turn = np.linalg.inv(root) @ (turn / np.linalg.norm(turn, axis=0))
            beside = found @ np.linalg.inv(turn).T
        else:
            beside = found @ np.linalg.qr(turn)[0]
        assert criterion(beside)[0] > criterion(found)[0] - 1e-9


@pytest.mark.parametrize(("name", "seed"), [("varimax", 3), ("quartimax", 29)])
def test_a_single_start_can_miss_the_lowest_minimum(name, seed):
    criterion, oblique = CRITERIA[name]
    loadings = _alike(10, 6, seed)
    one, usual, many = (
        criterion(lowest(loadings, criterion, oblique=oblique, starts=starts)[0])[0]
        for starts in (0, 20, 100)
    )
    assert one > usual + 1e-4
    assert usual == pytest.approx(many, abs=1e-6)
