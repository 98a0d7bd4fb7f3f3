"""The likelihood of answers when the trait is integrated out on a fixed grid, with exact derivatives.

Everything is a sum over *rows*: a row is one category of one item, or one group. What a respondent did is a
0/1 vector over rows (one category of each answered item, and the own group), and the log of the joint
probability with a grid point is the sum of its rows' log probabilities there. The distribution of the trait
in a group is so one more curve, whose parameters are the mean and the log of the standard deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from relcap_models.psychometrics.irt_curves import Curve, ResponseModel

GRID = np.linspace(-6.0, 6.0, 61)


@dataclass(frozen=True)
class Block:
    """Rows and parameters of one item or group."""

    rows: slice
    parameters: slice


@dataclass(frozen=True)
class Marginal:
    """Answers, equal ones once, and where each item and group stands among rows and parameters.

    did : (pattern, row) 0 or 1. counts : (pattern,). pattern_of : (respondent,).
    The first group's trait is standard normal, so that it has no parameters.
    """

    model: ResponseModel
    did: np.ndarray
    counts: np.ndarray
    pattern_of: np.ndarray
    items: tuple[Block, ...]
    groups: tuple[Block, ...]

    @property
    def n_parameters(self) -> int:
        return self.groups[-1].parameters.stop

    @property
    def blocks(self) -> tuple[Block, ...]:
        return self.items + self.groups


def arrange(
    model: ResponseModel, codes: np.ndarray, n_categories: Sequence[int], group: np.ndarray, n_groups: int
) -> Marginal:
    """Answers as a `Marginal`.

    codes : (respondent, item) categories from 0, −1 where there is no answer. group : (respondent,).
    """
    together = np.column_stack([codes, group])
    patterns, pattern_of, counts = np.unique(together, axis=0, return_inverse=True, return_counts=True)
    sizes = [*n_categories, n_groups]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    did = np.zeros((len(patterns), starts[-1]))
    for start, answer in zip(starts, patterns.T):
        seen = np.flatnonzero(answer >= 0)
        did[seen, start + answer[seen]] = 1.0
    # An item has as many parameters as categories.
    items = [Block(slice(a, a + k), slice(a, a + k)) for a, k in zip(starts.tolist(), n_categories)]
    row = parameter = int(starts[-2])
    groups = [Block(slice(row, row + 1), slice(parameter, parameter))]
    for g in range(1, n_groups):
        groups.append(Block(slice(row + g, row + g + 1), slice(parameter, parameter + 2)))
        parameter += 2
    return Marginal(model, did, counts.astype(float), pattern_of.ravel(), tuple(items), tuple(groups))


def normal_curve(parameters: np.ndarray, theta: np.ndarray) -> Curve:
    """A normal trait on the grid: log weights (1, point), derivatives by mean and log sd (none: standard)."""
    mean, log_sd = parameters if len(parameters) else (0.0, 0.0)
    precision = np.exp(-2 * log_sd)
    natural = np.array([mean * precision, -precision / 2])
    powers = np.column_stack([theta, theta**2])
    log_p = log_softmax(powers @ natural)
    m = len(parameters)
    if m == 0:
        return Curve(log_p[None], np.zeros((1, len(theta), 0)), np.zeros((1, len(theta), 0, 0)))
    off = powers - np.exp(log_p) @ powers
    jacobian = np.array([[precision, -2 * natural[0]], [0.0, -2 * natural[1]]])
    score = off @ jacobian
    spread = jacobian.T @ (off.T * np.exp(log_p) @ off) @ jacobian
    curvature = np.empty((len(theta), 2, 2))
    curvature[:] = -spread
    curvature[:, 0, 1] -= 2 * precision * off[:, 0]
    curvature[:, 1, 0] -= 2 * precision * off[:, 0]
    curvature[:, 1, 1] += 4 * off @ natural
    return Curve(log_p[None], score[None], curvature[None])


def all_curves(marginal: Marginal, x: np.ndarray) -> list[Curve]:
    """Curves of items, then groups, on the grid."""
    items = [marginal.model.curve(x[b.parameters], GRID) for b in marginal.items]
    return items + [normal_curve(x[b.parameters], GRID) for b in marginal.groups]


def posterior(marginal: Marginal, curves: Sequence[Curve]) -> tuple[float, np.ndarray]:
    """Log-likelihood, and (pattern, point) the trait's distribution given each pattern."""
    joint = marginal.did @ np.concatenate([curve.log_p for curve in curves])
    highest = joint.max(axis=1, keepdims=True)
    weights = np.exp(joint - highest)
    total = weights.sum(axis=1, keepdims=True)
    log_p = (highest + np.log(total))[:, 0]
    return float(marginal.counts @ log_p), weights / total


def possible(curves: Sequence[Curve]) -> bool:
    """Whether every category has a probability (a graded item's thresholds are in order)."""
    return all(np.isfinite(curve.log_p).all() for curve in curves)


def expected_rows(marginal: Marginal, weights: np.ndarray) -> np.ndarray:
    """(row, point) how many respondents are expected at each point with each answer."""
    return marginal.did.T @ (marginal.counts[:, None] * weights)


def _expected_pairs(marginal: Marginal, weights: np.ndarray) -> np.ndarray:
    """(point, row, row) how many respondents are expected at each point with both answers."""
    expected = marginal.counts[:, None] * weights
    n_rows = marginal.did.shape[1]
    found = np.zeros((n_rows, n_rows, len(GRID)))
    for block in marginal.blocks:
        for row in range(block.rows.start, block.rows.stop):
            there = marginal.did[:, row] > 0
            found[row, row:] = marginal.did[there, row:].T @ expected[there]
    found = found.transpose(2, 0, 1)
    return found + np.triu(found, 1).transpose(0, 2, 1)


def value_and_gradient(marginal: Marginal, x: np.ndarray) -> tuple[float, np.ndarray]:
    """Log-likelihood and its derivatives; −inf where thresholds are out of order."""
    curves = all_curves(marginal, x)
    if not possible(curves):
        return -np.inf, np.zeros_like(x)
    value, weights = posterior(marginal, curves)
    expected = expected_rows(marginal, weights)
    gradient = [np.einsum("kq,kqm->m", expected[b.rows], c.score) for b, c in zip(marginal.blocks, curves)]
    return value, np.concatenate(gradient)


def hessian(marginal: Marginal, x: np.ndarray) -> np.ndarray:
    """Second derivatives of the log-likelihood: minus the observed information.

    Louis (1982): expected curvature plus the variance of the complete-data score, given the answers.
    """
    curves = all_curves(marginal, x)
    _, weights = posterior(marginal, curves)
    expected = expected_rows(marginal, weights)
    total = np.zeros((len(x), len(x)))
    mean_score = np.zeros((len(marginal.counts), len(x)))
    scores = np.zeros((len(GRID), marginal.did.shape[1], len(x)))
    for block, curve in zip(marginal.blocks, curves):
        at = block.parameters
        total[at, at] += np.einsum("kq,kqmn->mn", expected[block.rows], curve.curvature)
        scores[:, block.rows, at] = curve.score.transpose(1, 0, 2)
        for row, score in zip(range(block.rows.start, block.rows.stop), curve.score):
            there = marginal.did[:, row] > 0
            mean_score[there, at] = weights[there] @ score
    total += np.sum(scores.transpose(0, 2, 1) @ _expected_pairs(marginal, weights) @ scores, axis=0)
    mean_score *= np.sqrt(marginal.counts)[:, None]
    return total - mean_score.T @ mean_score
