"""What could have faked a programme's effect, one check each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pandas as pd

from relcap_models.data.survey import Survey
from relcap_models.estimands.estimate import columns
from relcap_models.estimands.programme_effect.comparisons.averages import simple
from relcap_models.estimands.programme_effect.threats.case import Case, Row, case_of, effect_rows
from relcap_models.estimands.programme_effect.threats.comparisons_left_out import (
    contamination_rows,
    leave_one_out_rows,
)
from relcap_models.estimands.programme_effect.threats.dropout import dropout_rows
from relcap_models.estimands.programme_effect.threats.placebos import (
    anticipation_rows,
    placebo_outcome_rows,
    placebo_start_rows,
)
from relcap_models.estimands.programme_effect.threats.pre_trends import pre_trend_rows
from relcap_models.estimands.programme_effect.threats.regression_to_the_mean import (
    regression_to_the_mean_rows,
)
from relcap_models.estimands.programme_effect.threats.response_shift import response_shift_rows
from relcap_models.models.programme_effect import ProgrammeEffect

COLUMNS = columns("analysis threat variant estimand quantity value lower upper p ci_prob n note")


def programme_threat_table(
    model: ProgrammeEffect, survey: Survey, *, ci_prob: float, seed: int
) -> pd.DataFrame:
    """What could have faked the effect, each with its own check, in points of relations' mean answers.

    The first rows, of threat `none`, are the effects that the others are compared with: those of the `dyadic`
    method of comparisons. What each threat's variants and quantities are is said where it is checked. What
    cannot be checked with this design has a blank value and a note, a code of `notes`.
    n : relations exposed, or what the check says.
    """
    case = case_of(model, survey, ci_prob=ci_prob, seed=seed)
    rows = [row for check in CHECKS for row in check(case)]
    return pd.DataFrame(rows).assign(analysis=model.id, ci_prob=ci_prob).fillna(_TEXTS)[COLUMNS]


def _effects(case: Case) -> Iterator[Row]:
    found = case.regression(case.rows)
    yield from effect_rows(case, found, simple(found), threat="none")


CHECKS: tuple[Callable[[Case], Iterator[Row]], ...] = (
    _effects,
    pre_trend_rows,
    placebo_start_rows,
    placebo_outcome_rows,
    anticipation_rows,
    response_shift_rows,
    dropout_rows,
    contamination_rows,
    leave_one_out_rows,
    regression_to_the_mean_rows,
)
_TEXTS = {"variant": "", "estimand": "", "note": ""}
