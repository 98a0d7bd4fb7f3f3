"""Factors of items: lavaan's and psych's values, known truth, and what stands in the way."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics import exploratory_factors as efa_module
from relcap_models.psychometrics.efa_fit import _jacobian
from relcap_models.psychometrics.exploratory_factors import efa
from relcap_models.psychometrics.extraction import _minres, _ml, extract

NINE = [f"x{i}" for i in range(1, 10)]
GOLDEN_ML2 = pd.Series(
    {"chisq": 130.3063153617, "df": 19, "rmsea": 0.13950823842, "tli": 0.76111933304, "srmr": 0.076240159058}
)
GOLDEN_MINRES2 = pd.Series({"chisq": 129.2248249799, "df": 19, "rmsea": 0.13878893898, "tli": 0.75828639958})


@pytest.fixture(scope="module")
def nine(data_of):
    return data_of("lavaan_hs1939")[NINE]


@pytest.fixture(scope="module")
def big_five(data_of):
    return data_of("psychtools_bfi").drop(columns="id").iloc[:, :25]


@pytest.mark.parametrize(
    ("rotation", "of_x9", "between"),
    [
        ("geomin", [0.311641, -0.002184, 0.480881], [0.373355, 0.432175, 0.306158]),
        ("oblimin", [0.36606, 0.034825, 0.463177], [0.325769, 0.270477, 0.216443]),
        ("varimax", [0.406369, 0.131556, 0.523747], [0, 0, 0]),
        ("promax", [0.367675, 0.002111, 0.455022], [0.399386, 0.339029, 0.239513]),
    ],
)
def test_rotations_are_lavaans(nine, rotation, of_x9, between):
    # lavaan 0.6-14: efa(h, nfactors = 3, rotation = …), standardized.
    found = efa(nine, 3, rotation=rotation)
    assert found.loadings.loc["x9"].to_numpy() == pytest.approx(of_x9, abs=1e-4)
    assert found.factor_correlation.to_numpy()[np.triu_indices(3, 1)] == pytest.approx(between, abs=1e-4)
    assert not found.notes


def test_factors_of_many_items_stand_in_lavaans_order(big_five):
    # lavaan 0.6-14: efa(na.omit(bfi[1:25]), nfactors = 5). With standardized loadings the order would differ.
    found = efa(big_five, 5, rotation="geomin")
    assert found.n == 2436
    assert found.loadings.loc["N1"].to_numpy() == pytest.approx(
        [0.004012, 0.01351, 0.51426, 0.755641, -0.068936], abs=1e-3
    )
    assert found.factor_correlation.loc["F1", "F2"] == pytest.approx(0.289786, abs=1e-3)


def test_likelihoods_fit_is_lavaans(nine):
    # efa(h, nfactors = 2), lavaan 0.6-14, R 4.2.2.
    fit = efa(nine, 2, rotation="none").fit
    assert fit[GOLDEN_ML2.index].to_numpy() == pytest.approx(GOLDEN_ML2.to_numpy(), abs=1e-6)


def test_minimum_residuals_fit_is_psychs(nine):
    # fa(h, 2), psych 2.2.9, R 4.2.2.
    fit = efa(nine, 2, method="minres").fit
    assert fit[GOLDEN_MINRES2.index].to_numpy() == pytest.approx(
        GOLDEN_MINRES2.to_numpy(), rel=1e-5, abs=1e-6
    )
    assert efa(nine, 2, method="uls").fit.equals(fit)


def test_polychoric_factors_are_lavaans_ulsmv(big_five):
    # efa(d, nfactors = 2, ordered = TRUE, estimator = "ULSMV", rotation = "geomin"), lavaan 0.6-14.
    d = big_five.dropna().filter(regex="^[AN]")
    found = efa(d, 2, method="uls", rotation="geomin", ordinal=True)
    assert found.fit["chisq"] == pytest.approx(574.282013, rel=1e-5)
    expected = {"df": 26, "rmsea": 0.0930605988, "tli": 0.881353006, "srmr": 0.0403974286}
    assert found.fit[list(expected)].to_numpy() == pytest.approx(list(expected.values()), abs=2e-6)
    assert found.loadings["F1"].head(5).to_numpy() == pytest.approx(
        [-0.421, 0.756, 0.808, 0.524, 0.632], abs=1e-3
    )
    assert found.factor_correlation.loc["F1", "F2"] == pytest.approx(-0.194, abs=1e-3)


def test_likelihood_of_polychoric_correlations_claims_no_chi_square(big_five):
    found = efa(big_five.dropna().iloc[:, :5], 1, ordinal=True)
    assert list(found.fit.index) == ["df", "srmr"]
    assert any("No chi-square" in note for note in found.notes)


@pytest.mark.parametrize("criterion", [_ml, _minres])
def test_gradients_match_finite_differences(nine, criterion):
    correlation = nine.corr().to_numpy()
    at = np.linspace(0.3, 0.7, 9)
    _, gradient = criterion(at, correlation, 3)
    step = 1e-6 * np.eye(9)
    for i in range(9):
        ahead, behind = (criterion(at + sign * step[i], correlation, 3)[0] for sign in (1, -1))
        assert gradient[i] == pytest.approx((ahead - behind) / 2e-6, abs=1e-6)


def test_jacobian_matches_finite_differences():
    loadings = np.random.default_rng(1).normal(size=(5, 2))
    above = np.triu_indices(5, 1)

    def implied(flat):
        matrix = flat.reshape(5, 2)
        return (matrix @ matrix.T)[above]

    step = 1e-6 * np.eye(10)
    numeric = [(implied(loadings.ravel() + h) - implied(loadings.ravel() - h)) / 2e-6 for h in step]
    assert _jacobian(loadings) == pytest.approx(np.column_stack(numeric), abs=1e-8)


@pytest.mark.parametrize("method", ["ml", "minres"])
@pytest.mark.parametrize("rotation", ["oblimin", "geomin"])
def test_a_perfect_structure_is_recovered(method, rotation):
    # Correlations exactly those of two correlated factors with two markers' worth of zeros each.
    pattern = np.array([[0.8, 0.0], [0.7, 0.0], [0.6, 0.0], [0.5, 0.0], [0.0, 0.9], [0.0, 0.7], [0.0, 0.6]])
    between = np.array([[1.0, 0.3], [0.3, 1.0]])
    data = _with_correlations(pattern @ between @ pattern.T)
    found = efa(data, 2, method=method, rotation=rotation)
    assert found.loadings.to_numpy() == pytest.approx(pattern, abs=2e-3)
    assert found.factor_correlation.to_numpy() == pytest.approx(between, abs=2e-3)
    assert found.uniqueness.to_numpy() == pytest.approx(1 - np.sum(pattern**2, axis=1), abs=1e-4)
    assert found.fit["chisq"] == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize(
    "rotation", ["oblimin", "quartimin", "geomin", "promax", "varimax", "quartimax", "none"]
)
def test_rotation_changes_no_implied_correlation(nine, rotation):
    found = efa(nine, 3, rotation=rotation)
    plain = extract(nine.corr().to_numpy(), 3, method="ml").loadings
    pattern = found.loadings.to_numpy()
    assert pattern @ found.factor_correlation.to_numpy() @ pattern.T == pytest.approx(
        plain @ plain.T, abs=1e-6
    )
    assert np.diag(found.factor_correlation) == pytest.approx(1.0)


def test_order_of_respondents_and_scale_of_items_change_nothing(nine):
    changed = nine.sample(frac=1.0, random_state=1)
    first, second = efa(nine, 2), efa(changed, 2)
    assert second.loadings.to_numpy() == pytest.approx(first.loadings.to_numpy(), abs=1e-5)
    assert efa(nine * 3 + 1, 2).loadings.to_numpy() == pytest.approx(first.loadings.to_numpy(), abs=1e-5)


def test_a_heywood_case_names_its_item_and_is_lavaans(nine):
    found = efa(nine, 4, rotation="none")
    assert any("'x7'" in note and "Heywood" in note for note in found.notes)
    # lavaan 0.6-14, efa(h, nfactors = 4).
    assert found.fit["chisq"] == pytest.approx(5.1827582122, abs=1e-5)
    assert found.uniqueness["x7"] == pytest.approx(0.0, abs=1e-5)
    assert found.uniqueness["x5"] == pytest.approx(0.19860706064, abs=1e-5)


def test_a_search_that_did_not_converge_names_its_item(nine, monkeypatch):
    extraction = extract(nine.corr().to_numpy(), 2, method="ml")
    slope = np.zeros(9)
    slope[4] = 1.0
    stuck = type(extraction)(
        extraction.loadings, extraction.uniqueness, extraction.at_bound, slope, extraction.value
    )
    monkeypatch.setattr(efa_module, "extract", lambda *_, **__: stuck)
    with pytest.raises(FitError, match="'x5'"):
        efa(nine, 2)


def test_items_that_determine_each_other_are_smoothed_and_named(nine):
    doubled = nine.assign(copy=nine["x1"] * 2)
    found = efa(doubled, 2, method="minres")
    assert np.isfinite(found.loadings.to_numpy()).all()
    assert any("'x1', 'copy'" in note for note in found.notes)


def test_what_cannot_be_asked_is_said(nine):
    with pytest.raises(DataError, match="n_factors=5 or less"):
        efa(nine, 6)
    with pytest.raises(DataError, match="rotation"):
        efa(nine, 2, rotation="spin")
    with pytest.raises(DataError, match="method"):
        efa(nine, 2, method="pa")
    alike_when_whole = pd.DataFrame({"a": [1, 1, 2, 1], "b": [1, 2, np.nan, 3], "c": [1, 2, 3, 5.0]})
    with pytest.raises(DataError, match=r"'a'.*everybody"):
        efa(alike_when_whole, 1)


def test_missing_answers_are_left_out_listwise(nine):
    holed = nine.copy()
    holed.iloc[:30, 4] = np.nan
    assert efa(holed, 2).n == 271
    assert efa(holed, 2).loadings.equals(efa(nine.iloc[30:], 2).loadings)


def _with_correlations(common: np.ndarray) -> pd.DataFrame:
    """200 answers whose correlations are exactly these off the diagonal."""
    correlation = common.copy()
    np.fill_diagonal(correlation, 1.0)
    noise = np.random.default_rng(0).normal(size=(200, len(correlation)))
    noise -= noise.mean(axis=0)
    white = np.linalg.svd(noise, full_matrices=False)[0]
    return pd.DataFrame(white @ np.linalg.cholesky(correlation).T)
