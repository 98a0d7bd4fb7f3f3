"""Errors and tests with clusters: lavaan's values, identities, the spread of estimates in clustered data."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.errors import DataError
from relcap_models.psychometrics import cfa, compare, invariance

TWO = "f =~ y1 + y2 + y3\nk =~ y4 + y5 + y6"
ONE = "f =~ a + b + c + d"
EQUAL = ("loadings", "thresholds")


@pytest.fixture
def twolevel(data_of):
    return data_of("lavaan_demo_twolevel")


def _values(result, name: str, rows: dict[str, tuple[float, float]]):
    table = result.parameters.assign(name=lambda t: t["lhs"] + t["op"] + t["rhs"]).set_index("name")
    table = table[~table.index.duplicated()]
    for key, (est, se) in rows.items():
        assert (table["est"][key], table["se"][key]) == pytest.approx((est, se), abs=2e-6), (name, key)


# lavaan 0.6-14: cfa(TWO, Demo.twolevel, cluster = "cluster", estimator = "MLR")
def test_continuous_items_as_in_lavaan(twolevel):
    found = cfa(TWO, twolevel, cluster="cluster")
    assert found.fit.estimator == "MLR"
    rows = {"f=~y2": (0.73341149, 0.03331234), "y4~~y4": (0.99547226, 0.06840742)}
    rows |= {"f~~k": (0.37216833, 0.09673258), "y5~1": (0.07786146, 0.07259480)}
    _values(found, "one group", rows)
    m = found.fit_measures
    # lavaan's optimiser stops a little earlier, which its traces show in the sixth digit.
    assert m["chisq.scaling.factor"] == pytest.approx(1.58183848, rel=2e-6)
    assert m["baseline.chisq.scaled"] == pytest.approx(3804.52598839, rel=1e-6)
    assert [m["cfi.robust"], m["rmsea.robust"]] == pytest.approx([0.99925003, 0.01114615], abs=1e-6)
    equal = cfa("f =~ 1*y1 + 1*y2 + 1*y3\nk =~ y4 + y5 + y6", twolevel, cluster="cluster")
    difference = compare(found, equal).iloc[1]
    assert difference["chisq_diff"] == pytest.approx(86.22617707, rel=1e-5)


def test_groups_that_share_no_cluster_as_in_lavaan(twolevel):
    data = twolevel.assign(half=np.where(twolevel["cluster"] % 2 == 0, "a", "b"))
    found = cfa(TWO, data, group="half", group_equal="loadings", cluster="cluster")
    _values(found, "groups", {"f=~y2": (0.73790783, 0.03277583), "y1~1": (-0.11233356, 0.12839368)})
    assert found.fit_measures["chisq.scaling.factor"] == pytest.approx(1.50498070, rel=2e-6)


def test_missing_answers_as_in_lavaan(twolevel):
    data = twolevel.copy()
    data.loc[data.index[::7], "y2"] = np.nan
    data.loc[data.index[2::11], "y5"] = np.nan
    found = cfa(TWO, data, cluster="cluster", missing="fiml")
    _values(found, "fiml", {"f=~y2": (0.72624037, 0.03587272), "y2~1": (-0.02609826, 0.06651717)})
    assert found.fit_measures["chisq.scaling.factor"] == pytest.approx(1.54937481, rel=2e-6)


def test_covariates_as_in_lavaan(twolevel):
    found = cfa("f =~ y1 + y2 + y3\nf ~ x1 + x2", twolevel, cluster="cluster")
    _values(found, "covariates", {"f~x1": (0.52250749, 0.02800004), "f~~f": (1.47829112, 0.11883160)})
    assert found.fit_measures["chisq.scaling.factor"] == pytest.approx(1.18737653, rel=2e-6)


def panel(rng: np.random.Generator, n_units: int, size: int) -> pd.DataFrame:
    """Three-category items of members of units, answered in two waves; units and persons stay the same."""
    unit = np.repeat(np.arange(n_units), size)
    n = len(unit)
    shared = np.sqrt(0.3) * rng.normal(size=n_units)[unit] + np.sqrt(0.4) * rng.normal(size=n)
    common = 0.3 * rng.normal(size=(n_units, 4))[unit]
    waves = []
    for wave in (1, 2):
        trait = shared + np.sqrt(0.3) * rng.normal(size=n) + 0.3 * (wave - 1)
        beneath = 0.8 * trait[:, None] + common + 0.5 * rng.normal(size=(n, 4))
        answers = pd.DataFrame(np.digitize(beneath, [-0.6, 0.5]), columns=list("abcd"))
        waves.append(answers.assign(wave=wave, unit=unit))
    return pd.concat(waves, ignore_index=True)


def test_each_respondent_a_cluster_is_no_cluster():
    data = panel(np.random.default_rng(3), 60, 4)
    rows = np.arange(len(data))
    for answers in (data, data.astype(float)):
        options = {"ordered": True} if answers is data else {"estimator": "MLR"}
        alone = cfa(ONE, answers, group="wave", **options)
        each = cfa(ONE, answers, group="wave", cluster=rows, **options)
        # lavaan's factor for maximum likelihood, n / (n − 1); least squares has n − 1 anyhow.
        factor = 1.0 if answers is data else np.sqrt(240 / 239)
        np.testing.assert_allclose(each.parameters["se"], factor * alone.parameters["se"], rtol=1e-8)
        np.testing.assert_allclose(each.parameters["est"], alone.parameters["est"], rtol=1e-12)
        assert each.fit_measures["chisq.scaling.factor"] == pytest.approx(
            factor**2 * alone.fit_measures["chisq.scaling.factor"], rel=1e-8
        )


def test_twins_within_a_cluster_add_nothing():
    data = panel(np.random.default_rng(4), 60, 4).query("wave == 1")
    twice = pd.concat([data, data], ignore_index=True)
    once, twins = (cfa(ONE, d, ordered=True, cluster="unit") for d in (data, twice))
    np.testing.assert_allclose(twins.parameters["est"], once.parameters["est"], rtol=1e-9)
    np.testing.assert_allclose(twins.parameters["se"], once.parameters["se"], rtol=1e-9)
    assert twins.fit_measures["chisq.scaled"] == pytest.approx(once.fit_measures["chisq.scaled"], rel=1e-9)
    continuous, more = (cfa(ONE, d.astype(float), cluster="unit") for d in (data, twice))
    np.testing.assert_allclose(more.parameters["se"], continuous.parameters["se"], rtol=1e-6)


def test_ordinal_errors_are_the_spread_of_estimates():
    rng = np.random.default_rng(5)
    n_samples = 60
    est, se, blind, scaled = [], [], [], []
    for _ in range(n_samples):
        data = panel(rng, 50, 7)
        found = cfa(ONE, data, ordered=True, std_lv=True, group="wave", group_equal=EQUAL, cluster="unit")
        table = found.parameters
        table = table[(table["se"] > 0) & ~(table["label"].duplicated() & (table["label"] != ""))]
        est.append(table["est"])
        se.append(table["se"])
        scaled.append(found.fit_measures["chisq.scaled"])
    for cluster in (None, data["unit"].astype(str) + data["wave"].astype(str)):
        other = cfa(ONE, data, ordered=True, std_lv=True, group="wave", group_equal=EQUAL, cluster=cluster)
        blind.append(other.parameters.loc[table.index, "se"])
    spread = np.std(est, axis=0, ddof=1)
    ratio = np.sqrt(np.mean(np.square(se), axis=0)) / spread
    # The logarithm of a standard deviation of 60 estimates errs by 1 / sqrt(2 * 59) = .092. Robust errors of
    # 50 clusters are a few per cent too small.
    error = 1 / np.sqrt(2 * (n_samples - 1))
    assert np.abs(np.log(ratio)).max() < 3.2 * error + 0.03
    assert np.abs(np.log(ratio).mean()) < 2 * error
    df = found.fit.test.df
    assert np.mean(scaled) == pytest.approx(df, abs=3.5 * np.sqrt(2 * df / n_samples))
    # Data in which neglect would show: of thresholds without clusters, of the change without their overlap.
    threshold, change = table["op"] == "|", (table["op"] == "~1") & (table["lhs"] == "f")
    assert (blind[0][threshold] / spread[threshold]).mean() < np.exp(-3 * error)
    assert (blind[1][change] / spread[change]).iloc[0] > np.exp(3 * error)


def test_difference_tests_know_clusters_across_groups():
    data = panel(np.random.default_rng(6), 60, 4)
    found = invariance(ONE, data, ordered=True, group="wave", cluster="unit")
    alone = invariance(ONE, data, ordered=True, group="wave")
    assert found.table["chisq"].tolist() == pytest.approx(alone.table["chisq"].tolist())
    # Equal means over waves against free ones: one restriction, so the scaled difference is about the square
    # of the mean over its standard error, which only holds if the waves' dependence is counted.
    free = cfa(ONE, data, ordered=True, std_lv=True, group="wave", group_equal=EQUAL, cluster="unit")
    equal = cfa(
        ONE, data, ordered=True, std_lv=True, group="wave", group_equal=(*EQUAL, "means"), cluster="unit"
    )
    mean = free.parameters.query("lhs == 'f' and op == '~1' and group == 2").iloc[0]
    difference = compare(free, equal).iloc[1]
    assert difference["df_diff"] == 1
    wald = (mean["est"] / mean["se"]) ** 2
    assert difference["chisq_diff"] == pytest.approx(wald, rel=0.2)


def test_models_with_other_clusters_cannot_be_compared():
    data = panel(np.random.default_rng(7), 30, 3)
    one = cfa(ONE, data, ordered=True, cluster="unit")
    other = cfa("f =~ 1*a + 1*b + 1*c + 1*d", data, ordered=True, cluster=data["unit"] // 2)
    with pytest.raises(DataError, match="different clusters"):
        compare(one, other)


def test_few_clusters_are_said():
    data = panel(np.random.default_rng(8), 12, 20).query("wave == 1")
    notes = cfa(ONE, data, ordered=True, cluster="unit").notes
    assert any("12 clusters" in note and "too small" in note for note in notes)
    assert any("12 clusters for 14 sample statistics" in note for note in notes)
    many = cfa(ONE, data, ordered=True, cluster=np.arange(len(data))).notes
    assert not any("clusters" in note for note in many)


def test_clusters_that_cannot_be_used():
    data = panel(np.random.default_rng(9), 30, 3)
    with pytest.raises(DataError, match="`cluster` 'units' is no column of the data"):
        cfa(ONE, data, ordered=True, cluster="units")
    with pytest.raises(DataError, match="`cluster` has 3 values for 180 respondents"):
        cfa(ONE, data, ordered=True, cluster=[1, 2, 3])
    with pytest.raises(DataError, match="`cluster` is missing for 1 respondents"):
        cfa(ONE, data, ordered=True, cluster=data["unit"].where(data.index > 0))
    with pytest.raises(DataError, match="group '1' belong to one cluster"):
        cfa(ONE, data, ordered=True, group="wave", cluster="wave")
    with pytest.raises(DataError, match="with `cluster` use MLR"):
        cfa(ONE, data.astype(float), estimator="ML", cluster="unit")
