"""One function turns draws into a table; ranks come with their uncertainty."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.estimands.estimate import SUMMARY, Estimate, summarise
from relcap_models.estimands.ranks import rank_table, ranks_by_wave


def test_summary_by_hand():
    """Draws 0 … 8 of one quantity: mean 4, median 4, variance 60/8, 50 % interval 2 to 6."""
    draws = np.arange(9.0).reshape(1, 9, 1)
    row = summarise(draws, ci_prob=0.5).iloc[0]
    assert row[["mean", "sd", "lower", "upper", "median"]].tolist() == pytest.approx([4, 7.5**0.5, 2, 6, 4])
    assert (row["ci_prob"], row["ci_kind"]) == (0.5, "eti")


def test_monte_carlo_error_of_independent_draws_is_sd_over_root_n():
    """4 × 1,000 independent draws: error 1/√4000 = 0.0158, up to the noise of an effective sample size."""
    draws = np.random.default_rng(1).normal(size=(4, 1000, 40))
    table = summarise(draws, ci_prob=0.9)
    assert table["mcse"].mean() == pytest.approx(4000**-0.5, rel=0.03)
    assert table["ess"].mean() == pytest.approx(4000, rel=0.06)
    assert table["rhat"].max() < 1.01


@pytest.mark.parametrize("value", [1.0, np.pi**2 / 3, 1e6 * np.pi**2 / 3])
def test_a_constant_has_no_error_and_blank_convergence(value):
    """The residual variance of a logit item, π²/3, has a mean that rounding takes off it by 1e-14."""
    draws = np.full((4, 1000, 2), value)
    draws[::2, ::3, 1] *= 1 + np.finfo(float).eps
    table = summarise(draws, ci_prob=0.9)
    assert (table[["mcse", "sd"]] == 0).all(axis=None)
    assert table[["ess", "ess_tail", "rhat"]].isna().all(axis=None)


def test_convergence_of_a_row_is_the_worst_of_all_that_it_reports():
    """Chains that part in R-hat, draws that stick in both sizes, and a constant that has neither."""
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(4, 200, 4))
    parted, sticky, constant = draws.copy(), draws.copy(), draws.copy()
    parted[..., 0] += np.arange(4)[:, None]
    sticky[..., 1] = np.repeat(sticky[:, ::10, 1], 10, axis=1)
    constant[..., 2] = 1.0
    draws[..., 3] = 1.0
    found = summarise(draws, [parted, sticky, constant], ci_prob=0.9)
    alone = [summarise(each, ci_prob=0.9) for each in (draws, parted, sticky, constant)]
    assert found["rhat"][0] == alone[1]["rhat"][0] > 1.5
    assert found["ess"][1] == alone[2]["ess"][1] < 200
    assert found["ess_tail"][1] == alone[2]["ess_tail"][1] < alone[0]["ess_tail"][1]
    blank = ["ess", "ess_tail", "rhat"]
    assert found.loc[2, blank].equals(alone[0].loc[2, blank])
    assert found.loc[3, blank].notna().all()
    others = [name for name in SUMMARY if name not in blank]
    pd.testing.assert_frame_equal(found[others], alone[0][others])


def test_draws_that_vary_little_are_no_constant():
    row = summarise(1.0 + 1e-9 * np.random.default_rng(1).normal(size=(2, 50, 1)), ci_prob=0.9).iloc[0]
    assert row["mcse"] > 0
    assert row[["ess", "ess_tail", "rhat"]].notna().all()


def test_table_is_labels_and_summary():
    labels = pd.DataFrame({"unit": ["b", "a"]}, index=[7, 3])
    draws = np.random.default_rng(1).normal([0.0, 9.0], size=(1, 20, 2))
    table = Estimate("how?", "points", "none", draws, labels).table(ci_prob=0.9)
    assert list(table.columns) == ["unit", *SUMMARY]
    assert table.loc[table["unit"] == "a", "mean"].item() == pytest.approx(9, abs=1)


def test_ranks_by_hand():
    """Four draws of three scores. Column 0 ranks 1, 1, 1, 3; column 1 ranks 2, 3, 2, 1; column 2 the rest."""
    draws = np.array([[1.0, 2.0, 3.0], [1.0, 3.0, 2.0], [0.0, 5.0, 9.0], [7.0, 1.0, 2.0]])
    table = rank_table(draws, k=1, ci_prob=0.5)
    assert table["prob_lowest_k"].tolist() == [0.75, 0.25, 0.0]
    assert table["prob_highest_k"].tolist() == [0.25, 0.25, 0.5]
    # Quarters of the ranks in order: 1 1 1 3, 1 2 2 3, 2 2 3 3.
    assert table["rank_lower"].tolist() == [1, 1, 2]
    assert table["rank_upper"].tolist() == [1, 2, 3]


def test_the_lowest_and_the_highest_never_overlap():
    draws = np.random.default_rng(1).normal(size=(50, 5))
    table = rank_table(draws, k=4, ci_prob=0.9)
    assert (table["k"] == 2).all()
    assert table["prob_lowest_k"].sum() == pytest.approx(2)
    assert table["prob_highest_k"].sum() == pytest.approx(2)
    assert (table["prob_lowest_k"] + table["prob_highest_k"] <= 1).all()


def test_ranks_stand_within_their_wave_and_one_alone_has_none():
    draws = np.tile([5.0, 1.0, 3.0, 2.0], (3, 1))
    table = ranks_by_wave(draws, np.array([0, 1, 0, 1]), k=1, ci_prob=0.9)
    assert table["rank_lower"].tolist() == [2, 1, 1, 2]
    assert ranks_by_wave(draws[:, :1], np.array([0]), k=1, ci_prob=0.9).isna().all(axis=None)
