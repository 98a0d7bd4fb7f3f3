"""Who rates whom in which wave, and who does not answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from relcap_models.data.survey import Wave
from relcap_models.schema.instrument import Instrument
from relcap_models.seeds import generator
from relcap_models.simulate.organisation import Roster
from relcap_models.simulate.survey_options import Nonresponse, Ratings


@dataclass(frozen=True)
class RatingDesign:
    """The ratings that were asked for and begun: arrays (rating,) of indices, by wave and respondent.

    wave, respondent (person), rater (unit), target (unit).
    """

    wave: np.ndarray
    respondent: np.ndarray
    rater: np.ndarray
    target: np.ndarray


def draw_answering(
    options: Nonresponse, roster: Roster, leniency: np.ndarray, *, waves: Sequence[Wave], seed: int
) -> np.ndarray:
    """(wave, person) who is employed and answers at all; `leniency` (person,) is standard normal."""
    n = roster.n_persons
    lasting = generator(seed, "simulate", "nonresponse", "lasting").standard_normal(n)
    inclination = options.leniency * leniency + np.sqrt(options.persistence) * lasting
    rest = np.sqrt(max(0.0, 1 - options.persistence - options.leniency**2))
    answers = np.zeros((roster.n_waves, n), dtype=bool)
    for index, wave in enumerate(waves):
        rng = generator(seed, "simulate", "nonresponse", wave.id)
        answers[index] = inclination + rest * rng.standard_normal(n) > _quantile(options.unit)
    return answers & (roster.unit_of_person >= 0)


def _quantile(share: float) -> float:
    if share in (0.0, 1.0):
        return -np.inf if share == 0 else np.inf
    return NormalDist().inv_cdf(share)


def draw_design(
    options: Ratings,
    instrument: Instrument,
    roster: Roster,
    partners: np.ndarray,
    answering: np.ndarray,
    *,
    waves: Sequence[Wave],
    seed: int,
) -> RatingDesign:
    """Which targets each answering person rates: a random choice of the unit's partners, and the own unit.

    Parameters
    ----------
    partners : (wave, unit, unit) whether the relation counts
    answering : (wave, person)
    """
    parts = []
    for index, wave in enumerate(waves):
        people = np.flatnonzero(answering[index])
        units = roster.unit_of_person[index, people]
        if instrument.about_targets:
            rng = generator(seed, "simulate", instrument.id, "design", wave.id)
            row, target = _choose(partners[index], units, people, options.max_targets, rng, roster.n_persons)
        else:
            row, target = np.empty(0, int), np.empty(0, int)
        if options.own_unit or not instrument.about_targets:
            row = np.concatenate([row, np.arange(len(people))])
            target = np.concatenate([target, units])
        order = np.argsort(row, kind="stable")
        row, target = row[order], target[order]
        parts.append((np.full(len(row), index), people[row], units[row], target))
    wave_index, respondent, rater, target = (np.concatenate(columns) for columns in zip(*parts))
    return RatingDesign(wave=wave_index, respondent=respondent, rater=rater, target=target)


def _choose(
    partners: np.ndarray,
    units: np.ndarray,
    people: np.ndarray,
    max_targets: int,
    rng: np.random.Generator,
    n_persons: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of `people` and targets: at most `max_targets` partners each, in random order."""
    # A whole table of keys, so that one person's absence does not change another's targets.
    keys = rng.random((n_persons, partners.shape[0]))[people]
    keys = np.where(partners[units], keys, np.inf)
    ranked = np.argsort(keys, axis=1)[:, :max_targets]
    wanted = np.isfinite(np.take_along_axis(keys, ranked, axis=1))
    row, place = np.nonzero(wanted)
    return row, ranked[row, place]
