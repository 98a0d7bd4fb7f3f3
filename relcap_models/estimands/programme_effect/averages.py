"""Coefficients of a saturated regression averaged over relations in waves: in all, by cohort, time, and both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.estimands.programme_effect.relation_waves import exposed_units
from relcap_models.estimands.programme_effect.saturated import Saturated
from relcap_models.models.exposure import BOTH_ENDS, RATER_END, TARGET_END
from relcap_models.models.exposure_columns import INTERACTION

BY = {
    "cell": ["group", "wave"],
    "simple": [],
    "group": ["group"],
    "dynamic": ["event"],
    "calendar": ["wave"],
}


@dataclass(frozen=True)
class Average:
    """One average: its labels, the weights of coefficients, and the rows behind it.

    group, wave, event : positions, None where it is over all
    """

    estimand: str
    aggregate: str
    weights: np.ndarray
    group: int | None = None
    wave: int | None = None
    event: int | None = None

    def labels(self, waves: tuple[str, ...]) -> dict[str, str]:
        """`estimand, aggregate, group, time` as in the table of effects."""
        at = self.event if self.event is not None else waves[self.wave] if self.wave is not None else ""
        group = waves[self.group] if self.group is not None else ""
        return {"estimand": self.estimand, "aggregate": self.aggregate, "group": group, "time": str(at)}


def averages(found: Saturated, *, aggregates: Sequence[str] = tuple(BY)) -> Iterator[Average]:
    """Every average of each estimand, with one weight for each relation in each wave.

    `interaction` is what both ends together add to the sum of either alone, where all three are seen.
    """
    for aggregate in aggregates:
        by = BY[aggregate]
        groups = found.parts.groupby(["estimand", *by], sort=True)
        parts = {key: index.to_numpy() for key, index in groups.groups.items()}
        weights = {}
        for key, members in parts.items():
            w = np.zeros(len(found.parts))
            w[members] = found.parts["n"].to_numpy()[members]
            weights[key if isinstance(key, tuple) else (key,)] = w / w.sum()
        for key in list(weights):
            estimand, *at = key
            if estimand == BOTH_ENDS and all((kind, *at) in weights for kind in (RATER_END, TARGET_END)):
                alone = weights[(RATER_END, *at)] + weights[(TARGET_END, *at)]
                weights[(INTERACTION, *at)] = weights[key] - alone
        for (estimand, *at), w in weights.items():
            yield Average(str(estimand), aggregate, w, **{k: int(v) for k, v in zip(by, at)})


def simple(found: Saturated) -> dict[str, np.ndarray]:
    """Weights of the average over all relations and waves, by estimand, with those from the start on alone."""
    after = found.parts["event"].to_numpy() >= 0
    here = {}
    for average in averages(_only(found, after), aggregates=("simple",)):
        w = np.zeros(len(found.parts))
        w[after] = average.weights
        here[average.estimand] = w
    return here


def counts(found: Saturated, average: Average) -> dict[str, int]:
    """Relations, units at their exposed ends, and clusters of these, behind an average."""
    # Of an interaction these are the relations exposed at both ends.
    behind = found.parts["estimand"] == (BOTH_ENDS if average.estimand == INTERACTION else average.estimand)
    rows = found.rows[np.isin(found.rows["part"], np.flatnonzero(behind & (average.weights != 0)))]
    ends = exposed_units(rows)
    return {
        "n_relations": rows["relation"].nunique(),
        "n_units": ends["unit"].nunique(),
        "n_clusters": ends["cluster"].nunique(),
    }


def _only(found: Saturated, kept: np.ndarray) -> Saturated:
    return Saturated(
        found.parts[kept].reset_index(drop=True),
        found.estimate[kept],
        found.covariance[np.ix_(kept, kept)],
        found.rows,
        found.n_clusters,
        found.scale,
    )
