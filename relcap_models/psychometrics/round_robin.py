"""Ratings of persons by each other, as matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.errors import DataError
from relcap_models.psychometrics.items import read_items


@dataclass(frozen=True)
class RoundRobin:
    """Ratings within one group.

    ratings : (indicator, rater, target), NaN where there is none and on the diagonal. persons : (rater,).
    """

    name: str
    persons: tuple
    ratings: np.ndarray

    @property
    def n_ratings(self) -> int:
        """Ratings of all indicators."""
        return int((~np.isnan(self.ratings)).sum())

    @property
    def missing(self) -> float:
        """Share of the possible ratings that are missing."""
        n = len(self.persons)
        return 1 - self.n_ratings / (len(self.ratings) * n * (n - 1))

    @property
    def n_pairs(self) -> int:
        """Pairs who rated each other on every indicator."""
        mutual = ~np.isnan(self.ratings + self.ratings.transpose(0, 2, 1))
        return int(mutual.all(axis=0).sum() // 2)

    def closed(self) -> RoundRobin:
        """Only persons who rate and are rated among themselves, on every indicator."""
        kept = np.arange(len(self.persons))
        while len(kept):
            there = ~np.isnan(self.ratings[:, kept][:, :, kept])
            both = there.any(axis=2).all(axis=0) & there.any(axis=1).all(axis=0)
            if both.all():
                break
            kept = kept[both]
        return RoundRobin(self.name, tuple(self.persons[i] for i in kept), self.ratings[:, kept][:, :, kept])


def read_round_robins(
    ratings: pd.DataFrame, rater: str, target: str, values: Sequence[str], group: str | None
) -> tuple[tuple[RoundRobin, ...], list[str]]:
    """Groups in order of their first rating, and notes on what was left out.

    Raises
    ------
    DataError
        If columns are not there, names are missing, ratings are no numbers, the same for everybody or given
        twice, or two indicators are the same.
    """
    names = [rater, target, *values] + ([group] if group is not None else [])
    absent = [name for name in names if name not in ratings.columns]
    if absent:
        raise DataError(
            f"There is no column {', '.join(absent)}; there are {', '.join(map(str, ratings.columns))}"
        )
    unnamed = ratings[[name for name in names if name not in values]].isna().any(axis=1)
    if unnamed.any():
        raise DataError(f"{unnamed.sum()} ratings miss a rater, target or group: leave them out")
    numbers = read_items(ratings[list(values)]).values
    if len(values) == 2 and np.array_equal(*numbers.T, equal_nan=True):
        raise DataError(f"{values[0]} and {values[1]} are the same: give one of them")
    raters, targets = ratings[rater].to_numpy(), ratings[target].to_numpy()
    groups = ratings[group].to_numpy() if group is not None else np.full(len(ratings), "all")
    notes = []
    own, answered = raters == targets, ~np.isnan(numbers).all(axis=1)
    if (own & answered).any():
        notes.append(f"{(own & answered).sum()} self ratings are not used")
    kept = answered & ~own
    if not kept.any():
        raise DataError("There are no ratings of other persons")
    _raise_twice(pd.DataFrame({"group": groups, "rater": raters, "target": targets})[kept])
    found = []
    for name in pd.unique(groups[kept]):
        here = kept & (groups == name)
        codes, persons = pd.factorize(np.concatenate([raters[here], targets[here]]))
        matrix = np.full((len(values), len(persons), len(persons)), np.nan)
        giver, getter = np.split(codes, 2)
        matrix[:, giver, getter] = numbers[here].T
        found.append(RoundRobin(str(name), tuple(persons), matrix))
    return tuple(found), notes


def _raise_twice(pairs: pd.DataFrame) -> None:
    twice = pairs[pairs.duplicated()]
    if len(twice):
        first = twice.iloc[0]
        raise DataError(
            f"{len(twice)} ratings are given twice, such as of {first['target']} by {first['rater']} in "
            f"group {first['group']}: keep one of them, or average them"
        )
