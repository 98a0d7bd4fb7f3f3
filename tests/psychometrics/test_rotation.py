"""Rotation reaches a minimum of its criterion, the lowest of many."""

import numpy as np
import pytest
from statsmodels.multivariate.factor_rotation._gpa_rotation import orthomax_objective

from relcap_models.psychometrics.extraction import extract
from relcap_models.psychometrics.rotation import Rotation, arrange, geomin_objective, rotate


def test_geomins_gradient_matches_finite_differences():
    loadings = np.random.default_rng(0).normal(size=(6, 3))
    value, gradient = geomin_objective(loadings)
    # By hand: the sum over items of the geometric mean of squared loadings, each .001 larger.
    assert value == pytest.approx(sum(np.prod(row**2 + 0.001) ** (1 / 3) for row in loadings))
    for i, j in np.ndindex(loadings.shape):
        step = np.zeros_like(loadings)
        step[i, j] = 1e-6
        slope = (geomin_objective(loadings + step)[0] - geomin_objective(loadings - step)[0]) / 2e-6
        assert gradient[i, j] == pytest.approx(slope, abs=1e-6)


def test_geomin_of_too_many_factors_ends_as_low_as_lavaan(data_of):
    # lavaan 0.6-14 ends at .14187983 here (9 items, 4 factors), where one start in thirty does.
    items = data_of("lavaan_hs1939")[[f"x{i}" for i in range(1, 10)]]
    loadings = extract(items.corr().to_numpy(), 4, method="ml").loadings
    assert geomin_objective(rotate(loadings, "geomin").loadings)[0] == pytest.approx(0.14187983, abs=1e-6)


def test_varimax_of_two_factors_is_kaisers_angle():
    # Oracle: for two factors the raw varimax criterion is a function of one angle.
    loadings = np.random.default_rng(3).normal(size=(8, 2))
    scaled = loadings / np.linalg.norm(loadings, axis=1, keepdims=True)

    def simplicity(angle):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return np.sum(np.var((scaled @ turn) ** 2, axis=0)), turn

    best = max((simplicity(angle) for angle in np.linspace(0, np.pi / 2, 100_001)), key=lambda x: x[0])
    expected = np.sort(np.abs(loadings @ best[1]), axis=1)
    found = np.sort(np.abs(rotate(loadings, "varimax").loadings), axis=1)
    assert found == pytest.approx(expected, abs=1e-4)


def test_rotation_is_the_same_each_time_and_whatever_the_axes():
    loadings = np.random.default_rng(5).normal(size=(10, 3))
    turn = np.linalg.qr(np.random.default_rng(6).normal(size=(3, 3)))[0]
    units = np.ones(10)
    first = arrange(rotate(loadings, "oblimin"), units)
    assert np.array_equal(arrange(rotate(loadings, "oblimin"), units).loadings, first.loadings)
    again = arrange(rotate(loadings @ turn, "oblimin"), units)
    assert again.loadings == pytest.approx(first.loadings, abs=1e-3)


@pytest.mark.parametrize("method", ["varimax", "quartimax", "oblimin", "quartimin", "geomin", "promax"])
def test_only_oblique_factors_correlate(method):
    loadings = np.random.default_rng(7).normal(size=(9, 3))
    between = rotate(loadings, method).factor_correlation
    assert np.diag(between) == pytest.approx(1)
    assert np.allclose(between, np.eye(3), atol=1e-12) == (method in ("varimax", "quartimax"))


@pytest.mark.parametrize(("method", "seed", "gamma"), [("varimax", 3, 1), ("quartimax", 29, 0)])
def test_a_single_start_can_miss_the_lowest_minimum(method, seed, gamma):
    loadings = np.random.default_rng(seed).normal(size=(10, 6))
    loadings /= np.linalg.norm(loadings, axis=1, keepdims=True)
    one, usual, many = (
        orthomax_objective(
            rotate(loadings, method, starts=starts).loadings, gamma=gamma, return_gradient=False
        )
        for starts in (0, None, 100)
    )
    assert one > usual + 1e-4
    assert usual == pytest.approx(many, abs=1e-6)


def test_factors_stand_in_lavaans_order_and_sign():
    # Factor 1 marks items 3 and 4 negatively, factor 2 items 1 and 2.
    loadings = np.array([[0.1, 0.8], [0.0, 0.7], [-0.9, 0.1], [-0.8, 0.0]])
    rotation = Rotation(loadings, np.array([[1.0, 0.4], [0.4, 1.0]]), True)
    arranged = arrange(rotation, np.ones(4))
    assert np.array_equal(arranged.loadings, loadings[:, ::-1] * [1, -1])
    assert arranged.factor_correlation[0, 1] == -0.4
    # In the items' own units item 1 alone marks factor 2 and outweighs items 3 and 4 on factor 1.
    assert np.array_equal(arrange(rotation, np.array([100.0, 1, 1, 1])).loadings[:, 0], loadings[:, 0])
