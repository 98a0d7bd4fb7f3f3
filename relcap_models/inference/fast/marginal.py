"""Item parameters and the total covariance of a rating, each rating taken for itself.

What units, relations and persons share does not matter for them: the latent ratings are normal with one
covariance, whatever it is made of. The likelihood of every rating is an integral over a few dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relcap_models.inference.fast.items import FIRST_LENGTH, Items, next_length
from relcap_models.inference.fast.pseudo import Quadrature, Tilted
from relcap_models.models.frame import Frame

_MAX_ROUNDS = 60
_CLOSE = 1e-2
_RIDGE = 1e-6
_PRIOR_RATINGS = 4


@dataclass(frozen=True)
class Marginal:
    """Estimates of this step, with their uncertainty.

    vector : (q,) item parameters · total : (F, D, D) covariance of a rating about each facet
    location : (N, D)
    growth : (F·D, q) by how much the logarithm of a latent standard deviation rises with each item
    parameter: thresholds that lie further apart and larger effects are the same answers
    tilted : moments of each rating
    """

    vector: np.ndarray
    total: np.ndarray
    location: np.ndarray
    growth: np.ndarray
    tilted: Tilted


def fit_marginal(frame: Frame, items: Items, quadrature: Quadrature, scale: float) -> Marginal:
    """Estimates for each facet by itself: none has an item or a rating of another."""
    if len(frame.facets) == 1:
        return _of_one_facet(frame, items, quadrature, scale)
    D, F = len(frame.dimensions), len(frame.facets)
    vector, growth = items.start.copy(), np.zeros((F * D, len(items.start)))
    total, location = np.zeros((F, D, D)), np.zeros((frame.n_ratings, D))
    mean, covariance = np.zeros((frame.n_ratings, D)), np.zeros((frame.n_ratings, D, D))
    log_mass = np.zeros(frame.n_ratings)
    for f in range(F):
        here = frame.facet_of_rating == f
        alone = frame.of_facet(f)
        found = _of_one_facet(alone, Items(alone, *items.options), Quadrature(alone, items.family), scale)
        where = items.places(f)
        vector[where], growth[f * D : (f + 1) * D, where] = found.vector, found.growth
        total[f], location[here] = found.total[0], found.location
        log_mass[here], mean[here], covariance[here] = (
            found.tilted.log_mass,
            found.tilted.mean,
            found.tilted.covariance,
        )
    return Marginal(vector, total, location, growth, Tilted(log_mass, mean, covariance, np.zeros((0, 0))))


def _of_one_facet(frame: Frame, items: Items, quadrature: Quadrature, scale: float) -> Marginal:
    """Maximise the sum of the ratings' log likelihoods and the items' log prior.

    Steps use the outer product of the ratings' scores, shorter ones where they overshoot.
    It is a place to start from: steps that do not settle with few ratings do no harm.
    """
    D, n = len(frame.dimensions), frame.n_ratings
    own = frame.own & frame.mixed
    group = np.unique(own * len(frame.waves) + frame.wave_of_rating, return_inverse=True)[1]
    n_groups = int(group.max()) + 1
    vector, shift, root = items.start.copy(), np.zeros((n_groups, D)), np.eye(D) * scale
    lower = np.tril_indices(D)
    diagonal = lower[0] == lower[1]
    q, n_root = len(vector), len(diagonal)
    tilted = None
    length, last = FIRST_LENGTH, None
    for _ in range(_MAX_ROUNDS):
        total = root @ root.T
        mean, covariance = shift[group], np.repeat(total[None], n, axis=0)
        tilted = quadrature(items.values(vector), mean, covariance, around=tilted, with_score=True)
        inverse = np.linalg.inv(total)
        error = tilted.mean - mean
        second = tilted.covariance + error[:, :, None] * error[:, None, :]
        of_root = (inverse @ (second - total) @ inverse @ root)[:, lower[0], lower[1]]
        of_root[:, diagonal] *= np.diag(root)
        of_shift = np.zeros((n, n_groups, D))
        of_shift[np.arange(n), group] = error @ inverse
        # The location of the first group is the thresholds'.
        scores = np.concatenate(
            [items.scores(vector, tilted), of_root, of_shift[:, 1:].reshape(n, -1)], axis=1
        )
        slope = scores.sum(axis=0)
        slope[:q] += items.prior_gradient(vector)
        # As if a few more ratings had been seen with this much spread: with few of them it could vanish.
        of_prior = (inverse @ (scale**2 * np.eye(D) - total) @ inverse @ root)[lower]
        of_prior[diagonal] *= np.diag(root)
        slope[q : q + n_root] += _PRIOR_RATINGS * of_prior
        information = scores.T @ scores
        information[np.diag_indices_from(information)] += _RIDGE
        information[:q, :q] += items.prior_information(vector)
        at_root = np.arange(q, q + n_root)
        information[at_root, at_root] += _PRIOR_RATINGS * np.where(diagonal, 2.0, 1.0 / scale**2)
        step = np.linalg.solve(information, slope)
        decrement = float(step @ slope)
        if decrement < _CLOSE:
            break
        length, last = next_length(length, last, step, information, 1.0), step
        step = length * min(1.0, 0.7 / np.abs(step).max()) * step
        vector = items.moved(vector, step[:q])
        moved = step[q : q + n_root]
        root[lower] = np.where(
            diagonal, root[lower] * np.exp(np.where(diagonal, moved, 0.0)), root[lower] + moved
        )
        shift[1:] += step[q + n_root :].reshape(-1, D)
    # d log sd[d] / d root: rows of the root have the length sd.
    of_log_sd = np.zeros((D, n_root))
    for k, (d, e) in enumerate(zip(*lower)):
        of_log_sd[d, k] = root[d, e] * (root[d, e] if d == e else 1.0) / total[d, d]
    of_root = slice(q, q + n_root)
    growth = -of_log_sd @ np.linalg.solve(information[of_root, of_root], information[of_root, :q])
    return Marginal(vector, total[None], shift[group], growth, tilted)
