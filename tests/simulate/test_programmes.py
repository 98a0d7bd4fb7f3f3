"""Programmes reach the ends of relations that they were meant for, with the size asked for."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.simulate import Simulated, Simulation, simulate

RC, RL = "relational_capacity", "relational_leadership"
TRAINING = {
    "id": "training",
    "share": 0.5,
    "starts": ["w2", "w3"],
    "on_perceiver": 0.1,
    "on_target": 0.3,
    "on_both": 0.2,
    "on_self": -0.1,
    "on_climate": 0.4,
}
ORGANISATION = {"n_units": 40, "n_respondents": 400, "n_districts": 4}


@pytest.fixture(scope="module")
def run(instruments, waves):
    def build(*programmes: dict, seed: int = 17, **options: object) -> Simulated:
        block = {"organisation": ORGANISATION, "programmes": programmes} | options
        chosen = {name: instruments[name] for name in (RC, RL)}
        return simulate(Simulation.model_validate(block), instruments=chosen, waves=waves, seed=seed)

    return build


def exposed(simulated: Simulated, units: pd.Series, waves: pd.Series) -> np.ndarray:
    start = simulated.tables["programmes"].set_index("unit_id")["start_wave"]
    return (units.map(start).fillna("w9") <= waves).to_numpy(copy=True)


def test_effects_stand_at_the_ends_asked_for_from_the_start_on(run):
    plain, trained = run(), run(TRAINING)
    sizes = {"perceiver": 0.1, "target": 0.3, "self": -0.1, "climate": 0.4}
    units = trained.truth["unit_effects"]
    on = exposed(trained, units["unit"], units["wave"])
    assert np.allclose(units["programme"], units["role"].map(sizes) * on)
    # Nothing else in the organisation changes: the difference of the two worlds is the programme.
    assert np.allclose(units["total"] - plain.truth["unit_effects"]["total"], units["programme"])
    relations = trained.truth["relation_effects"]
    both = exposed(trained, relations["rater_unit"], relations["wave"])
    both &= exposed(trained, relations["target_unit"], relations["wave"])
    assert np.allclose(relations["programme"], 0.2 * both)
    assert both.any()


def test_an_effect_grows_from_wave_to_wave_as_asked(run):
    trained = run(TRAINING | {"starts": ["w2"], "growth": 0.5})
    later = {"w1": 0.0, "w2": 1.0, "w3": 1.5}
    units = trained.truth["unit_effects"].query("role == 'target'")
    on = exposed(trained, units["unit"], units["wave"])
    assert np.allclose(units["programme"], 0.3 * units["wave"].map(later) * on)
    relations = trained.truth["relation_effects"]
    both = exposed(trained, relations["rater_unit"], relations["wave"])
    both &= exposed(trained, relations["target_unit"], relations["wave"])
    assert np.allclose(relations["programme"], 0.2 * relations["wave"].map(later) * both)


def test_scores_rise_where_a_trained_unit_is_rated(run):
    only_target = {"id": "training", "starts": ["w2"], "on_target": 0.5}
    plain, trained = run(), run(only_target)
    gain = trained.truth["relation_scores"]["score"] - plain.truth["relation_scores"]["score"]
    rows = trained.truth["relation_scores"]
    on = exposed(trained, rows["target_unit"], rows["wave"])
    assert np.allclose(gain[~on], 0)
    # Half a unit of the latent scale is less in points the nearer to the top of the scale.
    assert (gain[on] > 0).all()
    assert gain[on].mean() > 0.2


def test_starts_are_dealt_out_evenly_and_districts_start_as_one(run):
    table = run(TRAINING).tables["programmes"]
    assert list(table["start_wave"].value_counts().sort_index()) == [10, 10]
    simulated = run(TRAINING | {"level": "district", "share": 0.4})
    units = simulated.tables["units"].merge(simulated.tables["programmes"], how="left")
    per_district = units.fillna({"start_wave": "never"}).groupby("district")["start_wave"].nunique()
    assert (per_district == 1).all()
    assert units.dropna(subset="start_wave")["district"].nunique() == 2


def test_selection_takes_the_units_that_others_rate_lowest(run):
    def low(selection: float) -> float:
        simulated = run(TRAINING | {"selection": selection})
        before = simulated.truth["unit_effects"].query("wave == 'w1' and role == 'target'")
        level = before.groupby("unit")["effect"].mean()
        chosen = level.index.isin(simulated.tables["programmes"]["unit_id"])
        return float(level[chosen].mean() - level[~chosen].mean())

    assert low(1.0) < low(0.5) < 0 < low(-1.0)
    simulated = run(TRAINING | {"selection": 1.0})
    effects = simulated.truth["unit_effects"].query("wave == 'w1' and role == 'target'")
    level = effects.groupby("unit")["effect"].mean()
    chosen = level.index.isin(simulated.tables["programmes"]["unit_id"])
    assert level[chosen].max() < level[~chosen].min()


def test_units_differ_in_their_effect_as_asked_and_the_truth_says_so(run):
    simulated = run(TRAINING | {"sd": 0.2, "share": 1.0, "starts": ["w2"]})
    table = simulated.truth["programme_effects"].pivot(index="unit", columns="end", values="effect")
    n = len(table)
    assert n == 40
    assert abs(table["target"].std() - 0.2) < 4.5 * 0.2 / np.sqrt(2 * n)
    assert abs(table["target"].mean() - 0.3) < 4.5 * 0.2 / np.sqrt(n)
    units = simulated.truth["unit_effects"].query("wave == 'w3' and role == 'target'")
    assert np.allclose(units["programme"], table["target"].loc[units["unit"]])


def test_outcomes_follow_the_true_capacity_with_their_stated_error(run):
    outcome = {"id": "quality", "intercept": 3.0, "slope": 0.8, "sd_unit": 2.0, "sd_case": 1.0}
    organisation = ORGANISATION | {"n_units": 200, "n_respondents": 2000}
    simulated = run(outcomes=[outcome], organisation=organisation)
    effects = simulated.truth["unit_effects"].query("role == 'target'")
    capacity = effects.groupby(["wave", "unit"])["total"].mean().rename_axis(["wave", "unit_id"])
    table = simulated.tables["outcomes"].set_index(["wave", "unit_id"]).join(capacity)
    stable = simulated.truth["outcome_effects"].set_index("unit")["effect"]
    assert abs(stable.std() - 2.0) < 4.5 * 2.0 / np.sqrt(2 * len(stable))
    stable = table.index.get_level_values("unit_id").map(stable)
    standard = (table["value"] - 3.0 - 0.8 * table["total"] - stable) / table["se"]
    n = len(standard)
    assert n == 600
    assert abs(standard.mean()) < 4.5 / np.sqrt(n)
    assert abs(standard.var() - 1) < 4.5 * np.sqrt(2 / n)
    assert np.allclose(table["se"], 1 / np.sqrt(table["n"].astype(float)), atol=1e-4)


def test_what_a_programme_does_to_leadership_travels_along_its_paths(run):
    paths = [{"source": RL, "to": "target", "coefficient": 0.5}]
    for_leaders = {"id": "training", "starts": ["w2"], "share": 0.5, "on_climate": 0.8}
    plain, trained = run(climate={"paths": paths}), run(for_leaders, climate={"paths": paths})
    units = trained.truth["unit_effects"]
    on = exposed(trained, units["unit"], units["wave"])
    sizes = {"climate": 0.8, "target": 0.4, "perceiver": 0.0, "self": 0.0}
    assert np.allclose(units["programme"], units["role"].map(sizes) * on)
    assert np.allclose(units["total"] - plain.truth["unit_effects"]["total"], units["programme"])
