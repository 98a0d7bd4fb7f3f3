"""Precision of planned designs: the curves from known posteriors, and the whole way on a small plan."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from relcap_models.errors import ConfigError
from relcap_models.study import power_study
from relcap_models.study.precision import precision

CHANGES = (0.2, 0.4, 0.6)
Z90 = norm.ppf(0.95)


def known_changes(rng, *, surveys: int, units: int, spread: float = 0.3, sd: float = 0.2):
    """Intervals of normal posteriors, calibrated for changes that are normal around zero."""
    true = rng.normal(0.0, spread, (surveys, units))
    share = spread**2 / (spread**2 + sd**2)
    mean = share * (true + rng.normal(0.0, sd, true.shape))
    half = Z90 * sd * np.sqrt(share)
    columns = {"true": true, "lower": mean - half, "upper": mean + half}
    table = pd.DataFrame({name: values.ravel() for name, values in columns.items()})
    table["replicate"] = np.repeat(np.arange(surveys), units)
    expected = norm.cdf((share * np.array(CHANGES) - half) / (share * sd))
    return table.assign(design=1, analysis="a", quantity="change", of="relation", value=np.nan), expected


def test_the_probability_of_seeing_a_change_is_that_of_a_normal_posterior():
    """Distances from the exact value, in Monte Carlo standard errors, over 60 plans of 15 surveys."""
    rng = np.random.default_rng(5)
    distances = []
    for _ in range(60):
        found, expected = known_changes(rng, surveys=15, units=40)
        table = precision(found, ["design"], changes=CHANGES)
        assert table["change"].tolist() == list(CHANGES)
        assert (table["n"] == 15).all()
        distances.append((table["value"] - expected) / table["mc_error"])
    distances = np.array(distances)
    # The mean of 60 has a standard error of .13; the errors come from 15 surveys (t with 14 degrees: 1.08).
    assert np.abs(distances.mean(axis=0)).max() < 0.5
    assert (distances.std(axis=0) > 0.8).all()
    assert (distances.std(axis=0) < 1.45).all()


def test_surveys_that_differ_as_a_whole_widen_the_monte_carlo_error():
    rng = np.random.default_rng(6)
    found, _ = known_changes(rng, surveys=15, units=40)
    wider = rng.uniform(-0.3, 0.3, 15)[found["replicate"]]
    shared = found.assign(lower=found["lower"] - wider, upper=found["upper"] + wider)
    apart, together = (precision(table, ["design"], changes=CHANGES) for table in (found, shared))
    assert (together["mc_error"] > 1.5 * apart["mc_error"]).all()


def test_changes_larger_than_any_that_happened_and_those_never_seen_are_left_out():
    rng = np.random.default_rng(7)
    found, _ = known_changes(rng, surveys=10, units=20, spread=0.1, sd=0.05)
    largest = found["true"].abs().max()
    table = precision(found, ["design"], changes=(0.1, largest - 0.01, largest + 0.01))
    assert len(table) == 2
    blind = found.assign(lower=-9.0, upper=9.0)
    assert precision(blind, ["design"], changes=CHANGES).empty


def test_the_organisations_interval_moves_with_its_change():
    """Intervals of half width 0.1 around the truth: 0.05 is never seen, 0.15 always."""
    true = np.linspace(-0.2, 0.2, 8)
    found = pd.DataFrame({"true": true, "lower": true - 0.1, "upper": true + 0.1, "replicate": range(8)})
    found = found.assign(design=1, analysis="a", quantity="change", of="organisation", value=np.nan)
    table = precision(found, ["design"], changes=(0.05, 0.15))
    assert table["value"].tolist() == [0.0, 1.0]


def test_figures_are_means_over_surveys_with_their_standard_errors():
    found = pd.DataFrame({"value": [1.0, 2.0, 6.0], "replicate": range(3)})
    found = found.assign(design=1, analysis="a", quantity="interval_width", of="gap")
    row = precision(found, ["design"], changes=CHANGES).iloc[0]
    assert row["value"] == 3.0
    assert row["mc_error"] == pytest.approx(np.sqrt(7.0 / 3.0))
    assert np.isnan(row["change"])


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("power: {partners: [9]}", "a unit cannot have 9 partners among 4 units"),
        ("power: {respondents: [2]}", "cannot fill 4 units of at least 3"),
        ("power: {respondents: []}", "power.respondents"),
    ],
)
def test_a_design_that_cannot_be_is_refused(study_folder, study_text, block, expected):
    (study_folder / "study.yaml").write_text(f"{study_text}\n{block}", encoding="utf-8")
    with pytest.raises(ConfigError, match=expected):
        power_study(study_folder, progress=False)
    assert not (study_folder / "power").exists()


def test_a_study_without_simulation_has_nothing_to_plan_from(study_folder, study_text):
    text = study_text.partition("simulation:")[0]
    (study_folder / "study.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="nothing to plan from"):
        power_study(study_folder, progress=False)


@pytest.mark.recovery
def test_a_plan_of_two_designs_is_fitted_told_and_drawn(study_folder, study_text):
    """Twice the people in a unit: narrower intervals. Changes are followed, and all figures are there."""
    text = f"{study_text}\npower: {{respondents: [6, 24], waves: [2], changes: [0.1, 3.0]}}"
    (study_folder / "study.yaml").write_text(text, encoding="utf-8")
    settings = ["inference.chains=2", "inference.draws=100"]
    found = power_study(study_folder, replicates=2, workers=2, overrides=settings, progress=False)
    assert found.failed_fits == {}
    table = found.table
    assert set(table["respondents"]) == {6, 24}
    assert (table[["units", "waves", "n"]] == [4, 2, 2]).all(axis=None)
    assert set(table["analysis"]) == {"relations", "safety"}
    by = table.set_index(["analysis", "quantity", "of", "respondents"])["value"].sort_index()
    for key in (("relations", "interval_width", "relation"), ("safety", "interval_width", "own_staff")):
        assert by[(*key, 24)] < by[(*key, 6)]
    assert by["relations", "ratings", "relation", 24] > 2 * by["relations", "ratings", "relation", 6]
    # The organisation's interval is far narrower than three points, so such a change is always seen.
    seen = table[(table["quantity"] == "prob_seen") & (table["of"] == "organisation")]
    assert (seen.loc[seen["change"] == 3.0, "value"] == 1.0).all()
    assert {path.name for path in found.folder.glob("*.*")} == {"power.csv", "relations.png", "safety.png"}
    survey = pd.read_parquet(next((found.folder / "surveys").glob("u4-n24-*.parquet")))
    relations = survey[(survey["analysis"] == "relations") & (survey["quantity"] == "change")]
    followed = relations.groupby("of")["true"].agg(["size", "mean"])
    assert followed.loc["organisation", "mean"] == pytest.approx(followed.loc["relation", "mean"])
    assert followed.loc[["seen_by_others", "as_rater", "within_unit"], "size"].tolist() == [4, 4, 4]
    assert not relations[["true", "lower", "upper"]].isna().any(axis=None)
