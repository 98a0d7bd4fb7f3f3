"""Effects of districts, relations and respondents, and the noise of single ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from relcap_models.data.survey import Wave
from relcap_models.schema.instrument import Instrument
from relcap_models.seeds import generator
from relcap_models.simulate.effect_options import Climate, Relations
from relcap_models.simulate.gaussian import (
    equicorrelation,
    over_waves,
    per_dimension,
    square_root,
    tail_scale,
)
from relcap_models.simulate.organisation import Roster
from relcap_models.simulate.sample import RatingDesign
from relcap_models.simulate.survey_options import Departures


def relation_effects(
    options: Relations, departures: Departures, instrument: Instrument, roster: Roster, *, seed: int
) -> np.ndarray:
    """(wave, rater unit, target unit, dimension) what is particular to a directed relation.

    The two relations of a pair are p + q and p − q with independent p and q, of variance V(1 + ρ)/2 and
    V(1 − ρ)/2: exchangeable with variance V and dyadic reciprocity ρ in each dimension. All pairs are drawn,
    whoever nominates whom, so that nominations do not change them. The diagonal is 0.
    """
    n = roster.n_units
    n_dimensions = len(instrument.dimensions)
    sd = per_dimension(options.sd_relation, n_dimensions, "relations.sd_relation", instrument.id)
    where = "relations.dyadic_reciprocity"
    rho = per_dimension(options.dyadic_reciprocity, n_dimensions, where, instrument.id)
    first, second = np.triu_indices(n, 1)
    standard = over_waves(
        generator(seed, "simulate", instrument.id, "relations"),
        roster.n_waves,
        (len(first), 2, n_dimensions),
        stability=options.stability_relation,
        autocorrelation=options.autocorrelation,
    )
    standard = standard @ square_root(equicorrelation(n_dimensions, options.dimension_correlation))
    tails = generator(seed, "simulate", "tails", instrument.id, "relations")
    standard = standard * tail_scale(tails, len(first), departures.tail_df)[:, None, None]
    shared = standard[:, :, 0] * sd * np.sqrt((1 + rho) / 2)
    opposed = standard[:, :, 1] * sd * np.sqrt((1 - rho) / 2)
    effects = np.zeros((roster.n_waves, n, n, n_dimensions))
    effects[:, first, second] = shared + opposed
    effects[:, second, first] = shared - opposed
    return effects


def district_effects(options: Relations, instrument: Instrument, roster: Roster, *, seed: int) -> np.ndarray:
    """(end, wave, unit, dimension) district × wave effects at the rater's (0) and the target's end (1)."""
    n_dimensions = len(instrument.dimensions)
    sd = per_dimension(options.sd_district, n_dimensions, "relations.sd_district", instrument.id)
    root = square_root(equicorrelation(n_dimensions, options.dimension_correlation))
    n_districts = int(roster.district_of_unit.max()) + 1
    rng = generator(seed, "simulate", instrument.id, "districts")
    # Wave first, so that a further wave leaves the earlier ones as they are.
    draws = rng.standard_normal((roster.n_waves, 2, n_districts, n_dimensions)) @ root * sd
    return draws.transpose(1, 0, 2, 3)[:, :, roster.district_of_unit]


@dataclass(frozen=True)
class RespondentEffects:
    """stable : (person, dimension) leniency; by_wave : (wave, person, dimension) deviation in each wave."""

    stable: np.ndarray
    by_wave: np.ndarray


def respondent_effects(
    options: Relations | Climate,
    departures: Departures,
    instrument: Instrument,
    roster: Roster,
    *,
    shared_leniency: float,
    waves: Sequence[Wave],
    seed: int,
) -> RespondentEffects:
    """Leniency of every person; `shared_leniency` is its correlation between any two instruments."""
    n_dimensions = len(instrument.dimensions)
    where = "climate" if isinstance(options, Climate) else "relations"
    sd = per_dimension(options.sd_respondent, n_dimensions, f"{where}.sd_respondent", instrument.id)
    sd_wave = per_dimension(
        options.sd_respondent_wave, n_dimensions, f"{where}.sd_respondent_wave", instrument.id
    )
    dimensions = equicorrelation(n_dimensions, options.dimension_correlation)
    rest = square_root(dimensions - shared_leniency)
    own = generator(seed, "simulate", instrument.id, "respondents")
    stable = np.sqrt(shared_leniency) * general_leniency(roster.n_persons, seed=seed)[:, None]
    stable = stable + own.standard_normal((roster.n_persons, n_dimensions)) @ rest
    tails = generator(seed, "simulate", "tails", "respondents")
    stable = stable * tail_scale(tails, roster.n_persons, departures.tail_df)[:, None]
    by_wave = np.empty((roster.n_waves, roster.n_persons, n_dimensions))
    for index, wave in enumerate(waves):
        rng = generator(seed, "simulate", instrument.id, "respondent_wave", wave.id)
        by_wave[index] = rng.standard_normal(by_wave.shape[1:]) @ square_root(dimensions) * sd_wave
    return RespondentEffects(stable=stable * sd, by_wave=by_wave)


def general_leniency(n_persons: int, *, seed: int) -> np.ndarray:
    """(person,) standard normal leniency that all instruments share."""
    return generator(seed, "simulate", "leniency").standard_normal(n_persons)


def rating_noise(
    options: Relations | Climate, instrument: Instrument, design: RatingDesign, *, seed: int
) -> np.ndarray:
    """(rating, dimension) what is particular to a single rating."""
    n_dimensions = len(instrument.dimensions)
    where = "climate" if isinstance(options, Climate) else "relations"
    root = square_root(equicorrelation(n_dimensions, options.dimension_correlation))
    sd = per_dimension(options.sd_rating, n_dimensions, f"{where}.sd_rating", instrument.id)
    rng = generator(seed, "simulate", instrument.id, "ratings")
    return rng.standard_normal((len(design.respondent), n_dimensions)) @ root * sd


@dataclass(frozen=True)
class PairEffects:
    """Stable effects of respondent × target.

    respondent, target : (pair,) · effect : (pair, dimension) · of_rating : (rating, dimension) the pair's, 0
    for ratings of the own unit
    """

    respondent: np.ndarray
    target: np.ndarray
    effect: np.ndarray
    of_rating: np.ndarray


def respondent_target_effects(
    options: Relations | Climate, instrument: Instrument, design: RatingDesign, roster: Roster, *, seed: int
) -> PairEffects:
    """What is particular to how a person sees another unit, in every wave; none in a climate survey."""
    n_dimensions = len(instrument.dimensions)
    if isinstance(options, Climate):
        nobody = np.zeros(0, dtype=np.int64)
        shape = (len(design.respondent), n_dimensions)
        return PairEffects(nobody, nobody, np.zeros((0, n_dimensions)), np.zeros(shape))
    root = square_root(equicorrelation(n_dimensions, options.dimension_correlation))
    sd = per_dimension(
        options.sd_respondent_target, n_dimensions, "relations.sd_respondent_target", instrument.id
    )
    pairs = design.respondent.astype(np.int64) * roster.n_units + design.target
    distinct, first, which = np.unique(pairs, return_index=True, return_inverse=True)
    rng = generator(seed, "simulate", instrument.id, "respondent_target")
    effect = rng.standard_normal((len(distinct), n_dimensions)) @ root * sd
    other = design.target != design.rater
    of_rating = np.where(other[:, None], effect[which], 0.0)
    first = first[other[first]]
    return PairEffects(design.respondent[first], design.target[first], of_rating[first], of_rating)
