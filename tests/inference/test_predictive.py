"""Replicates of answers: what they keep, what they draw anew, and which misfit they see."""

import dataclasses

import numpy as np
import pytest

from relcap_models.inference.predictive import Replicates, Summary, item_distributions, replicate, summarise
from relcap_models.inference.predictive_checks import item_check, unit_check


@pytest.fixture(scope="module")
def replicates(small_fit) -> Replicates:
    return replicate(small_fit, seed=1)


def test_a_seed_gives_the_same_replicates(small_fit, replicates):
    again = replicate(small_fit, seed=1)
    np.testing.assert_array_equal(again.replicated.units, replicates.replicated.units)
    other = replicate(small_fit, seed=2)
    assert (other.replicated.shares != replicates.replicated.shares).any()


def test_shares_are_counts_of_the_answers(small_fit, survey):
    table = item_distributions(small_fit, ci_prob=0.9, seed=1, n_replicates=50)
    answers = survey.of_instrument("relational_capacity")
    first = table[table["item"] == "RC1"]
    values = answers.loc[answers["item"].astype(str) == "RC1", "value"].astype(float)
    expected = [(values == category).mean() for category in first["category"]]
    np.testing.assert_allclose(first["observed"], expected)
    np.testing.assert_allclose(table.groupby("item")[["observed", "predicted_mean"]].sum(), 1.0)
    assert (table["predicted_lower"] <= table["predicted_mean"]).all()
    assert (table["predicted_mean"] <= table["predicted_upper"]).all()
    assert not table["suppressed"].any()


def test_unit_statistics_leave_own_ratings_out_of_what_others_say(small_fit):
    frame = small_fit.frame
    answer = frame.answer.astype(float)
    own = frame.own[frame.rating_of_response]
    changed = answer.copy()
    changed[own] = 4 - changed[own]
    before, after = summarise(frame, answer).units, summarise(frame, changed).units
    np.testing.assert_array_equal(before[:, 2:], after[:, 2:])
    assert (before[:, :2] != after[:, :2]).any()


def test_spread_between_new_people_shows_in_what_a_unit_answers(small_fit):
    large = small_fit.posterior.copy()
    large["cov_respondent"] = large["cov_respondent"] * 0 + np.eye(2) * 9
    large["cov_rating"] = large["cov_rating"] * 0
    tree = small_fit.tree.copy()
    tree["posterior"] = tree["posterior"].assign({n: large[n] for n in ("cov_respondent", "cov_rating")})
    fit = dataclasses.replace(small_fit, tree=tree)
    agreed, as_fitted = (
        replicate(each, seed=1, n_replicates=20).replicated.units[:, :, 1] for each in (fit, small_fit)
    )
    assert agreed.mean() > 1.3 * as_fitted.mean()


def test_answers_that_the_model_makes_pass(small_fit, replicates):
    """The checks flag few of the model's own answers: 0.5 % of them when this was written."""
    passed = []
    for k in range(40):
        fields = dataclasses.fields(Summary)
        one = Summary(*(getattr(replicates.replicated, field.name)[k] for field in fields))
        found = Replicates(one, replicates.replicated)
        passed.append((item_check(small_fit, found)[4], unit_check(small_fit, found)[4]))
    assert np.mean(passed, axis=0).min() > 0.9


def test_an_unused_category_fails_and_is_named(small_fit, replicates):
    shares = replicates.observed.shares.copy()
    shares[2, 4] += shares[2, 3]
    shares[2, 3] = 0.0
    found = Replicates(dataclasses.replace(replicates.observed, shares=shares), replicates.replicated)
    _, subject, value, threshold, passed, message = item_check(small_fit, found)
    assert not passed
    assert value > threshold
    assert subject.startswith(small_fit.frame.items[2])
    assert "another family" in message


def test_units_that_all_agree_within_fail(small_fit, replicates):
    units = replicates.observed.units.copy()
    units[:, 1] = 0.0
    found = Replicates(dataclasses.replace(replicates.observed, units=units), replicates.replicated)
    _, subject, value, threshold, passed, _ = unit_check(small_fit, found)
    assert not passed
    assert value > threshold
    assert subject.endswith("sd as rater")
