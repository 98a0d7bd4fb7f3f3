"""Two-level models: agreement with lavaan, slow oracles, and what cannot be estimated."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal, norm

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics import cfa, compare
from relcap_models.psychometrics.structural.parameter_table import parameter_table
from relcap_models.psychometrics.structural.syntax import parse
from relcap_models.psychometrics.structural.two_level_likelihood import (
    two_level_expected,
    two_level_gradient,
    two_level_hessian,
    two_level_log_likelihood,
    two_level_loss,
    two_level_scores,
)

NAN = float("nan")
DEMO = """
level: 1
fw =~ y1 + y2 + y3
fw ~ x1 + x2 + x3
level: 2
fb =~ y1 + y2 + y3
fb ~ w1 + w2
"""
ONE = "level: 1\nf =~ y1 + y2 + y3 + y4\nlevel: 2\nf =~ y1 + y2 + y3 + y4\n"
WHOLE = """
level: 1
f =~ y1 + y2 + y3 + y4
g =~ z1 + z2 + z3
g ~ f + v
f ~ v
level: 2
fb =~ y1 + y2 + y3 + y4
gb =~ z1 + z2 + z3
gb ~ fb
fb ~ w
u ~ fb
"""
LABELLED = """
level: within
f =~ y1 + a*y2 + b*y3 + d*y4
f ~~ p*f
level: between
f =~ y1 + a*y2 + b*y3 + d*y4
f ~~ q*f
icc := q / (p + q)
a == b
"""
# Name: data, model, estimator.
MODELS = {
    "one factor": (1, ONE, "ML"),
    "whole": (1, WHOLE, "ML"),
    "whole, robust": (1, WHOLE, "MLR"),
    "within only": (1, "level: 1\nf =~ y1 + y2 + y3\ng =~ z1 + z2 + z3\nlevel: 2\nf =~ y1 + y2 + y3", "ML"),
    "labelled": (1, LABELLED, "ML"),
    "groups": (1, f"group: a\n{ONE}\ngroup: b\n{ONE}", "ML"),
    "small clusters": (5, ONE + "f ~ w", "ML"),
    "saturated between": (5, "level: 1\nf =~ y1 + y2 + y3\nlevel: 2\ny1 ~~ y2 + y3\ny2 ~~ y3", "ML"),
    "observed": (1, "level: 1\ny1 ~ v\ny2 ~ y1\nlevel: 2\ny1 + y2 ~ w", "MLR"),
}


def _simulated(seed: int, *, n_clusters: int = 80, smallest: int = 3, largest: int = 14) -> pd.DataFrame:
    """Two factors, f and g ~ f, at both levels; v within, w and u between clusters; rows shuffled."""
    rng = np.random.default_rng(seed)
    size = rng.integers(smallest, largest, size=n_clusters)
    c = np.repeat(np.arange(n_clusters), size)
    n = len(c)
    w, v = rng.normal(size=n_clusters), rng.normal(size=n)
    fb, fw = 0.4 * w + 0.7 * rng.normal(size=n_clusters), 0.4 * v + rng.normal(size=n)
    gb, gw = 0.5 * fb + 0.6 * rng.normal(size=n_clusters), 0.3 * fw + 0.8 * rng.normal(size=n)
    data = {}
    for i, loading in enumerate([1, 0.8, 0.7, 0.9], start=1):
        own = 0.4 * rng.normal(size=n_clusters)[c] + 0.8 * rng.normal(size=n)
        data[f"y{i}"] = 1 + i / 2 + loading * (fw + fb[c]) + own
    for i, loading in enumerate([1, 0.8, 0.7], start=1):
        own = 0.3 * rng.normal(size=n_clusters)[c] + 0.7 * rng.normal(size=n)
        data[f"z{i}"] = i / 3 + loading * (gw + gb[c]) + own
    data |= {"v": v, "w": w[c] - 2, "u": (0.5 * fb + rng.normal(size=n_clusters))[c]}
    data |= {"cluster": np.char.add("c", c.astype(str)), "half": np.where(c % 2 == 0, "a", "b")}
    return pd.DataFrame(data).iloc[rng.permutation(n)].reset_index(drop=True)


# lavaan 0.6-14, R 4.2.2, sem(model, data, cluster = "cluster"): chisq, df, baseline.chisq, logl, srmr_within,
# srmr_between, chisq.scaled; sums of |est|, se, |std.all| of
# parameterEstimates(standardized = TRUE), and its rows.
LAVAAN = {
    "one factor": [
        3.0923095,
        4,
        1137.8158,
        -3824.2348,
        0.010018506,
        0.0033281248,
        NAN,
        20.319918,
        1.6375812,
        21.764992,
        28,
    ],
    "whole": [
        54.277471,
        43,
        1957.9985,
        -6433.8365,
        0.015363246,
        0.063589242,
        NAN,
        43.424524,
        4.5341558,
        48.493691,
        63,
    ],
    "whole, robust": [
        54.277471,
        43,
        1957.9985,
        -6433.8365,
        0.015363246,
        0.063589242,
        58.717287,
        43.424524,
        4.6456754,
        48.493691,
        63,
    ],
    "within only": [
        6.9073111,
        8,
        1503.3148,
        -5614.3651,
        0.012703426,
        0.012004828,
        NAN,
        23.477761,
        2.0584327,
        24.501955,
        34,
    ],
    "labelled": [
        6.6811509,
        8,
        1137.8158,
        -3826.0292,
        0.015588767,
        0.013145971,
        NAN,
        20.521027,
        1.3682163,
        22.348717,
        29,
    ],
    "groups": [
        5.2255844,
        8,
        1137.8077,
        -3813.7511,
        0.0097264326,
        0.012078838,
        NAN,
        40.763712,
        4.9343669,
        45.350812,
        56,
    ],
    "small clusters": [
        7.3627777,
        7,
        255.24149,
        -703.28836,
        0.022290342,
        0.075765003,
        NAN,
        29.837257,
        4.2872615,
        31.44072,
        31,
    ],
    "saturated between": [
        0,
        0,
        134.18147,
        -555.13382,
        0.0003596232,
        0.0015167653,
        NAN,
        16.617213,
        3.7292936,
        16.429893,
        20,
    ],
    "observed": [
        5.5296615,
        1,
        408.87787,
        -2036.6196,
        0.029679725,
        0.0027398869,
        5.3985032,
        14.893563,
        1.4813258,
        16.639492,
        17,
    ],
}


@pytest.fixture(scope="module")
def data():
    return _simulated(1)


@pytest.fixture(scope="module")
def whole(data):
    return cfa(WHOLE, data, cluster="cluster")


def test_rows_stand_in_lavaans_order(data_of):
    # lavaan 0.6-14: parameterEstimates(sem(DEMO, Demo.twolevel, cluster = "cluster")).
    within = """fw=~y1 fw=~y2 fw=~y3 fw~x1 fw~x2 fw~x3 y1~~y1 y2~~y2 y3~~y3 fw~~fw
    x1~~x1 x1~~x2 x1~~x3 x2~~x2 x2~~x3 x3~~x3 y1~1 y2~1 y3~1 x1~1 x2~1 x3~1 fw~1"""
    between = """fb=~y1 fb=~y2 fb=~y3 fb~w1 fb~w2 y1~~y1 y2~~y2 y3~~y3 fb~~fb
    w1~~w1 w1~~w2 w2~~w2 y1~1 y2~1 y3~1 w1~1 w2~1 fb~1"""
    table = cfa(DEMO, data_of("lavaan_demo_twolevel"), cluster="cluster").parameters
    for level, order in {1: within, 2: between}.items():
        rows = table[table["level"] == level]
        assert list(rows["lhs"] + rows["op"] + rows["rhs"]) == order.split()
    assert table["level"].is_monotonic_increasing


@pytest.mark.parametrize("name", MODELS)
def test_agrees_with_lavaan(name):
    seed, model, estimator = MODELS[name]
    size = {"n_clusters": 40, "smallest": 1, "largest": 6} if seed == 5 else {}
    group = "half" if name == "groups" else None
    result = cfa(model, _simulated(seed, **size), cluster="cluster", estimator=estimator, group=group)
    chisq, df, null, logl, within, between, scaled, est, se, std, rows = LAVAAN[name]
    fit, table = result.fit_measures, result.parameters
    assert (fit["df"], len(table)) == (df, rows)
    # lavaan's EM stops early, so that its saturated likelihood is a little too low.
    assert fit[["chisq", "baseline.chisq"]].to_list() == pytest.approx([chisq, null], rel=1e-4, abs=0.01)
    assert fit["logl"] == pytest.approx(logl, abs=1e-3)
    assert fit[["srmr_within", "srmr_between"]].to_list() == pytest.approx([within, between], abs=3e-3)
    if estimator == "MLR":
        # The scaling is a difference of two traces, of which that EM enters into one.
        assert fit["chisq.scaled"] == pytest.approx(scaled, rel=5e-3)
    sums = table[["est", "se", "std_all"]].abs().sum().to_list()
    assert sums == pytest.approx([est, se, std], rel=3e-4)


def test_likelihood_is_that_of_each_clusters_joint_normal_distribution(whole, data):
    (sample,) = whole.fit.model.samples
    within, between = whole.fit.model.moments(whole.fit.theta)
    total = sum(_joint(whole, rows)[2] for _, rows in data.groupby("cluster"))
    assert two_level_log_likelihood(sample, within, between) == pytest.approx(total, rel=1e-12)


def _joint(result, rows):
    """Level-1 and level-2 factors' expectation, and the log-likelihood, from all answers of one cluster."""
    inner, outer = result.fit.names
    within, between = result.fit.model.moments(result.fit.theta)
    alone = [v for v in outer.observed if v not in inner.observed]
    n, p = len(rows), len(inner.observed)
    upper = [outer.observed.index(v) if v in outer.observed else -1 for v in inner.observed]
    # Columns of `pick` are all level-2 variables; rows level-1 ones, 0 where they are at level 1 alone.
    pick = np.array([np.eye(len(between.mean))[u] if u >= 0 else np.zeros(len(between.mean)) for u in upper])
    last = np.eye(len(between.mean))[[outer.observed.index(v) for v in alone]]
    reach = np.vstack([np.tile(pick, (n, 1)), last])
    cov = reach @ between.covariance @ reach.T
    cov[: n * p, : n * p] += np.kron(np.eye(n), within.sigma)
    mean = reach @ between.mean + np.concatenate([np.tile(within.mu, n), np.zeros(len(alone))])
    answers = np.concatenate([rows[list(inner.observed)].to_numpy().ravel(), rows[alone].iloc[0].to_numpy()])
    weight = np.linalg.solve(cov, answers.astype(float) - mean)
    b = between.mean + between.covariance @ reach.T @ weight
    cross = np.hstack(
        [np.kron(np.eye(n), within.covariance[p:, :p]), np.zeros((n * (len(within.mean) - p), len(alone)))]
    )
    w = np.tile(within.mean[p:], n) + cross @ weight
    return (
        w.reshape(n, -1),
        b[len(outer.observed) :],
        multivariate_normal(mean, cov).logpdf(answers.astype(float)),
    )


def test_factor_scores_are_expectations_given_the_whole_cluster(whole, data):
    scores = whole.predict()
    for _, rows in list(data.groupby("cluster"))[:5]:
        lower, upper, _ = _joint(whole, rows)
        found = scores.loc[rows.index]
        np.testing.assert_allclose(found[1][["f", "g"]], lower, atol=1e-10)
        np.testing.assert_allclose(found[2][["fb", "gb"]], np.tile(upper, (len(rows), 1)), atol=1e-10)


def test_factor_scores_agree_with_lavaan(data):
    # lavaan 0.6-14: lavPredict(f)[1:3], lavPredict(f, level = 2)[1:3]; clusters in order of appearance.
    result = cfa(ONE, data, cluster="cluster").predict()
    lower, upper = [-0.8396105, -0.3664736, 0.5723505], [-0.9591894, 0.3352067, -0.5693089]
    np.testing.assert_allclose(result[(1, "f")].to_numpy()[:3], lower, atol=1e-4)
    first = result[(2, "f")].groupby(data["cluster"], sort=False).first()
    np.testing.assert_allclose(first.to_numpy()[:3], upper, atol=1e-4)


def test_derivatives_are_those_of_finite_differences(whole):
    model = whole.fit.model
    rng = np.random.default_rng(2)
    theta = whole.fit.theta + 0.05 * rng.normal(size=model.n_free)
    step = 1e-5 * np.eye(len(theta))
    slope = [(two_level_loss(model, theta + h) - two_level_loss(model, theta - h)) / 2e-5 for h in step]
    np.testing.assert_allclose(two_level_gradient(model, theta), slope, atol=1e-8)
    bend = [
        (two_level_gradient(model, theta + h) - two_level_gradient(model, theta - h)) / 2e-5 for h in step
    ]
    np.testing.assert_allclose(two_level_hessian(model, theta), bend, atol=1e-7)
    scores = two_level_scores(model, theta).sum(axis=0) / model.n
    np.testing.assert_allclose(-scores, two_level_gradient(model, theta), atol=1e-12)


def test_expected_information_is_that_of_scores():
    data = _simulated(8, n_clusters=4000, smallest=2, largest=4)
    model = cfa("level: 1\ny1 ~ v\nlevel: 2\ny1 ~ w", data, cluster="cluster").fit
    scores = two_level_scores(model.model, model.theta)
    observed, expected = scores.T @ scores / model.model.n, two_level_expected(model.model, model.theta)
    # Correlations of squares of 4,000 normal clusters: sd about sqrt(2 / 4000) = .02 of each diagonal.
    scale = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(observed / np.outer(scale, scale), expected / np.outer(scale, scale), atol=0.1)


def test_saturated_levels_of_balanced_clusters_are_those_of_analysis_of_variance():
    rng = np.random.default_rng(4)
    size, j = 5, 60
    c = np.repeat(np.arange(j), size)
    mixing = np.array([[1, 0.5], [0, 1.0]])
    x = rng.normal(size=(j, 2))[c] @ mixing + rng.normal(size=(j * size, 2))
    data = pd.DataFrame(x, columns=["a", "b"]).assign(cluster=c)
    (sample,) = cfa("level: 1\na ~~ b\nlevel: 2\na ~~ b", data, cluster="cluster").fit.model.samples
    means = np.array([x[c == k].mean(axis=0) for k in range(j)])
    inside = (x - means[c]).T @ (x - means[c]) / (j * (size - 1))
    np.testing.assert_allclose(sample.saturated.within.cov, inside, rtol=1e-6)
    outside = np.cov(means, rowvar=False, bias=True) - inside / size
    np.testing.assert_allclose(sample.saturated.between.cov, outside, rtol=1e-6)


def test_saturated_levels_stop_at_no_variance_between_clusters():
    # Means of clusters vary less than chance has it, so that all variance is within.
    c = np.repeat(np.arange(30), 4)
    data = pd.DataFrame({"a": np.tile([-1.0, 1, -2, 2.5], 30) + 0.01 * np.sin(c), "cluster": c})
    data["b"] = np.cos(np.arange(120.0)) + c % 3
    result = cfa("level: 1\na ~~ b\nlevel: 2\na ~~ 0*b\na ~~ 0*a", data, cluster="cluster")
    saturated = result.fit.model.samples[0].saturated
    assert saturated.between.cov[0, 0] < 1e-4 * saturated.within.cov[0, 0]
    assert "singular" in saturated.notes[0]
    assert saturated.notes[0] in result.notes


def test_labels_make_parameters_equal_over_levels_and_defined_ones_follow(data):
    table = cfa(LABELLED, data, cluster="cluster").parameters
    assert table.loc[table["label"] == "a", "est"].nunique() == 1
    assert table.loc[table["label"].isin(["a", "b"]), "est"].round(10).nunique() == 1
    p, q = (table.loc[table["label"] == name, "est"].iloc[0] for name in "pq")
    defined = table.iloc[-1]
    assert defined["est"] == pytest.approx(q / (p + q))
    assert (defined["group"], defined["level"]) == (0, 0)


def test_groups_without_equalities_are_fitted_apart(data):
    both = cfa(ONE, data, cluster="cluster", group="half")
    apart = [cfa(ONE, part, cluster="cluster") for _, part in data.groupby("half")]
    for name in ("chisq", "logl", "baseline.chisq"):
        assert both.fit_measures[name] == pytest.approx(sum(r.fit_measures[name] for r in apart), rel=1e-6)
    equal = cfa(ONE, data, cluster="cluster", group="half", group_equal=("loadings", "intercepts"))
    # Twice three loadings, four intercepts, less one mean at level 2.
    assert compare(both, equal)["df_diff"].iloc[1] == 9


def test_order_of_rows_names_of_clusters_and_of_levels_change_nothing(data, whole):
    lines = WHOLE.split("level: 2")
    turned = f"level: between{lines[1]}\nlevel: within{lines[0].removeprefix(chr(10) + 'level: 1')}"
    moved = data.sample(frac=1, random_state=3)
    codes = pd.factorize(moved["cluster"])[0] * 7 % 1001
    again = cfa(turned, moved, cluster=codes)
    pd.testing.assert_frame_equal(again.parameters, whole.parameters, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("times", [(1000, 0.001), (10, 10), (1, 100)])
def test_units_of_items_do_not_change_fit(data, times):
    other = data.assign(y1=data["y1"] * times[0], y2=data["y2"] * times[1])
    # lavaan's, of "one factor" above.
    chisq = cfa(ONE, other, cluster="cluster").fit_measures["chisq"]
    assert chisq == pytest.approx(LAVAAN["one factor"][0], abs=1e-3)


def test_truth_is_recovered():
    table = cfa(WHOLE, _simulated(21, n_clusters=400), cluster="cluster").parameters.set_index(
        ["lhs", "op", "rhs"]
    )
    truth = {
        ("f", "=~", "y2"): 0.8,
        ("g", "=~", "z3"): 0.7,
        ("g", "~", "f"): 0.3,
        ("f", "~", "v"): 0.4,
        ("g", "~~", "g"): 0.64,
        ("fb", "=~", "y4"): 0.9,
        ("gb", "~", "fb"): 0.5,
        ("fb", "~", "w"): 0.4,
        ("u", "~", "fb"): 0.5,
        ("fb", "~~", "fb"): 0.49,
    }
    found = table.loc[list(truth)]
    assert found["se"].between(0.001, 0.15).all()
    # Ten normal deviates: all within 3.5 standard errors with probability .995.
    assert (np.abs(found["est"] - list(truth.values())) < 3.5 * found["se"]).all()


def test_missing_answers_are_left_out_and_said(data, whole):
    holes = data.copy()
    holes.loc[[3, 50], "y2"] = np.nan
    result = cfa(WHOLE, holes, cluster="cluster")
    assert result.n == whole.n - 2
    assert result.notes[0].startswith("2 of")
    assert list(result.predict().index) == [i for i in range(len(data)) if i not in (3, 50)]


def test_a_negative_variance_between_clusters_is_said():
    rng = np.random.default_rng(12)
    c = np.repeat(np.arange(25), 4)
    f = rng.normal(size=100) + 0.7 * rng.normal(size=25)[c]
    data = pd.DataFrame({f"y{i}": f + rng.normal(size=100) for i in range(1, 5)}).assign(cluster=c)
    result = cfa(ONE, data, cluster="cluster")
    negative = result.parameters.query("op == '~~' and est < 0 and level == 2")
    assert len(negative)
    for name in negative["lhs"]:
        assert any(f"residual variance of {name} at level 2 is negative" in note for note in result.notes)
    assert result.fit_measures.drop("rmsea.pvalue").notna().all()


def test_a_fixed_covariate_of_both_levels_leaves_a_saturated_model_saturated(data):
    result = cfa("level: 1\ny1 ~ y2 + v\nlevel: 2\ny1 ~ y2 + w", data, cluster="cluster")
    assert result.fit_measures["df"] == 0
    # lavaan 0.6-14 says 8.4 of such a model: it puts the covariate's mean at level 2 wrong.
    assert result.fit_measures["chisq"] == pytest.approx(0, abs=1e-6)
    # As lavaan, without the likelihood of covariates of one level alone.
    given = 0.0
    for x in (data["v"], data.groupby("cluster")["w"].first()):
        given += norm(x.mean(), x.std(ddof=0)).logpdf(x).sum()
    (sample,) = result.fit.model.samples
    whole = two_level_log_likelihood(sample, *result.fit.model.moments(result.fit.theta))
    assert result.fit_measures["logl"] == pytest.approx(whole - given)


SINGLE = pd.DataFrame({"y1": [1.0, 2, 4, 3], "y2": [2.0, 1, 3, 5], "cluster": [1, 2, 3, 4]})
PAIR = "level: 1\ny1 ~~ y2\nlevel: 2\ny1 ~~ y2"


@pytest.mark.parametrize(
    ("model", "change", "options", "said"),
    [
        (ONE, {}, {"cluster": None}, "`cluster`"),
        (ONE, {}, {"cluster": "clustr"}, "Nearest: cluster"),
        (ONE, {}, {"cluster": [1, 2]}, "2 values"),
        (ONE, {}, {"ordered": ["y1"]}, "Ordered items"),
        (ONE, {}, {"missing": "fiml"}, "complete answers"),
        (ONE, {}, {"estimator": "MLM"}, "ML, MLR"),
        (ONE, {"cluster": None}, {}, "missing for"),
        (ONE, {"cluster": 1}, {}, "two clusters or more"),
        (ONE + "fb2 =~ v", {"v": "moves"}, {}, "'v': is at level 2 alone, and varies within clusters"),
        (ONE + "w ~ f", {"w": 3.0}, {}, "everybody"),
        ("level: 1\ny1 ~ w\nlevel: 2\ny1 ~~ y1", {}, {}, "'w': is at level 1, and does not vary within"),
        ("level: 1\nf =~ y1 + y2 + y3", {}, {}, "only one of two levels"),
        ("level: 1\ny1~~y2\nlevel: 3\ny1~~y2", {}, {}, "within and between"),
        ("y1 ~~ y2\n" + PAIR, {}, {}, "stands in no level"),
        ("level: 1\nf =~ y1 + y2\nlevel: 2\nf =~ y1 + y2", {"f": 1.0}, {}, "rename the factor"),
    ],
)
def test_what_cannot_be_read_is_said(data, model, change, options, said):
    values = {k: np.arange(len(data)) if v == "moves" else v for k, v in change.items()}
    with pytest.raises(DataError, match=re.escape(said)):
        cfa(model, data.assign(**values), **({"cluster": "cluster"} | options))


def test_clusters_of_one_and_clusters_in_two_groups_are_refused(data):
    with pytest.raises(DataError, match="one respondent only"):
        cfa(PAIR, SINGLE, cluster="cluster")
    torn = data.assign(half=np.where(np.arange(len(data)) % 2, "a", "b"))
    with pytest.raises(DataError, match="in several groups"):
        cfa(ONE, torn, cluster="cluster", group="half")


def test_variables_that_determine_one_another_are_named(data):
    with pytest.raises(DataError, match="y1, y2, sum determine one another"):
        cfa("level: 1\ny1 ~~ y2 + sum\nlevel: 2\ny1 ~~ y1", data.eval("sum = y1 + y2"), cluster="cluster")
    with pytest.raises(DataError, match="w, twice determine one another"):
        cfa("level: 1\ny1 ~~ y1\nlevel: 2\ny1 ~ w + twice", data.eval("twice = 2 * w"), cluster="cluster")


def test_that_clusters_hardly_differ_is_said(data):
    # Respondents stand in random order, so that these clusters are noise.
    result = cfa(ONE, data, cluster=np.arange(len(data)) // 8)
    assert any("hardly differ between them" in note for note in result.notes)
    assert any("at level 2 is negative" in note for note in result.notes)


def test_what_is_not_identified_is_said(data):
    with pytest.raises(FitError, match="not identified"):
        cfa("level: 1\nf =~ y1 + y2\nlevel: 2\ny1 ~~ y2", data, cluster="cluster")
    with pytest.raises(FitError, match=r"level 2"):
        cfa(ONE.replace("level: 2\nf =~ y1", "level: 2\nf =~ NA*y1"), data, cluster="cluster")


def test_one_level_has_no_intraclass_correlation(whole, data):
    with pytest.raises(DataError, match="two-level"):
        _ = cfa("f =~ y1 + y2 + y3 + y4", data).icc
    with pytest.raises(DataError, match="different clusters"):
        compare(cfa("f =~ y1 + y2 + y3 + y4", data), cfa(ONE, data, cluster="cluster"))


def test_means_within_clusters_are_zero_where_variables_differ_between_them_too():
    table = parameter_table(parse(WHOLE.replace("level: 2", "v ~ 1\nlevel: 2")), groups=("",), means=True)
    means = table[table["op"] == "~1"].set_index(["level", "lhs"])["free"] > 0
    free = [("1", "v"), ("2", "y1"), ("2", "u")]
    assert means[free].all()
    assert not means[[("1", "y1"), ("1", "f"), ("2", "fb")]].any()


def test_residuals_are_by_level(whole):
    assert list(whole.residuals) == ["within", "between"]
    off = whole.residuals["between"].to_numpy()
    (sample,) = whole.fit.model.samples
    sigma = whole.fit.model.moments(whole.fit.theta)[1].sigma
    a, b = sample.saturated.between.cov, sigma
    assert off[0, 1] == pytest.approx(
        a[0, 1] / np.sqrt(a[0, 0] * a[1, 1]) - b[0, 1] / np.sqrt(b[0, 0] * b[1, 1])
    )


def test_modification_indices_of_both_levels_are_lavaans(data_of):
    """modindices(sem(..., control = list(rel.tol = 1e-15))), lavaan 0.6-14, which stops a little early.

    There the loadings of y1 at the two levels, which are one test, have 3.75378 and 3.75336.
    """
    model = "level: 1\nfw =~ a*y1 + b*y2 + c*y3\nfw ~ x1\nlevel: 2\nfb =~ a*y1 + b*y2 + c*y3\nfb ~ w1\n"
    found = cfa(model, data_of("lavaan_demo_twolevel"), cluster="cluster").modification_indices
    at = found.set_index(["lhs", "op", "rhs", "level"])
    expected = {
        ("fb", "=~", "y1", 2): (3.7533607798, 0.1562836572),
        ("y2", "~~", "y3", 2): (3.5732728149, -0.0622056522),
        ("y1", "~~", "y2", 2): (3.4977269940, 0.0975930047),
        ("y1", "~~", "y3", 1): (0.4107992755, 0.0282109040),
    }
    for key, values in expected.items():
        np.testing.assert_allclose(at.loc[key, ["mi", "epc"]].astype(float), values, rtol=2e-3)
    assert at.loc[("fw", "=~", "y1", 1), "mi"] == pytest.approx(at.loc[("fb", "=~", "y1", 2), "mi"], rel=1e-6)


def test_modification_indices_foretell_the_chi_square(data_of):
    """Where they are small, a score test and the likelihood's difference agree to first order."""
    data = data_of("lavaan_demo_twolevel")
    narrow = cfa(DEMO, data, cluster="cluster")
    row = narrow.modification_indices.iloc[0]
    assert (row["lhs"], row["op"], row["rhs"], row["level"]) == ("y2", "~~", "y3", 1)
    wide = cfa(DEMO.replace("level: 2", "y2 ~~ y3\nlevel: 2"), data, cluster="cluster")
    drop = narrow.fit_measures["chisq"] - wide.fit_measures["chisq"]
    assert drop == pytest.approx(row["mi"], rel=0.05)
    added = wide.parameters.query("lhs == 'y2' and rhs == 'y3' and op == '~~' and level == 1").iloc[0]
    assert added["est"] == pytest.approx(row["epc"], rel=0.05)
