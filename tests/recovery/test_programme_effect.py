"""Programme effects are recovered, and agree with published treatments of ordinal outcomes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import relcap_models as rc
from relcap_models.estimands.programme_effect import programme_effect_tables
from tests.recovery.programme_grid import MEASURED, Cell, one, run_grid, survey_of
from tests.validation.ordinal_mixed import schizophrenia, trial

RESULTS = Path(__file__).parent / "programme_grid_results"


@pytest.mark.recovery
def test_effects_on_either_end_are_recovered():
    found = pd.concat([one(Cell("main", 16, 0.4), seed) for seed in range(1, 7)])
    for estimand, rows in found[found["estimand"] != "interaction"].groupby("estimand"):
        error = rows["mean"] - rows["truth"]
        assert abs(error.mean()) < 4 * error.std() / np.sqrt(len(error)), estimand
    covered = (found["lower"] < found["truth"]) & (found["truth"] < found["upper"])
    # 24 intervals of 95 %: fewer than 19 inside would happen once in 600 worlds if they were independent.
    assert covered.sum() >= 19


@pytest.mark.recovery
def test_the_fast_engine_is_near_the_sampler():
    """Medians within a tenth of the interval's width, widths within a quarter.

    The sampler's medians are uncertain by .015 of it (1,200 draws, worth 600 independent ones or more).
    """
    survey = survey_of(Cell("main", 16, 0.4), 1)
    model = rc.ProgrammeEffect(programme="P", assignment="observational")
    keys, tables = ["estimand", "aggregate", "group", "time", "scale"], []
    for engine, chains, draws in (("fast", 4, 1000), ("nuts", 2, 600)):
        fit = rc.fit(
            model, survey, engine=engine, seed=1, chains=chains, draws=draws, tune=400, progress=False
        )
        table = programme_effect_tables(fit, survey, ci_prob=0.9, goal=0.0)["programme_effects"]
        tables.append(table.set_index(keys)[["median", "lower", "upper"]])
    fast, sampled = tables
    assert {"rater_end", "target_end", "both_ends"} <= set(fast.index.get_level_values("estimand"))
    wide, width = fast["upper"] - fast["lower"], sampled["upper"] - sampled["lower"]
    assert ((fast["median"] - sampled["median"]).abs() < 0.1 * width).all()
    assert (wide / width).between(0.75, 1.25).all()


@pytest.mark.recovery
def test_the_schizophrenia_trial_has_the_published_treatment_effects(reference):
    """Random-intercept cumulative logit of imps79o on √week × drug, as `ordinal::clmm` has it (15 nodes)."""
    values = pd.read_csv(reference / "values.csv")
    values = values[values["id"] == "imps79.clmm.logit.agq15"]
    published = values.set_index("quantity")["value"].astype(float)
    for name, drawn in schizophrenia(reference).items():
        assert abs(drawn.mean() - published[name]) < 0.5 * drawn.std(), name


@pytest.mark.recovery
def test_the_arthritis_trial_finds_that_the_drug_helps(reference):
    """Self-assessment (5 is best) at the start and after 1, 3 and 5 months; assigned at random."""
    data = pd.read_csv(reference / "multgee_arthritis.csv")
    first = data.drop_duplicates("id").assign(time=0, y=lambda table: table["baseline"])
    long = pd.concat([first, data], ignore_index=True)
    survey = trial(long["id"], "month" + long["time"].astype(str), long["y"], long["trt"] == 2)
    model = rc.ProgrammeEffect(
        programme="drug", assignment="randomised", instrument="state", exposure="start", link="logit"
    )
    fit = rc.fit(model, survey, seed=1, chains=2, draws=500, tune=500, progress=False)
    table = programme_effect_tables(fit, survey, ci_prob=0.95, goal=0.0)["programme_effects"]
    simple = table[table["aggregate"] == "simple"].set_index("scale")
    assert set(table["estimand"]) == {"both_ends"}
    # Means over the three visits, treated minus not, less the difference at the start: in points.
    mean = long.assign(later=long["time"] > 0).groupby(["trt", "later"])["y"].mean()
    naive = (mean[2, True] - mean[2, False]) - (mean[1, True] - mean[1, False])
    assert simple.loc["points", "lower"] > 0
    assert abs(simple.loc["points", "mean"] - naive) < 2 * simple.loc["points", "sd"]


@pytest.mark.grid
def test_the_grid_covers_at_its_level_and_finds_nothing_where_nothing_is():
    """Hours, resumed where it was stopped; see `programme_grid`."""
    judge(run_grid(RESULTS))


def test_the_measured_grid_covers_at_its_level_and_finds_nothing_where_nothing_is():
    judge(pd.read_csv(MEASURED))


def judge(table: pd.DataFrame) -> None:
    """Coverage of every cell near .95 or above, rejection of no effect near .05 or below, cells together."""
    told = table[(table["estimand"] != "interaction") & (table["grid"] != "unsaid")]
    assert (told["coverage"] > 0.95 - 4 * np.sqrt(0.95 * 0.05 / told["data_sets"])).all()
    none = told[told["truth"] == 0]
    assert (none["rejection"] < 0.05 + 4 * np.sqrt(0.95 * 0.05 / none["data_sets"])).all()
    assert (told["bias"].abs() < 0.03 + 4 * told["bias_mcse"]).all()
