"""What a reader of an item response model could misread, in sentences that name the item."""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.psychometrics.items import OrdinalItems

FEW = 5
# Between two points of the grid, 0.2 apart, a logistic curve this steep does most of its rise.
STEEP = 8.0
# Standard error with which an item could discriminate not at all, or perfectly.
UNKNOWN = 1.0


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
            absent = np.setdiff1d(np.arange(len(categories)), codes)
            if absent.size:
                notes.append(
                    f"Item '{name}': nobody in group '{group_name}' chose {_listed(categories[absent])}; the "
                    "thresholds beside rest on the other groups"
                )
        mean, sd = groups["mean"].iloc[g], np.sqrt(groups["variance"].iloc[g])
        if abs(mean) + 2 * sd > 6:
            notes.append(
                f"Group '{group_name}' (mean {mean:.1f}, sd {sd:.1f}) reaches beyond the trait's grid, −6 to "
                "6: use a group in the middle as the first"
            )
    return notes


def _listed(values: np.ndarray) -> str:
    return ", ".join(f"{value:g}" for value in values)
