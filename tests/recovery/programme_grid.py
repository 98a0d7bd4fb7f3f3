"""Recovery of programme effects over a grid of simulated organisations with known truth.

`run_grid` writes `measured/programme_effect.csv` beside this file: for each cell and end of a relation the
bias with its Monte Carlo error, coverage of the 95 % interval, and how often that excludes 0. Seeds of every
cell are 1, 2, … `make grids` runs what is not in the table yet.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import cycle
from pathlib import Path

import pandas as pd

import relcap_models as rc
from relcap_models.data import Wave, read_survey
from relcap_models.estimands.programme_effect import programme_effect_tables
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate
from tests.recovery.grids import run_batches

MEASURED = Path(__file__).parent / "measured" / "programme_effect.csv"
CI_PROB = 0.95
UNITS, RATERS = 3, 6
"""Units of a district (the cluster that is assigned), respondents of a unit."""


@dataclass(frozen=True)
class Cell:
    """One kind of programme, in three waves, with districts that start in the second or the third, or never.

    grid : main, selection (the districts that others rated lowest in the first wave start, and the model is
    told), unsaid (the same, and it is not) or heterogeneous (each unit has an effect of its own, with that
    sd) · clusters : districts · effect : on how others rate the trained, latent units; on how they rate
    others it is half as large, and both ends add up · replicates : data sets
    """

    grid: str
    clusters: int
    effect: float
    heterogeneity: float = 0.0
    replicates: int = 200

    @property
    def name(self) -> str:
        numbers = (self.clusters, self.effect, self.heterogeneity)
        return "-".join((self.grid, *(f"{number:g}" for number in numbers)))

    @property
    def selected(self) -> bool:
        return self.grid in ("selection", "unsaid")


CELLS = (
    *(Cell("main", clusters, effect) for effect in (0.0, 0.4) for clusters in (8, 16, 40)),
    *(Cell("selection", clusters, 0.0) for clusters in (8, 16, 40)),
    Cell("unsaid", 16, 0.0),
    Cell("heterogeneous", 16, 0.4, heterogeneity=0.3),
)


def survey_of(cell: Cell, seed: int) -> rc.Survey:
    """Half of the districts take part; districts have shocks of their own in each wave, at both ends."""
    units = UNITS * cell.clusters
    options = {
        "organisation": {
            "n_respondents": units * RATERS,
            "n_units": units,
            "n_districts": cell.clusters,
            "size_sd": 0.0,
            "min_size": 1,
        },
        "nominations": {"partners": 4},
        "ratings": {"max_targets": 4},
        "nonresponse": {"unit": 0.0},
        "relations": {"dimension_correlation": 1.0, "sd_district": 0.15},
        "programmes": [
            {
                "id": "P",
                "level": "district",
                "share": 0.5,
                "starts": ["w2", "w3"],
                "on_target": cell.effect,
                "on_perceiver": cell.effect / 2,
                "sd": cell.heterogeneity,
            }
        ],
    }
    instruments = {"relational_capacity": load_instrument("relational_capacity")}
    waves = tuple(Wave(f"w{number}") for number in (1, 2, 3))
    made = simulate(Simulation.model_validate(options), instruments=instruments, waves=waves, seed=seed)
    survey = read_survey(made.tables, instruments=instruments, waves=waves)
    return replace(survey, programmes=lowest_start(survey)) if cell.selected else survey


def lowest_start(survey: rc.Survey) -> pd.DataFrame:
    """Programmes of the half of the districts that others rated lowest in the first wave, in turns w2 and w3.

    The programme does nothing in these cells, so that who is in it can be decided after the answers.
    """
    ratings = survey.responses.astype({"rater_unit": str, "target_unit": str})
    seen = ratings[(ratings["wave"] == "w1") & (ratings["rater_unit"] != ratings["target_unit"])]
    district = survey.units.set_index("unit_id")["district"]
    mean = seen["value"].groupby(seen["target_unit"].map(district)).mean().sort_values()
    start = dict(zip(mean.index[: len(mean) // 2], cycle(("w2", "w3"))))
    rows = survey.units[["unit_id"]].assign(programme="P", start_wave=survey.units["district"].map(start))
    return rows.dropna(ignore_index=True)


def one(cell: Cell, seed: int, engine: str = "fast") -> pd.DataFrame:
    """Estimates of one data set: estimand, truth, mean, sd, lower, upper."""
    survey = survey_of(cell, seed)
    chosen = "lowest" if cell.grid == "selection" else None
    model = rc.ProgrammeEffect(programme="P", assignment="observational", chosen=chosen)
    fit = rc.fit(model, survey, engine=engine, seed=seed, chains=2, draws=500, tune=500, progress=False)
    table = programme_effect_tables(fit, survey, ci_prob=CI_PROB, goal=0.0)["programme_effects"]
    table = table[(table["aggregate"] == "simple") & (table["scale"] == "latent")]
    truth = {
        "target_end": cell.effect,
        "rater_end": cell.effect / 2,
        "both_ends": 1.5 * cell.effect,
        "interaction": 0.0,
    }
    rows = table[["estimand", "mean", "sd", "lower", "upper"]]
    return rows.assign(truth=rows["estimand"].map(truth), **asdict(cell), seed=seed)


def numbered(number: int, seed: int) -> pd.DataFrame:
    """`one` of the cell with this number: tasks that share nothing are done in their order."""
    return one(CELLS[number], seed)


BY = ["grid", "clusters", "effect", "heterogeneity", "estimand", "truth"]


def run_grid(folder: Path, *, until: int | None = None) -> pd.DataFrame:
    """Run every data set that the table lacks, up to the seed `until`; see `run_batches`."""
    return run_batches(numbered, CELLS, measured=MEASURED, by=BY, folder=folder, until=until)
