"""Normal latent variables given normal observed ones."""

from __future__ import annotations

import numpy as np

from relcap_models.errors import FitError

LEAST_INFORMATION = 1e-10


def regression_scores(
    covariance: np.ndarray, latent: np.ndarray, seen: np.ndarray, off: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(respondent, latent) expectation and (latent, latent) covariance matrix, given the variables seen.

    covariance : of all variables. latent, seen : positions. off : (respondent, seen) deviations from the
    means. The expectation is a deviation from the mean too.

    Source: Thurstone (1935); Bartholomew, Knott & Moustaki (2011), Latent Variable Models, section 7.4.
    """
    shared = covariance[np.ix_(latent, seen)]
    weight = np.linalg.solve(covariance[np.ix_(seen, seen)], shared.T)
    return off @ weight, covariance[np.ix_(latent, latent)] - shared @ weight


def without_prior(
    mean: np.ndarray, spread: np.ndarray, prior: np.ndarray, *, vague: float = np.inf
) -> tuple[np.ndarray, np.ndarray]:
    """What the observed variables alone say: regression scores turned into Bartlett's.

    mean, spread : those of `regression_scores`. prior : (latent, latent) covariance matrix before.
    vague : variance of an independent prior in its place.

    Raises
    ------
    FitError
        If the observed variables alone do not determine the latent ones.

    Source: Bartlett (1937), British Journal of Psychology 28, 97-104.
    """
    scale = np.sqrt(np.abs(np.diag(prior)))
    unit = np.outer(scale, scale)
    try:
        precision = np.linalg.inv(spread / unit)
        information = precision - np.linalg.inv(prior / unit) + np.diag(scale**2 / vague)
        least = np.linalg.eigvalsh(information)[0]
    except np.linalg.LinAlgError:
        least = 0.0
    if not least > LEAST_INFORMATION:
        raise FitError(
            "The answers alone do not determine the factors, which have no `ML` scores: one is measured by "
            "factors, by an item without residual variance, or by nothing that was answered. Use "
            'method="EBM"'
        )
    alone = np.linalg.inv(information)
    return (mean / scale) @ precision @ alone * scale, alone * unit
