"""Who works where: units in districts and layers, their staff, and how staff changes between waves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.data.survey import Wave
from relcap_models.seeds import generator
from relcap_models.simulate.survey_options import Organisation

DISTRICTS = ("Nord", "Syd", "Øst", "Vest", "Midt", "Havnen", "Åbyen", "Skovby", "Søndermarken", "Fjorden")
EMPLOYEE_UNITS = (
    "Dagplejen",
    "Børnehaven",
    "Skolen",
    "SFO'en",
    "Sundhedsplejen",
    "Familierådgivningen",
    "PPR",
    "Ungdomsskolen",
    "Tandplejen",
    "Familiehuset",
    "Myndighed børn",
    "Ungeindsatsen",
    "Specialskolen",
    "Vuggestuen",
    "Plejefamilieteamet",
)
LAYERS = ("strategic leadership", "leaders", "employees")
COMMON_DISTRICT = "Fælles"


@dataclass(frozen=True)
class Roster:
    """Units, and the unit of every person in every wave.

    units : `unit_id, name, district, layer, complexity, size, n_leaders`
    district_of_unit, layer_of_unit : (unit,) indices
    unit_of_person : (wave, person) index of the unit, −1 before joining and after leaving
    is_leader : (wave, person)
    person_ids : (person,) of strings
    """

    units: pd.DataFrame
    district_of_unit: np.ndarray
    layer_of_unit: np.ndarray
    unit_of_person: np.ndarray
    is_leader: np.ndarray
    person_ids: np.ndarray

    @property
    def n_units(self) -> int:
        return len(self.units)

    @property
    def n_persons(self) -> int:
        return self.unit_of_person.shape[1]

    @property
    def n_waves(self) -> int:
        return self.unit_of_person.shape[0]

    @property
    def unit_ids(self) -> np.ndarray:
        return self.units["unit_id"].to_numpy(dtype=object)


def draw_roster(options: Organisation, *, waves: Sequence[Wave], seed: int) -> Roster:
    """Draw an organisation: `Roster` of its units and people in every wave."""
    district, layer = _places(options)
    sizes = _sizes(options, layer, generator(seed, "simulate", "organisation", "sizes"))
    n_leaders = _leaders(options, sizes, layer)
    unit_of_person = _careers(options, sizes, waves, seed)
    complexity = (
        generator(seed, "simulate", "organisation", "complexity").uniform(1, 5, options.n_units).round(1)
    )
    units = pd.DataFrame(
        {
            "unit_id": _ids("u", options.n_units),
            "name": _names(district, layer, options.n_districts),
            "district": [_district_name(d, options.n_districts) for d in district],
            "layer": [LAYERS[index] for index in layer],
            "complexity": complexity,
            "size": sizes,
            "n_leaders": n_leaders,
        }
    )
    return Roster(
        units=units,
        district_of_unit=district,
        layer_of_unit=layer,
        unit_of_person=unit_of_person,
        is_leader=_leader_flags(unit_of_person, n_leaders, layer),
        person_ids=_ids("r", unit_of_person.shape[1]),
    )


def _places(options: Organisation) -> tuple[np.ndarray, np.ndarray]:
    """(unit,) district and layer indices; strategic units belong to a district of their own, the last."""
    n_leading = options.n_districts * options.leader_units_per_district
    n_employee = options.n_units - options.strategic_units - n_leading
    districts = np.arange(options.n_districts)
    district = np.concatenate(
        [
            np.full(options.strategic_units, options.n_districts),
            np.repeat(districts, options.leader_units_per_district),
            np.arange(n_employee) % options.n_districts,
        ]
    )
    layer = np.repeat([0, 1, 2], [options.strategic_units, n_leading, n_employee])
    return district, layer


def _sizes(options: Organisation, layer: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(unit,) staff in the first wave: lognormal shares above `min_size`, leading units smaller."""
    weight = np.exp(options.size_sd * rng.standard_normal(options.n_units))
    weight[layer < 2] *= 0.3
    share = weight / weight.sum() * (options.n_respondents - options.n_units * options.min_size)
    sizes = np.floor(share).astype(int)
    short = round(share.sum()) - sizes.sum()
    sizes[np.argsort(sizes - share, kind="stable")[:short]] += 1
    return sizes + options.min_size


def _leaders(options: Organisation, sizes: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """(unit,) how many leaders lead each unit: about one for `staff_per_leader` people, at least one."""
    wanted = np.maximum(1, np.round(sizes / options.staff_per_leader)).astype(int)
    return np.where(layer == 2, wanted, 1)


def _careers(options: Organisation, sizes: np.ndarray, waves: Sequence[Wave], seed: int) -> np.ndarray:
    """(wave, person) the unit of everybody; leavers are replaced, movers swap units."""
    current = np.repeat(np.arange(len(sizes)), sizes)
    rows = [current]
    for wave in waves[1:]:
        rng = generator(seed, "simulate", "organisation", "careers", wave.id)
        employed = np.flatnonzero(current >= 0)
        leaves = rng.random(len(employed)) < options.turnover
        moves = (rng.random(len(employed)) < options.moves) & ~leaves
        movers = rng.permutation(employed[moves])
        following = current.copy()
        following[employed[leaves]] = -1
        following[movers] = current[np.roll(movers, 1)]
        current = np.concatenate([following, current[employed[leaves]]])
        rows.append(current)
    careers = np.full((len(rows), len(rows[-1])), -1)
    for wave, row in enumerate(rows):
        careers[wave, : len(row)] = row
    return careers


def _leader_flags(unit_of_person: np.ndarray, n_leaders: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """(wave, person) who leads: the longest-serving of each unit, and everybody in a leading unit."""
    flags = np.zeros(unit_of_person.shape, dtype=bool)
    for wave, units in enumerate(unit_of_person):
        people = np.flatnonzero(units >= 0)
        order = people[np.argsort(units[people], kind="stable")]
        sorted_units = units[order]
        rank = np.arange(len(order)) - np.searchsorted(sorted_units, sorted_units)
        flags[wave, order] = (rank < n_leaders[sorted_units]) | (layer[sorted_units] < 2)
    return flags


def _ids(prefix: str, n: int) -> np.ndarray:
    width = max(2, len(str(n)))
    return np.array([f"{prefix}{index:0{width}d}" for index in range(1, n + 1)], dtype=object)


def _district_name(index: int, n_districts: int) -> str:
    if index == n_districts:
        return COMMON_DISTRICT
    round_, place = divmod(int(index), len(DISTRICTS))
    return DISTRICTS[place] if round_ == 0 else f"{DISTRICTS[place]} {round_ + 1}"


def _names(district: np.ndarray, layer: np.ndarray, n_districts: int) -> list[str]:
    """Unit names that occur once: what the unit is, a number where there are several, and its district."""
    names = []
    counts: dict[tuple[int, int], int] = {}
    for d, l in zip(district, layer):
        rank = counts.get((d, l), 0)
        counts[d, l] = rank + 1
        kinds = ("Direktionen",) if l == 0 else ("Ledergruppen",) if l == 1 else EMPLOYEE_UNITS
        round_, kind = divmod(rank, len(kinds))
        # Districts start at different kinds, so small organisations are not all nurseries.
        offset = int(d) * 4 if l == 2 else 0
        name = kinds[(kind + offset) % len(kinds)] + (f" {round_ + 1}" if round_ else "")
        names.append(f"{name}, {_district_name(d, n_districts)}")
    return names
