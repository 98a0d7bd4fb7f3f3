"""The rows of one programme's analysis, by what was asked, and the names of what it is about."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.material import Analysis, Material

RELATIONS = ("target_end", "rater_end", "both_ends", "interaction", "spillover", "change")
"""What can be asked of relations, the visible effect first."""
LEADS = ("change", "target_end", "both_ends", "rater_end")
"""The first of these that may be shown is the answer."""
NEVER = "never"


@dataclass(frozen=True)
class ProgrammeRows:
    """One analysis of kind `programme_effect`."""

    analysis: Analysis

    @property
    def material(self) -> Material:
        return self.analysis.material

    @property
    def texts(self) -> Texts:
        return self.material.texts

    @cached_property
    def design(self) -> pd.Series:
        """The row of `programme_designs`, all blank where the table has none."""
        table = self.analysis.table("programme_designs")
        return table.iloc[0] if len(table) else pd.Series("", index=table.columns, dtype=object)

    @property
    def programme(self) -> str:
        return str(self.analysis.declared.get("programme", ""))

    @property
    def refused(self) -> str:
        return str(self.design["refused"])

    @property
    def single(self) -> bool:
        """A single group, of which a change is known and no effect."""
        return self.design["design"] == "single_group"

    @property
    def own(self) -> bool:
        """Whether the instrument asks about the own unit, so that rater and target are one."""
        return self.analysis.instrument.get("referent") not in (
            "target_unit",
            "own_organisation_and_each_target_organisation",
        )

    @property
    def word(self) -> str:
        """Part of a text's key: a single group has texts of its own, which know no effect."""
        return "change" if self.single else "effect"

    @property
    def assignment(self) -> str:
        """`randomised` or `observational`, in words: it stands beside every effect."""
        code = str(self.analysis.declared.get("assignment", self.design["assignment"]))
        return self.texts.known(f"programmes.assignments.{code}.word", code)

    @property
    def randomised(self) -> bool:
        return self.analysis.declared.get("assignment") == "randomised"

    @cached_property
    def all_rows(self) -> pd.DataFrame:
        """Effects that may be shown; nothing of a design with which none can be inferred."""
        table = self.analysis.table("programme_effects")
        return table.iloc[:0] if self.refused else table[~table["suppressed"] & table["mean"].notna()]

    @cached_property
    def effects(self) -> pd.DataFrame:
        """Those of the whole programme, on the whole scale or in the only dimension there is."""
        rows = self.all_rows[self.all_rows["component"] == ""]
        return rows[rows["dimension"] == self.whole]

    @cached_property
    def whole(self) -> str:
        found = set(self.all_rows["dimension"])
        return "overall" if "overall" in found or not found else self.analysis.dimension_order(found)[0]

    @cached_property
    def types(self) -> pd.DataFrame:
        """Effects by type of relation, over all items, of the whole programme; none where all are hidden."""
        table = self.analysis.table("programme_relation_types")
        shown = table[~table["suppressed"] & table["mean"].notna()]
        shown = shown[(shown["component"] == "") & (shown["dimension"] == self.whole)]
        return shown.iloc[:0] if self.refused else shown

    @cached_property
    def n_hidden(self) -> int:
        """Rows in points that disclosure control has hidden."""
        table = self.analysis.table("programme_effects")
        return int((table["suppressed"] & (table["scale"] == "points")).sum())

    @cached_property
    def goal(self) -> float:
        """In points, as the study file set it in advance; NaN where no effect is shown."""
        goals = self.all_rows["goal"].dropna()
        return float(goals.iloc[0]) if len(goals) else math.nan

    @property
    def ci(self) -> str:
        return self.analysis.ci(self.all_rows)

    def of(self, estimand: str, aggregate: str, scale: str = "points") -> pd.DataFrame:
        rows = self.effects
        return rows[
            (rows["estimand"] == estimand) & (rows["aggregate"] == aggregate) & (rows["scale"] == scale)
        ]

    def simple(self, estimand: str, scale: str = "points") -> pd.Series | None:
        """The effect averaged over all relations that were so exposed."""
        rows = self.of(estimand, "simple", scale)
        return None if rows.empty else rows.iloc[0]

    @cached_property
    def estimands(self) -> tuple[str, ...]:
        """Those with an average that may be shown, the answer first."""
        found = [e for e in RELATIONS if self.simple(e) is not None]
        return tuple(sorted(found, key=lambda estimand: estimand != self.lead))

    @cached_property
    def lead(self) -> str:
        return next((e for e in LEADS if self.simple(e) is not None), "")

    def title(self, estimand: str) -> str:
        """What an estimand is, in words."""
        own = ".own" if self.own and estimand == "both_ends" else ""
        return self.texts.known(f"programmes.estimands.{estimand}{own or '.relations'}", estimand)

    def cohort(self, cohort: str) -> str:
        """A wave of start; in a stepped wedge, who has not started in the waves kept does so later."""
        if cohort != NEVER:
            return cohort
        return self.texts(f"programmes.{'later' if self.design['design'] == 'stepped_wedge' else 'never'}")

    def table(self, name: str) -> pd.DataFrame:
        """Comparisons, weights or threats; none of a design with which nothing can be inferred."""
        table = self.analysis.table(name)
        return table.iloc[:0] if self.refused else table


def programmes_of(material: Material) -> Sequence[ProgrammeRows]:
    """The study's programmes, each with the scale of its outcome."""
    return [ProgrammeRows(analysis) for analysis in material.under("programmes")]
