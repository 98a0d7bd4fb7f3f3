"""Truth scores are what an endless sample of respondents would answer on average."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.schema.instrument import Instrument
from relcap_models.simulate import Simulated, Simulation, simulate
from relcap_models.simulate.truth import OVERALL

RC, PS, RL = "relational_capacity", "psychological_safety", "relational_leadership"
Z = 4.5
PER_UNIT = 2500
CROWDED = {
    "organisation": {
        "n_units": 3,
        "n_respondents": 3 * PER_UNIT,
        "size_sd": 0,
        "n_districts": 3,
        "strategic_units": 0,
        "leader_units_per_district": 0,
    },
    "nominations": {"partners": 2},
    "nonresponse": {"unit": 0, "item": 0, "dont_know": 0, "dont_know_asynchronous": 0},
}
"""Three units of 2,500 people who all rate both others: every noise of the story is averaged out."""
FULL = {
    "sd_respondent_wave": 0.3,
    "sd_respondent_target": (0.3, 1.0),
    "sd_district": 0.2,
    "own_unit_shift": 0.4,
    "trend": 0.1,
}


def answers(simulated: Simulated, instrument: Instrument) -> pd.DataFrame:
    """One row per rating and dimension (and overall): mean answer and share of favourable answers."""
    rows = simulated.tables["responses"]
    rows = rows[rows["instrument"] == instrument.id]
    value = rows["value"].astype(float)
    dimension = rows["item"].map({item.id: item.dimension for item in instrument.items})
    rows = rows.assign(answer=value, favourable=(value >= instrument.scale.favourable_from).astype(float))
    parts = [rows.assign(dimension=dimension), rows.assign(dimension=OVERALL)]
    keys = ["wave", "respondent_id", "rater_unit", "target_unit", "dimension"]
    return pd.concat(parts).groupby(keys, as_index=False)[["answer", "favourable"]].mean()


def worst_distance(simulated: Simulated, instrument: Instrument, truth: pd.DataFrame) -> tuple[float, float]:
    """Largest distance of a naive mean from its truth, in its own standard errors (score, favourable)."""
    keys = ["wave", "rater_unit", "target_unit", "dimension"]
    found = answers(simulated, instrument).groupby(keys)[["answer", "favourable"]].agg(["mean", "sem"])
    found.columns = ["_".join(column) for column in found.columns]
    both = truth.merge(found.reset_index(), on=keys, how="left", validate="one_to_one")
    assert both["answer_mean"].notna().all()
    score = (both["answer_mean"] - both["score"]).abs() / both["answer_sem"]
    share = (both["favourable_mean"] - both["favourable"]).abs() / both["favourable_sem"]
    return float(score.max()), float(share.max())


def as_diagonal(scores: pd.DataFrame) -> pd.DataFrame:
    return scores.assign(rater_unit=scores["unit"], target_unit=scores["unit"]).drop(columns="unit")


@pytest.mark.parametrize(
    "family",
    [{}, {"link": "logit"}, {"family": "partial_credit"}],
    ids=["probit", "logit", "partial credit"],
)
def test_scores_equal_the_means_of_a_brute_force_survey(instruments, waves, family):
    chosen = {name: instruments[name] for name in (RC, RL)}
    options = CROWDED | {"relations": FULL | family, "climate": family}
    simulated = simulate(Simulation.model_validate(options), instruments=chosen, waves=waves[:2], seed=21)
    relations = simulated.truth["relation_scores"]
    assert len(relations) == 2 * 6 * 3
    own = as_diagonal(simulated.truth["within_unit_scores"])
    climate = as_diagonal(simulated.truth["climate_scores"])
    for instrument, truth in ((RC, pd.concat([relations, own])), (RL, climate)):
        score, favourable = worst_distance(simulated, instruments[instrument], truth)
        assert score < Z
        assert favourable < Z


def test_the_unit_adjusted_score_is_that_of_a_unit_without_leniency_of_its_own(instruments, waves):
    def relation_scores(sd_perceiver: float) -> pd.DataFrame:
        relations = {"sd_perceiver": sd_perceiver, "generalised_reciprocity": 0, "perceiver_self": 0}
        options = Simulation.model_validate({"relations": relations})
        chosen = {RC: instruments[RC]}
        return simulate(options, instruments=chosen, waves=waves[:1], seed=4).truth["relation_scores"]

    lenient, neutral = relation_scores(0.5), relation_scores(0.0)
    assert np.array_equal(neutral["score"], neutral["score_unit_adjusted"])
    shift = lenient["score"] - lenient["score_unit_adjusted"]
    single = lenient["dimension"] != OVERALL
    by_rater = shift[single].groupby([lenient["rater_unit"], lenient["dimension"]]).agg(["min", "max"])
    # A unit's leniency moves all its relations the same way, up or down.
    assert ((by_rater["min"] > 0) | (by_rater["max"] < 0)).all()


def test_the_own_unit_and_later_waves_are_shifted_as_asked(instruments, waves):
    def scores(**relations: float) -> dict[str, pd.DataFrame]:
        options = Simulation.model_validate({"relations": relations})
        chosen = {RC: instruments[RC]}
        return simulate(options, instruments=chosen, waves=waves[:2], seed=4).truth

    plain = scores(own_unit_shift=0.0)
    shifted = scores(own_unit_shift=0.5)
    assert (shifted["within_unit_scores"]["score"] > plain["within_unit_scores"]["score"]).all()
    pd.testing.assert_frame_equal(shifted["relation_scores"], plain["relation_scores"])
    rising = scores(own_unit_shift=0.0, trend=0.5)
    for name in ("within_unit_scores", "relation_scores"):
        gain = rising[name]["score"] - plain[name]["score"]
        first = plain[name]["wave"] == "w1"
        assert (gain[first] == 0).all()
        assert (gain[~first] > 0).all()
    # A later wave and the own unit are shifted alike when both shifts are the same.
    later = plain["within_unit_scores"]["wave"] == "w2"
    both = rising["within_unit_scores"]["score"][later], shifted["within_unit_scores"]["score"][later]
    assert np.allclose(*both)


def test_overall_weights_items_equally(instruments, waves):
    """Leadership has dimensions of 2, 3 and 2 items."""
    simulated = simulate(Simulation(), instruments={RL: instruments[RL]}, waves=waves[:1], seed=2)
    table = simulated.truth["climate_scores"].pivot(index="unit", columns="dimension", values="score")
    expected = (2 * table["framing"] + 3 * table["engaged"] + 2 * table["involving"]) / 7
    assert np.allclose(table[OVERALL], expected)


def test_truth_scores_leave_departures_of_measurement_out(instruments, waves):
    departures = {"extreme": 0.3, "acquiescent": 0.3, "sd_occasion": 0.5, "halo": 0.4}
    plain, disturbed = (
        simulate(
            Simulation.model_validate({"departures": d}), instruments=instruments, waves=waves[:1], seed=8
        )
        for d in ({}, departures)
    )
    for name in ("relation_scores", "within_unit_scores", "climate_scores"):
        pd.testing.assert_frame_equal(plain.truth[name], disturbed.truth[name])
    assert not plain.tables["responses"].equals(disturbed.tables["responses"])


def test_every_setting_stands_in_the_truth(instruments, waves):
    relations = {"sd_target": (0.3, 0.5), "dyadic_reciprocity": (0.2, 0.6), "sd_respondent_target": 0.3}
    options = Simulation.model_validate({"relations": relations})
    truth = simulate(options, instruments=instruments, waves=waves, seed=1).truth
    parameters = truth["parameters"].set_index(["instrument", "name", "index"])["value"]
    assert parameters[RC, "sd_target", "orientation"] == pytest.approx(0.3)
    assert parameters[RC, "dyadic_reciprocity", "behaviour"] == 0.6
    assert parameters[RC, "generalised_reciprocity", "behaviour"] == pytest.approx(0.3)
    # Respondent .6², rating .5² and, for partners alone, respondent × target .3², worked out by hand.
    assert parameters[RC, "sd_noise_own", "orientation"] == pytest.approx(0.61**0.5)
    assert parameters[RC, "sd_noise", "orientation"] == pytest.approx(0.70**0.5)
    items = truth["item_parameters"]
    assert len(items) == (6 + 6 + 7) * 5
    assert set(items["parameter"]) == {"loading", *(f"threshold_{k}" for k in range(1, 5))}


def test_how_a_person_sees_a_unit_is_in_the_truth_and_in_the_answers_of_every_wave(instruments, waves):
    """With hardly any other variance a mean answer orders respondent × target as the truth does."""
    little = dict.fromkeys(("sd_perceiver", "sd_target", "sd_self", "sd_relation", "sd_respondent"), 0.01)
    relations = {**little, "sd_rating": 0.01, "sd_respondent_target": 2.0}
    options = Simulation.model_validate({"relations": relations, "organisation": {"turnover": 0, "moves": 0}})
    simulated = simulate(options, instruments={RC: instruments[RC]}, waves=waves[:2], seed=2)
    effects = simulated.truth["respondent_target_effects"]
    keys = ["respondent_id", "target_unit"]
    assert not effects.duplicated([*keys, "dimension"]).any()
    assert abs(effects["effect"].std() - 2.0) < 4.5 * 2.0 / np.sqrt(2 * len(effects) / 2)
    answers = simulated.tables["responses"].query("rater_unit != target_unit and value != ''").copy()
    answers["value"] = pd.to_numeric(answers["value"], errors="coerce")
    means = answers.groupby([*keys, "wave"])["value"].mean().unstack()
    table = means.join(effects.groupby(keys)["effect"].mean())
    assert table["effect"].notna().all()
    correlation = table[["effect", "w1", "w2"]].corr(method="spearman")["effect"]
    assert correlation[["w1", "w2"]].min() > 0.85
