"""Alpha: psych's values, Feldt's interval, and what makes it misleading."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.reliability import cronbach_alpha, feldt_interval


@pytest.fixture(scope="module")
def agreeable(data_of):
    items = data_of("psychtools_bfi")[[f"A{i}" for i in range(1, 6)]]
    return items.assign(A1=7 - items["A1"])


def test_interval_is_the_one_that_psych_prints(data_of):
    # psych 2.2.9, alpha(bfi[, 16:20])$feldt.
    found = cronbach_alpha(data_of("psychtools_bfi")[[f"N{i}" for i in range(1, 6)]])
    assert (found.lower, found.upper) == pytest.approx((0.802841302, 0.824640351), abs=1e-8)
    assert found.n == 2800
    assert any("missing" in note for note in found.notes)


def test_feldts_interval_holds_as_often_as_it_says():
    # Parallel normal items of population alpha .75 (4 items, correlation 3/7).
    rng = np.random.default_rng(0)
    alpha, n, reps = 0.75, 40, 2000
    answers = np.sqrt(3 / 7) * rng.normal(size=(reps, n, 1)) + np.sqrt(4 / 7) * rng.normal(size=(reps, n, 4))
    total = answers.sum(axis=2).var(axis=1, ddof=1)
    estimates = 4 / 3 * (1 - answers.var(axis=1, ddof=1).sum(axis=1) / total)
    held = [low <= alpha <= high for low, high in (feldt_interval(a, n, 4, 0.9) for a in estimates)]
    # Four Monte Carlo standard errors: 4 × sqrt(.9 × .1 / 2000).
    assert np.mean(held) == pytest.approx(0.9, abs=0.027)


def test_ordinal_alpha_is_alpha_of_polychoric_correlations(agreeable, data_of):
    # psych 2.2.9: alpha(polychoric(A, correct = 0)$rho), of those who answered all 25 items.
    whole = data_of("psychtools_bfi").drop(columns="id").iloc[:, :25].notna().all(axis=1)
    found = cronbach_alpha(agreeable[whole], kind="ordinal")
    assert found.value == pytest.approx(0.769790332, abs=1e-5)
    assert found.lower < found.value < found.upper


def test_alpha_by_hand():
    # Variances 1, 1 and 4 (sum 6); covariances 1, 2, 2 (sum twice: 10). 3/2 × (1 − 6/16) = .9375.
    base = np.array([-1.0, 0.0, 1.0])
    found = cronbach_alpha(np.column_stack([base, base, 2 * base]))
    assert found.value == pytest.approx(0.9375)
    # Without the third: 2 × (1 − 2/4) = 1.
    assert found.if_dropped["3"] == pytest.approx(1.0)


def test_shifting_items_and_reversing_all_change_nothing(agreeable):
    assert cronbach_alpha(10 - agreeable).value == pytest.approx(cronbach_alpha(agreeable).value)


def test_an_item_against_the_rest_is_named_and_not_flipped(agreeable):
    worded = agreeable.assign(A1=7 - agreeable["A1"])
    found = cronbach_alpha(worded)
    # psych 2.2.9, alpha(bfi[, 1:5]) without check.keys.
    assert found.value == pytest.approx(0.431456105, abs=1e-8)
    assert any("'A1'" in note and "'A2'" not in note for note in found.notes)


def test_two_items_have_no_alpha_without_one(agreeable):
    found = cronbach_alpha(agreeable[["A2", "A3"]])
    assert found.if_dropped.isna().all()
    assert any("one item is left" in note for note in found.notes)


def test_sums_that_do_not_vary_and_pairs_nobody_answered_are_said():
    up = pd.DataFrame({"a": [1.0, 2, 3], "b": [3.0, 2, 1]})
    with pytest.raises(FitError, match="'a', 'b'"):
        cronbach_alpha(up)
    apart = pd.DataFrame({"a": [1, 2, 3, np.nan, np.nan], "b": [np.nan, np.nan, 1, 2, 4]})
    with pytest.raises(DataError, match="'a' and 'b'"):
        cronbach_alpha(apart)
    with pytest.raises(DataError, match="2 items"):
        cronbach_alpha(up[["a"]])
    with pytest.raises(DataError, match="kind"):
        cronbach_alpha(up, kind="beta")


def test_most_answers_missing_still_gives_alpha(agreeable):
    rng = np.random.default_rng(2)
    sparse = agreeable.where(rng.random(agreeable.shape) > 0.6)
    # Four pairwise standard errors or so: about 450 respondents a pair.
    assert cronbach_alpha(sparse).value == pytest.approx(cronbach_alpha(agreeable).value, abs=0.08)
    empty = pd.concat([agreeable, pd.DataFrame(np.nan, index=range(9), columns=agreeable.columns)])
    assert cronbach_alpha(empty).n == cronbach_alpha(agreeable).n
