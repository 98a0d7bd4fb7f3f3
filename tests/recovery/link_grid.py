"""Recovery of the leadership link over a grid of simulated organisations with known truth.

`run_grid` writes `measured/leadership_link.csv` beside this file: for each cell, method, source and
adjustment the bias with its Monte Carlo error, coverage of the 95 % interval, and how often that excludes 0.
Seeds are 1, 2, … in every cell. `make grids` runs what is not in the table yet.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import relcap_models as rc
from relcap_models.data import Wave, read_survey
from relcap_models.estimands.leadership_link.corrected import corrected_link
from relcap_models.estimands.leadership_link.naive import naive_link
from relcap_models.estimands.leadership_link.rating_scores import rating_scores
from relcap_models.estimands.leadership_link.unit_latents import unit_latents
from relcap_models.models import LeadershipLink
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate
from tests.recovery.grids import run_batches

MEASURED = Path(__file__).parent / "measured" / "leadership_link.csv"
LEADERSHIP = "relational_leadership"
CI_PROB = 0.95


@dataclass(frozen=True)
class Cell:
    """One kind of organisation.

    grid : main, leniency or departures · effect : of leadership on how others rate the unit, latent units
    leniency : effect of a unit's perceiver effect on how its staff rate their leaders · reciprocity :
    generalised · replicates : data sets
    """

    grid: str
    effect: float
    units: int
    raters: int
    leniency: float = 0.0
    reciprocity: float = 0.3
    replicates: int = 200

    @property
    def name(self) -> str:
        numbers = (self.effect, self.units, self.raters, self.leniency, self.reciprocity)
        return "-".join((self.grid, *(f"{number:g}" for number in numbers)))

    @property
    def sources(self) -> tuple[str, ...]:
        return ("different", "same") if self.grid == "leniency" else ("different",)


_CORNERS = {(units, raters) for units in (20, 150) for raters in (3, 25)}
CELLS = (
    *(
        Cell("main", effect, units, raters, replicates=200 if (units, raters) in _CORNERS else 100)
        for effect in (0.0, 0.2, 0.5)
        for units in (20, 60, 150)
        for raters in (3, 10, 25)
    ),
    *(Cell("leniency", 0.0, 60, 10, leniency=1.0, reciprocity=r) for r in (0.0, 0.4)),
    *(Cell("departures", effect, 60, 10) for effect in (0.0, 0.5)),
)
_DEPARTURES = {"extreme": 0.15, "acquiescent": 0.1, "tail_df": 5.0, "sd_occasion": 0.3, "halo": 0.2}


def survey_of(cell: Cell, seed: int) -> rc.Survey:
    """One wave; every unit has as many raters, who rate four units each. Dimensions of an instrument are one
    unless the cell departs from that."""
    departing = cell.grid == "departures"
    correlation = 0.7 if departing else 1.0
    options = {
        "organisation": {
            "n_respondents": cell.units * cell.raters,
            "n_units": cell.units,
            "size_sd": 0.0,
            "min_size": 1,
        },
        "nominations": {"partners": 4},
        "ratings": {"max_targets": 4},
        "nonresponse": {"unit": 0.0},
        "relations": {
            "dimension_correlation": correlation,
            "generalised_reciprocity": cell.reciprocity,
        },
        "climate": {
            "dimension_correlation": correlation,
            "leniency": cell.leniency,
            "paths": [{"source": LEADERSHIP, "to": "target", "coefficient": cell.effect}],
        },
        "departures": _DEPARTURES if departing else {},
    }
    instruments = {name: load_instrument(name) for name in ("relational_capacity", LEADERSHIP)}
    waves = (Wave("w1"),)
    made = simulate(Simulation.model_validate(options), instruments=instruments, waves=waves, seed=seed)
    return read_survey(made.tables, instruments=instruments, waves=waves)


def one(cell: Cell, seed: int, engine: str = "fast") -> pd.DataFrame:
    """Estimates of one data set: method, source, adjusted, mean, lower, upper."""
    survey, parts = survey_of(cell, seed), []
    for source in cell.sources:
        model = LeadershipLink(safety=None, source=source)
        frame = model.frame(survey)
        scores = rating_scores(model, frame)
        for beside in (naive_link, corrected_link):
            table = beside(model, frame, scores, ci_prob=CI_PROB)
            parts.append(table[table["scale"] == "latent"])
        fit = rc.fit(model, survey, engine=engine, seed=seed, chains=2, draws=500, tune=500, progress=False)
        latents = unit_latents(fit)[0]
        outcome = "target" if source == "different" else frame.facets[0]
        for adjusted in (False, True) if source == "different" else (False,):
            known = (LEADERSHIP, "perceiver") if adjusted else (LEADERSHIP,)
            slope = latents.slopes(outcome, known)[:, 0]
            lower, upper = np.quantile(slope, [(1 - CI_PROB) / 2, (1 + CI_PROB) / 2])
            row = {"method": "joint", "source": source, "adjusted": adjusted}
            row |= {"mean": slope.mean(), "sd": slope.std(), "lower": lower, "upper": upper}
            parts.append(pd.DataFrame([row]))
    columns = ["method", "source", "adjusted", "mean", "sd", "lower", "upper"]
    rows = pd.concat([part[columns] for part in parts], ignore_index=True)
    return rows.assign(**asdict(cell), truth=cell.effect, seed=seed)


def numbered(number: int, seed: int) -> pd.DataFrame:
    """`one` of the cell with this number: tasks that share nothing are done in their order."""
    return one(CELLS[number], seed)


BY = ["grid", "effect", "units", "raters", "leniency", "reciprocity", "method", "source", "adjusted"]


def run_grid(folder: Path, *, until: int | None = None) -> pd.DataFrame:
    """Run every data set that the table lacks, up to the seed `until`; see `run_batches`."""
    return run_batches(numbered, CELLS, measured=MEASURED, by=BY, folder=folder, until=until)
