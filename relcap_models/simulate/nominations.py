"""Which units must collaborate: nominations, mutual and one-sided, near and far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from relcap_models.data.survey import Wave
from relcap_models.seeds import generator
from relcap_models.simulate.gaussian import over_waves
from relcap_models.simulate.organisation import Roster
from relcap_models.simulate.survey_options import Nominations


def draw_nominations(options: Nominations, roster: Roster, *, seed: int) -> np.ndarray:
    """(wave, rater unit, target unit) importance 1–5 of a nominated partner, 0 where there is none.

    Each side's propensity is a fixed part for closeness plus a standard normal part that the two sides of a
    pair share in part. A unit nominates the partners above a common bar, and its best one in any case.
    """
    n = roster.n_units
    if n < 2:
        return np.zeros((roster.n_waves, n, n), dtype=int)
    propensity = np.zeros((roster.n_waves, n, n))
    for name, weight in (("pair", options.mutuality), ("side", 1 - options.mutuality)):
        part = over_waves(
            generator(seed, "simulate", "nominations", name),
            roster.n_waves,
            (n, n),
            stability=0.0,
            autocorrelation=options.persistence,
        )
        if name == "pair":
            upper = np.triu(part, 1)
            part = upper + upper.transpose(0, 2, 1)
        propensity += np.sqrt(weight) * part
    propensity += options.same_district * np.equal.outer(roster.district_of_unit, roster.district_of_unit)
    propensity += options.same_layer * np.equal.outer(roster.layer_of_unit, roster.layer_of_unit)
    propensity[:, np.arange(n), np.arange(n)] = -np.inf
    others = ~np.eye(n, dtype=bool)
    bar = np.quantile(propensity[0][others], max(0.0, 1 - options.partners / (n - 1)))
    best = propensity == propensity.max(axis=2, keepdims=True)
    chosen = (propensity > bar) | best
    steps = np.quantile(propensity[chosen], [0.1, 0.3, 0.6])
    return np.where(chosen, 2 + np.searchsorted(steps, propensity), 0)


def nominations_table(importance: np.ndarray, roster: Roster, *, waves: Sequence[Wave]) -> pd.DataFrame:
    """`nominations.csv`: wave, rater_unit, target_unit, importance."""
    wave, rater, target = np.nonzero(importance)
    wave_ids = np.array([w.id for w in waves], dtype=object)
    return pd.DataFrame(
        {
            "wave": wave_ids[wave],
            "rater_unit": roster.unit_ids[rater],
            "target_unit": roster.unit_ids[target],
            "importance": importance[wave, rater, target],
        }
    )


def partners(importance: np.ndarray) -> np.ndarray:
    """(wave, rater unit, target unit) whether the relation counts: at least one side finds it important."""
    nominated = importance > 0
    return nominated | nominated.transpose(0, 2, 1)
