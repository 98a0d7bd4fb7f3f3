"""`programme_effect`: did a programme work, at which end of a relation?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from relcap_models.data.survey import Survey
from relcap_models.errors import DataError, Problem
from relcap_models.models.exposure import SINGLE_GROUP, Exposure, Kind, Spillover, read_exposure
from relcap_models.models.exposure_columns import Column, effect_columns, lead_columns, level_columns, matrix
from relcap_models.models.frame import Frame, frame_of
from relcap_models.models.priors import Priors
from relcap_models.models.rating_model import RatingModel
from relcap_models.schema.instrument import Dimension, Instrument

POOLED = "pooled"


@dataclass(frozen=True)
class Exposed:
    """A frame, and what the programme is to its ratings.

    columns : of levels, effects and leads, the last of the frame's covariates
    design : see `Exposure.design`
    always : units under the programme from the first wave on, which are left out
    n_left_out : relations in waves that are left out because nobody is there to be compared with
    """

    frame: Frame
    exposure: Exposure
    columns: tuple[Column, ...]
    design: str
    always: tuple[str, ...]
    n_left_out: int

    @property
    def own(self) -> bool:
        """True if units rate themselves."""
        return bool(self.frame.own.all())


class ProgrammeEffect(RatingModel):
    """The relation (or climate) model with effects of a programme at the ends of a relation.

    Kind `programme_effect`. A relation's cohort is the pair of its ends' starts. Cohorts may differ in level
    at both ends; relations of which neither end has started (and that are outside the declared spillover set)
    say how ratings change without the programme. Ratings of the own unit are left out, but for instruments
    that ask about it: there a unit is its own rater, and the effect is that of both ends.

    What is estimated are averages. An effect that differs from unit to unit adds to units' deviations in a
    wave, of which intervals know: their spread is one for all units, in the programme or not.

    programme : its id in the table of programmes · assignment : how it was decided who takes part
    exposure : `start` (under the programme or not), `dose`, or named components (`component`)
    spillover : which relations between untreated units the programme may reach; none without
    dimensions : `pooled` takes all items as one factor, `separate` each dimension of the instrument apart
    placebo : instruments that the programme should not move
    chosen : `lowest` if units were chosen because of how others rated them before the first start. Then a
    chance low is expected to pass, and cohorts have no levels of their own: given these ratings the choice
    tells nothing more (it is ignorable). Without it cohorts may differ in level for any reason that lasts
    (parallel trends)
    estimate : `event_study` adds differences before the start to the effects
    """

    kind: Literal["programme_effect"] = "programme_effect"
    id: str = "programme_effect"
    programme: str
    assignment: Literal["randomised", "observational"]
    instrument: str = "relational_capacity"
    exposure: Kind = "start"
    spillover: Spillover | None = None
    dimensions: Literal["pooled", "separate"] = "pooled"
    placebo: tuple[str, ...] = ()
    chosen: Literal["lowest"] | None = None
    estimate: Literal["effects", "event_study"] = "effects"
    priors: Priors = Field(Priors(covariate=1.0), description="`covariate` is that of levels and effects")

    def frame(self, survey: Survey) -> Frame:
        """Answers that tell something, with the columns of levels and effects as covariates."""
        return self.exposed(survey).frame

    def exposed(self, survey: Survey) -> Exposed:
        """The frame, and what the programme is to its ratings.

        Raises
        ------
        DataError
            If nobody answered the instrument, the programme is not in its table, or nothing can be compared.
        """
        declared = survey.instruments[self.instrument]
        answers = self._answers(survey, about_others=declared.about_targets)
        whole = self._exposure(survey, answers)
        cells = whole.cells(*_positions(whole, answers))
        told, design = whole.comparable(cells), whole.design(cells)
        kept = answers[told]
        # What is left may end earlier: who starts after that has never started.
        exposure = whole if told.all() else self._exposure(survey, kept)
        instrument = declared if self.dimensions == "separate" else _pooled(declared)
        frame = frame_of(kept, instrument, survey, covariates=self.covariates)
        columns: tuple[Column, ...] = ()
        if design != SINGLE_GROUP:
            columns = self._columns(exposure, cells_of(exposure, frame), own=not declared.about_targets)
        always = whole.always[cells["rater"]] | whole.always[cells["target"]]
        lost = cells[~told & ~always].drop_duplicates(["rater", "target", "wave"])
        return Exposed(
            _with_columns(frame, columns, exposure),
            exposure,
            columns,
            design=design,
            always=tuple(np.array(whole.units, dtype=object)[whole.always]),
            n_left_out=len(lost),
        )

    def _columns(self, exposure: Exposure, cells: pd.DataFrame, *, own: bool) -> tuple[Column, ...]:
        # Who is chosen for the ratings that are in the data is no stranger to the model: levels of cohorts
        # would take a chance low for a lasting one.
        makers = [] if self.chosen == "lowest" else [level_columns]
        makers += [effect_columns, lead_columns] if self.estimate == "event_study" else [effect_columns]
        return tuple(column for make in makers for column in make(exposure, cells, own=own))

    def _answers(self, survey: Survey, *, about_others: bool) -> pd.DataFrame:
        answers = survey.of_instrument(self.instrument)
        own = answers["rater_unit"].astype(object) == answers["target_unit"].astype(object)
        answers = answers[own != about_others]
        if answers.empty:
            of = "another unit" if about_others else "the own unit"
            problem = Problem(
                "responses",
                f"analysis '{self.id}': no answers to '{self.instrument}' about {of}",
                "Add its answers, or remove the analysis from the study file",
            )
            raise DataError(problems=[problem])
        return answers

    def _exposure(self, survey: Survey, answers: pd.DataFrame) -> Exposure:
        return read_exposure(
            self.programme,
            survey,
            answers,
            kind=self.exposure,
            spillover=self.spillover,
            analysis=self.id,
        )


def cells_of(exposure: Exposure, frame: Frame) -> pd.DataFrame:
    """What the programme is to each rating."""
    return exposure.cells(frame.rater_of_rating, frame.target_of_rating, frame.wave_of_rating)


def _positions(exposure: Exposure, answers: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rater, target and wave of each answer, as positions in the exposure."""
    return tuple(
        pd.Index(known).get_indexer(answers[name].astype(str))
        for known, name in (
            (exposure.units, "rater_unit"),
            (exposure.units, "target_unit"),
            (exposure.waves, "wave"),
        )
    )


def _pooled(declared: Instrument) -> Instrument:
    """The instrument with all its items as one dimension."""
    items = tuple(item.model_copy(update={"dimension": POOLED}) for item in declared.items)
    whole = Dimension(id=POOLED, title=declared.title)
    return declared.model_copy(update={"dimensions": (whole,), "items": items})


def _with_columns(frame: Frame, columns: tuple[Column, ...], exposure: Exposure) -> Frame:
    """The frame with these columns after its covariates, in each rating and in each relation and wave."""
    n_waves = len(frame.waves)
    relations = exposure.cells(
        np.repeat(frame.rater_of_relation, n_waves),
        np.repeat(frame.target_of_relation, n_waves),
        np.tile(np.arange(n_waves), frame.n_relations),
    )
    of_rating = matrix(columns, exposure, cells_of(exposure, frame))
    of_relation = matrix(columns, exposure, relations).reshape(frame.n_relations, n_waves, len(columns))
    return replace(
        frame,
        covariates=(*frame.covariates, *(column.name(exposure) for column in columns)),
        covariates_of_rating=np.concatenate([frame.covariates_of_rating, of_rating], axis=1),
        covariates_of_relation=np.concatenate([frame.covariates_of_relation, of_relation], axis=2),
    )
