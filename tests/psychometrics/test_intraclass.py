"""Intraclass correlations agree with R and with their definition."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.intraclass import icc, shrout_fleiss

# Shrout & Fleiss (1979), Table 2: six targets, four judges.
RATINGS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])


def test_six_coefficients_are_those_printed_in_the_paper():
    # Shrout & Fleiss (1979), Table 4.
    assert shrout_fleiss(RATINGS)["value"].round(2).tolist() == [0.17, 0.29, 0.71, 0.44, 0.62, 0.91]


def test_icc_is_the_first_of_the_six_for_targets_as_groups():
    long = pd.DataFrame(RATINGS).stack()
    found, six = icc(long, long.index.get_level_values(0)), shrout_fleiss(RATINGS)
    assert [found.icc1, found.icc1_lower, found.icc1_upper] == pytest.approx(
        six.loc["ICC1", ["value", "lower", "upper"]].tolist()
    )
    assert [found.icc2, found.icc2_lower, found.icc2_upper] == pytest.approx(
        six.loc["ICC1k", ["value", "lower", "upper"]].tolist()
    )
    one_way = stats.f_oneway(*RATINGS)
    assert (found.f, found.p) == pytest.approx((one_way.statistic, one_way.pvalue))


@pytest.mark.parametrize("truth", [0.05, 0.4])
def test_intervals_cover_the_truth_as_often_as_they_say(truth):
    rng = np.random.default_rng(4)
    group, covered, n = np.repeat(np.arange(25), 8), 0, 400
    for _ in range(n):
        values = rng.normal(0, truth**0.5, 25)[group] + rng.normal(0, (1 - truth) ** 0.5, 200)
        found = icc(values, group, ci_prob=0.9)
        covered += found.icc1_lower <= truth <= found.icc1_upper
    # Binomial Monte Carlo error of 400 data sets: four standard errors.
    assert covered / n == pytest.approx(0.9, abs=4 * (0.9 * 0.1 / n) ** 0.5)


def test_respondents_with_a_missing_answer_are_left_out_and_counted():
    items = pd.DataFrame({"a": [1.0, 2, 4, 5, np.nan], "b": [1.0, 3, 5, 4, 1]})
    found = icc(items, list("xxyyx"))
    assert found == dataclasses.replace(icc(items[:4].mean(axis=1), list("xxyy")), notes=found.notes)
    assert "1 of 5 respondents" in found.notes[0]


def test_perfect_agreement_within_groups_is_one():
    found = icc(np.array([1.0, 1, 2, 2, 3, 3]), list("aabbcc"))
    assert (found.icc1, found.icc1_lower, found.icc2, found.p) == (1, 1, 1, 0)


def test_groups_more_alike_than_chance_are_negative_with_a_note():
    found = icc(np.array([1.0, 3, 1.1, 3, 0.9, 3]), list("aabbcc"))
    assert found.icc1 < 0
    assert "less than chance" in found.notes[0]


def test_what_cannot_be_estimated_is_said():
    with pytest.raises(DataError, match="1 groups of 3"):
        icc(np.array([1.0, 2, 3]), list("aaa"))
    with pytest.raises(DataError, match="3 groups of 3"):
        icc(np.array([1.0, 2, 3]), list("abc"))
    with pytest.raises(FitError, match="same mean"):
        icc(np.array([1.0, 3, 1, 3]), list("aabb"))
    with pytest.raises(FitError, match="same mean"):
        icc(np.array([0.1, 0.1, 0.1, 0.1]), list("aabb"))
    with pytest.raises(FitError, match="constant only"):
        shrout_fleiss(np.array([[1.0, 2], [2, 3], [4, 5]]))
    with pytest.raises(FitError, match="same mean rating"):
        shrout_fleiss(np.array([[1.0, 2], [2, 1], [1, 2]]))


def test_targets_with_a_missing_rating_are_left_out_with_a_warning():
    ratings = np.vstack([RATINGS.astype(float), [1, np.nan, 2, 3]])
    with pytest.warns(UserWarning, match="1 of 7 targets"):
        found = shrout_fleiss(ratings)
    pd.testing.assert_frame_equal(found, shrout_fleiss(RATINGS))
