"""Posterior predictive replicates: the same design answered by new people in the same units and relations.

Effects of units and relations stay at the draw; effects of respondents and ratings are drawn anew from
their covariance, one for all ratings that share a respondent ("mixed" predictive checks: Gelman, Meng &
Stern 1996; Marshall & Spiegelhalter 2007). So a misfit cannot hide in person effects that were fitted to
the answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.inference.fit import Fit
from relcap_models.inference.locations import rating_location, thinned
from relcap_models.models.families import draw_answers
from relcap_models.models.frame import Frame
from relcap_models.models.latent import Draws
from relcap_models.seeds import generator

UNIT_STATISTICS = ("mean as rater", "sd as rater", "mean as rated", "sd as rated")


@dataclass(frozen=True)
class Summary:
    """What is compared of one set of answers.

    shares : (I, K) share of each answer to each item, K the longest scale; NaN beyond an item's own scale
    units : (U, 4) `UNIT_STATISTICS` of the answers, in points; NaN where a unit gave or got fewer than two
    items : (I, 2) mean and sd of the answers to each item
    """

    shares: np.ndarray
    units: np.ndarray
    items: np.ndarray


@dataclass(frozen=True)
class Replicates:
    """Observed answers beside replicated ones; `replicated` has a first axis of length `n_replicates`."""

    observed: Summary
    replicated: Summary


def replicate(fit: Fit, *, n_replicates: int = 200, seed: int) -> Replicates:
    """Draw replicates of all answers and summarise them.

    Each replicate uses one posterior draw; at most as many as there are draws.
    """
    frame, family = fit.frame, fit.model.response
    rng = generator(seed, "predictive", fit.model.id)
    draws = thinned(fit, n_replicates)
    location = rating_location(draws, fit)
    _add_people(location, draws, fit, rng)
    items = {
        name: draws(name)
        for name in ("loading", "threshold", "intercept", "residual_sd")
        if name in fit.posterior
    }
    by_item = [np.flatnonzero(frame.item_of_response == i) for i in range(len(frame.items))]
    answer = np.empty(len(frame.answer))
    summaries = []
    for s, eta in enumerate(location):
        for i, responses in enumerate(by_item):
            latent = (
                items["loading"][s, i] * eta[frame.rating_of_response[responses], frame.dimension_of_item[i]]
            )
            if family == "gaussian":
                mean = items["intercept"][s, i] + latent
                answer[responses] = mean + items["residual_sd"][s, i] * rng.standard_normal(len(responses))
            else:
                start = frame.first_threshold[i]
                steps = items["threshold"][s, start : start + frame.n_categories[i] - 1]
                answer[responses] = draw_answers(family, latent, steps, rng)
        summaries.append(summarise(frame, answer))
    stacked = Summary(
        *(np.stack([getattr(s, name) for s in summaries]) for name in ("shares", "units", "items"))
    )
    return Replicates(summarise(frame, frame.answer.astype(float)), stacked)


def item_distributions(
    fit: Fit, *, ci_prob: float, seed: int, n_replicates: int = 200, replicates: Replicates | None = None
) -> pd.DataFrame:
    """Observed and predicted share of each answer to each item, over the whole organisation.

    Parameters
    ----------
    ci_prob : mass of the equal-tailed predictive intervals, each for itself
    replicates : from `replicate`, where they are at hand

    Returns
    -------
    analysis, item, dimension, category (in points, after reverse scoring), observed, predicted_mean,
    predicted_lower, predicted_upper, suppressed. Gaussian predictions are rounded to the nearest answer.
    """
    found = replicates or replicate(fit, n_replicates=n_replicates, seed=seed)
    frame = fit.frame
    tail = (1.0 - ci_prob) / 2.0
    lower, upper = np.quantile(found.replicated.shares, (tail, 1.0 - tail), axis=0)
    mean = found.replicated.shares.mean(axis=0)
    rows = []
    for i, item in enumerate(frame.items):
        for k in range(frame.n_categories[i]):
            rows.append(
                (
                    fit.model.id,
                    item,
                    frame.dimensions[frame.dimension_of_item[i]],
                    int(frame.minimum_of_item[i]) + k,
                    found.observed.shares[i, k],
                    mean[i, k],
                    lower[i, k],
                    upper[i, k],
                    False,
                )
            )
    columns = (
        "analysis item dimension category observed predicted_mean predicted_lower predicted_upper suppressed"
    )
    return pd.DataFrame(rows, columns=columns.split())


def summarise(frame: Frame, answer: np.ndarray) -> Summary:
    """Summary of one set of answers (M,), 0-based."""
    n_items, width = len(frame.items), int(frame.n_categories.max())
    item = frame.item_of_response
    top = frame.n_categories[item] - 1
    category = np.clip(np.rint(answer), 0, top).astype(np.int64)
    counts = np.bincount(item * width + category, minlength=n_items * width).reshape(n_items, width)
    answered = counts.sum(axis=1, keepdims=True)
    shares = np.where(answered > 0, counts / np.maximum(answered, 1), 0.0)
    shares[np.arange(width) >= frame.n_categories[:, None]] = np.nan
    points = answer + frame.minimum_of_item[item]
    n_units = len(frame.units)
    rater = frame.rater_of_rating[frame.rating_of_response]
    other = ~frame.own[frame.rating_of_response]
    target = frame.target_of_rating[frame.rating_of_response][other]
    units = np.column_stack(
        [_mean_and_sd(rater, points, n_units), _mean_and_sd(target, points[other], n_units)]
    )
    return Summary(shares, units, _mean_and_sd(item, points, n_items))


def _mean_and_sd(group: np.ndarray, value: np.ndarray, n_groups: int) -> np.ndarray:
    """(G, 2) mean and sd of the values of each group; NaN with fewer than two."""
    n = np.bincount(group, minlength=n_groups)
    enough = n > 1
    mean = np.full(n_groups, np.nan)
    mean[enough] = np.bincount(group, value, minlength=n_groups)[enough] / n[enough]
    squares = np.bincount(group, (value - np.nan_to_num(mean)[group]) ** 2, minlength=n_groups)
    sd = np.full(n_groups, np.nan)
    sd[enough] = np.sqrt(squares[enough] / (n[enough] - 1))
    return np.column_stack([mean, sd])


def _add_people(location: np.ndarray, draws: Draws, fit: Fit, rng: np.random.Generator) -> None:
    """Add new effects of respondents and ratings to (S, N, D) locations, in place."""
    n_draws, _, n_dimensions = location.shape
    for grouping in fit.structure.respondents:
        covariance = draws(f"cov_{grouping.name}{grouping.suffix}")
        rows = grouping.rows(fit.frame)
        acts = rows >= 0
        for s in range(n_draws):
            # Eigenvectors, not Cholesky: a draw may put a correlation at one.
            size, axes = np.linalg.eigh(covariance[s])
            noise = rng.standard_normal((grouping.n_groups, len(size)))
            effects = noise @ (axes * np.sqrt(np.maximum(size, 0.0))).T
            location[s, acts] += effects.reshape(-1, n_dimensions)[rows[acts]]
