"""What a reader of the results should beware of, found in the design."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relcap_models.models.design_counts import Counts
from relcap_models.models.frame import Frame
from relcap_models.models.rating_model import RatingModel

_FEW_UNITS, _FEW_PAIRS, _NAMED = 5, 10, 5


@dataclass(frozen=True)
class DesignWarning:
    """What to beware of, for the analyst, and what of it may stand in a public report ('' for nothing).

    How few people there are in a unit or relation, and how everybody or nobody answered, is not for everyone.
    """

    text: str
    public: str


def find_warnings(model: RatingModel, frame: Frame, counts: Counts) -> list[DesignWarning]:
    """One for each thing that weakens a claim."""
    return [*_small(frame, counts), *_items(model, frame), *map(_open, _whole(frame, counts))]


def _open(text: str) -> DesignWarning:
    return DesignWarning(text, text)


def _whole(frame: Frame, counts: Counts) -> list[str]:
    """What is said of the whole design."""
    found = []
    if len(frame.waves) == 1:
        found.append("There is one wave only: nothing is said about change.")
    elif counts.n_repeating == 0:
        found.append(
            "Nobody answers in two waves: a change may be one of who answers, not of how they experience it."
        )
    if frame.n_relations:
        found += _relations(frame, counts)
    return found


def _small(frame: Frame, counts: Counts) -> list[DesignWarning]:
    found = []
    if len(frame.units) < _FEW_UNITS:
        found.append(
            _open(
                f"There are {len(frame.units)} units: variances between units rest almost wholly on their "
                "priors."
            )
        )
    alone = int((counts.respondents_per_unit == 1).sum())
    if alone == len(counts.respondents_per_unit):
        found.append(_open("Every unit has one respondent: persons rate persons."))
        return found
    if alone:
        found.append(
            DesignWarning(
                f"{alone} of {len(counts.respondents_per_unit)} units have one respondent: what is the "
                "unit's and what is that person's cannot be told apart there but for the variances of the "
                "other units.",
                "",
            )
        )
    single = int((counts.respondents_per_cell == 1).sum())
    if frame.n_relations and single:
        found.append(
            DesignWarning(
                f"{single} of {len(counts.respondents_per_cell)} relations (counted per wave) are seen by "
                "one person: their scores lean on what the two units' other relations are like.",
                "",
            )
        )
    return found


def _items(model: RatingModel, frame: Frame) -> list[DesignWarning]:
    found = []
    scales = {
        (scale.minimum, scale.maximum) for scale in map(frame.instrument.scale_of, frame.instrument.items)
    }
    if len(scales) > 1:
        named = ", ".join(f"{lowest} to {highest}" for lowest, highest in sorted(scales))
        found.append(
            _open(
                f"Items have different scales ({named}): scores in points average over them, so an item with "
                "a longer scale weighs more. Compare units and relations by them, but do not read them as "
                "points of one scale; item profiles are in each item's own points."
            )
        )
    for i, item in enumerate(frame.items):
        answers = frame.answer[frame.item_of_response == i]
        if len(answers) == 0:
            found.append(
                _open(
                    f"Item {item} has no answers: its parameters stay at their priors, and it enters scores "
                    "as if it were a typical item. Take it out of the instrument file if it was not asked."
                )
            )
            continue
        points = np.unique(answers)
        if len(points) == 1:
            text = (
                f"Item {item} has the same answer everywhere ({_points(frame, i, points)}): it tells "
                "relations and units apart as little as its prior lets it."
            )
            found.append(DesignWarning(text, ""))
        elif model.family != "gaussian":
            empty = np.setdiff1d(np.arange(frame.n_categories[i]), points)
            if len(empty):
                text = (
                    f"Item {item}: nobody chose {_points(frame, i, empty)}; thresholds there rest on "
                    "their prior."
                )
                found.append(DesignWarning(text, ""))
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


def _relations(frame: Frame, counts: Counts) -> list[str]:
    found = []
    if not frame.own.any():
        found.append("There are no ratings of the own unit: no within-unit scores.")
    if counts.n_both_ways == 0:
        found.append(
            "The design is half-block (no unit both rates others and is rated by others): generalised "
            "reciprocity stays at its prior, and every gap between two sides is unseen."
        )
    elif 0 < counts.n_pairs < _FEW_PAIRS:
        found.append(
            f"Fewer than {_FEW_PAIRS} pairs are seen from both sides: dyadic reciprocity stays close to "
            "its prior."
        )
    if counts.not_rated and counts.n_both_ways:
        found.append(
            f"No other unit rates {_named(counts.not_rated)}: nothing is known about how they are seen."
        )
    if counts.not_rating and counts.n_both_ways:
        found.append(f"Nobody in {_named(counts.not_rating)} answers: these units are rated and do not rate.")
    if len(counts.parts) > 1:
        found.append(
            f"The ratings fall into {len(counts.parts)} parts that share neither raters nor targets (with "
            f"{', '.join(map(str, counts.parts[:_NAMED]))} rater units): scores are comparable within a "
            "part; between parts, leniency and quality cannot be told apart but by assuming the parts alike."
        )
    return found


def _named(units: tuple[str, ...]) -> str:
    shown = ", ".join(units[:_NAMED])
    return shown if len(units) <= _NAMED else f"{shown} and {len(units) - _NAMED} more units"
