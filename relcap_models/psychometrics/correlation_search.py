"""How correlations are sought: Newton's steps, kept inside a bracket by the sign of the slope."""

from __future__ import annotations

from numba import njit

BOUND = 0.999
"""Polychoric and polyserial correlations are sought between −0.999 and 0.999."""

MOST_STEPS = 200
CLOSE = 1e-11
"""Steps end when they are shorter."""

LEAST_PROBABILITY = 1e-12
"""In place of a smaller probability of an answer, so that it can be divided by."""


@njit(cache=True, nogil=True, error_model="numpy")
def next_step(rho: float, low: float, high: float, slope: float, curvature: float) -> float:
    """Newton's step where it stays inside the bracket, else its middle."""
    if curvature < 0.0:
        step = rho - slope / curvature
        if low < step < high:
            return step
    return 0.5 * (low + high)
