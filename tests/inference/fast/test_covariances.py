"""Draws of standard deviations: their prior where the answers say nothing, else nearly normal."""

import numpy as np
import pytest

from relcap_models.inference.fast.covariances import Covariances
from tests.models.conftest import open_case


def drawn(spread):
    """(S,) draws of the first unit standard deviation, its mode, and what moves with it to first order.

    The mode is where a gamma prior of shape 2 and mean m has its own on the scale of the cube root,
    sd·2/m = 5/3: the likelihood is flat there.
    """
    covariances = Covariances(open_case("one wave, own ratings").density)
    mode = covariances.start()
    where = covariances.layout.slices["sd_unit"].start
    mean = covariances.layout.parameters[0].first[0]
    mode[where] = np.log(mean * 5 / 6)
    covariance = np.eye(covariances.size) * 1e-6
    covariance[where, where] = spread**2
    theta, linear = covariances.draw(mode, covariance, 40_000, np.random.default_rng(1))
    return np.exp(theta[:, where]), np.exp(mode[where]), linear[:, where], mean


def test_a_spread_of_which_nothing_is_known_has_its_prior():
    sd, mode, linear, mean = drawn(2.0)
    # Gamma of shape 2: sd of mean/√2, so a Monte Carlo error of 0.0035 means; lower tail P(sd < m/4) = .0902.
    assert sd.mean() == pytest.approx(mean, rel=0.015)
    assert sd.std() == pytest.approx(mean / np.sqrt(2), rel=0.03)
    assert np.mean(sd < mean / 4) == pytest.approx(0.0902, abs=0.006)
    np.testing.assert_allclose(linear, 0.5 * ((sd / mode) ** 2 - 1), rtol=1e-9)


def test_a_well_known_spread_is_normal_on_the_scale_of_its_cube_root():
    sd, mode, _, _ = drawn(0.15)
    root = np.cbrt(sd / mode)
    assert root.mean() == pytest.approx(1.0, abs=4 * 0.05 / 200)
    assert root.std() == pytest.approx(0.05, rel=0.02)


def steps(log_likelihood, slope_and_information, n_steps):
    """Distance of the first unit standard deviation's logarithm from its mode after so many steps."""
    covariances = Covariances(open_case("one wave, own ratings").density)
    theta = covariances.start()
    where = covariances.layout.slices["sd_unit"].start
    information = 1e6 * np.eye(covariances.size)
    gradient = np.zeros(covariances.size)
    for _ in range(n_steps):
        variance = np.exp(2 * theta[where])
        slope, information[where, where] = slope_and_information(variance)
        gradient = covariances.power - covariances.log_prior(theta)[1]
        gradient[where] = slope
        theta = theta + covariances.step(theta, gradient, information)
    grid = theta.copy() + np.zeros((40_001, covariances.size))
    grid[:, where] = np.linspace(-8, 2, 40_001)
    value = [covariances.log_prior(at)[0] - covariances.power @ at for at in grid[::40]]
    rough = grid[np.argmax(value + log_likelihood(np.exp(2 * grid[::40, where]))) * 40, where]
    fine = grid[np.abs(grid[:, where] - rough) < 0.02]
    value = [covariances.log_prior(at)[0] - covariances.power @ at for at in fine]
    return theta[where] - fine[np.argmax(value + log_likelihood(np.exp(2 * fine[:, where]))), where]


def test_steps_reach_a_spread_of_which_the_answers_say_that_it_is_near_0():
    # Log likelihood −40·v − 50·v²: greatest at a variance below 0.
    left = steps(lambda v: -40 * v - 50 * v**2, lambda v: (2 * v * (-40 - 100 * v), 4 * v**2 * 100), 5)
    assert left == pytest.approx(0, abs=0.005)


@pytest.mark.parametrize("truth", [0.02, 2.0])
def test_steps_reach_a_spread_that_is_well_known(truth):
    # 400 values of variance `truth`: average information n·S/(2v³) of the variance (Gilmour et al. 1995).
    left = steps(
        lambda v: -200 * (np.log(v) + truth / v), lambda v: (400 * (truth / v - 1), 800 * truth / v), 7
    )
    assert left == pytest.approx(0, abs=0.005)
