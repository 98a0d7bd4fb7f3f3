"""The fast engine: time from a cold start, memory, and how far it lies from long runs of the sampler."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from relcap_models import estimands
from relcap_models.inference import agreement, fit
from relcap_models.inference.convergence import convergence
from relcap_models.models import Relation
from tests.benchmarks.measure import cost_of
from tests.benchmarks.test_gradient import survey_of
from tests.benchmarks.test_sampling import efficiency

pytestmark = pytest.mark.bench

FAST = """
import sys
import relcap_models as rc
from tests.benchmarks.test_gradient import survey_of
model = rc.Relation(instrument="relational_capacity")
rc.fit(model, survey_of(sys.argv[1]), engine="fast", seed=1, chains=4, draws=1000, progress=False)
"""
# Warm-up and draws of each of two chains, for at least a thousand effective ones (400 of the largest).
LONG_RUN = {"small": (400, 3000), "large": (400, 3000), "large3": (300, 1300)}


@pytest.mark.parametrize("size", LONG_RUN)
def test_from_a_cold_start(figures, size, tmp_path, monkeypatch):
    """A process that makes the survey, compiles everything and fits; then one that finds it compiled."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    for compiled in ("no", "yes"):
        cost = cost_of("-c", FAST, size)
        figures("fast engine", size=size, compiled=compiled, seconds=cost.seconds, mib=cost.mib)


@pytest.mark.parametrize("size", LONG_RUN)
def test_beside_a_long_run_of_the_sampler(figures, size, measured_folder):
    survey, model = survey_of(size), Relation(instrument="relational_capacity")
    tune, draws = LONG_RUN[size]
    fit(model, survey, seed=0, chains=2, tune=5, draws=5, progress=False)
    began = time.perf_counter()
    sampled = fit(model, survey, seed=1, chains=2, tune=tune, draws=draws, progress=False)
    seconds = time.perf_counter() - began
    rhat = np.concatenate(
        [
            convergence(values.transpose("chain", "draw", ...).to_numpy()).rhat.ravel()
            for values in sampled.posterior.values()
        ]
    )
    figures(
        "long runs",
        size=size,
        **efficiency(sampled, seconds),
        rhat=float(np.nanmax(rhat)),
        divergences=int(sampled.tree["sample_stats"]["diverging"].sum()),
    )
    fast = fit(model, survey, engine="fast", seed=1, chains=4, draws=1000, progress=False)
    options = {"ci_prob": 0.9, "gap": 0.5, "goal": 0.0, "k": 3}
    ours, theirs = (estimands.tables(fitted, survey, **options) for fitted in (fast, sampled))
    table = agreement(sampled, fast, estimates=theirs, approximated=ours)
    for row in table.drop(columns="analysis").to_dict("records"):
        figures("fast engine beside the sampler, in posterior sds", size=size, **row)
    _keep(table.drop(columns="analysis"), size, measured_folder / "agreement.csv")


def _keep(table: pd.DataFrame, size: str, path: Path) -> None:
    """Put one size's rows in the place of its earlier ones."""
    before = pd.read_csv(path) if path.exists() else pd.DataFrame({"size": []})
    table.insert(0, "size", size)
    rows = pd.concat([before[before["size"] != size], table])
    path.parent.mkdir(exist_ok=True)
    rows.to_csv(path, index=False, float_format="%.3g")
