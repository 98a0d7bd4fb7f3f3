"""Statistics of ordinal and mixed items, and their covariances, against lavaan, differences and samples."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_ndtr, ndtr
from scipy.stats import multivariate_normal

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.bivariate_normal import table_probabilities
from relcap_models.psychometrics.correlation_pairs import pearson_pair, polychoric_pair, polyserial_pair
from relcap_models.psychometrics.ordinal_statistics import ordinal_statistics

# lavaan 0.6-14, R 4.2.2. For each data set:
#   f <- cfa(paste("f =~", paste(names(x), collapse = "+")), x, ordered = <ordinal>, do.fit = FALSE,
#            estimator = "WLSMV", missing = <missing>)
#   lavInspect(f, "gamma"); f@SampleStats@WLS.obs; lavInspect(f, "wls.v")
# lavaan turns the sign of means round, in gamma too; here they are turned back.
GAMMA = {
    "bfi": {
        ("A1|t1", "A1|t5"): 0.399574289,
        ("A1|t2", "A3|t4"): 0.161412346,
        ("A1|t1", "A1~~A2"): 0.537332228,
        ("A5|t3", "A1~~A2"): 0.0375759902,
        ("A1~~A2", "A1~~A2"): 0.686702635,
        ("A1~~A2", "A3~~A4"): 0.0674592528,
        ("A2~~A3", "A3~~A5"): 0.178443393,
    },
    "bfi pairwise": {
        ("A1|t2", "A3|t4"): 0.156319542,
        ("A1|t1", "A1~~A2"): 0.535767872,
        ("A1~~A2", "A3~~A4"): 0.0673754813,
        ("A4~~A5", "A4~~A5"): 0.911525543,
    },
    "datcat": {
        ("u1|t1", "u8|t4"): 0.114983611,
        ("u1~~u2", "u1~~u2"): 0.582219212,
        ("u1~~u2", "u7~~u8"): 0.0294798702,
        ("u3|t2", "u3~~u4"): 0.0919179335,
    },
    "lq2002": {
        ("LEAD01|t1", "LEAD11|t4"): 0.215587454,
        ("LEAD01~~LEAD02", "LEAD01~~LEAD02"): 0.245255615,
        ("LEAD01~~LEAD02", "LEAD10~~LEAD11"): 0.0446797496,
        ("LEAD05|t4", "LEAD05~~LEAD06"): -0.416151099,
    },
    "mixed": {
        ("age~1", "age~1"): 194.484462,
        ("age~1", "A2|t2"): 1.44926225,
        ("age~~age", "x~~x"): -57.2085307,
        ("x~~x", "x~~x"): 54.025862,
        ("A2~~age", "A2~~age"): 131.521046,
        ("A2~~age", "age~~x"): 190.808093,
        ("age~~x", "age~~x"): 510.170106,
        ("age~~gender", "gender~~x"): -1.47827989,
        ("A2~~A3", "gender~~education"): -0.0574134502,
        ("x~1", "age~~x"): -0.0372119532,
        ("x~~x", "education~~x"): 0.257252456,
    },
    "mixed pairwise": {
        ("age~1", "age~1"): 241.43712,
        ("age~~x", "age~~x"): 867.389924,
        ("A2~~age", "age~~x"): 237.498531,
        ("gender~~x", "gender~~x"): 11.4265865,
        ("age~~age", "age~~education"): 942.100909,
    },
}
STATISTICS = {
    "mixed": {
        "A2|t1": -2.28158131,
        "A2|t5": 0.429007937,
        "age~1": 29.8386492,
        "education|t4": 1.03603114,
        "x~1": 7.92641276,
        "age~~age": 110.934566,
        "x~~x": 4.79809908,
        "A2~~age": 0.954151013,
        "A2~~A3": 0.501925214,
        "A2~~x": 1.73754563,
        "age~~A3": 0.0712771847,
        "age~~x": 0.156348025,
        "gender~~education": 0.0647193709,
        "education~~x": 0.0195312141,
    },
    "mixed pairwise": {
        "age~1": 28.9357977,
        "x~1": 7.95402902,
        "age~~age": 118.523115,
        "A2~~age": 0.875684053,
        "age~~A3": 0.215122788,
        "age~~x": 0.502755867,
        "gender~~x": 0.247096274,
        "education~~x": -0.0456349604,
    },
}


@pytest.fixture(scope="session")
def statistics_of(data_of):
    def read(name):
        missing = "pairwise" if "pairwise" in name else "listwise"
        if name == "datcat":
            return ordinal_statistics(data_of("semtools_datcat")[[f"u{i}" for i in range(1, 9)]])
        if name == "lq2002":
            return ordinal_statistics(data_of("multilevel_lq2002")[[f"LEAD{i:02d}" for i in range(1, 12)]])
        bfi = data_of("psychtools_bfi")
        if name.startswith("bfi"):
            items = bfi[[f"A{i}" for i in range(1, 6)]].assign(A1=7 - bfi["A1"])
            return ordinal_statistics(items, missing=missing)
        items = bfi[["A2", "age", "A3", "gender", "education"]].astype(float)
        items["x"] = np.round(np.exp(items["A2"] / 3) + (np.arange(1, len(items) + 1) * 7919 % 1009) / 200, 3)
        items = items.iloc[:600].copy()
        if missing == "pairwise":
            items.iloc[2::7, 1] = np.nan
            items.iloc[4::4, 5] = np.nan
        return ordinal_statistics(items, continuous=["age", "x"], missing=missing)

    return read


@pytest.mark.parametrize("name", GAMMA)
def test_gamma_and_statistics_are_lavaans(statistics_of, name):
    found = statistics_of(name)
    for (one, other), value in GAMMA[name].items():
        assert found.gamma.loc[one, other] == pytest.approx(value, rel=1e-6)
        assert found.gamma.loc[other, one] == pytest.approx(value, rel=1e-6)
    for label, value in STATISTICS.get(name, {}).items():
        # Correlations of lavaan stop moving at 1e-8 to 1e-6, those with age are 10 times that.
        assert found.statistics[label] == pytest.approx(value, rel=1e-6, abs=2e-6)


def test_statistics_stand_in_lavaans_order(statistics_of):
    found = statistics_of("mixed")
    own = [*(f"A2|t{k}" for k in range(1, 6)), "age~1", *(f"A3|t{k}" for k in range(1, 6)), "gender|t1"]
    own += [*(f"education|t{k}" for k in range(1, 5)), "x~1", "age~~age", "x~~x"]
    assert list(found.statistics.index[: len(own)]) == own
    assert list(found.statistics.index[len(own) :][:7]) == [
        "A2~~age",
        "A2~~A3",
        "A2~~gender",
        "A2~~education",
        "A2~~x",
        "age~~A3",
        "age~~gender",
    ]
    assert len(found.statistics) == len(own) + 15


def test_the_parts_agree_with_the_statistics(statistics_of):
    found = statistics_of("mixed")
    assert found.n == 533 == len(found.rows) == len(found.influence)
    np.testing.assert_allclose(found.n * found.influence.T @ found.influence, found.gamma)
    np.testing.assert_allclose(found.dwls_weight * np.diag(found.gamma), 1.0)
    np.testing.assert_allclose(found.standard_error**2 * 532, np.diag(found.gamma))
    np.testing.assert_allclose(found.acov * 532, found.gamma)
    assert found.covariance.loc["x", "age"] == found.statistics["age~~x"]
    assert found.covariance.loc["age", "age"] == pytest.approx(found.statistics["age~~age"], rel=1e-14)
    assert found.mean["x"] == found.statistics["x~1"]
    assert found.mean["A2"] == 0.0
    np.testing.assert_allclose(np.diag(found.correlation), 1.0)
    np.testing.assert_array_equal(found.thresholds["gender"], found.statistics[["gender|t1"]])
    np.testing.assert_array_equal(found.categories["gender"], [1, 2])
    assert found.ordinal == (True, False, True, True, True, False)


def test_pairwise_and_listwise_agree_on_complete_answers(data_of):
    items = data_of("semtools_datcat")[["u1", "u2", "u3"]]
    listwise, pairwise = ordinal_statistics(items), ordinal_statistics(items, missing="pairwise")
    pd.testing.assert_frame_equal(listwise.gamma, pairwise.gamma)


# Scores and their cross-products against slow log-likelihoods, differentiated numerically.


def differences(log_likelihood, parameters):
    """(respondent, parameter) central differences of a log-likelihood by respondent."""
    columns = []
    for k, value in enumerate(parameters):
        h = 1e-5 * max(1.0, abs(value))
        up, down = np.array(parameters, float), np.array(parameters, float)
        up[k] += h
        down[k] -= h
        columns.append((log_likelihood(up) - log_likelihood(down)) / (2 * h))
    return np.column_stack(columns)


def two_normals(rho, n=250, seed=11):
    return np.random.default_rng(seed).standard_normal((n, 2)) @ np.linalg.cholesky([[1, rho], [rho, 1]]).T


def check_pair(fit, slopes, n_first):
    """`slopes` by first margin, second margin and correlation."""
    np.testing.assert_allclose(fit.scores, slopes[:, -1], atol=1e-7, rtol=1e-6)
    assert abs(fit.scores.sum()) < 1e-6
    np.testing.assert_allclose(fit.cross_first, fit.scores @ slopes[:, :n_first], rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(fit.cross_second, fit.scores @ slopes[:, n_first:-1], rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("rho", [-0.9, 0.3, 0.7])
def test_polychoric_scores_are_slopes_of_the_log_likelihood(rho):
    z = two_normals(rho)
    rows, columns = np.array([-0.7, 0.4]), np.array([-1.0, 0.1, 0.8])
    first, second = np.digitize(z[:, 0], rows), np.digitize(z[:, 1], columns)
    fit = polychoric_pair(first, second, rows, columns, correct=(0.0, 0.0))
    slopes = differences(
        lambda p: np.log(table_probabilities(p[:2], p[2:5], p[5])[first, second]),
        [*rows, *columns, fit.correlation],
    )
    check_pair(fit, slopes, 2)


@pytest.mark.parametrize("rho", [-0.9, 0.0, 0.7])
def test_polyserial_scores_are_slopes_of_the_log_likelihood(rho):
    z = two_normals(rho)
    values, thresholds = 3 + 2 * z[:, 0], np.array([-0.7, 0.4])
    codes = np.digitize(z[:, 1], thresholds)
    mean, variance = values.mean(), values.var()
    fit = polyserial_pair(values, mean, variance, codes, thresholds)

    def log_likelihood(p):
        standard = (values - p[0]) / np.sqrt(p[1])
        bounds = np.array([-np.inf, *p[2:4], np.inf])
        upper = ndtr((bounds[codes + 1] - p[4] * standard) / np.sqrt(1 - p[4] ** 2))
        lower = ndtr((bounds[codes] - p[4] * standard) / np.sqrt(1 - p[4] ** 2))
        return -0.5 * standard**2 - 0.5 * np.log(p[1]) + np.log(upper - lower)

    slopes = differences(log_likelihood, [mean, variance, *thresholds, fit.correlation])
    check_pair(fit, slopes, 2)


def test_polyserial_scores_hold_far_out_in_the_tail():
    # An answer of 0 at z = 6 has log-probability log Φ((−1 − 6ρ) / √(1 − ρ²)), in doubt if 1 − Φ is taken.
    values = np.append(two_normals(0.5)[:, 0], 6.0)
    codes = np.append((two_normals(0.5)[:, 1] > -1).astype(int), 0)
    fit = polyserial_pair(values, 0.0, 1.0, codes, np.array([-1.0]))
    slope = differences(
        lambda p: np.array([log_ndtr((-1 - 6 * p[0]) / np.sqrt(1 - p[0] ** 2))]), [fit.correlation]
    )
    assert fit.scores[-1] == pytest.approx(slope[0, 0], rel=1e-5)


@pytest.mark.parametrize("missing", [False, True])
def test_pearson_scores_are_slopes_of_the_log_likelihood(missing):
    values = two_normals(0.6) * [2.0, 0.5] + [1.0, -3.0]
    if missing:
        values[:60, 0], values[150:190, 1] = np.nan, np.nan
    means, variances = np.nanmean(values, axis=0), np.nanvar(values, axis=0)
    both = ~np.isnan(values).any(axis=1)
    fit = pearson_pair(*values.T, (means[0], variances[0]), (means[1], variances[1]))

    def log_likelihood(p):
        shared = p[4] * np.sqrt(p[1] * p[3])
        found = np.zeros(len(values))
        cov = [[p[1], shared], [shared, p[3]]]
        found[both] = multivariate_normal([p[0], p[2]], cov).logpdf(values[both])
        return found

    slopes = differences(log_likelihood, [means[0], variances[0], means[1], variances[1], fit.correlation])
    check_pair(fit, slopes, 2)
    if not missing:
        assert fit.correlation == pytest.approx(np.corrcoef(*values.T)[0, 1], abs=1e-12)


def test_gamma_is_the_spread_of_the_statistics_over_samples():
    # 400 samples: a standard deviation is known to 1 / √800 = 3.5 %, a correlation of two errors to 5 %.
    rng = np.random.default_rng(21)
    correlation = np.array([[1, 0.5, -0.3], [0.5, 1, 0.4], [-0.3, 0.4, 1]])
    lower = np.linalg.cholesky(correlation)
    statistics, gammas = [], []
    for _ in range(400):
        z = rng.standard_normal((500, 3)) @ lower.T
        items = pd.DataFrame(
            {"a": np.digitize(z[:, 0], [-0.5, 0.8]), "y": 4 + 3 * z[:, 1], "b": np.digitize(z[:, 2], [0.2])}
        )
        found = ordinal_statistics(items, continuous=["y"])
        statistics.append(found.statistics)
        gammas.append(found.gamma.to_numpy())
    expected = np.mean(gammas, axis=0)
    seen = 500 * np.cov(np.array(statistics).T)
    np.testing.assert_allclose(np.sqrt(np.diag(seen) / np.diag(expected)), 1.0, atol=4 * 0.035)
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(seen / scale, expected / scale, atol=4 * 0.05 * 1.4)
    truth = [-0.5, 0.8, 4, 0.2, 9, 1.5, -0.3, 1.2]
    error = np.sqrt(np.diag(expected) / 500 / 400)
    # Biases are of order 1 / n, under half of these errors.
    assert (np.abs(np.mean(statistics, axis=0) - truth) < 4 * error).all()


def test_a_two_by_two_table_with_an_empty_cell_rests_on_the_correction_and_says_so():
    items = pd.DataFrame({"a": np.repeat([0, 0, 1], [30, 20, 25]), "b": np.repeat([0, 1, 1], [30, 20, 25])})
    found = ordinal_statistics(items)
    # lavaan 0.6-14, its default zero.add.
    assert found.correlation.loc["a", "b"] == pytest.approx(0.885515622, abs=1e-7)
    assert found.gamma.loc["a~~b", "a~~b"] == pytest.approx(0.965577636, rel=1e-6)
    assert found.gamma.loc["a|t1", "a~~b"] == pytest.approx(-0.190483547, rel=1e-6)
    (note,) = found.notes
    assert "a and b" in note
    assert "rest on the 0.5" in note


def test_items_that_determine_each_other_are_refused_by_name():
    a = np.tile([0, 1], 20)
    z = np.linspace(-1, 1, 40)
    with pytest.raises(FitError, match="a and b: one item determines the other"):
        ordinal_statistics(pd.DataFrame({"a": a, "b": 1 - a}))
    with pytest.raises(FitError, match="y and w: one item determines the other"):
        ordinal_statistics(pd.DataFrame({"y": z, "w": 3 - 2 * z, "a": a}), continuous=["y", "w"])


def test_what_cannot_be_used_is_named():
    a = np.tile([0.0, 1, 2], 10)
    z = np.linspace(-1, 1, 30)
    with pytest.raises(DataError, match="`continuous` names w"):
        ordinal_statistics(pd.DataFrame({"a": a, "z": z}), continuous=["w"])
    with pytest.raises(DataError, match="All items are continuous"):
        ordinal_statistics(pd.DataFrame({"a": a, "z": z}), continuous=["a", "z"])
    with pytest.raises(DataError, match="column 'c': has two different values only"):
        ordinal_statistics(pd.DataFrame({"a": a, "c": a == 1}).astype(float), continuous=["c"])
    with pytest.raises(DataError, match="'listwise' or 'pairwise'"):
        ordinal_statistics(pd.DataFrame({"a": a, "b": a}), missing="fiml")
    with pytest.raises(DataError, match="two counts"):
        ordinal_statistics(pd.DataFrame({"a": a, "b": a}), correct=(1.0, 0.0))
    with pytest.raises(DataError, match="Two items are needed"):
        ordinal_statistics(pd.DataFrame({"a": a}))


def test_an_item_that_listwise_deletion_leaves_constant_is_explained():
    a = np.tile([0.0, 1, 2], 10)
    b = np.where(a == 1, 1.0, np.nan)
    with pytest.raises(DataError, match="Among the 10 of 30 respondents who answered every item"):
        ordinal_statistics(pd.DataFrame({"a": a, "b": b, "c": a}))
    b[:] = np.nan
    b[:2] = [0, 1]
    with pytest.raises(DataError, match="Item 'b' has the fewest"):
        ordinal_statistics(pd.DataFrame({"a": np.where(b == 0, np.nan, a), "b": b}))
