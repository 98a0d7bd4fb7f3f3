"""Simulate an organisation's survey, with the truth beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.data.survey import Wave
from relcap_models.errors import ConfigError
from relcap_models.schema.instrument import Instrument
from relcap_models.simulate.answers import STYLES, Habits, answer, draw_habits
from relcap_models.simulate.consistency import problems_of_simulation
from relcap_models.simulate.effects import (
    PairEffects,
    RespondentEffects,
    general_leniency,
    respondent_effects,
    respondent_target_effects,
)
from relcap_models.simulate.nominations import draw_nominations, nominations_table, partners
from relcap_models.simulate.options import Simulation
from relcap_models.simulate.organisation import Roster, draw_roster
from relcap_models.simulate.outcomes import draw_outcomes, outcome_effects_table
from relcap_models.simulate.parameters import item_parameters_table, parameters_table
from relcap_models.simulate.programmes import (
    draw_programmes,
    programme_effects_table,
    programme_parts,
    programmes_table,
)
from relcap_models.simulate.sample import RatingDesign, draw_answering, draw_design
from relcap_models.simulate.story import Story, tell
from relcap_models.simulate.truth import (
    effect_tables,
    respondent_table,
    respondent_target_table,
    respondent_wave_table,
    score_tables,
)
from relcap_models.simulate.units import CLIMATE, Links, UnitEffects, draw_unit_effects


@dataclass(frozen=True)
class Simulated:
    """A survey and its truth.

    tables : `responses, units, respondents, nominations`, and `programmes, outcomes` where simulated: the
        long form of the table contracts. `respondents` lists everybody employed in each wave, also those who
        never answer.
    truth : `relation_scores, unit_scores, within_unit_scores, climate_scores, unit_effects,
        relation_effects, respondent_effects, parameters, item_parameters`, and `respondent_wave_effects,
        respondent_target_effects, respondent_styles, programme_effects, outcome_effects` where there are any;
        see `truth` and `parameters` for what they mean.
    """

    tables: dict[str, pd.DataFrame]
    truth: dict[str, pd.DataFrame]


def simulate(
    options: Simulation, *, instruments: Mapping[str, Instrument], waves: Sequence[Wave], seed: int
) -> Simulated:
    """Draw an organisation, its survey and its truth.

    Parameters
    ----------
    instruments : id → instrument; those about targets follow `options.relations`, those about the own team or
        leaders `options.climate`
    waves : at least one, in order of time
    seed : each stage has its own stream, so switching one on or off does not change the others

    Raises
    ------
    ConfigError
        With every reason why the options do not fit the instruments or waves.
    """
    if problems := problems_of_simulation(options, instruments=instruments, waves=waves):
        raise ConfigError(problems=problems)
    roster = draw_roster(options.organisation, waves=waves, seed=seed)
    importance = draw_nominations(options.nominations, roster, seed=seed)
    relations = partners(importance)
    units = draw_unit_effects(options, instruments, roster, seed=seed)
    programmes = draw_programmes(
        options.programmes, roster, _level(units, instruments), waves=waves, seed=seed
    )
    parts = programme_parts(programmes, Links(options.climate, instruments), instruments, roster)
    stories = {
        instrument.id: tell(options, instrument, roster, units, programmes, parts, seed=seed)
        for instrument in instruments.values()
    }
    respondents = _draw_respondents(options, instruments, roster, waves, seed)
    habits = draw_habits(options.departures, roster, waves=waves, seed=seed)
    designs = _draw_designs(options, stories, roster, relations, waves, seed)
    pairs = {
        name: respondent_target_effects(
            options.block_of(story.instrument), story.instrument, designs[name], roster, seed=seed
        )
        for name, story in stories.items()
    }
    answers = [
        answer(
            options,
            story,
            designs[name],
            respondents[name],
            pairs[name],
            habits,
            roster,
            importance,
            waves=waves,
            seed=seed,
        )
        for name, story in stories.items()
    ]
    tables = {
        "responses": pd.concat(answers, ignore_index=True),
        "units": roster.units,
        "respondents": _respondents_table(roster, waves),
        "nominations": nominations_table(importance, roster, waves=waves),
    }
    if options.programmes:
        tables["programmes"] = programmes_table(programmes, roster, waves=waves)
    if options.outcomes:
        capacity = _capacity(stories)
        tables["outcomes"] = draw_outcomes(options.outcomes, capacity, roster, waves=waves, seed=seed)
    truth = score_tables(stories, relations, roster, waves=waves)
    truth |= effect_tables(stories, relations, roster, waves=waves)
    truth |= _person_truth(stories, respondents, pairs, habits, roster, waves)
    truth["parameters"] = parameters_table(options, stories, units)
    truth["item_parameters"] = item_parameters_table(stories)
    if options.programmes:
        truth["programme_effects"] = programme_effects_table(programmes, roster)
    if options.outcomes:
        truth["outcome_effects"] = outcome_effects_table(options.outcomes, roster, seed=seed)
    return Simulated(tables=tables, truth=truth)


def _draw_respondents(
    options: Simulation,
    instruments: Mapping[str, Instrument],
    roster: Roster,
    waves: Sequence[Wave],
    seed: int,
) -> dict[str, RespondentEffects]:
    return {
        instrument.id: respondent_effects(
            options.block_of(instrument),
            options.departures,
            instrument,
            roster,
            shared_leniency=options.shared_leniency,
            waves=waves,
            seed=seed,
        )
        for instrument in instruments.values()
    }


def _draw_designs(
    options: Simulation,
    stories: Mapping[str, Story],
    roster: Roster,
    relations: np.ndarray,
    waves: Sequence[Wave],
    seed: int,
) -> dict[str, RatingDesign]:
    """Who rates whom, by instrument."""
    leniency = general_leniency(roster.n_persons, seed=seed)
    answering = draw_answering(options.nonresponse, roster, leniency, waves=waves, seed=seed)
    return {
        name: draw_design(
            options.ratings, story.instrument, roster, relations, answering, waves=waves, seed=seed
        )
        for name, story in stories.items()
    }


def _level(units: UnitEffects, instruments: Mapping[str, Instrument]) -> np.ndarray:
    """(wave, unit) what selects units for programmes: how others rate them, else their climate."""
    first = next((i for i in instruments.values() if i.about_targets), None)
    if first is not None:
        return units.effects[first.id, "target"].mean(axis=-1)
    return units.effects[next(iter(instruments.values())).id, CLIMATE].mean(axis=-1)


def _capacity(stories: Mapping[str, Story]) -> np.ndarray:
    """(wave, unit) what outcomes depend on, programmes and districts included."""
    first = next((s for s in stories.values() if s.instrument.about_targets), None)
    if first is not None:
        return first.parts["target"].total.mean(axis=-1)
    return next(iter(stories.values())).parts[CLIMATE].total.mean(axis=-1)


def _respondents_table(roster: Roster, waves: Sequence[Wave]) -> pd.DataFrame:
    """`respondents.csv`: respondent_id, wave, unit_id, role."""
    wave, person = np.nonzero(roster.unit_of_person >= 0)
    wave_ids = np.array([w.id for w in waves], dtype=object)
    role = np.array(["employee", "leader"], dtype=object)[roster.is_leader[wave, person].astype(int)]
    return pd.DataFrame(
        {
            "respondent_id": roster.person_ids[person],
            "wave": wave_ids[wave],
            "unit_id": roster.unit_ids[roster.unit_of_person[wave, person]],
            "role": role,
        }
    )


def _person_truth(
    stories: Mapping[str, Story],
    respondents: Mapping[str, RespondentEffects],
    pairs: Mapping[str, PairEffects],
    habits: Habits,
    roster: Roster,
    waves: Sequence[Wave],
) -> dict[str, pd.DataFrame]:
    truth = {"respondent_effects": respondent_table(stories, respondents, roster)}
    if habits.occasion.any() or any(r.by_wave.any() for r in respondents.values()):
        table = respondent_wave_table(stories, respondents, habits.occasion, roster, waves=waves)
        truth["respondent_wave_effects"] = table
    if any(pair.effect.any() for pair in pairs.values()):
        truth["respondent_target_effects"] = respondent_target_table(stories, pairs, roster)
    if habits.style.any():
        style = np.array(STYLES, dtype=object)[habits.style]
        truth["respondent_styles"] = pd.DataFrame({"respondent_id": roster.person_ids, "style": style})
    return truth
