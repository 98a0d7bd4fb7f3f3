"""Ordinal logistic regression, with errors that hold where ratings of a cluster depend on each other.

statsmodels' OrderedModel searches by numerical slopes, which takes seconds for twenty thousand ratings and
gives no scores by respondent. Here Newton's steps take hundredths, and a regression is run for each item.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit, logit

MOST_STEPS = 100
MOST_HALVINGS = 30
TOLERANCE = 1e-9


@dataclass(frozen=True)
class OrdinalRegression:
    """P(answer ≤ k) = logistic(threshold_k − design · slopes), by maximum likelihood.

    parameters : thresholds, then slopes. n_thresholds : how many are thresholds. loglik : log-likelihood.
    converged : whether a maximum was reached. upper, lower : (respondent, parameter) derivatives of the
    boundaries above and below the answer. by_boundary : (2, respondent) of the log-likelihood by them, and
    bends : (3, respondent) minus its second ones (upper, lower, both).
    """

    parameters: np.ndarray
    n_thresholds: int
    loglik: float
    converged: bool
    upper: np.ndarray
    lower: np.ndarray
    by_boundary: np.ndarray
    bends: np.ndarray

    @property
    def scores(self) -> np.ndarray:
        """(respondent, parameter) derivatives of each one's log-likelihood; they sum to 0."""
        up, down = self.by_boundary
        return up[:, None] * self.upper + down[:, None] * self.lower

    def information(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """(parameter, parameter) observed information, of some respondents or all."""
        upper, lower = self.upper[rows], self.lower[rows]
        above, below, both = self.bends[:, rows]
        crossed = (upper.T * both) @ lower
        return (upper.T * above) @ upper + (lower.T * below) @ lower + crossed + crossed.T


def ordinal_regression(codes: np.ndarray, design: np.ndarray) -> OrdinalRegression:
    """Fit the regression of answers on a design.

    codes : (respondent,) categories 0, 1, …, each of which occurs. design : (respondent, column), without a
    constant. Where categories are told apart without error there is no maximum: see `converged`.

    Source: McCullagh (1980), Journal of the Royal Statistical Society B 42, 109-142.
    """
    counts = np.bincount(codes)
    m = len(counts) - 1
    spots = np.eye(m + 1)
    upper = np.hstack([spots[codes][:, :m], -design])
    lower = np.hstack([spots[codes][:, 1:], -design])
    x = np.concatenate([logit(np.cumsum(counts)[:-1] / counts.sum()), np.zeros(design.shape[1])])
    now = _at(codes, upper, lower, m, x, converged=False)
    for _ in range(MOST_STEPS):
        step = np.linalg.lstsq(now.information(), now.scores.sum(axis=0), rcond=None)[0]
        for _ in range(MOST_HALVINGS):
            new = _at(codes, upper, lower, m, x + step, converged=False)
            if new.loglik >= now.loglik - 1e-12 * abs(now.loglik):
                break
            step = step / 2
        x, now = x + step, new
        if np.abs(step).max() < TOLERANCE:
            return _at(codes, upper, lower, m, x, converged=True)
    return now


def _at(
    codes: np.ndarray, upper: np.ndarray, lower: np.ndarray, m: int, x: np.ndarray, *, converged: bool
) -> OrdinalRegression:
    """The log-likelihood and its derivatives there.

    Between boundaries l < u, log P = log σ(u) + log σ(−l) + log(1 − exp(l − u)), which keeps its digits where
    both are far away.
    """
    ends = np.concatenate([[-np.inf], x[:m], [np.inf]])
    gap = np.diff(ends)[codes]
    if (gap <= 0).any():
        nothing = np.zeros((3, len(codes)))
        return OrdinalRegression(x, m, -np.inf, converged, upper, lower, nothing[:2], nothing)
    predicted = -upper[:, m:] @ x[m:]
    high, low = ends[codes + 1] - predicted, ends[codes] - predicted
    inside = -np.expm1(-gap)
    loglik = float(np.sum(log_expit(high) + log_expit(-low) + np.log(inside)))
    pull = np.exp(-gap) / inside
    bend = pull / inside
    first = np.array([expit(-high) + pull, -expit(low) - pull])
    second = np.array([expit(high) * expit(-high) + bend, expit(low) * expit(-low) + bend, -bend])
    return OrdinalRegression(x, m, loglik, converged, upper, lower, first, second)


def expected_answers(parameters: np.ndarray, design: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(respondent,) mean answer that the regression expects. values : (category,) what each counts."""
    m = len(values) - 1
    above = expit(design @ parameters[m:] - parameters[:m, None])
    return values[0] + np.diff(values) @ above


def cluster_covariance(fit: OrdinalRegression, cluster: np.ndarray) -> np.ndarray:
    """(parameter, parameter) covariance of the estimates when only clusters are independent.

    The jackknife: each cluster is left out in turn, and one Newton step taken from the estimates. With few
    or unequal clusters, such as a group that has few, it does not fall short as the sandwich does.

    cluster : (respondent,) 0, 1, …. The design must be of full rank without any one cluster.

    Source: MacKinnon, Nielsen & Webb (2023), Journal of Applied Econometrics 38, 671-694 (CV3).
    """
    n = int(cluster.max()) + 1
    whole, scores = fit.information(), fit.scores
    moved = np.array(
        [
            np.linalg.solve(whole - fit.information(rows), scores[rows].sum(axis=0))
            for rows in (np.flatnonzero(cluster == c) for c in range(n))
        ]
    )
    return (n - 1) / n * moved.T @ moved
