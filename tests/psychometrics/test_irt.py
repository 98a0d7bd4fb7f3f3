"""Item response models find mirt's estimates, known truth, and say what cannot be estimated."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime
from scipy.special import expit
from scipy.stats import norm

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.irt import gpcm, grm
from relcap_models.psychometrics.irt_curves import GRADED, PARTIAL_CREDIT
from relcap_models.psychometrics.irt_marginal import (
    GRID,
    arrange,
    hessian,
    normal_curve,
    value_and_gradient,
)

LEVELS = ["strongly disagree", "disagree", "agree", "strongly agree"]
SCIENCE = ["Comfort", "Work", "Future", "Benefit"]


@pytest.fixture(scope="module")
def science(data_of):
    return data_of("ltm_science")[SCIENCE].astype(pd.CategoricalDtype(LEVELS, ordered=True))


@pytest.fixture(scope="module")
def agreeableness(data_of):
    items = data_of("psychtools_bfi")[["A1", "A2", "A3", "A4", "A5"]]
    return items.assign(A1=7 - items["A1"]).dropna()


def graded_answers(theta, slopes, difficulties, rng):
    """(respondent, item) codes of a graded response model; difficulties : (item, threshold)."""
    z = slopes[:, None] * (theta[:, None, None] - difficulties)
    return (rng.uniform(size=(len(theta), len(slopes), 1)) < expit(z)).sum(axis=2)


def partial_credit_answers(theta, slopes, difficulties, rng):
    steps = np.cumsum(slopes[:, None] * (theta[:, None, None] - difficulties), axis=2)
    weights = np.exp(np.concatenate([np.zeros((*steps.shape[:2], 1)), steps], axis=2))
    above = 1 - np.cumsum(weights / weights.sum(axis=2, keepdims=True), axis=2)[:, :, :-1]
    return (rng.uniform(size=(*above.shape[:2], 1)) < above).sum(axis=2)


SLOPES = np.array([0.8, 1.2, 1.6, 2.2, 1.0])
DIFFICULTIES = np.array(
    [[-1.5, 0.0, 1.2], [-1.0, 0.3, 1.5], [-2.0, -0.5, 0.5], [-0.8, 0.2, 1.0], [-1.2, -0.2, 0.9]]
)


def test_large_scales_are_fitted(data_of):
    items = data_of("psychtools_bfi").filter(regex="^[AECNO][1-5]$").dropna()
    assert np.isfinite(grm(items).discrimination).all()


@pytest.mark.parametrize(("model", "answers"), [(grm, graded_answers), (gpcm, partial_credit_answers)])
def test_the_loglikelihood_is_an_integral_over_the_trait(model, answers):
    """A slow sum over a fine grid of probabilities written out from the published formulas."""
    rng = np.random.default_rng(5)
    codes = answers(rng.normal(size=60), SLOPES[:3], DIFFICULTIES[:3], rng)
    codes = np.where(rng.uniform(size=codes.shape) < 0.2, np.nan, codes)
    codes[0, 0] = codes[1, 0] = codes[2, 0] = np.nan
    fit = model(codes)
    theta = np.linspace(-9, 9, 1801)
    total = 0.0
    for row in codes:
        likelihood = norm.pdf(theta) * 0.01
        for i, answer in enumerate(row):
            if np.isnan(answer):
                continue
            a, b = fit.discrimination.iloc[i], fit.difficulty.iloc[i].dropna().to_numpy()
            if model is grm:
                above = np.vstack(
                    [np.ones_like(theta), *(expit(a * (theta - t)) for t in b), np.zeros_like(theta)]
                )
                p = above[:-1] - above[1:]
            else:
                steps = np.vstack([np.zeros_like(theta), np.cumsum([a * (theta - t) for t in b], axis=0)])
                p = np.exp(steps) / np.exp(steps).sum(axis=0)
            likelihood = likelihood * p[int(answer)]
        total += np.log(likelihood.sum())
    # The trait's 61 points end at ±6, beyond which a normal has 2e-9.
    assert fit.loglik == pytest.approx(total, abs=1e-5)


def small_marginal(model, n_groups=2):
    rng = np.random.default_rng(2)
    codes = graded_answers(rng.normal(size=50), SLOPES[:3], DIFFICULTIES[:3], rng)
    codes[:, 2] = codes[:, 2] > 1
    codes[rng.uniform(size=codes.shape) < 0.2] = -1
    return arrange(model, codes, [4, 4, 2], rng.integers(n_groups, size=50), n_groups)


@pytest.mark.parametrize("model", [GRADED, PARTIAL_CREDIT])
def test_derivatives_are_those_of_finite_differences(model):
    marginal = small_marginal(model)
    x = np.array([0.9, 1.5, 0.2, -1.1, -1.3, 1.0, 0.1, -1.7, 1.4, 0.3, 0.4, -0.2])
    gradient = value_and_gradient(marginal, x)[1]
    assert gradient == pytest.approx(approx_fprime(x, lambda x: value_and_gradient(marginal, x)[0]), abs=1e-4)
    numeric = approx_fprime(x, lambda x: value_and_gradient(marginal, x)[1])
    assert hessian(marginal, x) == pytest.approx(numeric, abs=1e-4)


def test_a_normal_trait_sums_to_one_with_its_moments():
    weights = np.exp(normal_curve(np.array([0.4, np.log(0.8)]), GRID).log_p[0])
    assert weights.sum() == pytest.approx(1)
    assert weights @ GRID == pytest.approx(0.4, abs=1e-6)
    assert weights @ (GRID - 0.4) ** 2 == pytest.approx(0.64, abs=1e-6)


@pytest.mark.parametrize(("model", "answers"), [(grm, graded_answers), (gpcm, partial_credit_answers)])
def test_known_parameters_come_back_within_their_errors(model, answers):
    rng = np.random.default_rng(11)
    theta = rng.normal(size=2000)
    fit = model(answers(theta, SLOPES, DIFFICULTIES, rng))
    z = np.concatenate(
        [
            (fit.discrimination - SLOPES) / fit.se.discrimination,
            ((fit.difficulty - DIFFICULTIES) / fit.se.difficulty).to_numpy().ravel(),
        ]
    )
    # Twenty correlated z: none beyond 4 (p < .002), and their mean square is 1 with an sd of about .5.
    assert np.abs(z).max() < 4
    assert 0.3 < np.mean(z**2) < 2.5


def test_tens_of_thousands_of_respondents_have_a_maximum():
    """Derivatives are sums over respondents, and rounding keeps those of many from being exactly zero."""
    rng = np.random.default_rng(0)
    trait = rng.normal(size=20_000)[:, None]
    latent = 0.8 * trait + 0.6 * rng.normal(size=(20_000, 3))
    answers = 1 + (latent[:, :, None] > np.array([-2.2, -1.3, -0.6, 0.3])).sum(axis=2)
    fit = grm(pd.DataFrame(answers, columns=["a", "b", "c"]))
    # A normal ogive of slope .8/.6 is close to a logistic curve of 1.75 times that; standard errors are .05.
    np.testing.assert_allclose(fit.discrimination, 1.75 * 0.8 / 0.6, atol=0.15)


def test_scores_correlate_with_the_trait_as_their_reliability_says():
    rng = np.random.default_rng(3)
    theta = rng.normal(size=2000)
    fit = grm(graded_answers(theta, SLOPES, DIFFICULTIES, rng))
    for method in ("eap", "map"):
        scores = fit.scores(method=method)
        reliability = 1 - np.mean(fit.scores()["se"] ** 2)
        # The correlation's standard error is (1 − r²) / √n = .006.
        assert np.corrcoef(scores["theta"], theta)[0, 1] ** 2 == pytest.approx(reliability, abs=0.04)
    assert np.mean((theta - scores["theta"]) ** 2 / scores["se"] ** 2) == pytest.approx(1, abs=0.13)


def test_a_mode_is_where_the_posterior_is_highest(science):
    fit = grm(science)
    theta, se = fit.scores(method="map").iloc[0]
    points = theta + np.array([-1e-3, 0, 1e-3])
    logs = norm.logpdf(points)
    for item in SCIENCE:
        code = science[item].cat.codes.iloc[0]
        above = expit(fit.discrimination[item] * (points[:, None] - fit.difficulty.loc[item].to_numpy()))
        above = np.column_stack([np.ones(3), above, np.zeros(3)])
        logs += np.log(above[:, code] - above[:, code + 1])
    first, second = (logs[2] - logs[0]) / 2e-3, (logs[2] - 2 * logs[1] + logs[0]) / 1e-6
    assert first == pytest.approx(0, abs=1e-5)
    assert se == pytest.approx(1 / np.sqrt(-second), abs=1e-4)


def test_information_is_the_curvature_of_the_expected_loglikelihood(science):
    fit = gpcm(science)
    # Two categories' worth by hand: I = a² Var(k | θ) for partial credit.
    a, b = fit.discrimination["Work"], fit.difficulty.loc["Work"].to_numpy()
    p = np.exp(np.concatenate([[0], np.cumsum(a * (0.5 - b))]))
    p /= p.sum()
    by_hand = a**2 * (p @ np.arange(4) ** 2 - (p @ np.arange(4)) ** 2)
    information = fit.item_information([0.5])
    assert information["Work"].item() == pytest.approx(by_hand)
    assert fit.information([0.5]).item() == pytest.approx(information.sum(axis=1).item())


def test_groups_come_back_with_their_means_and_variances():
    rng = np.random.default_rng(8)
    theta = np.concatenate([rng.normal(size=1000), rng.normal(0.7, 1.4, size=1000)])
    fit = grm(graded_answers(theta, SLOPES, DIFFICULTIES, rng), group=["here"] * 1000 + ["there"] * 1000)
    assert fit.group.loc["here", ["mean", "variance", "mean_se"]].tolist() == [0, 1, 0]
    there = fit.group.loc["there"]
    assert abs(there["mean"] - 0.7) < 3 * there["mean_se"] < 0.25
    assert abs(there["variance"] - 1.96) < 3 * there["variance_se"] < 1
    assert np.abs((fit.discrimination - SLOPES) / fit.se.discrimination).max() < 4


def test_standard_errors_are_those_of_the_delta_method_in_numbers():
    rng = np.random.default_rng(17)
    theta = np.concatenate([rng.normal(size=300), rng.normal(0.7, 1.4, size=300)])
    fit = grm(graded_answers(theta, SLOPES, DIFFICULTIES, rng), group=np.repeat(["a", "b"], 300))
    covariance = np.linalg.inv(-hessian(fit._marginal, fit._x))

    def error(quantity):
        slope = approx_fprime(fit._x, quantity)
        return np.sqrt(slope @ covariance @ slope)

    # Item 3 has the parameters 8 (slope) to 11; the last is the log of the second group's sd.
    assert fit.se.discrimination["3"] == pytest.approx(np.sqrt(covariance[8, 8]), rel=1e-4)
    assert fit.se.difficulty.loc["3", "b1"] == pytest.approx(error(lambda x: -x[9] / x[8]), rel=1e-4)
    assert fit.group.loc["b", "variance_se"] == pytest.approx(error(lambda x: np.exp(2 * x[-1])), rel=1e-4)


def test_a_category_absent_in_a_group_rests_on_the_others():
    rng = np.random.default_rng(9)
    codes = graded_answers(rng.normal(size=600), SLOPES, DIFFICULTIES, rng)
    group = np.repeat(["a", "b"], 300)
    codes[300:, 1] = np.minimum(codes[300:, 1], 2)
    fit = grm(codes, group=group)
    assert fit.difficulty.notna().all(axis=None)
    assert any("'2': nobody chose 3 in group 'b'" in note for note in fit.notes)


def test_reversing_an_item_reverses_its_slope_and_nothing_else(agreeableness):
    plain, turned = grm(agreeableness), grm(agreeableness.assign(A3=7 - agreeableness["A3"]))
    assert turned.loglik == pytest.approx(plain.loglik, abs=1e-6)
    assert turned.discrimination["A3"] == pytest.approx(-plain.discrimination["A3"], abs=1e-6)
    assert turned.difficulty.loc["A3"].to_numpy() == pytest.approx(
        plain.difficulty.loc["A3"].to_numpy()[::-1], abs=1e-6
    )
    assert ["'A3' runs against" in note for note in turned.notes] == [True]
    assert turned.scores()["theta"].to_numpy() == pytest.approx(plain.scores()["theta"].to_numpy(), abs=1e-6)


def test_items_of_different_lengths_and_gaps_keep_their_own_thresholds():
    rng = np.random.default_rng(10)
    codes = graded_answers(rng.normal(size=400), SLOPES, DIFFICULTIES, rng) + 1
    frame = pd.DataFrame(codes, columns=list("abcde"))
    frame["a"] = (frame["a"] > 2).astype(int)
    frame["b"] = frame["b"].replace({4: 6})
    fit = grm(frame)
    assert fit.difficulty.notna().sum(axis=1).tolist() == [1, 3, 3, 3, 3]
    assert fit.se.difficulty.notna().equals(fit.difficulty.notna())
    assert any("'b': nobody chose 4, 5" in note for note in fit.notes)
    assert gpcm(frame).difficulty.notna().sum(axis=1).tolist() == [1, 3, 3, 3, 3]


def test_missing_answers_are_left_out_and_not_counted_as_a_category():
    rng = np.random.default_rng(12)
    codes = graded_answers(rng.normal(size=2000), SLOPES, DIFFICULTIES, rng).astype(float)
    codes[rng.uniform(size=codes.shape) < 0.6] = np.nan
    codes[0] = np.nan
    frame = pd.DataFrame(codes, index=pd.RangeIndex(100, 2100))
    fit = grm(frame)
    assert np.abs((fit.discrimination - SLOPES) / fit.se.discrimination).max() < 4
    scores = fit.scores()
    assert scores.index.equals(frame.index)
    assert scores.loc[100].tolist() == pytest.approx([0, 1], abs=1e-6)
    assert fit.scores(method="map").loc[100].tolist() == pytest.approx([0, 1], abs=1e-6)
    assert any("respondents answered no item" in note for note in fit.notes)


def test_an_item_that_tells_nothing_is_noted():
    rng = np.random.default_rng(13)
    codes = graded_answers(rng.normal(size=500), SLOPES, DIFFICULTIES, rng)
    codes[:, 2] = rng.integers(4, size=500)
    assert any("'3' hardly discriminates" in note for note in grm(codes).notes)


def test_rare_categories_are_noted():
    rng = np.random.default_rng(14)
    codes = graded_answers(rng.normal(size=500), SLOPES, DIFFICULTIES, rng)
    codes[0, 0] = 4
    fit = grm(codes)
    assert np.isfinite(fit.se.difficulty.loc["1"]).all()
    assert any("'1': fewer than 5 respondents chose 4" in note for note in fit.notes)


def test_an_item_that_repeats_another_is_refused_or_noted_by_name():
    rng = np.random.default_rng(15)
    codes = graded_answers(rng.normal(size=400), SLOPES, DIFFICULTIES, rng)
    codes[:, 4] = codes[:, 3]
    with pytest.raises(FitError, match=r"'[45]'"):
        grm(codes)


def test_a_group_without_spread_is_refused_by_name():
    rng = np.random.default_rng(16)
    codes = graded_answers(rng.normal(size=400), SLOPES, DIFFICULTIES, rng)
    alike = np.vstack([codes, np.ones((20, 5))])
    with pytest.raises(FitError, match="variance of the trait in group 'b'"):
        grm(alike, group=["a"] * 400 + ["b"] * 20)
    silent = np.vstack([codes, np.full((20, 5), np.nan)])
    with pytest.raises(DataError, match="Nobody answered in group 'b'"):
        grm(silent, group=["a"] * 400 + ["b"] * 20)


def test_what_is_no_scale_is_refused():
    with pytest.raises(DataError, match="3 items are needed"):
        grm(np.array([[1, 2], [2, 1], [1, 1]]))
    rng = np.random.default_rng(1)
    fit = grm(graded_answers(rng.normal(size=200), SLOPES, DIFFICULTIES, rng))
    with pytest.raises(DataError, match="'ml'"):
        fit.scores(method="ml")
    with pytest.raises(DataError, match="finite"):
        fit.information([np.nan])


def test_an_item_answered_alike_in_a_group_is_named_before_what_failed():
    rng = np.random.default_rng(17)
    codes = graded_answers(rng.normal(size=600), SLOPES, DIFFICULTIES, rng)
    codes[300:, 3] = 3
    with pytest.raises(FitError, match=r"(?s)'4': everybody answered 3 in group 'b'.*Leave.*discrimination"):
        grm(codes, group=np.repeat(["a", "b"], 300))


def test_an_item_answered_alike_in_a_group_is_noted_where_the_others_carry_it():
    rng = np.random.default_rng(17)
    codes = graded_answers(rng.normal(size=600), SLOPES, DIFFICULTIES, rng)
    codes[300:, 0] = 3
    notes = grm(codes, group=np.repeat(["a", "b"], 300)).notes
    assert any("'1': everybody answered 3 in group 'b'" in note for note in notes)


def test_missing_answers_are_named_where_they_leave_no_maximum():
    rng = np.random.default_rng(18)
    codes = graded_answers(rng.normal(size=60), SLOPES, DIFFICULTIES, rng)
    holed = np.where(rng.random(codes.shape) < 0.6, np.nan, codes)
    with pytest.raises(FitError, match=r"56% of the answers are missing, and only \d of 60 respondents"):
        grm(holed)
    codes[:, 4] = codes[:, 3]
    with pytest.raises(FitError, match=r"^The discrimination") as whole:
        grm(codes)
    assert "missing" not in str(whole.value)
