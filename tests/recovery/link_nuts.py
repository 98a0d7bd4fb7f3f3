"""The fast engine beside NUTS on data sets of three cells of the grid of the leadership link.

`run` fits what the table `measured/link_nuts.csv` lacks, by both engines, one row per data set, source and
adjustment: the slope's mean, sd and 95 % interval by each. Seeds are those of the grid: 1, 2, …
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd

import relcap_models as rc
from relcap_models.estimands.leadership_link.joint import adjustments, outcome_of, predictors_of
from relcap_models.estimands.leadership_link.unit_latents import unit_latents
from relcap_models.models import LeadershipLink
from tests.recovery.link_grid import CELLS, CI_PROB, LEADERSHIP, Cell, survey_of

MEASURED = Path(__file__).parent / "measured" / "link_nuts.csv"
CONFIRMED = tuple(
    cell
    for cell in CELLS
    if cell.name in ("main-0.5-20-10-0-0.3", "main-0.5-60-10-0-0.3", "leniency-0-60-10-1-0.4")
)
CHAINS, DRAWS, TUNE = 2, 600, 500
BY = ["cell", "source", "adjusted"]


def one(cell: Cell, seed: int) -> pd.DataFrame:
    """Slopes of one data set by both engines: source, adjusted, truth, and each engine's figures."""
    survey, rows = survey_of(cell, seed), []
    for source in cell.sources:
        model = LeadershipLink(safety=None, source=source)
        fits = {
            engine: rc.fit(
                model, survey, engine=engine, seed=seed, chains=CHAINS, draws=DRAWS, tune=TUNE, progress=False
            )
            for engine in ("fast", "nuts")
        }
        for adjusted in adjustments(fits["fast"]):
            row = {
                "cell": cell.name,
                "seed": seed,
                "source": source,
                "adjusted": adjusted,
                "truth": cell.effect,
            }
            for engine, fit in fits.items():
                known = predictors_of(LEADERSHIP, adjusted=adjusted)
                slope = unit_latents(fit)[0].slopes(outcome_of(fit), known)[:, 0]
                lower, median, upper = np.quantile(slope, [(1 - CI_PROB) / 2, 0.5, (1 + CI_PROB) / 2])
                figures = {
                    "mean": slope.mean(),
                    "sd": slope.std(),
                    "lower": lower,
                    "median": median,
                    "upper": upper,
                }
                row |= {f"{engine}_{name}": figure for name, figure in figures.items()}
            rows.append(row)
    return pd.DataFrame(rows)


def run(until: int, *, minutes: float) -> pd.DataFrame:
    """Fit seeds 1 to `until` of every cell that the table lacks; after so many minutes begin with none."""
    table = pd.read_csv(MEASURED) if MEASURED.exists() else pd.DataFrame(columns=["cell", "seed"])
    start = time.monotonic()
    for seed in range(1, until + 1):
        for cell in CONFIRMED:
            if ((table["cell"] == cell.name) & (table["seed"] == seed)).any():
                continue
            if time.monotonic() - start > 60 * minutes:
                return table
            found = one(cell, seed).round(4)
            table = pd.concat([table, found], ignore_index=True) if len(table) else found
            table.to_csv(MEASURED, index=False)
    return table


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Of each cell, source and adjustment over its data sets, with Monte Carlo errors (`…_mcse`,
    blank for one data set).

    `apart`: how far the fast engine's posterior mean lies from NUTS', in posterior sds of NUTS ·
    `log_width`: logarithm of how many times as wide the interval is · `fast_coverage`, `nuts_coverage`
    """
    measures = pd.DataFrame(
        {
            "apart": (table["fast_mean"] - table["nuts_mean"]) / table["nuts_sd"],
            "log_width": np.log(table["fast_upper"] - table["fast_lower"])
            - np.log(table["nuts_upper"] - table["nuts_lower"]),
        }
    )
    for engine in ("fast", "nuts"):
        inside = table[f"{engine}_lower"].le(table["truth"]) & table["truth"].le(table[f"{engine}_upper"])
        measures[f"{engine}_coverage"] = inside.astype(float)
    groups = measures.groupby([table[name] for name in BY], sort=False)
    mean, error = groups.mean(), groups.std() / np.sqrt(groups.size().to_numpy())[:, None]
    return mean.join(error.add_suffix("_mcse")).assign(data_sets=groups.size()).reset_index()
