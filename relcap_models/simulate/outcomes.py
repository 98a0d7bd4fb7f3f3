"""Outcomes of units that depend on how others experience working with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from relcap_models.data.survey import Wave
from relcap_models.seeds import generator
from relcap_models.simulate.effect_options import Outcome
from relcap_models.simulate.organisation import Roster


def draw_outcomes(
    options: tuple[Outcome, ...], capacity: np.ndarray, roster: Roster, *, waves: Sequence[Wave], seed: int
) -> pd.DataFrame:
    """`outcomes.csv`: wave, unit_id, outcome, value, n, se.

    Parameters
    ----------
    capacity : (wave, unit) latent
    """
    frames = []
    for option in options:
        rng = generator(seed, "simulate", "outcomes", option.id)
        stable = _stable(option, roster, rng)
        mean_cases = roster.units["size"].to_numpy() * option.cases_per_respondent
        for index, wave in enumerate(waves):
            cases = np.maximum(1, rng.poisson(mean_cases))
            se = option.sd_case / np.sqrt(cases)
            value = option.intercept + option.slope * capacity[index] + stable
            value = value + se * rng.standard_normal(roster.n_units)
            columns = {"wave": wave.id, "unit_id": roster.unit_ids, "outcome": option.id}
            frames.append(pd.DataFrame(columns | {"value": value.round(4), "n": cases, "se": se.round(4)}))
    if not frames:
        columns = ["wave", "unit_id", "outcome", "value", "n", "se"]
        return pd.DataFrame({name: [] for name in columns}, dtype=object)
    return pd.concat(frames, ignore_index=True)


def outcome_effects_table(options: tuple[Outcome, ...], roster: Roster, *, seed: int) -> pd.DataFrame:
    """outcome_effects: unit, outcome, effect (stable, beside what follows from the unit's capacity)."""
    frames = []
    for option in options:
        effect = _stable(option, roster, generator(seed, "simulate", "outcomes", option.id))
        frames.append(pd.DataFrame({"unit": roster.unit_ids, "outcome": option.id, "effect": effect}))
    return pd.concat(frames, ignore_index=True)


def _stable(option: Outcome, roster: Roster, rng: np.random.Generator) -> np.ndarray:
    """(unit,) the first draws of an outcome's stream."""
    return option.sd_unit * rng.standard_normal(roster.n_units)
