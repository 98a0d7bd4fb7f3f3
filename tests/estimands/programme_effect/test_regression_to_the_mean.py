"""What choosing the lowest does by itself."""

from types import SimpleNamespace

import numpy as np
import pytest

from relcap_models.estimands.programme_effect import notes
from relcap_models.estimands.programme_effect.threats.regression_to_the_mean import (
    Spread,
    null_draws,
    observed_change,
    regression_to_the_mean_rows,
    simulated_selection,
    spread_of,
)

CHOSEN = np.arange(40) < 12


@pytest.mark.parametrize("stable", [0.0, 0.06, 0.2])
def test_the_chosen_come_back_by_one_minus_the_stability(stable):
    """E(later − first | first) = −(1 − r) · first, r the share of variance that lasts, so the mean over draws
    of change + (1 − r) · gap to the common mean 0 is 0, up to Monte Carlo error."""
    spread = Spread(stable=stable, wave=0.05, sampling=np.full(40, 0.03), source="")
    r = stable / (stable + 0.08)
    assert spread.stability == pytest.approx(r)
    found = simulated_selection(spread, CHOSEN, np.ones(40), 4000, np.random.default_rng(1))
    # Over all draws the chosen minus the others is a gap, and both come back by the same share.
    left = found["difference"] + (1 - r) * found["gap_at_start"]
    assert abs(left.mean()) < 4 * left.std() / np.sqrt(4000)
    assert found["gap_at_start"].mean() < 0
    if stable == 0:
        assert found["change"].mean() > 0.2


def test_longer_averages_after_the_start_are_less_uncertain():
    spread = Spread(stable=0.1, wave=0.1, sampling=np.zeros(40), source="")
    one, four = (
        simulated_selection(spread, CHOSEN, np.full(40, n), 3000, np.random.default_rng(1))["change"].std()
        for n in (1, 4)
    )
    assert four < 0.9 * one


def worlds(n_waves, stable=0.2, wave=0.1, sampling=0.05, n=4000, seed=1):
    """Means of many units with known variances."""
    random = np.random.default_rng(seed)
    level = np.sqrt(stable) * random.standard_normal((n, 1))
    return level + np.sqrt(wave + sampling) * random.standard_normal((n, n_waves))


def test_variances_come_from_waves_before_the_start_where_there_are_two():
    means = worlds(3)
    start = np.where(np.arange(4000) < 2000, 2, 3)
    spread = spread_of(means, np.full(4000, 0.05), start, base=1)
    assert spread.source == notes.FROM_WAVES_BEFORE
    # Standard errors of (co)variances of 4000 units are some 0.006.
    assert (spread.stable, spread.wave) == pytest.approx((0.2, 0.1), abs=0.025)


def test_with_one_wave_before_they_come_from_comparisons_though_these_are_the_highest():
    means = worlds(2)
    start = np.where(means[:, 0] < np.median(means[:, 0]), 1, 2)
    spread = spread_of(means, np.full(4000, 0.05), start, base=0)
    assert spread.source == notes.FROM_COMPARISONS
    assert (spread.stable, spread.wave) == pytest.approx((0.2, 0.1), abs=0.06)


def test_without_comparisons_only_sampling_counts_as_passing():
    spread = spread_of(worlds(2, n=30), np.full(30, 0.05), np.full(30, 1), base=0)
    assert (spread.source, spread.wave) == (notes.SAMPLING_ONLY, 0.0)
    assert spread.sampling.mean() == pytest.approx(0.05)


def test_errors_never_make_more_than_all_the_variance():
    spread = spread_of(worlds(2, stable=0, wave=0, sampling=0.01, n=30), np.full(30, 0.5), np.full(30, 1), 0)
    assert min(spread.stable, spread.wave) >= 0
    assert spread.sampling.mean() == pytest.approx(worlds(2, 0, 0, 0.01, 30)[:, 0].var(ddof=1))


def test_draws_know_how_uncertain_the_stability_is():
    """With 24 clusters the variance that lasts is hardly known, so that draws spread more than with one."""
    means, sampling = worlds(2, n=24, seed=3), np.full(24, 0.05)
    start = np.where(means[:, 0].argsort().argsort() < 10, 1, 2)
    found = null_draws(means, sampling, start, 0, seed=1)["difference"]
    sure = simulated_selection(
        spread_of(means, sampling, start, 0), start < 2, np.ones(24), 4000, np.random.default_rng(1)
    )["difference"]
    assert found.std() > 1.2 * sure.std()
    assert found.mean() == pytest.approx(sure.mean(), abs=sure.std())


def test_the_observed_change_is_since_each_start():
    # Two chosen (starts 1 and 2) and one that never starts, base wave 0.
    means = np.array([[1.0, 2.0, 4.0], [2.0, 9.0, 3.0], [5.0, 5.0, 6.0]])
    found = observed_change(means, np.array([1, 2, 3]), base=0)
    # (mean(2, 4) − 1 + 3 − 2) / 2 = 1.5; the other changed by 0.5.
    assert found == pytest.approx({"gap_at_start": -3.5, "change": 1.5, "difference": 1.0})


def test_nothing_is_simulated_unless_the_lowest_were_chosen():
    case = SimpleNamespace(model=SimpleNamespace(chosen=None))
    assert list(regression_to_the_mean_rows(case)) == []


@pytest.mark.parametrize("seed", range(20))
def test_no_variance_is_negative_however_few_clusters(seed):
    means = worlds(2, stable=0, wave=0, n=4, seed=seed)
    spread = spread_of(means, np.full(4, 0.3 * (1 + seed)), np.array([1, 1, 2, 2]), base=0)
    assert min(spread.stable, spread.wave, spread.sampling.min()) >= 0
