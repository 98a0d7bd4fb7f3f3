"""Whether people mean the same by an answer after the start as before it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from relcap_models.estimands.programme_effect import notes
from relcap_models.estimands.programme_effect.comparisons.relation_waves import BASE, relation_waves
from relcap_models.estimands.programme_effect.threats.case import Case, Row, blank, effect_rows, ends_alone
from relcap_models.models.exposure import SPILLOVER
from relcap_models.psychometrics.survey.answers import Answers, answers_to
from relcap_models.psychometrics.survey.equality import Equality, equality_over
from relcap_models.psychometrics.survey.mean_impact import impact_rows
from relcap_models.psychometrics.survey.notes import Notes

THREAT = "response_shift"
SPLIT = "start"


def response_shift_rows(case: Case) -> Iterator[Row]:
    """Invariance of ratings of exposed relations before and after their start, with rater units as clusters.

    `difference_test` of each level (`variant`; value is its chi-square, n its degrees of freedom), with
    whether it held; `mean_impact` by dimension: by how much the change of the latent mean (in standard
    deviations before the start) is another if the items that shift are let go; and the `effect`
    `without_shifting_items`. Items in the notes.
    """
    told = Notes(case.model.instrument)
    equality = next(equality_over(exposed_answers(case), SPLIT, told), None)
    if equality is None:
        failed = any(row[3] == "not_estimated" for row in told.rows)
        note = notes.NOT_ESTIMATED if failed else notes.TOO_FEW_ANSWERS
        yield blank(THREAT, note, quantity="difference_test")
        return
    yield from _level_rows(equality)
    if not equality.held("configural"):
        yield blank(THREAT, notes.FORM_DIFFERS, quantity="mean_impact")
        return
    if equality.held("intercepts"):
        yield blank(THREAT, notes.HELD, quantity="mean_impact")
        return
    shifting: list[str] = []
    for row in impact_rows(equality, told):
        items = row["items"].split(", ") if row["items"] else []
        shifting += items
        yield blank(THREAT, _items(items), variant=row["dimension"], quantity="mean_impact") | {
            "value": row["impact"]
        }
    if shifting:
        yield from _effect_without(case, shifting)
    else:
        yield blank(THREAT, notes.NO_ITEM_FOUND, quantity="mean_impact")


def exposed_answers(case: Case) -> Answers:
    """Ratings of relations that are exposed in some wave, with `start`: before it or after."""
    exposure, rows = case.exposed.exposure, case.rows
    mine = rows[(rows["ever"] != BASE) & (rows["ever"] != SPILLOVER)]
    names = np.array(exposure.units, dtype=object)
    when = pd.DataFrame(
        {
            "rater_unit": names[mine["rater"]],
            "target_unit": names[mine["target"]],
            "wave": np.array(exposure.waves, dtype=object)[mine["wave"]],
            SPLIT: np.where(mine["wave"] < mine["since"], "before", "after"),
        }
    )
    answers = answers_to(case.survey, case.survey.instruments[case.model.instrument])
    about = answers.about.merge(when, how="left").set_axis(answers.about.index)
    answers = Answers(answers.instrument, answers.items, about)
    kept = answers.where(about[SPLIT].notna())
    # Groups stand in the order in which they come, and the first is the reference.
    order = kept.about[SPLIT].map({"before": 0, "after": 1}).sort_values(kind="stable").index
    return Answers(kept.instrument, kept.items.loc[order], kept.about.loc[order])


def _level_rows(equality: Equality) -> Iterator[Row]:
    for row in equality.rows:
        held = notes.HELD if row["held"] else notes.NOT_HELD
        figures = {"value": row["diff_chisq"], "p": row["diff_p"], "n": row["diff_df"]}
        if row["level"] == "configural":
            figures = {"value": row["chisq"], "n": row["df"]}
        yield blank(THREAT, held, variant=row["level"], quantity="difference_test") | figures


def _effect_without(case: Case, shifting: list[str]) -> Iterator[Row]:
    rows = relation_waves(case.exposed, without_items=shifting)
    found = case.regression(rows)
    yield from effect_rows(
        case,
        found,
        ends_alone(found),
        threat=THREAT,
        variant="without_shifting_items",
        note=_items(shifting),
    )


def _items(items: list[str]) -> str:
    return f"{notes.ITEMS}:{','.join(items)}" if items else ""
