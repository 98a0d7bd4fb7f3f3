import numpy as np
import pytest

from relcap_models.inference.convergence import convergence


@pytest.mark.parametrize(("n_chains", "n_draws"), [(4, 200), (2, 151), (1, 100)])
def test_equals_arviz_on_slow_fast_tied_and_drifting_chains(n_chains, n_draws):
    from arviz_stats.base import array_stats

    rng = np.random.default_rng(1)
    noise = rng.normal(size=(n_chains, n_draws, 6))
    draws = noise.copy()
    for t in range(1, n_draws):
        draws[:, t, 0] = 0.95 * draws[:, t - 1, 0] + noise[:, t, 0]
        draws[:, t, 1] = -0.6 * draws[:, t - 1, 1] + noise[:, t, 1]
    draws[..., 2] = np.round(noise[..., 2])
    draws[..., 3] += np.linspace(0, 3, n_draws)
    draws[..., 4] += np.arange(n_chains)[:, None]

    found = convergence(draws)

    by_quantity = np.moveaxis(draws, 2, 0)
    bulk = array_stats.ess(by_quantity, method="bulk")
    tail = array_stats.ess(by_quantity, method="tail", prob=(0.05, 0.95))
    mean = array_stats.ess(by_quantity, method="mean")
    np.testing.assert_allclose(found.ess_bulk, bulk, rtol=1e-9)
    np.testing.assert_allclose(found.ess_mean, mean, rtol=1e-9)
    np.testing.assert_allclose(found.ess_tail, tail, rtol=1e-9)
    if n_chains > 1:
        np.testing.assert_allclose(found.rhat, array_stats.rhat(by_quantity), rtol=1e-9)


def test_a_constant_is_not_judged_and_an_infinite_value_is_judged_worst():
    draws = np.random.default_rng(2).normal(size=(2, 50, 3))
    draws[..., 0] = 1.0
    draws[0, 7, 1] = np.inf
    found = convergence(draws)
    assert np.isnan(found.rhat[0])
    assert np.isnan(found.ess_bulk[0])
    assert np.isnan(found.ess_tail[0])
    assert found.rhat[1] == np.inf
    assert found.ess_bulk[1] == found.ess_tail[1] == 0
    assert np.isfinite([found.rhat[2], found.ess_bulk[2], found.ess_tail[2]]).all()


def test_shape_of_the_quantities_is_kept():
    draws = np.random.default_rng(3).normal(size=(2, 40, 3, 5))
    assert convergence(draws).rhat.shape == (3, 5)
