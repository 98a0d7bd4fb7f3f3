"""Categorical omega: semTools' values, parallel sums, exact slopes, and what it cannot do."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.tools.numdiff import approx_fprime

from relcap_models.errors import DataError
from relcap_models.psychometrics import cfa
from relcap_models.psychometrics.bivariate_normal import table_probabilities
from relcap_models.psychometrics.categorical_reliability import _omega, _sets, categorical_omega
from relcap_models.psychometrics.structural.category_sums import sum_variance

AGREEABLE = [f"A{i}" for i in range(1, 6)]
TWO = "FU1 =~ u1 + u2 + u3 + u4\nFU2 =~ u5 + u6 + u7 + u8"
CROSSED = "f1 =~ u1 + u2 + u3 + u4 + u5\nf2 =~ u5 + u6 + u7 + u8"


def test_two_factors_and_total_as_in_semtools(datcat):
    # semTools 0.5-6: reliability(cfa(TWO, datCat, ordered = items), return.total = TRUE): omega2 and omega3
    found = categorical_omega(cfa(TWO, datcat, ordered=True))
    assert found.omega.to_dict() == pytest.approx(
        {"FU1": 0.77318341, "FU2": 0.81008277, "total": 0.85644808}, abs=2e-7
    )
    assert found.observed.to_dict() == pytest.approx(
        {"FU1": 0.77255184, "FU2": 0.81163336, "total": 0.86054502}, abs=2e-7
    )


def test_an_item_of_two_factors_as_in_semtools(datcat):
    # omega2: what the other factor contributes is part of the variance, and not of the factor's share
    found = categorical_omega(cfa(CROSSED, datcat, ordered=True))
    assert found.omega.to_dict() == pytest.approx(
        {"f1": 0.56108048, "f2": 0.80598395, "total": 0.85644326}, abs=2e-6
    )


def test_groups_as_in_semtools(datcat):
    found = categorical_omega(cfa(TWO, datcat, ordered=True, group="g")).omega.drop("total", level="factor")
    assert found.index.tolist() == [(g, f) for g in ("male", "female") for f in ("FU1", "FU2")]
    assert found.tolist() == pytest.approx([0.77236680, 0.82177248, 0.76940857, 0.79695200], abs=2e-6)


def test_parameterizations_agree_where_means_and_scales_differ(datcat):
    equal = {"group": "g", "group_equal": ["loadings", "thresholds"]}
    delta = categorical_omega(cfa(TWO, datcat, ordered=True, **equal))
    theta = categorical_omega(cfa(TWO, datcat, ordered=True, parameterization="theta", **equal))
    np.testing.assert_allclose(theta.omega, delta.omega, rtol=1e-6)
    np.testing.assert_allclose(theta.interval, delta.interval, rtol=1e-4)


def test_omega_is_the_correlation_of_parallel_sums():
    # Two forms with the same items, loadings and cuts, and errors of their own.
    rng = np.random.default_rng(11)
    n, loading = 200_000, np.array([0.9, 0.7, 0.5, 0.6])
    trait = rng.normal(size=(n, 1))
    cuts = [[-1.0, 0.2, 1.1], [0.8], [-0.5, 0.9], [1.0, 1.6]]
    forms = []
    for _ in range(2):
        beneath = trait * loading + rng.normal(size=(n, 4)) * np.sqrt(1 - loading**2)
        forms.append(pd.DataFrame({f"i{k}": np.digitize(beneath[:, k], cuts[k]) for k in range(4)}))
    wanted = np.corrcoef(forms[0].sum(axis=1), forms[1].sum(axis=1))[0, 1]
    found = categorical_omega(cfa("f =~ i0 + i1 + i2 + i3", forms[0], ordered=True))
    assert found.omega["f"] == pytest.approx(wanted, abs=4 * (1 - wanted**2) / np.sqrt(n))


def test_variance_of_a_sum_is_that_of_its_table():
    cuts, item = np.array([-0.4, 0.7, 0.1]), np.array([0, 0, 1])
    r = np.array([[1.0, 0.45], [0.45, 1.0]])
    cells = table_probabilities(cuts[:2], cuts[2:], 0.45)
    total = np.add.outer(np.arange(3), np.arange(2))
    wanted = (cells * total**2).sum() - (cells * total).sum() ** 2
    found = sum_variance(cuts, item, r)
    assert found.value == pytest.approx(wanted, abs=1e-13)
    for low in (1.0, 0.6):
        np.fill_diagonal(r, low)
        by_threshold = approx_fprime(cuts, lambda x: sum_variance(x, item, r).value, centered=True)
        np.testing.assert_allclose(sum_variance(cuts, item, r).by_threshold, by_threshold, atol=1e-8)
    slope = (sum_variance(cuts, item, r + 1e-5).value - sum_variance(cuts, item, r - 1e-5).value) / 2e-5
    assert sum_variance(cuts, item, r).by_correlation.sum() == pytest.approx(slope, rel=1e-7)


@pytest.mark.parametrize("parameterization", ["delta", "theta"])
def test_slopes_of_omega(datcat, parameterization):
    fit = cfa(
        CROSSED,
        datcat,
        ordered=True,
        group="g",
        group_equal=["loadings", "thresholds"],
        parameterization=parameterization,
    ).fit
    for items, latent in [part[1:] for part in _sets(fit.model.parts_ordinal[1], ("f1", "f2"), "")[0]]:

        def omega(theta, items=items, latent=latent):
            return _omega(fit.model, 1, theta, items, latent, "")[0]

        slope = _omega(fit.model, 1, fit.theta, items, latent, "")[1]
        np.testing.assert_allclose(slope, approx_fprime(fit.theta, omega, centered=True), atol=2e-7)


def test_interval_is_the_spread_of_omega():
    rng = np.random.default_rng(12)
    found = []
    n_samples = 100
    for _ in range(n_samples):
        beneath = 0.7 * rng.normal(size=(400, 1)) + np.sqrt(0.51) * rng.normal(size=(400, 3))
        answers = pd.DataFrame(np.digitize(beneath, [-0.5, 0.6]), columns=list("abc"))
        omega = categorical_omega(cfa("f =~ a + b + c", answers, ordered=True))
        found.append((omega.omega["f"], omega.interval["se"]["f"]))
    spread, se = np.std([o for o, _ in found], ddof=1), np.mean([s for _, s in found])
    assert np.log(se / spread) == pytest.approx(0, abs=3 / np.sqrt(2 * (n_samples - 1)))


def test_what_has_no_categorical_omega(bfi, datcat):
    with pytest.raises(DataError, match="no ordered items"):
        categorical_omega(cfa("A =~ A1 + A2 + A3 + A4 + A5", bfi[AGREEABLE]))
    mixed = cfa(TWO, datcat, ordered=["u1", "u2", "u3", "u4", "u5"])
    found = categorical_omega(mixed)
    assert found.omega.index.tolist() == ["FU1"]
    assert found.notes == ("No omega of FU2: u6, u7, u8 is not ordered, and a sum would mix the two",)
    second = cfa(f"{TWO}\nboth =~ 1*FU1 + 1*FU2", datcat, ordered=True)
    found = categorical_omega(second)
    assert found.omega.index.tolist() == ["FU1", "FU2", "total"]
    assert "No omega of both" in found.notes[0]


def test_items_that_load_against_the_others_are_named(datcat):
    turned = datcat.assign(u2=6 - datcat["u2"])
    found = categorical_omega(cfa(TWO, turned, ordered=True))
    (note,) = found.notes
    assert "load on FU1 against the others: u2." in note
    assert found.omega["FU1"] < 0.5
    assert categorical_omega(cfa(TWO, datcat, ordered=True)).notes == ()
    # All turned: nothing is against anything.
    every = datcat.assign(**{f"u{i}": 6 - datcat[f"u{i}"] for i in range(1, 5)})
    assert categorical_omega(cfa(TWO, every, ordered=True)).notes == ()


def test_items_that_load_against_the_others_in_one_group_name_the_group(datcat):
    turned = datcat.assign(u3=datcat["u3"].where(datcat["g"] == "male", 6 - datcat["u3"]))
    notes = categorical_omega(cfa(TWO, turned, ordered=True, group="g")).notes
    assert [note for note in notes if "u3" in note and "group 'female'" in note]
    assert not [note for note in notes if "group 'male'" in note]
