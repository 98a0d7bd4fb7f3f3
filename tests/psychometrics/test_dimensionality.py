"""How many things items measure: psych's values, and known truth."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.correlations import smooth
from relcap_models.psychometrics.dimensionality import bartlett_sphericity, kmo, parallel_analysis


def test_missing_answers_are_left_out_by_pairs_as_in_psych(data_of):
    items = data_of("psychtools_bfi").drop(columns="id").iloc[:, :25]
    # psych 2.2.9: KMO(bfi[1:25]), cortest.bartlett(bfi[1:25]).
    adequacy = kmo(items)
    assert adequacy.overall == pytest.approx(0.845897493, abs=1e-8)
    assert adequacy.by_item[["A1", "O5"]].to_numpy() == pytest.approx([0.744724, 0.757368], abs=1e-6)
    test = bartlett_sphericity(items)
    assert test.chisq == pytest.approx(20163.7886, rel=1e-8)
    assert test.df == 300
    assert any("missing" in note for note in test.notes)


def test_nine_tests_have_three_factors(data_of):
    found = parallel_analysis(data_of("lavaan_hs1939")[[f"x{i}" for i in range(1, 10)]], n_iter=40)
    assert (found.n_components, found.n_factors) == (3, 3)
    # psych 2.2.9, fa.parallel(h): pc.values and fa.values.
    assert found.components["observed"].head(3).to_numpy() == pytest.approx(
        [3.2163, 1.6387, 1.3652], abs=1e-4
    )
    assert found.factors["observed"].head(3).to_numpy() == pytest.approx([2.6322, 0.9344, 0.5042], abs=1e-4)


def test_random_eigenvalues_are_those_of_unrelated_answers():
    # Oracle: eigenvalues of correlations of independent normal answers, drawn directly.
    rng = np.random.default_rng(1)
    related = rng.normal(size=(150, 1)) + rng.normal(size=(150, 6))
    found = parallel_analysis(related, n_iter=200)
    drawn = np.array([np.linalg.eigvalsh(np.corrcoef(rng.normal(size=(6, 150)))) for _ in range(2000)])[
        :, ::-1
    ]
    # Four Monte Carlo standard errors of a mean of 200.
    close = 4 * drawn.std(axis=0).max() / np.sqrt(200)
    assert found.components["random_mean"].to_numpy() == pytest.approx(drawn.mean(axis=0), abs=close)
    assert (found.components["random"] > found.components["random_mean"]).all()
    assert found.n_components == found.n_factors == 1


def test_unrelated_items_have_no_component():
    found = parallel_analysis(np.random.default_rng(4).normal(size=(200, 8)), n_iter=100, percentile=99.0)
    assert found.n_components == 0


def test_parallel_analysis_is_the_same_for_a_seed_and_holds_gaps(data_of):
    items = data_of("lavaan_hs1939")[[f"x{i}" for i in range(1, 7)]]
    holed = items.where(np.random.default_rng(0).random(items.shape) > 0.6)
    first, second = (parallel_analysis(holed, n_iter=5, seed=3) for _ in range(2))
    assert first.components.equals(second.components)
    assert not parallel_analysis(holed, n_iter=5, seed=4).components.equals(first.components)


def test_polychoric_eigenvalues_of_ordinal_items(data_of):
    items = data_of("psychtools_bfi")[["A1", "A2", "A3", "N1", "N2", "N3"]].dropna().head(400)
    found = parallel_analysis(items, ordinal=True, n_iter=5)
    assert (found.n_components, found.n_factors) == (2, 2)
    assert found.components["observed"].sum() == pytest.approx(6.0)
    assert found.components["observed"][1] > parallel_analysis(items, n_iter=1).components["observed"][1]


def test_adequacy_of_three_items_by_hand():
    # Correlations .5 throughout: partial correlations are .5/(1 + .5) = 1/3. .25/(.25 + 1/9) = 9/13.
    correlation = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    noise = np.random.default_rng(0).normal(size=(100, 3))
    white = np.linalg.svd(noise - noise.mean(axis=0), full_matrices=False)[0]
    found = kmo(white @ np.linalg.cholesky(correlation).T)
    assert found.overall == pytest.approx(9 / 13)
    assert found.by_item.to_numpy() == pytest.approx(9 / 13)


def test_items_that_determine_each_other_are_named(data_of):
    items = data_of("lavaan_hs1939")[["x1", "x2", "x3"]]
    for test in (kmo, bartlett_sphericity):
        with pytest.raises(FitError, match="'x1', 'copy'"):
            test(items.assign(copy=items["x1"] + 2))
    with pytest.raises(DataError, match="'x1'"):
        kmo(items.assign(x1=3.0))
    assert parallel_analysis(items.assign(copy=items["x1"] + 2), n_iter=2).notes


def test_a_smoothed_polychoric_matrix_is_not_said_to_be_left_alone():
    answers = np.digitize(np.random.default_rng(3).normal(size=(12, 6)), [-0.5, 0.5])
    mended = [note for note in parallel_analysis(answers, ordinal=True, n_iter=1).notes if "definite" in note]
    assert len(mended) == 1
    assert "smoothed" in mended[0]


def test_smoothing_is_psychs():
    # psych 2.2.9: cor.smooth(matrix(c(1, .9, .2, .9, 1, .9, .2, .9, 1), 3)).
    matrix = pd.DataFrame([[1, 0.9, 0.2], [0.9, 1, 0.9], [0.2, 0.9, 1]])
    mended = smooth(matrix).to_numpy()
    assert mended[0, 1] == pytest.approx(0.784633719555, abs=1e-8)
    assert mended[0, 2] == pytest.approx(0.231300147933, abs=1e-8)
    assert np.linalg.eigvalsh(mended)[0] > 0
