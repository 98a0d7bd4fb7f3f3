"""How far trends would have to differ for an effect to vanish."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import norm

from relcap_models.differences.group_time import AggregateEffect
from relcap_models.differences.relative_magnitudes import EventStudy, Polyhedron, polyhedra, rejected
from relcap_models.differences.smoothness import fixed_length_interval
from relcap_models.errors import DataError

DEFAULT_RELATIVE = (0.0, 0.5, 1.0, 1.5, 2.0)
# Points at which an interval by test inversion is looked for, at first so many standard errors either side.
GRID, REACH, DOUBLINGS = 400, 10.0, 12
# Its ends are narrowed so often among so many points.
ROUNDS, POINTS = 3, 40
# An effect that a violation this many times the largest before the start (or standard errors a time) cannot
# explain away is reported as having no breakdown value.
LARGEST = 1000.0
HALVINGS = 14


@dataclass(frozen=True, eq=False)
class HonestTrends:
    """An effect's interval where trends need not be parallel.

    effect, lower, upper : the estimate, with its interval under parallel trends
    table : a row for each bound on the violation, with bound, lower and upper. Intervals cover the effect
        with probability `ci_prob` whatever the trends within the bound.
    breakdown : the largest bound for which the interval leaves out 0; 0 if none does, infinite if all do
    kind : `relative` or `smooth`. notes : what to be careful about.
    """

    effect: float
    lower: float
    upper: float
    table: pd.DataFrame
    breakdown: float
    kind: str
    ci_prob: float
    notes: tuple[str, ...]


def honest_trends(
    effects: AggregateEffect | pd.Series,
    covariance: pd.DataFrame | np.ndarray | None = None,
    *,
    kind: Literal["relative", "smooth"] = "relative",
    bounds: Sequence[float] | None = None,
    target: Mapping[int, float] | None = None,
    ci_prob: float = 0.95,
) -> HonestTrends:
    """How sure an effect is if treated and controls were not on parallel trends, and when it breaks down.

    Parameters
    ----------
    effects : an event study: `att_gt(..., base="universal").aggregate("dynamic")`, or a Series of estimates
        by time since the start (…, −3, −2, 0, 1, …), all of them compared with the last time before it, −1,
        which is left out
    covariance : of the estimates of a Series, in its order
    kind : `relative`: steps of the difference in trends after the start are at most `bound` times the largest
        step before it. `smooth`: the slope of the difference in trends changes by at most `bound` between
        consecutive times.
    bounds : for which intervals are given; for `relative` a multiple (1: no worse than before), by default 0
        to 2; for `smooth` in units of the outcome, to be given
    target : weights of the times since the start that are asked about, such as `{0: 0.5, 1: 0.5}`; the first
        time, 0, by default
    ci_prob : probability of the intervals

    Returns
    -------
    HonestTrends. `relative` inverts conditional tests with a least favourable first stage (C-LF); `smooth`
    has the fixed-length interval (FLCI): R's HonestDiD has the same defaults. There, intervals of relative
    magnitudes end at 20 standard errors; here they do not.

    Raises
    ------
    DataError
        If times are not consecutive, there is no difference before the start, or the covariance is not of
        the estimates.
    FitError
        If there are more than ten times from the start on, for `relative`.

    Source: Rambachan & Roth (2023), A more credible approach to parallel trends, Rev. Econ. Stud. 90,
    2555–2591.
    """
    if kind not in ("relative", "smooth"):
        raise DataError(f"`kind` is 'relative' or 'smooth', not '{kind}'")
    if not 0 < ci_prob < 1:
        raise DataError(f"`ci_prob` is between 0 and 1, not {ci_prob}")
    study = _study(effects, covariance, target)
    chosen = _bounds(bounds, kind)
    alpha = 1 - ci_prob
    interval, excludes = _methods(study, kind, alpha)
    table = pd.DataFrame([(bound, *interval(bound)) for bound in chosen], columns=["bound", "lower", "upper"])
    half = norm.ppf(1 - alpha / 2) * study.se
    return HonestTrends(
        study.effect,
        study.effect - half,
        study.effect + half,
        table,
        _breakdown(excludes, 1.0 if kind == "relative" else study.se),
        kind,
        ci_prob,
        effects.notes if isinstance(effects, AggregateEffect) else (),
    )


def _methods(
    study: EventStudy, kind: str, alpha: float
) -> tuple[Callable[[float], tuple[float, float]], Callable[[float], bool]]:
    """The interval for a bound, and whether it leaves out 0."""
    if kind == "relative":
        return (
            lambda bound: _inverted(study, bound, alpha),
            lambda bound: bool(rejected(polyhedra(study, bound, alpha), np.zeros(1), alpha)[0]),
        )

    def excludes(bound: float) -> bool:
        lower, upper = fixed_length_interval(study, bound, alpha)
        return lower > 0 or upper < 0

    return lambda bound: fixed_length_interval(study, bound, alpha), excludes


def _inverted(study: EventStudy, bound: float, alpha: float) -> tuple[float, float]:
    """Between the outermost values that are not rejected. The estimate never is: parallel trends fit it."""
    shapes = list(polyhedra(study, bound, alpha))
    reach = REACH * study.se
    for _ in range(DOUBLINGS):
        values = study.effect + np.linspace(-reach, reach, GRID + 1)
        inside = np.flatnonzero(~rejected(shapes, values, alpha))
        if inside[0] > 0 and inside[-1] < GRID:
            break
        reach *= 2
    lower = -np.inf if inside[0] == 0 else _edge(shapes, values[inside[0]], values[inside[0] - 1], alpha)
    upper = np.inf if inside[-1] == GRID else _edge(shapes, values[inside[-1]], values[inside[-1] + 1], alpha)
    return lower, upper


def _edge(shapes: list[Polyhedron], inside: float, outside: float, alpha: float) -> float:
    for _ in range(ROUNDS):
        values = np.linspace(inside, outside, POINTS)
        last = int(np.flatnonzero(~rejected(shapes, values, alpha)).max(initial=0))
        inside, outside = values[last], values[min(last + 1, POINTS - 1)]
    return float(inside)


def _breakdown(excludes: Callable[[float], bool], unit: float) -> float:
    if not excludes(0.0):
        return 0.0
    low, high = 0.0, unit
    while excludes(high):
        low, high = high, 2 * high
        if high > LARGEST * unit:
            return np.inf
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if excludes(middle) else (low, middle)
    return low


def _bounds(bounds: Sequence[float] | None, kind: str) -> list[float]:
    if bounds is None and kind == "smooth":
        raise DataError(
            "Give `bounds`: how much the slope of the difference in trends may change from one time to the "
            "next, in units of the outcome"
        )
    chosen = list(DEFAULT_RELATIVE if bounds is None else bounds)
    if not chosen or not all(np.isfinite(bound) and bound >= 0 for bound in chosen):
        raise DataError(f"`bounds` are numbers of 0 or more, not {bounds}")
    return chosen


def _study(
    effects: AggregateEffect | pd.Series,
    covariance: pd.DataFrame | np.ndarray | None,
    target: Mapping[int, float] | None,
) -> EventStudy:
    if isinstance(effects, AggregateEffect):
        if effects.kind != "dynamic" or effects.base != "universal":
            raise DataError(
                "An event study against one time is needed: "
                "att_gt(..., base='universal').aggregate('dynamic')"
            )
        series, matrix = effects.parts.set_index("event_time")["att"], effects.covariance.to_numpy()
    else:
        if covariance is None:
            raise DataError("Give the covariance of the estimates too")
        series, matrix = effects, np.asarray(covariance, dtype=float)
    if matrix.shape != (len(series), len(series)):
        raise DataError(f"{len(series)} estimates have a covariance of {len(series)} rows and columns")
    times = series.index.to_numpy(dtype=float)
    order = np.argsort(times)
    order = order[times[order] != -1]
    series, matrix, times = series.iloc[order], matrix[np.ix_(order, order)], times[order]
    before = int((times < -1).sum())
    expected = np.concatenate([np.arange(-before - 1, -1), np.arange(len(times) - before)])
    if not np.array_equal(times, expected):
        raise DataError(
            "Times since the start must be consecutive whole numbers with −1 as base, and they are "
            f"{', '.join(f'{time:g}' for time in times)}. Number the times 1, 2, 3, or leave out those after "
            "a gap"
        )
    if before == 0 or before == len(times):
        raise DataError("At least one difference before the start (−2) and one after (0) are needed")
    estimate = series.to_numpy(dtype=float)
    if np.isnan(estimate).any() or np.isnan(matrix).any():
        absent = times[np.isnan(estimate) | np.isnan(matrix).any(axis=1)]
        raise DataError(
            f"Estimates at {', '.join(f'{time:g}' for time in absent)} have no error. Leave those cohorts or "
            "times out"
        )
    if not np.allclose(matrix, matrix.T) or np.linalg.eigvalsh(matrix).min() < -1e-8 * np.trace(matrix):
        raise DataError("The covariance is not symmetric and positive: give the one of these estimates")
    return EventStudy(estimate, matrix, before, _target(target, len(times) - before))


def _target(target: Mapping[int, float] | None, n_after: int) -> np.ndarray:
    asked = {0: 1.0} if target is None else target
    unknown = [time for time in asked if time not in range(n_after)]
    if unknown or not any(asked.values()):
        raise DataError(
            f"`target` has weights for times since the start from 0 to {n_after - 1}"
            + (f", and {unknown[0]} is none of them" if unknown else ", and not all of them 0")
        )
    return np.array([float(asked.get(time, 0.0)) for time in range(n_after)])
