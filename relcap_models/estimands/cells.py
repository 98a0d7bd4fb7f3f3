"""Draws of expected answers, averaged over items into dimensions and `overall`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relcap_models.estimands.naive import OVERALL
from relcap_models.inference.fit import Fit
from relcap_models.models import latent

_BLOCK = 4_000_000
"""Numbers held at once per item while averaging; keeps memory in the hundreds of megabytes."""


@dataclass(frozen=True)
class Scores:
    """Expected answer and P(favourable) of X cells: (S, X, Q), Q = dimensions and `overall`."""

    points: np.ndarray
    favourable: np.ndarray


def quantities(fit: Fit) -> list[str]:
    """Names of the last axis of `Scores`."""
    return [*fit.frame.dimensions, OVERALL]


def item_weights(fit: Fit) -> np.ndarray:
    """(I, Q): a dimension is the mean of its items, `overall` the mean of all items."""
    frame = fit.frame
    member = np.eye(len(frame.dimensions))[frame.dimension_of_item]
    weights = np.column_stack([member, np.ones(len(frame.items))])
    return weights / weights.sum(axis=0)


def scores(fit: Fit, location: np.ndarray, variance: np.ndarray) -> Scores:
    """Scores of cells with these latent means, averaged over normal noise.

    location : (S, X, D) · variance : (S or 1, D)
    """
    weights = item_weights(fit)
    n_draws, n_cells = location.shape[:2]
    points = np.empty((n_draws, n_cells, weights.shape[1]))
    favourable = np.empty_like(points)
    for block in blocks(n_draws, n_cells, int(fit.frame.n_categories.max())):
        expected, share = latent.item_expectation(
            fit.draws, fit.frame, fit.model.response, location[:, block], variance
        )
        points[:, block] = expected @ weights
        favourable[:, block] = share @ weights
    return Scores(points, favourable)


def blocks(n_draws: int, n_cells: int, n_categories: int) -> list[slice]:
    """Slices over cells that keep one item's probabilities within `_BLOCK` numbers."""
    size = max(1, _BLOCK // max(1, n_draws * n_categories))
    return [slice(start, min(start + size, n_cells)) for start in range(0, n_cells, size)]


def noise_variance(fit: Fit) -> np.ndarray:
    """(S or 1, D) variance of respondents and ratings, over which every score averages."""
    covariance = latent.noise_covariance(fit.draws, fit.structure, len(fit.frame.dimensions))
    return np.diagonal(covariance, axis1=1, axis2=2)


def rated_cells(fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Relation and wave of every relation × wave with at least one rating."""
    frame = fit.frame
    between = ~frame.own
    codes = np.unique(frame.relation_of_rating[between] * len(frame.waves) + frame.wave_of_rating[between])
    return codes // len(frame.waves), codes % len(frame.waves)


def unit_names(fit: Fit) -> np.ndarray:
    """(U,) ids of the units, to be indexed by codes."""
    return np.array(fit.frame.units, dtype=object)


def wave_names(fit: Fit) -> np.ndarray:
    """(W,) ids of the waves, to be indexed by codes."""
    return np.array(fit.frame.waves, dtype=object)
