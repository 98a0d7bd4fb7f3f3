"""What an instrument is: items, dimensions, a response scale, and where they come from."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from relcap_models.schema import codes

Language = Literal["da", "nb", "en"]
Text = dict[str, str]
"""Language code to text. The codes of the shipped files are `da`, `nb` and `en`; others are allowed."""


OVERALL = "overall"
"""In tables, the `dimension` of figures about all items together."""


class Declaration(BaseModel):
    """Base of everything that a YAML file declares: unknown keys are errors, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Dimension(Declaration):
    """A dimension that several items measure."""

    id: str
    title: Text


class Scale(Declaration):
    """The response scale: whole numbers from `minimum` to `maximum`.

    `favourable_from` is the lowest answer that counts as favourable. No source of the shipped instruments
    states a scale, so it is part of the instrument file and every study should check it.
    """

    minimum: int = 1
    maximum: int = 5
    favourable_from: int = 4
    labels: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @property
    def n_categories(self) -> int:
        return self.maximum - self.minimum + 1

    @model_validator(mode="after")
    def _consistent(self) -> Scale:
        if self.maximum <= self.minimum:
            raise ValueError(f"maximum ({self.maximum}) must be above minimum ({self.minimum})")
        if not self.minimum < self.favourable_from <= self.maximum:
            raise ValueError(
                f"favourable_from ({self.favourable_from}) must lie above minimum and at most at maximum"
            )
        for language, labels in self.labels.items():
            if len(labels) != self.n_categories:
                raise ValueError(
                    f"labels.{language} has {len(labels)} labels for {self.n_categories} answer categories"
                )
        return self


class Item(Declaration):
    """One question. `scale` is given only where it differs from the instrument's."""

    id: str
    dimension: str
    text: Text
    reversed: bool = False
    facet: str | None = None
    note: str | None = None
    scale: Scale | None = None


class Instrument(Declaration):
    """A questionnaire: what is asked about whom, on which scale, and how far it has been validated."""

    id: str
    title: Text
    version: str = "1"
    referent: Literal[
        "target_unit",
        "own_team",
        "own_leaders",
        "own_organisation_and_each_target_organisation",
        "service",
    ]
    dimensions: tuple[Dimension, ...] = Field(min_length=1)
    scale: Scale = Scale()
    dont_know: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    items: tuple[Item, ...] = Field(min_length=1)
    source: str
    original_language: str
    translation_status: Text

    @property
    def about_targets(self) -> bool:
        """True if respondents rate partner units, False if they rate their own team or leaders."""
        return self.referent in ("target_unit", "own_organisation_and_each_target_organisation")

    @property
    def item_ids(self) -> tuple[str, ...]:
        return tuple(item.id for item in self.items)

    @property
    def dimension_ids(self) -> tuple[str, ...]:
        return tuple(dimension.id for dimension in self.dimensions)

    def scale_of(self, item: Item) -> Scale:
        return item.scale or self.scale

    @model_validator(mode="after")
    def _consistent(self) -> Instrument:
        ids = [item.id for item in self.items]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"items appear twice: {', '.join(twice)}")
        known = set(self.dimension_ids)
        if OVERALL in known:
            raise ValueError(f"dimension '{OVERALL}': this id is kept for all items together")
        for item in self.items:
            if item.dimension not in known:
                raise ValueError(
                    f"item {item.id}: dimension '{item.dimension}' is not declared "
                    f"(known: {', '.join(sorted(known))})"
                )
        used = {item.dimension for item in self.items}
        unused = [d for d in self.dimension_ids if d not in used]
        if unused:
            raise ValueError(f"dimensions without items: {', '.join(unused)}")
        both = [code for code in self.missing if any(codes.same(code, other) for other in self.dont_know)]
        if both:
            raise ValueError(f"codes are both missing and don't know: {', '.join(sorted(both))}")
        scales = {(s.minimum, s.maximum) for s in (self.scale, *map(self.scale_of, self.items))}
        answers = [c for c in (*self.dont_know, *self.missing) if any(codes.is_answer(c, *s) for s in scales)]
        if answers:
            raise ValueError(f"codes are also answers on the scale: {', '.join(answers)}")
        return self
