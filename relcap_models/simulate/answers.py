"""From the story to the answers of a survey: noise, departures, "don't know" and blanks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.data.survey import Wave
from relcap_models.seeds import generator
from relcap_models.simulate.effects import PairEffects, RespondentEffects, rating_noise
from relcap_models.simulate.items import draw_answers
from relcap_models.simulate.options import Simulation
from relcap_models.simulate.organisation import Roster
from relcap_models.simulate.sample import RatingDesign
from relcap_models.simulate.story import Story
from relcap_models.simulate.survey_options import Departures, Nonresponse

STYLES = ("none", "extreme", "midpoint", "acquiescent")


@dataclass(frozen=True)
class Habits:
    """Departures that belong to persons: style (person,) index into `STYLES`; occasion (wave, person)."""

    style: np.ndarray
    occasion: np.ndarray


def draw_habits(options: Departures, roster: Roster, *, waves: Sequence[Wave], seed: int) -> Habits:
    """Response styles and good or bad days."""
    edges = np.cumsum([options.extreme, options.midpoint, options.acquiescent])
    draw = generator(seed, "simulate", "departures", "styles").random(roster.n_persons)
    style = (np.searchsorted(edges, draw, side="right") + 1) % len(STYLES)
    days = [
        generator(seed, "simulate", "departures", "occasion", wave.id).standard_normal(roster.n_persons)
        for wave in waves
    ]
    return Habits(style=style, occasion=options.sd_occasion * np.array(days))


def answer(
    options: Simulation,
    story: Story,
    design: RatingDesign,
    respondents: RespondentEffects,
    pairs: PairEffects,
    habits: Habits,
    roster: Roster,
    importance: np.ndarray,
    *,
    waves: Sequence[Wave],
    seed: int,
) -> pd.DataFrame:
    """`responses.csv` of one instrument: one row per question that was asked, `value` as text."""
    instrument = story.instrument
    block = options.block_of(instrument)
    latent = story.latent(design.wave, design.rater, design.target)
    latent = latent + respondents.stable[design.respondent]
    latent += respondents.by_wave[design.wave, design.respondent]
    latent += pairs.of_rating + rating_noise(block, instrument, design, seed=seed)
    latent += habits.occasion[design.wave, design.respondent][:, None]
    halo = options.departures.halo
    latent = (1 - halo) * latent + halo * latent.mean(axis=1, keepdims=True)
    strength = options.departures.style_strength
    style = habits.style[design.respondent]
    answers = draw_answers(
        story.items,
        latent,
        stretch=np.exp(strength * np.array([0.0, -1.0, 1.0, 0.0]))[style],
        agreement=(strength * np.array([0.0, 0.0, 0.0, 1.0]))[style],
        rng=generator(seed, "simulate", instrument.id, "answers"),
    )
    values = _as_text(answers, story)
    unknown = _dont_know(options.nonresponse, story, design, importance, seed)
    values[unknown] = instrument.dont_know[0] if instrument.dont_know else ""
    blanks = generator(seed, "simulate", instrument.id, "blanks")
    values[(blanks.random(values.shape) < options.nonresponse.item) & ~unknown[:, None]] = ""
    return _long(values, story, design, roster, waves)


def _as_text(answers: np.ndarray, story: Story) -> np.ndarray:
    """(rating, item) answers as they stand in a CSV file."""
    lowest = int(story.items.minimum.min())
    words = np.array([str(k) for k in range(lowest, int(story.items.maximum.max()) + 1)], dtype=object)
    return words[answers.astype(int) - lowest]


def _dont_know(
    options: Nonresponse, story: Story, design: RatingDesign, importance: np.ndarray, seed: int
) -> np.ndarray:
    """(rating,) whether the respondent does not know the target unit well enough to answer."""
    if not story.instrument.about_targets:
        return np.zeros(len(design.wave), dtype=bool)
    nominated = importance[design.wave, design.rater, design.target] > 0
    chance = np.where(nominated, options.dont_know, options.dont_know_asynchronous)
    chance = np.where(design.rater == design.target, 0.0, chance)
    return generator(seed, "simulate", story.instrument.id, "dont_know").random(len(chance)) < chance


def _long(
    values: np.ndarray, story: Story, design: RatingDesign, roster: Roster, waves: Sequence[Wave]
) -> pd.DataFrame:
    n_ratings, n_items = values.shape
    wave_ids = np.array([wave.id for wave in waves], dtype=object)
    return pd.DataFrame(
        {
            "wave": np.repeat(wave_ids[design.wave], n_items),
            "respondent_id": np.repeat(roster.person_ids[design.respondent], n_items),
            "rater_unit": np.repeat(roster.unit_ids[design.rater], n_items),
            "target_unit": np.repeat(roster.unit_ids[design.target], n_items),
            "instrument": np.full(n_ratings * n_items, story.instrument.id, dtype=object),
            "item": np.tile(np.array(story.instrument.item_ids, dtype=object), n_ratings),
            "value": values.ravel(),
        }
    )
