"""Polychoric and polyserial correlations: lavaan's values, known truth, and answers as people have them."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import ndtr

from relcap_models.errors import DataError
from relcap_models.psychometrics.bivariate_normal import table_probabilities
from relcap_models.psychometrics.polychoric_correlations import polychoric, polyserial


@pytest.fixture(scope="session")
def agreeableness(data_of):
    items = data_of("psychtools_bfi")[[f"A{i}" for i in range(1, 6)]].copy()
    items["A1"] = 7 - items["A1"]
    return items


def normal_answers(n, correlation, cuts, seed):
    """(respondent, item) answers cut from correlated normal variables."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, len(correlation))) @ np.linalg.cholesky(correlation).T
    names = [f"x{i + 1}" for i in range(len(correlation))]
    return pd.DataFrame({name: np.digitize(z[:, i], cuts[i]) for i, name in enumerate(names)}, dtype=float)


def crossed(table):
    """Two items `a` and `b` with this table of joint answers."""
    table = np.asarray(table)
    i, j = np.indices(table.shape)
    return pd.DataFrame({"a": np.repeat(i.ravel(), table.ravel()), "b": np.repeat(j.ravel(), table.ravel())})


def test_missing_answers_are_left_out_pair_by_pair(agreeableness):
    # lavaan 0.6-14: lavCor(A, ordered = names(A), missing = "pairwise")
    found = polychoric(agreeableness)
    assert found.n == 2800
    assert found.n_joint.loc["A1", "A2"] == agreeableness[["A1", "A2"]].dropna().shape[0]
    expected = {("A1", "A2"): 0.40845, ("A1", "A3"): 0.32253, ("A2", "A3"): 0.55546, ("A4", "A5"): 0.35527}
    for (one, other), value in expected.items():
        assert found.correlation.loc[one, other] == pytest.approx(value, abs=1e-5)
    pair = agreeableness[["A1", "A2"]]
    assert found.thresholds["A1"][0] == pytest.approx(-1.889, abs=5e-4)
    assert not np.allclose(polychoric(pair.dropna()).thresholds["A1"], found.thresholds["A1"], atol=1e-4)


def test_the_correlation_maximises_the_likelihood_given_the_thresholds():
    items = normal_answers(400, np.array([[1, -0.7], [-0.7, 1]]), [[-1, 0.2, 1.1], [-0.5, 0.8]], seed=2)
    found = polychoric(items)
    table = pd.crosstab(items["x1"], items["x2"]).to_numpy()

    def loss(rho):
        cells = table_probabilities(found.thresholds["x1"], found.thresholds["x2"], rho)
        return -(table * np.log(np.maximum(cells, 1e-300))).sum()

    best = minimize_scalar(loss, bounds=(-0.99, 0.99), method="bounded", options={"xatol": 1e-10}).x
    # A minimum located by its values is known to the root of their precision.
    assert found.correlation.loc["x1", "x2"] == pytest.approx(best, abs=1e-6)


def test_a_two_by_two_table_cut_at_medians_has_its_closed_form():
    # Sheppard: a quarter plus asin(ρ) / 2π in the corner: 40 of 100 are sin(2π(.4 − .25)) = sin(.3π).
    found = polychoric(crossed([[40, 10], [10, 40]]))
    assert found.correlation.loc["a", "b"] == pytest.approx(np.sin(0.3 * np.pi), abs=1e-10)


@pytest.mark.parametrize("rho", [-0.95, -0.4, 0.0, 0.6, 0.97])
def test_a_table_of_expected_counts_gives_back_its_correlation(rho):
    rows, columns = np.array([-0.8, 0.3]), np.array([-1.0, 0.0, 1.2])
    counts = np.round(table_probabilities(rows, columns, rho) * 1e5).astype(int)
    found = polychoric(crossed(counts))
    # Counts are rounded to a half in 1e5: up to 2e-5 in a margin, four times that in a threshold.
    np.testing.assert_allclose(found.thresholds["a"], rows, atol=1e-4)
    np.testing.assert_allclose(found.thresholds["b"], columns, atol=1e-4)
    assert found.correlation.loc["a", "b"] == pytest.approx(rho, abs=3e-4)


def test_turning_an_item_round_turns_its_correlations_and_thresholds():
    items = normal_answers(300, 0.4 + 0.6 * np.eye(3), [[-1, 0.5], [0.1], [-1, 0, 1]], seed=3)
    plain, turned = polychoric(items), polychoric(items.assign(x3=-items["x3"]))
    assert turned.correlation.loc["x1", "x3"] == pytest.approx(-plain.correlation.loc["x1", "x3"], abs=1e-9)
    np.testing.assert_allclose(turned.thresholds["x3"], -plain.thresholds["x3"][::-1], atol=1e-12)
    np.testing.assert_allclose(
        turned.standard_error.filter(like="~~"), plain.standard_error.filter(like="~~"), rtol=1e-8
    )


def test_the_order_of_items_changes_nothing():
    items = normal_answers(300, 0.4 + 0.6 * np.eye(3), [[-1, 0.5], [0.1], [-1, 0, 1]], seed=3)
    plain, mixed = polychoric(items), polychoric(items[["x3", "x1", "x2"]])
    pd.testing.assert_frame_equal(
        mixed.correlation.loc[plain.correlation.index, plain.correlation.index], plain.correlation, atol=1e-9
    )
    assert mixed.acov.loc["x3~~x1", "x1~~x2"] == pytest.approx(plain.acov.loc["x1~~x3", "x1~~x2"], rel=1e-7)


# a 2×2 table with one empty cell, and a 3×4 table with one: lavaan 0.6-14,
# lavCor(crossed, ordered = TRUE, zero.add = c(x, x)) with x = 0.5 and 0.
CROSSED_2X2 = [[30, 20], [0, 25]]
CROSSED_3X4 = [[7, 7, 7, 7], [6, 8, 7, 4], [7, 7, 8, 0]]


@pytest.mark.parametrize(
    ("table", "correct", "expected"),
    [
        (CROSSED_2X2, 0.5, 0.886),
        (CROSSED_2X2, 0.0, 0.999),
        (CROSSED_3X4, 0.5, -0.197),
        (CROSSED_3X4, 0.0, -0.220),
    ],
)
def test_empty_cells_are_filled_as_in_lavaan(table, correct, expected):
    assert polychoric(crossed(table), correct=correct).correlation.loc["a", "b"] == pytest.approx(
        expected, abs=5e-4
    )


def test_pairs_with_empty_cells_are_named():
    (note,) = polychoric(crossed(CROSSED_3X4)).notes
    assert "1 of 1 pairs" in note
    assert "a and b" in note
    assert "collapse" in note
    assert any("2×2" in n and "a and b" in n for n in polychoric(crossed(CROSSED_2X2)).notes)


def test_a_correlation_at_the_end_of_the_range_is_named():
    found = polychoric(crossed([[20, 0, 0], [0, 20, 0], [0, 0, 20]]))
    assert found.correlation.loc["a", "b"] == pytest.approx(0.999, abs=1e-6)
    assert any("a and b (0.999)" in note for note in found.notes)


@pytest.mark.parametrize(("table", "sign"), [([[20, 0], [0, 30]], 1.0), ([[0, 20], [30, 0]], -1.0)])
def test_items_that_determine_each_other_correlate_perfectly_without_standard_error(table, sign):
    found = polychoric(crossed(table))
    assert found.correlation.loc["a", "b"] == sign
    assert np.isnan(found.standard_error["a~~b"])
    assert np.isfinite(found.standard_error["a|t1"])
    assert any("no standard error for a and b" in note for note in found.notes)


def test_a_matrix_that_is_not_positive_definite_is_noted_and_left():
    # Pairwise counts that contradict each other: a and b alike, b and c alike, a and c opposite.
    same, opposite = crossed([[45, 5], [5, 45]]), crossed([[5, 45], [45, 5]])
    items = pd.concat(
        [same, same.rename(columns={"a": "b", "b": "c"}), opposite.rename(columns={"b": "c"})],
        ignore_index=True,
    )
    found = polychoric(items)
    assert np.linalg.eigvalsh(found.correlation)[0] < 0
    assert any("not positive definite" in note for note in found.notes)


def test_categories_that_nobody_chose_are_named_and_have_no_threshold():
    found = polychoric(crossed([[9, 4], [5, 6], [3, 9]]).replace({"a": {2: 4}}))
    assert len(found.thresholds["a"]) == 2
    assert any("a with 2, 3" in note for note in found.notes)


def test_sparse_pairs_are_named():
    items = crossed([[3, 1, 0], [1, 1, 0], [0, 0, 2]])
    assert any("a and b (8)" in note for note in polychoric(items).notes)


def test_pairs_without_joint_answers_are_named():
    a = np.tile([1.0, 2.0, 3.0], 20)
    first, second = a.copy(), a.copy()
    first[:30], second[30:] = np.nan, np.nan
    with pytest.raises(DataError, match="fewer than two respondents answered both 'p' and 'q'"):
        polychoric(pd.DataFrame({"p": first, "q": second, "r": a}))
    second[30:40] = 2
    with pytest.raises(DataError, match="all who answered 'p' answered 'q' alike"):
        polychoric(pd.DataFrame({"p": first, "q": second, "r": a}))


def test_constant_items_are_named():
    with pytest.raises(DataError, match="column 'b': was answered 1 by everybody"):
        polychoric(pd.DataFrame({"a": [1, 2, 3], "b": [1, 1, 1]}))


@pytest.mark.parametrize("correct", [-0.1, 1.0])
def test_a_correction_is_a_count_below_one(correct):
    with pytest.raises(DataError, match="`correct` is a count below 1"):
        polychoric(crossed(CROSSED_2X2), correct=correct)


def test_ordered_categories_keep_their_order():
    answers = crossed([[9, 4], [5, 6], [3, 9]])
    words = answers.assign(a=pd.Categorical.from_codes(answers["a"], ["low", "mid", "top"], ordered=True))
    pd.testing.assert_frame_equal(polychoric(words).correlation, polychoric(answers).correlation)


def test_most_answers_missing_gives_finite_errors():
    rng = np.random.default_rng(8)
    items = normal_answers(800, 0.5 + 0.5 * np.eye(4), [[-0.8, 0, 0.8]] * 4, seed=8)
    found = polychoric(items.mask(rng.random(items.shape) < 0.6))
    assert np.isfinite(found.acov.to_numpy()).all()
    # Some 130 joint answers a pair; four of the standard errors that go with them.
    off = found.correlation.to_numpy()[np.triu_indices(4, 1)] - 0.5
    assert (np.abs(off) < 4 * found.standard_error.filter(like="~~")).all()


def test_polyserial_recovers_the_correlation_beneath():
    rng = np.random.default_rng(4)
    z = rng.standard_normal((20_000, 2)) @ np.linalg.cholesky([[1, -0.6], [-0.6, 1]]).T
    found = polyserial(50 + 12 * z[:, 0], np.digitize(z[:, 1], [-1, 0.3, 1.5]))
    assert abs(found.correlation + 0.6) < 4 * found.standard_error
    # At most the error that a Pearson correlation of two seen variables has, and not twice as large.
    assert 1 < found.standard_error / ((1 - 0.36) / np.sqrt(20_000)) < 2
    np.testing.assert_allclose(found.thresholds, [-1, 0.3, 1.5], atol=4 * 1.5 / np.sqrt(20_000))


def test_polyserial_does_not_depend_on_units():
    rng = np.random.default_rng(4)
    z = rng.standard_normal((200, 2)) @ np.linalg.cholesky([[1, 0.5], [0.5, 1]]).T
    answers = np.digitize(z[:, 1], [-1, 0.3])
    plain, scaled = polyserial(z[:, 0], answers), polyserial(-1e6 * z[:, 0] + 3e6, answers)
    assert scaled.correlation == pytest.approx(-plain.correlation, abs=1e-8)
    assert scaled.standard_error == pytest.approx(plain.standard_error, rel=1e-6)


def test_polyserial_maximises_the_likelihood_given_the_margins():
    rng = np.random.default_rng(6)
    z = rng.standard_normal((300, 2)) @ np.linalg.cholesky([[1, 0.8], [0.8, 1]]).T
    answers = np.digitize(z[:, 1], [-0.5, 0.7])
    found = polyserial(z[:, 0], answers)
    standard = (z[:, 0] - z[:, 0].mean()) / z[:, 0].std()
    bounds = np.array([-np.inf, *found.thresholds, np.inf])

    def loss(rho):
        at = (bounds[:, None] - rho * standard) / np.sqrt(1 - rho**2)
        upper, lower = at[answers + 1, np.arange(300)], at[answers, np.arange(300)]
        return -np.log(ndtr(upper) - ndtr(lower)).sum()

    best = minimize_scalar(loss, bounds=(-0.99, 0.99), method="bounded", options={"xatol": 1e-10}).x
    assert found.correlation == pytest.approx(best, abs=1e-6)


def test_polyserial_wants_as_many_values_as_answers():
    with pytest.raises(DataError, match="3 values, `ordinal` 2"):
        polyserial([1.0, 2.0, 3.0], [1, 2])


# lavaan 0.6-14: lavCor(<mixed>, ordered = c("A2", "A3", "gender", "education"), missing = "pairwise",
#                       output = "cor")
MIXED = {
    ("A2", "A3"): 0.50761156878,
    ("A2", "age"): 0.06993307539,
    ("age", "gender"): 0.16504315756,
    ("A2", "x"): 0.790253209022,
    ("education", "x"): 0.007497054183,
    ("age", "x"): -0.001305507500,
}


@pytest.fixture
def mixed(data_of):
    """Four ordinal items, and age and another continuous column."""
    bfi = data_of("psychtools_bfi")
    items = bfi.loc[:599, ["A2", "age", "A3", "gender", "education"]].astype(float)
    x = np.round(np.exp(items["A2"] / 3) + (np.arange(1, 601) * 7919 % 1009) / 200, 3)
    return items.assign(x=x)


def test_mixed_columns_correlate_as_in_lavaan(mixed):
    found = polychoric(mixed, continuous=["age", "x"])
    for (one, other), value in MIXED.items():
        # lavaan's search ends at 1e-8 to 1e-6.
        assert found.correlation.loc[one, other] == pytest.approx(value, abs=2e-6)
    assert list(found.thresholds) == ["A2", "A3", "gender", "education"]


def test_a_mixed_pair_is_the_polyserial_correlation(mixed):
    pair = mixed[["age", "education"]].dropna()
    matrix, one = polychoric(pair, continuous="age"), polyserial(pair["age"], pair["education"])
    assert matrix.correlation.loc["age", "education"] == pytest.approx(one.correlation, abs=1e-12)
    assert matrix.standard_error["age~~education"] == pytest.approx(one.standard_error, rel=1e-12)


def test_units_of_continuous_columns_change_neither_correlations_nor_their_errors(mixed):
    plain = polychoric(mixed, continuous=["age", "x"])
    scaled = polychoric(mixed.assign(age=1e4 * mixed["age"] - 7), continuous=["age", "x"])
    np.testing.assert_allclose(scaled.correlation, plain.correlation, atol=1e-8)
    np.testing.assert_allclose(scaled.acov, plain.acov, rtol=1e-6, atol=1e-10)


def test_errors_of_mixed_correlations_are_those_of_repeated_samples():
    rng = np.random.default_rng(12)
    truth = np.array([[1, 0.5, 0.6], [0.5, 1, -0.3], [0.6, -0.3, 1]])
    estimates, errors = [], []
    for _ in range(300):
        z = rng.standard_normal((300, 3)) @ np.linalg.cholesky(truth).T
        items = pd.DataFrame({"a": np.digitize(z[:, 0], [-0.7, 0.4]), "b": 3 * z[:, 1], "c": z[:, 2] - 5})
        found = polychoric(items, continuous=["b", "c"])
        estimates.append(found.correlation.to_numpy()[np.triu_indices(3, 1)])
        errors.append(found.standard_error.filter(like="~~"))
    np.testing.assert_allclose(np.mean(estimates, axis=0), truth[np.triu_indices(3, 1)], atol=0.012)
    # A standard deviation from 300 samples errs by a 24th; four of those.
    np.testing.assert_allclose(np.std(estimates, axis=0), np.mean(errors, axis=0), rtol=4 / 24.5)


def test_a_perfect_pair_leaves_the_errors_of_continuous_columns():
    items = crossed([[20, 0], [0, 30]]).assign(x=np.random.default_rng(1).standard_normal(50))
    found = polychoric(items, continuous=["x"])
    assert np.isnan(found.standard_error["a~~b"])
    assert np.isfinite(found.standard_error.drop("a~~b")).all()


def test_items_that_are_all_continuous_are_sent_to_pearson():
    items = pd.DataFrame(np.random.default_rng(1).standard_normal((20, 2)), columns=["a", "b"])
    with pytest.raises(DataError, match="Pearson"):
        polychoric(items, continuous=["a", "b"])
