"""What a reader of the results should beware of, found in the design."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relcap_models.language import Message
from relcap_models.models.design_counts import Counts
from relcap_models.models.frame import Frame
from relcap_models.models.rating_model import RatingModel
from relcap_models.models.structure import Structure

_FEW_UNITS, _FEW_PAIRS, _NAMED = 5, 10, 5


@dataclass(frozen=True)
class DesignWarning:
    """What to beware of, for the analyst, and what of it may stand in a public report (None for nothing).

    How few people there are in a unit or relation, and how everybody or nobody answered, is not for everyone.
    """

    text: str
    public: Message | None


def find_warnings(
    model: RatingModel, frame: Frame, structure: Structure, counts: Counts
) -> list[DesignWarning]:
    """One for each thing that weakens a claim."""
    return [
        *_small(frame, counts),
        *_items(model, frame),
        *_whole(frame, structure, counts),
        *_left_aside(frame),
    ]


def _open(key: str, **values: object) -> DesignWarning:
    message = Message(f"design.{key}", **values)
    return DesignWarning(message, message)


def _whole(frame: Frame, structure: Structure, counts: Counts) -> list[DesignWarning]:
    """What is said of the whole design."""
    found = []
    if len(frame.waves) == 1:
        found.append(_open("one_wave"))
    elif counts.n_repeating == 0:
        found.append(_open("nobody_repeats"))
    if frame.n_relations:
        found += _relations(frame, structure, counts)
    return found


def _left_aside(frame: Frame) -> list[DesignWarning]:
    """What the tables and the study file hold and the model does not."""
    found = []
    if frame.units_apart:
        found.append(_open("units_apart", units=_named(frame.units_apart)))
    if frame.constant_covariates:
        found.append(_open("constant_covariates", covariates=list(frame.constant_covariates)))
    if frame.n_tasks > 1:
        found.append(_open("tasks", tasks=frame.n_tasks))
    return found


def _small(frame: Frame, counts: Counts) -> list[DesignWarning]:
    found = []
    if len(frame.units) < _FEW_UNITS:
        found.append(_open("few_units", n=len(frame.units)))
    alone = int((counts.respondents_per_unit == 1).sum())
    if alone == len(counts.respondents_per_unit):
        found.append(_open("persons"))
        return found
    if alone:
        text = (
            f"{alone} of {len(counts.respondents_per_unit)} units have one respondent: what is the unit's "
            "and what is that person's cannot be told apart there but for the variances of the other units."
        )
        found.append(DesignWarning(text, None))
    single = int((counts.respondents_per_cell == 1).sum())
    if frame.n_relations and single:
        text = (
            f"{single} of {len(counts.respondents_per_cell)} relations (counted per wave) are seen by one "
            "person: their scores lean on what the two units' other relations are like."
        )
        found.append(DesignWarning(text, None))
    return found


def _items(model: RatingModel, frame: Frame) -> list[DesignWarning]:
    found = []
    scales = {
        (scale.minimum, scale.maximum) for scale in map(frame.instrument.scale_of, frame.instrument.items)
    }
    if len(scales) > 1:
        named = [Message("design.scale", lowest=low, highest=high) for low, high in sorted(scales)]
        found.append(_open("scales", scales=named))
    for i, item in enumerate(frame.items):
        answers = frame.answer[frame.item_of_response == i]
        if len(answers) == 0:
            found.append(_open("no_answers", item=item))
            continue
        points = np.unique(answers)
        if len(points) == 1:
            text = (
                f"Item {item} has the same answer everywhere ({_points(frame, i, points)}): it tells "
                "relations and units apart as little as its prior lets it."
            )
            found.append(DesignWarning(text, None))
        elif model.family != "gaussian":
            empty = np.setdiff1d(np.arange(frame.n_categories[i]), points)
            if len(empty):
                text = (
                    f"Item {item}: nobody chose {_points(frame, i, empty)}; thresholds there rest on "
                    "their prior."
                )
                found.append(DesignWarning(text, None))
    return found


def _points(frame: Frame, item: int, categories: np.ndarray) -> str:
    """Categories as the respondents saw them."""
    declared = frame.instrument.items[item]
    scale = frame.instrument.scale_of(declared)
    shown = (
        scale.maximum - categories.astype(int)
        if declared.reversed
        else scale.minimum + categories.astype(int)
    )
    return ", ".join(str(point) for point in sorted(shown))


def _relations(frame: Frame, structure: Structure, counts: Counts) -> list[DesignWarning]:
    found = []
    if not frame.own.any():
        found.append(_open("no_own_ratings"))
    if counts.n_both_ways == 0:
        found.append(_open("half_block"))
    elif structure.reciprocal and counts.n_pairs < _FEW_PAIRS:
        found.append(_open("few_pairs", n=_FEW_PAIRS))
    if counts.not_rated and counts.n_both_ways:
        found.append(_open("not_rated", units=_named(counts.not_rated)))
    if counts.not_rating and counts.n_both_ways:
        found.append(_open("not_rating", units=_named(counts.not_rating)))
    if len(counts.parts) > 1:
        found.append(_open("parts", n=len(counts.parts), sizes=_sizes(counts.parts)))
    return found


def _sizes(parts: tuple[int, ...]) -> Message:
    """Of parts, largest first: as few numbers as say it all."""
    if parts[0] == parts[-1]:
        return Message("design.sizes_alike", n=parts[0])
    if len(parts) <= _NAMED:
        return Message("design.sizes", sizes=list(parts))
    return Message("design.sizes_between", smallest=parts[-1], largest=parts[0])


def _named(units: tuple[str, ...]) -> list[str] | Message:
    shown = list(units[:_NAMED])
    if len(units) <= _NAMED:
        return shown
    return Message("design.more", units=", ".join(shown), n=len(units) - _NAMED)
