"""Regression on relations, whose errors go together wherever two relations share a unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import qr
from scipy.sparse import csr_array
from scipy.stats import t as student

from relcap_models.errors import DataError, FitError, Problem
from relcap_models.schema.problems import suggestion

FILE = "data"
# Aronow, Samii & Assenova (2015), section 4: intervals cover as they say from about fifty units.
FEW_UNITS = 50
# Less of a regressor than this share, once the others are taken out, is rounding.
COLLINEAR = 1e-9


@dataclass(frozen=True, eq=False)
class DyadicRegression:
    """Coefficients of a regression on relations, with dyadic-robust errors.

    table : a row for each term, with term, estimate, se, lower and upper (t, units − 1 degrees of freedom)
    covariance : of the estimates. n_rows, n_relations (pairs of units, whatever the direction), n_units.
    notes : what was left out, what to be careful about.
    """

    table: pd.DataFrame
    covariance: pd.DataFrame
    n_rows: int
    n_relations: int
    n_units: int
    ci_prob: float
    notes: tuple[str, ...]


def dyadic_ols(
    data: pd.DataFrame,
    *,
    outcome: str,
    regressors: Sequence[str],
    units: tuple[str, str],
    absorb: str | None = None,
    ci_prob: float = 0.95,
) -> DyadicRegression:
    """How relations differ with what is known of them, with errors that allow for units in many relations.

    Parameters
    ----------
    data : a row for each relation, or for each relation at each time (or each rating)
    outcome, regressors : columns with numbers. For a programme's effect the outcome is a relation's change
        and the regressors say which ends are in it; or levels, with `absorb` a column that names the relation
        and a column for each wave but one among the regressors.
    units : the two columns with the units at a relation's ends, such as rater and target
    absorb : column whose every value gets a level of its own, not reported; else there is an intercept
    ci_prob : probability of the intervals

    Returns
    -------
    DyadicRegression. Errors of two rows may correlate freely if their relations share a unit, at whichever
    end, as rows of the same relation over time do. There is no correction for few units.

    Raises
    ------
    DataError
        If columns are absent, hold no numbers or say the same, or fewer than three units remain.

    Source: Aronow, Samii & Assenova (2015), Cluster-robust variance estimation for dyadic data, Political
    Analysis 23, 564–577.
    """
    if not 0 < ci_prob < 1:
        raise DataError(f"`ci_prob` is between 0 and 1, not {ci_prob}")
    values, notes = _read(data, [outcome, *regressors], [*units, *([absorb] if absorb else [])])
    y, x = values[outcome].to_numpy(), values[list(regressors)].to_numpy()
    names = list(regressors)
    if absorb is None:
        x, names = np.column_stack([np.ones(len(y)), x]), ["intercept", *names]
        deviations = x
    else:
        level = pd.factorize(values[absorb])[0]
        y, deviations = _within(y[:, None], level)[:, 0], _within(x, level)
    _check_rank(deviations, x, names, absorb)
    estimate, *_ = np.linalg.lstsq(deviations, y, rcond=None)
    first, second = (values[unit].to_numpy() for unit in units)
    covariance = dyadic_covariance(deviations, y - deviations @ estimate, first, second)
    codes = _codes(first, second)
    n_units = int(codes.max()) + 1
    if n_units < 3:
        raise DataError(
            f"Relations of {n_units} units tell nothing of how units differ: three or more are needed"
        )
    if (np.diag(covariance) <= 0).any():
        covariance = _positive(covariance)
        notes.append(
            "A variance came out negative, as can happen with few units; the covariance was made positive by "
            "leaving out its negative part (Cameron, Gelbach & Miller 2011): read the errors as rough"
        )
    if n_units < FEW_UNITS:
        notes.append(
            f"With {n_units} units (fewer than {FEW_UNITS}) errors are somewhat too small on average"
        )
    se = np.sqrt(np.diag(covariance))
    half = student.ppf((1 + ci_prob) / 2, n_units - 1) * se
    table = pd.DataFrame(
        {"term": names, "estimate": estimate, "se": se, "lower": estimate - half, "upper": estimate + half}
    )
    return DyadicRegression(
        table,
        pd.DataFrame(covariance, index=names, columns=names),
        len(y),
        len(np.unique(np.sort(codes, axis=1), axis=0)),
        n_units,
        ci_prob,
        tuple(notes),
    )


def dyadic_covariance(
    design: np.ndarray, residuals: np.ndarray, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """(term, term) covariance of least-squares estimates whose errors correlate where relations share a unit.

    Parameters
    ----------
    design : (row, term). residuals : (row,). first, second : (row,) the units at the two ends; a row may have
        the same unit at both.

    Scores summed within each unit count every pair of rows that shares one unit once, and every pair that
    shares both twice; those of the second kind are taken off once, as sums within pairs of units. So no pair
    of rows is ever formed.

    Raises
    ------
    FitError
        If the design has columns that depend on each other.

    Source: Aronow, Samii & Assenova (2015), equation 4 and section 3.2.
    """
    length = np.sqrt((design**2).sum(axis=0))
    if np.linalg.matrix_rank(design / np.where(length > 0, length, 1)) < design.shape[1]:
        raise FitError("Columns of the design depend on each other: leave one out")
    scores = design * (residuals[:, None] / length)
    codes = _codes(first, second)
    n, ends = len(scores), np.sort(codes, axis=1)
    apart = ends[:, 0] != ends[:, 1]
    rows = np.concatenate([np.arange(n), np.flatnonzero(apart)])
    unit = np.concatenate([ends[:, 0], ends[apart, 1]])
    by_unit = csr_array((np.ones(len(rows)), (unit, rows)), shape=(int(codes.max()) + 1, n)) @ scores
    pair = pd.factorize(ends[apart, 0] * (codes.max() + 1) + ends[apart, 1])[0]
    by_pair = csr_array(
        (np.ones(len(pair)), (pair, np.flatnonzero(apart))), shape=(pair.max(initial=-1) + 1, n)
    )
    by_pair = by_pair @ scores
    bread = np.linalg.inv((design / length).T @ (design / length))
    meat = by_unit.T @ by_unit - by_pair.T @ by_pair
    return bread @ meat @ bread / np.outer(length, length)


def _codes(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(row, 2) positions of the ends among all units of either side."""
    return pd.factorize(np.concatenate([first, second]))[0].reshape(2, -1).T


def _within(values: np.ndarray, level: np.ndarray) -> np.ndarray:
    members = csr_array((np.ones(len(level)), (level, np.arange(len(level)))))
    return values - (members @ values / np.bincount(level)[:, None])[level]


def _positive(covariance: np.ndarray) -> np.ndarray:
    roots, vectors = np.linalg.eigh(covariance)
    return (vectors * roots.clip(0)) @ vectors.T


def _read(data: pd.DataFrame, numbers: list[str], labels: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """The rows with every number, and a note on the others."""
    known = list(map(str, data.columns))
    problems = [
        Problem(FILE, "is no column", suggestion(name, known, what="columns"), column=name)
        for name in dict.fromkeys([*numbers, *labels])
        if name not in data.columns
    ]
    twice = [name for name in dict.fromkeys(numbers) if numbers.count(name) > 1]
    problems += [Problem(FILE, "is named twice", "Name it once", column=name) for name in twice]
    if problems:
        raise DataError(problems=problems)
    values = {}
    for name in numbers:
        values[name] = pd.to_numeric(data[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        unread = np.isnan(values[name]) & data[name].notna().to_numpy()
        if unread.any():
            example, remedy = (
                str(data[name][unread].iloc[0]),
                "Code it as numbers, a column for each category",
            )
            problems.append(Problem(FILE, "holds no numbers", remedy, column=name, value=example))
        if np.isinf(values[name]).any():
            problems.append(Problem(FILE, "has infinite values", "Correct them", column=name))
    for name in dict.fromkeys(labels):
        if data[name].isna().any():
            what = f"is missing in {int(data[name].isna().sum())} rows"
            problems.append(Problem(FILE, what, "Fill it in, or remove the rows", column=name))
        values[name] = data[name].to_numpy()
    if problems:
        raise DataError(problems=problems)
    table = pd.DataFrame(values)
    whole = table[numbers].notna().all(axis=1)
    if not whole.any():
        raise DataError("No row has the outcome and every regressor")
    left = int((~whole).sum())
    return table[whole], [f"{left} of {len(whole)} rows miss a value and were left out"] if left else []


def _check_rank(deviations: np.ndarray, x: np.ndarray, names: list[str], absorb: str | None) -> None:
    length = np.sqrt((x**2).sum(axis=0))
    scaled = deviations / np.where(length > 0, length, 1)
    if len(scaled) < len(names):
        raise DataError(f"{len(scaled)} rows cannot tell {len(names)} terms apart")
    triangle, order = qr(scaled, mode="r", pivoting=True)
    left = np.abs(np.diag(triangle))
    dependent = sorted(names[order[k]] for k in np.flatnonzero(left < COLLINEAR))
    if dependent:
        among = f" within values of '{absorb}'" if absorb else ""
        raise DataError(
            f"What {', '.join(map(repr, dependent))} say is known from the other regressors{among}: leave "
            f"{'it' if len(dependent) == 1 else 'them'} out"
        )
