"""Regressions among units: who is above whom, and the contingency test on a survey with planted effects."""

from dataclasses import replace

import numpy as np
import pandas as pd

import relcap_models as rc
from relcap_models.data import read_survey
from relcap_models.data.survey import Wave
from relcap_models.estimands import link_regression_table, unit_facts
from relcap_models.models import LeadershipLink
from relcap_models.models.leadership_link import Result
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate

NAMES = ("relational_capacity", "relational_leadership")


def survey_of(n_units, **options):
    instruments = {name: load_instrument(name) for name in NAMES}
    waves = (Wave("w1"),)
    organisation = {"n_units": n_units, "n_respondents": 10 * n_units, "n_districts": 2}
    simulation = Simulation.model_validate({"organisation": organisation, **options})
    made = simulate(simulation, instruments=instruments, waves=waves, seed=6)
    return read_survey(made.tables, instruments=instruments, waves=waves)


def test_the_layer_above_is_that_of_the_own_district_or_all_of_it_where_that_has_none():
    """Two leaders north, one south; an employee unit in each, and one in the east, which has no leaders."""
    units = pd.DataFrame(
        {
            "unit_id": ["top", "n1", "n2", "s1", "north", "south", "east", "other"],
            "layer": ["top", *3 * ["leaders"], *3 * ["employees"], "elsewhere"],
            "district": ["whole", "n", "n", "s", "n", "s", "e", "n"],
        }
    )
    model = LeadershipLink(safety=None, cascade=("top", "leaders", "employees"))
    survey = replace(survey_of(8), units=units)
    above = pd.DataFrame(
        unit_facts(model, tuple(units["unit_id"]), survey).above, units["unit_id"], units["unit_id"]
    )
    expected = pd.DataFrame(0.0, above.index, above.columns)
    # No leader's district has a unit at the top: they have the one that there is.
    expected.loc[["n1", "n2", "s1"], "top"] = 1.0
    expected.loc["north", ["n1", "n2"]] = 1 / 2
    expected.loc["south", "s1"] = 1.0
    expected.loc["east", ["n1", "n2", "s1"]] = 1 / 3
    pd.testing.assert_frame_equal(above, expected)


def test_the_contingency_test_finds_what_was_planted():
    """Capacity matters more, and structure less, the more complex the work is; meetings alone do nothing.

    The outcome is made of the simulation's true capacity of each unit; coefficients are those of it.
    """
    capacity = {"id": "capacity", "slope": 1.0, "sd_unit": 0.0, "sd_case": 1e-6}
    survey = survey_of(40, outcomes=[capacity], nominations={"partners": 6})
    truth = survey.outcomes.set_index(survey.outcomes["unit_id"].astype(str))["value"].astype(float)
    truth = truth.reindex(survey.units["unit_id"].astype(str)).to_numpy()
    rng = np.random.default_rng(3)
    meetings, complexity = (z / z.std(ddof=1) for z in rng.normal(size=(2, len(truth))))
    meetings, complexity = meetings - meetings.mean(), complexity - complexity.mean()
    planted = {
        "capacity": 0.8,
        "meetings": 0.0,
        "complexity": -0.3,
        "capacity × meetings": 0.0,
        "capacity × complexity": 0.9,
        "meetings × complexity": -0.5,
    }
    variables = {"capacity": truth, "meetings": meetings, "complexity": complexity}
    value = rng.normal(0.0, 0.2, len(truth))
    for term, effect in planted.items():
        value += effect * np.prod([variables[name] for name in term.split(" × ")], axis=0)
    outcomes = pd.DataFrame({"wave": "w1", "unit_id": survey.units["unit_id"], "outcome": "quality"})
    survey = replace(
        survey,
        units=survey.units.assign(meetings=meetings, complexity=complexity),
        outcomes=outcomes.assign(value=value, n=50.0, se=0.1),
    )
    model = LeadershipLink(
        safety=None, results=(Result(outcome="quality", structure="meetings", complexity="complexity"),)
    )
    fit = rc.fit(model, survey, engine="fast", seed=1, chains=2, draws=500, progress=False)
    table = link_regression_table(fit, survey, ci_prob=0.9, seed=1).set_index("term")
    assert list(table.index) == list(planted)
    assert (table["question"] == "outcome").all()
    assert (table["n_units"] == 40).all()
    assert (table["scale"] == "standardised").all()
    for term, effect in planted.items():
        assert abs(table.loc[term, "mean"] - effect / value.std(ddof=1)) < 3 * table.loc[term, "sd"], term
    assert table.loc["capacity × complexity", "lower"] > 0
    assert table.loc["meetings × complexity", "upper"] < 0
    assert table.loc["capacity × complexity", "prob_positive"] > 0.95
