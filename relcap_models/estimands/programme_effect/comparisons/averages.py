"""Coefficients of a saturated regression averaged over relations in waves: over all, by cohort or by time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from relcap_models.estimands.programme_effect import notes
from relcap_models.estimands.programme_effect.comparisons.relation_regression import ENDS
from relcap_models.estimands.programme_effect.comparisons.relation_waves import BASE, exposed_units
from relcap_models.estimands.programme_effect.comparisons.saturated import Saturated
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
        weights = {}
        for key, members in found.parts.groupby(["estimand", *by], sort=True)["n"]:
            w = np.zeros(len(found.parts))
            w[members.index] = members
            weights[key] = w / w.sum()
        for key in list(weights):
            estimand, *at = key
            if estimand == BOTH_ENDS and all((kind, *at) in weights for kind in (RATER_END, TARGET_END)):
                alone = weights[(RATER_END, *at)] + weights[(TARGET_END, *at)]
                weights[(INTERACTION, *at)] = weights[key] - alone
        for (estimand, *at), w in weights.items():
            yield Average(str(estimand), aggregate, w, **{k: int(v) for k, v in zip(by, at)})


def estimated(found: Saturated, chosen: list[Average], *, ci_prob: float) -> list[dict[str, object]]:
    """`estimate, se, lower, upper, p, note` of averages, with the counts behind them.

    Where one unit (or district) alone is exposed, or is compared with, there is no error, and a note.
    """
    if not chosen:
        return []
    weights = np.column_stack([average.weights for average in chosen])
    compared = found.rows[(found.rows["estimand"] == BASE) & (found.rows["since"] < 0)]
    lone = 0 < len(np.unique(compared[list(ENDS)])) < 2
    rows = []
    for average, row in zip(chosen, found.average(weights, ci_prob=ci_prob).to_dict("records")):
        behind, note = counts(found, average), ""
        if lone or behind["n_clusters"] < 2:
            row |= dict.fromkeys(("se", "lower", "upper", "p"), np.nan)
            note = notes.ONE_CLUSTER
        elif np.isnan(row["se"]):
            note = notes.NOT_ESTIMATED
        rows.append(row | behind | {"note": note})
    return rows


def simple(found: Saturated) -> list[Average]:
    """Of each estimand, the average over all its relations and waves from the start on."""
    after = np.flatnonzero(found.parts["event"] >= 0)
    chosen = []
    for average in averages(found.of(after), aggregates=("simple",)):
        weights = np.zeros(len(found.parts))
        weights[after] = average.weights
        chosen.append(replace(average, weights=weights))
    return chosen


def counts(found: Saturated, average: Average) -> dict[str, int]:
    """Relations, units at their exposed ends, and clusters of these, behind an average."""
    # Of an interaction these are the relations exposed at both ends.
    of = BOTH_ENDS if average.estimand == INTERACTION else average.estimand
    behind = (found.parts["estimand"] == of) & (average.weights != 0)
    rows = found.rows[found.rows["part"].isin(np.flatnonzero(behind))]
    ends = exposed_units(rows)
    return {
        "n_relations": rows["relation"].nunique(),
        "n_units": ends["unit"].nunique(),
        "n_clusters": ends["cluster"].nunique(),
    }
