"""What a design can identify, said before anything is fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.data.survey import Survey
from relcap_models.errors import FitError
from relcap_models.language import Message
from relcap_models.models.design_counts import Counts, count
from relcap_models.models.design_precision import Precision, expected_precision
from relcap_models.models.design_warnings import find_warnings
from relcap_models.models.frame import Frame
from relcap_models.models.rating_model import RatingModel
from relcap_models.models.structure import Structure, find_structure

_MIN_UNITS = 3


@dataclass(frozen=True)
class Design:
    """What a survey can tell about a model.

    messages : sentences in English, the general before the particular: what there is, which variances and
        reciprocities are told apart and from how much, expected precision, what is left out, and what a
        reader should beware of.
    public_messages : those that may stand in a public report: without how many respondents, ratings and
        answers there are in all, and without what is about few people; in every language.
    public_of_few : the same without the number of respondents behind a score, for where it may not be told.
    respondents_per_score : that number, a median.
    table : the numbers behind them, with columns `quantity, value, unit, meaning`.
    """

    messages: tuple[str, ...]
    public_messages: tuple[Message, ...]
    public_of_few: tuple[Message, ...]
    respondents_per_score: float
    table: pd.DataFrame


def describe_design(model: RatingModel, survey: Survey) -> Design:
    """Say what the design can identify, and how precisely, before fitting.

    Raises
    ------
    DataError
        If nobody answered the instrument, or a covariate is unknown or incomplete.
    FitError
        If the model cannot be fitted: see `check_design`.
    """
    frame = model.frame(survey)
    check_design(model, frame)
    # Of a link: how well its outcome is known.
    frame = frame.of_facet(0) if len(frame.facets) > 1 else frame
    structure = find_structure(frame)
    counts = count(frame)
    precision = expected_precision(model, frame, structure, counts)
    size = _size(frame, counts)
    identified, uncounted = (_identified(frame, structure, counts, heads=heads) for heads in (True, False))
    reciprocities = _reciprocities(structure, counts, precision)
    expected, of_few = (_precision(frame, counts, precision, heads=heads) for heads in (True, False))
    warnings = find_warnings(model, frame, structure, counts)
    public = (*structure.left_out, *(w.public for w in warnings if w.public))
    return Design(
        messages=(
            *(size, identified, *reciprocities, expected, *structure.left_out),
            *(w.text for w in warnings),
        ),
        public_messages=(uncounted, *reciprocities, expected, *public),
        public_of_few=(uncounted, *reciprocities, of_few, *public),
        respondents_per_score=float(np.median(counts.respondents_per_cell)),
        table=_table(frame, counts, precision),
    )


def check_design(model: RatingModel, frame: Frame) -> None:
    """Refuse what no prior can mend.

    Raises
    ------
    FitError
        If there are fewer than three units, if a `relations` model gets no rating of another unit, or a
        `climate` model gets one.
    """
    where = f"analysis '{model.id}', instrument '{model.instrument}'"
    if len(frame.facets) > 1:
        _check_link(where, frame)
        return
    if model.kind == "relations" and frame.own.all():
        raise FitError(
            f"{where}: nobody rates another unit, so there is no relation to model. "
            "Use kind `climate` for ratings of the own unit."
        )
    if model.kind == "climate" and not frame.own.all():
        raise FitError(
            f"{where}: {int((~frame.own).sum())} ratings are of another unit, and a climate is rated by a "
            "unit's own staff. Use kind `relations`."
        )
    if len(frame.units) < _MIN_UNITS:
        raise FitError(
            f"{where}: {len(frame.units)} units ({', '.join(frame.units)}) say nothing about how units "
            f"differ. At least {_MIN_UNITS} are needed, 20 or more are wanted."
        )


def _check_link(where: str, frame: Frame) -> None:
    """A link needs units whose leadership is rated and that are rated by others themselves."""
    rated = set(frame.target_of_rating[frame.facet_of_rating == 0])
    both = rated & set(frame.rater_of_rating[frame.facet_of_rating == 1])
    if len(both) < _MIN_UNITS:
        raise FitError(
            f"{where}: {len(both)} units have both answers about their leadership and ratings of working "
            f"with them. At least {_MIN_UNITS} are needed, 20 or more are wanted."
        )


def _plural(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _size(frame: Frame, counts: Counts) -> str:
    text = (
        f"{_plural(len(frame.respondents), 'respondent')} of "
        f"{_plural(len(counts.respondents_per_unit), 'unit')} "
        f"gave {_plural(len(frame.answer), 'answer')} in {_plural(frame.n_ratings, 'rating')}"
    )
    if frame.n_relations:
        text += f" of {_plural(frame.n_relations, 'relation')}"
        if frame.own.any():
            text += " and of the own unit"
    text += f", in {_plural(len(frame.waves), 'wave')}"
    if len(frame.waves) > 1:
        text += f"; {counts.n_repeating:,} answered in more than one"
    return text + "."


def _identified(frame: Frame, structure: Structure, counts: Counts, *, heads: bool) -> Message:
    """heads : say how many respondents and ratings there are."""
    sources = {
        "perceiver": len(counts.respondents_per_unit),
        "target": len(frame.units) - len(counts.not_rated),
        "self": len(np.unique(frame.rater_of_rating[frame.own])),
    }
    parts = [Message(f"design.{role}", n=sources[role]) for role in structure.roles]
    if {"perceiver", "target"} <= set(structure.relation_is):
        parts[:2] = [Message("design.perceiver_and_target", n=frame.n_relations)]
    if structure.relation in ("full", "stable"):
        parts.append(Message("design.relation", n=frame.n_relations))
    for grouping in structure.respondents:
        effect = Message(f"design.effects.{grouping.name}")
        parts.append(Message("design.counted", effect=effect, n=grouping.n_groups) if heads else effect)
    parts += [Message(f"design.{grouping.name}", n=grouping.n_groups) for grouping in structure.districts]
    return Message("design.variances", parts=parts)


def _reciprocities(structure: Structure, counts: Counts, precision: tuple[Precision, ...]) -> list[Message]:
    found = []
    worst = min(precision, key=lambda p: p.reliability)
    if "target" in structure.roles and not np.isnan(worst.sd_generalised):
        found.append(
            Message(
                "design.generalised_reciprocity",
                n=counts.n_both_ways,
                sd=worst.sd_generalised,
                prior=worst.prior_sd_generalised,
            )
        )
    if structure.reciprocal:
        found.append(
            Message(
                "design.dyadic_reciprocity",
                n=counts.n_pairs,
                sd=worst.sd_dyadic,
                prior=worst.prior_sd_dyadic,
            )
        )
    return found


def _precision(frame: Frame, counts: Counts, precision: tuple[Precision, ...], *, heads: bool) -> Message:
    """heads : say how many respondents are behind a score, where it is more than one."""
    worst = min(precision, key=lambda p: p.reliability)
    cell = "relation" if frame.n_relations else "unit"
    score = Message(f"design.score_{cell}")
    if len(precision) > 1:
        title = frame.dimension_titles[frame.dimensions.index(worst.dimension)]
        score = Message("design.score_on", score=score, dimension=title)
    expected = {"score": score, "reliability": worst.reliability, "sd": worst.sd_points}
    if np.isnan(worst.respondents_for_70):
        return Message(f"design.precision_{cell}_by_one", **expected)
    if not heads:
        return Message(f"design.precision_{cell}_by_few", **expected)
    return Message(
        f"design.precision_{cell}",
        n=float(np.median(counts.respondents_per_cell)),
        needed=Message("design.respondents", n=int(worst.respondents_for_70)),
        **expected,
    )


def _table(frame: Frame, counts: Counts, precision: tuple[Precision, ...]) -> pd.DataFrame:
    cell = "relation" if frame.n_relations else "unit"
    rows: list[tuple[str, float, str, str]] = [
        ("respondents", len(frame.respondents), "respondents", "who answered anything"),
        ("units", len(frame.units), "units", "that rate or are rated"),
        ("relations", frame.n_relations, "relations", "directed, seen in any wave, own units apart"),
        ("pairs_from_both_sides", counts.n_pairs, "pairs", "base of dyadic reciprocity"),
        ("units_both_ways", counts.n_both_ways, "units", "rate others and are rated by others"),
        ("ratings", frame.n_ratings, "ratings", "respondent × target × wave"),
        ("own_unit_ratings", int(frame.own.sum()), "ratings", "of the own unit"),
        ("answers", len(frame.answer), "answers", "to single items"),
        ("waves", len(frame.waves), "waves", "with answers"),
        ("repeating_respondents", counts.n_repeating, "respondents", "with ratings in two waves or more"),
        ("moving_respondents", counts.n_moving, "respondents", "who rated from two units or more"),
        ("connected_parts", len(counts.parts), "parts", "scores compare within a part"),
    ]
    spreads = (
        (f"respondents_per_{cell}", counts.respondents_per_cell, "respondents", f"per {cell} and wave"),
        ("respondents_per_unit", counts.respondents_per_unit, "respondents", "per unit, over all waves"),
        ("ratings_per_respondent", counts.ratings_per_respondent, "ratings", "per respondent and wave"),
    )
    for name, values, unit, meaning in spreads:
        if name not in {row[0].removesuffix("_min") for row in rows}:
            rows.append((f"{name}_min", float(values.min()), unit, f"fewest {meaning}"))
            rows.append((f"{name}_median", float(np.median(values)), unit, f"median {meaning}"))
    for p in precision:
        rows += [
            (f"reliability:{p.dimension}", p.reliability, "share", f"expected, of a {cell}'s score"),
            (f"sd_score:{p.dimension}", p.sd_points, "points", f"expected posterior sd of a {cell}'s score"),
            (
                f"respondents_for_0.70:{p.dimension}",
                p.respondents_for_70,
                "respondents",
                f"per {cell} for reliability .70",
            ),
            (
                f"sd_generalised_reciprocity:{p.dimension}",
                p.sd_generalised,
                "correlation",
                "expected posterior sd",
            ),
            (f"sd_dyadic_reciprocity:{p.dimension}", p.sd_dyadic, "correlation", "expected posterior sd"),
        ]
    table = pd.DataFrame(rows, columns=["quantity", "value", "unit", "meaning"])
    return table.dropna(subset=["value"], ignore_index=True)
