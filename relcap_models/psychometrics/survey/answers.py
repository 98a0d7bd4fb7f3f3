"""The ratings of one instrument as a table of items, and the groups they fall into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.data.survey import Survey
from relcap_models.schema.instrument import OVERALL, Instrument, Scale

LEAST_RESPONDENTS = 50
LEAST_RATINGS = 100
"""Below these a factor model of ordinal items says little (Rhemtulla, Brosseau-Liard & Savalei 2012 find its
errors dependable from some 100 to 200); such groups are not examined."""

FEW = 5
"""A category with fewer answers in some group is taken together with its neighbour: thresholds and polychoric
correlations of nearly empty cells are hardly estimated."""


@dataclass(frozen=True)
class Answers:
    """Ratings of one instrument.

    items : (rating, item) answers, reverse scored where the instrument says so; NaN where there is none
    about : (rating,) `wave, respondent, rater_unit, target_unit, language, layer`; language and layer are
        missing where nobody said
    """

    instrument: Instrument
    items: pd.DataFrame
    about: pd.DataFrame

    @property
    def dimensions(self) -> Mapping[str, list[str]]:
        """Items that were answered, by dimension, as the instrument lists them."""
        asked = set(self.items.columns)
        return {
            dimension: found
            for dimension in self.instrument.dimension_ids
            if (found := [i.id for i in self.instrument.items if i.dimension == dimension and i.id in asked])
        }

    @property
    def scales(self) -> Mapping[str, list[str]]:
        """The dimensions, and all items together where there is more than one dimension."""
        whole = {OVERALL: list(self.items.columns)} if len(self.dimensions) > 1 else {}
        return {**whole, **self.dimensions}

    @property
    def subject(self) -> pd.Series:
        """(rating,) what is rated, by whom: a relation in one wave, or the own unit in one wave."""
        ends = self.about[["wave", "rater_unit", "target_unit"]]
        return pd.Series(pd.factorize(pd.MultiIndex.from_frame(ends))[0], index=ends.index)

    def scale_of(self, name: str) -> Scale:
        """The response scale of an item."""
        (item,) = (item for item in self.instrument.items if item.id == name)
        return self.instrument.scale_of(item)

    def where(self, rows: pd.Series) -> Answers:
        return Answers(self.instrument, self.items[rows], self.about[rows])

    def large_groups(self, by: str) -> list[str]:
        """Values of a column of `about` with enough respondents and ratings, in the order of the survey."""
        known = self.about[self.about[by].notna()]
        groups = known.groupby(by, sort=False, observed=True)["respondent"].agg(["size", "nunique"])
        enough = (groups["size"] >= LEAST_RATINGS) & (groups["nunique"] >= LEAST_RESPONDENTS)
        return [str(name) for name in groups.index[enough]]


def answers_to(survey: Survey, instrument: Instrument) -> Answers:
    """The ratings of one instrument, in order of the waves."""
    responses = survey.of_instrument(instrument.id)
    keys = ["wave", "respondent_id", "rater_unit", "target_unit"]
    keys += ["task"] if "task" in responses else []
    long = responses[[*keys, "item", "value"]].copy()
    long[keys] = long[keys].astype(object)
    long["item"] = long["item"].astype(str)
    order = {wave.id: number for number, wave in enumerate(survey.waves)}
    wide = long.pivot(index=keys, columns="item", values="value").reset_index()
    wide = wide.sort_values("wave", key=lambda wave: wave.map(order), kind="stable", ignore_index=True)
    items = pd.DataFrame(
        {item.id: _scored(wide[item.id], instrument, item) for item in instrument.items if item.id in wide}
    )
    about = wide[keys].rename(columns={"respondent_id": "respondent"})
    about["language"] = _of_respondents(survey.respondents, about, "language")
    layers = (
        survey.units.set_index("unit_id")["layer"] if "layer" in survey.units else pd.Series(dtype=object)
    )
    about["layer"] = about["rater_unit"].map(layers.astype(object))
    return Answers(instrument, items, about)


def _scored(values: pd.Series, instrument: Instrument, item) -> pd.Series:
    scale = instrument.scale_of(item)
    values = values.astype(float)
    return scale.minimum + scale.maximum - values if item.reversed else values


def _of_respondents(respondents: pd.DataFrame, about: pd.DataFrame, column: str) -> pd.Series:
    """An attribute of each rating's respondent, in that wave if the table tells waves apart."""
    if column not in respondents or respondents.empty:
        return pd.Series(np.nan, index=about.index, dtype=object)
    keys = ["respondent_id", *(["wave"] if "wave" in respondents else [])]
    known = respondents[[*keys, column]].dropna(subset=[column]).drop_duplicates(keys).astype(object)
    of = about.rename(columns={"respondent": "respondent_id"})[keys].merge(known, on=keys, how="left")
    return of[column].set_axis(about.index)


def merge_rare(
    items: pd.DataFrame, groups: pd.Series | None = None
) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Answers with rare categories taken together with their neighbours, and which those are.

    A category is rare if some group gave it fewer than `FEW` times. It joins the neighbour with fewer
    answers; two categories always remain.

    Returns
    -------
    The answers, and by item the categories that became one, such as `1–2`.
    """
    groups = pd.Series(0, index=items.index) if groups is None else groups
    merged, told = {}, {}
    for name in items:
        values = items[name]
        counts = pd.crosstab(values, groups)
        parts = [[value] for value in counts.index]
        table = counts.to_numpy()
        while len(parts) > 2 and table.min() < FEW:
            at = int(table.min(axis=1).argmin())
            beside = [k for k in (at - 1, at + 1) if 0 <= k < len(parts)]
            to = min(beside, key=lambda k: table[k].sum())
            low, high = sorted((at, to))
            parts[low : high + 1] = [parts[low] + parts[high]]
            table = np.vstack([table[:low], table[low] + table[high], table[high + 1 :]])
        code = {value: float(part[0]) for part in parts for value in part}
        merged[name] = values.map(code)
        joined = [f"{part[0]:g}–{part[-1]:g}" for part in parts if len(part) > 1]
        if joined:
            told[str(name)] = joined
    return pd.DataFrame(merged, index=items.index), told
