"""Which groups are compared over which times, and how much each unit has to do with the result."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from relcap_models.differences.panel import Panel
from relcap_models.errors import DataError, FitError


@dataclass(frozen=True)
class Comparisons:
    """Cohorts' changes against those of controls: a cell is a cohort from a base time to a time.

    panel : complete, in the order of its units; `cohort` (unit,) is each one's position among `starts`
    starts : (cohort,) first time under the programme, infinite for never
    group, time, base : (cell,) positions among starts and times
    share : (cohort, cell) what a unit of the cohort counts: 1/n in the group, −1/n in the controls, or 0
    """

    panel: Panel
    starts: np.ndarray
    cohort: np.ndarray
    group: np.ndarray
    time: np.ndarray
    base: np.ndarray
    share: np.ndarray

    @property
    def event_time(self) -> np.ndarray:
        """(cell,) time since the start; below 0 is before it."""
        return self.panel.times[self.time] - self.starts[self.group]

    @property
    def sizes(self) -> np.ndarray:
        """(cohort,) units."""
        return np.bincount(self.cohort, minlength=len(self.starts))

    def att(self) -> np.ndarray:
        """(cell,) mean change of the group minus that of its controls."""
        return (self.share * self._changes()).sum(axis=0)

    def influence(self, weights: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """(cluster, part) what each cluster adds to the error of weighted sums of cells.

        weights : (cell, part). slopes : (cohort, part) how the sums move with the cohorts' shares of the
            units, which are estimated too; 0 where weights are fixed.

        A unit's change counts as its distance from the mean of its side. The squares, added over clusters,
        are the variance (Callaway & Sant'Anna 2021, theorem 2 and corollary 2, with units drawn at random).
        """
        n = len(self.cohort)
        changes = self._changes()
        own = np.arange(len(self.starts))[:, None] == self.group
        mean = np.where(
            own, changes / self.sizes[:, None], -(np.where(own, 0, self.share) * changes).sum(axis=0)
        )
        used = weights.any(axis=1)
        centre = (self.share * mean) @ weights
        result = np.empty((n, weights.shape[1]))
        for cohort in range(len(self.starts)):
            loads = np.zeros((len(self.panel.times), weights.shape[1]))
            cells = np.flatnonzero((self.share[cohort] != 0) & used)
            counted = self.share[cohort, cells][:, None] * weights[cells]
            np.add.at(loads, self.time[cells], counted)
            np.subtract.at(loads, self.base[cells], counted)
            members = self.cohort == cohort
            result[members] = self._values[members] @ loads + (slopes[cohort] / n - centre[cohort])
        return self._by_cluster(result)

    def lone(self) -> np.ndarray:
        """(cell,) whether its group or its controls are one cluster, whose spread nobody can know."""
        within = csr_array(
            (np.ones(len(self.cohort)), (self.cohort, self.panel.cluster)),
            shape=(len(self.starts), len(self.panel.clusters)),
        )
        lone = np.zeros(len(self.group), dtype=bool)
        for side in (self.share > 0, self.share < 0):
            # Sides repeat over cells: a cohort is the group of many, all never treated the controls of most.
            kinds, kind = np.unique(side, axis=1, return_inverse=True)
            clusters = np.array([(within.T @ members.astype(float) > 0).sum() for members in kinds.T])
            lone |= (clusters == 1)[kind]
        return lone

    @property
    def _values(self) -> np.ndarray:
        # Levels cancel in changes; taken out, they cannot swallow digits.
        return self.panel.values - self.panel.values[:, :1]

    def _changes(self) -> np.ndarray:
        """(cohort, cell) summed change of the cohort's units."""
        members = csr_array((np.ones(len(self.cohort)), (self.cohort, np.arange(len(self.cohort)))))
        sums = members @ self._values
        return sums[:, self.time] - sums[:, self.base]

    def _by_cluster(self, values: np.ndarray) -> np.ndarray:
        if len(self.panel.clusters) == len(self.cohort):
            return values
        members = csr_array((np.ones(len(self.cohort)), (self.panel.cluster, np.arange(len(self.cohort)))))
        return members @ values


def compare_cohorts(panel: Panel, control: str, base: str) -> Comparisons:
    """Each cohort at each time after the first, against controls, as R's `did` has them with its defaults.

    From the start on a time is compared with the last before it.

    control : `never` or `notyet`: also units that start after the time (and its base), the group's own apart
    base : before the start, `varying` compares a time with the one before it; `universal` with the last
        before the start, which has no row itself

    Raises
    ------
    DataError
        If there is no cohort, one time only, or nobody to compare with.
    FitError
        If all who start, or all they are compared with, are one cluster.
    """
    panel = panel.without_first_starters().complete()
    never = np.isinf(panel.start)
    if never.all():
        raise DataError("No unit starts the programme after the first time: there is no effect to estimate")
    if not never.any():
        panel = _last_cohort_as_controls(panel, control)
    starts, cohort = np.unique(panel.start, return_inverse=True)
    if len(panel.times) < 2:
        raise DataError("The units have outcomes at one time only: a change needs two")
    n_groups, seen = len(starts) - 1, np.arange(base == "varying", len(panel.times))
    group, time = np.repeat(np.arange(n_groups), len(seen)), np.tile(seen, n_groups)
    started = starts[group] <= panel.times[time]
    last_before = np.searchsorted(panel.times, starts[group], side="left") - 1
    origin = last_before if base == "universal" else np.where(started, last_before, time - 1)
    moved = time != origin
    group, time, origin = group[moved], time[moved], origin[moved]
    sizes = np.bincount(cohort)
    compared = np.repeat(np.isinf(starts)[:, None], len(group), axis=1)
    own = np.arange(len(starts))[:, None] == group
    if control == "notyet":
        compared |= (starts[:, None] > panel.times[np.maximum(time, origin)]) & ~own
    share = own / sizes[:, None] - compared / (compared * sizes[:, None]).sum(axis=0)
    _check_clusters(panel)
    return Comparisons(panel, starts, cohort, group, time, origin, share)


def _last_cohort_as_controls(panel: Panel, control: str) -> Panel:
    """Where everybody starts in the end, the last to start are controls until they do."""
    if control == "never":
        raise DataError(
            "No unit is never treated (cohort 0): compare with units that have not started yet by "
            "control='notyet'"
        )
    last = panel.start.max()
    before = panel.times < last
    start = np.where(panel.start == last, np.inf, panel.start)
    if np.isinf(start).all():
        raise DataError(f"All units start at {last:g}: there is nobody to compare them with")
    note = (
        f"Every unit starts in the end: those that start last ({last:g}) are controls, and times from then "
        "on are left out"
    )
    return replace(
        panel,
        values=panel.values[:, before],
        times=panel.times[before],
        start=start,
        notes=(*panel.notes, note),
    )


def _check_clusters(panel: Panel) -> None:
    never = np.isinf(panel.start)
    for who, side in {"All units that start": ~never, "All units that never start": never}.items():
        inside = np.unique(panel.cluster[side])
        if len(inside) == 1:
            name = panel.clusters[inside[0]]
            raise FitError(
                f"{who} are one cluster ('{name}'): how much such a cluster changes by itself cannot be "
                "known from one, so no error can be given. Report the difference as a description, or find "
                "more clusters"
            )
