"""Answers follow the response model, checked against slow and obvious implementations."""

import numpy as np
import pytest
from scipy import integrate, stats

from relcap_models.simulate.effect_options import Items
from relcap_models.simulate.items import (
    LOGISTIC_SD,
    ItemParameters,
    draw_answers,
    draw_items,
    expected_answers,
)

FAMILIES = ("probit", "logit", "partial_credit")
SD = np.array([0.8, 1.1])


@pytest.fixture
def items(instruments):
    def build(family: str, **options: float) -> ItemParameters:
        rng = np.random.default_rng(11)
        return draw_items(Items(**options), family, instruments["relational_capacity"], SD, rng)

    return build


def category_shares(family: str, linear: float, thresholds: np.ndarray) -> np.ndarray:
    """Chance of each category for one latent value: the oracle, one category at a time."""
    if family == "partial_credit":
        weights = [1.0]
        for threshold in thresholds:
            weights.append(weights[-1] * np.exp(linear - threshold))
        return np.array(weights) / sum(weights)
    cdf = stats.norm.cdf if family == "probit" else stats.logistic.cdf
    edges = [0.0, *(cdf(threshold - linear) for threshold in thresholds), 1.0]
    return np.diff(edges)


def averaged_shares(
    family: str, mean: float, sd: float, loading: float, thresholds: np.ndarray
) -> np.ndarray:
    def weighted(eta: float) -> np.ndarray:
        return category_shares(family, loading * eta, thresholds) * stats.norm.pdf(eta, mean, sd)

    return integrate.quad_vec(weighted, mean - 7 * sd, mean + 7 * sd, epsabs=1e-8)[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_expected_answers_are_those_of_numerical_integration(items, family):
    parameters = items(family)
    means = np.array([[0.3, -0.4], [-1.5, 1.2]])
    expected, favourable = expected_answers(parameters, means, SD)
    for row, mean in enumerate(means):
        for i, d in enumerate(parameters.dimension):
            shares = averaged_shares(family, mean[d], SD[d], parameters.loading[i], parameters.thresholds[i])
            assert expected[row, i] == pytest.approx(shares @ np.arange(1, 6), abs=1e-6)
            assert favourable[row, i] == pytest.approx(shares[3:].sum(), abs=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_drawn_answers_have_the_shares_of_the_response_model(items, family):
    parameters = items(family)
    rng = np.random.default_rng(2)
    n = 40_000
    mean = np.array([0.3, -0.4])
    latent = mean + SD * rng.standard_normal((n, 2))
    answers = draw_answers(parameters, latent, stretch=np.ones(n), agreement=np.zeros(n), rng=rng)
    for i, d in enumerate(parameters.dimension):
        shares = averaged_shares(family, mean[d], SD[d], parameters.loading[i], parameters.thresholds[i])
        counts = np.bincount(answers[:, i].astype(int), minlength=6)[1:]
        assert stats.chisquare(counts, n * shares).pvalue > 1e-4


def test_gaussian_answers_have_their_mean_and_variance_on_a_fine_scale(instruments):
    scale = {"minimum": 0, "maximum": 100, "favourable_from": 60}
    instrument = instruments["relational_capacity"]
    fine = instrument.model_validate(instrument.model_dump() | {"scale": scale})
    options = Items(mean_answer=0.5, residual_sd=8.0, location_sd=3.0)
    sd = np.array([6.0, 4.0])
    parameters = draw_items(options, "gaussian", fine, sd, np.random.default_rng(1))
    rng = np.random.default_rng(2)
    n = 40_000
    latent = np.array([3.0, -2.0]) + sd * rng.standard_normal((n, 2))
    answers = draw_answers(parameters, latent, stretch=np.ones(n), agreement=np.zeros(n), rng=rng)
    expected, favourable = expected_answers(parameters, np.array([3.0, -2.0]), sd)
    spread = parameters.loading * sd[parameters.dimension]
    variance = spread**2 + 64
    assert (np.abs(answers.mean(axis=0) - expected) < 4.5 * np.sqrt(variance / n)).all()
    # Rounding adds 1/12 of a point squared.
    assert np.allclose(answers.var(axis=0), variance + 1 / 12, rtol=4.5 * np.sqrt(2 / n))
    # Half a point off at most: the rounded answer reaches 60 from 59.5.
    assert (np.abs((answers >= 60).mean(axis=0) - favourable) < 0.025).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_item_parameters_are_ordered_and_loadings_balanced_within_dimensions(items, family):
    parameters = items(family)
    for d in range(2):
        assert np.log(parameters.loading[parameters.dimension == d]).sum() == pytest.approx(0)
    assert all((np.diff(thresholds) > 0).all() for thresholds in parameters.thresholds)
    assert parameters.loading.std() > 0.05


def test_equal_loadings_are_exactly_one(items):
    assert (items("probit", loading_sd=0).loading == 1).all()


@pytest.mark.parametrize("family", ["probit", "logit"])
def test_answers_are_skewed_to_the_top_about_the_mean_asked_for(items, family):
    parameters = items(family, location_sd=0, spread_sd=0)
    expected, favourable = expected_answers(parameters, np.zeros(2), SD)
    # Five categories as fifths of a beta distribution with mean .68 of its range: within half a category.
    assert np.allclose(expected, 1 + 0.68 * 4, atol=0.3)
    assert (favourable > 0.5).all()
    # All items alike once their own location and spread are off: thresholds follow the latent spread.
    tolerance = 1e-9 if family == "probit" else 0.05
    assert np.ptp(expected) < tolerance


def test_a_reversed_item_is_turned_as_answered_and_not_in_its_expectation(instruments):
    instrument = instruments["relational_capacity"]
    raw = instrument.model_dump()
    raw["items"] = [dict(item, reversed=(k == 0)) for k, item in enumerate(raw["items"])]
    turned = type(instrument).model_validate(raw)
    latent = np.random.default_rng(0).normal(size=(500, 2))
    answers, expectations = [], []
    for version in (instrument, turned):
        parameters = draw_items(Items(), "probit", version, SD, np.random.default_rng(3))
        quiet = {"stretch": np.ones(500), "agreement": np.zeros(500), "rng": np.random.default_rng(4)}
        answers.append(draw_answers(parameters, latent, **quiet))
        expectations.append(expected_answers(parameters, np.zeros(2), SD)[0])
    assert np.array_equal(answers[1][:, 0], 6 - answers[0][:, 0])
    assert np.array_equal(answers[1][:, 1:], answers[0][:, 1:])
    assert np.array_equal(*expectations)


def test_response_styles_move_answers_to_ends_middle_and_agreement(items):
    parameters = items("probit")
    n = 4000
    latent = SD * np.random.default_rng(0).standard_normal((n, 2))

    def drawn(stretch: float, agreement: float) -> np.ndarray:
        rng = np.random.default_rng(1)
        shift = np.full(n, agreement)
        return draw_answers(parameters, latent, stretch=np.full(n, stretch), agreement=shift, rng=rng)

    plain, extreme, middle = drawn(1.0, 0.0), drawn(0.5, 0.0), drawn(2.0, 0.0)

    def ends(answers: np.ndarray) -> float:
        return float(np.isin(answers, (1, 5)).mean())

    assert ends(extreme) > ends(plain) + 0.1
    assert ends(middle) < ends(plain) - 0.1
    assert drawn(1.0, 0.7).mean() > plain.mean() + 0.2


def test_logistic_noise_has_the_sd_that_thresholds_are_laid_for():
    assert stats.logistic.std() == pytest.approx(LOGISTIC_SD)


def test_answers_that_nobody_gives_have_thresholds_and_the_truth_knows_it(instruments):
    """So concentrated that cumulative shares are 0 or 1 to rounding: all answer 4, and are expected to."""
    options = Items(mean_answer=0.7, concentration=3000, location_sd=0, spread_sd=0, loading_sd=0)
    instrument = instruments["relational_capacity"]
    rng = np.random.default_rng(1)
    items = draw_items(options, "probit", instrument, np.full(2, 0.5), rng)
    assert all(np.isfinite(t).all() for t in items.thresholds)
    latent = 0.5 * rng.standard_normal((2000, 2))
    answers = draw_answers(items, latent, stretch=np.ones(2000), agreement=np.zeros(2000), rng=rng)
    expected, _ = expected_answers(items, np.zeros((1, 2)), np.full(2, 0.5))
    np.testing.assert_allclose(answers.mean(axis=0), expected[0], atol=0.05)
    assert (answers == 4).mean() > 0.99
