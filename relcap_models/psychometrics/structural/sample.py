"""The sample of each group: answers, patterns of missing answers, means and covariances."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd

from relcap_models.errors import DataError, Problem
from relcap_models.psychometrics.items import read_items


@dataclass(frozen=True)
class Pattern:
    """Respondents of a group who answered the same variables.

    seen : (variable,) indices. rows : (respondent,) positions in the group. mean, cov : with divisor n.
    """

    seen: np.ndarray
    rows: np.ndarray
    mean: np.ndarray
    cov: np.ndarray

    @property
    def n(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Sample:
    """One group.

    values : (respondent, variable), NaN where missing. position : (respondent,) rows of the data.
    mean, cov : with divisor n; where answers are missing, the maximum-likelihood ones (see `fiml`).
    determined : whether the answers determine mean and cov. cluster : (respondent,) number of each one's
    cluster, counted over all groups; None if respondents are independent. given : (respondent, covariate),
    where ordinal items have covariates; mean and cov are then those at covariates of 0.
    """

    group: str
    observed: tuple[str, ...]
    values: np.ndarray
    position: np.ndarray
    patterns: tuple[Pattern, ...]
    mean: np.ndarray
    cov: np.ndarray
    determined: bool = True
    cluster: np.ndarray | None = None
    given: np.ndarray | None = None

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def complete(self) -> bool:
        return len(self.patterns) == 1 and len(self.patterns[0].seen) == len(self.observed)


def check_frame(data: pd.DataFrame) -> None:
    """Raise a DataError if the data are no frame, or one without rows."""
    if not isinstance(data, pd.DataFrame):
        raise DataError("`data` is a DataFrame whose columns have the names that the model uses")
    if not len(data):
        raise DataError("`data` has no rows: there is nobody to fit the model to")


def refuse_repeated(data: pd.DataFrame, names: Collection[str]) -> None:
    """Raise a DataError if a column that the model names stands in the data twice."""
    twice = [str(name) for name in dict.fromkeys(data.columns[data.columns.duplicated()]) if name in names]
    if twice:
        problems = [
            Problem(file="items", column=n, message="stands twice", remedy="Rename one") for n in twice
        ]
        raise DataError(problems=problems)


def columns(data: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """(respondent, variable) numbers of the named columns.

    Raises
    ------
    DataError
        If one is missing (with the nearest name), is no number, or is the same for everybody.
    """
    unknown = [name for name in names if name not in data.columns]
    if unknown:
        raise DataError(problems=[_unknown(name, list(map(str, data.columns))) for name in unknown])
    return read_items(data[list(names)]).values


def _unknown(name: str, known: list[str]) -> Problem:
    near = get_close_matches(name, known, n=3)
    remedy = f"Nearest known: {', '.join(near)}" if near else f"Known: {', '.join(known[:20])}"
    return Problem(file="model", message=f"'{name}' is no column of the data", remedy=remedy)


def build_sample(
    values: np.ndarray,
    position: np.ndarray,
    *,
    group: str,
    observed: tuple[str, ...],
    covariates: tuple[str, ...],
    fiml: bool,
) -> tuple[Sample, tuple[str, ...]]:
    """One group's sample (mean and cov of the answers there are), and notes on who was left out.

    Raises
    ------
    DataError
        If too few remain, a variable is constant in the group, or two were never answered together.
    """
    answered = ~np.isnan(values)
    where = f" of group '{group}'" if group else ""
    notes = ()
    if fiml:
        x = np.isin(observed, covariates)
        kept = answered[:, x].all(axis=1) & answered.any(axis=1)
        why = "without any answer or with a covariate missing"
    else:
        kept = answered.all(axis=1)
        why = "with missing answers"
    if not kept.all():
        notes = (f"{(~kept).sum()} of {len(kept)} respondents{where} {why} were left out",)
    values, position, answered = values[kept], position[kept], answered[kept]
    if len(values) < 3:
        raise DataError(
            f"{len(values)} respondents{where} can be used, which is too few"
            + (": leave the group out" if group else "")
        )
    _check(values, answered, observed, where)
    patterns = _patterns(values, answered)
    mean = np.nanmean(values, axis=0)
    cov = patterns[0].cov if len(patterns) == 1 else np.diag(np.nanvar(values, axis=0))
    return Sample(group, observed, values, position, patterns, mean, cov), notes


def _patterns(values: np.ndarray, answered: np.ndarray) -> tuple[Pattern, ...]:
    if answered.all():
        distinct, which = answered[:1], np.zeros(len(answered), dtype=int)
    else:
        distinct, which = np.unique(answered, axis=0, return_inverse=True)
    found = []
    for i in range(len(distinct))[::-1]:
        seen = np.flatnonzero(distinct[i])
        rows = np.flatnonzero(which == i)
        part = values[np.ix_(rows, seen)]
        mean = part.mean(axis=0)
        centred = part - mean
        found.append(Pattern(seen, rows, mean, centred.T @ centred / len(rows)))
    return tuple(found)


def _check(values: np.ndarray, answered: np.ndarray, observed: tuple[str, ...], where: str) -> None:
    problems = []
    for i, name in enumerate(observed):
        mine = values[answered[:, i], i]
        if mine.size == 0 or mine.min() == mine.max():
            said = "has no answers" if mine.size == 0 else f"was answered {mine[0]:g} by everybody"
            problems.append(
                Problem(file="items", column=name, message=f"{said}{where}", remedy="Leave it out")
            )
    if problems:
        raise DataError(problems=problems)
    together = answered.T.astype(float) @ answered
    apart = np.argwhere(np.triu(together < 2))
    if len(apart):
        a, b = (observed[i] for i in apart[0])
        raise DataError(
            f"Fewer than two respondents{where} answered both {a} and {b}, so that nothing is known of their "
            "covariance: leave one out"
        )


def undetermined_note(sample: Sample) -> str:
    """What is said where answers do not determine the moments."""
    where = f" of group '{sample.group}'" if sample.group else ""
    return f"So many answers{where} are missing that their covariances without a model are hardly determined"


def check_invertible(cov: np.ndarray, sample: Sample) -> None:
    """Raise a DataError that names the variables if one is a sum of others."""
    scale = np.sqrt(np.diag(cov))
    values, vectors = np.linalg.eigh(cov / np.outer(scale, scale))
    if values[0] > 1e-10:
        return
    where = f" of group '{sample.group}'" if sample.group else ""
    if sample.n <= len(sample.observed):
        raise DataError(
            f"{sample.n} respondents{where} are too few for {len(sample.observed)} variables: "
            "leave out variables" + (" or that group" if sample.group else "")
        )
    part = [name for name, w in zip(sample.observed, vectors[:, 0]) if abs(w) > 0.05]
    raise DataError(
        f"The covariance matrix{where} is singular: {', '.join(part)} determine one another. Leave one out"
    )
