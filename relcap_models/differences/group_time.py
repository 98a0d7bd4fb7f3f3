"""What a programme did to each cohort at each time, compared with units that were not in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import chi2, norm

from relcap_models.differences.averages import KINDS, parts_and_whole
from relcap_models.differences.bands import simultaneous_critical_value
from relcap_models.differences.comparisons import Comparisons, compare_cohorts
from relcap_models.differences.panel import read_panel
from relcap_models.errors import DataError, FitError

# Cells whose influence is held in memory at once.
BLOCK = 256
# A standard error below this share of the outcome's spread is rounding: everybody changed alike.
ROUNDING = 1e-10
FEW_CLUSTERS = 20


@dataclass(frozen=True, eq=False)
class PreTest:
    """Whether cohorts and controls moved alike before the start: a Wald test that all differences are 0.

    A large p does not show parallel trends: see `honest_trends` for how much a violation would matter.
    """

    statistic: float
    df: int
    p: float


@dataclass(frozen=True, eq=False)
class AggregateEffect:
    """Effects by cohort and time, averaged.

    kind : `simple`, `group`, `dynamic` or `calendar`. base : as given to `att_gt`.
    att, se, lower, upper : the whole, with a pointwise interval
    parts : a row for each cohort (`group`), time since the start (`event_time`) or time (`time`), with att,
        se, lower, upper. `simple` has none.
    covariance : of the parts, under their labels. notes : what was left out, what to be careful about.
    influence : (cluster, part) what each cluster adds to the error of each part
    """

    kind: str
    base: str
    att: float
    se: float
    lower: float
    upper: float
    parts: pd.DataFrame
    covariance: pd.DataFrame
    notes: tuple[str, ...]
    ci_prob: float
    influence: np.ndarray = field(repr=False)

    def uniform(self, *, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
        """The parts with bands that cover all of them at once; see `GroupTimeEffects.uniform`."""
        known = self.parts["se"].notna().to_numpy()
        critical = simultaneous_critical_value(
            self.influence[:, known], ci_prob=self.ci_prob, draws=draws, seed=seed
        )
        return _with_interval(self.parts, critical)


@dataclass(frozen=True, eq=False)
class GroupTimeEffects:
    """Average effects on the treated, ATT(g, t).

    table : a row for each cohort and time, with group, time, att, se, lower, upper (pointwise) and n, the
        cohort's units. Rows before the start (time < group) are a check: they should be near 0.
    n_units, n_clusters : in the analysis. control, base : as given to `att_gt`.
    notes : what was left out, what to be careful about
    comparisons : who was compared with whom
    """

    table: pd.DataFrame
    n_units: int
    n_clusters: int
    control: str
    base: str
    ci_prob: float
    notes: tuple[str, ...]
    comparisons: Comparisons = field(repr=False)

    def aggregate(self, kind: Literal["simple", "group", "dynamic", "calendar"]) -> AggregateEffect:
        """Effects averaged over cohorts and times.

        kind : `simple`, all from the start on, weighing as many as there are units;
            `group`, by cohort, and over cohorts: what a unit that took part gained on average;
            `dynamic`, by time since the start (an event study), and over the times from the start on;
            `calendar`, by time, and over times.

        Raises
        ------
        DataError
            If the kind is unknown or no cohort is seen from its start on.

        Source: Callaway & Sant'Anna (2021), J. Econometrics 225, section 3, as in R's `did::aggte`.
        """
        if kind not in KINDS:
            raise DataError(f"`kind` is one of {', '.join(KINDS)}, not '{kind}'")
        att = self.table["att"].to_numpy()
        labels, parts, whole = parts_and_whole(kind, self.comparisons, att)
        averages = [*parts, whole]
        weights = np.column_stack([average.weights for average in averages])
        slopes = np.column_stack([average.slopes for average in averages])
        influence = self.comparisons.influence(weights, slopes)
        se = np.sqrt((influence**2).sum(axis=0))
        unknown = ((weights != 0) & self.table["se"].isna().to_numpy()[:, None]).any(axis=0)
        se[unknown] = np.nan
        column = {"dynamic": "event_time", "calendar": "time"}.get(kind, "group")
        rows = _with_interval(
            pd.DataFrame({column: labels, "att": (att @ weights)[:-1], "se": se[:-1]}), self._critical
        )
        half = self._critical * se[-1]
        names = pd.Index(labels, name=column)
        covariance = influence[:, :-1].T @ influence[:, :-1]
        covariance[unknown[:-1]] = covariance[:, unknown[:-1]] = np.nan
        estimate = float(att @ weights[:, -1])
        return AggregateEffect(
            kind, self.base, estimate, float(se[-1]), estimate - half, estimate + half, rows,
            pd.DataFrame(covariance, index=names, columns=names),
            self.notes, self.ci_prob, influence[:, :-1],
        )  # fmt: skip

    def uniform(self, *, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
        """The table with bands that cover all its effects at once, by the multiplier bootstrap.

        Clusters' influences get random signs; the critical value is the quantile of the largest ratio of an
        error to its spread (interquartile range), as in R's `did::mboot`. The bands stand around the same
        standard errors as the pointwise intervals.

        draws : bootstrap samples. seed : of their randomness.

        Source: Callaway & Sant'Anna (2021), algorithm 1.
        """
        known = self.table["se"].notna().to_numpy()
        influence = self._influence(np.flatnonzero(known))
        critical = simultaneous_critical_value(influence, ci_prob=self.ci_prob, draws=draws, seed=seed)
        return _with_interval(self.table, critical)

    def pre_test(self) -> PreTest:
        """Whether cohorts and their controls moved alike before the start.

        Raises
        ------
        FitError
            If there is no row before the start, or those rows depend on each other (too few clusters).
        """
        before = np.flatnonzero((self.table["time"] < self.table["group"]) & self.table["se"].notna())
        if not len(before):
            raise FitError("No cohort is seen at two times before its start: there is no trend to test")
        influence = self._influence(before)
        covariance = influence.T @ influence
        if np.linalg.cond(covariance) > 1 / np.finfo(float).eps:
            raise FitError(
                f"{len(before)} differences before the start depend on each other with {self.n_clusters} "
                "clusters: look at the event study (kind 'dynamic') instead"
            )
        att = self.table["att"].to_numpy()[before]
        statistic = float(att @ np.linalg.solve(covariance, att))
        return PreTest(statistic, len(before), float(chi2.sf(statistic, len(before))))

    @property
    def _critical(self) -> float:
        return float(norm.ppf((1 + self.ci_prob) / 2))

    def _influence(self, cells: np.ndarray) -> np.ndarray:
        return cells_influence(self.comparisons, cells)


def att_gt(
    data: pd.DataFrame,
    *,
    unit: str,
    time: str,
    cohort: str,
    outcome: str,
    control: Literal["never", "notyet"] = "never",
    base: Literal["varying", "universal"] = "varying",
    cluster: str | None = None,
    ci_prob: float = 0.95,
) -> GroupTimeEffects:
    """What a programme did to each cohort at each time, by differences in differences that never compare
    with units already in the programme.

    Parameters
    ----------
    data : a row for each unit at each time
    unit, time, outcome : columns with the unit's name, the time as a number and the outcome
    cohort : column with the first time under the programme, 0 for units that never start. A start after the
        last time counts as never.
    control : whom a cohort is compared with: `never`, units that never start; `notyet`, those and units that
        start later than the time in question. Where everybody starts in the end, `notyet` takes the last to
        start as controls, up to their start.
    base : what a time before the start is compared with: `varying`, the time before it; `universal`, the last
        before the start (which has no row), as event-study plots and `honest_trends` have it
    cluster : column with clusters of units (such as districts, where these were chosen for the programme);
        units are independent of each other without it. Errors rest on many clusters: with fewer than twenty
        see `few_clusters`.
    ci_prob : probability of the intervals

    Returns
    -------
    GroupTimeEffects. From the start on a time is compared with the last time before the start.

    Units with no outcome at some time, and those that start at the first time or before, are left out, with
    a note saying how many. Where a cohort is one unit (or one cluster), its rows have no standard error.

    Raises
    ------
    DataError
        If the table cannot be read as a panel (see the message), or nobody is there to compare with.
    FitError
        If all who start, or all who never do, are one cluster.

    Source: Callaway & Sant'Anna (2021), Difference-in-differences with multiple time periods, J. Econometrics
    225, 200–230; without covariates its doubly robust estimate is a difference of means. Figures are those of
    R's `did::att_gt(..., bstrap = FALSE)`; errors by cluster add up influences within clusters.
    """
    if control not in ("never", "notyet"):
        raise DataError(f"`control` is 'never' or 'notyet', not '{control}'")
    if base not in ("varying", "universal"):
        raise DataError(f"`base` is 'varying' or 'universal', not '{base}'")
    if not 0 < ci_prob < 1:
        raise DataError(f"`ci_prob` is between 0 and 1, not {ci_prob}")
    panel = read_panel(data, unit=unit, time=time, cohort=cohort, outcome=outcome, cluster=cluster)
    comparisons = compare_cohorts(panel, control, base)
    se = _standard_errors(comparisons)
    panel = comparisons.panel
    table = pd.DataFrame(
        {
            "group": comparisons.starts[comparisons.group],
            "time": panel.times[comparisons.time],
            "att": comparisons.att(),
            "se": se,
            "n": comparisons.sizes[comparisons.group],
        }
    )
    table = _with_interval(table, norm.ppf((1 + ci_prob) / 2))
    table = table[["group", "time", "att", "se", "lower", "upper", "n"]]
    notes = (*panel.notes, *_cautions(comparisons, se, cluster))
    return GroupTimeEffects(
        table, len(panel.units), len(panel.clusters), control, base, ci_prob, notes, comparisons
    )


def cells_influence(comparisons: Comparisons, cells: np.ndarray) -> np.ndarray:
    """(cluster, cell) what each cluster adds to the error of single cells."""
    weights = np.zeros((len(comparisons.group), len(cells)))
    weights[cells, np.arange(len(cells))] = 1
    return comparisons.influence(weights, np.zeros((len(comparisons.starts), len(cells))))


def _standard_errors(comparisons: Comparisons) -> np.ndarray:
    blocks = np.array_split(np.arange(len(comparisons.group)), -(-len(comparisons.group) // BLOCK))
    se = np.concatenate([np.sqrt((cells_influence(comparisons, block) ** 2).sum(axis=0)) for block in blocks])
    se[se <= ROUNDING * np.ptp(comparisons.panel.values)] = np.nan
    se[comparisons.lone()] = np.nan
    return se


def _cautions(comparisons: Comparisons, se: np.ndarray, cluster: str | None) -> list[str]:
    lone = comparisons.lone()
    what = "unit" if cluster is None else "cluster"
    notes = []
    for start in np.unique(comparisons.starts[comparisons.group[lone]]):
        notes.append(
            f"Cohort {start:g}, or what it is compared with, is one {what} at some time, whose own ups and "
            "downs cannot be told from an effect: those rows, and averages over them, have no standard "
            "error. Leave the cohort out to have errors of the averages"
        )
    if (np.isnan(se) & ~lone).any():
        notes.append(
            "Some rows have no standard error because the units of either side changed exactly alike"
        )
    n = len(comparisons.panel.clusters)
    if n < FEW_CLUSTERS:
        notes.append(f"Errors from {n} {what}s are too small on average: see `few_clusters`")
    return notes


def _with_interval(table: pd.DataFrame, critical: float) -> pd.DataFrame:
    half = critical * table["se"]
    return table.assign(lower=table["att"] - half, upper=table["att"] + half)
