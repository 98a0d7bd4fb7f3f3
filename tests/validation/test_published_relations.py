"""The relation model on public data, against values that other software gives on them."""

from __future__ import annotations

import math
import time
from functools import partial

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy.stats import norm

from relcap_models.estimands.components import residual_variance, variance_components
from relcap_models.estimands.variance_shares import total_dyadic_reciprocity
from relcap_models.inference import Fit, fit
from relcap_models.models import Priors, Relation
from tests.validation import surveys

pytestmark = pytest.mark.validation


def by_chain(fitted: Fit, draws: np.ndarray) -> np.ndarray:
    return draws.reshape(fitted.n_chains, -1)


def monte_carlo_error(draws: np.ndarray) -> float:
    return float(array_stats.mcse(draws, method="mean", chain_axis=0, draw_axis=1))


def effective_size(draws: np.ndarray) -> float:
    return float(array_stats.ess(draws, method="bulk", chain_axis=0, draw_axis=1))


def converged(*quantities: np.ndarray) -> None:
    for draws in quantities:
        assert float(array_stats.rhat(draws, chain_axis=0, draw_axis=1)) < 1.02
        assert effective_size(draws) > 300


def test_dyadic_irt_gives_the_published_spreads_and_correlations(reference, published, sampled, figures):
    """Five quantities of Gin et al. (2020), each within three times both runs' joint Monte Carlo error."""
    survey = surveys.dyadic_irt(reference)
    model = Relation(instrument="attraction", family="partial_credit", loadings="equal")
    began = time.perf_counter()
    fitted = fit(model, survey, seed=1, chains=2, draws=800, tune=500, progress=False)
    seconds = time.perf_counter() - began
    assert fitted.structure.within == ()
    spread = fitted.draws("sd_unit")
    found = {
        "sd.actor": spread[:, 0],
        "sd.partner": spread[:, 1],
        "sd.relationship": fitted.draws("sd_relation")[:, 0],
        "cor.actor.partner": fitted.draws("generalised_reciprocity")[:, 0],
        "cor.relationship": fitted.draws("dyadic_reciprocity")[:, 0],
    }
    # The public run's posterior sds and roughly 150 effective draws (INDEX.md) give its error.
    theirs = dict(zip(found, (0.037, 0.026, 0.014, 0.048, 0.027)))
    found = {name: by_chain(fitted, draws) for name, draws in found.items()}
    error_of = {
        name: math.hypot(monte_carlo_error(draws), theirs[name] / math.sqrt(150))
        for name, draws in found.items()
    }
    means = {name: draws.mean() for name, draws in found.items()}
    sampled("dirt.partial_credit", means, {name: 3 * error for name, error in error_of.items()})
    for name, draws in found.items():
        converged(draws)
        error = error_of[name]
        ess = effective_size(draws)
        figures(
            "dyadic IRT; the public NumPyro run took 142 s for about 150 effective draws",
            quantity=name,
            ours=draws.mean(),
            published=published["dirt.partial_credit", name],
            joint_error=error,
            ess=ess,
            ess_per_second=ess / seconds,
            times_public=ess / seconds / (150 / 142),
        )
        assert abs(draws.mean() - published["dirt.partial_credit", name]) < 3 * error, name


# Nearly flat, so that amen's own priors can be put in their place by weighting.
WIDE = Priors(sd_perceiver=3, sd_target=3, threshold=5, reciprocity=1, correlation=1)


# id of the reference values: instrument, and its answers as a survey and as a matrix.
NETWORKS = {
    "consulting.info.ordinal[0 as missing]": (
        "consulting",
        partial(surveys.consulting, question="info"),
        partial(surveys.consulting_matrix, question="info"),
    ),
    "consulting.value.ordinal[0 as missing]": (
        "consulting",
        partial(surveys.consulting, question="value"),
        partial(surveys.consulting_matrix, question="value"),
    ),
    "likingLong.liking_a.ordinal": ("liking", surveys.liking, surveys.liking_matrix),
}


@pytest.mark.parametrize("id", NETWORKS)
def test_networks_give_amens_relative_variances(id, reference, published, sampled, figures):
    """Variances and reciprocities relative to the dyadic variance, within half a posterior sd of amen's.

    amen puts an inverse Wishart prior, scaled by the data, on the two unit variances; with 50 people it moves
    the smaller one by a posterior sd. The draws are weighted from our priors to amen's.
    """
    instrument, survey_of, matrix_of = NETWORKS[id]
    model = Relation(instrument=instrument, priors=WIDE)
    fitted = fit(model, survey_of(reference), seed=2, chains=2, draws=6000, tune=600, progress=False)
    assert fitted.structure.relation == "residual"
    dyadic = variance_components(fitted)["relation_and_residual"][:, 0]
    reciprocity = fitted.draws("dyadic_reciprocity")[:, 0]
    for draws in (dyadic, reciprocity):
        converged(by_chain(fitted, draws))
    spread = fitted.draws("sd_unit") / np.sqrt(dyadic)[:, None]
    correlation = fitted.draws("generalised_reciprocity")[:, 0]
    found = {
        "va": spread[:, 0] ** 2,
        "vb": spread[:, 1] ** 2,
        "cab": correlation * spread[:, 0] * spread[:, 1],
        "rho": reciprocity,
    }
    scale, degrees = amen_prior(matrix_of(reference))
    log_weight = amen_over_ours(fitted, dyadic, spread, correlation, reciprocity, scale, degrees)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    effective = 1 / np.sum(weight**2)
    figures("draws in amen's priors", id=id, effective=effective)
    # Fewer would make the tolerance below mostly Monte Carlo error.
    assert effective > 100
    means = {name: weight @ draws for name, draws in found.items()}
    allowed = {}
    for name, draws in found.items():
        error = np.sqrt(weight @ (draws - means[name]) ** 2 / effective)
        allowed[name] = 0.5 * published[id, f"{name}.posterior_sd"] + 2 * error
    sampled(id, means, allowed)
    for name, mean in means.items():
        assert abs(mean - published[id, name]) < allowed[name], name


def amen_prior(answers: np.ndarray) -> tuple[float, int]:
    """Scale and degrees of freedom of amen's default inverse Wishart prior (amen 1.4.5, function `ame`).

    answers : (person, person), NaN where there is none.
    """
    values, counts = np.unique(answers[~np.isnan(answers)], return_counts=True)
    other = np.where(np.isnan(answers), np.nan, answers != values[counts.argmax()])
    share = np.nanmean(other)
    level = norm.ppf(share)
    deviation = (other - share) / norm.pdf(level)
    np.fill_diagonal(deviation, 0.0)
    empty = np.isnan(deviation)
    count = np.maximum((~empty).sum(axis=1), 1), np.maximum((~empty).sum(axis=0), 1)
    deviation = np.where(empty, 0.0, deviation)
    row, column = deviation.sum(axis=1) / count[0], deviation.sum(axis=0) / count[1]
    scale = (row.var(ddof=1) + column.var(ddof=1)) / 2
    probability = norm.cdf(level + np.add.outer(row, column))
    return scale, round(4 * 0.25 / np.mean(probability * (1 - probability)))


def amen_over_ours(
    fitted: Fit, dyadic, spread, correlation, reciprocity, scale: float, degrees: int
) -> np.ndarray:
    """Log ratio of amen's prior density to ours at each draw, in amen's coordinates (dyadic variance 1).

    Ours: gamma spreads, uniform correlations, normal thresholds, in units of the residual sd. amen's:
    inverse Wishart covariance, reciprocity ∝ (1 − ρ²)^(−1/2), flat thresholds.
    """
    left = 1 - correlation**2
    log_determinant = 2 * np.log(spread[:, 0] * spread[:, 1]) + np.log(left)
    trace = (spread[:, 0] ** -2 + spread[:, 1] ** -2) / left
    theirs = -(degrees + 3) / 2 * log_determinant - degrees * scale / 2 * trace
    theirs -= 0.5 * np.log(1 - reciprocity**2)
    own = spread * np.sqrt(dyadic)[:, None]
    # d(sd₁, sd₂, ρ)/d(covariance) and dτ/d(τ/√dyadic), up to constants.
    jacobian = np.log(dyadic) - 2 * np.log(spread[:, 0] * spread[:, 1])
    thresholds = fitted.draws("threshold")
    jacobian = jacobian + 0.5 * thresholds.shape[1] * np.log(dyadic)
    ours = (np.log(own) - 2 * own / WIDE.sd_perceiver).sum(axis=1) - 0.5 * (thresholds**2).sum(
        axis=1
    ) / WIDE.threshold**2
    return theirs - ours - jacobian


def test_raters_without_answers_stay_in_the_network_as_targets(reference):
    """Raters 15 and 24 have no answers on `info`: unit non-response, not an error."""
    survey = surveys.consulting(reference, "info")
    frame = Relation(instrument="consulting").frame(survey)
    assert {"p15", "p24"} <= set(frame.units)
    raters = {frame.units[u] for u in frame.rater_of_relation}
    assert not {"p15", "p24"} & raters


def test_gaussian_family_gives_the_published_variances(reference, published):
    """TripleR's variances lie in the gaussian model's 90 % intervals, relation and residual together."""
    survey = surveys.liking(reference)
    model = Relation(instrument="liking", family="gaussian")
    fitted = fit(model, survey, seed=3, chains=2, draws=2500, tune=700, progress=False)
    assert fitted.structure.relation == "residual"
    together = fitted.draws("sd_relation")[:, 0] ** 2 + residual_variance(fitted)[:, 0]
    spread = fitted.draws("sd_unit")
    found = {
        "actor": spread[:, 0] ** 2,
        "partner": spread[:, 1] ** 2,
        "relationship": together,
        "cov.actor.partner": fitted.draws("generalised_reciprocity")[:, 0] * spread[:, 0] * spread[:, 1],
        "cov.relationship": total_dyadic_reciprocity(fitted)[:, 0] * together,
    }
    for name, draws in found.items():
        converged(by_chain(fitted, draws))
        lower, upper = np.quantile(draws, [0.05, 0.95])
        assert lower < published["likingLong.liking_a", name] < upper, name
