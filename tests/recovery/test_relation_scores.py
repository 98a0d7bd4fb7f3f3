"""Scores of relations and units recovered from organisations with known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from relcap_models.data import Wave, read_survey
from relcap_models.estimands import (
    relation_score_table,
    relation_scores,
    unit_score_table,
    unit_scores,
)
from relcap_models.inference import fit
from relcap_models.models import Relation
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate

SAMPLES = [
    pytest.param(("nuts", 6, 10, 0.08), marks=pytest.mark.recovery, id="6 organisations of 10 units"),
    pytest.param(("nuts", 20, 20, 0.024), marks=pytest.mark.validation, id="20 organisations of 20 units"),
    pytest.param(
        ("fast", 20, 20, 0.024), marks=pytest.mark.recovery, id="fast, 20 organisations of 20 units"
    ),
]
"""Engine, how many organisations, units in each, and the tolerance of their coverage.

Scores of one organisation share its hyperparameters. Coverage of single organisations of 10 units spreads
with an sd of about .065 (standard error .027 with six), of 20 units with .035 (.008 with twenty): three of
them are allowed.
"""
CELL = ["instrument", "wave", "rater_unit", "target_unit", "dimension"]


UNIT = ["wave", "unit", "role", "dimension"]


def estimated_and_true(seed: int, n_units: int, engine: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One organisation: a row per relation and dimension with estimate, naive mean and truth; and per unit,
    role and dimension."""
    options = Simulation.model_validate(
        {
            "organisation": {"n_respondents": 11 * n_units, "n_units": n_units, "n_districts": 1},
            "nominations": {"partners": 5},
        }
    )
    instruments = {"relational_capacity": load_instrument("relational_capacity")}
    waves = [Wave("w1")]
    simulated = simulate(options, instruments=instruments, waves=waves, seed=seed)
    survey = read_survey(simulated.tables, instruments=["relational_capacity"], waves=waves)
    model = Relation(instrument="relational_capacity")
    fitted = fit(model, survey, engine=engine, seed=seed, chains=2, draws=400, tune=300, progress=False)
    table = relation_score_table(relation_scores(fitted), survey, ci_prob=0.9, k=5)
    truth = simulated.truth["relation_scores"]
    relations = table.merge(truth, on=[c for c in CELL if c in table], how="left", validate="one_to_one")
    of_units = pd.concat([unit_score_table(scores, ci_prob=0.9, k=5) for scores in unit_scores(fitted)])
    within = simulated.truth["within_unit_scores"].assign(role="within_unit")
    truth = pd.concat([simulated.truth["unit_scores"], within])[[*UNIT, "score"]]
    return relations, of_units.merge(truth, on=UNIT, how="left", validate="one_to_one")


@pytest.fixture(scope="module", params=SAMPLES)
def pooled(request) -> tuple[pd.DataFrame, pd.DataFrame, float]:
    engine, n, n_units, tolerance = request.param
    seeds = range(200, 200 + n)
    found = [[t.assign(organisation=s) for t in estimated_and_true(s, n_units, engine)] for s in seeds]
    relations, of_units = (pd.concat(tables, ignore_index=True) for tables in zip(*found))
    return relations, of_units, tolerance


def test_ninety_per_cent_intervals_cover_ninety_per_cent(pooled):
    table, _, tolerance = pooled
    assert table["score"].notna().all()
    overall = table[table["dimension"] == "overall"]
    covered = (overall["lower"] <= overall["score"]) & (overall["score"] <= overall["upper"])
    assert covered.mean() == pytest.approx(0.90, abs=tolerance)


def test_intervals_of_units_do_in_every_role(pooled):
    """Within three standard errors, which are those of organisations."""
    _, table, _ = pooled
    assert table["score"].notna().all()
    overall = table[table["dimension"] == "overall"]
    covered = (overall["lower"] <= overall["score"]) & (overall["score"] <= overall["upper"])
    each = covered.groupby([overall["role"], overall["organisation"]]).mean()
    for role, of_role in each.groupby("role"):
        error = of_role.std() / np.sqrt(len(of_role))
        assert of_role.mean() == pytest.approx(0.90, abs=3 * error), role


def test_scores_err_less_than_naive_means(pooled):
    """Root mean squared error below the naive mean's, overall and in most single organisations."""
    table, _, _ = pooled
    overall = table[table["dimension"] == "overall"]
    squared = pd.DataFrame(
        {
            "organisation": overall["organisation"],
            "estimate": (overall["mean"] - overall["score"]) ** 2,
            "naive": (overall["naive_mean"] - overall["score"]) ** 2,
        }
    )
    assert np.sqrt(squared["estimate"].mean()) < np.sqrt(squared["naive"].mean())
    each = squared.groupby("organisation").mean()
    assert (each["estimate"] < each["naive"]).mean() > 0.8
