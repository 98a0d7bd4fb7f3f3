"""The story of one instrument: everything that makes up a rating's latent value, and its items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from relcap_models.schema.instrument import Instrument
from relcap_models.seeds import generator
from relcap_models.simulate.effect_options import Climate, Relations
from relcap_models.simulate.effects import district_effects, relation_effects
from relcap_models.simulate.gaussian import per_dimension
from relcap_models.simulate.items import ItemParameters, draw_items
from relcap_models.simulate.options import Simulation
from relcap_models.simulate.organisation import Roster
from relcap_models.simulate.programmes import Programmes
from relcap_models.simulate.units import CLIMATE, ROLES, Key, UnitEffects


@dataclass(frozen=True)
class Part:
    """One unit or relation effect by where it comes from: (wave, unit[, unit], dimension) each."""

    effect: np.ndarray
    programme: np.ndarray
    district: np.ndarray

    @property
    def total(self) -> np.ndarray:
        return self.effect + self.programme + self.district


@dataclass(frozen=True)
class Story:
    """The systematic truth of one instrument.

    parts : role → `Part`; the roles are perceiver, target, self and relation, or climate
    mean, mean_own : (wave, dimension) latent mean of ratings of partners and of the own unit
    noise_sd, noise_sd_own : (dimension,) sd of everything within a relation in one wave: respondent,
        respondent × wave, respondent × target (not for the own unit) and rating
    spread : perceiver, target, relation and district, or climate → (dimension,) sd of these effects between
        units, relations or districts, apart from programmes
    """

    instrument: Instrument
    parts: dict[str, Part]
    mean: np.ndarray
    mean_own: np.ndarray
    noise_sd: np.ndarray
    noise_sd_own: np.ndarray
    spread: dict[str, np.ndarray]
    items: ItemParameters

    def latent(
        self, wave: np.ndarray, rater: np.ndarray, target: np.ndarray, *, unit_leniency: bool = True
    ) -> np.ndarray:
        """(…, dimension) η without respondent and rating parts, for index arrays of one shape.

        With `unit_leniency=False` the rater's end is that of the organisation's average unit.
        """
        if not self.instrument.about_targets:
            return self.mean_own[wave] + self.parts[CLIMATE].total[wave, rater]
        own = (rater == target)[..., None]
        theirs = self.mean[wave] + self.parts["target"].total[wave, target]
        theirs = theirs + self.parts["relation"].total[wave, rater, target]
        ours = self.mean_own[wave] + self.parts["self"].total[wave, rater]
        value = np.where(own, ours, theirs)
        leniency = self.parts["perceiver"].total
        return value + (leniency[wave, rater] if unit_leniency else leniency.mean(axis=1)[wave])


def tell(
    options: Simulation,
    instrument: Instrument,
    roster: Roster,
    units: UnitEffects,
    programmes: Programmes,
    parts_of_programmes: Mapping[Key, np.ndarray],
    *,
    seed: int,
) -> Story:
    """Put the effects of one instrument together and draw its items.

    parts_of_programmes : of `programme_parts`
    """
    block = options.block_of(instrument)
    n_dimensions = len(instrument.dimensions)
    if instrument.about_targets:
        both = programmes.effect_both(roster.n_waves, roster.n_units)[..., None]
        parts = _relation_parts(options, instrument, roster, units, parts_of_programmes, both, seed)
    else:
        effect = units.effects[instrument.id, CLIMATE]
        parts = {CLIMATE: _unit_part(effect, parts_of_programmes[instrument.id, CLIMATE])}
    noise_own, noise = _noise_sd(block, instrument)
    mean = np.tile(block.trend * np.arange(roster.n_waves)[:, None], (1, n_dimensions))
    shift = block.own_unit_shift if isinstance(block, Relations) else 0.0
    family = block.link if block.family == "cumulative" else block.family
    spread = _spread(block, instrument, units)
    return Story(
        instrument=instrument,
        parts=parts,
        mean=mean,
        mean_own=mean + shift,
        noise_sd=noise,
        noise_sd_own=noise_own,
        spread=spread,
        items=draw_items(
            block.items,
            family,
            instrument,
            np.sqrt(noise**2 + sum(sd**2 for role, sd in spread.items() if role != "district")),
            generator(seed, "simulate", instrument.id, "items"),
        ),
    )


def _relation_parts(
    options: Simulation,
    instrument: Instrument,
    roster: Roster,
    units: UnitEffects,
    parts_of_programmes: Mapping[Key, np.ndarray],
    both: np.ndarray,
    seed: int,
) -> dict[str, Part]:
    at_ends = district_effects(options.relations, instrument, roster, seed=seed)
    districts = {"perceiver": at_ends[0], "target": at_ends[1], "self": 0.0}
    parts = {
        role: _unit_part(
            units.effects[instrument.id, role],
            parts_of_programmes[instrument.id, role],
            districts[role],
        )
        for role in ROLES
    }
    relation = relation_effects(options.relations, options.departures, instrument, roster, seed=seed)
    parts["relation"] = _unit_part(relation, both)
    return parts


def _unit_part(effect: np.ndarray, programme: np.ndarray, district: np.ndarray | float = 0.0) -> Part:
    def shaped(part: np.ndarray | float) -> np.ndarray:
        return np.broadcast_to(part, effect.shape)

    return Part(effect=effect, programme=shaped(programme), district=shaped(district))


def _noise_sd(block: Relations | Climate, instrument: Instrument) -> tuple[np.ndarray, np.ndarray]:
    """(dimension,) sd of within-relation noise for the own unit and for partners."""
    n = len(instrument.dimensions)
    where = "climate" if isinstance(block, Climate) else "relations"

    def variance(name: str) -> np.ndarray:
        return per_dimension(getattr(block, name), n, f"{where}.{name}", instrument.id) ** 2

    own = variance("sd_respondent") + variance("sd_respondent_wave") + variance("sd_rating")
    target = variance("sd_respondent_target") if isinstance(block, Relations) else 0.0
    return np.sqrt(own), np.sqrt(own + target)


def _spread(block: Relations | Climate, instrument: Instrument, units: UnitEffects) -> dict[str, np.ndarray]:
    """Role → (dimension,) sd of η that comes from it."""
    diagonal = np.diag(units.covariance)
    found = {}
    for role in ("perceiver", "target", CLIMATE):
        of_role = [i for i, v in enumerate(units.variables) if v[:2] == (instrument.id, role)]
        if of_role:
            found[role] = np.sqrt(diagonal[of_role])
    if isinstance(block, Relations):
        n = len(instrument.dimensions)
        for role in ("relation", "district"):
            name = f"sd_{role}"
            found[role] = per_dimension(getattr(block, name), n, f"relations.{name}", instrument.id)
    return found
