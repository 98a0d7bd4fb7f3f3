"""What the usual two-way fixed-effects estimate is made of: every comparison of two cohorts in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.differences.panel import Panel, read_panel
from relcap_models.errors import DataError

KINDS = ("treated vs never", "earlier vs later", "later vs earlier", "later vs always")


@dataclass(frozen=True, eq=False)
class BaconDecomposition:
    """The two-way fixed-effects estimate and its parts.

    twfe : coefficient of being in the programme, with effects of unit and time
    table : a row for each comparison, with kind, treated and control (first time under the programme; 0 is
        never), weight and estimate. Weights are positive and sum to 1; the weighted estimates sum to `twfe`.
    kinds : by kind, its weight and its weighted mean estimate. `later vs earlier` and `later vs always` take
        units that are in the programme already as controls: where effects grow, these estimates are wrong.
    notes : what to be careful about
    """

    twfe: float
    table: pd.DataFrame
    kinds: pd.DataFrame
    notes: tuple[str, ...]


def goodman_bacon(
    data: pd.DataFrame, *, unit: str, time: str, cohort: str, outcome: str
) -> BaconDecomposition:
    """How far a two-way fixed-effects estimate rests on comparisons with units already in the programme.

    Parameters
    ----------
    data : a row for each unit at each time; every unit at every time
    unit, time, cohort, outcome : its columns, as for `att_gt`. Units that start at the first time or before
        are always treated.

    Raises
    ------
    DataError
        If the table cannot be read as a panel, a unit has no outcome at some time (the decomposition holds
        for balanced panels), or there is nobody to compare.

    Source: Goodman-Bacon (2021), Difference-in-differences with variation in treatment timing,
    J. Econometrics 225, 254–277, theorem 1.
    """
    panel = read_panel(data, unit=unit, time=time, cohort=cohort, outcome=outcome)
    _check_balanced(panel)
    start = np.maximum(panel.start, panel.times[0])
    starts, group = np.unique(start, return_inverse=True)
    size = np.bincount(group) / len(group)
    means = np.array([panel.values[group == g].mean(axis=0) for g in range(len(starts))])
    rows = [
        _comparison(panel.times, starts, size, means, treated, control)
        for treated in range(len(starts))
        for control in range(len(starts))
        if treated != control and panel.times[0] < starts[treated] < np.inf
    ]
    if not rows:
        raise DataError("No unit starts while another does not: there is nobody to compare")
    table = pd.DataFrame(rows, columns=["kind", "treated", "control", "weight", "estimate"])
    table["weight"] /= table["weight"].sum()
    table = table.sort_values(
        ["kind", "treated", "control"],
        key=lambda column: column.map(KINDS.index) if column.name == "kind" else column,
        ignore_index=True,
    )
    together = table.assign(estimate=table["weight"] * table["estimate"]).groupby("kind", sort=False)
    kinds = together[["weight", "estimate"]].sum().reset_index()
    kinds["estimate"] /= kinds["weight"]
    return BaconDecomposition(_twfe(panel, start), table, kinds, panel.notes)


def _check_balanced(panel: Panel) -> None:
    gaps = np.isnan(panel.values)
    if gaps.any():
        unit, time = np.argwhere(gaps)[0]
        raise DataError(
            f"{int(gaps.any(axis=1).sum())} of {len(gaps)} units have no outcome at some time (the first: "
            f"'{panel.units[unit]}' at {panel.times[time]:g}), and the decomposition holds for balanced "
            "panels only. Leave those units, or the times with gaps, out"
        )


def _comparison(
    times: np.ndarray, starts: np.ndarray, size: np.ndarray, means: np.ndarray, treated: int, control: int
) -> tuple[str, float, float, float, float]:
    """One cohort against another over the times in which only the first changes; the weight is unscaled."""
    first, other = starts[treated], starts[control]
    if other > first:
        kind = "treated vs never" if np.isinf(other) else "earlier vs later"
        window = times < other
    else:
        kind = "later vs always" if other == times[0] else "later vs earlier"
        window = times >= other
    after, before = window & (times >= first), window & (times < first)
    change = means[:, after].mean(axis=1) - means[:, before].mean(axis=1)
    pair = size[treated] + size[control]
    share, exposed = size[treated] / pair, after.sum() / window.sum()
    variance = share * (1 - share) * exposed * (1 - exposed)
    weight = (pair * window.mean()) ** 2 * variance
    never_is_0 = 0.0 if np.isinf(other) else other
    return kind, first, never_is_0, weight, change[treated] - change[control]


def _twfe(panel: Panel, start: np.ndarray) -> float:
    treated = (panel.times >= start[:, None]).astype(float)
    alone = treated - treated.mean(axis=1, keepdims=True) - treated.mean(axis=0) + treated.mean()
    return float((alone * (panel.values - panel.values[:, :1])).sum() / (alone * treated).sum())
