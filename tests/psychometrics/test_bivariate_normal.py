"""Bivariate normal orthants and tables against mpmath and finite differences."""

import math

import numpy as np
import pytest
from scipy.special import ndtr

from relcap_models.psychometrics.bivariate_normal import (
    bivariate_normal_cdf,
    bivariate_normal_density,
    bivariate_normal_density_slope,
    table_probabilities,
    table_slopes,
    table_threshold_slopes,
)

# mpmath 1.4.1, 30 digits: quad of npdf(t) ncdf((y − ρt) / √(1 − ρ²)) over t ≤ x, cut at y/ρ and around it.
ORTHANTS = [
    (0.0, 0.0, 0.5, 0.33333333333333333),
    (-1.3, 0.7, 0.12, 0.079442124518082614),
    (0.4, -2.1, -0.29, 0.0066475596421742909),
    (1.7, 1.1, 0.31, 0.8340575990660109),
    (-0.6, -0.9, -0.6, 0.0073877607660551008),
    (2.5, -0.3, 0.74, 0.38208673712825853),
    (-1.1, 1.6, 0.76, 0.13566288924507345),
    (0.3, 0.9, -0.92, 0.43391053747053921),
    (0.5, 0.6, 0.93, 0.65540832297033867),
    (-1.2, -1.25, 0.97, 0.091590103628176602),
    (1.5, -1.4, -0.99, 0.01672869958299951),
    (-0.2, -0.3, -0.95, 0.0030896714018696689),
    (2.0, 2.0, 0.9999, 0.97694526425807706),
    (0.7, 0.7001, 0.99999999, 0.75803011411919542),
    (-3.2, -3.1, 0.98, 0.00057909473730523055),
    (-5.0, -4.0, 0.5, 1.5234979593483213e-8),
    (-1.0, 1.0, -0.9999, 0.0013651736228013135),
]
ROWS = np.array([-1.2, 0.1, 0.9])
COLUMNS = np.array([-0.4, 1.3])
CORRELATIONS = [-0.998, -0.93, -0.8, -0.5, -0.1, 0.0, 0.2, 0.31, 0.76, 0.9, 0.94, 0.998]


@pytest.mark.parametrize(("x", "y", "rho", "expected"), ORTHANTS)
def test_orthants_are_those_of_mpmath(x, y, rho, expected):
    assert bivariate_normal_cdf(x, y, rho) == pytest.approx(expected, abs=1e-15)
    assert bivariate_normal_cdf(y, x, rho) == pytest.approx(expected, abs=1e-15)


def test_orthants_of_one_variable_add_up_over_the_other():
    rng = np.random.default_rng(1)
    for x, y, rho in zip(
        rng.normal(size=500) * 2, rng.normal(size=500) * 2, np.tanh(rng.normal(size=500) * 3)
    ):
        parts = bivariate_normal_cdf(x, y, rho) + bivariate_normal_cdf(x, -y, -rho)
        assert parts == pytest.approx(ndtr(x), abs=2e-15)


@pytest.mark.parametrize("rho", [-1.0, -0.95, 0.0, 0.5, 0.999, 1.0])
def test_infinite_bounds_leave_the_other_margin(rho):
    inf = math.inf
    assert bivariate_normal_cdf(inf, 0.3, rho) == pytest.approx(ndtr(0.3), abs=1e-15)
    assert bivariate_normal_cdf(0.3, inf, rho) == pytest.approx(ndtr(0.3), abs=1e-15)
    assert bivariate_normal_cdf(-inf, 0.3, rho) == 0.0
    assert bivariate_normal_cdf(0.3, -inf, rho) == 0.0
    assert bivariate_normal_cdf(inf, inf, rho) == 1.0


def test_at_correlations_of_one_an_orthant_is_an_interval():
    assert bivariate_normal_cdf(0.4, -0.3, 1.0) == pytest.approx(ndtr(-0.3), abs=1e-15)
    assert bivariate_normal_cdf(0.4, 0.3, -1.0) == pytest.approx(ndtr(0.4) - ndtr(-0.3), abs=1e-15)
    assert bivariate_normal_cdf(0.4, -0.5, -1.0) == 0.0


def test_a_table_adds_up_to_its_margins():
    for rho in CORRELATIONS:
        table = table_probabilities(ROWS, COLUMNS, rho)
        np.testing.assert_allclose(table.sum(axis=1), np.diff(ndtr([-np.inf, *ROWS, np.inf])), atol=1e-15)
        np.testing.assert_allclose(table.sum(axis=0), np.diff(ndtr([-np.inf, *COLUMNS, np.inf])), atol=1e-15)


@pytest.mark.parametrize("rho", CORRELATIONS)
def test_slopes_by_correlation_are_finite_differences(rho):
    h = 1e-5 * (1 - rho**2)
    first, second = table_slopes(ROWS, COLUMNS, rho)
    up, down = table_probabilities(ROWS, COLUMNS, rho + h), table_probabilities(ROWS, COLUMNS, rho - h)
    # Rounding of probabilities is 1e-16, so that of the quotient 1e-16 / h; truncation is of order h².
    np.testing.assert_allclose(first, (up - down) / (2 * h), atol=1e-15 / h + 1e-8, rtol=1e-6)
    up, down = table_slopes(ROWS, COLUMNS, rho + h)[0], table_slopes(ROWS, COLUMNS, rho - h)[0]
    np.testing.assert_allclose(second, (up - down) / (2 * h), rtol=1e-6, atol=1e-7 * np.abs(second).max())


@pytest.mark.parametrize("rho", CORRELATIONS)
def test_slopes_by_threshold_are_finite_differences(rho):
    h = 1e-5
    slopes = table_threshold_slopes(ROWS, COLUMNS, rho)
    for k in range(len(ROWS)):
        step = np.eye(len(ROWS))[k] * h
        up, down = (table_probabilities(ROWS + sign * step, COLUMNS, rho) for sign in (1, -1))
        expected = np.zeros_like(up)
        expected[k], expected[k + 1] = slopes[k], -slopes[k]
        # The third derivative grows with 1 / (1 − ρ²).
        np.testing.assert_allclose((up - down) / (2 * h), expected, atol=1e-9 / (1 - rho**2))


def test_density_and_its_slope_vanish_at_infinity():
    assert bivariate_normal_density(math.inf, 0.0, 0.5) == 0.0
    assert bivariate_normal_density_slope(0.0, -math.inf, 0.5) == 0.0
