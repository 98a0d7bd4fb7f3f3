"""`leadership_link`: does leadership in a unit go with how other units experience working with it?"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from relcap_models.data.survey import Survey
from relcap_models.errors import DataError, Problem
from relcap_models.models.frame import Frame, frame_of
from relcap_models.models.rating_model import RatingModel
from relcap_models.schema.instrument import Declaration, Dimension, Instrument, Item


class Result(Declaration):
    """An outcome of units in the table of outcomes that relational capacity may go with.

    family : `gaussian` (a mean, with its `se` or `n`), `binomial` (a share of `n`) or `count` (events in an
    exposure of `n`) · structure, complexity : attributes of units; with both, the contingency test of whether
    structural coordination and relational capacity matter more or less as complexity grows
    """

    outcome: str
    family: Literal["gaussian", "binomial", "count"] = "gaussian"
    structure: str | None = None
    complexity: str | None = None


class LeadershipLink(RatingModel):
    """Ratings of a unit by others, and of its leaders and its team by its own staff, in one model.

    Kind `leadership_link`. How others experience a unit (its target effect), how the unit rates others (its
    perceiver effect), its leadership and its psychological safety are latent variables of the unit with one
    covariance; respondents have one leniency for each instrument, and these covary too. The link is a
    regression among the unit's latent variables, so that neither the number of raters nor the leniency of
    single respondents attenuates or fakes it.

    instrument, leadership, safety : ids of the instruments; without `safety` there is no mediation
    dimensions : `pooled` takes all items of an instrument as one factor; `separate` takes each dimension as a
    latent variable of its own, and each dimension of `instrument` as an outcome of its own
    outcome : the dimension of `instrument` that this model is about, where dimensions are separate
    source : `different` leaves ratings of the own unit out; `same` has nothing but them, so that the same
    people rate leadership and outcome (common-method bias included)
    covariates : attributes of units, such as `layer`, `size`, `complexity`, held constant
    moderator : attribute of units (a number) on which the effect of leadership may depend
    cascade : layers from the top down: does leadership go with that of the layer above?
    results : outcomes of units that how others experience them may go with
    smallest : the smallest effect of interest, in points of the outcome per standard deviation of leadership
    """

    kind: Literal["leadership_link"] = "leadership_link"
    id: str = "leadership_link"
    instrument: str = "relational_capacity"
    leadership: str = "relational_leadership"
    safety: str | None = "psychological_safety"
    dimensions: Literal["pooled", "separate"] = "pooled"
    outcome: str | None = None
    source: Literal["different", "same"] = "different"
    covariates: tuple[str, ...] = Field((), description="attributes of units: layer, size, complexity")
    moderator: str | None = None
    cascade: tuple[str, ...] = ()
    results: tuple[Result, ...] = ()
    has_lagged: ClassVar[bool] = True
    smallest: float = Field(0.1, gt=0, description="smallest effect of interest, in points per sd")

    @model_validator(mode="after")
    def _one_leadership(self) -> LeadershipLink:
        if self.dimensions == "separate" and (self.moderator is not None or self.cascade):
            raise ValueError("moderator and cascade take leadership as one factor: use dimensions: pooled")
        return self

    @property
    def climates(self) -> tuple[str, ...]:
        """Instruments that the unit's own staff answer about their leaders and their team."""
        return (self.leadership,) if self.safety is None else (self.leadership, self.safety)

    def sources(self, survey: Survey) -> tuple[str, ...]:
        """Different people, and the same ones where they rate their own unit on the outcome, too."""
        answers = survey.of_instrument(self.instrument)
        own = answers["rater_unit"].astype(object) == answers["target_unit"].astype(object)
        return ("different", "same") if own.any() else ("different",)

    @property
    def version(self) -> str:
        """Which of the analysis' models this is: `different`, `same-orientation` …"""
        return self.source if self.outcome is None else f"{self.source}-{self.outcome}"

    @property
    def label(self) -> str:
        """Its name where rows of all versions stand in one table: `leadership_link (same)`."""
        return f"{self.id} ({self.version})"

    def versions(self, survey: Survey) -> tuple[LeadershipLink, ...]:
        """The models that make up the analysis: for each outcome and source."""
        return tuple(
            model.model_copy(update={"source": source})
            for model in self.outcomes(survey)
            for source in self.sources(survey)
        )

    def outcomes(self, survey: Survey) -> tuple[LeadershipLink, ...]:
        """This model for each outcome: itself, or one for each dimension of its instrument."""
        if self.dimensions == "pooled" or self.outcome is not None:
            return (self,)
        known = self._declared(survey, self.instrument).dimension_ids
        return tuple(self.model_copy(update={"outcome": d}) for d in known)

    def with_spreads(self, factor: float) -> LeadershipLink:
        """The model with every prior scale of a standard deviation so many times as large."""
        spreads = {name: factor * value for name, value in self.priors if name.startswith("sd_")}
        return self.model_copy(update={"priors": self.priors.model_copy(update=spreads)})

    def frame(self, survey: Survey) -> Frame:
        """Responses to all instruments, each rating about one facet: the outcome first, then the climates."""
        names = (self.instrument, *self.climates)
        declared = [self._declared(survey, name) for name in names]
        facets, items = self._facets(declared)
        table = survey.responses[survey.responses["instrument"].isin(names)]
        of_outcome = (table["instrument"] == self.instrument).to_numpy()
        own = table["rater_unit"].to_numpy(object) == table["target_unit"].to_numpy(object)
        label = table["instrument"].astype(object) + "." + table["item"].astype(object)
        wanted = own if self.source == "same" else own != of_outcome
        kept = (wanted & label.isin(items).to_numpy()).nonzero()[0]
        self._check_answers(names, table.iloc[kept])
        joined = Instrument(
            id=self.id,
            title={"en": self.id},
            referent="target_unit",
            dimensions=(Dimension(id="latent", title={"en": "latent"}),),
            items=tuple(item for item, _ in items.values()),
            source=", ".join(names),
            original_language="en",
            translation_status={},
        )
        frame = frame_of(
            table.iloc[kept].assign(item=label.iloc[kept]),
            joined,
            survey,
            covariates=self._ends(),
            facets=facets,
            facet_of_item=np.array([facet for _, facet in items.values()]),
        )
        return _by_facet(frame)

    def _declared(self, survey: Survey, name: str) -> Instrument:
        if name in survey.instruments:
            return survey.instruments[name]
        known = ", ".join(survey.instruments)
        problem = Problem(
            "study.yaml",
            f"analysis '{self.id}' needs the instrument '{name}', which this study does not have",
            f"Name one of {known}, or add it to `instruments`",
        )
        raise DataError(problems=[problem])

    def _facets(self, declared: list[Instrument]) -> tuple[tuple[str, ...], dict[str, tuple[Item, int]]]:
        """Facets, and label → item with its own scale and its facet."""
        facets: list[str] = []
        items: dict[str, tuple[Item, int]] = {}
        for instrument in declared:
            for item in instrument.items:
                if instrument.id == self.instrument and self.outcome not in (None, item.dimension):
                    continue
                whole = self.dimensions == "pooled"
                facet = instrument.id if whole else f"{instrument.id}.{item.dimension}"
                if facet not in facets:
                    facets.append(facet)
                label = f"{instrument.id}.{item.id}"
                changed = {"id": label, "dimension": "latent", "scale": instrument.scale_of(item)}
                items[label] = item.model_copy(update=changed), facets.index(facet)
        return tuple(facets), items

    def _check_answers(self, names: tuple[str, ...], table: pd.DataFrame) -> None:
        """Refuse a link to nothing."""
        answered = set(pd.unique(table["instrument"].astype(str)))
        asked = {self.instrument: "of another unit" if self.source == "different" else "of the own unit"}
        problems = [
            Problem(
                "responses",
                f"analysis '{self.id}': no answers to '{name}' {asked.get(name, 'of the own unit')}",
                "Add its answers, or remove the analysis from the study file",
            )
            for name in names
            if name not in answered
        ]
        if problems:
            raise DataError(problems=problems)

    def _ends(self) -> tuple[str, ...]:
        """A unit's attributes where it is rated, and where it rates others."""
        ends = ("target",) if self.source == "same" else ("target", "rater")
        return tuple(f"{end}.{name}" for end in ends for name in self.covariates)


def _by_facet(frame: Frame) -> Frame:
    """Covariates with a coefficient for each facet; the rater's act on ratings of other units alone."""
    names, columns = [], []
    for position, name in enumerate(frame.covariates):
        values = frame.covariates_of_rating[:, position]
        for f, facet in enumerate(frame.facets):
            acts = frame.facet_of_rating == f
            if name.startswith("rater."):
                acts &= ~frame.own
            if (values[acts] != 0).any():
                names.append(f"{facet}:{name}")
                columns.append(np.where(acts, values, 0.0))
    of_rating = np.stack(columns, axis=-1) if columns else np.zeros((frame.n_ratings, 0))
    of_relation = np.zeros((frame.n_relations, len(frame.waves), len(names)))
    return replace(
        frame, covariates=tuple(names), covariates_of_rating=of_rating, covariates_of_relation=of_relation
    )
