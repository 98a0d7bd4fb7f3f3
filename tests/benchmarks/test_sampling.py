"""Effective draws a second of the sampler: the worst of all that is kept and of all scores."""

import time

import numpy as np
import pytest

from relcap_models.estimands import relation_scores, unit_scores
from relcap_models.inference import fit
from relcap_models.inference.convergence import convergence
from relcap_models.models import Relation
from tests.benchmarks.test_gradient import survey_of

pytestmark = pytest.mark.bench

SEEDS = (1, 2, 3)


def worst(fitted):
    """Smallest bulk ESS, and its name; scores are means over all items."""
    chains = fitted.n_chains
    found = {
        name: values.transpose("chain", "draw", ...).to_numpy() for name, values in fitted.posterior.items()
    }
    scores = {"relation_scores": relation_scores(fitted).scores}
    scores |= {f"unit_scores {u.role}": u.scores for u in unit_scores(fitted)}
    for name, score in scores.items():
        found[name] = score.points[..., -1].reshape(chains, fitted.n_draws, -1)
    return smallest(found)


def smallest(draws):
    """Smallest bulk ESS of named draws (chain, draw, …), and its name."""
    sizes = {}
    for name, values in draws.items():
        effective = convergence(values).ess_bulk
        # Constants have none.
        if not np.isnan(effective).all():
            sizes[name] = float(np.nanmin(effective))
    name = min(sizes, key=sizes.get)
    return sizes[name], name


def efficiency(fitted, seconds):
    """What a run cost and what it gave, as columns."""
    ess, name = worst(fitted)
    steps = float(fitted.tree["sample_stats"]["n_steps"].mean())
    return {
        "seconds": seconds,
        "steps": steps,
        "worst": name,
        "ess": ess,
        "ess_per_second": ess / seconds,
    }


@pytest.mark.parametrize("size", ["small", "large"])
def test_effective_draws_a_second(figures, size):
    survey = survey_of(size)
    model = Relation(instrument="relational_capacity")
    options = {"chains": 2, "tune": 400, "draws": 600, "target_accept": 0.8, "progress": False}
    fit(model, survey, seed=0, **{**options, "tune": 10, "draws": 10})
    for seed in SEEDS:
        began = time.perf_counter()
        fitted = fit(model, survey, seed=seed, **options)
        seconds = time.perf_counter() - began
        figures("sampling", size=size, seed=seed, **efficiency(fitted, seconds))
