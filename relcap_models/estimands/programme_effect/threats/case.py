"""What every check of a threat starts from, and the rows it gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.data.survey import Survey
from relcap_models.estimands.programme_effect import notes
from relcap_models.estimands.programme_effect.comparisons.averages import Average, estimated, simple
from relcap_models.estimands.programme_effect.comparisons.relation_waves import relation_waves, whole
from relcap_models.estimands.programme_effect.comparisons.saturated import Saturated, saturated
from relcap_models.models.exposure import SINGLE_GROUP
from relcap_models.models.exposure_columns import INTERACTION
from relcap_models.models.programme_effect import Exposed, ProgrammeEffect

Row = dict[str, object]
EFFECT = "effect"


@dataclass(frozen=True)
class Case:
    """One analysis of a survey.

    rows : see `relation_waves` · outcome : the column of means over all items
    """

    model: ProgrammeEffect
    survey: Survey
    exposed: Exposed
    rows: pd.DataFrame
    outcome: str
    ci_prob: float
    seed: int

    @property
    def compared(self) -> bool:
        """Whether there are comparisons; else all that can be said is a change."""
        return self.exposed.design != SINGLE_GROUP

    def regression(self, rows: pd.DataFrame, *, errors: bool = True) -> Saturated:
        return saturated(rows, outcome=self.outcome, errors=errors)


def case_of(model: ProgrammeEffect, survey: Survey, *, ci_prob: float, seed: int) -> Case:
    """
    Raises
    ------
    DataError
        As `ProgrammeEffect.exposed`.
    """
    exposed = model.exposed(survey)
    rows, outcome = relation_waves(exposed), whole(exposed.frame)
    return Case(model, survey, exposed, rows, outcome, ci_prob=ci_prob, seed=seed)


def ends_alone(found: Saturated) -> list[Average]:
    """Simple averages of all estimands but the interaction."""
    return [average for average in simple(found) if average.estimand != INTERACTION]


def effect_rows(
    case: Case,
    found: Saturated,
    averages: list[Average],
    *,
    threat: str,
    variant: str = "",
    quantity: str = EFFECT,
    note: str = "",
) -> Iterator[Row]:
    """The effect (or another average) of each estimand; a blank row where nothing is left of any."""
    if not averages:
        yield blank(threat, notes.NOTHING_LEFT, variant=variant, quantity=quantity)
    for average, row in zip(averages, estimated(found, averages, ci_prob=case.ci_prob)):
        yield {
            "threat": threat,
            "variant": variant,
            "estimand": average.estimand,
            "quantity": quantity,
            "value": row["estimate"],
            **{name: row[name] for name in ("lower", "upper", "p")},
            "n": row["n_relations"],
            "note": notes.joined(row["note"], note),
        }


def blank(threat: str, note: str, *, variant: str = "", estimand: str = "", quantity: str = EFFECT) -> Row:
    """A check that cannot be made, and why."""
    return {
        "threat": threat,
        "variant": variant,
        "estimand": estimand,
        "quantity": quantity,
        **dict.fromkeys(("value", "lower", "upper", "p", "n"), np.nan),
        "note": note,
    }
