"""Effects by cohort and time averaged: over all, by cohort, by time since the start, by calendar time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relcap_models.differences.comparisons import Comparisons
from relcap_models.errors import DataError

KINDS = ("simple", "group", "dynamic", "calendar")


@dataclass(frozen=True)
class Average:
    """A weighted sum of cells.

    weights : (cell,). slopes : (cohort,) how the sum moves with each cohort's share of the units.
    """

    weights: np.ndarray
    slopes: np.ndarray


def parts_and_whole(
    kind: str, comparisons: Comparisons, att: np.ndarray
) -> tuple[np.ndarray, list[Average], Average]:
    """Labels of the parts, the parts, and what they come to together.

    Definitions: Callaway & Sant'Anna (2021), section 3.1, as R's `did::aggte` has them. Cells weigh as their
    cohorts' units; the whole of `group` weighs parts so too, that of `dynamic` (from the start on) and of
    `calendar` weighs them alike. `simple` has no parts.
    """
    after = comparisons.event_time >= 0
    if not after.any():
        raise DataError("No cohort is seen from its start on: there is no effect to average")
    if kind == "simple":
        return np.empty(0), [], _by_size(comparisons, att, after)
    label = {
        "group": comparisons.starts[comparisons.group],
        "dynamic": comparisons.event_time,
        "calendar": comparisons.panel.times[comparisons.time],
    }[kind]
    labels = np.unique(label if kind == "dynamic" else label[after])
    chosen = [(label == one) & (after | (kind == "dynamic")) for one in labels]
    parts = [_by_size(comparisons, att, cells) for cells in chosen]
    if kind == "group":
        return labels, parts, _groups_by_size(comparisons, att, parts)
    counted = [part for part, one in zip(parts, labels) if kind == "calendar" or one >= 0]
    whole = Average(
        np.mean([part.weights for part in counted], axis=0),
        np.mean([part.slopes for part in counted], axis=0),
    )
    return labels, parts, whole


def _by_size(comparisons: Comparisons, att: np.ndarray, cells: np.ndarray) -> Average:
    share = comparisons.sizes / len(comparisons.cohort)
    weights = np.where(cells, share[comparisons.group], 0)
    total = weights.sum()
    distance = np.where(cells, att - weights @ att / total, 0)
    slopes = np.bincount(comparisons.group, distance, minlength=len(share)) / total
    return Average(weights / total, slopes)


def _groups_by_size(comparisons: Comparisons, att: np.ndarray, parts: list[Average]) -> Average:
    share = comparisons.sizes[:-1] / len(comparisons.cohort)
    seen = [int(comparisons.group[np.flatnonzero(part.weights)[0]]) for part in parts]
    weight = share[seen] / share[seen].sum()
    effects = np.array([part.weights @ att for part in parts])
    # Within a cohort its cells weigh alike whatever its size, so only the cohorts' own weights are estimated.
    slopes = np.zeros(len(comparisons.starts))
    slopes[seen] = (effects - weight @ effects) / share[seen].sum()
    return Average(np.sum([w * part.weights for w, part in zip(weight, parts)], axis=0), slopes)
