"""Whether an instrument measures the same in every wave, language and layer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from relcap_models.psychometrics.structural.invariance import Invariance, invariance
from relcap_models.psychometrics.survey.answers import Answers, merge_rare
from relcap_models.psychometrics.survey.measurement import FactorModel, factor_model
from relcap_models.psychometrics.survey.notes import Notes
from relcap_models.psychometrics.survey.scopes import SPLITS

SIGNIFICANT = 0.05
CFI_DROP, RMSEA_RISE = 0.01, 0.015
GOOD_CFI, GOOD_RMSEA = 0.95, 0.08


@dataclass(frozen=True)
class Equality:
    """One split's comparison: rows on each level, and what they were estimated from.

    about : (rating,) of the ratings compared, as of `Answers`. items : their answers, in the columns of the
    model's syntax. found : the models of all levels.
    """

    split: str
    rows: list[dict[str, object]]
    model: FactorModel
    about: pd.DataFrame
    items: pd.DataFrame
    found: Invariance

    def held(self, level: str) -> bool:
        return any(row["level"] == level and row["held"] for row in self.rows)


def equalities(answers: Answers, notes: Notes) -> Iterator[Equality]:
    """For each split with two large groups: fit and difference tests of each level, and whether it held.

    The form (configural) holds where CFI ≥ .95 and RMSEA ≤ .08. A further level holds where the difference
    test has p ≥ .05, or where CFI falls by no more than .01 and RMSEA rises by no more than .015; and only
    if all levels above it held.

    Source: Wu & Estabrook (2016), Psychometrika 81, 1014-1045; Cheung & Rensvold (2002) and Chen (2007),
    Structural Equation Modeling 9, 233-255 and 14, 464-504, for the criteria.
    """
    for split in SPLITS:
        yield from equality_over(answers, split, notes)


def equality_over(answers: Answers, split: str, notes: Notes) -> Iterator[Equality]:
    """The comparison of one split, any column of `about`; none where it has no two large groups."""
    model, _ = factor_model(answers.dimensions)
    groups = answers.large_groups(split)
    if model is None or len(groups) < 2:
        return
    part = answers.where(answers.about[split].isin(groups))
    notes.count_units(split, "", part.about["rater_unit"])
    items, merged = merge_rare(part.items, part.about[split])
    for item, categories in merged.items():
        notes.add(split, "", "merged", item, ", ".join(categories))
    table = model.table(items)
    with notes.estimating(split, "", "invariance"):
        found = invariance(
            model.syntax,
            table,
            ordered=True,
            group=part.about[split],
            cluster=part.about["rater_unit"],
        )
        rows = list(_judged(split, groups, found.table))
        yield Equality(split, rows, model, part.about, table, found)


def _judged(split: str, groups: list[str], table: pd.DataFrame) -> Iterator[dict[str, object]]:
    held, before = True, None
    for level, row in table.iterrows():
        cfi, rmsea = row["cfi.scaled"], row["rmsea.scaled"]
        if before is None:
            held = bool(row["df"] == 0 or (cfi >= GOOD_CFI and rmsea <= GOOD_RMSEA))
        else:
            p = row["diff.pvalue"]
            alike = before["cfi.scaled"] - cfi <= CFI_DROP and rmsea - before["rmsea.scaled"] <= RMSEA_RISE
            # Without a further degree of freedom there is nothing that could fail to hold.
            held = held and bool(math.isnan(p) or p >= SIGNIFICANT or alike)
        yield {
            "across": split,
            "groups": ", ".join(groups),
            "level": level,
            "chisq": row["chisq.scaled"],
            "df": row["df"],
            "cfi": cfi,
            "rmsea": rmsea,
            "srmr": row["srmr"],
            "diff_chisq": row["diff.chisq"],
            "diff_df": row["diff.df"],
            "diff_p": row["diff.pvalue"],
            "held": held,
        }
        before = row


def levels_held(table: pd.DataFrame) -> Iterator[tuple[str, str, list[str], list[str]]]:
    """Instrument, split, the levels that held, and all that were tested."""
    for (instrument, across), rows in table.groupby(["instrument", "across"], sort=False):
        tested = rows["level"].tolist()
        yield str(instrument), str(across), rows.loc[rows["held"], "level"].tolist(), tested
