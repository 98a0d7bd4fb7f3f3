"""What the fast engine says of data where it should not be trusted, and that it keeps still elsewhere."""

from dataclasses import replace

import numpy as np
import pytest

from relcap_models.data import read_survey
from relcap_models.data.survey import Wave
from relcap_models.inference import fit
from relcap_models.inference.fast.trust import trust
from relcap_models.models import Climate, LeadershipLink, Relation
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate


def row(found, check):
    """subject, value, threshold, passed, message"""
    return next(rest for name, *rest in trust(found) if name == check)


def simulated(names, *, seed, n_units=20, waves=1, **truth):
    instruments, held = (
        [load_instrument(name) for name in names],
        tuple(Wave(f"w{w + 1}") for w in range(waves)),
    )
    options = Simulation.model_validate(
        {
            "organisation": {"n_units": n_units, "n_respondents": 10 * n_units, "n_districts": 4},
            "nominations": {"partners": 4},
            **truth,
        }
    )
    tables = simulate(options, instruments={i.id: i for i in instruments}, waves=held, seed=seed).tables
    return read_survey(tables, instruments=instruments, waves=held)


def climate(seed, **truth):
    survey = simulated(["psychological_safety"], seed=seed, climate=truth)
    model = Climate(instrument="psychological_safety")
    return fit(model, survey, engine="fast", seed=seed, chains=2, draws=500, progress=False)


@pytest.fixture(scope="module")
def relations():
    """Two waves in which nothing varies below the unit but respondents and ratings, and no district."""
    survey = simulated(["relational_capacity"], seed=2, waves=2)
    model = Relation(instrument="relational_capacity")
    return fit(model, survey, engine="fast", seed=1, chains=2, draws=500, progress=False), survey


SEEDS = range(20)


def test_units_that_do_not_vary_are_flagged_and_units_that_do_are_not():
    """In 20 data sets each: at least 17 and at most 6, where 20 and 4 were measured over 40 dimensions."""
    flagged = {
        sd: sum(not row(climate(s, sd_unit=sd), "fast_spreads")[3] for s in SEEDS) for sd in (0.0, 0.5)
    }
    assert flagged[0.0] >= 17
    assert flagged[0.5] <= 6


def test_each_standard_deviation_that_may_be_nothing_is_named():
    flat = simulated(["relational_capacity"], seed=1, relations={"sd_perceiver": 0, "sd_relation": 0})
    model = Relation(instrument="relational_capacity")
    found = fit(model, flat, engine="fast", seed=1, chains=2, draws=500, progress=False)
    _, value, threshold, passed, message = row(found, "fast_spreads")
    assert not passed
    assert value > threshold
    for name in ("sd_unit[perceiver:", "sd_relation[orientation]"):
        assert name in message
    assert "sd_unit[target:" not in message


def test_levels_on_which_nothing_varies_are_told_and_not_failed(relations):
    found, _ = relations
    _, value, threshold, passed, message = row(found, "fast_levels")
    sds = [str(name) for name in found.posterior.data_vars if str(name).startswith("sd_")]
    assert threshold == sum(
        found.draws(name).shape[-1] for name in sds if name not in ("sd_unit", "sd_relation")
    )
    assert passed
    named = message.partition("variance: ")[2]
    for name in ("sd_district_perceiver", "sd_district_target", "sd_respondent_wave"):
        assert name in named
    assert value == named.count("sd_")
    assert "sd_respondent[" not in named
    assert "sd_rating[" not in named


def test_respondents_who_do_not_vary_are_told():
    quiet = climate(1, sd_respondent=0.0, sd_rating=0.0)
    assert "sd_respondent[" in row(quiet, "fast_levels")[4].partition("variance: ")[2]
    assert row(climate(1), "fast_levels")[1] == 0.0


def test_units_of_one_respondent_are_counted_though_the_median_is_well(relations):
    found, survey = relations
    answers = survey.responses
    rater = answers["rater_unit"].astype(str)
    small = sorted(set(rater))[:7]
    first = answers[rater.isin(small)].groupby("rater_unit", observed=True)["respondent_id"].first()
    kept = ~rater.isin(small) | answers["respondent_id"].isin(set(first))
    few = replace(survey, responses=answers[kept].reset_index(drop=True))
    at = replace(found, frame=found.model.frame(few))
    assert row(at, "fast_respondents")[3]
    _, value, threshold, passed, message = row(at, "fast_few_respondents")
    assert value == pytest.approx(7 / 20)
    assert not passed
    assert "7 of 20 units have fewer than 3 respondents" in message
    assert "0 of 20 units are rated by fewer than 3 others" in message
    assert row(found, "fast_few_respondents")[1:4] == [0.0, threshold, True]


def test_units_that_hardly_anyone_else_rates_are_counted(relations):
    """Own staff do not count: two others rate each of five units."""
    found, survey = relations
    answers = survey.responses
    target, own = answers["target_unit"].astype(str), answers["rater_unit"].astype(str)
    lonely = sorted(set(target))[:5]
    others = answers[target.isin(lonely) & (target != own)]
    pairs = (
        others.drop_duplicates(["target_unit", "respondent_id"]).groupby("target_unit", observed=True).head(2)
    )
    stay = set(zip(pairs["target_unit"].astype(str), pairs["respondent_id"]))
    kept = ~target.isin(lonely) | (target == own)
    kept |= np.array([pair in stay for pair in zip(target, answers["respondent_id"])])
    few = replace(survey, responses=answers[kept].reset_index(drop=True))
    _, value, _, passed, message = row(replace(found, frame=found.model.frame(few)), "fast_few_respondents")
    assert "5 of 20 units are rated by fewer than 3 others" in message
    assert value == pytest.approx(5 / 20)
    assert not passed


@pytest.mark.parametrize(("n_units", "trusted"), [(8, False), (29, False), (30, True)])
def test_links_of_few_units_are_not_trusted(relations, n_units, trusted):
    names = ["relational_capacity", "relational_leadership", "psychological_safety"]
    model = LeadershipLink()
    frame = model.frame(simulated(names, seed=1, n_units=n_units))
    found = replace(relations[0], model=model, frame=frame)
    _, value, _, passed, message = row(found, "fast_linked_units")
    assert value == n_units
    assert passed is trusted
    assert ("too narrow" in message) is not trusted


def test_only_links_are_judged_by_their_units(relations):
    assert "fast_linked_units" not in {name for name, *_ in trust(relations[0])}
