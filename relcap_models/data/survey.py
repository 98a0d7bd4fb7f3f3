"""The trusted form of a survey. Nothing past this point sees a raw file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from relcap_models.schema.instrument import Instrument

_DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")


def is_date(text: str) -> bool:
    """True for a date as a wave may have it: 2024, 2024-03 or 2024-03-15."""
    return _DATE.fullmatch(text) is not None


@dataclass(frozen=True)
class Wave:
    """One round of the survey. `date` is as the study file gives it (`2024-03`), or empty."""

    id: str
    date: str = ""


@dataclass(frozen=True)
class Intake:
    """How many cells were read and what became of them, per instrument.

    `by_instrument` has index instrument and columns `read, answers, dont_know, missing, blank`.
    `notes` are things a reader should know that are no errors (semicolon separator, decimal comma …).
    """

    by_instrument: pd.DataFrame
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Survey:
    """Validated tables of one study.

    All ids are strings; every id that is referred to exists. Frames have a fresh RangeIndex and must not be
    changed in place.

    responses : `wave, respondent_id, rater_unit, target_unit, instrument, item, value` [+ `task`]
        one row per substantive answer; the id columns are categoricals; `value` is float, on the item's
        scale *as answered* (reverse scoring happens in the model's frame), never missing.
    dont_know : the same columns without `value`: "don't know" answers, kept apart from missing ones.
    units : `unit_id, name` + `organisation, district, layer, type, complexity, size, n_leaders` where given.
    respondents : `respondent_id` + attributes. nominations, programmes, outcomes : as in the table contracts.
    Absent tables are empty frames with their required columns.
    """

    responses: pd.DataFrame
    dont_know: pd.DataFrame
    units: pd.DataFrame
    respondents: pd.DataFrame
    nominations: pd.DataFrame
    programmes: pd.DataFrame
    outcomes: pd.DataFrame
    waves: tuple[Wave, ...]
    instruments: Mapping[str, Instrument]
    intake: Intake = field(repr=False)

    def of_instrument(self, instrument: str) -> pd.DataFrame:
        """The responses to one instrument."""
        return self.responses[self.responses["instrument"] == instrument]
