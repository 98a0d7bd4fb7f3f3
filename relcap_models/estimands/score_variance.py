"""Variance of true scores and of one respondent's error, on the latent and on the response scale.

A score is a mean over items. What two respondents of the same relation have in common is true; what is left
of one respondent's variance is error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relcap_models.estimands.answers_at_nodes import DEGREES, answers_at_nodes
from relcap_models.estimands.cells import item_weights
from relcap_models.estimands.components import covariance_of, end_covariance, item_residual_variance
from relcap_models.inference.fit import Fit
from relcap_models.models import latent
from relcap_models.models.frame import Frame


@dataclass(frozen=True)
class ScoreVariance:
    """Variances of scores of the dimensions and `overall`, (S, Q) each.

    true : of true scores, by comparison · error : of one respondent's score around the true one
    """

    true: dict[str, np.ndarray]
    error: np.ndarray


@dataclass(frozen=True)
class LatentCovariance:
    """Where scores differ on the latent scale, (S or 1, D, D) each.

    true : of η between the relations (units) of a wave · held : comparison → the part of `true` that is the
    same for all that are compared; `within_rater_unit` only where a unit rates two others in a wave
    noise : of η between respondents of one relation
    """

    true: np.ndarray
    held: dict[str, np.ndarray]
    noise: np.ndarray


def latent_covariance(fit: Fit) -> LatentCovariance | None:
    """Covariances behind the scores, covariates apart; None where true score and error cannot be told apart.

    That is so where each relation has one answer to one item.
    """
    structure, n_dimensions = fit.structure, len(fit.frame.dimensions)
    noise = latent.noise_covariance(fit.draws, structure, n_dimensions)
    rater = end_covariance(fit, "perceiver")
    nothing = np.zeros((1, n_dimensions, n_dimensions))
    if "target" not in structure.roles:
        return LatentCovariance(rater, {"units": nothing}, noise)
    if "residual" in structure.relation_is:
        return None
    true = rater + end_covariance(fit, "target") + covariance_of(fit, "relation")
    held = {"all_relations": nothing}
    if _rates_several(fit.frame):
        held["within_rater_unit"] = rater
    return LatentCovariance(true, held, noise)


def _rates_several(frame: Frame) -> bool:
    """Whether some unit rates two others in a wave."""
    rating = ~frame.own
    cells = np.unique(
        np.column_stack([frame.wave_of_rating, frame.rater_of_rating, frame.target_of_rating])[rating], axis=0
    )
    return len(np.unique(cells[:, :2], axis=0)) < len(cells)


def latent_scale(fit: Fit, covariance: LatentCovariance) -> ScoreVariance:
    """Variances of the mean of the items' latent answers λη + ε."""
    weights = item_weights(fit)
    member = np.eye(len(fit.frame.dimensions))[fit.frame.dimension_of_item]
    slope = np.einsum("si,iq,id->sqd", fit.draws("loading"), weights, member)

    def variance(part: np.ndarray) -> np.ndarray:
        return np.einsum(
            "sqd,sde,sqe->sq", slope, np.broadcast_to(part, (len(slope), *part.shape[1:])), slope
        )

    true = {name: variance(covariance.true) - variance(held) for name, held in covariance.held.items()}
    return ScoreVariance(true, variance(covariance.noise) + item_residual_variance(fit) @ weights**2)


def response_scale(fit: Fit, covariance: LatentCovariance) -> ScoreVariance:
    """Variances of the mean of the items' answers in points.

    With M(η) the expected answer at a fixed η, two respondents whose latent ratings correlate by r share the
    covariance Σ_k a_k² r^k, a_k the coefficients of M in orthonormal Hermite polynomials (Mehler 1866). So
    one quadrature per item serves all comparisons and, with one series per dimension, `overall`. Where a part
    is held constant (the rater unit's leniency), variances are means over its values.
    """
    total = covariance.true + covariance.noise
    sd = np.sqrt(np.diagonal(total, axis1=1, axis2=2))
    coefficients, residual = answers_at_nodes(fit, sd)
    weights, frame = item_weights(fit), fit.frame
    member = np.eye(len(frame.dimensions))[frame.dimension_of_item]
    series = np.einsum("sik,id->sdk", coefficients, member / member.sum(axis=0))
    share = weights.T @ member

    def shared(part: np.ndarray) -> np.ndarray:
        """(S, Q) covariance of two respondents' scores who have `part` of η in common."""
        correlation = part / (sd[:, :, None] * sd[:, None, :])
        powers = correlation[..., None] ** DEGREES
        between = np.einsum("sdk,sek,sdek->sde", series, series, powers)
        return np.einsum("qd,qe,sde->sq", share, share, between)

    common = shared(covariance.true)
    true = {name: common - shared(held) for name, held in covariance.held.items()}
    return ScoreVariance(true, shared(total) - common + residual @ weights**2)
