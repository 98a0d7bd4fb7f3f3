"""The likelihood of the answers in JAX, as a table of ratings × items for each facet.

A table needs no places in lists of answers, to which a graphics processor would add one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr

from relcap_models.models.density import Responses

Array = Any

# Thresholds beyond which there is no category.
_FAR = 1e10


def log_likelihood(responses: Responses, values: dict[str, Array], eta: Array) -> Array:
    """Log probability of all answers; eta : (N, D) of the ratings."""
    frame, loading = responses.frame, jnp.ones(len(responses.frame.items))
    if responses.free:
        loading = jnp.exp(responses.contrasts @ values["log_loading"])
    threshold = None
    if responses.family == "partial_credit":
        threshold = values["threshold"]
    elif responses.family != "gaussian":
        threshold = jnp.zeros(len(frame.item_of_threshold))
        for name, where in responses.groups:
            threshold = threshold.at[where].set(values[name])
    total = jnp.zeros(())
    for table in _tables(responses):
        chosen = eta if table.ratings is None else eta[table.ratings]
        location = loading[table.items] * (chosen @ table.dimension)
        if responses.family == "gaussian":
            sd = values["residual_sd"][table.items]
            error = (table.answer - values["intercept"][table.items] - location) / sd
            each = -0.5 * error**2 - jnp.log(sd) - 0.5 * np.log(2.0 * np.pi)
            total = total + jnp.sum(jnp.where(table.answered, each, 0.0))
            continue
        first, n_categories = frame.first_threshold[table.items], frame.n_categories[table.items]
        steps = [
            threshold[np.where(n_categories - 1 > k, first + k, 0)] for k in range(n_categories.max() - 1)
        ]
        if responses.family == "partial_credit":
            total = total + _partial_credit(steps, location, table, n_categories)
            continue
        # Beyond the outermost thresholds, and where nothing was answered: so far out that no more is there.
        below, above = -_FAR, _FAR
        for k, step in enumerate(steps):
            below = jnp.where(table.answer == k + 1, step - location, below)
            above = jnp.where((table.answer == k) & (n_categories - 1 > k), step - location, above)
        between = _log_normal_between if responses.family == "probit" else _log_logistic_between
        total = total + jnp.sum(between(below, above))
    return total


@dataclass(frozen=True)
class _Table:
    """Answers of one facet. ratings : (n,) its ratings, None for all · items : (m,) its items

    answer : (n, m), −1 where nothing was answered · dimension : (D, m) 1 where an item is of a dimension
    """

    ratings: np.ndarray | None
    items: np.ndarray
    answer: np.ndarray
    answered: np.ndarray
    dimension: np.ndarray


def _tables(responses: Responses) -> Iterator[_Table]:
    frame = responses.frame
    facet_of_item = frame.latent_of_item // len(frame.dimensions)
    dimension = (np.arange(len(frame.dimensions))[:, None] == frame.dimension_of_item).astype(float)
    whole = np.full((frame.n_ratings, len(frame.items)), -1, dtype=responses.answer.dtype)
    answered = np.zeros(whole.shape, dtype=bool)
    whole[frame.rating_of_response, frame.item_of_response] = responses.answer
    answered[frame.rating_of_response, frame.item_of_response] = True
    for facet in range(len(frame.facets)):
        ratings, items = (
            np.flatnonzero(frame.facet_of_rating == facet),
            np.flatnonzero(facet_of_item == facet),
        )
        here = np.ix_(ratings, items)
        all_of_them = len(ratings) == frame.n_ratings
        yield _Table(
            None if all_of_them else ratings, items, whole[here], answered[here], dimension[:, items]
        )


def _log_normal_between(a: Array, b: Array) -> Array:
    """log(Φ(b) − Φ(a)), a < b, both taken to the lower tail."""
    flip = a + b > 0.0
    low, high = jnp.where(flip, -b, a), jnp.where(flip, -a, b)
    upper = log_ndtr(high)
    return upper + jnp.log(-jnp.expm1(log_ndtr(low) - upper))


def _log_logistic_between(a: Array, b: Array) -> Array:
    return jax.nn.log_sigmoid(b) + jax.nn.log_sigmoid(-a) + jnp.log(-jnp.expm1(a - b))


def _partial_credit(steps: list[Array], location: Array, table: _Table, n_categories: np.ndarray) -> Array:
    score = jnp.zeros_like(location)
    scores, chosen = [score], jnp.zeros_like(location)
    for k, step in enumerate(steps, 1):
        score = jnp.where(k < n_categories, score + location - step, -jnp.inf)
        scores.append(score)
        chosen = jnp.where(table.answer == k, score, chosen)
    each = chosen - jax.nn.logsumexp(jnp.stack(scores), axis=0)
    return jnp.sum(jnp.where(table.answered, each, 0.0))
