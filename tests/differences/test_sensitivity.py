"""Honest trends: published intervals, the tests' parts against linear programmes, and coverage."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog
from scipy.stats import foldnorm, truncnorm

from relcap_models.differences import att_gt, honest_trends, relative_magnitudes
from relcap_models.differences.relative_magnitudes import EventStudy, polyhedra, rejected
from relcap_models.differences.smoothness import _half_length_slopes, _trends, half_length
from relcap_models.errors import DataError, FitError
from tests.differences.conftest import COLUMNS, panel
from tests.differences.event_studies import INSURED, INSURED_COVARIANCE, PROFITS, PROFITS_COVARIANCE

# HonestDiD's own tables: its README, and the comparison with Stata's honestdid in that package's tests. Rows
# are bound, lower, upper. R looks for limits on a grid of .04 standard errors and draws 1,000 times for a
# critical value, so two runs differ by a tenth of a standard error; its grid is too short from bound 1.78.
PROFITS_RELATIVE = [
    (0.0, 0.159, 0.233),
    (2 / 9, 0.143, 0.248),
    (4 / 9, 0.123, 0.267),
    (6 / 9, 0.101, 0.288),
    (8 / 9, 0.0786, 0.309),
    (10 / 9, 0.0551, 0.330),
    (12 / 9, 0.0308, 0.352),
    (14 / 9, 0.00722, 0.376),
    (16 / 9, -0.0171, None),
    (2.0, -0.0414, None),
]
INSURED_RELATIVE = [(0.5, 0.0241, 0.0673), (1, 0.0171, 0.0720), (1.5, 0.00859, 0.0796), (2, -0.00107, 0.0883)]
INSURED_RELATIVE_MEAN = [
    (0.0, 0.041, 0.075),
    (0.5, 0.033, 0.080),
    (1.0, 0.020, 0.090),
    (1.5, 0.006, 0.103),
    (2.0, -0.008, 0.117),
]
INSURED_SMOOTH = [
    (0.0, 0.026, 0.061),
    (0.01, 0.013, 0.079),
    (0.02, 0.003, 0.091),
    (0.03, -0.007, 0.101),
    (0.04, -0.017, 0.111),
    (0.05, -0.027, 0.121),
]
# Stata's honestdid, whose critical values are exact.
PROFITS_SMOOTH = [
    (0.0, 0.131, 0.216),
    (0.0225, 0.183, 0.327),
    (0.0449, 0.174, 0.363),
    (0.0674, 0.152, 0.386),
    (0.1, 0.119, 0.419),
    (0.2, 0.019, 0.519),
    (0.3, -0.081, 0.619),
]
PROFITS_SMOOTH_THIRD = [(0.0, 0.144, 0.260), (0.1, -0.244, 1.161), (0.2, -0.844, 1.761), (0.3, -1.444, 2.361)]


@pytest.mark.parametrize(
    ("effects", "covariance", "target", "expected"),
    [
        (PROFITS, PROFITS_COVARIANCE, None, PROFITS_RELATIVE),
        (INSURED, INSURED_COVARIANCE, None, INSURED_RELATIVE),
        (INSURED, INSURED_COVARIANCE, {0: 0.5, 1: 0.5}, INSURED_RELATIVE_MEAN),
    ],
)
def test_relative_magnitudes_are_published_ones(effects, covariance, target, expected):
    bounds = [row[0] for row in expected]
    result = honest_trends(effects, covariance, bounds=bounds, target=target)
    tenth = 0.1 * (result.upper - result.lower) / 3.92
    for row, (_, lower, upper) in zip(result.table.itertuples(), expected):
        assert row.lower == pytest.approx(lower, abs=tenth)
        assert upper is None or row.upper == pytest.approx(upper, abs=tenth)


@pytest.mark.parametrize(
    ("effects", "covariance", "target", "expected"),
    [
        (PROFITS, PROFITS_COVARIANCE, None, PROFITS_SMOOTH),
        (PROFITS, PROFITS_COVARIANCE, {2: 1}, PROFITS_SMOOTH_THIRD),
        (INSURED, INSURED_COVARIANCE, None, INSURED_SMOOTH),
    ],
)
def test_smooth_trends_are_published_ones(effects, covariance, target, expected):
    bounds = [row[0] for row in expected]
    result = honest_trends(effects, covariance, kind="smooth", bounds=bounds, target=target)
    # The two programs differ by up to one in the last printed digit.
    np.testing.assert_allclose(result.table[["lower", "upper"]], [row[1:] for row in expected], atol=1.1e-3)


def test_an_effect_breaks_down_where_its_interval_reaches_zero():
    # HonestDiD's README: Mbar about 2, and M between .02 and .03.
    relative = honest_trends(INSURED, INSURED_COVARIANCE)
    assert 1.9 < relative.breakdown < 2
    smooth = honest_trends(INSURED, INSURED_COVARIANCE, kind="smooth", bounds=[0])
    assert 0.02 < smooth.breakdown < 0.03
    for kind, value in (("relative", relative.breakdown), ("smooth", smooth.breakdown)):
        table = honest_trends(
            INSURED, INSURED_COVARIANCE, kind=kind, bounds=[0.995 * value, 1.005 * value]
        ).table
        assert table["lower"].iloc[0] > 0 > table["lower"].iloc[1]
    nothing = honest_trends(INSURED * 0.1, INSURED_COVARIANCE)
    assert nothing.breakdown == 0
    other_way = honest_trends(-INSURED, INSURED_COVARIANCE)
    assert other_way.breakdown == pytest.approx(relative.breakdown, rel=0.02)


def test_units_of_the_outcome_change_nothing_else():
    one = honest_trends(PROFITS, PROFITS_COVARIANCE, bounds=[0, 1])
    many = honest_trends(PROFITS * 1000, PROFITS_COVARIANCE * 1e6, bounds=[0, 1])
    np.testing.assert_allclose(
        1000 * one.table[["lower", "upper"]], many.table[["lower", "upper"]], rtol=1e-6
    )
    assert one.breakdown == pytest.approx(many.breakdown)
    one = honest_trends(PROFITS, PROFITS_COVARIANCE, kind="smooth", bounds=[0.1])
    many = honest_trends(PROFITS * 1000, PROFITS_COVARIANCE * 1e6, kind="smooth", bounds=[100])
    np.testing.assert_allclose(
        1000 * one.table[["lower", "upper"]], many.table[["lower", "upper"]], rtol=1e-4
    )


def study(seed: int, before: int = 3, after: int = 3, *, trend: np.ndarray | None = None) -> EventStudy:
    random = np.random.default_rng(seed)
    root = random.normal(size=(before + after, before + after + 2))
    covariance = root @ root.T / 10
    target = np.zeros(after)
    target[0] = 1
    mean = np.zeros(before + after) if trend is None else trend
    return EventStudy(random.multivariate_normal(mean, covariance), covariance, before, target)


def programme(shape, moments, others, scale):
    """min η over η and x with moments − others x ≤ η scale: what the vertices list the dual solutions of."""
    n_others = others.shape[1]
    found = linprog(
        np.r_[1, np.zeros(n_others)],
        A_ub=-np.column_stack([scale, others]),
        b_ub=-moments,
        bounds=(None, None),
    )
    return found.fun


@pytest.mark.parametrize(("after", "bound"), [(1, 1.0), (2, 0.7), (3, 1.0), (5, 2.0)])
def test_the_largest_weighted_moment_is_that_of_the_linear_programme(after, bound):
    event = study(after, after=after)
    for shape in polyhedra(event, bound, 0.05):
        after_steps = event.steps()[3:, 3:]
        effects = np.vstack([after_steps, -after_steps])
        # With the first effect as target, the others are the nuisance.
        scale = np.sqrt(np.diag(shape.covariance))
        for value in (-1.0, 0.0, 2.0):
            moments = shape.moments - shape.slope * value
            expected = programme(shape, moments, effects[:, 1:], scale)
            assert (shape.vertices @ moments).max() == pytest.approx(expected, abs=1e-8)


def test_truncation_is_where_other_weights_take_over():
    # The p is that of a normal truncated to where the same weights stay the largest.
    event = study(8)
    checked = 0
    for shape in polyhedra(event, 1.0, 0.05):
        moments = shape.moments - shape.slope * 1.5
        found = shape.vertices @ moments
        best = int(found.argmax())
        weights = shape.vertices[best]
        load = shape.covariance @ weights / (weights @ shape.covariance @ weights)
        sd = np.sqrt(weights @ shape.covariance @ weights)

        def wins(eta, load=load, weights=weights, moments=moments, shape=shape, best=best):
            return int((shape.vertices @ (moments + load * (eta - weights @ moments))).argmax()) == best

        etas = np.linspace(found[best] - 12 * sd, found[best] + 12 * sd, 4001)
        inside = etas[[wins(eta) for eta in etas]]
        low = -np.inf if inside[0] == etas[0] else inside[0]
        high = np.inf if inside[-1] == etas[-1] else inside[-1]
        # A ceiling out of reach leaves the conditional test alone.
        alone = replace(shape, ceiling=np.inf)
        p = truncnorm.sf(found[best] / sd, low / sd, high / sd)
        for alpha in (0.001, 0.01, 0.05, 0.2, 0.5, 0.9):
            second = 0.9 * alpha / (1 - 0.1 * alpha)
            if abs(p - second) > 0.02:
                expected = found[best] > 0 and p < second
                assert rejected([alone], np.array([1.5]), alpha)[0] == expected
                checked += 1
    assert checked > 20


def test_relative_intervals_cover_at_the_edge_of_what_is_allowed(monkeypatch):
    # The trend steps up by .5 before the start and by just as much after it; the effect is 1. 300 data sets:
    # the error of .95 is .013. The plain interval misses.
    monkeypatch.setattr(relative_magnitudes, "DRAWS", 1000)
    trend = 2.0 * np.array([-1.0, -1.0, -0.5, 0.5, 1.0])
    event = study(1, after=2)
    truth = 1.0
    mean = trend + np.array([0, 0, 0, truth, truth])
    random = np.random.default_rng(2)
    covered = plain = 0
    for _ in range(300):
        drawn = replace(
            event,
            estimate=random.multivariate_normal(mean, event.covariance * 0.1),
            covariance=event.covariance * 0.1,
        )
        covered += not rejected(polyhedra(drawn, 1.0, 0.05), np.array([truth]), 0.05)[0]
        plain += abs(drawn.effect - truth) < 1.96 * drawn.se
    assert covered / 300 > 0.95 - 3 * 0.013
    assert plain / 300 < 0.8


def test_relative_intervals_have_the_right_size_where_one_direction_alone_binds(monkeypatch):
    # A steep step before the start leaves one polyhedron, and the effect is at its edge: 5 % are missed.
    monkeypatch.setattr(relative_magnitudes, "DRAWS", 1000)
    covariance = np.eye(2)
    mean = np.array([-30.0, 30.0])
    random = np.random.default_rng(3)
    missed = 0
    for _ in range(400):
        drawn = EventStudy(random.multivariate_normal(mean, covariance), covariance, 1, np.ones(1))
        missed += rejected(polyhedra(drawn, 1.0, 0.05), np.array([0.0]), 0.05)[0]
    assert abs(missed / 400 - 0.05) < 3 * 0.011


def smooth_weights(event: EventStudy, bound: float) -> tuple[np.ndarray, float]:
    """Weights and half-length of the interval: it is linear, so the centre for unit estimates tells them."""
    times = [*range(-event.n_before - 1, -1), *range(len(event.target))]
    rows = [
        honest_trends(
            pd.Series(one, index=times), event.covariance, kind="smooth", bounds=[bound]
        ).table.iloc[0]
        for one in np.eye(len(times))
    ]
    half = [(row["upper"] - row["lower"]) / 2 for row in rows]
    np.testing.assert_allclose(half, half[0])
    return np.array([(row["upper"] + row["lower"]) / 2 for row in rows]), half[0]


def test_smooth_intervals_cover_at_the_edge_of_what_is_allowed():
    # A slope that bends by the bound wherever that biases the estimate most, on top of a straight trend.
    event, bound = study(4, before=4, after=2), 0.5
    weights, half = smooth_weights(event, bound)
    time, bends = _trends(event)
    signs = np.array(np.meshgrid(*[[-1, 1]] * len(bends))).reshape(len(bends), -1).T
    trends = bound * signs @ bends + 7 * time
    # Bends as they are defined: changes of slope, the base between −2 and 0.
    levels = np.insert(trends, event.n_before, 0, axis=1)
    np.testing.assert_allclose(np.abs(np.diff(levels, n=2, axis=1)), bound)
    worst = np.abs(trends @ weights).max()
    draws = np.random.default_rng(5).multivariate_normal(np.zeros(6), event.covariance, size=20_000) @ weights
    missed = np.mean(np.abs(draws + worst) > half)
    assert missed == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 20_000))


def test_no_other_weights_give_a_shorter_smooth_interval():
    event, bound = study(6, before=5, after=3), 0.3
    weights, best = smooth_weights(event, bound)
    time, bends = _trends(event)
    random = np.random.default_rng(7)

    def length(w):
        return half_length(bound * np.abs(bends @ w).sum(), np.sqrt(w @ event.covariance @ w), 0.05)

    assert weights @ time == pytest.approx(0, abs=1e-9)
    assert weights[5:] == pytest.approx(event.target)
    assert length(weights) == pytest.approx(best)
    for size in (1e-3, 1e-2, 0.1, 1):
        for _ in range(300):
            step = np.zeros(8)
            step[:5] = random.normal(size=5) * size
            step[:5] -= time[:5] * (time[:5] @ step[:5]) / (time[:5] @ time[:5])
            assert length(weights + step) > best * (1 - 1e-7)


@pytest.mark.parametrize("bias", [0, 0.3, 1, 3, 7.9, 8.1, 40])
def test_half_lengths_are_quantiles_of_a_folded_normal(bias):
    q = half_length(2 * bias, 2.0, 0.05)
    # A search may look where the bias is negative.
    assert half_length(-2 * bias, 2.0, 0.05) == q
    assert q == pytest.approx(2 * foldnorm.ppf(0.95, bias), rel=1e-7)
    step = 1e-5
    by_bias = (half_length(2 * bias + step, 2, 0.05) - half_length(2 * bias - step * (bias > 0), 2, 0.05)) / (
        step * (1 + (bias > 0))
    )
    by_sd = (half_length(2 * bias, 2 + step, 0.05) - half_length(2 * bias, 2 - step, 0.05)) / (2 * step)
    assert _half_length_slopes(2 * bias, 2.0, 0.05) == pytest.approx((by_bias, by_sd), abs=1e-4)


def test_an_event_study_of_cohorts_is_taken_as_it_is(mpdta):
    effects = att_gt(mpdta, unit="county", time="year", cohort="start", outcome="lemp", base="universal")
    result = honest_trends(effects.aggregate("dynamic"), bounds=[0, 1])
    assert result.effect == pytest.approx(-0.0199318167892593)
    assert result.table["lower"].iloc[1] < result.table["lower"].iloc[0] < result.effect
    varying = att_gt(mpdta, unit="county", time="year", cohort="start", outcome="lemp")
    for wrong in (varying.aggregate("dynamic"), effects.aggregate("group")):
        with pytest.raises(DataError, match="base='universal'"):
            honest_trends(wrong)


def test_precise_estimates_leave_just_the_trends_themselves():
    # Steps of −20 and −10 before the start: after it up to 20, either way.
    effects = pd.Series([30.0, 10.0, 0.0], index=[-3, -2, 0])
    result = honest_trends(effects, np.eye(3) * 1e-4, bounds=[0, 1])
    assert result.table["upper"].iloc[1] == pytest.approx(20, abs=0.1)
    assert result.table["lower"].iloc[1] == pytest.approx(-20, abs=0.1)
    assert result.breakdown == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e, s: (e, None), "covariance of the estimates too"),
        (lambda e, s: (e, s[:4, :4]), "8 rows and columns"),
        (lambda e, s: (e.rename({-3: -9}), s), "consecutive whole numbers .*−1|consecutive"),
        (lambda e, s: (e.iloc[4:], s[4:, 4:]), "At least one difference before"),
        (lambda e, s: (e, -s), "not symmetric and positive"),
        (lambda e, s: (e.where(e.index != -2), s), "Estimates at -2 have no error"),
    ],
)
def test_event_studies_as_people_have_them_are_refused_in_words(change, message):
    effects, covariance = change(PROFITS, PROFITS_COVARIANCE)
    with pytest.raises(DataError, match=message):
        honest_trends(effects, covariance)


def test_rows_in_any_order_and_the_base_itself_are_fine():
    order = [3, 7, 0, 5, 2, 1, 6, 4]
    mixed = PROFITS.iloc[order]
    one = honest_trends(mixed, PROFITS_COVARIANCE[np.ix_(order, order)], bounds=[1])
    pd.testing.assert_frame_equal(one.table, honest_trends(PROFITS, PROFITS_COVARIANCE, bounds=[1]).table)
    with_base = pd.concat([PROFITS, pd.Series([0.0], index=[-1])])
    wider = np.zeros((9, 9))
    wider[:8, :8] = PROFITS_COVARIANCE
    pd.testing.assert_frame_equal(one.table, honest_trends(with_base, wider, bounds=[1]).table)


def test_unknown_options_are_refused():
    with pytest.raises(DataError, match="'relative' or 'smooth'"):
        honest_trends(PROFITS, PROFITS_COVARIANCE, kind="sd")
    with pytest.raises(DataError, match="Give `bounds`"):
        honest_trends(PROFITS, PROFITS_COVARIANCE, kind="smooth")
    with pytest.raises(DataError, match="numbers of 0 or more"):
        honest_trends(PROFITS, PROFITS_COVARIANCE, bounds=[-1])
    with pytest.raises(DataError, match="from 0 to 3, and 4 is none"):
        honest_trends(PROFITS, PROFITS_COVARIANCE, target={4: 1})
    event = study(1, before=2, after=14)
    with pytest.raises(FitError, match="14 times from the start on are too many"):
        honest_trends(pd.Series(event.estimate, index=[-3, -2, *range(14)]), event.covariance)


def test_cohorts_without_errors_are_named():
    data = panel(6)
    data.loc[data["unit"] == 7, "start"] = 5
    effects = att_gt(data, **COLUMNS, base="universal").aggregate("dynamic")
    with pytest.raises(DataError, match="have no error"):
        honest_trends(effects)
