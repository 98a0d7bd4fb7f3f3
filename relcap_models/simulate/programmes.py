"""Programmes with staggered start: who takes part, and what it does at either end of a relation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.data.survey import Wave
from relcap_models.errors import ConfigError, Problem
from relcap_models.schema.instrument import Instrument
from relcap_models.seeds import generator
from relcap_models.simulate.effect_options import Programme
from relcap_models.simulate.organisation import Roster
from relcap_models.simulate.units import CLIMATE, ROLES, Key, Links

ENDS = ("perceiver", "target", "both", "self", "climate")


@dataclass(frozen=True)
class Programmes:
    """starts : programme → (unit,) index of the first wave under the programme, −1 for never.

    unit_effects : programme → (unit,) each unit's own deviation from the programme's effects.
    options : the declarations, in order.
    """

    options: tuple[Programme, ...]
    starts: dict[str, np.ndarray]
    unit_effects: dict[str, np.ndarray]

    def active(self, programme: str, n_waves: int) -> np.ndarray:
        """(wave, unit) whether the unit is under the programme."""
        start = self.starts[programme]
        return (start >= 0) & (np.arange(n_waves)[:, None] >= start)

    def strength(self, option: Programme, n_waves: int) -> np.ndarray:
        """(wave, unit) how many times the first wave's effect there is: 0 before the start."""
        since = np.arange(n_waves)[:, None] - self.starts[option.id]
        return self.active(option.id, n_waves) * (1.0 + option.growth * since)

    def effect(self, end: str, n_waves: int, n_units: int) -> np.ndarray:
        """(wave, unit) sum of all programmes' effects on one of `ENDS` but `both`."""
        total = np.zeros((n_waves, n_units))
        for option in self.options:
            size = getattr(option, f"on_{end}")
            # A unit's own deviation belongs to the ends on which the programme works at all.
            deviation = self.unit_effects[option.id] if size else 0.0
            total += self.strength(option, n_waves) * size + self.active(option.id, n_waves) * deviation
        return total

    def effect_both(self, n_waves: int, n_units: int) -> np.ndarray:
        """(wave, rater unit, target unit) what comes on top where both ends are under the programme."""
        total = np.zeros((n_waves, n_units, n_units))
        for option in self.options:
            strength = self.strength(option, n_waves)
            total += option.on_both * np.minimum(strength[:, :, None], strength[:, None, :])
        total[:, np.arange(n_units), np.arange(n_units)] = 0.0
        return total


def draw_programmes(
    options: tuple[Programme, ...],
    roster: Roster,
    level: np.ndarray,
    *,
    waves: Sequence[Wave],
    seed: int,
) -> Programmes:
    """Deal out the programmes.

    Parameters
    ----------
    level : (wave, unit) what selection looks at: how others rate the unit (latent)

    Raises
    ------
    ConfigError
        If a start is not a wave of the study.
    """
    if problems := start_problems(options, waves):
        raise ConfigError(problems=problems)
    index_of = {wave.id: index for index, wave in enumerate(waves)}
    starts, deviations = {}, {}
    for option in options:
        rng = generator(seed, "simulate", "programmes", option.id)
        waves_of_start = sorted(index_of[start] for start in option.starts)
        before = level[max(0, waves_of_start[0] - 1)]
        groups = roster.district_of_unit if option.level == "district" else np.arange(roster.n_units)
        starts[option.id] = _deal(option, groups, before, waves_of_start, rng)
        deviations[option.id] = option.sd * rng.standard_normal(roster.n_units)
    return Programmes(options=options, starts=starts, unit_effects=deviations)


def start_problems(options: tuple[Programme, ...], waves: Sequence[Wave]) -> list[Problem]:
    """Starts that are no waves of the study."""
    known = [wave.id for wave in waves]
    return [
        Problem(
            file="study.yaml",
            where=f"simulation.programmes[{index}].starts",
            message=f"'{start}' is not a wave",
            remedy=f"Waves of this study: {', '.join(known)}.",
        )
        for index, option in enumerate(options)
        for start in option.starts
        if start not in known
    ]


def _deal(
    option: Programme,
    groups: np.ndarray,
    level: np.ndarray,
    waves_of_start: list[int],
    rng: np.random.Generator,
) -> np.ndarray:
    """(unit,) index of the wave of start, −1 for never."""
    names, group_of_unit = np.unique(groups, return_inverse=True)
    mean = np.bincount(group_of_unit, weights=level) / np.bincount(group_of_unit)
    spread = mean.std()
    standing = (mean - mean.mean()) / spread if spread > 0 else np.zeros(len(names))
    chance = rng.standard_normal(len(names))
    priority = -option.selection * standing + np.sqrt(1 - option.selection**2) * chance
    chosen = np.argsort(-priority, kind="stable")[: round(option.share * len(names))]
    start = np.full(len(names), -1)
    start[rng.permutation(chosen)] = np.resize(waves_of_start, len(chosen))
    return start[group_of_unit]


def programme_parts(
    programmes: Programmes, links: Links, instruments: Mapping[str, Instrument], roster: Roster
) -> dict[Key, np.ndarray]:
    """(instrument, role) → (wave, unit, 1) what programmes do to unit effects.

    What a programme does to a climate goes on along the paths from it.
    """
    shape = (roster.n_waves, roster.n_units)
    direct = {
        (instrument.id, role): programmes.effect(role, *shape)[..., None]
        for instrument in instruments.values()
        for role in (ROLES if instrument.about_targets else (CLIMATE,))
    }
    return links.along_paths(direct)


def programmes_table(programmes: Programmes, roster: Roster, *, waves: Sequence[Wave]) -> pd.DataFrame:
    """`programmes.csv`: unit_id, programme, start_wave; units that never start have no row."""
    wave_ids = np.array([wave.id for wave in waves], dtype=object)
    frames = []
    for programme, start in programmes.starts.items():
        units = np.flatnonzero(start >= 0)
        columns = {
            "unit_id": roster.unit_ids[units],
            "programme": programme,
            "start_wave": wave_ids[start[units]],
        }
        frames.append(pd.DataFrame(columns))
    if not frames:
        return pd.DataFrame({"unit_id": [], "programme": [], "start_wave": []}, dtype=object)
    return pd.concat(frames, ignore_index=True)


def programme_effects_table(programmes: Programmes, roster: Roster) -> pd.DataFrame:
    """programme, unit, end, effect: what the programme adds (latent) at that end in its first wave.

    Without what a climate passes on along its paths; `unit_effects` has all of it.
    """
    rows = []
    for option in programmes.options:
        units = roster.unit_ids[programmes.starts[option.id] >= 0]
        deviation = programmes.unit_effects[option.id][programmes.starts[option.id] >= 0]
        for end in ENDS:
            size = getattr(option, f"on_{end}")
            own = deviation if size and end != "both" else np.zeros(len(units))
            rows += [(option.id, unit, end, size + part) for unit, part in zip(units, own)]
    return pd.DataFrame(rows, columns=["programme", "unit", "end", "effect"])
