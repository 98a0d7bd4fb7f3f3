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
