"""The correlation of two variables given each one's margin: polychoric, polyserial or Pearson.

The second step of two-step estimation (Olsson 1979; Olsson, Drasgow & Dorans 1982; Muthén 1984): thresholds,
means and variances are held at their own estimates, and the correlation of the two normal variables beneath
is its maximum likelihood estimate. Every pair also says what its standard errors need: each respondent's
score, and how that score goes with the scores of the two margins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from relcap_models.psychometrics.bivariate_normal import (
    table_probabilities,
    table_slopes,
    table_threshold_slopes,
)
from relcap_models.psychometrics.continuous_pairs import (
    pearson_correlation,
    pearson_derivatives,
    polyserial_correlation,
    polyserial_derivatives,
)
from relcap_models.psychometrics.correlation_search import (
    BOUND,
    CLOSE,
    LEAST_PROBABILITY,
    MOST_STEPS,
    next_step,
)

_compiled = njit(cache=True, nogil=True, error_model="numpy")


@dataclass(frozen=True)
class PairFit:
    """The correlation of two variables given their margins.

    correlation : −1 to 1; ±1 only where the answers leave no other value, and then there are no scores
    scores : (respondent,) derivative of the log-likelihood, 0 for who answered only one of the two
    cross_first, cross_second : (parameter of that margin,) sums over respondents of `scores` times the
        derivative of the pair's log-likelihood with respect to the parameter
    """

    correlation: float
    scores: np.ndarray
    cross_first: np.ndarray
    cross_second: np.ndarray

    @property
    def perfect(self) -> bool:
        """Whether one variable determines the other, so that no standard errors exist."""
        return abs(self.correlation) == 1.0


def joint_table(first: np.ndarray, second: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(category, category) how many respondents gave both answers; codes are −1 where there is none."""
    both = (first >= 0) & (second >= 0)
    cell = first[both].astype(np.int64) * shape[1] + second[both]
    return np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape).astype(float)


def corrected(table: np.ndarray, correct: tuple[float, float]) -> np.ndarray:
    """The table with its empty cells filled as lavaan's `zero.add = correct` with `zero.keep.margins` does.

    A 2×2 table with one empty cell gets correct[0] there and in the opposite cell and loses it in the other
    two, which keeps its margins. Other tables get correct[1] in each empty cell.
    """
    empty = table == 0
    if table.shape != (2, 2):
        return np.where(empty, correct[1], table)
    if empty.sum() != 1:
        return table
    (i,), (j,) = np.nonzero(empty)
    sign = 1.0 if i == j else -1.0
    return table + correct[0] * sign * np.array([[1.0, -1.0], [-1.0, 1.0]])


def polychoric_pair(
    first: np.ndarray,
    second: np.ndarray,
    first_thresholds: np.ndarray,
    second_thresholds: np.ndarray,
    *,
    correct: tuple[float, float],
) -> PairFit:
    """Two ordinal items, as codes (respondent,) with −1 where there is no answer."""
    shape = (first_thresholds.size + 1, second_thresholds.size + 1)
    table = joint_table(first, second, shape)
    if shape == (2, 2) and (table[0, 0] + table[1, 1] == 0 or table[0, 1] + table[1, 0] == 0):
        return _perfect(1.0 if table[0, 0] + table[1, 1] > 0 else -1.0, len(first), 1, 1)
    filled = corrected(table, correct)
    rho = _maximise_table(filled, first_thresholds, second_thresholds, _product_moment(filled))
    slopes, cross_first, cross_second = _table_scores(table, first_thresholds, second_thresholds, rho)
    both = (first >= 0) & (second >= 0)
    return PairFit(rho, np.where(both, slopes[first, second], 0.0), cross_first, cross_second)


def polyserial_pair(
    values: np.ndarray, mean: float, variance: float, codes: np.ndarray, thresholds: np.ndarray
) -> PairFit:
    """A continuous variable (NaN where missing) and an ordinal item (codes).

    Margins are (mean, variance) and thresholds.
    """
    both = (codes >= 0) & ~np.isnan(values)
    deviation = math.sqrt(variance)
    z = (values[both] - mean) / deviation
    code = codes[both].astype(np.int64)
    bounds = np.concatenate([[-np.inf], thresholds, [np.inf]])
    lower, upper = bounds[code], bounds[code + 1]
    # Cox (1974): the moment estimate, which can leave the range.
    start = np.cov(z, code, bias=True)[0, 1] / (np.exp(-0.5 * thresholds**2) / math.sqrt(2 * math.pi)).sum()
    rho = polyserial_correlation(z, lower, upper, start if abs(start) <= 0.9 else start / abs(start) * 0.45)
    found = polyserial_derivatives(z, lower, upper, rho, deviation)
    scores = found[0]
    at_lower = np.bincount(code, scores * found[3], thresholds.size + 1)[1:]
    at_upper = np.bincount(code, scores * found[4], thresholds.size + 1)[:-1]
    return PairFit(rho, _of_all(scores, both), found[1:3] @ scores, at_lower + at_upper)


def pearson_pair(
    first: np.ndarray,
    second: np.ndarray,
    first_margin: tuple[float, float],
    second_margin: tuple[float, float],
) -> PairFit:
    """Two continuous variables, NaN where missing; margins are (mean, variance)."""
    both = ~np.isnan(first) & ~np.isnan(second)
    (mean1, variance1), (mean2, variance2) = first_margin, second_margin
    sd1, sd2 = math.sqrt(variance1), math.sqrt(variance2)
    x, y = (first[both] - mean1) / sd1, (second[both] - mean2) / sd2
    rho = pearson_correlation(x, y)
    found = pearson_derivatives(x, y, rho, sd1, sd2)
    scores = found[0]
    return PairFit(rho, _of_all(scores, both), found[1:3] @ scores, found[3:] @ scores)


def _of_all(scores: np.ndarray, both: np.ndarray) -> np.ndarray:
    """(respondent,) scores of those who answered both, and 0 of the others."""
    whole = np.zeros(len(both))
    whole[both] = scores
    return whole


def _perfect(correlation: float, n: int, n_first: int, n_second: int) -> PairFit:
    return PairFit(correlation, np.zeros(n), np.zeros(n_first), np.zeros(n_second))


def _product_moment(table: np.ndarray) -> float:
    """The Pearson correlation of the category numbers, 0 where there is none."""
    share = table / table.sum()
    i, j = np.arange(table.shape[0]), np.arange(table.shape[1])
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    spread = math.sqrt((rows @ i**2 - (rows @ i) ** 2) * (columns @ j**2 - (columns @ j) ** 2))
    return float(i @ share @ j - (rows @ i) * (columns @ j)) / spread if spread > 0 else 0.0


@_compiled
def _maximise_table(table: np.ndarray, rows: np.ndarray, columns: np.ndarray, start: float) -> float:
    low, high = -BOUND, BOUND
    rho = min(max(start, -0.95), 0.95)
    for _ in range(MOST_STEPS):
        probability = table_probabilities(rows, columns, rho)
        first, second = table_slopes(rows, columns, rho)
        slope, curvature = 0.0, 0.0
        for i in range(table.shape[0]):
            for j in range(table.shape[1]):
                if table[i, j] > 0.0:
                    p = max(probability[i, j], LEAST_PROBABILITY)
                    relative = first[i, j] / p
                    slope += table[i, j] * relative
                    curvature += table[i, j] * (second[i, j] / p - relative * relative)
        if slope > 0.0:
            low = rho
        else:
            high = rho
        step = next_step(rho, low, high, slope, curvature)
        if abs(step - rho) < CLOSE:
            return step
        rho = step
    return rho


@_compiled
def _table_scores(
    table: np.ndarray, rows: np.ndarray, columns: np.ndarray, rho: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each cell's score, and sums over respondents of it times the derivative by row and column threshold."""
    probability = np.maximum(table_probabilities(rows, columns, rho), LEAST_PROBABILITY)
    score = table_slopes(rows, columns, rho)[0] / probability
    share = table * score / probability
    by_row = table_threshold_slopes(rows, columns, rho)
    by_column = table_threshold_slopes(columns, rows, rho)
    cross_rows = np.zeros(rows.size)
    cross_columns = np.zeros(columns.size)
    for k in range(rows.size):
        for j in range(columns.size + 1):
            cross_rows[k] += by_row[k, j] * (share[k, j] - share[k + 1, j])
    for k in range(columns.size):
        for i in range(rows.size + 1):
            cross_columns[k] += by_column[k, i] * (share[i, k] - share[i, k + 1])
    return score, cross_rows, cross_columns
