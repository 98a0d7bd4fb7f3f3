"""The survey as integer arrays: who rated whom, when, on which item. One frame serves all models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from relcap_models.data.survey import Survey
from relcap_models.errors import DataError, Problem
from relcap_models.models.covariates import covariate_columns
from relcap_models.schema.instrument import Instrument, Text


@dataclass(frozen=True)
class Frame:
    """Index arrays of one instrument's responses, in the order ratings → responses.

    Shapes: N ratings (respondent × target × wave), M responses, R relations (directed, rater ≠ target),
    I items, D dimensions. Answers are 0-based categories after reverse scoring. `relation_of_rating` is −1
    for ratings of the own unit. A relation's `partner_of_relation` is the same pair seen from the other
    side, −1 where nobody looked. `covariates_of_rating` is (N, C), `covariates_of_relation` (R, W, C);
    both on the scale used in the model.

    Where several instruments are modelled together every rating is about one *facet*: η has one column, which
    means another thing in each facet. All other frames have one facet, the instrument itself.

    What the frame does not hold: `constant_covariates` have one value everywhere, `units_apart` neither
    rate nor are rated, and answers about `n_tasks` tasks (0 where none is named) are one rating of a target.
    """

    instrument: Instrument
    waves: tuple[str, ...]
    units: tuple[str, ...]
    respondents: tuple[str, ...]
    district_of_unit: np.ndarray
    respondent_of_rating: np.ndarray
    rater_of_rating: np.ndarray
    target_of_rating: np.ndarray
    wave_of_rating: np.ndarray
    relation_of_rating: np.ndarray
    rating_of_response: np.ndarray
    item_of_response: np.ndarray
    answer: np.ndarray
    rater_of_relation: np.ndarray
    target_of_relation: np.ndarray
    partner_of_relation: np.ndarray
    covariates: tuple[str, ...]
    covariates_of_rating: np.ndarray
    covariates_of_relation: np.ndarray
    constant_covariates: tuple[str, ...] = ()
    units_apart: tuple[str, ...] = ()
    n_tasks: int = 0
    facets: tuple[str, ...] = ("",)
    facet_of_item: np.ndarray | None = None

    @property
    def n_ratings(self) -> int:
        return len(self.wave_of_rating)

    @property
    def n_relations(self) -> int:
        return len(self.rater_of_relation)

    @property
    def items(self) -> tuple[str, ...]:
        return self.instrument.item_ids

    @property
    def dimensions(self) -> tuple[str, ...]:
        return self.instrument.dimension_ids

    @property
    def dimension_titles(self) -> tuple[Text, ...]:
        """What a reader calls each dimension, by language."""
        return tuple(d.title or {"en": d.id} for d in self.instrument.dimensions)

    @cached_property
    def own(self) -> np.ndarray:
        """(N,) True where a respondent rated the own unit."""
        return self.rater_of_rating == self.target_of_rating

    @cached_property
    def facet_of_rating(self) -> np.ndarray:
        """(N,) facet that each rating is about: that of its items."""
        facet = np.zeros(self.n_ratings, dtype=np.int64)
        if self.facet_of_item is not None:
            facet[self.rating_of_response] = self.facet_of_item[self.item_of_response]
        return facet

    @property
    def mixed(self) -> bool:
        """True if the same items ask about the own unit and about others."""
        return len(self.facets) == 1 and bool(self.own.any() and not self.own.all())

    @cached_property
    def latent_of_item(self) -> np.ndarray:
        """(I,) which of facets × dimensions each item measures; its scale is that of their loadings."""
        if self.facet_of_item is None:
            return self.dimension_of_item
        return self.facet_of_item * len(self.dimensions) + self.dimension_of_item

    @property
    def n_latents(self) -> int:
        return len(self.facets) * len(self.dimensions)

    @cached_property
    def _kind_of_rating(self) -> np.ndarray:
        """(N,) own unit or others in the only facet, or the facet: locations are free for each in a wave."""
        return self.facet_of_rating if len(self.facets) > 1 else self.own.astype(np.int64)

    @cached_property
    def _levels(self) -> tuple[np.ndarray, np.ndarray]:
        n_kinds = max(len(self.facets), 2)
        return np.unique(n_kinds * self.wave_of_rating + self._kind_of_rating, return_inverse=True)

    @property
    def level_of_rating(self) -> np.ndarray:
        """(N,) number of the level (wave and facet, or wave and own unit or others) of each rating."""
        return self._levels[1]

    @cached_property
    def level_runs(self) -> tuple[np.ndarray, np.ndarray]:
        """Ratings of one level that stand together: (R + 1,) the first of each run, and (R,) its level."""
        level = self.level_of_rating
        first = np.flatnonzero(np.diff(level, prepend=-1))
        return np.append(first, len(level)), level[first]

    @cached_property
    def wave_of_level(self) -> np.ndarray:
        return self._levels[0] // max(len(self.facets), 2)

    @cached_property
    def kind_of_level(self) -> np.ndarray:
        """The facet of each level; with one facet 1 for ratings of the own unit and 0 for others."""
        return self._levels[0] % max(len(self.facets), 2)

    @cached_property
    def n_ratings_of_level(self) -> np.ndarray:
        return np.bincount(self.level_of_rating)

    @cached_property
    def dimension_of_item(self) -> np.ndarray:
        return np.array([self.dimensions.index(item.dimension) for item in self.instrument.items])

    @cached_property
    def minimum_of_item(self) -> np.ndarray:
        """(I,) the lowest answer of each item's scale, in points."""
        return np.array([self.instrument.scale_of(item).minimum for item in self.instrument.items])

    @cached_property
    def n_categories(self) -> np.ndarray:
        return np.array([self.instrument.scale_of(item).n_categories for item in self.instrument.items])

    @cached_property
    def favourable_category(self) -> np.ndarray:
        """(I,) lowest 0-based category that counts as favourable, after reverse scoring."""
        scales = [self.instrument.scale_of(item) for item in self.instrument.items]
        return np.array([scale.favourable_from - scale.minimum for scale in scales])

    @cached_property
    def item_of_threshold(self) -> np.ndarray:
        """(Σ(K−1),) item of each threshold; thresholds lie item by item, in rising order."""
        return np.repeat(np.arange(len(self.items)), self.n_categories - 1)

    @cached_property
    def first_threshold(self) -> np.ndarray:
        """(I,) position of each item's first threshold in the flat threshold vector."""
        return np.concatenate([[0], np.cumsum(self.n_categories - 1)[:-1]])

    @cached_property
    def threshold_labels(self) -> list[str]:
        return [f"{item}[{k}]" for item, n in zip(self.items, self.n_categories) for k in range(1, n)]

    @cached_property
    def relation_labels(self) -> list[str]:
        return [
            f"{self.units[u]}→{self.units[t]}"
            for u, t in zip(self.rater_of_relation, self.target_of_relation)
        ]

    @cached_property
    def latent_scale_of_answers(self) -> float:
        """Pooled within-item standard deviation of the answers, in points (for the gaussian family)."""
        counts = np.maximum(np.bincount(self.item_of_response, minlength=len(self.items)), 1)
        mean = np.bincount(self.item_of_response, self.answer, minlength=len(self.items)) / counts
        return float(np.sqrt(np.mean((self.answer - mean[self.item_of_response]) ** 2)) or 1.0)

    def of_facet(self, facet: int) -> Frame:
        """The ratings about one facet alone, with its items; units, respondents and waves stay all."""
        ratings = np.flatnonzero(self.facet_of_rating == facet)
        kept = self.facet_of_rating[self.rating_of_response] == facet
        items = np.flatnonzero(self.latent_of_item // len(self.dimensions) == facet)
        instrument = self.instrument.model_copy(
            update={"items": tuple(self.instrument.items[i] for i in items)}
        )
        relation = self.relation_of_rating[ratings]
        related = np.arange(self.n_relations if (relation >= 0).any() else 0)
        return replace(
            self,
            instrument=instrument,
            respondent_of_rating=self.respondent_of_rating[ratings],
            rater_of_rating=self.rater_of_rating[ratings],
            target_of_rating=self.target_of_rating[ratings],
            wave_of_rating=self.wave_of_rating[ratings],
            relation_of_rating=relation,
            rating_of_response=np.searchsorted(ratings, self.rating_of_response[kept]),
            item_of_response=np.searchsorted(items, self.item_of_response[kept]),
            answer=self.answer[kept],
            rater_of_relation=self.rater_of_relation[related],
            target_of_relation=self.target_of_relation[related],
            partner_of_relation=self.partner_of_relation[related],
            covariates_of_rating=self.covariates_of_rating[ratings],
            covariates_of_relation=self.covariates_of_relation[related],
            facets=("",),
            facet_of_item=None,
        )

    def without_answers_of(self, respondents: np.ndarray) -> Frame:
        """The same design in which these respondents (positions) have answered nothing."""
        kept = ~np.isin(self.respondent_of_rating[self.rating_of_response], respondents)
        return replace(
            self,
            rating_of_response=self.rating_of_response[kept],
            item_of_response=self.item_of_response[kept],
            answer=self.answer[kept],
        )


def build_frame(survey: Survey, instrument: str, *, covariates: tuple[str, ...] = ()) -> Frame:
    """Turn the responses to one instrument into a frame.

    Raises
    ------
    DataError
        If nobody answered the instrument, or a covariate is unknown or incomplete.
    """
    declared = survey.instruments[instrument]
    table = survey.of_instrument(instrument)
    if table.empty:
        raise DataError(
            problems=[
                Problem(
                    "responses",
                    f"no answers to the instrument '{instrument}'",
                    "Add its answers, or remove the analysis from the study file",
                )
            ]
        )
    return frame_of(table, declared, survey, covariates=covariates)


def _factorized(column: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """Codes, and the values as text: of a long column the few values alone are made text."""
    code, values = pd.factorize(column)
    return code, pd.Index(values).astype("str")


def _positions(column: tuple[np.ndarray, pd.Index], known: Sequence[str]) -> np.ndarray:
    """Where each value of a factorized column stands among those that are known; −1 if it does not."""
    code, values = column
    place = pd.Index(known, dtype="str").get_indexer(values)
    return np.where(code < 0, -1, place[code]).astype(np.int64)


def frame_of(
    table: pd.DataFrame,
    declared: Instrument,
    survey: Survey,
    *,
    covariates: tuple[str, ...] = (),
    facets: tuple[str, ...] = ("",),
    facet_of_item: np.ndarray | None = None,
) -> Frame:
    """The frame of some of a survey's responses, to the items of `declared`.

    facet_of_item : (I,) position in `facets`, where the items belong to more than one
    """
    waves = tuple(w.id for w in survey.waves if (table["wave"] == w.id).any())
    keys = ["wave", "respondent_id", "rater_unit", "target_unit"]
    text = {key: _factorized(table[key]) for key in (*keys, "item")}
    listed = tuple(survey.units["unit_id"].astype(str))
    taking_part = {unit for end in ("rater_unit", "target_unit") for unit in text[end][1]}
    units = tuple(u for u in listed if u in taking_part)
    respondents = tuple(sorted(text["respondent_id"][1]))
    codes = pd.DataFrame(
        {
            "wave": _positions(text["wave"], waves),
            "respondent": _positions(text["respondent_id"], respondents),
            "rater": _positions(text["rater_unit"], units),
            "target": _positions(text["target_unit"], units),
        }
    )
    item = _positions(text["item"], declared.item_ids)
    codes["facet"] = 0 if facet_of_item is None else facet_of_item[item]
    key = ["wave", "rater", "target", "respondent", "facet"]
    rating_key = codes.groupby(key, sort=True).ngroup().to_numpy()
    ratings = codes.assign(rating=rating_key).drop_duplicates("rating").sort_values("rating")
    order = np.lexsort((item, rating_key))
    rater, target = ratings["rater"].to_numpy(), ratings["target"].to_numpy()
    cells = np.unique(np.column_stack([rater, target])[rater != target], axis=0)
    n = len(units)
    code_of_relation = cells[:, 0] * n + cells[:, 1]
    relation = np.searchsorted(code_of_relation, rater * n + target)
    relation[rater == target] = -1
    mirror = cells[:, 1] * n + cells[:, 0]
    partner = np.searchsorted(code_of_relation, mirror).clip(max=max(len(cells) - 1, 0))
    if len(cells):
        partner = np.where(code_of_relation[partner] == mirror, partner, -1)
    wave_of_rating = ratings["wave"].to_numpy()
    names, by_rating, by_relation, constant = covariate_columns(
        survey,
        covariates,
        units=units,
        waves=waves,
        rater=rater,
        target=target,
        wave=wave_of_rating,
        relations=cells,
    )
    attributes = survey.units.set_index(survey.units["unit_id"].astype(str)).reindex(list(units))
    district = attributes["district"] if "district" in attributes else pd.Series([None] * n)
    return Frame(
        instrument=declared,
        waves=waves,
        units=units,
        respondents=respondents,
        district_of_unit=pd.Categorical(district.astype("object")).codes.astype(np.int64),
        respondent_of_rating=ratings["respondent"].to_numpy(),
        rater_of_rating=rater,
        target_of_rating=target,
        wave_of_rating=wave_of_rating,
        relation_of_rating=relation,
        rating_of_response=rating_key[order],
        item_of_response=item[order],
        answer=_category(table["value"].to_numpy(dtype=float), item, declared)[order],
        rater_of_relation=cells[:, 0],
        target_of_relation=cells[:, 1],
        partner_of_relation=partner,
        covariates=names,
        covariates_of_rating=by_rating,
        covariates_of_relation=by_relation,
        constant_covariates=constant,
        units_apart=tuple(u for u in listed if u not in taking_part),
        n_tasks=table["task"].nunique() if "task" in table else 0,
        facets=facets,
        facet_of_item=facet_of_item,
    )


def _category(value: np.ndarray, item: np.ndarray, instrument: Instrument) -> np.ndarray:
    """0-based category of each answer, reverse scored where the item is."""
    scales = [instrument.scale_of(i) for i in instrument.items]
    lowest = np.array([s.minimum for s in scales])[item]
    highest = np.array([s.maximum for s in scales])[item]
    reverse = np.array([i.reversed for i in instrument.items])[item]
    return np.where(reverse, highest - value, value - lowest)
