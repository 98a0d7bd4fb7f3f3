"""The relation model on public data, against values that other software gives on them."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest
from arviz_stats.base import array_stats

from relcap_models.estimands.components import residual_variance, variance_components
from relcap_models.estimands.variance_shares import total_dyadic_reciprocity
from relcap_models.inference import Fit, fit
from relcap_models.models import Relation
from tests.validation import surveys

pytestmark = pytest.mark.validation


@pytest.fixture(scope="session")
def published(reference):
    """(id, quantity) → value of the shared table of published values."""
    with (reference / "values.csv").open(encoding="utf-8") as file:
        return {(row["id"], row["quantity"]): float(row["value"]) for row in csv.DictReader(file)}


def by_chain(fitted: Fit, draws: np.ndarray) -> np.ndarray:
    return draws.reshape(fitted.n_chains, -1)


def monte_carlo_error(draws: np.ndarray) -> float:
    return float(array_stats.mcse(draws, method="mean", chain_axis=0, draw_axis=1))


def converged(*quantities: np.ndarray) -> None:
    for draws in quantities:
        assert float(array_stats.rhat(draws, chain_axis=0, draw_axis=1)) < 1.03
        assert float(array_stats.ess(draws, method="bulk", chain_axis=0, draw_axis=1)) > 100


def test_dyadic_irt_gives_the_published_spreads_and_correlations(reference, published):
    """Five quantities of Gin et al. (2020), each within three times the joint Monte Carlo error of both runs."""
    survey = surveys.dyadic_irt(reference)
    model = Relation(instrument="attraction", family="partial_credit", loadings="equal")
    fitted = fit(model, survey, seed=1, chains=2, draws=500, tune=500, progress=False)
    assert fitted.structure.within == ()
    spread = fitted.draws("sd_unit")
    found = {
        "sd.actor": spread[:, 0],
        "sd.partner": spread[:, 1],
        "sd.relationship": fitted.draws("sd_relation")[:, 0],
        "cor.actor.partner": fitted.draws("generalised_reciprocity")[:, 0],
        "cor.relationship": fitted.draws("dyadic_reciprocity")[:, 0],
    }
    # The public run's posterior sds and its roughly 150 effective draws (INDEX.md) give its Monte Carlo error.
    theirs = dict(zip(found, (0.037, 0.026, 0.014, 0.048, 0.027)))
    for name, draws in found.items():
        draws = by_chain(fitted, draws)
        converged(draws)
        error = math.hypot(monte_carlo_error(draws), theirs[name] / math.sqrt(150))
        assert abs(draws.mean() - published["dirt.partial_credit", name]) < 3 * error, name


@pytest.mark.parametrize("question", ["info", "value"])
def test_consulting_network_gives_amens_relative_variances(question, reference, published):
    """Variances and reciprocities relative to the total dyadic variance, within half a posterior sd of amen's."""
    survey = surveys.consulting(reference, question)
    fitted = fit(Relation(instrument="consulting"), survey, seed=2, chains=2, draws=1500, tune=700, progress=False)
    assert fitted.structure.relation == "residual"
    dyadic = variance_components(fitted)["relation_and_residual"][:, 0]
    spread, correlation = fitted.draws("sd_unit"), fitted.draws("generalised_reciprocity")[:, 0]
    found = {
        "va": spread[:, 0] ** 2 / dyadic,
        "vb": spread[:, 1] ** 2 / dyadic,
        "cab": correlation * spread[:, 0] * spread[:, 1] / dyadic,
        "rho": fitted.draws("dyadic_reciprocity")[:, 0],
    }
    key = f"consulting.{question}.ordinal[0 as missing]"
    for name, draws in found.items():
        draws = by_chain(fitted, draws)
        converged(draws)
        distance = abs(draws.mean() - published[key, name])
        assert distance < 0.5 * published[key, f"{name}.posterior_sd"] + 2 * monte_carlo_error(draws), name


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
    fitted = fit(model, survey, seed=3, chains=2, draws=1000, tune=700, progress=False)
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
