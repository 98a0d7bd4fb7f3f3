"""Omega: the published example, psych's values, and known truth."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.errors import DataError
from relcap_models.psychometrics.exploratory_factors import efa
from relcap_models.psychometrics.omega_coefficients import omega, omega_of_correlation

NAMES = [
    "Sentences", "Vocabulary", "Sent.Completion", "First.Letters", "Four.Letter.Words", "Suffixes",
    "Letter.Series", "Pedigrees", "Letter.Group",
]  # fmt: skip
# Correlations of nine tests among 213 pupils, Thurstone & Thurstone (1941), as McDonald (1999) prints them.
BELOW = [
    [0.828],
    [0.776, 0.779],
    [0.439, 0.493, 0.460],
    [0.432, 0.464, 0.425, 0.674],
    [0.447, 0.489, 0.443, 0.590, 0.541],
    [0.447, 0.432, 0.401, 0.381, 0.402, 0.288],
    [0.541, 0.537, 0.534, 0.350, 0.367, 0.320, 0.555],
    [0.380, 0.358, 0.359, 0.424, 0.446, 0.325, 0.598, 0.452],
]


@pytest.fixture(scope="module")
def thurstone():
    matrix = np.eye(9)
    for i, row in enumerate(BELOW, start=1):
        matrix[i, :i] = matrix[:i, i] = row
    return pd.DataFrame(matrix, index=NAMES, columns=NAMES)


@pytest.mark.parametrize(
    ("n_factors", "total", "hierarchical"),
    [
        # psych 2.2.9, omega(Thurstone, n); three factors are the published example.
        (1, 0.89303605, 0.891455404),
        (2, 0.912793325, 0.713908041),
        (3, 0.930825415, 0.736070318),
        (4, 0.941704441, 0.763752025),
    ],
)
def test_omega_of_thurstones_nine_variables(thurstone, n_factors, total, hierarchical):
    found = omega_of_correlation(thurstone, n_factors=n_factors)
    # Four factors are a Heywood case, where psych stops a little short of its minimum.
    close = 1e-4 if n_factors == 4 else 2e-6
    assert found.total == pytest.approx(total, abs=close)
    assert found.hierarchical == pytest.approx(hierarchical, abs=close)


def test_schmid_leiman_loadings_of_thurstones_nine_variables(thurstone):
    table = omega_of_correlation(thurstone).loadings
    # psych 2.2.9, omega(Thurstone)$schmid$sl.
    assert table.loc["Sentences"].to_numpy() == pytest.approx(
        [0.7090, 0.5599, -0.0216, 0.0303, 0.8175, 0.1825], abs=1e-4
    )
    assert table.loc["Letter.Group"].to_numpy() == pytest.approx(
        [0.5406, -0.0371, 0.1389, 0.4590, 0.5236, 0.4764], abs=1e-4
    )
    assert list(table.columns) == ["g", "F1", "F2", "F3", "h2", "u2"]


@pytest.mark.parametrize(
    ("n_factors", "total", "hierarchical"),
    [(1, 0.770698284, 0.743791205), (2, 0.816690565, 0.415240681), (3, 0.850835073, 0.449242434)],
)
def test_omega_of_nine_tests_is_psychs(data_of, n_factors, total, hierarchical):
    found = omega(data_of("lavaan_hs1939")[[f"x{i}" for i in range(1, 10)]], n_factors=n_factors)
    assert found.total == pytest.approx(total, abs=1e-5)
    assert found.hierarchical == pytest.approx(hierarchical, abs=2e-5)


def test_items_of_either_wording_are_flipped_as_psych_does(data_of):
    found = omega(data_of("psychtools_bfi").drop(columns="id").iloc[:, :25], n_factors=5)
    assert found.total == pytest.approx(0.87897605, abs=1e-5)
    assert found.hierarchical == pytest.approx(0.469855969, abs=2e-5)
    assert found.flipped == (
        "A1", "C4", "C5", "E1", "E2", "N1", "N2", "N3", "N4", "N5", "O2", "O4", "O5",
    )  # fmt: skip
    assert (found.loadings["g"] >= 0).all()
    assert any("Flipped" in note for note in found.notes)


def test_reversing_an_item_changes_nothing(data_of):
    items = data_of("lavaan_hs1939")[[f"x{i}" for i in range(1, 10)]]
    first, second = omega(items), omega(items.assign(x2=10 - items["x2"]))
    assert second.flipped == ("x2",)
    assert second.hierarchical == pytest.approx(first.hierarchical, abs=1e-5)


def test_a_bifactor_structure_with_proportional_loadings_is_recovered():
    # Higher order: loadings .8, factors' general loadings .7, .6, .5, so that g = .8 × each.
    pattern = np.kron(np.eye(3), np.full((4, 1), 0.8))
    upper = np.array([0.7, 0.6, 0.5])
    between = np.outer(upper, upper)
    np.fill_diagonal(between, 1.0)
    correlation = pattern @ between @ pattern.T
    np.fill_diagonal(correlation, 1.0)
    found = omega_of_correlation(pd.DataFrame(correlation))
    general = pattern @ upper
    assert np.sort(found.loadings["g"]) == pytest.approx(np.sort(general), abs=1e-3)
    assert found.hierarchical == pytest.approx(general.sum() ** 2 / correlation.sum(), abs=1e-3)
    assert found.total == pytest.approx(1 - 12 * 0.36 / correlation.sum(), abs=1e-5)


def test_ordinal_omega_takes_polychoric_correlations(data_of):
    items = data_of("psychtools_bfi").drop(columns="id").iloc[:, :25].dropna().filter(regex="^[AN]")
    found = omega(items, n_factors=2, ordinal=True)
    # psych 2.2.9, omega(polychoric(d, correct = 0)$rho, 2).
    assert found.total == pytest.approx(0.848070448, abs=1e-4)
    assert found.hierarchical == pytest.approx(0.283943762, abs=1e-4)


def test_limits_of_one_and_two_factors_are_said(thurstone):
    assert any("nothing beyond" in note for note in omega_of_correlation(thurstone, n_factors=1).notes)
    assert any("not identified" in note for note in omega_of_correlation(thurstone, n_factors=2).notes)
    with pytest.raises(DataError, match="factors"):
        omega_of_correlation(thurstone, n_factors=6)


@pytest.mark.parametrize(
    ("n_items", "said"),
    [
        (4, "`n_factors` is 3, which needs 6 items.*n_factors=1,"),
        (5, "which needs 6 items.*n_factors=2 or less"),
    ],
)
def test_more_factors_than_items_identify_are_refused_with_those_they_do(thurstone, n_items, said):
    with pytest.raises(DataError, match=said):
        omega_of_correlation(thurstone.iloc[:n_items, :n_items])


@pytest.mark.parametrize("function", [omega, efa])
def test_respondents_who_are_left_out_are_counted(function):
    rng = np.random.default_rng(4)
    items = pd.DataFrame(rng.normal(size=(60, 6)) + rng.normal(size=(60, 1)), columns=list("abcdef"))
    assert not any("left out" in note for note in function(items, n_factors=2).notes)
    items.loc[40:, "c"] = np.nan
    found = function(items, n_factors=2)
    assert found.notes[0] == "20 of 60 respondents with missing answers were left out"
    items.loc[6:, "c"] = np.nan
    with pytest.raises(DataError, match=r"6 respondents are too few for 6 items\. 54 of 60 .* such as 'c'"):
        function(items, n_factors=2)
