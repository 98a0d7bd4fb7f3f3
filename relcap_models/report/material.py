"""What every section draws on: tables of one study, names as a reader knows them, words of a language."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.figures.names import drawable, unit_labels
from relcap_models.report.results import Results

_LABEL = 26
"""Letters of a unit's name in a figure: two of them, and the figure, fit the width of the text."""


@dataclass(frozen=True)
class Material:
    """The results of a study with the words to report them in."""

    results: Results
    texts: Texts

    @property
    def context(self) -> Mapping[str, Any]:
        return self.results.context

    @property
    def study(self) -> Mapping[str, Any]:
        return self.context.get("study", {})

    @property
    def for_researchers(self) -> bool:
        """Leaders see less of how figures came about."""
        return self.context.get("report", {}).get("audience", "researcher") != "leader"

    @cached_property
    def wave_ids(self) -> tuple[str, ...]:
        return tuple(str(wave["id"]) for wave in self.study.get("waves", ()))

    @cached_property
    def units(self) -> Mapping[str, Mapping[str, Any]]:
        return {str(unit["unit_id"]): unit for unit in self.context.get("units", ())}

    @cached_property
    def _unit_names(self) -> Mapping[str, str]:
        names = {unit_id: str(unit.get("name") or unit_id) for unit_id, unit in self.units.items()}
        twice = {name for name, n in Counter(names.values()).items() if n > 1}
        return {unit_id: f"{name} ({unit_id})" if name in twice else name for unit_id, name in names.items()}

    @cached_property
    def analyses(self) -> tuple[Analysis, ...]:
        """Those of relations and climate."""
        return self.under("analyses")

    def under(self, heading: str) -> tuple[Analysis, ...]:
        """Analyses of `analyses`, `links` or `programmes` in the context, with their instrument's scale."""
        instruments = {str(i["id"]): i for i in self.context.get("instruments", ())}
        return tuple(
            Analysis(self, number, declared, instruments.get(str(declared.get("instrument")), {}))
            for number, declared in enumerate(self.context.get(heading, ()), start=1)
        )

    def unit(self, unit_id: str) -> str:
        return self._unit_names.get(unit_id, unit_id)

    def relation(self, rater_unit: str, target_unit: str) -> str:
        return f"{self.unit(rater_unit)} → {self.unit(target_unit)}"

    @cached_property
    def _labels(self) -> Mapping[str, str]:
        return unit_labels(self._unit_names, _LABEL)

    def label(self, unit_id: str) -> str:
        """The unit's name for a figure."""
        return self._labels.get(unit_id) or drawable(unit_id, _LABEL)

    def relation_label(self, rater_unit: str, target_unit: str, *, sign: str = "→") -> str:
        """A pair for a figure; a narrow one breaks the line."""
        return f"{self.label(rater_unit)} {sign}\n{self.label(target_unit)}"

    def district(self, unit_id: str) -> str:
        return str(self.units.get(unit_id, {}).get("district") or "")

    def ordered_units(self, unit_ids: set[str]) -> list[str]:
        """Units by district, then as the roster lists them; unknown ones last."""
        place = {unit_id: position for position, unit_id in enumerate(self.units)}
        districts = {name: n for n, name in enumerate(dict.fromkeys(map(self.district, self.units)))}
        return sorted(
            unit_ids,
            key=lambda unit_id: (
                districts.get(self.district(unit_id), len(districts)),
                place.get(unit_id, len(place)),
                unit_id,
            ),
        )

    def wave(self, wave_id: str) -> str:
        dates = {str(wave["id"]): str(wave.get("date") or "") for wave in self.study.get("waves", ())}
        date = dates.get(wave_id, "")
        return self.texts("format.wave", wave=wave_id, date=self.texts.date(date)) if date else wave_id


@dataclass(frozen=True)
class Analysis:
    """One analysis of the study: its own rows of the tables, its instrument's scale, dimensions and items."""

    material: Material
    number: int
    declared: Mapping[str, Any]
    instrument: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.declared["id"])

    @property
    def kind(self) -> str:
        return str(self.declared.get("kind", ""))

    @property
    def slug(self) -> str:
        """A file name's part: unique by its number, readable by what remains of the id."""
        readable = re.sub(r"[^A-Za-z0-9]+", "-", self.id).strip("-").lower()[:30]
        return f"{self.number}-{readable}" if readable else str(self.number)

    @property
    def subject(self) -> str:
        """The id, where the study has more than one analysis of this kind and sections must be told apart."""
        same = [a for a in self.material.analyses if a.kind == self.kind]
        return self.id if len(same) > 1 else ""

    @property
    def title(self) -> str:
        return self.material.texts.of(self.instrument.get("title")) or str(
            self.declared.get("instrument", self.id)
        )

    @property
    def minimum(self) -> float:
        return float(self.instrument.get("scale", {}).get("minimum", 1))

    @property
    def maximum(self) -> float:
        return float(self.instrument.get("scale", {}).get("maximum", 5))

    @property
    def favourable_from(self) -> float:
        return float(self.instrument.get("scale", {}).get("favourable_from", self.maximum - 1))

    @cached_property
    def items(self) -> Mapping[str, Mapping[str, Any]]:
        return {str(item["id"]): item for item in self.instrument.get("items", ())}

    @cached_property
    def _dimensions(self) -> Mapping[str, str]:
        texts = self.material.texts
        declared = self.instrument.get("dimensions", ())
        named = {
            str(d["id"]): texts.of(d.get("title")) or str(d["id"]) if isinstance(d, Mapping) else str(d)
            for d in declared
        }
        return {"overall": texts("words.overall"), **named}

    def dimension(self, dimension_id: str) -> str:
        """The dimension's title; of two (`a × b`) both, and of all together the word for it."""
        if dimension_id == "all":
            return self.material.texts("words.all_dimensions")
        if dimension_id in self._dimensions:
            return self._dimensions[dimension_id]
        parts = dimension_id.split(" × ")
        return " × ".join(self._dimensions.get(part, part) for part in parts)

    def dimension_order(self, found: set[str]) -> list[str]:
        """`overall` first, then as the instrument lists them."""
        known = [d for d in self._dimensions if d in found]
        return known + sorted(found - set(known))

    def item_text(self, item_id: str) -> str:
        return self.material.texts.of(self.items.get(item_id, {}).get("text"))

    def table(self, name: str) -> pd.DataFrame:
        frame = self.material.results.tables[name]
        return frame[frame["analysis"] == self.id]

    def headline(self, name: str) -> pd.DataFrame:
        """The rows of a table about the whole scale, or about the only dimension there is."""
        frame = self.table(name)
        found = set(frame["dimension"])
        if "overall" in found or not found:
            return frame[frame["dimension"] == "overall"]
        return frame[frame["dimension"] == self.dimension_order(found)[0]]

    def waves(self, frame: pd.DataFrame) -> list[str]:
        found = set(frame["wave"])
        known = [wave for wave in self.material.wave_ids if wave in found]
        return known + sorted(found - set(known))

    def latest(self, frame: pd.DataFrame) -> pd.DataFrame:
        waves = self.waves(frame)
        return frame[frame["wave"] == waves[-1]] if waves else frame

    def ci(self, frame: pd.DataFrame) -> str:
        """The probability of the intervals, as a percentage."""
        probs = frame["ci_prob"].dropna()
        fallback = self.material.context.get("report", {}).get("ci_prob", 0.9)
        return self.material.texts.percent(float(probs.iloc[0]) if len(probs) else float(fallback))
