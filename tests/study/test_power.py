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


def known_changes(
    rng, *, surveys: int, units: int, spread: float = 0.3, sd: tuple[float, float] = (0.1, 0.5)
):
    """Intervals of normal posteriors, calibrated for changes that are normal around zero.

    sd : of errors, between these from cell to cell: some are rated by many, some by few
    """
    shape = (surveys, units)
    true, error = rng.normal(0.0, spread, shape), rng.uniform(*sd, shape)
    share = spread**2 / (spread**2 + error**2)
    mean = share * (true + rng.normal(size=shape) * error)
    half = Z90 * error * np.sqrt(share)
    columns = {"true": true, "lower": mean - half, "upper": mean + half}
    table = pd.DataFrame({name: values.ravel() for name, values in columns.items()})
    table["replicate"] = np.repeat(np.arange(surveys), units)
    table = table.assign(design=1, analysis="a", quantity="change", of="relation", value=np.nan)
    # Over all cells that there might be.
    grid = np.linspace(*sd, 2001)
    share = spread**2 / (spread**2 + grid**2)
    half = Z90 * grid * np.sqrt(share)
    expected = [norm.cdf((share * c - half) / (share * grid)).mean() for c in CHANGES]
    return table, np.array(expected)


def curve_of(found, changes=CHANGES):
    return precision(found, ["design"], changes=changes)[0]


def test_the_probability_of_seeing_a_change_is_that_of_a_normal_posterior():
    """Distances from the exact value, in Monte Carlo standard errors, over 60 plans of 15 surveys."""
    rng = np.random.default_rng(5)
    distances, apart = [], []
    for _ in range(60):
        found, expected = known_changes(rng, surveys=15, units=40)
        table = curve_of(found)
        assert table["change"].tolist() == list(CHANGES)
        assert (table["n"] == 15).all()
        apart.append(table["value"] - expected)
        distances.append(apart[-1] / table["mc_error"])
    # Four regressors come close to the exact curve, not onto it. One for all cells alike is .05 off at .6.
    assert np.abs(np.mean(apart, axis=0)).max() < 0.015
    # Fifteen surveys: errors are t with 14 degrees, sd 1.08.
    assert (np.std(distances, axis=0) > 0.8).all()
    assert (np.std(distances, axis=0) < 1.45).all()


def test_surveys_that_differ_as_a_whole_widen_the_monte_carlo_error():
    rng = np.random.default_rng(6)
    found, _ = known_changes(rng, surveys=15, units=40)
    wider = rng.uniform(0.5, 1.5, 15)[found["replicate"]]
    half = (found["upper"] - found["lower"]) / 2 * wider
    middle = (found["upper"] + found["lower"]) / 2 * wider
    shared = found.assign(lower=middle - half, upper=middle + half, true=found["true"] * wider)
    mixed = shared.assign(replicate=rng.permutation(shared["replicate"]))
    assert (curve_of(shared)["mc_error"] > curve_of(mixed)["mc_error"]).all()


def test_changes_larger_than_those_that_happened_and_those_never_seen_are_left_out_and_it_is_said():
    found, _ = known_changes(np.random.default_rng(7), surveys=10, units=20, spread=0.1, sd=(0.05, 0.06))
    fifth = found["true"].abs().nlargest(5).iloc[-1]
    table, notes = precision(found, ["design"], changes=(0.1, fifth, fifth + 1e-9))
    assert len(table) == 2
    assert notes == ()
    blind = found.assign(lower=-9.0, upper=9.0)
    table, notes = precision(blind, ["design"], changes=CHANGES)
    assert table.empty
    assert len(notes) == 1
    assert "how likely a change of 'relation' is seen" in notes[0]


def test_the_organisations_interval_moves_with_its_change():
    """Intervals of half width 0.1 around the truth: 0.05 is never seen, 0.15 always, in eight surveys."""
    true = np.linspace(-0.2, 0.2, 8)
    found = pd.DataFrame({"true": true, "lower": true - 0.1, "upper": true + 0.1, "replicate": range(8)})
    found = found.assign(design=1, analysis="a", quantity="change", of="organisation", value=np.nan)
    table = curve_of(found, changes=(0.05, 0.15))
    assert table["value"].tolist() == [0.0, 1.0]
    assert (table["mc_error"] > 0.05).all()


def test_figures_are_means_over_surveys_with_their_standard_errors():
    found = pd.DataFrame({"value": [1.0, 2.0, 6.0, 5.0], "replicate": [0, 1, 2, 0], "design": [1, 1, 1, 2]})
    found = found.assign(analysis="a", quantity="interval_width", of="gap")
    table, notes = precision(found, ["design"], changes=CHANGES)
    assert len(table) == 1
    row = table.iloc[0]
    assert row["value"] == 3.0
    assert row["mc_error"] == pytest.approx(np.sqrt(7.0 / 3.0))
    assert np.isnan(row["change"])
    assert notes == ("Only one survey of this design could be fitted, so it is left out: {'design': 2}.",)


def test_the_probability_of_seeing_an_effect_is_that_of_its_interval_moved():
    """A programme that does nothing, many times: c is seen if the interval, moved by c, is above 0."""
    rng = np.random.default_rng(3)
    n, error = 4000, 0.15
    centre = rng.normal(0.0, error, n)
    found = pd.DataFrame({"true": 0.0, "lower": centre - Z90 * error, "upper": centre + Z90 * error})
    found = found.assign(
        replicate=np.arange(n), design=1, analysis="a", quantity="effect", of="target_end", value=np.nan
    )
    table = curve_of(found)
    expected = norm.cdf((np.array(CHANGES) - Z90 * error) / error)
    assert np.abs(table["value"] - expected).max() < 4 * np.sqrt(0.25 / n)


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


def test_links_alone_are_nothing_that_can_be_planned(tmp_path):
    text = (
        "name: linked\ntitle: Linked\nseed: 1\nwaves: [{id: w1}]\nsimulation: {}\n"
        "instruments: [relational_capacity, psychological_safety, relational_leadership]\n"
        "analyses: [{kind: leadership_link}]\n"
    )
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="leadership_link: not planned"):
        power_study(tmp_path, progress=False)
    assert not (tmp_path / "power").exists()


@pytest.mark.recovery
def test_a_plan_of_two_designs_is_fitted_told_and_drawn(study_folder, study_text):
    """Twice the people in a unit: narrower intervals. Changes are followed, and all figures are there."""
    text = f"{study_text}\npower: {{respondents: [6, 24], waves: [2], changes: [0.1, 3.0]}}"
    (study_folder / "study.yaml").write_text(text, encoding="utf-8")
    settings = ["inference.chains=2", "inference.draws=100"]  # and the fast engine, unless told otherwise
    found = power_study(study_folder, replicates=2, workers=2, overrides=settings, progress=False)
    assert found.failed_fits == {}
    table = found.table
    assert set(table["respondents"]) == {6, 24}
    assert (table[["units", "waves", "n"]] == [4, 2, 2]).all(axis=None)
    assert set(table["analysis"]) == {"relations", "safety"}
    by = table.set_index(["analysis", "quantity", "of", "respondents"])["value"].sort_index()
    for key in (("relations", "interval_width", "relation"), ("safety", "interval_width", "own_staff")):
        assert by[(*key, 24)] < by[(*key, 6)]
    # Joined to the wrong truth, or a gap with its sign turned, intervals would hold it hardly ever.
    for of in ("relation", "gap"):
        assert by["relations", "coverage", of, 24] > 0.6
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
