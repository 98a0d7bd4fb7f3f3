"""Randomisation inference: what the estimate would have been, had other clusters been in the programme."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import comb, prod

import numpy as np

from relcap_models.seeds import generator

# Estimates this much apart, relative to the largest, are ties: only rounding separates them.
TIE = 1e-9


def randomisation_inference(
    effect: np.ndarray, exposure: np.ndarray, group: np.ndarray, *, draws: int, seed: int, ci_prob: float
) -> tuple[float, float, float, int, bool]:
    """p, lower, upper, number of assignments and whether they are all there are.

    Parameters
    ----------
    effect : (cluster, cohort) what a cluster adds to the estimate in each cohort
    exposure : (cluster, cohort) the same, with having been in the programme as the outcome
    group : (cluster,) the cohort it was in

    The interval holds the effects b, the same for all, that are not rejected once they are taken out of the
    outcomes. An assignment's estimate is then x − b z against the real one's x₀ − b, and is as large between
    the roots of (x − b z)² = (x₀ − b)², which lie at either side of x₀ since |z| ≤ 1. So the limits are order
    statistics of the roots, and no search is needed.

    Source: Fisher (1935); Rosenbaum (2002), Observational Studies, ch. 2; MacKinnon & Webb (2020).
    """
    sizes = np.bincount(group, minlength=effect.shape[1])
    possible = prod(comb(int(sizes[k:].sum()), int(sizes[k])) for k in range(len(sizes)))
    exact = possible <= draws
    if exact:
        assignments = np.array(list(_every(tuple(range(len(group))), tuple(map(int, sizes)))))
    else:
        shuffled = generator(seed, "randomisation inference").permuted(np.tile(group, (draws, 1)), axis=1)
        assignments = np.vstack([group, shuffled])
    clusters = np.arange(len(group))
    x, z = effect[clusters, assignments].sum(axis=1), exposure[clusters, assignments].sum(axis=1)
    real = effect[clusters, group].sum()
    tie = TIE * np.abs(x).max()
    p = float(np.mean(np.abs(x) >= abs(real) - tie))
    one, other = _root(x + real, 1 + z, tie), _root(real - x, 1 - z, tie)
    # Where assignments are the real one, or its mirror, every effect is as large.
    endless = np.isinf(one) | np.isinf(other)
    low = np.where(endless, -np.inf, np.minimum(one, other))
    high = np.where(endless, np.inf, np.maximum(one, other))
    beyond = int(np.floor((1 - ci_prob) * len(x) + TIE))
    return p, float(np.sort(low)[beyond]), float(np.sort(high)[::-1][beyond]), len(x), exact


def _root(above: np.ndarray, below: np.ndarray, tie: float) -> np.ndarray:
    flat = np.abs(below) <= TIE
    return np.where(flat, np.inf, above / np.where(flat, 1, below))


def _every(free: tuple[int, ...], sizes: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Every way to give clusters to cohorts of the sizes: (cluster,) each one's cohort."""
    labels = np.full(len(free), len(sizes) - 1)

    def fill(left: tuple[int, ...], cohort: int) -> Iterator[np.ndarray]:
        if cohort == len(sizes) - 1:
            yield labels.copy()
            return
        for chosen in combinations(left, sizes[cohort]):
            labels[list(chosen)] = cohort
            yield from fill(tuple(one for one in left if one not in chosen), cohort + 1)
            labels[list(chosen)] = len(sizes) - 1

    return fill(free, 0)
