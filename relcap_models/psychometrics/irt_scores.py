"""Where respondents stand on the trait, given their answers and the item parameters."""

from __future__ import annotations

import numpy as np

from relcap_models.psychometrics.irt_curves import along_trait
from relcap_models.psychometrics.irt_marginal import GRID, Marginal, all_curves, posterior

NEWTON_STEPS = 100


def eap(marginal: Marginal, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(pattern,) mean and standard deviation of the trait given the answers."""
    _, weights = posterior(marginal, all_curves(marginal, x))
    return moments(weights)


def moments(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(pattern,) mean and standard deviation of distributions on the grid (pattern, point)."""
    mean = weights @ GRID
    return mean, np.sqrt(np.sum(weights * (GRID - mean[:, None]) ** 2, axis=1))


def map_scores(marginal: Marginal, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(pattern,) mode of the trait given the answers, and its standard error from the curvature there.

    Newton's method from the mean: the log posterior is concave for both models, and steps of at most one
    standard deviation of the trait keep it from overshooting.
    """
    mean, precision = _priors(marginal, x)
    theta, _ = eap(marginal, x)
    for _ in range(NEWTON_STEPS):
        slope, bend = precision * (mean - theta), precision.copy()
        for block in marginal.items:
            _, first, second = along_trait(marginal.model, x[block.parameters], theta)
            did = marginal.did[:, block.rows].T
            slope += np.sum(did * first, axis=0)
            bend -= np.sum(did * second, axis=0)
        step = np.clip(slope / bend, -1.0, 1.0)
        theta = theta + step
        if np.abs(step).max() < 1e-8:
            break
    return theta, 1 / np.sqrt(bend)


def _priors(marginal: Marginal, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(pattern,) mean and precision of the trait in each pattern's group."""
    values = [x[b.parameters] if b.parameters.stop > b.parameters.start else (0, 0) for b in marginal.groups]
    group = marginal.did[:, marginal.groups[0].rows.start :].argmax(axis=1)
    mean, log_sd = np.array(values, dtype=float)[group].T
    return mean, np.exp(-2 * log_sd)
