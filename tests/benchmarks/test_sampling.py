"""Effective draws a second of the sampler: the worst of all that is kept and of all scores."""

import time

import numpy as np
import pandas as pd
import pytest

from relcap_models.estimands import relation_scores, unit_scores
from relcap_models.inference import fit
from relcap_models.inference.convergence import convergence
from relcap_models.models import Relation
from tests.benchmarks.surveys import survey_of

pytestmark = pytest.mark.bench

# Warm-up and draws of each of two chains; of the largest as many as bring R-hat below 1.01.
RUN = {"small": (400, 600), "large": (400, 600), "large3": (300, 2000)}


def scored(fitted):
    """Named draws (chain, draw, …) of all that is kept and of all scores, which are means over all items."""
    chains = fitted.n_chains
    found = {
        name: values.transpose("chain", "draw", ...).to_numpy() for name, values in fitted.posterior.items()
    }
    scores = {"relation_scores": relation_scores(fitted).scores}
    scores |= {f"unit_scores {u.role}": u.scores for u in unit_scores(fitted)}
    for name, score in scores.items():
        found[name] = score.points[..., -1].reshape(chains, fitted.n_draws, -1)
    return found


def worst(draws):
    """Smallest bulk ESS of named draws (chain, draw, …), whose it is, and the largest R-hat."""
    sizes, rhat = {}, 0.0
    for name, values in draws.items():
        found = convergence(values)
        # Constants have none.
        if not np.isnan(found.ess_bulk).all():
            sizes[name] = float(np.nanmin(found.ess_bulk))
            rhat = max(rhat, float(np.nanmax(found.rhat)))
    name = min(sizes, key=sizes.get)
    return sizes[name], name, rhat


def efficiency(fitted, seconds):
    """What a run cost and what it gave, as columns."""
    ess, name, rhat = worst(scored(fitted))
    stats = fitted.tree["sample_stats"]
    return {
        "seconds": seconds,
        "steps": float(stats["n_steps"].mean()),
        "worst": name,
        "ess": ess,
        "ess_per_second": ess / seconds,
        "rhat": rhat,
        "divergences": int(stats["diverging"].sum()),
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("size", RUN)
def test_effective_draws_a_second(kept, size, seed):
    """Two chains on two processors, warm-up in the time; what is compiled was compiled before."""
    survey = survey_of(size)
    model = Relation(instrument="relational_capacity")
    fit(model, survey, seed=0, chains=2, tune=5, draws=5, progress=False)
    tune, draws = RUN[size]
    began = time.perf_counter()
    fitted = fit(model, survey, seed=seed, chains=2, tune=tune, draws=draws, progress=False)
    row = {"size": size, "seed": seed, **efficiency(fitted, time.perf_counter() - began)}
    kept("sampling", pd.DataFrame([row]), ["size", "seed"])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_effective_draws_of_three_waves_on_a_graphics_processor(kept, seed):
    """Sixteen chains at once; compilation is in the time."""
    jax = pytest.importorskip("jax")
    if jax.default_backend() != "gpu":
        pytest.skip("no graphics processor is at hand")
    survey, model = survey_of("large3"), Relation(instrument="relational_capacity")
    options = {"backend": "jax", "chains": 16, "tune": 200, "draws": 750}
    began = time.perf_counter()
    fitted = fit(model, survey, seed=seed, **options)
    row = {"size": "large3", "seed": seed, **efficiency(fitted, time.perf_counter() - began)}
    row["device"] = jax.devices()[0].device_kind
    kept("sampling_gpu", pd.DataFrame([row]), ["size", "seed", "device"])
