"""DIF is found where it is, and not where groups only differ on the trait."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import chi2

from relcap_models.errors import DataError
from relcap_models.psychometrics.differential_functioning import _regressions, dif
from relcap_models.psychometrics.irt import grm

SLOPES = np.array([1.0, 1.4, 1.8, 1.2, 1.6])
DIFFICULTIES = np.linspace(-0.6, 0.6, 5)[:, None] + np.array([-0.9, 0.0, 0.8])
GROUP = np.repeat(["reference", "focal"], 500)


def answers(seed, shift=0.0, slope=1.0):
    """The focal group is .6 sd higher; its third item is harder by `shift`, with `slope` times the slope."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=1000) + 0.6 * (GROUP == "focal")
    b = np.repeat(DIFFICULTIES[None], 1000, axis=0)
    a = np.repeat(SLOPES[None], 1000, axis=0)
    b[500:, 2] += shift
    a[500:, 2] *= slope
    z = a[:, :, None] * (theta[:, None, None] - b)
    return pd.DataFrame((rng.uniform(size=(1000, 5, 1)) < expit(z)).sum(axis=2), columns=list("vwxyz"))


def test_groups_that_differ_on_the_trait_alone_show_no_dif():
    table = dif(answers(31), GROUP)
    # Five items and three tests: some p below .005 in one of 13 samples at most.
    assert table[["p", "p_uniform", "p_nonuniform"]].min(axis=None) > 0.005
    assert table["r2_nagelkerke"].max() < 0.01
    # Its sd over samples like this is .16 (thirty values of six samples).
    assert table["essd"].abs().max() < 3 * 0.16
    assert (table["df"] == 4).all()
    assert (table["note"] == "").all()


def test_an_item_harder_for_one_group_is_found_with_its_sign():
    table = dif(answers(32, shift=0.6), GROUP)
    assert table["p"].idxmin() == table["p_uniform"].idxmin() == "x"
    assert table.loc["x", "p_adjusted"] < 1e-4
    assert table.loc["x", "p_uniform_adjusted"] < 1e-4
    assert table.loc["x", "p_nonuniform"] > 0.01
    # Harder by .6 of the trait's sd: the expected score falls by about that many of its sd.
    assert table.loc["x", "essd"] == pytest.approx(-0.6, abs=2 * 0.16)
    assert table.loc["x", "essd_group"] == "focal"


def test_an_item_that_discriminates_less_in_one_group_is_nonuniform():
    table = dif(answers(33, slope=0.3), GROUP)
    assert table["p_nonuniform"].idxmin() == "x"
    # The regression has one set of thresholds for both groups, which costs it power here.
    assert table.loc["x", "p_nonuniform_adjusted"] < 0.05
    assert table.loc["x", "p_adjusted"] < 1e-10


def test_the_regressions_are_those_of_proportional_odds():
    """Model of the item by the score, written out and maximised by another optimiser."""
    rng = np.random.default_rng(39)
    score, groups = rng.normal(size=300), np.repeat([0, 1], 150)
    codes = (rng.uniform(size=(300, 1)) < expit(score[:, None] + groups[:, None] - [-1.0, 1.0])).sum(axis=1)

    def highest(design):
        def negative(x):
            above = expit(design @ x[2:] - np.array([x[0], x[0] + np.exp(x[1])])[:, None])
            edges = np.vstack([np.ones(300), above, np.zeros(300)])
            return -np.sum(np.log(edges[codes, np.arange(300)] - edges[codes + 1, np.arange(300)]))

        return -minimize(negative, np.zeros(2 + design.shape[1]), method="L-BFGS-B").fun

    plain, uniform = highest(score[:, None]), highest(np.column_stack([score, groups]))
    found = _regressions(codes, groups, score)
    assert found["p_uniform"] == pytest.approx(chi2.sf(2 * (uniform - plain), 1), rel=1e-2)
    null = np.sum(np.bincount(codes) * np.log(np.bincount(codes) / 300))
    both = highest(np.column_stack([score, groups, score * groups]))
    assert found["r2_mcfadden"] == pytest.approx((plain - both) / null, abs=1e-5)
    nagelkerke = [(1 - np.exp(2 * (null - ll) / 300)) / (1 - np.exp(2 * null / 300)) for ll in (plain, both)]
    assert found["r2_nagelkerke"] == pytest.approx(nagelkerke[1] - nagelkerke[0], abs=1e-5)


def test_the_likelihood_ratio_is_that_of_two_fits():
    """Freed in one group of items that the other did not answer, fitted by `grm`."""
    frame = answers(34, shift=0.3)
    focal = GROUP == "focal"
    freed = frame.drop(columns="x").assign(
        x_reference=frame["x"].where(~focal), x_focal=frame["x"].where(focal)
    )
    expected = 2 * (grm(freed, group=GROUP).loglik - grm(frame, group=GROUP).loglik)
    assert dif(frame, GROUP).loc["x", "chi2"] == pytest.approx(expected, abs=1e-5)


def test_p_values_are_adjusted_after_benjamini_and_hochberg():
    table = dif(answers(35, shift=0.3), GROUP)
    ordered = np.sort(table["p"])
    by_hand = np.minimum.accumulate((ordered * 5 / np.arange(1, 6))[::-1])[::-1]
    assert np.sort(table["p_adjusted"]) == pytest.approx(by_hand)


def test_thresholds_absent_in_a_group_cost_no_degrees_of_freedom():
    frame = answers(36).astype(float)
    frame.loc[GROUP == "focal", "x"] = frame.loc[GROUP == "focal", "x"].replace({0: 1})
    frame.loc[3, "x"] = np.nan
    table = dif(frame, GROUP)
    assert table["df"].tolist() == [4, 4, 3, 4, 4]
    assert table.loc["x", "note"] == "nobody in group 'focal' chose 0"
    assert table.drop(columns="note").notna().all(axis=None)


def test_an_item_that_cannot_be_free_is_said_and_the_others_are_tested():
    # In a small group the third item follows exactly from two others.
    frame = answers(1).iloc[:540]
    frame.loc[500:, "x"] = frame.loc[500:, ["y", "z"]].sum(axis=1) // 2
    table = dif(frame, GROUP[:540])
    assert table["p"].isna().tolist() == [False, False, True, False, False]
    assert "'x' in group 'focal'" in table.loc["x", "note"]
    assert table.drop(index="x").notna().all(axis=None)


def test_three_groups_are_compared_with_the_first():
    group = np.where(np.arange(1000) % 2, GROUP, "other")
    table = dif(answers(37, shift=1.0), group)
    assert (table["df"] == 8).all()
    assert table["p"].idxmin() == "x"
    assert table.loc["x", "essd_group"] == "focal"


def test_groups_that_cannot_be_compared_are_refused():
    frame = answers(38)
    with pytest.raises(DataError, match="everybody is in 'a'"):
        dif(frame, ["a"] * 1000)
    frame.loc[GROUP == "focal", "w"] = 2
    with pytest.raises(DataError, match="'w' in group 'focal'"):
        dif(frame, GROUP)
