"""The leadership link is recovered where unit means attenuate it, and is not faked by lenient staff."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import relcap_models as rc
from relcap_models.estimands.leadership_link.unit_latents import unit_latents
from relcap_models.models import LeadershipLink
from tests.recovery.link_grid import LEADERSHIP, MEASURED, Cell, one, run_grid, survey_of

RESULTS = Path(__file__).parent / "link_grid_results"


def estimates(cell: Cell, seeds: range) -> pd.DataFrame:
    """(seed × method, source, adjusted) estimates of some data sets."""
    found = pd.concat([one(cell, seed) for seed in seeds])
    return found.pivot_table(index="seed", columns=["method", "source", "adjusted"], values="mean")


def standard_error(values: pd.Series) -> float:
    return float(values.std() / np.sqrt(len(values)))


@pytest.mark.recovery
def test_joint_estimate_recovers_what_unit_means_attenuate():
    found = estimates(Cell("main", 0.5, 60, 10), range(1, 9))
    joint, naive = found["joint", "different", False], found["naive", "different", False]
    # Bias of the grid is within .05; Monte Carlo error on top.
    assert abs(joint.mean() - 0.5) < 0.05 + 3 * standard_error(joint)
    less = joint - naive
    assert less.mean() > 3 * standard_error(less)


@pytest.mark.recovery
def test_lenient_staff_fake_a_link_that_adjusting_takes_away():
    """No true effect; staff who rate everybody kindly rate their leaders kindly, and are repaid."""
    found = estimates(Cell("leniency", 0.0, 60, 10, leniency=1.0, reciprocity=0.4), range(1, 9))
    same, raw, adjusted = (
        found["joint", source, adjusted]
        for source, adjusted in (("same", False), ("different", False), ("different", True))
    )
    for biased in (same - adjusted, raw - adjusted):
        assert biased.mean() > 3 * standard_error(biased)
    assert abs(adjusted.mean()) < 0.05 + 3 * standard_error(adjusted)


@pytest.mark.recovery
def test_fast_engine_and_sampler_tell_the_same_link():
    """Where units tell it: with few, a slope's posterior has long tails, which the fast engine cuts off."""
    cell = Cell("main", 0.5, 60, 10)
    survey, model = survey_of(cell, 3), LeadershipLink(safety=None)
    middle, width = [], []
    for engine in ("fast", "nuts"):
        fit = rc.fit(model, survey, engine=engine, seed=1, chains=2, draws=800, tune=400, progress=False)
        slope = unit_latents(fit)[0].slopes("target", (LEADERSHIP, "perceiver"))[:, 0]
        lower, median, upper = np.quantile(slope, [0.05, 0.5, 0.95])
        middle.append(median)
        width.append(upper - lower)
    # The engine's stated error of covariances is .3 posterior sd on average: a tenth of this width.
    assert abs(middle[0] - middle[1]) < 0.1 * width[1]
    assert 0.8 < width[0] / width[1] < 1.25


@pytest.mark.grid
def test_the_whole_grid():
    table = run_grid(RESULTS)
    assert (table["failed"] == 0).all()


def test_the_measured_grid_holds_what_is_claimed():
    """At 60 or more units and 10 or more raters the joint estimate's bias is at most .05 (and its Monte Carlo
    error), where unit means attenuate the larger effect."""
    table = pd.read_csv(MEASURED)
    main = table[(table["grid"] == "main") & (table["units"] >= 60) & (table["raters"] >= 10)]
    assert len(main)
    joint = main[main["method"] == "joint"]
    # A dozen cells and two adjustments: three standard errors.
    assert (joint["bias"].abs() <= 0.05 + 3 * joint["bias_mcse"]).all()
    naive, modelled = (
        rows[rows["effect"] == 0.5].set_index(["units", "raters", "adjusted"])
        for rows in (main[main["method"] == "naive"], joint)
    )
    # Cells share seeds, so that a mean over them errs as much as one of them may.
    assert naive["bias"].mean() < -2 * naive["bias_mcse"].max()
    assert (naive["bias"] < modelled["bias"].reindex(naive.index)).all()
