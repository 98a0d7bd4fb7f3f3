"""The rows of one leadership link, by what was compared, and the names of what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.disclosure.links import instrument_and_dimension
from relcap_models.report.material import Analysis, Material

METHODS = ("naive", "mixed", "corrected", "joint")
"""From the plainest to the one that takes all errors along."""
LEVELS = ("between", "within")

Pair = tuple[str, str]
"""Predictor and outcome."""


@dataclass(frozen=True)
class Condition:
    """Who rates the outcome, and whether the unit's own way of rating others is held constant."""

    source: str
    adjusted: bool

    @property
    def key(self) -> str:
        return f"{self.source}_adjusted" if self.adjusted else self.source


CONDITIONS = (Condition("different", True), Condition("different", False), Condition("same", False))
"""The first that was estimated is the answer: the one that is hardest to fake."""


@dataclass(frozen=True)
class LinkRows:
    """One analysis of kind `leadership_link`."""

    analysis: Analysis

    @property
    def material(self) -> Material:
        return self.analysis.material

    @property
    def texts(self) -> Texts:
        return self.material.texts

    @property
    def smallest(self) -> float:
        return float(self.analysis.declared.get("smallest", 0.1))

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """In points, of every method; figures may be missing where a method had no answer."""
        return self._rows[self._rows["scale"] == "points"]

    @cached_property
    def _rows(self) -> pd.DataFrame:
        """The mixed model of means has a table of its own beside that of the other methods."""
        tables = [self.analysis.table(name) for name in ("leadership_link", "leadership_mixed")]
        return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)

    @property
    def ci(self) -> str:
        return self.analysis.ci(self.estimates)

    @cached_property
    def _instruments(self) -> dict[str, dict]:
        return {str(i["id"]): i for i in self.material.context.get("instruments", ())}

    def title(self, facet: str) -> str:
        """An instrument's title, or that of one of its dimensions."""
        if facet == "perceiver":
            return self.texts("links.perceiver")
        owners = [i for i in self._instruments if facet == i or facet.startswith(f"{i}.")]
        if not owners:
            return facet
        instrument, dimension = instrument_and_dimension(facet, owners)
        about = Analysis(
            self.material, 0, {"id": "", "instrument": instrument}, self._instruments[instrument]
        )
        return about.title if facet == instrument else about.dimension(dimension)

    def titles(self, facets: str) -> str:
        """Several mediators stand joined by a plus sign."""
        return self.texts.listing([self.title(facet) for facet in facets.split(" + ")])

    def is_leadership(self, facet: str) -> bool:
        instrument = str(self.analysis.declared.get("leadership", ""))
        return facet == instrument or facet.startswith(f"{instrument}.")

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Predictor and outcome, leadership first."""
        known = self.estimates[["predictor", "outcome"]].drop_duplicates().itertuples(index=False, name=None)
        return tuple(sorted(known, key=lambda pair: not self.is_leadership(pair[0])))

    @cached_property
    def leadership_pairs(self) -> tuple[Pair, ...]:
        return tuple(pair for pair in self.pairs if self.is_leadership(pair[0]))

    @property
    def several(self) -> bool:
        """Whether leadership or what it goes with was divided into dimensions."""
        return len(self.leadership_pairs) > 1

    @property
    def outcomes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(outcome for _, outcome in self.leadership_pairs))

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """Leaders see the joint model alone: the others show what it mends."""
        found = set(self.estimates["method"])
        if not self.material.for_researchers:
            return ("joint",)
        return tuple(m for m in METHODS if m in found) + tuple(sorted(found - set(METHODS)))

    def has_level(self, level: str) -> bool:
        return bool((self.estimates["level"] == level).any())

    def _of(self, pair: Pair, level: str, condition: Condition, method: str) -> pd.DataFrame:
        table = self._rows
        return table[
            (table["method"] == method)
            & (table["level"] == level)
            & (table["source"] == condition.source)
            & (table["adjusted"] == condition.adjusted)
            & (table["predictor"] == pair[0])
            & (table["outcome"] == pair[1])
        ]

    def tried(self, pair: Pair, level: str, condition: Condition, method: str) -> bool:
        """Whether the method has rows, if without figures; a mixed model has none about the same people."""
        return not self._of(pair, level, condition, method).empty

    def effect(
        self,
        pair: Pair,
        level: str,
        condition: Condition,
        *,
        method: str = "joint",
        scale: str = "points",
    ) -> pd.Series | None:
        """One row; None where there is none, or none with a figure."""
        table = self._of(pair, level, condition, method)
        rows = table[(table["scale"] == scale) & table["mean"].notna()]
        return None if rows.empty else rows.iloc[0]

    def conditions(self, level: str) -> tuple[Condition, ...]:
        """Those about which there are rows at this level."""
        rows = self.estimates[self.estimates["level"] == level]
        found = set(zip(rows["source"], rows["adjusted"], strict=True))
        return tuple(c for c in CONDITIONS if (c.source, c.adjusted) in found)

    def answer(self, pair: Pair, level: str) -> tuple[Condition, pd.Series] | None:
        """The joint estimate that is hardest to fake."""
        for condition in CONDITIONS:
            row = self.effect(pair, level, condition)
            if row is not None:
                return condition, row
        return None

    def label(self, pair: Pair) -> str:
        return f"{self.title(pair[0])} → {self.title(pair[1])}"

    def method(self, method: str) -> str:
        return self.texts.known(f"links.methods.{method}", method)


def links_of(material: Material) -> Sequence[LinkRows]:
    """The study's leadership links, each with the scale of its outcome."""
    return [LinkRows(analysis) for analysis in material.under("links")]
