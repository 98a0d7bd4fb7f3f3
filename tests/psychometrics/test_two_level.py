"""Two-level models: slow oracles, truth recovered, and what changes nothing."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal, norm

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
from tests.psychometrics.two_level_models import DEMO, LABELLED, ONE, WHOLE, simulated


@pytest.fixture(scope="module")
def data():
    return simulated(1)


@pytest.fixture(scope="module")
def whole(data):
    return cfa(WHOLE, data, cluster="cluster")


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
    data = simulated(8, n_clusters=4000, smallest=2, largest=4)
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
    chisq, expected = (cfa(ONE, d, cluster="cluster").fit_measures["chisq"] for d in (other, data))
    assert chisq == pytest.approx(expected, abs=1e-3)


def test_truth_is_recovered():
    table = cfa(WHOLE, simulated(21, n_clusters=400), cluster="cluster").parameters.set_index(
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
