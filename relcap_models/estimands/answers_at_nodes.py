"""Expected answers and their variance over the latent ratings of an organisation, by quadrature."""

from __future__ import annotations

import numpy as np

from relcap_models.inference.fit import Fit
from relcap_models.models.families import exceedance

# Probabilists' Gauss–Hermite rule and the orthonormal Hermite polynomials at its nodes: (nodes, degree).
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(31)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
DEGREES = np.arange(1, 24)


def _hermite(x: np.ndarray, highest: int) -> np.ndarray:
    values = [np.ones_like(x), x]
    for k in range(1, highest):
        values.append((x * values[k] - np.sqrt(k) * values[k - 1]) / np.sqrt(k + 1))
    return np.stack(values[1:], axis=-1)


_POLYNOMIALS = _hermite(_NODES, int(DEGREES[-1]))


def answers_at_nodes(fit: Fit, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hermite coefficients of each item's expected answer over η ~ N(typical location, sd²), and Var(y | η).

    sd : (S, D). Returns (S, I, degree) and (S, I), the latter averaged over η.
    """
    location = _typical_location(fit)
    frame, response = fit.frame, fit.model.response
    loading = fit.draws("loading")
    coefficients = np.zeros((*loading.shape, len(DEGREES)))
    if response == "gaussian":
        coefficients[:, :, 0] = loading * sd[:, frame.dimension_of_item]
        return coefficients, fit.draws("residual_sd") ** 2
    residual = np.empty(loading.shape)
    weighted = _WEIGHTS[:, None] * _POLYNOMIALS
    thresholds = fit.draws("threshold")
    for i, d in enumerate(frame.dimension_of_item):
        eta = location[:, d, None] + sd[:, d, None] * _NODES
        start, n = frame.first_threshold[i], frame.n_categories[i]
        steps = thresholds[:, None, start : start + n - 1]
        above = exceedance(response, loading[:, i, None] * eta, np.zeros(()), steps)
        mean = above.sum(axis=-1)
        # E[y²] = Σ (2k + 1) P(y > k) for y = 0, 1, …
        square = above @ (2.0 * np.arange(n - 1) + 1.0)
        coefficients[:, i] = mean @ weighted
        residual[:, i] = (square - mean**2) @ _WEIGHTS
    return coefficients, residual


def _typical_location(fit: Fit) -> np.ndarray:
    """(S, D) latent mean over waves, at the mean of the covariates."""
    frame = fit.frame
    location = fit.draws("mu").mean(axis=1)
    if frame.covariates:
        rated = ~frame.own if "target" in fit.structure.roles else frame.own
        location = location + np.einsum(
            "c,scd->sd", frame.covariates_of_rating[rated].mean(axis=0), fit.draws("beta")
        )
    return location
