"""The table that holds two engines beside each other."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from relcap_models import estimands
from relcap_models.inference import agreement, effect_agreement


@pytest.fixture(scope="module")
def estimates(small_fit, survey):
    return estimands.tables(small_fit, survey, ci_prob=0.9, gap=0.5, goal=0.0, k=3)


def test_a_fit_agrees_with_itself(small_fit, estimates):
    table = agreement(small_fit, small_fit, estimates=estimates, approximated=estimates)
    assert list(table["quantity"]) == [
        *("relation_scores", "seen_by_others", "as_rater", "within_unit", "parameters")
    ]
    assert (table[["mean_difference", "p95_difference", "max_difference"]] == 0).all().all()
    assert (table[["median_sd_ratio", "share_sd_ratio"]] == 1).all().all()


def test_differences_are_in_posterior_sds_of_the_sampler(small_fit, estimates):
    moved = {name: table.copy() for name, table in estimates.items()}
    relation = moved["relation_scores"]
    away = np.linspace(0, 1, len(relation))
    relation["mean"] += away * relation["sd"]
    relation["sd"] *= np.where(away < 0.5, 1.1, 1.2)
    table = agreement(small_fit, small_fit, estimates=estimates, approximated=moved).set_index("quantity")
    found = table.loc["relation_scores"]
    assert found["n"] == len(relation)
    assert found["mean_difference"] == pytest.approx(0.5)
    assert found["p95_difference"] == pytest.approx(0.95)
    assert found["max_difference"] == pytest.approx(1.0)
    assert found["share_sd_ratio"] == pytest.approx(np.mean(away < 0.5))
    assert table.loc["seen_by_others", "max_difference"] == 0


def test_quantities_that_are_fixed_are_not_compared(small_fit, estimates):
    table = agreement(small_fit, small_fit, estimates=estimates, approximated=estimates).set_index("quantity")
    fixed = sum(
        int((small_fit.draws(str(name)).std(axis=0) < 1e-9).sum())
        for name in small_fit.posterior.data_vars
        if str(name).startswith("corr_unit")
    )
    assert fixed == small_fit.posterior.sizes["unit_effect"]
    counted = sum(
        small_fit.draws(str(name))[0].size
        for name in small_fit.posterior.data_vars
        if str(name).startswith(("sd_", "corr_unit", "dyadic", "generalised"))
    )
    assert table.loc["parameters", "n"] == counted - fixed


def test_variances_and_correlations_are_those_of_the_two_posteriors(small_fit, estimates):
    moved = small_fit.tree.copy(deep=True)
    spread = small_fit.draws("sd_rating").std(axis=0)
    mean = small_fit.draws("sd_rating").mean(axis=0)
    # Three posterior sds further up, and one and a half times as wide.
    moved["posterior"]["sd_rating"] = mean + 3 * spread + 1.5 * (moved["posterior"]["sd_rating"] - mean)
    other = replace(small_fit, tree=moved)
    table = agreement(small_fit, other, estimates=estimates, approximated=estimates).set_index("quantity")
    found = table.loc["parameters"]
    assert found["max_difference"] == pytest.approx(3.0)
    assert found["mean_difference"] == pytest.approx(3.0 * len(spread) / found["n"])
    assert found["share_sd_ratio"] == pytest.approx(1 - len(spread) / found["n"])


def links(mean, sd):
    """Two estimates of a joint model, one with and one without adjustment, after a naive one."""
    return pd.DataFrame(
        {
            "analysis": "link",
            "method": ["naive", "joint", "joint"],
            "adjusted": [False, False, True],
            "level": "between",
            "predictor": "leadership",
            "scale": "points",
            "mean": [9.0, *mean],
            "sd": [1.0, *sd],
        }
    )


def test_effects_of_a_link_are_compared_one_by_one_with_their_sign(small_fit):
    """(0.3 − 0.5)/0.4 = −0.5 and (0.8 − 0.5)/0.2 = 1.5; sds 0.3 : 0.4 and 0.22 : 0.2."""
    theirs = {"leadership_link": links([0.5, 0.5], [0.4, 0.2])}
    ours = {"leadership_link": links([0.3, 0.8], [0.3, 0.22])}
    found = effect_agreement(theirs, ours)
    assert found["effect"].tolist() == [
        "between, leadership, not adjusted, points",
        "between, leadership, adjusted, points",
    ]
    np.testing.assert_allclose(found["difference"], [-0.5, 1.5])
    np.testing.assert_allclose(found["sd_ratio"], [0.75, 1.1])
    summed = agreement(small_fit, small_fit, estimates=theirs, approximated=ours).set_index("quantity")
    assert summed.loc["effects", "n"] == 2
    assert summed.loc["effects", "mean_difference"] == pytest.approx(1.0)
    assert summed.loc["effects", "share_sd_ratio"] == 0.5


def test_effects_that_are_not_the_same_are_not_compared():
    theirs, ours = links([0.5, 0.5], [0.4, 0.2]), links([0.5, 0.5], [0.4, 0.2]).iloc[[0, 2, 1]]
    with pytest.raises(ValueError, match="different effects"):
        effect_agreement({"leadership_link": theirs}, {"leadership_link": ours})


def test_without_effects_there_is_no_table_of_them(estimates):
    assert effect_agreement(estimates, estimates).empty
