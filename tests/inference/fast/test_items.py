"""Item parameters of the fast engine: how far a step goes, and their prior."""

import numpy as np
import pytest

from relcap_models.data import read_survey
from relcap_models.inference import fit
from relcap_models.inference.fast.items import FIRST_LENGTH, Items, next_length
from relcap_models.inference.fast.trust import trust
from tests.models.conftest import build_case, open_case


@pytest.mark.parametrize("curvature", [0.6, 1.0, 2.5])
def test_the_second_step_arrives_if_one_curvature_is_wrong_by_one_factor(curvature):
    # Each proposed step is `curvature` times the way that is left.
    rng = np.random.default_rng(1)
    root = rng.normal(size=(4, 4))
    metric, way = root @ root.T + np.eye(4), rng.normal(size=4)
    length, last = FIRST_LENGTH, None
    for _ in range(2):
        step = curvature * way
        length = next_length(length, last, step, metric, longest=2.0)
        last, way = step, way - length * step
    np.testing.assert_allclose(way, 0, atol=1e-12)


def test_a_step_is_never_longer_than_allowed_and_never_nothing():
    step = np.array([1.0, -1.0])
    assert next_length(1.0, step, 1.1 * step, np.eye(2), longest=2.0) == 2.0
    assert next_length(0.1, step, -20 * step, np.eye(2), longest=2.0) == 0.1


@pytest.mark.parametrize(
    "name", ["items with 2, 3 and 7 categories", "one wave, own ratings", "gaussian, two waves"]
)
def test_the_information_of_the_prior_is_the_slope_of_its_slope(name):
    case = open_case(name)
    frame, model = case.frame, case.model
    items = Items(frame, model.response, model.loadings, model.priors, model.latent_scale(frame))
    vector = items.start + np.random.default_rng(2).normal(0, 0.02, len(items.start))
    found = items.prior_information(vector)
    step = 1e-6
    known = len(items.start) - (items.n_items if model.response == "gaussian" else 0)
    for k in range(known):  # The half-normal prior of a residual sd has no information of its own.
        above, below = vector.copy(), vector.copy()
        above[k] += step
        below[k] -= step
        slope = (items.prior_gradient(above) - items.prior_gradient(below)) / (2 * step)
        np.testing.assert_allclose(found[k], -slope, atol=1e-4 * np.abs(found).max())


@pytest.mark.parametrize("name", ["items with 2, 3 and 7 categories", "one wave, own ratings"])
def test_drawn_thresholds_keep_their_order_and_small_moves_are_as_they_are(name):
    case = open_case(name)
    items = Items(case.frame, case.model.response, case.model.loadings, case.model.priors, 1.0)
    moves = np.random.default_rng(3).normal(0.0, 0.6, (200, len(items.start)))
    drawn = items.bent(items.start, moves)[:, items.n_items :]
    same_item = np.diff(items.item_of) == 0
    assert (np.diff(items.start + moves)[:, items.n_items :][:, same_item] <= 0).any()
    assert (np.diff(drawn)[:, same_item] > 0).all()
    small = 1e-5 * moves
    np.testing.assert_allclose(items.bent(items.start, small) - items.start, small, atol=1e-8)


def test_a_category_that_nobody_chose_keeps_its_place_between_two_thresholds():
    model, survey = build_case("one wave, own ratings")
    responses = survey.responses.assign(value=survey.responses["value"].replace(2, 1))
    few = read_survey(
        {"responses": responses, "units": survey.units}, instruments=tuple(survey.instruments.values())
    )
    found = fit(model, few, engine="fast", seed=1, chains=2, draws=100, progress=False)
    assert {check: passed for check, _, _, _, passed, _ in trust(found)}["fast_settled"]
    gaps = np.diff(found.draws("threshold").reshape(200, len(found.frame.items), -1), axis=2)
    assert (gaps.mean(axis=0) > 0.005).all()
