"""Item and person fit find what the model does not describe, and nothing in answers that follow it."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import kstest

from relcap_models.errors import DataError
from relcap_models.psychometrics.irt import grm
from relcap_models.psychometrics.irt_marginal import GRID
from relcap_models.psychometrics.misfit import _expected_by_total, _pool, item_fit, person_fit

SLOPES = np.array([0.8, 1.2, 1.6, 2.2, 1.0, 1.4, 1.1, 1.7])
DIFFICULTIES = np.linspace(-1, 1, 8)[:, None] + np.array([-0.9, 0.0, 0.8])


def answers(theta, rng, slopes=SLOPES, difficulties=DIFFICULTIES):
    z = slopes[:, None] * (theta[:, None, None] - difficulties)
    return (rng.uniform(size=(len(theta), len(slopes), 1)) < expit(z)).sum(axis=2)


@pytest.fixture(scope="module")
def followed():
    rng = np.random.default_rng(21)
    return answers(rng.normal(size=2000), rng)


def test_items_that_follow_the_model_fit(followed):
    table = item_fit(grm(followed))
    # Eight p values, uniform: the smallest is below .001 in one of 125 samples.
    assert table["p"].min() > 0.001
    assert kstest(table["p"], "uniform").pvalue > 0.001
    assert np.all(table["df"] > 20)
    assert table["rmsea"].max() < 0.03


def test_an_item_that_folds_does_not_fit(followed):
    codes = followed.copy()
    # People at both ends answer alike.
    codes[:, 3] = 3 - np.abs(codes[:, 3] - np.array([1, 2])[np.arange(2000) % 2]) % 4
    codes[codes.sum(axis=1) > 18, 3] = 0
    table = item_fit(grm(codes))
    assert table["p"].idxmin() == "4"
    assert table.loc["4", "p"] < 1e-10


def test_expected_answers_given_the_total_are_those_of_all_patterns():
    rng = np.random.default_rng(22)
    codes = answers(rng.normal(size=300), rng)[:, :3]
    codes[:, 2] = codes[:, 2] > 1
    fit = grm(codes)
    marginal = fit._marginal
    complete = np.ones(len(marginal.counts), dtype=bool)
    found = _expected_by_total(marginal, fit._x, complete)
    curves = [np.exp(marginal.model.curve(fit._x[b.parameters], GRID).log_p) for b in marginal.items]
    prior = np.exp(-(GRID**2) / 2) / np.exp(-(GRID**2) / 2).sum()
    slow = np.zeros((8, 4))
    for pattern in itertools.product(range(4), range(4), range(2)):
        slow[sum(pattern), pattern[0]] += np.sum(
            prior * np.prod([c[k] for c, k in zip(curves, pattern)], axis=0)
        )
    assert found[0] == pytest.approx(slow / slow.sum(axis=1, keepdims=True), abs=1e-12)


def test_two_categories_leave_orlando_and_thissens_degrees_of_freedom(followed):
    # Eight items: totals 1 to 7 with one free cell each, less slope and threshold.
    table = item_fit(grm(followed > 1))
    assert (table["df"] == 5).all()
    assert table["p"].min() > 0.001


def test_rare_categories_are_pooled_with_their_rarer_neighbour():
    # .3 joins .9 (1.2); nothing below 1 is left.
    seen, should = _pool([1, 0, 2, 5], [0.9, 0.3, 2.0, 4.8])
    assert seen.tolist() == [1, 2, 5]
    assert should == pytest.approx([1.2, 2.0, 4.8])
    assert len(_pool([0, 1], [0.2, 0.8])[0]) == 1


def test_person_fit_is_the_published_formula(followed):
    codes = followed.astype(float)
    codes[0, 2] = np.nan
    fit = grm(codes)
    theta = fit.scores()["theta"].iloc[0]
    above = expit(fit.discrimination.to_numpy()[:, None] * (theta - fit.difficulty.to_numpy()))
    p = -np.diff(np.column_stack([np.ones(8), above, np.zeros(8)]), axis=1)
    likelihood = expected = variance = 0.0
    squared, spread = [], []
    for item in (0, 1, 3, 4, 5, 6, 7):
        logs, scores = np.log(p[item]), np.arange(4)
        likelihood += logs[int(codes[0, item])]
        expected += p[item] @ logs
        variance += sum(
            p[item, j] * p[item, k] * logs[j] * (logs[j] - logs[k]) for j in range(4) for k in range(4)
        )
        squared.append((codes[0, item] - p[item] @ scores) ** 2)
        spread.append(p[item] @ (scores - p[item] @ scores) ** 2)
    row = person_fit(fit).iloc[0]
    assert row["zh"] == pytest.approx((likelihood - expected) / np.sqrt(variance))
    assert row["infit"] == pytest.approx(np.sum(squared) / np.sum(spread))
    assert row["outfit"] == pytest.approx(np.mean(np.divide(squared, spread)))


def test_mean_squares_of_an_item_are_those_of_its_residuals(followed):
    codes = followed[:300].astype(float)
    codes[:50, 1] = np.nan
    fit = grm(codes)
    theta = fit.scores()["theta"].to_numpy()[50:]
    above = expit(fit.discrimination["2"] * (theta[:, None] - fit.difficulty.loc["2"].to_numpy()))
    expected = above.sum(axis=1)
    # E y² = Σ (2k − 1) P(y ≥ k).
    variance = above @ np.array([1, 3, 5]) - expected**2
    squared = (codes[50:, 1] - expected) ** 2
    table = item_fit(fit)
    assert table.loc["2", "infit"] == pytest.approx(squared.sum() / variance.sum())
    assert table.loc["2", "outfit"] == pytest.approx(np.mean(squared / variance))


def test_careless_people_are_found(followed):
    rng = np.random.default_rng(23)
    codes = followed.copy()
    codes[:40] = rng.choice([0, 3], size=(40, 8))
    frame = pd.DataFrame(codes, index=pd.RangeIndex(1, 2001))
    table = person_fit(grm(frame))
    assert table.index.equals(frame.index)
    careless, careful = table["zh"].iloc[:40], table["zh"].iloc[40:]
    assert careful.mean() - careless.mean() > 4 * careless.std() / np.sqrt(40)
    assert np.mean(careless < -2) > 3 * np.mean(careful < -2)
    assert table["outfit"].iloc[:40].median() > table["outfit"].iloc[40:].quantile(0.75)


def test_someone_without_answers_has_no_fit(followed):
    codes = followed.astype(float)
    codes[5] = np.nan
    table = person_fit(grm(codes))
    assert table.iloc[5].isna().all()
    assert table.drop(index=5).notna().all(axis=None)


def test_without_complete_answers_the_way_on_is_said(followed):
    codes = followed.astype(float)
    codes[np.arange(2000), np.arange(2000) % 8] = np.nan
    with pytest.raises(DataError, match="answered every item"):
        item_fit(grm(codes))
