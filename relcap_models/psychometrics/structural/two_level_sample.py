"""The sample of a two-level model: within clusters, and between them by their size.

Orthonormal contrasts within clusters and the means of clusters of one size are independent samples from
normal distributions, so that the likelihood of two levels is a sum of ordinary ones.

Source: McDonald & Goldstein (1989), British Journal of Mathematical and Statistical Psychology 42, 215-232;
Muthén (1990), Mean and covariance structure analysis of hierarchical data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.errors import DataError, Problem
from relcap_models.psychometrics.structural.sample import Pattern, Sample, check_invertible, columns
from relcap_models.psychometrics.structural.variables import Variables

CONSTANT = 1e-9


@dataclass(frozen=True)
class LevelMoments:
    """What one level's variables are like without a model.

    mean : 0 at the within level for variables of both levels. n : respondents, or clusters.
    """

    observed: tuple[str, ...]
    mean: np.ndarray
    cov: np.ndarray
    n: int


@dataclass(frozen=True)
class Saturated:
    """Both levels without a model, and their log-likelihood. notes : what a reader should know."""

    within: LevelMoments
    between: LevelMoments
    logl: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class TwoLevelSample:
    """One group of clusters.

    within, between : observed variables at each level. variables : all, those at the within level first.
    values : (respondent, variable). position : (respondent,) rows of the data. cluster : (respondent,)
    number of the cluster. contrasts : N(0, within covariance), one fewer than its respondents for each
    cluster. means : clusters of one size each, their means (of variables of the between level alone: their
    values). sizes : of the clusters in each of `means`. clusters : the clusters' numbers in each of `means`.
    saturated : both levels without a model, once they are estimated.
    """

    group: str
    within: tuple[str, ...]
    between: tuple[str, ...]
    variables: tuple[str, ...]
    values: np.ndarray
    position: np.ndarray
    cluster: np.ndarray
    contrasts: Sample
    means: tuple[Sample, ...]
    sizes: np.ndarray
    clusters: tuple[np.ndarray, ...]
    saturated: Saturated | None = None

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def n_clusters(self) -> int:
        return sum(len(found) for found in self.clusters)

    @property
    def cluster_sizes(self) -> np.ndarray:
        """(cluster,) respondents."""
        return np.bincount(self.cluster)

    @property
    def at_between(self) -> np.ndarray:
        """(between variable,) positions among all variables."""
        return np.array([self.variables.index(name) for name in self.between], dtype=int)

    @property
    def shared(self) -> tuple[str, ...]:
        """Variables of both levels."""
        return tuple(name for name in self.within if name in self.between)


def level_moments(samples: Sequence[TwoLevelSample]) -> tuple[LevelMoments, ...]:
    """Moments without a model, block by block."""
    return tuple(part for s in samples for part in (s.saturated.within, s.saturated.between))


def two_level_samples(
    data: pd.DataFrame,
    names: Sequence[Variables],
    cluster: pd.Series,
    groups: Sequence[str],
    codes: np.ndarray,
) -> tuple[tuple[TwoLevelSample, ...], tuple[str, ...]]:
    """Each group's sample, and notes on who was left out.

    Parameters
    ----------
    names : variables within and between, group by group. cluster : (respondent,) names of clusters.
    codes : (respondent,) the number of each one's group.

    Raises
    ------
    DataError
        If a cluster is missing or in several groups, clusters are too few or all of one respondent, or a
        variable does not vary where the model has it vary, or varies within clusters and must not.
    """
    if cluster.isna().any():
        raise DataError(f"`cluster` is missing for {int(cluster.isna().sum())} respondents: leave them out")
    everything = tuple(dict.fromkeys(v for part in names for v in part.observed))
    values = columns(data, everything)
    numbers, labels = pd.factorize(cluster)
    torn = pd.Series(codes).groupby(numbers).nunique()
    if (torn > 1).any():
        raise DataError(f"`cluster` {labels[torn.idxmax()]} is in several groups: name clusters apart")
    found, notes = [], []
    for number, name in enumerate(groups):
        within, between = (part.observed for part in names[2 * number : 2 * number + 2])
        variables = (*within, *(v for v in between if v not in within))
        rows = np.flatnonzero(codes == number)
        mine = values[np.ix_(rows, [everything.index(v) for v in variables])]
        kept = ~np.isnan(mine).any(axis=1)
        where = f" of group '{name}'" if name else ""
        if not kept.all():
            notes.append(
                f"{(~kept).sum()} of {len(kept)} respondents{where} with missing answers were left out"
            )
        rows = rows[kept]
        found.append(_sample(mine[kept], rows, numbers[rows], labels, name, within, between, variables))
    return tuple(found), tuple(notes)


def _sample(
    values: np.ndarray,
    position: np.ndarray,
    numbers: np.ndarray,
    labels: Sequence,
    group: str,
    within: tuple[str, ...],
    between: tuple[str, ...],
    variables: tuple[str, ...],
) -> TwoLevelSample:
    where = f" of group '{group}'" if group else ""
    cluster, kinds = pd.factorize(numbers)
    size = np.bincount(cluster)
    if len(size) < 2:
        raise DataError(f"Two-level models need two clusters or more{where}, and there are {len(size)}")
    if size.max() == 1:
        raise DataError(
            f"Each cluster{where} has one respondent only, so that levels cannot be told apart: leave the "
            "levels and `cluster` out"
        )
    total = np.zeros((len(size), values.shape[1]))
    np.add.at(total, cluster, values)
    mean = total / size[:, None]
    inside = values - mean[cluster]
    _check_variation(values, inside, mean, cluster, labels[kinds], within, between, variables, where)
    if len(size) <= len(between):
        raise DataError(
            f"{len(size)} clusters{where} are too few for {len(between)} variables at level 2: leave "
            "variables out there"
        )
    # A variable of the between level alone is the same throughout a cluster but for rounding.
    p = len(within)
    contrasts = _contrasts(inside[:, :p], cluster, size)
    sizes = np.unique(size)
    clusters = tuple(np.flatnonzero(size == s) for s in sizes)
    means = tuple(_as_sample(mean[at], at, group, variables) for at in clusters)
    second = contrasts.T @ contrasts / len(contrasts)
    whole = Pattern(np.arange(p), np.arange(len(contrasts)), np.zeros(p), second)
    pooled = Sample(
        group, within, contrasts, np.repeat(np.arange(len(size)), size - 1), (whole,), np.zeros(p), second
    )
    check_invertible(second, pooled)
    everybody = _as_sample(values, position, group, variables)
    check_invertible(everybody.cov, everybody)
    return TwoLevelSample(
        group, within, between, variables, values, position, cluster, pooled, means, sizes, clusters
    )


def _as_sample(values: np.ndarray, at: np.ndarray, group: str, variables: tuple[str, ...]) -> Sample:
    mean = values.mean(axis=0)
    cov = (values - mean).T @ (values - mean) / len(values)
    whole = Pattern(np.arange(values.shape[1]), np.arange(len(values)), mean, cov)
    return Sample(group, variables, values, at, (whole,), mean, cov)


def _contrasts(inside: np.ndarray, cluster: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(respondents − clusters, variable): each answer against the mean of those before it (Helmert's)."""
    order = np.argsort(cluster, kind="stable")
    sorted_values, of = inside[order], cluster[order]
    before = np.concatenate([[0], np.cumsum(size)[:-1]])
    rank = np.arange(len(of)) - before[of]
    running = np.cumsum(sorted_values, axis=0)
    running -= np.vstack([np.zeros(inside.shape[1]), running])[before[of]]
    later = rank > 0
    k = rank[later][:, None]
    mean_before = (running[later] - sorted_values[later]) / k
    return np.sqrt(k / (k + 1)) * (sorted_values[later] - mean_before)


def _check_variation(
    values: np.ndarray,
    inside: np.ndarray,
    mean: np.ndarray,
    cluster: np.ndarray,
    labels: Sequence,
    within: tuple[str, ...],
    between: tuple[str, ...],
    variables: tuple[str, ...],
    where: str,
) -> None:
    problems = []
    for i, name in enumerate(variables):
        small = CONSTANT * max(values[:, i].std(), np.finfo(float).tiny)
        moves = np.abs(inside[:, i]) > small
        said = remedy = ""
        if np.ptp(values[:, i]) == 0:
            said, remedy = f"is {values[0, i]:g} for everybody", "Leave it out"
        elif name not in within and moves.any():
            first = labels[cluster[np.argmax(moves)]]
            said = f"is at level 2 alone, and varies within clusters{where}, such as {first}"
            remedy = "Name it at level 1 too, or take its means by cluster"
        elif name in within and not moves.any():
            said = f"is at level 1, and does not vary within clusters{where}"
            remedy = "Name it at level 2 alone"
        elif name in between and np.ptp(mean[:, i]) <= small:
            said, remedy = (
                f"is at level 2, and does not vary between clusters{where}",
                "Name it at level 1 alone",
            )
        if said:
            problems.append(Problem(file="data", column=name, message=said, remedy=remedy))
    if problems:
        raise DataError(problems=problems)
