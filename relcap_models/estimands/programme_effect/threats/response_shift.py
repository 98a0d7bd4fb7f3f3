"""Whether people mean the same by an answer after the start as before it.

A yardstick that changes for everybody is drift, which comparisons undergo as well; one that changes for the
exposed is a shift, and goes into the effect.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import t as student

from relcap_models.estimands.programme_effect import notes
from relcap_models.estimands.programme_effect.comparisons.relation_waves import BASE, relation_waves
from relcap_models.estimands.programme_effect.threats.case import Case, Row, blank, effect_rows, ends_alone
from relcap_models.estimands.programme_effect.threats.moved_items import (
    DRIFT,
    GROUPS,
    SHIFT,
    FourGroups,
    contrasts,
    four_groups,
    tried,
)
from relcap_models.models.exposure import SPILLOVER
from relcap_models.psychometrics.survey.answers import Answers, answers_to
from relcap_models.psychometrics.survey.equality import SIGNIFICANT, Equality, equality_over
from relcap_models.psychometrics.survey.mean_impact import impact_rows
from relcap_models.psychometrics.survey.notes import Notes

THREAT = "response_shift"
SPLIT = "start"
EXPOSED = GROUPS[:2]


def response_shift_rows(case: Case) -> Iterator[Row]:
    """Invariance of ratings over the start, with rater units as clusters.

    Ratings before the first start are compared with those from the last on. Of exposed relations alone:
    `difference_test` of each level (`variant`; value is its chi-square, n its degrees of freedom), with
    whether it held. Exposed relations beside comparisons: by item, the `shift` of the exposed (how much more
    its answers changed there than elsewhere, for the same latent level, in standard deviations of its
    residual) and the `drift` of comparisons, with p of intercept and loading together and whether that held
    at .05 over the number of items; by dimension, the `latent_difference` of the change of exposed relations
    and of comparisons, with `equal` items and with those `freed` that shift (in standard deviations before
    the start), and `mean_impact`, what that changes.

    Where comparisons are too few, `shift` is blank, and `mean_impact` says by how much the change of the
    exposed is another if items that changed are let go: drift or shift. Last, the `effect`
    `without_shifting_items`. Items in the notes.
    """
    answers = answers_at_start(case)
    told = Notes(case.model.instrument)
    exposed = answers.where(answers.about[SPLIT].isin(EXPOSED))
    equality = next(equality_over(exposed, SPLIT, told), None)
    if equality is None:
        failed = any(row[3] == "not_estimated" for row in told.rows)
        note = notes.NOT_ESTIMATED if failed else notes.TOO_FEW_ANSWERS
        yield blank(THREAT, note, quantity="difference_test")
        return
    yield from _level_rows(equality)
    if not equality.held("configural"):
        yield blank(THREAT, notes.FORM_DIFFERS, quantity="mean_impact")
        return
    groups = four_groups(answers, SPLIT)
    beside = tried(lambda: _beside_comparisons(case, groups)) if groups is not None else None
    if beside is None:
        few = notes.TOO_FEW_ANSWERS if groups is None else notes.NOT_ESTIMATED
        yield blank(THREAT, few if case.compared else notes.NO_COMPARISON, quantity="shift")
        rows, shifting = _of_exposed_alone(equality, told)
    else:
        rows, shifting = beside
    yield from rows
    if shifting:
        yield from _effect_without(case, shifting)


def answers_at_start(case: Case) -> Answers:
    """Ratings of relations that are exposed at some time, or never, with their group of `GROUPS` as `start`.

    Before is before the first start, after is from the last on; waves between are neither.
    """
    exposure, rows = case.exposed.exposure, case.rows
    rows = rows[rows["ever"] != SPILLOVER]
    since = rows["since"][rows["ever"] != BASE]
    side = np.where(rows["ever"] != BASE, "exposed", "comparison")
    when = np.select([rows["wave"] < since.min(), rows["wave"] >= since.max()], ["before", "after"], "")
    names = np.array(exposure.units, dtype=object)
    group = pd.DataFrame(
        {
            "rater_unit": names[rows["rater"]],
            "target_unit": names[rows["target"]],
            "wave": np.array(exposure.waves, dtype=object)[rows["wave"]],
            SPLIT: [f"{a} {b}" if b else np.nan for a, b in zip(side, when)],
        }
    )
    answers = answers_to(case.survey, case.survey.instruments[case.model.instrument])
    about = answers.about.merge(group, how="left").set_axis(answers.about.index)
    answers = Answers(answers.instrument, answers.items, about)
    kept = answers.where(about[SPLIT].notna())
    # Groups stand in the order in which they come, and the first is the reference.
    order = kept.about[SPLIT].map(GROUPS.index).sort_values(kind="stable").index
    return Answers(kept.instrument, kept.items.loc[order], kept.about.loc[order])


def _level_rows(equality: Equality) -> Iterator[Row]:
    for row in equality.rows:
        held = notes.HELD if row["held"] else notes.NOT_HELD
        figures = {"value": row["diff_chisq"], "p": row["diff_p"], "n": row["diff_df"]}
        if row["level"] == "configural":
            figures = {"value": row["chisq"], "n": row["df"]}
        yield blank(THREAT, held, variant=row["level"], quantity="difference_test") | figures


def _beside_comparisons(case: Case, groups: FourGroups) -> tuple[list[Row], list[str]]:
    """Rows by item and dimension, and the items that shift."""
    rows = []
    limit = SIGNIFICANT / len(groups.model.items)
    for quantity, contrast in (("drift", DRIFT), ("shift", SHIFT)):
        moves, free = groups.moves(contrast, ci_prob=case.ci_prob)
        for move in moves:
            held = notes.HELD if move.p >= limit else notes.NOT_HELD
            figures = {"value": move.intercept, "lower": move.lower, "upper": move.upper, "p": move.p}
            rows.append(blank(THREAT, held, variant=move.item, quantity=quantity) | figures)
    shifting = [groups.model.items[code] for code in free]
    for factor, dimension in groups.model.dimensions.items():
        mine = [item for item in shifting if item in groups.model.factors[dimension]]
        equal = _latent(groups, factor, [], ci_prob=case.ci_prob)
        freed = _latent(groups, factor, free, ci_prob=case.ci_prob)
        for how, figures in (("equal", equal), ("freed", freed))[: 2 if free else 1]:
            row = blank(THREAT, "", variant=f"{how}:{dimension}", quantity="latent_difference")
            rows.append(row | figures)
        impact = {"value": freed["value"] - equal["value"]} if free else {}
        note = _items(mine) if free else notes.HELD
        rows.append(blank(THREAT, note, variant=dimension, quantity="mean_impact") | impact)
    return rows, shifting


def _latent(groups: FourGroups, factor: str, free: list[str], *, ci_prob: float) -> Row:
    (value,), covariance = contrasts(groups.fit(free), [((factor, "~1", ""), SHIFT)])
    half = student.ppf((1 + ci_prob) / 2, groups.df) * np.sqrt(covariance[0, 0])
    return {"value": value, "lower": value - half, "upper": value + half}


def _of_exposed_alone(equality: Equality, told: Notes) -> tuple[list[Row], list[str]]:
    """The same without comparisons: rows by dimension, and the items that changed."""
    if equality.held("intercepts"):
        return [blank(THREAT, notes.HELD, quantity="mean_impact")], []
    rows, changed = [], []
    for row in impact_rows(equality, told):
        items = row["items"].split(", ") if row["items"] else []
        changed += items
        figures = {"value": row["impact"]}
        rows.append(blank(THREAT, _items(items), variant=row["dimension"], quantity="mean_impact") | figures)
    return rows if changed else [blank(THREAT, notes.NO_ITEM_FOUND, quantity="mean_impact")], changed


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
