"""What a reader of an item response model could misread, in sentences that name the item."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd

from relcap_models.errors import FitError, Problem
from relcap_models.psychometrics.items import OrdinalItems

FEW = 5
# Between two points of the grid, 0.2 apart, a logistic curve this steep does most of its rise.
STEEP = 8.0
# Standard error with which an item could discriminate not at all, or perfectly.
UNKNOWN = 1.0
# Share of answers whose absence is named where a model cannot be estimated.
MUCH_MISSING = 0.4


def notes_on(
    read: OrdinalItems, group: np.ndarray, discrimination: pd.Series, se: pd.Series, groups: pd.DataFrame
) -> tuple[str, ...]:
    """Notes about answers first, then about estimates."""
    notes = _on_answers(read)
    if len(groups) > 1:
        notes += _on_groups(read, group, groups)
    for name, slope in discrimination.items():
        if abs(slope) < 2 * se[name] and se[name] > UNKNOWN:
            notes.append(
                f"Item '{name}': its discrimination can hardly be told (a = {slope:.2f}, se {se[name]:.2f}), "
                "from too few answers or because another item repeats it. Leave it out or merge categories"
            )
        elif abs(slope) < 2 * se[name]:
            notes.append(
                f"Item '{name}' hardly discriminates (a = {slope:.2f}, se {se[name]:.2f}): its difficulties "
                "are far away and uncertain. Consider leaving it out"
            )
        elif slope < 0:
            notes.append(
                f"Item '{name}' runs against the others (a = {slope:.2f}), and its difficulties fall: "
                "reverse it"
            )
        elif slope > STEEP:
            notes.append(
                f"Item '{name}' discriminates almost perfectly (a = {slope:.1f}): a sign of an item that "
                "repeats another, or of too few respondents. Its estimate depends on the grid of the trait"
            )
    return tuple(notes)


def _on_answers(read: OrdinalItems) -> list[str]:
    notes = []
    for i, (name, categories) in enumerate(zip(read.names, read.categories)):
        gaps = np.setdiff1d(np.arange(categories[0], categories[-1]), categories)
        if np.all(categories == np.round(categories)) and gaps.size:
            notes.append(
                f"Item '{name}': nobody chose {_listed(gaps)}; thresholds count the categories that occur"
            )
        counts = np.bincount(read.codes[read.codes[:, i] >= 0, i])
        if np.any(counts < FEW):
            notes.append(
                f"Item '{name}': fewer than {FEW} respondents chose {_listed(categories[counts < FEW])}, so "
                "that the thresholds beside are uncertain. Consider merging categories"
            )
    silent = int(np.sum(np.all(read.codes < 0, axis=1)))
    if silent:
        notes.append(f"{silent} respondents answered no item: their scores are the mean of their group")
    return notes


def _on_groups(read: OrdinalItems, group: np.ndarray, groups: pd.DataFrame) -> list[str]:
    notes = []
    for g, group_name in enumerate(groups.index):
        for i, (name, categories) in enumerate(zip(read.names, read.categories)):
            codes = read.codes[group == g, i]
            if said := _lacking(codes, categories):
                notes.append(
                    f"Item '{name}': {said} in group '{group_name}'; what that leaves open rests on the "
                    "other groups"
                )
        mean, sd = groups["mean"].iloc[g], np.sqrt(groups["variance"].iloc[g])
        if abs(mean) + 2 * sd > 6:
            notes.append(
                f"Group '{group_name}' (mean {mean:.1f}, sd {sd:.1f}) reaches beyond the trait's grid, −6 to "
                "6: use a group in the middle as the first"
            )
    return notes


def _lacking(codes: np.ndarray, categories: np.ndarray) -> str:
    """What a group's answers to an item do not show; empty if each category occurs."""
    chosen = np.unique(codes[codes >= 0])
    if chosen.size == 0:
        return "there are no answers"
    if chosen.size == 1:
        return f"everybody answered {categories[chosen[0]]:g}"
    absent = np.delete(categories, chosen)
    return f"nobody chose {_listed(absent)}" if absent.size else ""


@contextmanager
def naming_causes(read: OrdinalItems, group: np.ndarray, names: Sequence[str]) -> Iterator[None]:
    """Where a model cannot be estimated: what the answers lack stands before where it showed.

    Items equal across groups that cannot be so, and few answers, often show as a discrimination without bound
    of any item.
    """
    try:
        yield
    except FitError as error:
        causes = [*_causes_in_groups(read, group, names), *_missing_answers(read)]
        if not causes:
            raise
        raise FitError(problems=[*causes, Problem(file="what failed", message=str(error))]) from None


def _causes_in_groups(read: OrdinalItems, group: np.ndarray, names: Sequence[str]) -> Iterator[Problem]:
    if len(names) == 1:
        return
    for i, (name, categories) in enumerate(zip(read.names, read.categories)):
        for g, group_name in enumerate(names):
            if said := _lacking(read.codes[group == g, i], categories):
                way = "Merge categories in all groups, or leave" if "nobody" in said else "Leave"
                yield Problem(
                    file="items",
                    column=name,
                    message=f"{said} in group '{group_name}', and an item is the same in all groups",
                    remedy=f"{way} the item or the group out",
                )


def _missing_answers(read: OrdinalItems) -> Iterator[Problem]:
    answered = (read.codes >= 0).astype(float)
    share = 1 - answered.mean()
    if share < MUCH_MISSING:
        return
    joint = answered.T @ answered + np.diag(np.full(len(read.names), np.inf))
    i, j = np.unravel_index(np.argmin(joint), joint.shape)
    yield Problem(
        file="items",
        message=(
            f"{share:.0%} of the answers are missing, and only {joint[i, j]:.0f} of {len(answered)} "
            f"respondents answered both '{read.names[i]}' and '{read.names[j]}'"
        ),
        remedy="Leave out items with few answers, merge categories, or use more respondents",
    )


def _listed(values: np.ndarray) -> str:
    return ", ".join(f"{value:g}" for value in values)
