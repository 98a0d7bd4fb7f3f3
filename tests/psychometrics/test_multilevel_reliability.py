"""Omega at two levels: its definition worked out, and its interval."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from relcap_models.errors import DataError
from relcap_models.psychometrics import cfa
from relcap_models.psychometrics.multilevel_reliability import common_variance, multilevel_omega
from relcap_models.psychometrics.structural.implied_moments import implied

EQUAL = """
level: 1
f1 =~ y1 + L2*y2 + L3*y3
level: 2
f1 =~ y1 + L2*y2 + L3*y3
"""
FREE = "level: 1\nf =~ y1 + y2 + y3\nlevel: 2\nfb =~ y1 + y2 + y3"


def _simulated(seed: int, *, n_clusters: int, between: float = 0.5) -> pd.DataFrame:
    """Three items with loadings 1, .8, .7 at both levels, in clusters of 3 to 9; `between` is φ_B."""
    rng = np.random.default_rng(seed)
    c = np.repeat(np.arange(n_clusters), rng.integers(3, 10, size=n_clusters))
    f = rng.normal(size=len(c)) + np.sqrt(between) * rng.normal(size=n_clusters)[c]
    data = {
        f"y{i}": loading * f + 0.3 * rng.normal(size=n_clusters)[c] + 0.8 * rng.normal(size=len(c))
        for i, loading in enumerate([1, 0.8, 0.7], start=1)
    }
    return pd.DataFrame(data).assign(cluster=c)


@pytest.mark.parametrize("model", ["f1 =~ y1 + y2 + y3", "f1 =~ NA*y1 + y2 + y3\nf1 ~~ 1*f1"])
def test_one_factor_is_one_of_equal_loadings_at_both_levels(data_of, model):
    data = data_of("lavaan_demo_twolevel")
    found, written_out = (multilevel_omega(m, data, cluster="cluster") for m in (model, EQUAL))
    for name in ("within", "two_level", "between"):
        assert getattr(found, name) == pytest.approx(getattr(written_out, name), abs=1e-6)
    assert (found.n, found.n_clusters, found.notes) == (2500, 200, ())


def test_is_what_its_definition_says():
    data = _simulated(1, n_clusters=60)
    found = multilevel_omega(FREE, data, cluster="cluster")
    fit = cfa(FREE, data, cluster="cluster")
    est = fit.parameters.set_index(["lhs", "op", "rhs"])["est"].sort_index()
    inner, outer = (est[f, "=~"].sum() ** 2 * est[f, "~~", f] for f in ("f", "fb"))
    saturated = fit.fit.model.samples[0].saturated
    w, b = saturated.within.cov.sum(), saturated.between.cov.sum()
    size = data.groupby("cluster").size()
    assert found.within == pytest.approx(inner / w)
    assert found.two_level == pytest.approx((inner + outer) / (w + b))
    assert found.between == pytest.approx(outer / (b + w * (1 / size).mean()))
    assert "Loadings differ" in found.notes[-1]


def test_the_factors_variance_and_its_derivatives():
    fit = cfa(FREE + "\ny1 ~~ 0.01*y2", _simulated(2, n_clusters=60), cluster="cluster").fit
    step = 1e-6 * np.eye(len(fit.theta))
    for at, (factor, block) in enumerate(zip(("f", "fb"), fit.model.blocks)):

        def common(theta, block=block):
            return common_variance(block, implied(block, theta), theta)

        value, slope = common(fit.theta)
        table = fit.table[fit.table["level"] == at + 1].set_index(["lhs", "op"])["est"].sort_index()
        loadings = table[factor, "=~"].sum()
        variance = fit.table.query("lhs == @factor and rhs == @factor")["est"].iloc[0]
        assert value == pytest.approx(loadings**2 * variance)
        numeric = [(common(fit.theta + h)[0] - common(fit.theta - h)[0]) / 2e-6 for h in step]
        np.testing.assert_allclose(slope, numeric, atol=1e-7)


def test_truth_lies_in_the_intervals():
    found = multilevel_omega("f =~ y1 + y2 + y3", _simulated(3, n_clusters=500), cluster="cluster")
    # Residual variances of the sum: within 3 * .64, between 3 * .09; (Σλ)² = 6.25; φ_W = 1, φ_B = .5.
    size = 7 / sum(1 / k for k in range(3, 10))
    truth = {
        "within": 6.25 / (6.25 + 1.92),
        "two_level": 9.375 / (9.375 + 1.92 + 0.27),
        "between": 3.125 / (3.125 + 0.27 + 8.17 / size),
    }
    for name, value in truth.items():
        low, high = getattr(found, f"{name}_lower"), getattr(found, f"{name}_upper")
        assert low < value < high
        assert high - low < 0.1


def test_standard_errors_agree_with_a_jackknife():
    data = _simulated(5, n_clusters=160)
    found = multilevel_omega("f =~ y1 + y2 + y3", data, cluster="cluster")
    parts = 40
    without = [
        multilevel_omega("f =~ y1 + y2 + y3", data[data["cluster"] % parts != k], cluster="cluster")
        for k in range(parts)
    ]
    for name in ("within", "between", "two_level"):
        values = logit([getattr(r, name) for r in without])
        jackknife = np.sqrt((parts - 1) * values.var())
        ends = [getattr(found, f"{name}_{end}") for end in ("lower", "upper")]
        se = (logit(ends[1]) - logit(ends[0])) / 2 / 1.959964
        # A standard deviation from 40 parts has one of 1 / sqrt(2 * 39) = .11 of itself.
        assert se == pytest.approx(jackknife, rel=0.33)


def _in_units(seed: int, *, n_units: int) -> pd.DataFrame:
    """As `_simulated`, in units of six clusters that have a level and a spread of their own."""
    rng = np.random.default_rng(seed)
    data = _simulated(seed, n_clusters=6 * n_units)
    unit = data["cluster"].to_numpy() // 6
    level = rng.normal(size=n_units)[unit]
    for i in (1, 2, 3):
        spread = 0.8 * np.exp(0.5 * rng.normal(size=n_units))[unit]
        data[f"y{i}"] += level + spread * rng.normal(size=len(data))
    return data.assign(unit=unit)


def _errors(found) -> np.ndarray:
    """Standard errors of the logits, from the intervals."""
    ends = [[getattr(found, f"{name}_{end}") for name in NAMES] for end in ("lower", "upper")]
    return (logit(ends[1]) - logit(ends[0])) / 2 / 1.959964


NAMES = ("within", "between", "two_level")


def test_errors_respect_units_in_which_clusters_lie():
    data = _in_units(11, n_units=24)
    plain, found = (
        multilevel_omega("f =~ y1 + y2 + y3", data, cluster="cluster", independent=by)
        for by in (None, "unit")
    )
    assert [getattr(found, name) for name in NAMES] == [getattr(plain, name) for name in NAMES]
    without = [
        multilevel_omega("f =~ y1 + y2 + y3", data[data["unit"] != k], cluster="cluster") for k in range(24)
    ]
    values = logit([[getattr(r, name) for name in NAMES] for r in without])
    jackknife = np.sqrt(23 * values.var(axis=0))
    # The jackknife corrects for what few units bend, and the sandwich does not.
    np.testing.assert_allclose(_errors(found), jackknife, rtol=0.2)
    assert _errors(found)[1] > 1.3 * _errors(plain)[1]


def test_where_clusters_are_independent_and_normal_both_errors_agree():
    data = _simulated(12, n_clusters=400)
    plain, robust = (
        multilevel_omega("f =~ y1 + y2 + y3", data, cluster="cluster", independent=by)
        for by in (None, "cluster")
    )
    # A variance from 400 clusters errs by a fourteenth, its root by half of that; three of those.
    np.testing.assert_allclose(_errors(robust), _errors(plain), rtol=0.11)


def test_units_that_are_no_units_are_said():
    data = _simulated(1, n_clusters=30)
    odd = np.arange(len(data)) % 2
    with pytest.raises(DataError, match="lies in both '0' and '1'"):
        multilevel_omega("f =~ y1 + y2 + y3", data, cluster="cluster", independent=odd)
    with pytest.raises(DataError, match="in one unit"):
        multilevel_omega("f =~ y1 + y2 + y3", data, cluster="cluster", independent=np.ones(len(data)))
    with pytest.raises(DataError, match="no column team"):
        multilevel_omega("f =~ y1 + y2 + y3", data, cluster="cluster", independent="team")
    found = multilevel_omega("f =~ y1 + y2 + y3", data, cluster="cluster", independent=data["cluster"] // 3)
    assert any("Only 10 units are independent" in note for note in found.notes)


def test_between_variance_of_none_has_no_interval_and_says_so():
    data = _simulated(4, n_clusters=30)
    shuffled = data.assign(cluster=np.random.default_rng(0).permutation(data["cluster"]))
    found = multilevel_omega(
        FREE.replace("fb =~ y1 + y2 + y3", "fb =~ y1 + 1*y2 + 1*y3\nfb ~~ -0.01*fb"),
        shuffled,
        cluster="cluster",
    )
    assert np.isnan(found.between_lower)
    assert any("`between` is not between 0 and 1" in note for note in found.notes)


def test_an_item_that_is_worded_the_other_way_is_said():
    data = _simulated(6, n_clusters=60)
    data["y3"] = -data["y3"]
    notes = multilevel_omega("f =~ y1 + y2 + y3", data, cluster="cluster").notes
    assert any("load against the others: y3" in note for note in notes)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("f =~ y1 + y2\ng =~ y3 + y1", "one factor"),
        ("level: 1\nf =~ y1 + y2 + y3\nlevel: 2\nf =~ y1 + 1*y2", "same items"),
        (FREE + "\nfb ~ w", "leave regressions out"),
        ("f =~ y1 + y2 + y3\ny1 ~~ a*y1", "both levels"),
        (f"group: 1\n{FREE}", "one group"),
    ],
)
def test_what_has_no_omega_is_said(model, said):
    data = _simulated(1, n_clusters=60)
    data["w"] = np.sin(data["cluster"])
    with pytest.raises(DataError, match=said):
        multilevel_omega(model, data, cluster="cluster")
