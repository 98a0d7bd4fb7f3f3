"""Unit effects: how units see others, are seen, see themselves, and their climate, in one covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from relcap_models.errors import ConfigError, Problem
from relcap_models.schema.instrument import Instrument
from relcap_models.seeds import generator
from relcap_models.simulate.effect_options import Climate, Path, Relations
from relcap_models.simulate.gaussian import (
    equicorrelation,
    over_waves,
    per_dimension,
    square_root,
    tail_scale,
)
from relcap_models.simulate.options import Simulation
from relcap_models.simulate.organisation import Roster

ROLES = ("perceiver", "target", "self")
CLIMATE = "climate"
Key = tuple[str, str]
"""(instrument, role): role is one of `ROLES` for relation instruments, `CLIMATE` for the others."""


@dataclass(frozen=True)
class UnitEffects:
    """effects : (instrument, role) → (wave, unit, dimension), before programmes and district effects.

    covariance : (variable, variable) superpopulation covariance within a wave, links and leniency included;
    variables : its labels, (instrument, role, dimension).
    """

    effects: dict[Key, np.ndarray]
    covariance: np.ndarray
    variables: tuple[tuple[str, str, str], ...]


def draw_unit_effects(
    options: Simulation, instruments: Mapping[str, Instrument], roster: Roster, *, seed: int
) -> UnitEffects:
    """Draw every unit's effects in every wave, with the links from climate and the leniency of staff."""
    tail = tail_scale(
        generator(seed, "simulate", "tails", "units"), roster.n_units, options.departures.tail_df
    )
    raw: dict[Key, np.ndarray] = {}
    covariances: list[np.ndarray] = []
    variables: list[tuple[str, str, str]] = []
    for instrument in instruments.values():
        block = options.block_of(instrument)
        roles, covariance = _own_covariance(block, instrument)
        standard = over_waves(
            generator(seed, "simulate", instrument.id, "units"),
            roster.n_waves,
            (roster.n_units, len(covariance)),
            stability=block.stability_unit,
            autocorrelation=block.autocorrelation,
        )
        own = (standard @ square_root(covariance)) * tail[:, None]
        for role, effect in zip(roles, np.split(own, len(roles), axis=-1)):
            raw[instrument.id, role] = effect
        covariances.append(covariance)
        variables += [(instrument.id, role, d) for role in roles for d in instrument.dimension_ids]
    combine = Links(options.climate, instruments)
    return UnitEffects(
        effects=combine(raw),
        covariance=_implied_covariance(combine, raw, covariances),
        variables=tuple(variables),
    )


def _own_covariance(block: Relations | Climate, instrument: Instrument) -> tuple[tuple[str, ...], np.ndarray]:
    """Roles of an instrument and the covariance of its unit effects apart from links, role by role."""
    n = len(instrument.dimensions)
    dimensions = equicorrelation(n, block.dimension_correlation)
    if isinstance(block, Climate):
        sd = per_dimension(block.sd_unit, n, "climate.sd_unit", instrument.id)
        return (CLIMATE,), dimensions * np.outer(sd, sd)
    sd = np.concatenate(
        [
            per_dimension(getattr(block, f"sd_{role}"), n, f"relations.sd_{role}", instrument.id)
            for role in ROLES
        ]
    )
    return ROLES, np.kron(block.role_correlation(), dimensions) * np.outer(sd, sd)


class Links:
    """The straight effects between unit variables: a linear map, so it also gives their covariance."""

    def __init__(self, climate: Climate, instruments: Mapping[str, Instrument]) -> None:
        self.relations = tuple(i.id for i in instruments.values() if i.about_targets)
        self.leniency = climate.leniency
        self.paths = climate.paths
        sources = tuple(i.id for i in instruments.values() if not i.about_targets)
        self.order = _causal_order(climate.paths, sources)

    def along_paths(self, raw: Mapping[Key, np.ndarray]) -> dict[Key, np.ndarray]:
        """With what each climate does to others, causes before effects."""
        total = dict(raw)
        for source in self.order:
            level = total[source, CLIMATE].mean(axis=-1, keepdims=True)
            for path in self.paths:
                if path.source == source:
                    for key in self._ends(path):
                        total[key] = total[key] + path.coefficient * level
        return total

    def __call__(self, raw: Mapping[Key, np.ndarray]) -> dict[Key, np.ndarray]:
        total = self.along_paths(raw)
        if self.relations:
            kindness = total[self.relations[0], "perceiver"].mean(axis=-1, keepdims=True)
            for source in self.order:
                total[source, CLIMATE] = total[source, CLIMATE] + self.leniency * kindness
        return total

    def _ends(self, path: Path) -> list[Key]:
        if path.to in ROLES:
            return [(instrument, path.to) for instrument in self.relations]
        return [(path.to, CLIMATE)]


def path_problems(paths: tuple[Path, ...], climate: tuple[str, ...]) -> list[Problem]:
    """Ends of paths that are no climate instrument (nor a role), and circles."""
    problems = []
    for index, path in enumerate(paths):
        where = f"simulation.climate.paths[{index}]"
        known = f"Climate instruments of this study: {', '.join(climate) or 'none'}."
        if path.source not in climate:
            problems.append(
                Problem("study.yaml", f"source '{path.source}' is unknown", known, where=f"{where}.source")
            )
        if path.to not in (*ROLES, *climate):
            remedy = f"Use {', '.join(ROLES)} or a climate instrument. {known}"
            problems.append(Problem("study.yaml", f"to '{path.to}' is unknown", remedy, where=f"{where}.to"))
    if in_circle := _in_order(paths, climate)[1]:
        message = f"the paths between {', '.join(in_circle)} form a circle"
        remedy = "Take one of them out: an effect cannot be its own cause."
        problems.append(Problem("study.yaml", message, remedy, where="simulation.climate.paths"))
    return problems


def _causal_order(paths: tuple[Path, ...], climate: tuple[str, ...]) -> tuple[str, ...]:
    """Climate instruments, causes before effects; ConfigError for unknown names and circles."""
    if problems := path_problems(paths, climate):
        raise ConfigError(problems=problems)
    return _in_order(paths, climate)[0]


def _in_order(paths: tuple[Path, ...], climate: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Causes before effects, and those that have no such order."""
    order: list[str] = []
    waiting = list(climate)
    while free := [c for c in waiting if not any(p.to == c and p.source in waiting for p in paths)]:
        order += free
        waiting = [c for c in waiting if c not in free]
    return tuple(order), tuple(waiting)


def _implied_covariance(
    combine: Links, raw: Mapping[Key, np.ndarray], covariances: list[np.ndarray]
) -> np.ndarray:
    """Covariance of the totals: the linear map applied to a square root of the own covariance."""
    n = sum(len(c) for c in covariances)
    root = np.zeros((n, n))
    start = 0
    for covariance in covariances:
        stop = start + len(covariance)
        root[start:stop, start:stop] = square_root(covariance)
        start = stop
    widths = np.cumsum([effect.shape[-1] for effect in raw.values()])[:-1]
    columns = dict(zip(raw, np.split(root, widths, axis=1)))
    total = np.concatenate(list(combine(columns).values()), axis=1)
    return total.T @ total
