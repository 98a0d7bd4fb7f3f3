"""Moments of a rating given its cavity and answers, against integration on a fine grid."""

import numpy as np
import pytest

from relcap_models.inference.fast.items import Items
from relcap_models.inference.fast.pseudo import Quadrature, pseudo_from
from relcap_models.models.families import log_likelihood
from tests.models.conftest import open_case

FAMILIES = (
    "one wave, own ratings",  # probit
    "two waves, some relations from one side",  # logit
    "partial credit, items with 2 and 4 categories",
    "items with 2, 3 and 7 categories",
    "gaussian, two waves",
)


def set_up(name):
    case = open_case(name)
    frame, model = case.frame, case.model
    scale = model.latent_scale(frame)
    items = Items(frame, model.response, model.loadings, model.priors, scale)
    rng = np.random.default_rng(5)
    vector = items.centred(items.start + rng.normal(0, 0.02, len(items.start)))
    mean = rng.normal(0, 0.4, (frame.n_ratings, 2)) * scale
    covariance = np.array([[1.0, 0.5], [0.5, 0.8]]) * scale**2 * rng.uniform(0.2, 1, (frame.n_ratings, 1, 1))
    return frame, model, items, vector, mean, covariance, Quadrature(frame, model.response)


def answer_log_density(frame, model, items, vector, rating, grid):
    """(G,) log probability of the answers of one rating at latent values (G, 2)."""
    loading, place, residual = items.values(vector)
    total = np.zeros(len(grid))
    for m in np.flatnonzero(frame.rating_of_response == rating):
        i = frame.item_of_response[m]
        location = loading[i] * grid[:, frame.dimension_of_item[i]]
        if model.response == "gaussian":
            error = (frame.answer[m] - place[i] - location) / residual[i]
            total += -0.5 * error**2 - np.log(residual[i]) - 0.5 * np.log(2 * np.pi)
        else:
            steps = np.tile(place[frame.item_of_threshold == i], (len(grid), 1))
            total += log_likelihood(model.response, np.full(len(grid), frame.answer[m]), location, steps)
    return total


@pytest.mark.parametrize("name", FAMILIES)
def test_moments_equal_those_on_a_fine_grid(name):
    frame, model, items, vector, mean, covariance, quadrature = set_up(name)
    found = quadrature(items.values(vector), mean, covariance)
    found = quadrature(items.values(vector), mean, covariance, around=found)
    for rating in (0, 3, frame.n_ratings - 1):
        root = np.linalg.cholesky(covariance[rating])
        axis = np.linspace(-7, 7, 241)
        z = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
        grid = mean[rating] + z @ root.T
        log = answer_log_density(frame, model, items, vector, rating, grid) - 0.5 * (z**2).sum(axis=1)
        weight = np.exp(log - log.max())
        mass = weight.sum() * (axis[1] - axis[0]) ** 2 / (2 * np.pi)
        assert found.log_mass[rating] == pytest.approx(np.log(mass) + log.max(), abs=1e-4)
        weight /= weight.sum()
        centre = weight @ grid
        np.testing.assert_allclose(found.mean[rating], centre, atol=1e-3)
        spread = (grid - centre).T @ ((grid - centre) * weight[:, None])
        np.testing.assert_allclose(found.covariance[rating], spread, atol=1e-3)


@pytest.mark.parametrize("name", FAMILIES)
def test_scores_are_slopes_of_the_log_mass(name):
    _, _, items, vector, mean, covariance, quadrature = set_up(name)
    around = quadrature(items.values(vector), mean, covariance)
    found = quadrature(items.values(vector), mean, covariance, around=around, with_score=True)
    scores = items.scores(vector, found)
    step = 1e-5
    for k in range(len(vector)):
        above, below = vector.copy(), vector.copy()
        above[k] += step
        below[k] -= step
        masses = [
            quadrature(items.values(items.centred(v)), mean, covariance, around=around).log_mass
            for v in (above, below)
        ]
        np.testing.assert_allclose(scores[:, k], (masses[0] - masses[1]) / (2 * step), atol=1e-5)


def test_gaussian_answers_are_their_own_pseudo_observation():
    """λ²/σ² on the diagonal, whatever the cavity."""
    frame, _, items, vector, mean, covariance, quadrature = set_up("gaussian, two waves")
    found = quadrature(items.values(vector), mean, covariance)
    for _ in range(2):
        found = quadrature(items.values(vector), mean, covariance, around=found)
    loading, _, residual = items.values(vector)
    expected = np.zeros((frame.n_ratings, 2))
    item = frame.item_of_response
    np.add.at(
        expected,
        (frame.rating_of_response, frame.dimension_of_item[item]),
        (loading[item] / residual[item]) ** 2,
    )
    precision = pseudo_from(mean, covariance, found).precision
    np.testing.assert_allclose(precision[:, [0, 1], [0, 1]], np.maximum(expected, 1e-4), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(precision[:, 0, 1], 0.0, atol=1e-3)
