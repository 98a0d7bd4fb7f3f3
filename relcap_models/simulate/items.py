"""Item parameters and what they make of a latent value: answers, expected answers, chances of an answer.

Cumulative: P(y ≤ k) = F(τ[i,k] − λ[i]·η), F the normal or logistic distribution function.
Partial credit: log P(y = k)/P(y = k − 1) = λ[i]·η − τ[i,k].
Gaussian: y = intercept[i] + λ[i]·η + N(0, residual_sd²), rounded to a whole number on the scale, because a
table holds no other answers. Expected answers leave rounding out: for gaussian truth use a fine scale (0–100)
with spreads in its points and a mean well inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from relcap_models.schema.instrument import Instrument
from relcap_models.simulate.effect_options import Items

QUADRATURE_NODES = 61
LOGISTIC_SD = np.pi / np.sqrt(3)


@dataclass(frozen=True)
class ItemParameters:
    """The true parameters of one instrument's items, for answers after reverse scoring.

    family : `probit`, `logit`, `partial_credit` or `gaussian`
    dimension : (item,) index; loading : (item,)
    thresholds : one array (category − 1,) per item; for gaussian, its one element is the intercept
    minimum, maximum, favourable_from : (item,) of the scale; reversed : (item,) bool
    """

    family: str
    dimension: np.ndarray
    loading: np.ndarray
    thresholds: tuple[np.ndarray, ...]
    residual_sd: float
    minimum: np.ndarray
    maximum: np.ndarray
    favourable_from: np.ndarray
    reversed: np.ndarray


def draw_items(
    options: Items, family: str, instrument: Instrument, total_sd: np.ndarray, rng: np.random.Generator
) -> ItemParameters:
    """Draw item parameters such that answers to every item are skewed to the top.

    Parameters
    ----------
    total_sd : (dimension,) sd of η over all ratings, for which the thresholds are laid
    """
    n = len(instrument.items)
    ids = list(instrument.dimension_ids)
    dimension = np.array([ids.index(item.dimension) for item in instrument.items])
    log_loading = options.loading_sd * rng.standard_normal(n)
    location = options.location_sd * rng.standard_normal(n)
    spread = np.exp(options.spread_sd * rng.standard_normal(n))
    mean_of_dimension = np.bincount(dimension, weights=log_loading) / np.bincount(dimension)
    loading = np.exp(log_loading - mean_of_dimension[dimension])
    scales = [instrument.scale_of(item) for item in instrument.items]
    thresholds = []
    for i, scale in enumerate(scales):
        if family == "gaussian":
            middle = scale.minimum + options.mean_answer * (scale.maximum - scale.minimum)
            thresholds.append(np.array([middle + location[i]]))
            continue
        residual = 1.0 if family == "probit" else LOGISTIC_SD
        width = np.hypot(residual, loading[i] * total_sd[dimension[i]])
        thresholds.append(_skewed(options, scale.n_categories) * width * spread[i] - location[i] * residual)
    return ItemParameters(
        family=family,
        dimension=dimension,
        loading=loading,
        thresholds=tuple(thresholds),
        residual_sd=options.residual_sd,
        minimum=np.array([scale.minimum for scale in scales]),
        maximum=np.array([scale.maximum for scale in scales]),
        favourable_from=np.array([scale.favourable_from for scale in scales]),
        reversed=np.array([item.reversed for item in instrument.items]),
    )


def _skewed(options: Items, n_categories: int) -> np.ndarray:
    """(category − 1,) normal quantiles of cumulative shares that follow a beta distribution.

    An answer that nobody gives would have a threshold at infinity; ±8 is never reached either.
    """
    top = options.mean_answer * options.concentration
    bottom = (1 - options.mean_answer) * options.concentration
    edges = np.arange(1, n_categories) / n_categories
    return np.clip(special.ndtri(special.betainc(top, bottom, edges)), -8.0, 8.0)


def draw_answers(
    items: ItemParameters,
    latent: np.ndarray,
    *,
    stretch: np.ndarray,
    agreement: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """(rating, item) answers as given, that is before reverse scoring.

    Parameters
    ----------
    latent : (rating, dimension) η
    stretch : (rating,) factor on thresholds around their mean (response style; 1 is none)
    agreement : (rating,) latent shift towards the upper end *as answered* (0 is none)
    """
    answers = np.empty((len(latent), len(items.loading)))
    for i, thresholds in enumerate(items.thresholds):
        sign = -1.0 if items.reversed[i] else 1.0
        linear = items.loading[i] * latent[:, items.dimension[i]] + sign * agreement
        centre = thresholds.mean()
        own = centre + (thresholds - centre) * stretch[:, None]
        if items.family == "gaussian":
            noise = items.residual_sd * rng.standard_normal(len(latent))
            value = np.rint(centre + (linear + noise) / stretch)
            scored = np.clip(value, items.minimum[i], items.maximum[i])
        elif items.family == "partial_credit":
            reached = _exceedance_partial_credit(linear, own)
            scored = items.minimum[i] + (rng.random(len(latent))[:, None] < reached).sum(axis=1)
        else:
            draw = rng.standard_normal if items.family == "probit" else rng.logistic
            position = linear + draw(size=len(latent))
            scored = items.minimum[i] + (position[:, None] > own).sum(axis=1)
        answers[:, i] = items.minimum[i] + items.maximum[i] - scored if items.reversed[i] else scored
    return answers


def expected_answers(
    items: ItemParameters, mean: np.ndarray, sd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Expected answer and chance of a favourable one, where η ~ N(mean, sd²).

    Parameters
    ----------
    mean : (…, dimension); sd : (dimension,) of the noise that is averaged over

    Returns
    -------
    (…, item) expected answer after reverse scoring, in points; (…, item) P(answer ≥ favourable_from).
    For gaussian answers the latter is the chance of the unrounded value.
    """
    n_items = len(items.loading)
    expected = np.empty((*mean.shape[:-1], n_items))
    favourable = np.empty_like(expected)
    for i, thresholds in enumerate(items.thresholds):
        linear = items.loading[i] * mean[..., items.dimension[i]]
        spread = items.loading[i] * sd[items.dimension[i]]
        if items.family == "gaussian":
            expected[..., i] = thresholds[0] + linear
            distance = expected[..., i] - items.favourable_from[i]
            favourable[..., i] = special.ndtr(distance / np.hypot(spread, items.residual_sd))
            continue
        reached = _exceedance(items.family, linear, spread, thresholds)
        expected[..., i] = items.minimum[i] + reached.sum(axis=-1)
        favourable[..., i] = reached[..., items.favourable_from[i] - items.minimum[i] - 1]
    return expected, favourable


def _exceedance(family: str, linear: np.ndarray, spread: float, thresholds: np.ndarray) -> np.ndarray:
    """(…, category − 1) P(y > k) averaged over N(linear, spread²)."""
    if family == "probit":
        return special.ndtr((linear[..., None] - thresholds) / np.sqrt(1 + spread**2))
    nodes, weights = np.polynomial.hermite_e.hermegauss(QUADRATURE_NODES)
    weights = weights / weights.sum()
    total = np.zeros((*linear.shape, len(thresholds)))
    for node, weight in zip(nodes, weights):
        value = linear + spread * node
        if family == "logit":
            total += weight * special.expit(value[..., None] - thresholds)
        else:
            total += weight * _exceedance_partial_credit(value, thresholds)
    return total


def _exceedance_partial_credit(linear: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """(…, category − 1) P(y > k) of partial credit; `steps` is (category − 1,) or (…, category − 1)."""
    logits = np.cumsum(linear[..., None] - steps, axis=-1)
    logits = np.concatenate([np.zeros((*logits.shape[:-1], 1)), logits], axis=-1)
    shares = special.softmax(logits, axis=-1)
    return np.flip(np.cumsum(np.flip(shares[..., 1:], axis=-1), axis=-1), axis=-1)
