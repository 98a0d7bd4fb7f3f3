"""Effects where there can be none: before the start, on other outcomes, at the news of the start."""

from __future__ import annotations

from collections.abc import Iterator

from relcap_models.errors import DataError
from relcap_models.estimands.programme_effect import notes
from relcap_models.estimands.programme_effect.comparisons.averages import averages
from relcap_models.estimands.programme_effect.comparisons.before_start import as_if_earlier, with_anticipation
from relcap_models.estimands.programme_effect.threats.case import (
    Case,
    Row,
    blank,
    case_of,
    effect_rows,
    ends_alone,
)
from relcap_models.models.exposure_columns import INTERACTION


def placebo_start_rows(case: Case) -> Iterator[Row]:
    """The `effect` in the last wave before the start, as if that were the first under the programme."""
    if not case.compared:
        yield blank("placebo_start", notes.NO_COMPARISON)
        return
    rows = as_if_earlier(case.rows)
    # The pretended start is event 0.
    found = case.regression(rows.assign(event=0))
    chosen = ends_alone(found)
    if chosen:
        yield from effect_rows(case, found, chosen, threat="placebo_start")
    else:
        yield blank("placebo_start", notes.ONE_WAVE_BEFORE)


def placebo_outcome_rows(case: Case) -> Iterator[Row]:
    """The `effect` on instruments that the programme should not move; `variant` is the instrument."""
    if not case.model.placebo:
        yield blank("placebo_outcome", notes.NONE_DECLARED)
    for instrument in case.model.placebo:
        model = case.model.model_copy(update={"instrument": instrument, "dimensions": "pooled"})
        try:
            other = case_of(model, case.survey, ci_prob=case.ci_prob, seed=case.seed)
        except DataError:
            yield blank("placebo_outcome", notes.NOT_ESTIMATED, variant=instrument)
            continue
        found = other.regression(other.rows)
        averages = ends_alone(found)
        yield from effect_rows(other, found, averages, threat="placebo_outcome", variant=instrument)


def anticipation_rows(case: Case) -> Iterator[Row]:
    """The `effect` if the last wave before the start may have one too, and the `difference` in that wave."""
    threat = "anticipation"
    if not case.compared:
        yield blank(threat, notes.NO_COMPARISON)
        return
    found = case.regression(with_anticipation(case.rows))
    chosen = ends_alone(found)
    if not chosen:
        yield blank(threat, notes.ONE_WAVE_BEFORE)
        return
    yield from effect_rows(case, found, chosen, threat=threat)
    before = [
        average
        for average in averages(found, aggregates=("dynamic",))
        if average.event == -1 and average.estimand != INTERACTION
    ]
    yield from effect_rows(case, found, before, threat=threat, variant="-1", quantity="difference")
