"""The truth beside the data: scores, effects and parameters as tables.

Truth scores are those of a world without the `departures`: unit and relation effects as drawn (heavy tails
included), averaged over normal respondent and rating noise with the set variances; response styles, occasion
effects and halo are disturbances of measurement and do not enter. Effects are draws from a superpopulation
and do not sum to zero; the latent mean is 0 in the first wave. Fitted effects are centred, so compare scores,
or effects after centring. What a score holds constant is the average of the organisation's own units and
relations, so scores do not depend on the convention.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from relcap_models.data.survey import Wave
from relcap_models.schema.instrument import Instrument
from relcap_models.simulate.effects import PairEffects, RespondentEffects
from relcap_models.simulate.items import expected_answers
from relcap_models.simulate.organisation import Roster
from relcap_models.simulate.story import Story

OVERALL = "overall"


def scores(story: Story, wave: np.ndarray, rater: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
    """E[y | μ, perceiver, target, relation], averaged over a single wave's noise within the relation.

    Parameters
    ----------
    wave, rater, target : (row,) indices; rater = target is the own unit

    Returns
    -------
    `score`, `score_unit_adjusted` (as by a rater unit like the average of the organisation) in points of the
    response scale and `favourable` (share of answers from `favourable_from` up): (row, dimension + 1)
    each, the last column being the mean over all items with equal weight.
    """
    own = (rater == target)[:, None] if story.instrument.about_targets else np.ones((len(wave), 1), bool)
    columns: dict[str, np.ndarray] = {}
    for unit_leniency in (True, False):
        latent = story.latent(wave, rater, target, unit_leniency=unit_leniency)
        ours = expected_answers(story.items, latent, story.noise_sd_own)
        theirs = expected_answers(story.items, latent, story.noise_sd)
        expected, favourable = (np.where(own, a, b) for a, b in zip(ours, theirs))
        if unit_leniency:
            columns["score"] = _over_items(expected, story)
            columns["favourable"] = _over_items(favourable, story)
        else:
            columns["score_unit_adjusted"] = _over_items(expected, story)
    return columns


def scores_among_others(
    story: Story, partners: np.ndarray, role: str, wave: np.ndarray, unit: np.ndarray
) -> dict[str, np.ndarray]:
    """What a unit's respondents would answer about the organisation's other units, or others' about it.

    The other end and the relation are normal around the mean of those that the organisation has, with their
    set variances.

    Parameters
    ----------
    partners : (wave, rater, target) whether the relation counts · role : `seen_by_others` or `as_rater`
    wave, unit : (row,) indices

    Returns
    -------
    `score` and `favourable`, as in `scores`
    """
    mine, other = ("target", "perceiver") if role == "seen_by_others" else ("perceiver", "target")
    relations = story.parts["relation"].total[:, partners.any(axis=0)]
    average = story.parts[other].total.mean(axis=1) + relations.mean(axis=1)
    latent = (story.mean + average)[wave] + story.parts[mine].total[wave, unit]
    others = (story.spread[name] for name in (other, "relation", "district"))
    noise_sd = np.sqrt(story.noise_sd**2 + sum(sd**2 for sd in others))
    expected, favourable = expected_answers(story.items, latent, noise_sd)
    return {"score": _over_items(expected, story), "favourable": _over_items(favourable, story)}


def _over_items(values: np.ndarray, story: Story) -> np.ndarray:
    """(…, item) → (…, dimension + 1): mean over the items of each dimension, then over all items."""
    dimension = story.items.dimension
    means = [values[..., dimension == d].mean(axis=-1) for d in range(len(story.instrument.dimensions))]
    return np.stack([*means, values.mean(axis=-1)], axis=-1)


def score_tables(
    stories: Mapping[str, Story], partners: np.ndarray, roster: Roster, *, waves: Sequence[Wave]
) -> dict[str, pd.DataFrame]:
    """relation_scores (relations that count in the wave), unit_scores, within_unit_scores, climate_scores."""
    wave_ids = np.array([wave.id for wave in waves], dtype=object)
    relations = np.nonzero(partners)
    every_wave, every_unit = (a.ravel() for a in np.indices((roster.n_waves, roster.n_units)))
    rows: dict[str, list[pd.DataFrame]] = {
        "relation_scores": [],
        "unit_scores": [],
        "within_unit_scores": [],
        "climate_scores": [],
    }
    for story in stories.values():
        if story.instrument.about_targets:
            wave, rater, target = relations
            labels = {
                "wave": wave_ids[wave],
                "rater_unit": roster.unit_ids[rater],
                "target_unit": roster.unit_ids[target],
            }
            rows["relation_scores"].append(_by_dimension(story, labels, scores(story, wave, rater, target)))
        labels = {"wave": wave_ids[every_wave], "unit": roster.unit_ids[every_unit]}
        among_others = story.instrument.about_targets and partners.any()
        for role in ("seen_by_others", "as_rater") if among_others else ():
            named = {**labels, "role": np.full(len(every_wave), role, dtype=object)}
            table = scores_among_others(story, partners, role, every_wave, every_unit)
            rows["unit_scores"].append(_by_dimension(story, named, table))
        table = scores(story, every_wave, every_unit, every_unit)
        name = "within_unit_scores" if story.instrument.about_targets else "climate_scores"
        if name == "climate_scores":
            del table["score_unit_adjusted"]
        rows[name].append(_by_dimension(story, labels, table))
    return {name: pd.concat(frames, ignore_index=True) for name, frames in rows.items() if frames}


def _by_dimension(
    story: Story, labels: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Long table: instrument, the labels, dimension (`overall` last), one column per value."""
    names = [*story.instrument.dimension_ids, OVERALL]
    return _long(story.instrument, labels, names, values)


def _long(
    instrument: Instrument,
    labels: Mapping[str, np.ndarray],
    dimensions: Sequence[str],
    values: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    n_rows = len(next(iter(labels.values())))
    columns: dict[str, object] = {"instrument": instrument.id}
    columns |= {name: np.repeat(label, len(dimensions)) for name, label in labels.items()}
    columns["dimension"] = np.tile(np.array(dimensions, dtype=object), n_rows)
    columns |= {name: value.ravel() for name, value in values.items()}
    return pd.DataFrame(columns)


def effect_tables(
    stories: Mapping[str, Story], partners: np.ndarray, roster: Roster, *, waves: Sequence[Wave]
) -> dict[str, pd.DataFrame]:
    """unit_effects and relation_effects: the draw (with links), programme and district parts, total."""
    wave_ids = np.array([wave.id for wave in waves], dtype=object)
    unit_rows, relation_rows = [], []
    wave, unit = (a.ravel() for a in np.indices((roster.n_waves, roster.n_units)))
    relation_wave, rater, target = np.nonzero(partners)
    for story in stories.values():
        for role, part in story.parts.items():
            values = {name: getattr(part, name) for name in ("effect", "programme", "district", "total")}
            if role == "relation":
                labels = {
                    "wave": wave_ids[relation_wave],
                    "rater_unit": roster.unit_ids[rater],
                    "target_unit": roster.unit_ids[target],
                }
                chosen = {n: v[relation_wave, rater, target] for n, v in values.items() if n != "district"}
                rows = relation_rows
            else:
                labels = {"wave": wave_ids[wave], "unit": roster.unit_ids[unit]}
                labels["role"] = np.full(len(wave), role, dtype=object)
                chosen = {n: v[wave, unit] for n, v in values.items()}
                rows = unit_rows
            rows.append(_long(story.instrument, labels, story.instrument.dimension_ids, chosen))
    tables = {"unit_effects": unit_rows, "relation_effects": relation_rows}
    return {name: pd.concat(frames, ignore_index=True) for name, frames in tables.items() if frames}


def respondent_table(
    stories: Mapping[str, Story], respondents: Mapping[str, RespondentEffects], roster: Roster
) -> pd.DataFrame:
    """respondent_effects: instrument, respondent_id, dimension, effect (the stable leniency)."""
    frames = [
        _long(
            story.instrument,
            {"respondent_id": roster.person_ids},
            story.instrument.dimension_ids,
            {"effect": respondents[name].stable},
        )
        for name, story in stories.items()
    ]
    return pd.concat(frames, ignore_index=True)


def respondent_wave_table(
    stories: Mapping[str, Story],
    respondents: Mapping[str, RespondentEffects],
    occasion: np.ndarray,
    roster: Roster,
    *,
    waves: Sequence[Wave],
) -> pd.DataFrame:
    """respondent_wave_effects: …, wave, effect and occasion (a departure), for everybody employed then."""
    wave_ids = np.array([wave.id for wave in waves], dtype=object)
    wave, person = np.nonzero(roster.unit_of_person >= 0)
    labels = {"wave": wave_ids[wave], "respondent_id": roster.person_ids[person]}
    frames = []
    for name, story in stories.items():
        effect = respondents[name].by_wave[wave, person]
        day = np.repeat(occasion[wave, person][:, None], effect.shape[1], axis=1)
        values = {"effect": effect, "occasion": day}
        frames.append(_long(story.instrument, labels, story.instrument.dimension_ids, values))
    return pd.concat(frames, ignore_index=True)


def respondent_target_table(
    stories: Mapping[str, Story], pairs: Mapping[str, PairEffects], roster: Roster
) -> pd.DataFrame:
    """respondent_target_effects: instrument, respondent_id, target_unit, dimension, effect, in every wave."""
    frames = []
    for name, pair in pairs.items():
        labels = {
            "respondent_id": roster.person_ids[pair.respondent],
            "target_unit": roster.unit_ids[pair.target],
        }
        instrument = stories[name].instrument
        frames.append(_long(instrument, labels, instrument.dimension_ids, {"effect": pair.effect}))
    return pd.concat(frames, ignore_index=True)
