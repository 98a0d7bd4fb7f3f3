"""Bands that cover many effects at once."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from relcap_models.errors import DataError
from relcap_models.seeds import generator

# Random signs held in memory at once.
CHUNK = 2**22


def simultaneous_critical_value(influence: np.ndarray, *, ci_prob: float, draws: int, seed: int) -> float:
    """How many standard errors a band reaches to cover all parts with the probability.

    influence : (cluster, part) what each cluster adds to the error of each part

    Raises
    ------
    DataError
        If there are fewer than 100 draws, or no part.
    """
    if draws < 100:
        raise DataError(f"A band needs 100 bootstrap draws or more, not {draws}")
    if not influence.shape[1]:
        raise DataError("No effect has a standard error: there is nothing to draw a band around")
    random = generator(seed, "multiplier bootstrap")
    at_once = max(1, CHUNK // len(influence))
    errors = np.concatenate(
        [
            (2.0 * random.integers(0, 2, (min(at_once, draws - begun), len(influence)), dtype=np.int8) - 1)
            @ influence
            for begun in range(0, draws, at_once)
        ]
    )
    low, high = np.quantile(errors, [0.25, 0.75], axis=0)
    spread = (high - low) / (norm.ppf(0.75) - norm.ppf(0.25))
    largest = np.abs(errors / spread).max(axis=1)
    # A band for several is never narrower than the interval for one, which few draws could make it.
    return max(float(np.quantile(largest, ci_prob)), float(norm.ppf((1 + ci_prob) / 2)))
