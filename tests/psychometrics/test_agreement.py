"""Agreement within groups is as published and as R's multilevel has it."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.errors import DataError
from relcap_models.psychometrics.agreement import (
    average_deviation,
    awg,
    null_variance,
    rwg_j,
    rwg_j_lindell,
)

# Two items, group x answers (1, 2, 3) and (4, 4, 5): variances 1 and 1/3, mean 2/3.
ITEMS = pd.DataFrame({"a": [1.0, 2, 3, 1, 5], "b": [4.0, 4, 5, 1, 5]})
GROUP = list("xxxyy")


def test_rwg_j_by_hand():
    found = rwg_j(ITEMS, GROUP, n_categories=5)
    # ratio (2/3)/2 = 1/3; 2·(2/3) / (2·(2/3) + 1/3) = 4/5. In y the variance is 8: beyond the null, 0.
    assert found["x"] == pytest.approx(4 / 5)
    assert found["y"] == 0
    # Slight skew: ratio (2/3)/1.34.
    ratio = 2 / 3 / 1.34
    assert rwg_j(ITEMS, GROUP, n_categories=5, null="slight_skew")["x"] == pytest.approx(
        2 * (1 - ratio) / (2 * (1 - ratio) + ratio)
    )


def test_lindell_keeps_negative_values():
    found = rwg_j_lindell(ITEMS, GROUP, n_categories=5)
    assert found.tolist() == pytest.approx([2 / 3, -3])


def test_awg_by_hand():
    found = awg(ITEMS, GROUP, scale=(1, 5))
    # x, item a: mean 2 < (1·2 + 5)/3: not defined. b: mean 13/3 > (5·2 + 1)/3: not defined. Group left out.
    # y: mean 3, largest (18 − 9 − 5)·2 = 8; 1 − 2·8/8 = −1.
    assert found.to_dict() == {"y": -1}
    # n = 4, answers 2, 3, 3, 4: mean 3, variance 2/3, largest 4·4/3: 1 − (4/3)/(16/3) = 3/4.
    assert awg(np.array([[2.0], [3], [3], [4]]), list("aaaa"), scale=(1, 5))["a"] == pytest.approx(3 / 4)


def test_awg_is_one_where_all_choose_an_end():
    items = pd.DataFrame({"a": [5.0, 5, 5], "b": [2.0, 3, 4]})
    # b: mean 3, variance 1, largest 4·3/2 = 6: 2/3.
    assert awg(items, list("xxx"), scale=(1, 5))["x"] == pytest.approx((1 + 2 / 3) / 2)


def test_awg_is_defined_at_the_very_limit_of_the_mean():
    # (0.1, 0.1, 0.7) on a scale of 0.1 to 0.7: the most disagreement that this mean allows.
    assert awg(np.array([[0.1], [0.1], [0.7]]), list("xxx"), scale=(0.1, 0.7))["x"] == pytest.approx(-1)


def test_average_deviation_by_hand():
    # x: a (1 + 0 + 1)/3 = 2/3, b mean 13/3: (1/3 + 1/3 + 2/3)/3 = 4/9; y: 2 and 2.
    assert average_deviation(ITEMS, GROUP).tolist() == pytest.approx([(2 / 3 + 4 / 9) / 2, 2])


def test_groups_of_one_and_groups_without_answers_are_left_out():
    items = pd.DataFrame({"a": [1.0, 2, 3, 4, np.nan, np.nan], "b": [2.0, 2, 3, 5, np.nan, np.nan]})
    group = list("xxxozz")
    for found in (
        rwg_j(items, group, n_categories=5),
        rwg_j_lindell(items, group, n_categories=5),
        average_deviation(items, group),
        awg(items, group, scale=(0, 5)),
    ):
        assert found.index.tolist() == ["x"]
        assert found.notna().all()


def test_missing_answers_count_item_by_item_in_rwg_and_by_respondent_elsewhere():
    items = pd.DataFrame({"a": [1.0, 2, 3, np.nan], "b": [4.0, 4, 5, 1], "c": [np.nan, np.nan, np.nan, 2]})
    group = list("xxxx")
    # a 1, b of (4, 4, 5, 1) 3, c has one answer only: mean 2 of 2 items.
    assert rwg_j_lindell(items, group, n_categories=7)["x"] == pytest.approx(1 - 2 / 4)
    assert rwg_j(items, group, n_categories=7)["x"] == pytest.approx(2 * 0.5 / (2 * 0.5 + 0.5))
    whole = items[["a", "b"]]
    pd.testing.assert_series_equal(average_deviation(whole, group), average_deviation(whole[:3], group[:3]))


def test_relabelling_groups_and_reversing_answers_changes_nothing():
    rng = np.random.default_rng(1)
    items, group = rng.integers(1, 6, (60, 3)).astype(float), np.repeat(np.arange(6), 10)
    for index in (
        lambda x, g: rwg_j(x, g, n_categories=5),
        lambda x, g: awg(x, g, scale=(1, 5)),
        average_deviation,
    ):
        expected = index(items, group)
        order = rng.permutation(60)
        found = index(6 - items[order], (100 - group)[order])
        assert found.loc[[100 - i for i in range(6)]].tolist() == pytest.approx(expected.tolist())


def test_nulls_are_the_tabled_ones():
    # Variances of the distributions that LeBreton & Senter (2008) print for five categories.
    printed = {
        "slight_skew": [0.05, 0.15, 0.20, 0.35, 0.25],
        "moderate_skew": [0.00, 0.10, 0.15, 0.40, 0.35],
        "heavy_skew": [0.00, 0.00, 0.10, 0.40, 0.50],
        "triangular": [0.11, 0.22, 0.34, 0.22, 0.11],
        "normal": [0.07, 0.24, 0.38, 0.24, 0.07],
        "uniform": [0.2] * 5,
    }
    for null, shares in printed.items():
        answers = np.arange(1, 6)
        variance = np.dot(shares, answers**2) - np.dot(shares, answers) ** 2
        assert null_variance(null, 5) == pytest.approx(variance, abs=0.005)
    assert [null_variance(null, 7) for null in printed] == [2.90, 2.14, 1.39, 2.10, 1.40, 4.0]
    assert null_variance("uniform", 2) == 0.25


def test_what_cannot_be_used_is_said():
    with pytest.raises(DataError, match="'normal' with 4 categories"):
        rwg_j(ITEMS, GROUP, n_categories=4, null="normal")
    with pytest.raises(DataError, match="more than 4 categories: a"):
        rwg_j(ITEMS, GROUP, n_categories=4)
    with pytest.raises(DataError, match="outside it: b"):
        awg(ITEMS.assign(b=ITEMS["b"] + 1), GROUP, scale=(1, 5))
    with pytest.raises(DataError, match="No group has two"):
        average_deviation(ITEMS, list("abcde"))
    with pytest.raises(DataError, match="too near an end"):
        awg(ITEMS[:3], GROUP[:3], scale=(1, 5))


@pytest.mark.parametrize(
    "index",
    [
        lambda items: rwg_j(items, GROUP, n_categories=5),
        lambda items: rwg_j_lindell(items, GROUP, n_categories=5),
        lambda items: awg(items, GROUP, scale=(1, 5)),
        lambda items: average_deviation(items, GROUP),
    ],
)
def test_one_item_may_be_a_column(index):
    one = index(ITEMS[["a"]])
    for answers in (ITEMS["a"], ITEMS["a"].rename(None), ITEMS["a"].to_numpy(), ITEMS["a"].tolist()):
        pd.testing.assert_series_equal(index(answers), one)


def test_problems_of_one_item_name_it():
    with pytest.raises(DataError, match="more than 4 categories: a"):
        rwg_j(ITEMS["a"], GROUP, n_categories=4)


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, pd.Categorical])
def test_groups_are_called_what_the_data_call_them(kind):
    """Numbers stay numbers and stand in order, so that a result joins to the table of groups."""
    items = np.array([[1.0, 2], [2, 2], [4, 5], [5, 5], [3, 3]])
    found = rwg_j(items, kind([20, 20, 7, 7, 3]), n_categories=5)
    assert found.index.tolist() == [7, 20]
    assert found.loc[7] == pytest.approx(found.loc[20])
    deviation = average_deviation(items + np.array([0, 0, 0, 1, 0])[:, None], kind([20, 20, 7, 7, 3]))
    assert deviation.index.tolist() == [7, 20]
    assert deviation.loc[7] > deviation.loc[20]
