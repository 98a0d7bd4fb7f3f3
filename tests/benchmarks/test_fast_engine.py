"""The fast engine: time from a cold start, memory, and how far it lies from long runs of the sampler."""

import time

import pandas as pd
import pytest

from relcap_models import estimands
from relcap_models.inference import agreement, fit
from relcap_models.models import Relation
from tests.benchmarks.measure import cost_of
from tests.benchmarks.surveys import survey_of
from tests.benchmarks.test_sampling import efficiency

pytestmark = pytest.mark.bench

FAST = """
import sys
import relcap_models as rc
from tests.benchmarks.surveys import survey_of
model = rc.Relation(instrument="relational_capacity")
rc.fit(model, survey_of(sys.argv[1]), engine="fast", seed=1, chains=4, draws=1000, progress=False)
"""
# Warm-up and draws of each of two chains, for at least a thousand effective ones (400 of the largest).
LONG_RUN = {"small": (400, 3000), "large": (400, 3000), "large3": (300, 1300)}


@pytest.mark.parametrize("size", LONG_RUN)
def test_from_a_cold_start(kept, size, tmp_path, monkeypatch):
    """A process that makes the survey, compiles everything and fits; then one that finds it compiled."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    for compiled in ("no", "yes"):
        cost = cost_of("-c", FAST, size)
        row = {"size": size, "compiled": compiled, "seconds": cost.seconds, "mib": cost.mib}
        kept("fast_engine", pd.DataFrame([row]), ["size", "compiled"])


@pytest.mark.parametrize("size", LONG_RUN)
def test_beside_a_long_run_of_the_sampler(figures, kept, size):
    survey, model = survey_of(size), Relation(instrument="relational_capacity")
    tune, draws = LONG_RUN[size]
    fit(model, survey, seed=0, chains=2, tune=5, draws=5, progress=False)
    began = time.perf_counter()
    sampled = fit(model, survey, seed=1, chains=2, tune=tune, draws=draws, progress=False)
    seconds = time.perf_counter() - began
    run = efficiency(sampled, seconds)
    figures("long runs", size=size, **run)
    fast = fit(model, survey, engine="fast", seed=1, chains=4, draws=1000, progress=False)
    options = {"ci_prob": 0.9, "gap": 0.5, "goal": 0.0, "k": 3}
    ours, theirs = (estimands.tables(fitted, survey, **options) for fitted in (fast, sampled))
    table = agreement(sampled, fast, estimates=theirs, approximated=ours)
    table = table.drop(columns="analysis")
    table.insert(0, "size", size)
    # In posterior sds; the least effective draws of any number of the sampler's.
    kept("agreement", table.assign(worst_ess=run["ess"]), ["size"])
