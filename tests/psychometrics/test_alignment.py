"""Alignment: truth recovered, the scalar model where all is equal, slopes, errors, order of groups."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.tools.numdiff import approx_fprime

from relcap_models.errors import DataError
from relcap_models.psychometrics import cfa
from relcap_models.psychometrics.structural.alignment import _configural, alignment, shared_by
from relcap_models.psychometrics.structural.alignment_loss import Configural, _gradient_of, _loss, align

ONE = "f =~ " + " + ".join(f"y{i}" for i in range(5))
MEAN = np.array([0.0, 0.4, -0.3, 0.8, 0.1, -0.6])
SPREAD = np.array([1.0, 1.2, 0.8, 1.1, 0.9, 1.3])
LOADING = np.array([1.0, 0.8, 0.9, 0.7, 1.1])
INTERCEPT = np.array([0.0, 0.3, -0.2, 0.5, 0.1])


def answers(rng, n: int, *, odd: bool, groups: int = 6) -> pd.DataFrame:
    """Five items in groups; if odd, y1's intercept differs in group 2 and y4's loading in group 4."""
    parts = []
    for g in range(groups):
        loading, intercept = LOADING.copy(), INTERCEPT.copy()
        if odd and g == 2:
            intercept[1] += 0.9
        if odd and g == 4:
            loading[4] = 0.4
        trait = MEAN[g] + SPREAD[g] * rng.normal(size=n)
        beneath = intercept + trait[:, None] * loading + 0.7 * rng.normal(size=(n, 5))
        parts.append(pd.DataFrame(beneath, columns=[f"y{i}" for i in range(5)]).assign(g=f"g{g}"))
    return pd.concat(parts, ignore_index=True)


def _cut(data: pd.DataFrame) -> pd.DataFrame:
    items = [f"y{i}" for i in range(5)]
    return pd.DataFrame(np.digitize(data[items], [-0.8, 0.6]), columns=items).assign(g=data["g"])


def _odd(found) -> set[tuple[str, str, str, str]]:
    out = found.parameters[~found.parameters["invariant"]]
    return set(out[["lhs", "op", "rhs", "group"]].itertuples(index=False, name=None))


def _number(names: pd.Series) -> np.ndarray:
    return names.str.extract(r"y(\d)", expand=False).fillna("0").astype(int).to_numpy()


def test_means_and_variances_of_a_known_truth_are_found():
    found = alignment(ONE, answers(np.random.default_rng(1), 4000, odd=True), group="g", fixed="g0")
    table = found.factors
    assert table.loc[0, ["mean", "mean_se", "variance", "variance_se"]].tolist() == [0, 0, 1, 0]
    later = table.iloc[1:]
    # Alignment is biased towards agreement by less than .01 here, beside four standard errors.
    assert (np.abs(later["mean"] - MEAN[1:]) < 4 * later["mean_se"] + 0.01).all()
    assert (np.abs(later["variance"] - SPREAD[1:] ** 2) < 4 * later["variance_se"] + 0.02).all()
    assert later["mean_se"].max() < 0.05
    assert _odd(found) == {("y1", "~1", "", "g2"), ("f", "=~", "y4", "g4")}
    shared = found.parameters[found.parameters["invariant"]]
    truth = np.where(shared["op"] == "=~", LOADING[_number(shared["rhs"])], INTERCEPT[_number(shared["lhs"])])
    assert (np.abs(shared["est"] - truth) < 4 * shared["se"] + 0.01).all()
    agreement = found.agreement.set_index(["lhs", "op", "rhs"])
    assert agreement.loc[("f", "=~", "y0"), "r2"] > 0.9 > agreement.loc[("f", "=~", "y4"), "r2"]
    assert agreement.loc[("y1", "~1", ""), "n_invariant"] == 5


def test_means_are_those_of_sirt(data_of):
    """Of the same configural estimates: `invariance.alignment` (4.3-21), meth = 3 (FIXED), eps = .01, √n."""
    items = [f"A{i}" for i in range(1, 6)]
    data = data_of("psychtools_bfi")[[*items, "education"]].dropna().astype(int)
    found = alignment("f =~ " + " + ".join(items), data, group="education", fixed="1").factors
    found = found.set_index("group").loc[["1", "3", "2", "5", "4"]]
    # sirt's optimiser stops within 3e-5 of the minimum.
    expected = [0, -0.287004800, -0.131732165, -0.198254813, -0.042974711]
    np.testing.assert_allclose(found["mean"], expected, atol=1e-4)
    spread = [1, 0.99153451, 1.03756507, 1.04108103, 1.05401100]
    np.testing.assert_allclose(np.sqrt(found["variance"]), spread, atol=1e-4)


def test_ordered_items_are_aligned_by_thresholds():
    data = _cut(answers(np.random.default_rng(2), 6000, odd=True))
    found = alignment(ONE, data, ordered=True, group="g", fixed="g0")
    later = found.factors.iloc[1:]
    assert (np.abs(later["mean"] - MEAN[1:]) < 4 * later["mean_se"] + 0.02).all()
    assert (np.abs(later["variance"] - SPREAD[1:] ** 2) < 4 * later["variance_se"] + 0.04).all()
    assert _odd(found) == {("y1", "|", "t1", "g2"), ("y1", "|", "t2", "g2"), ("f", "=~", "y4", "g4")}


def test_with_full_invariance_means_are_those_of_the_scalar_model():
    data = answers(np.random.default_rng(3), 5000, odd=False)
    found = alignment(ONE, data, group="g", fixed="g0").factors
    scalar = cfa(ONE, data, group="g", std_lv=True, group_equal=["loadings", "intercepts"]).parameters
    means = scalar.query("lhs == 'f' and op == '~1'")["est"].to_numpy()
    variances = scalar.query("lhs == 'f' and op == '~~'")["est"].to_numpy()
    # Two estimates of the same from the same data: closer than their errors, which are about .02.
    assert (np.abs(found["mean"] - means)[1:] < 0.4 * found["mean_se"][1:]).all()
    assert (np.abs(found["variance"] - variances)[1:] < 0.4 * found["variance_se"][1:]).all()


@pytest.mark.parametrize("fixed", [None, "g3"])
def test_order_of_groups_changes_nothing(fixed):
    data = answers(np.random.default_rng(4), 400, odd=True)
    turned = data.iloc[np.argsort(-data["g"].str[1:].astype(int).to_numpy(), kind="stable")]
    one, two = (
        alignment(ONE, d, group="g", fixed=fixed).factors.set_index("group").drop(columns="factor")
        for d in (data, turned)
    )
    assert one.index[0] != two.index[0]
    pd.testing.assert_frame_equal(two.loc[one.index], one, rtol=1e-4, atol=1e-5)
    if fixed is None:
        assert np.prod(one["variance"]) == pytest.approx(1)


@pytest.mark.parametrize("fixed", [None, "g3"])
def test_aligned_parameters_are_the_configural_ones_on_another_scale(fixed):
    found = alignment(ONE, answers(np.random.default_rng(11), 400, odd=True), group="g", fixed=fixed)
    own = found.configural.parameters
    aligned = found.parameters.pivot_table(index="group", columns=["op", "lhs", "rhs"], values="est")
    for number, row in enumerate(found.factors.itertuples(), start=1):
        mine = own[own["group"] == number]
        loadings = mine.loc[mine["op"] == "=~", "est"].to_numpy()
        intercepts = mine.loc[(mine["op"] == "~1") & (mine["lhs"] != "f"), "est"].to_numpy()
        here = aligned.loc[row.group]
        np.testing.assert_allclose(here["=~"] * np.sqrt(row.variance), loadings, rtol=1e-9)
        np.testing.assert_allclose(here["~1"].to_numpy() + row.mean * here["=~"], intercepts, atol=1e-9)


def test_free_and_fixed_differ_by_level_and_unit():
    data = answers(np.random.default_rng(5), 2000, odd=True)
    free = alignment(ONE, data, group="g").factors
    fixed = alignment(ONE, data, group="g", fixed="g0").factors
    shown = (free["mean"] - free["mean"][0]) / np.sqrt(free["variance"][0])
    np.testing.assert_allclose(shown, fixed["mean"], atol=0.1)


@pytest.mark.parametrize("fixed", [None, 1])
def test_slopes_of_the_loss(fixed):
    rng = np.random.default_rng(6)
    problem = Configural(
        rng.uniform(0.5, 1.5, (3, 4)),
        rng.normal(size=(5, 4)),
        np.array([0, 0, 1, 2, 2]),
        np.array([-1.0, -1.0, 1.0, -1.0, -1.0]),
        np.array([100.0, 200.0, 50.0, 80.0]),
        fixed,
    )
    eta = problem.basis @ rng.normal(size=problem.basis.shape[1])
    assert eta[:4].sum() == pytest.approx(0)
    assert fixed is None or eta[4 + fixed] == 0
    wanted = approx_fprime(eta, lambda x: _loss(problem, x, problem.packed, 0.01), centered=True)
    np.testing.assert_allclose(_gradient_of(problem, problem.packed, 0.01)(eta), wanted, atol=1e-8)


def test_standard_errors_are_the_spread_of_estimates():
    rng = np.random.default_rng(7)
    n_samples, est, error = 60, [], []
    for _ in range(n_samples):
        table = alignment(ONE, answers(rng, 1000, odd=True, groups=4), group="g", fixed="g0").factors
        est.append(table[["mean", "variance"]].to_numpy()[1:].ravel())
        error.append(table[["mean_se", "variance_se"]].to_numpy()[1:].ravel())
    ratio = np.log(np.mean(error, axis=0) / np.std(est, axis=0, ddof=1))
    # The logarithm of a standard deviation of 60 estimates errs by .092; six ratios.
    assert np.abs(ratio).max() < 3 / np.sqrt(2 * (n_samples - 1))


def test_in_a_population_alignment_finds_the_truth_but_for_epsilon(monkeypatch):
    """The design of Asparouhov & Muthén's (2014) simulation: a fifth of the parameters differ, by group."""
    mean, variance = np.array([0.0, 0.3, 1.0]), np.array([1.0, 1.5, 1.2])
    loadings, intercepts = np.ones((5, 3)), np.zeros((5, 3))
    intercepts[[4, 0, 1], [0, 1, 2]] = 0.5, -0.5, 0.5
    loadings[[2, 4, 3], [0, 1, 2]] = 1.4, 0.5, 0.3
    population = Configural(
        loadings * np.sqrt(variance),
        intercepts + loadings * mean,
        item=np.arange(5),
        sign=np.ones(5),
        n=np.full(3, 1000.0),
        fixed=0,
    )
    found = align(population, np.eye(30))
    # What ε = .01 adds to the published loss: it is not quite indifferent to where large differences lie.
    np.testing.assert_allclose(found.means, [0, 0.264, 0.985], atol=0.001)
    np.testing.assert_allclose(found.variances, [1, 1.417, 1.140], atol=0.001)
    monkeypatch.setattr("relcap_models.psychometrics.structural.alignment_loss.EPSILON", 1e-4)
    sharper = align(population, np.eye(30))
    np.testing.assert_allclose(sharper.means, mean, atol=0.002)
    np.testing.assert_allclose(sharper.variances, variance, atol=0.005)


def test_the_set_of_groups_that_share_a_parameter():
    covariance = np.diag([0.01] * 5)
    values = np.array([0.0, 0.1, -0.1, 0.05, 1.0])
    n = np.full(5, 100.0)
    assert shared_by(values, covariance, n).tolist() == [True, True, True, True, False]
    # Two camps of two: the one with more respondents.
    camps = np.array([0.0, 0.0, 2.0, 2.0])
    n = np.array([10.0, 10.0, 30.0, 30.0])
    assert shared_by(camps, covariance[:4, :4], n).tolist() == [False, False, True, True]


def test_what_cannot_be_aligned():
    data = answers(np.random.default_rng(8), 100, odd=False, groups=2)
    with pytest.raises(DataError, match="`fixed` is one of the groups g0, g1"):
        alignment(ONE, data, group="g", fixed="g9")
    with pytest.raises(DataError, match="y1 belongs to more than one factor"):
        alignment("f =~ y0 + y1 + y2\nk =~ y1 + y3 + y4", data, group="g")
    with pytest.raises(DataError, match="without modifiers"):
        alignment("f =~ 1*y0 + y1 + y2", data, group="g")
    loose = alignment(ONE, data, group="g")
    assert any("level of the means of f is hardly known" in note for note in loose.notes)


def test_a_factor_that_points_the_other_way_in_a_group_is_turned():
    data = answers(np.random.default_rng(10), 300, odd=False, groups=3)
    result = cfa(ONE, data, group="g", std_lv=True)
    items = tuple(f"y{i}" for i in range(5))
    start, _, covariance = _configural(result, "f", items, None)
    table = result.fit.table
    loadings = table.loc[(table["op"] == "=~") & (table["block"] == 1), "free"].to_numpy() - 1
    sign = np.ones(len(result.fit.theta))
    sign[loadings] = -1.0
    turned = replace(result.fit, theta=result.fit.theta * sign, vcov=result.fit.vcov * np.outer(sign, sign))
    again, _, more = _configural(replace(result, fit=turned), "f", items, None)
    np.testing.assert_allclose(again.packed, start.packed)
    np.testing.assert_allclose(more, covariance)


def test_standard_errors_that_are_rough_are_said():
    rng = np.random.default_rng(9)
    small, large = (_cut(answers(rng, n, odd=False, groups=3)) for n in (250, 4000))
    notes = [alignment(ONE, d, ordered=True, group="g", fixed="g0").notes for d in (small, large)]
    assert [any("mostly too large" in note for note in part) for part in notes] == [True, False]
