"""Cumulative models with a person's intercept, beside maximum likelihood of ordinal::clmm."""

from __future__ import annotations

from functools import partial

import pytest
from arviz_stats.base import array_stats

from tests.validation.ordinal_mixed import schizophrenia, wine

pytestmark = pytest.mark.validation

FITS = {
    "wine.clmm.probit.laplace": partial(wine, link="probit"),
    "wine.clmm.logit.laplace": partial(wine, link="logit"),
    "wine.clmm.logit.agq10": partial(wine, link="logit"),
    "imps79.clmm.logit.agq15": schizophrenia,
}


@pytest.mark.parametrize("id", FITS)
def test_posterior_means_are_near_the_maximum(id, reference, published, sampled):
    """Effects, thresholds and variances within half a posterior sd: priors are wide, posteriors skewed."""
    means, allowed = {}, {}
    for name, draws in FITS[id](reference).items():
        chains = draws.reshape(2, -1)
        assert float(array_stats.rhat(chains, chain_axis=0, draw_axis=1)) < 1.02, name
        error = float(array_stats.mcse(chains, method="mean", chain_axis=0, draw_axis=1))
        means[name], allowed[name] = draws.mean(), 0.5 * draws.std() + 2 * error
    sampled(id, means, allowed)
    for name, mean in means.items():
        assert abs(mean - published[id, name]) < allowed[name], name
