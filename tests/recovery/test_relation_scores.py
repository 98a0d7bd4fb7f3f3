"""Relation scores recovered from organisations with known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from relcap_models.data import Wave, read_survey
from relcap_models.estimands import relation_score_table, relation_scores
from relcap_models.inference import fit
from relcap_models.models import Relation
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate

SAMPLES = [
    pytest.param(("nuts", 6, 10, 0.08), marks=pytest.mark.recovery, id="6 organisations of 10 units"),
    pytest.param(("nuts", 20, 20, 0.03), marks=pytest.mark.validation, id="20 organisations of 20 units"),
    pytest.param(("fast", 20, 20, 0.03), marks=pytest.mark.recovery, id="fast, 20 organisations of 20 units"),
]
"""Engine, how many organisations, units in each, and the tolerance of their coverage.

Scores of one organisation share its hyperparameters. Coverage of single organisations of 10 units spreads
with an sd of about .065 (standard error .027 with six), of 20 units with .035 (.008 with twenty).
"""
CELL = ["instrument", "wave", "rater_unit", "target_unit", "dimension"]


def estimated_and_true(seed: int, n_units: int, engine: str) -> pd.DataFrame:
    """One organisation: a row per relation and dimension with estimate, naive mean and truth."""
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
    return table.merge(truth, on=[c for c in CELL if c in table], how="left", validate="one_to_one")


@pytest.fixture(scope="module", params=SAMPLES)
def pooled(request) -> tuple[pd.DataFrame, float]:
    engine, n, n_units, tolerance = request.param
    seeds = range(200, 200 + n)
    tables = [estimated_and_true(seed, n_units, engine).assign(organisation=seed) for seed in seeds]
    return pd.concat(tables, ignore_index=True), tolerance


def test_ninety_per_cent_intervals_cover_ninety_per_cent(pooled):
    table, tolerance = pooled
    assert table["score"].notna().all()
    overall = table[table["dimension"] == "overall"]
    covered = (overall["lower"] <= overall["score"]) & (overall["score"] <= overall["upper"])
    assert covered.mean() == pytest.approx(0.90, abs=tolerance)


def test_scores_err_less_than_naive_means(pooled):
    """Root mean squared error below the naive mean's, overall and in most single organisations."""
    table, _ = pooled
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
