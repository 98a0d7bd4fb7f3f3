"""Method of moments for one round robin, after Warner, Kenny and Stoto (1979).

Under normal effects of exchangeable persons a complete round robin falls into three independent parts: the
estimated actor and partner effects, the sums within pairs and the differences within pairs. Their mean
products are Wishart with n − 1, n(n − 3)/2 and (n − 1)(n − 2)/2 degrees of freedom. Every estimate is linear
in them, and the unbiased estimate of its variance follows: the formulas of Bond & Lashley (1996).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relcap_models.psychometrics.round_robin import RoundRobin

PARAMETERS = ("actor", "partner", "relationship", "cov_actor_partner", "cov_relationship")
UNSTABLE = ("error_actor", "error_partner", "error_relationship")

# TripleR stops to replace missing ratings once no effect changes by more, or after so many rounds.
EFFECT_CHANGE = 0.01
ROUNDS = 100


@dataclass(frozen=True)
class Moments:
    """Estimates for one group, and standard errors of PARAMETERS."""

    estimates: dict[str, float]
    se: dict[str, float]


def group_moments(robin: RoundRobin) -> Moments:
    """Variances and covariances of one group of at least four who all rate and are rated.

    With two indicators, the covariances between them, and for each part what they do not share (UNSTABLE).
    """
    n = len(robin.persons)
    effects, relations = zip(*(_effects(ratings) for ratings in robin.ratings))
    persons = np.vstack(effects)  # actor and partner effects of the first indicator, then of the second
    among = persons @ persons.T / (n - 1)
    sums = [(r + r.T) / 2 for r in relations]
    differences = [r - r.T for r in relations]
    df_sums, df_differences = n * (n - 3) / 2, (n - 1) * (n - 2) / 2
    # Both are unbiased: relationship variance plus, and minus, relationship covariance.
    plus = _products(sums) / df_sums
    minus = _products(differences) / (4 * df_differences)
    first, last = 0, len(robin.ratings) - 1

    own, cross = (plus + minus) / 2, (plus - minus) / 2
    share, share_cross = (n - 1) / (n * (n - 2)), 1 / (n * (n - 2))
    same = among - np.kron(share * own + share_cross * cross, np.ones((2, 2)))
    swapped = among - np.kron(share * cross + share_cross * own, np.ones((2, 2)))
    actor, partner = (2 * first, 2 * last), (2 * first + 1, 2 * last + 1)
    mixed = [(2 * first, 2 * last + 1), (2 * first + 1, 2 * last)]
    estimates = {
        "actor": same[actor],
        "partner": same[partner],
        "relationship": own[first, last],
        "cov_actor_partner": np.mean([swapped[pair] for pair in mixed]),
        "cov_relationship": cross[first, last],
    }
    if last:
        estimates |= {
            "error_actor": (same[0, 0] + same[2, 2]) / 2 - same[actor],
            "error_partner": (same[1, 1] + same[3, 3]) / 2 - same[partner],
            "error_relationship": (own[0, 0] + own[1, 1]) / 2 - own[0, 1],
        }
    of_plus = _variance(plus, first, last, df_sums)
    of_minus = _variance(minus, first, last, df_differences)
    relation = (of_plus + of_minus) / 4
    bias = (n**2 * of_plus + (n - 2) ** 2 * of_minus) / (2 * n * (n - 2)) ** 2
    errors = {
        "actor": _variance(among, *actor, n - 1) + bias,
        "partner": _variance(among, *partner, n - 1) + bias,
        "relationship": relation,
        # With two indicators the mean of both errors, as TripleR: their covariance is counted as full.
        "cov_actor_partner": np.mean([_variance(among, *pair, n - 1) for pair in mixed]) + bias,
        "cov_relationship": relation,
    }
    return Moments(
        {name: float(estimate) for name, estimate in estimates.items()},
        {name: float(error**0.5) for name, error in errors.items()},
    )


def _effects(ratings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(2, person) actor and partner effects, and (rater, target) relationship effects, NaN where unknown."""
    missing = np.isnan(ratings)
    filled = ratings if missing.sum() == len(ratings) else _filled(ratings)
    effects = _person_effects(filled)
    relations = filled - effects[0][:, None] - effects[1] - np.nanmean(filled)
    return effects, np.where(missing, np.nan, relations)


def _person_effects(ratings: np.ndarray) -> np.ndarray:
    """(2, person) actor and partner effects of a matrix with n − 1 ratings in each row (Kenny, 1994)."""
    n = len(ratings)
    given, received = np.nanmean(ratings, axis=1), np.nanmean(ratings, axis=0)
    mean = np.nanmean(ratings)
    own, other, level = (n - 1) ** 2 / (n * (n - 2)), (n - 1) / (n * (n - 2)), (n - 1) / (n - 2)
    return np.array([own * given + other * received, own * received + other * given]) - level * mean


def _filled(ratings: np.ndarray) -> np.ndarray:
    """Ratings with the missing replaced, as TripleR does (Schönbrodt et al., 2012), diagonal still NaN."""
    missing, filled = np.isnan(ratings), ratings.copy()
    effects = _person_effects(filled)
    for _ in range(ROUNDS):
        means = (np.nanmean(filled, axis=1)[:, None] + np.nanmean(filled, axis=0)) / 2
        # The diagonal too takes part while this goes on, so that figures agree with TripleR's.
        filled = np.where(missing, means, filled)
        before, effects = effects, _person_effects(filled)
        if np.abs(effects - before).max() <= EFFECT_CHANGE:
            break
    np.fill_diagonal(filled, np.nan)
    return filled


def _products(parts: list[np.ndarray]) -> np.ndarray:
    """(indicator, indicator) sums of products; a missing rating takes its pair out."""
    return np.array([[np.nansum(one * other) for other in parts] for one in parts])


def _variance(mean_product: np.ndarray, i: int, j: int, df: float) -> float:
    """Unbiased estimate of the sampling variance of an element of a Wishart matrix over its df.

    The variance is (w_ii w_jj + w_ij²) / df of the expected w. Products of the estimates overshoot by their
    own variance; these weights undo that.
    """
    product, square = mean_product[i, i] * mean_product[j, j], mean_product[i, j] ** 2
    return (df * product + (df - 2) * square) / ((df + 2) * (df - 1))
