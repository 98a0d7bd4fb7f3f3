"""Category probabilities are accurate far out and close together, and agree with slow obvious formulas."""

from itertools import pairwise

import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from relcap_models.models import families, kernels

CUTS = (-1.5, -0.2, -0.2 + 1e-6, 1.3)
LOCATIONS = (-40.0, -12.0, -3.0, -0.5, 0.0, 0.4, 2.0, 9.0, 40.0)


def exact_cell(link: str, a: float, b: float) -> tuple[float, float, float]:
    """log(F(b) − F(a)), f(a)/P and f(b)/P in 900 digits."""
    with mp.workdps(900):
        a, b = mp.mpf(a), mp.mpf(b)
        if link == "probit":
            cdf, pdf = mp.ncdf, mp.npdf
        else:
            cdf = lambda x: mp.mpf(x > 0) if mp.isinf(x) else 1 / (1 + mp.exp(-x))  # noqa: E731
            pdf = lambda x: mp.mpf(0) if mp.isinf(x) else mp.exp(-x) / (1 + mp.exp(-x)) ** 2  # noqa: E731
        mass = cdf(b) - cdf(a)
        return float(mp.log(mass)), float(pdf(a) / mass), float(pdf(b) / mass)


@pytest.mark.parametrize("link", ["probit", "logit"])
@pytest.mark.parametrize("location", LOCATIONS)
def test_cells_are_accurate_out_to_forty(link, location):
    cell = kernels.probit_cell if link == "probit" else kernels.logit_cell
    edges = [-np.inf, *(cut - location for cut in CUTS), np.inf]
    for a, b in pairwise(edges):
        log_p, below, above = cell(a, b)
        exact, exact_below, exact_above = exact_cell(link, a, b)
        # A cell of width 1e-6 at distance 40 loses digits in b − a itself: 40·2⁻⁵² / 1e-6 ≈ 1e-8.
        assert log_p == pytest.approx(exact, rel=1e-9, abs=1e-8)
        assert below == pytest.approx(exact_below, rel=2e-7, abs=1e-12)
        assert above == pytest.approx(exact_above, rel=2e-7, abs=1e-12)


@pytest.mark.parametrize("location", LOCATIONS)
def test_partial_credit_is_accurate_out_to_forty(location):
    steps = np.array(CUTS)
    for answer in range(len(CUTS) + 1):
        with mp.workdps(60):
            score = [mp.mpf(0)]
            for step in steps:
                score.append(score[-1] + mp.mpf(location) - mp.mpf(step))
            mass = mp.fsum(mp.exp(s) for s in score)
            share = [mp.exp(s) / mass for s in score]
            exact = float(score[answer] - mp.log(mass))
            exact_slope = float(answer - mp.fsum(k * p for k, p in enumerate(share)))
            above = [float(mp.fsum(share[k:]) - (answer >= k)) for k in range(1, 5)]
        one, d_eta, d_loading, d_step = np.zeros(1, dtype=np.int64), np.zeros(1), np.zeros(1), np.zeros(4)
        found = kernels.partial_credit(
            np.array([location]),
            one,
            one,
            one + answer,
            np.ones(1),
            steps,
            one,
            one + 5,
            d_eta,
            d_loading,
            d_step,
        )
        assert found == pytest.approx(exact, rel=1e-13, abs=1e-15)
        assert d_eta[0] == pytest.approx(exact_slope, rel=1e-13, abs=1e-13)
        assert d_loading[0] == pytest.approx(location * exact_slope, rel=1e-13, abs=1e-12)
        np.testing.assert_allclose(d_step, above, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("link", ["probit", "logit"])
def test_the_vectorised_pass_equals_one_cell_after_the_other(link):
    cell = kernels.probit_cell if link == "probit" else kernels.logit_cell
    rng = np.random.default_rng(5)
    thresholds = np.array(CUTS)
    answer = rng.integers(0, 5, 3000)
    # Most locations are ordinary; some lie so far out that a probability is below the smallest number.
    eta = rng.normal(size=3000) * rng.choice([1.0, 8.0, 40.0, 400.0], 3000)
    edges = np.concatenate([[-np.inf], thresholds, [np.inf]])
    total, d_eta, d_threshold = 0.0, np.zeros(3000), np.zeros(6)
    for m, (y, location) in enumerate(zip(answer, eta)):
        log_p, below, above = cell(edges[y] - location, edges[y + 1] - location)
        total += log_p
        d_eta[m] = below - above
        d_threshold[y] -= below
        d_threshold[y + 1] += above
    found, found_loading, found_threshold = np.zeros(3000), np.zeros(1), np.zeros(4)
    item = np.zeros(3000, dtype=np.int64)
    value = kernels.cumulative(
        link == "probit",
        eta,
        np.arange(3000),
        item,
        answer,
        np.ones(1),
        thresholds,
        np.zeros(1, dtype=np.int64),
        np.array([5]),
        found,
        found_loading,
        found_threshold,
    )
    assert value == pytest.approx(total, rel=1e-12)
    # Two cuts lie 1e-6 apart: their cell keeps ten digits of its mass.
    np.testing.assert_allclose(found, d_eta, rtol=1e-9, atol=1e-8)
    np.testing.assert_allclose(found_threshold, d_threshold[1:-1], rtol=1e-9)
    assert found_loading[0] == pytest.approx(float(d_eta @ eta), rel=1e-9)


@pytest.mark.parametrize("family", ["probit", "logit", "partial_credit"])
def test_category_probabilities_sum_to_one(family):
    thresholds = np.array(CUTS)
    for location in (-3.0, 0.1, 4.0):
        log_p = families.log_likelihood(
            family, np.arange(5), np.full(5, location), np.tile(thresholds, (5, 1))
        )
        assert np.exp(log_p).sum() == pytest.approx(1.0, rel=1e-12)


def test_partial_credit_equals_its_formula():
    steps, location = np.array([-0.7, 0.9, 0.1]), 0.8
    # P(k) ∝ exp(Σ_{j ≤ k} (location − step_j)): 1, e^{1.5}, e^{1.4}, e^{2.1}.
    weight = np.exp([0.0, 1.5, 1.4, 2.1])
    found = families.log_likelihood(
        "partial_credit", np.arange(4), np.full(4, location), np.tile(steps, (4, 1))
    )
    np.testing.assert_allclose(np.exp(found), weight / weight.sum(), rtol=1e-12)


@pytest.mark.parametrize("family", ["probit", "logit", "partial_credit"])
@pytest.mark.parametrize("sd", [0.0, 0.6, 2.0])
def test_exceedance_equals_brute_force_integration(family, sd):
    steps = np.array([-1.0, 0.3, 1.1])
    found = families.exceedance(family, np.array(0.4), np.array(sd**2), steps)

    def above(k, eta):
        log_p = families.log_likelihood(family, np.arange(4), np.full(4, eta), np.tile(steps, (4, 1)))
        return np.exp(log_p[k + 1 :]).sum()

    for k in range(3):
        if sd == 0:
            expected = above(k, 0.4)
        else:
            expected = quad(lambda z, k=k: above(k, 0.4 + sd * z) * norm.pdf(z), -10, 10, epsabs=1e-10)[0]
        # The 21 nodes err by up to 4e-6 (logit) and 8e-5 (partial credit) at this spread.
        tolerance = {"probit": 1e-10, "logit": 4e-6, "partial_credit": 1e-4}[family]
        assert found[k] == pytest.approx(expected, abs=tolerance)


def test_likelihood_of_kernels_equals_the_numpy_oracle(case):
    if case.model.family == "gaussian":
        pytest.skip("the oracle is of the ordinal families")
    frame, density = case.frame, case.density
    x = case.point(5)
    density(x)
    eta = density._eta.copy()
    loading, thresholds = density.responses.item_parameters(density.values(x))
    expected = 0.0
    for m, i in enumerate(frame.item_of_response):
        start = frame.first_threshold[i]
        cuts = thresholds[start : start + frame.n_categories[i] - 1]
        location = loading[i] * eta[frame.rating_of_response[m], frame.dimension_of_item[i]]
        expected += float(families.log_likelihood(case.model.response, frame.answer[m], location, cuts))
    named = density.values(x)
    scratch = {name: np.zeros_like(value) for name, value in named.items()}
    found = density.responses.forward_backward(named, eta, np.zeros_like(eta), scratch)
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("runs", [[1492], [3, 1, 4, 9, 2], [1, 1, 1, 1]])
def test_runs_are_centred_as_rows_are(runs):
    """Every stratum's rows of each dimension come to zero, whatever the lengths of its runs."""
    rng = np.random.default_rng(len(runs))
    strata = np.arange(len(runs)) % 2
    row = np.repeat(strata, runs)
    effects = rng.normal(3.0, 1.0, (len(row), 2))
    count, first = np.bincount(row), np.concatenate([[0], np.cumsum(runs)])
    expected = effects - np.stack([effects[row == s].mean(axis=0) for s in range(len(count))])[row]
    for centre, where in ((kernels.centre, (row,)), (kernels.centre_runs, (first, strata))):
        found = effects.copy()
        centre(found, *where, count)
        np.testing.assert_allclose(found, expected, atol=1e-12)
