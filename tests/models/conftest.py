"""Small surveys of every shape that a design can have, with the model that is fitted to each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from relcap_models.data import Survey, read_survey
from relcap_models.inference.geometry import observe_ratings
from relcap_models.models import Climate, LeadershipLink, ProgrammeEffect, Relation
from relcap_models.models.density import Density
from relcap_models.models.exposure import Spillover
from relcap_models.models.frame import Frame
from relcap_models.models.information import PseudoObservations
from relcap_models.models.priors import Priors
from relcap_models.models.rating_model import RatingModel
from relcap_models.models.structure import Structure
from relcap_models.schema.instrument import Instrument

TWO_BY_TWO = (("a1", "a", 5), ("a2", "a", 5), ("b1", "b", 5), ("b2", "b", 5))
"""Items as (id, dimension, number of categories)."""
ONE_AND_THREE = (("a1", "a", 5), ("b1", "b", 5), ("b2", "b", 5), ("b3", "b", 5))


def make_instrument(
    items: Sequence[tuple[str, str, int]], *, reversed_items: Sequence[str] = ()
) -> Instrument:
    """An instrument `scale` with these items."""
    english = {"en": "text"}
    return Instrument.model_validate(
        {
            "id": "scale",
            "title": english,
            "referent": "target_unit",
            "dimensions": [
                {"id": d, "title": {"en": d.upper()}} for d in dict.fromkeys(d for _, d, _ in items)
            ],
            "items": [
                {
                    "id": name,
                    "dimension": dimension,
                    "text": english,
                    "reversed": name in reversed_items,
                    "scale": {"minimum": 1, "maximum": k, "favourable_from": k},
                }
                for name, dimension, k in items
            ],
            "source": "made for the tests",
            "original_language": "en",
            "translation_status": {"en": "original"},
        }
    )


def make_survey(
    ratings: Iterable[tuple[str, str, str, str]],
    items: Sequence[tuple[str, str, int]] = TWO_BY_TWO,
    *,
    seed: int = 1,
    missing: float = 0.1,
    districts: dict[str, str] | None = None,
    attributes: dict[str, dict[str, Any]] | None = None,
    nominations: Sequence[tuple[str, str, str, float]] = (),
    programmes: Sequence[dict[str, Any]] = (),
) -> Survey:
    """A survey of ratings (wave, respondent, rater unit, target unit), with answers at random.

    A share `missing` of the answers is left out, but never a whole rating.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for rating in ratings:
        kept = rng.random(len(items)) >= missing
        kept[rng.integers(len(items))] = True
        for (item, _, k), keep in zip(items, kept):
            answer = int(rng.integers(1, k + 1))
            if keep:
                rows.append((*rating, "scale", item, answer))
    columns = ["wave", "respondent_id", "rater_unit", "target_unit", "instrument", "item", "value"]
    responses = pd.DataFrame(rows, columns=columns)
    units = pd.DataFrame({"unit_id": sorted({u for row in rows for u in row[2:4]})}, dtype=object).assign(
        name=lambda table: table["unit_id"]
    )
    if districts is not None:
        units["district"] = units["unit_id"].map(districts)
    for name, values in (attributes or {}).items():
        units[name] = units["unit_id"].map(values)
    tables = {"responses": responses, "units": units}
    if nominations:
        head = ["wave", "rater_unit", "target_unit", "importance"]
        tables["nominations"] = pd.DataFrame(list(nominations), columns=head)
    if programmes:
        tables["programmes"] = pd.DataFrame([{"programme": "P", **row} for row in programmes])
    return read_survey(tables, instruments=(make_instrument(items),))


def make_link_survey(
    units: Sequence[str],
    targets: dict[str, Sequence[str]],
    *,
    waves: int = 1,
    respondents: int = 2,
    attributes: dict[str, dict[str, Any]] | None = None,
) -> Survey:
    """Units that rate each other and, if `targets` says so, themselves; their leaders and their team.

    Items and people of the three instruments have the same ids where they can; one unit has nobody who rates
    the team.
    """
    rng = np.random.default_rng(5)
    asked = {"ties": TWO_BY_TWO, "leaders": (("a1", "a", 5), ("a2", "a", 4)), "team": ONE_AND_THREE[:3]}
    instruments = {
        name: make_instrument(items).model_copy(
            update={"id": name, "referent": "target_unit" if name == "ties" else "own_leaders"}
        )
        for name, items in asked.items()
    }
    rows = []
    for name, items in asked.items():
        towards = targets if name == "ties" else {unit: [unit] for unit in units}
        for wave, respondent, rater, target in who_rates(
            units, towards, respondents=respondents, waves=waves
        ):
            if name == "team" and rater == units[0]:
                continue
            kept = rng.random(len(items)) >= 0.1
            kept[rng.integers(len(items))] = True
            rows += [
                (wave, respondent, rater, target, name, item, int(rng.integers(1, k + 1)))
                for (item, _, k), keep in zip(items, kept)
                if keep
            ]
    columns = ["wave", "respondent_id", "rater_unit", "target_unit", "instrument", "item", "value"]
    roster = {"unit_id": list(units), "name": list(units)}
    roster |= {name: [values[unit] for unit in units] for name, values in (attributes or {}).items()}
    tables = {"responses": pd.DataFrame(rows, columns=columns), "units": pd.DataFrame(roster)}
    return read_survey(tables, instruments=tuple(instruments.values()))


PROGRAMME = {"instrument": "scale", "programme": "P", "assignment": "observational"}
LINK = {"instrument": "ties", "leadership": "leaders", "safety": "team"}


def who_rates(
    units: Sequence[str],
    targets: dict[str, Sequence[str]],
    *,
    respondents: int = 2,
    waves: int = 1,
    stay: bool = True,
) -> list[tuple[str, str, str, str]]:
    """Ratings of `targets[unit]` by so many respondents of each unit in each wave, the same if they stay."""
    return [
        (f"w{w + 1}", f"{unit}_{r}" if stay else f"{unit}_{r}_{w}", unit, target)
        for w in range(waves)
        for unit in units
        for r in range(respondents)
        for target in targets[unit]
    ]


def ring(units: Sequence[str], *, steps: Sequence[int] = (1, -1), own: bool = False) -> dict[str, list[str]]:
    """Each unit rates those so many places further on, and itself if `own`."""
    n = len(units)
    return {
        unit: [units[(i + step) % n] for step in steps] + ([unit] if own else [])
        for i, unit in enumerate(units)
    }


def _covariates(units: Sequence[str], **options: Any) -> tuple[RatingModel, Survey]:
    ratings = who_rates(units, ring(units, own=True), waves=2)
    attributes = {
        "size": {unit: 3.0 + 2 * i for i, unit in enumerate(units)},
        "layer": {unit: "leader" if i < 2 else "employee" for i, unit in enumerate(units)},
    }
    nominations = [
        (wave, unit, target, float(1 + (i + j) % 3))
        for wave in ("w1", "w2")
        for i, unit in enumerate(units)
        for j, target in enumerate(ring(units)[unit])
        if i or j
    ]
    survey = make_survey(ratings, attributes=attributes, nominations=nominations)
    covariates = ("rater.layer", "target.size", "relation.importance")
    return Relation(instrument="scale", covariates=covariates, **options), survey


def build_case(name: str) -> tuple[RatingModel, Survey]:
    """The model and survey of a named design."""
    four, nine = list("pqrs"), [f"u{i}" for i in range(9)]
    relation = Relation(instrument="scale")
    one_item = (("a1", "a", 5),)
    one_item_each = (("a1", "a", 4), ("b1", "b", 4))
    persons = {u: [t for t in four if t != u] for u in four}
    half_block = {"p": ["r", "s", "t"], "q": ["r", "s"], "o": ["s", "t"]}
    lopsided = {"p": ["q", "r"], "q": ["p"], "r": ["s"], "s": ["r", "p"]}
    match name:
        case "one wave, own ratings":
            return relation, make_survey(who_rates(four, ring(four, own=True)))
        case "three waves, districts":
            # One unit belongs to no district.
            districts = {u: "xyz"[i // 3] for i, u in enumerate(nine[:8])}
            ratings = who_rates(nine, ring(nine, own=True), respondents=1, waves=3)
            priors = Priors(stability=1.5, memory=3.0)
            return Relation(instrument="scale", priors=priors), make_survey(ratings, districts=districts)
        case "two waves, some relations from one side":
            ratings = who_rates(four, lopsided, waves=2)
            return Relation(instrument="scale", link="logit"), make_survey(ratings)
        case "three waves, no relation from both sides":
            ratings = who_rates(nine[:5], ring(nine[:5], steps=(1, 2)), waves=3, stay=False)
            return relation, make_survey(ratings)
        case "each unit rates one other, two waves":
            return relation, make_survey(who_rates(four, ring(four, steps=(1,), own=True), waves=2))
        case "half-block":
            model = Relation(instrument="scale", family="partial_credit")
            return model, make_survey(who_rates(list(half_block), half_block))
        case "persons rate persons":
            model = Relation(instrument="scale", family="partial_credit", loadings="equal")
            return model, make_survey(who_rates(four, persons, respondents=1), TWO_BY_TWO[:2])
        case "residual":
            return relation, make_survey(who_rates(four, persons, respondents=1), one_item)
        case "residual, gaussian, two dimensions, some relations from one side":
            model = Relation(instrument="scale", family="gaussian")
            return model, make_survey(who_rates(four, lopsided, respondents=1), one_item_each, missing=0)
        case "stable":
            return relation, make_survey(who_rates(four, persons, respondents=1, waves=2), one_item)
        case "stable, three waves, some relations from one side":
            ratings = who_rates(four, lopsided, respondents=1, waves=3)
            return Relation(instrument="scale", link="logit"), make_survey(ratings, one_item)
        case "gaussian, two waves":
            model = Relation(instrument="scale", family="gaussian")
            return model, make_survey(who_rates(four, ring(four, own=True), waves=2))
        case "items with 2, 3 and 7 categories":
            items = (("a1", "a", 2), ("a2", "a", 3), ("a3", "a", 7), ("b1", "b", 3), ("b2", "b", 2))
            return relation, make_survey(who_rates(four, ring(four)), items)
        case "dimensions of one and three items":
            return relation, make_survey(who_rates(four, ring(four)), ONE_AND_THREE)
        case "partial credit, items with 2 and 4 categories":
            items = (("a1", "a", 2), ("a2", "a", 4), ("b1", "b", 4))
            model = Relation(instrument="scale", family="partial_credit")
            return model, make_survey(who_rates(four, ring(four, own=True), waves=2), items)
        case "binary items":
            items = (("a1", "a", 2), ("a2", "a", 2))
            return Relation(instrument="scale", link="logit"), make_survey(who_rates(four, ring(four)), items)
        case "climate":
            return Climate(instrument="scale"), make_survey(who_rates(nine, {u: [u] for u in nine}, waves=2))
        case "climate, one wave, districts":
            districts = {u: "xyz"[i // 3] for i, u in enumerate(nine)}
            ratings = who_rates(nine, {u: [u] for u in nine})
            return Climate(instrument="scale", link="logit"), make_survey(ratings, districts=districts)
        case "covariates":
            return _covariates(four)
        case "programme, three waves, two starts, spillover":
            starts = [
                {"unit_id": unit, "start_wave": wave}
                for unit, wave in (("u0", "w2"), ("u1", "w2"), ("u2", "w3"), ("u3", "w3"))
            ]
            ratings = who_rates(nine, ring(nine), respondents=2, waves=3)
            model = ProgrammeEffect(
                **PROGRAMME, spillover=Spillover(end="target", share=0.5), estimate="event_study"
            )
            districts = {u: "xyz"[i // 3] for i, u in enumerate(nine)}
            return model, make_survey(ratings, programmes=starts, districts=districts)
        case "programme, own unit, dose":
            starts = [
                {"unit_id": unit, "start_wave": "w2", "dose": dose}
                for unit, dose in (("u0", 0.5), ("u1", 1.5), ("u2", 1.0))
            ]
            survey = make_survey(who_rates(nine, {u: [u] for u in nine}, waves=2), programmes=starts)
            own = survey.instruments["scale"].model_copy(update={"referent": "own_team"})
            model = ProgrammeEffect(**PROGRAMME, exposure="dose", dimensions="separate")
            return model, replace(survey, instruments={"scale": own})
        case "link, one wave":
            return LeadershipLink(**LINK), make_link_survey(four, ring(four, own=True))
        case "link, two waves, covariates":
            attributes = {"size": {unit: 3.0 + 2 * i for i, unit in enumerate(four)}}
            survey = make_link_survey(four, ring(four), waves=2, attributes=attributes)
            return LeadershipLink(**LINK, covariates=("size",)), survey
        case "link, three waves, separate dimensions":
            survey = make_link_survey(four, ring(four), waves=3, respondents=1)
            return LeadershipLink(**LINK, link="logit", dimensions="separate", outcome="b"), survey
        case "link, same source, two waves":
            model = LeadershipLink(**LINK | {"safety": None}, source="same", family="gaussian")
            return model, make_link_survey(four, ring(four, own=True), waves=2)
    raise KeyError(name)


CASES = (
    "one wave, own ratings",
    "three waves, districts",
    "two waves, some relations from one side",
    "three waves, no relation from both sides",
    "each unit rates one other, two waves",
    "half-block",
    "persons rate persons",
    "residual",
    "residual, gaussian, two dimensions, some relations from one side",
    "stable",
    "stable, three waves, some relations from one side",
    "gaussian, two waves",
    "items with 2, 3 and 7 categories",
    "dimensions of one and three items",
    "partial credit, items with 2 and 4 categories",
    "binary items",
    "climate",
    "climate, one wave, districts",
    "covariates",
    "programme, three waves, two starts, spillover",
    "programme, own unit, dose",
    "link, one wave",
    "link, two waves, covariates",
    "link, three waves, separate dimensions",
    "link, same source, two waves",
)


@dataclass(frozen=True)
class Case:
    """A design with everything that a test of the log density needs."""

    name: str
    model: RatingModel
    survey: Survey
    frame: Frame
    structure: Structure
    observed: PseudoObservations | None
    density: Density

    def point(self, seed: int) -> np.ndarray:
        """A random unconstrained point in the bulk of the prior."""
        rng = np.random.default_rng(seed)
        return self.density.layout.start(rng) + rng.normal(0.0, 0.5, self.density.layout.size)


def open_case(name: str) -> Case:
    model, survey = build_case(name)
    frame = model.frame(survey)
    observed = observe_ratings(model, frame)
    return Case(name, model, survey, frame, model.structure(frame), observed, model.density(frame, observed))


@pytest.fixture(scope="session", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    """Every design in turn."""
    return open_case(request.param)


@pytest.fixture(scope="session")
def case_named() -> Callable[[str], Case]:
    """One design by its name."""
    return open_case


@pytest.fixture(scope="session")
def survey_of() -> Callable[..., Survey]:
    """`make_survey`: a survey from ratings."""
    return make_survey
