"""The simulator's truth and the model's expected response are one story."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.data import read_survey
from relcap_models.data.survey import Wave
from relcap_models.models import Relation
from relcap_models.models.latent import item_expectation, own_location, relation_location
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate

# Quadrature differs between the two where there is no closed form: 61 nodes against 21.
FAMILIES = [({}, 1e-6), ({"link": "logit"}, 1e-5), ({"family": "partial_credit"}, 1e-3)]


@pytest.fixture(scope="module", params=FAMILIES, ids=["probit", "logit", "partial credit"])
def world(request):
    """A small simulated organisation, its frame, and its true effects in the shape of one posterior draw."""
    family, tolerance = request.param
    instrument = load_instrument("relational_capacity")
    waves = (Wave("w1"), Wave("w2"))
    options = Simulation.model_validate(
        {
            "organisation": {"n_units": 8, "n_respondents": 60, "n_districts": 1},
            "relations": {"trend": 0.2, "own_unit_shift": 0.4, **family},
        }
    )
    simulated = simulate(options, instruments={instrument.id: instrument}, waves=waves, seed=3)
    survey = read_survey(simulated.tables, instruments=(instrument,), waves=waves)
    model = Relation(instrument=instrument.id, **family)
    frame = model.frame(survey)
    return model, frame, simulated.truth, _true_draw(frame, simulated.truth), tolerance


def _true_draw(frame, truth):
    parameters = truth["parameters"].set_index(["name", "index"])["value"]
    items = truth["item_parameters"].set_index(["item", "parameter"])["value"]
    units = truth["unit_effects"].set_index(["role", "unit", "wave", "dimension"])["total"]
    relations = truth["relation_effects"].set_index(["rater_unit", "target_unit", "wave", "dimension"])[
        "total"
    ]
    trend = parameters["trend", ""] * np.arange(len(frame.waves))[:, None] * np.ones(len(frame.dimensions))
    cuts = [(i, f"threshold_{k}") for i, n in zip(frame.items, frame.n_categories) for k in range(1, n)]
    draw = {
        "mu": trend,
        "mu_own": trend + parameters["own_unit_shift", ""],
        "loading": np.array([items[i, "loading"] for i in frame.items]),
        "threshold": np.array([items[cut] for cut in cuts]),
    }
    for role in ("perceiver", "target", "self"):
        index = pd.MultiIndex.from_product([[role], frame.units, frame.waves, frame.dimensions])
        shape = (len(frame.units), len(frame.waves), len(frame.dimensions))
        draw[f"{role}_effect"] = units.reindex(index).to_numpy().reshape(shape)
    pairs = [
        (frame.units[u], frame.units[t]) for u, t in zip(frame.rater_of_relation, frame.target_of_relation)
    ]
    index = [(*pair, w, d) for pair in pairs for w in frame.waves for d in frame.dimensions]
    # Relations that do not count in a wave have no truth there.
    drawn = relations.reindex(pd.MultiIndex.from_tuples(index)).to_numpy()
    draw["relation_effect"] = drawn.reshape(len(pairs), len(frame.waves), len(frame.dimensions))
    noise = [
        np.array([parameters[name, d] ** 2 for d in frame.dimensions])
        for name in ("sd_noise", "sd_noise_own")
    ]
    return draw, noise


def test_expected_answers_at_the_true_effects_are_the_true_scores(world):
    model, frame, truth, (draw, (noise, _)), tolerance = world
    location = relation_location(lambda name: draw[name][None], frame, model.structure(frame))
    flat = location.reshape(1, -1, len(frame.dimensions))
    expected, favourable = item_expectation(lambda n: draw[n][None], frame, model.response, flat, noise[None])
    index = [
        (w, frame.units[u], frame.units[t])
        for u, t in zip(frame.rater_of_relation, frame.target_of_relation)
        for w in frame.waves
    ]
    overall = truth["relation_scores"].query("dimension == 'overall'")
    overall = overall.set_index(["wave", "rater_unit", "target_unit"]).reindex(
        pd.MultiIndex.from_tuples(index)
    )
    there = overall["score"].notna().to_numpy()
    assert there.sum() > 40
    for found, column in ((expected, "score"), (favourable, "favourable")):
        np.testing.assert_allclose(found[0, there].mean(axis=-1), overall[column][there], atol=tolerance)


def test_expected_answers_about_the_own_unit_are_the_true_scores(world):
    model, frame, truth, (draw, (_, noise_own)), tolerance = world
    location = own_location(lambda name: draw[name][None], frame, model.structure(frame))
    flat = location.reshape(1, -1, len(frame.dimensions))
    expected, _ = item_expectation(lambda n: draw[n][None], frame, model.response, flat, noise_own[None])
    overall = truth["within_unit_scores"].query("dimension == 'overall'").set_index(["unit", "wave"])["score"]
    index = pd.MultiIndex.from_product([frame.units, frame.waves])
    np.testing.assert_allclose(expected[0].mean(axis=-1), overall.reindex(index), atol=tolerance)
