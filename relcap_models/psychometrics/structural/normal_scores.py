"""Normal latent variables given normal observed ones."""

from __future__ import annotations

import numpy as np

from relcap_models.errors import FitError
from relcap_models.psychometrics.structural.implied_moments import Moments

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


def causes_of_observed(moments: Moments, latent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What latent variables do to the others, whatever explains them: effects, and what these leave.

    Returns
    -------
    (variable, latent) total effects on variables that are not latent, through such variables too; (variable,
    variable) covariances given the latent variables, if these were set from outside. 0 for latent variables.
    """
    n = len(moments.covariance)
    others = np.setdiff1d(np.arange(n), latent)
    paths = np.eye(n) - np.linalg.inv(moments.effects)
    left = (np.eye(n) - paths) @ moments.covariance @ (np.eye(n) - paths).T
    among = np.linalg.inv(np.eye(len(others)) - paths[np.ix_(others, others)])
    effects, covariance = np.zeros((n, len(latent))), np.zeros((n, n))
    effects[others] = among @ paths[np.ix_(others, latent)]
    covariance[np.ix_(others, others)] = among @ left[np.ix_(others, others)] @ among.T
    return effects, covariance


def likelihood_scores(
    effects: np.ndarray,
    residual: np.ndarray,
    off: np.ndarray,
    *,
    scale: np.ndarray,
    vague: float = np.inf,
    center: np.ndarray | float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """(respondent, latent) most likely deviations from the mean (Bartlett's scores), and their covariance.

    effects, residual : of the variables seen, see `causes_of_observed`. off : (respondent, seen) deviations
    from their means. scale : (latent,) standard deviations. vague : variance of an independent prior about
    `center`, (respondent, latent).

    Raises
    ------
    FitError
        If the observed variables alone do not determine the latent ones.

    Source: Bartlett (1937), British Journal of Psychology 28, 97-104.
    """
    least = 0.0
    try:
        weighted = np.linalg.solve(residual, effects * scale)
        information = (effects * scale).T @ weighted + np.diag(scale**2 / vague)
        if _regular(residual):
            least = np.linalg.eigvalsh(information)[0]
    except np.linalg.LinAlgError:
        pass
    if not least > LEAST_INFORMATION:
        raise FitError(
            "The answers alone do not determine the factors, which have no `ML` scores: one is measured by "
            "factors, by an item without residual variance, or by nothing that was answered. Use "
            'method="EBM"'
        )
    alone = np.linalg.inv(information)
    mean = (off @ weighted + center * scale / vague) @ alone
    return mean * scale, alone * np.outer(scale, scale)


def _regular(covariance: np.ndarray) -> bool:
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    if not len(covariance):
        return True
    if not deviation.min() > 0:
        return False
    return bool(np.linalg.eigvalsh(covariance / np.outer(deviation, deviation))[0] > LEAST_INFORMATION)
