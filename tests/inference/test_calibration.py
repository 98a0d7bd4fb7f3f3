"""Calibration finds what is off and nothing else."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from relcap_models.data import read_survey
from relcap_models.data.survey import Wave
from relcap_models.errors import FitError
from relcap_models.inference.calibration import N_RANKED, check_calibratable, judge, ranks
from relcap_models.models import Climate, LeadershipLink, Relation
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate

QUANTITIES = [("sd", str(k)) for k in range(20)]


def ranks_from(rng, n, *, shift=0.0, width=1.0):
    """Ranks of normal truths among normal draws whose posterior is shifted, or too wide or narrow."""
    rows = []
    for name, label in QUANTITIES:
        truth = rng.normal(size=n)
        off = (label == "7") * np.array([shift, width - 1.0])
        draws = off[0] + (1.0 + off[1]) * rng.normal(size=(n, N_RANKED))
        rank = (draws < truth[:, None]).sum(axis=1)
        rows.append(pd.DataFrame({"quantity": name, "label": label, "rank": rank, "n_ranked": N_RANKED}))
    return pd.concat(rows, ignore_index=True)


@pytest.mark.parametrize(
    ("off", "mean_rank", "spread"),
    [({"shift": 0.6}, "lower", None), ({"width": 0.5}, None, "wider"), ({"width": 2.0}, None, "narrower")],
    ids=["shifted", "too narrow", "too wide"],
)
def test_a_posterior_that_is_off_is_found_and_said_how(off, mean_rank, spread):
    table, curves = judge(ranks_from(np.random.default_rng(1), 150, **off))
    failed = set(table.loc[~table["passed"], "label"])
    # One of the others by chance in one of twenty such tables, two in one of a thousand.
    assert "7" in failed
    assert len(failed) <= 2
    row = table.set_index("label").loc["7"]
    assert (row["mean_rank"] < 0.45) == (mean_rank == "lower")
    assert (row["spread"] > 1.15) == (spread == "wider")
    assert (row["spread"] < 0.85) == (spread == "narrower")
    assert curves["sd", "7"].outside == row["outside"] > 0


def test_the_band_holds_all_quantities_of_an_analysis_at_once():
    """Of 200 calibrated analyses of 20 quantities one in twenty leaves its band: 10, standard error 3.1."""
    rng = np.random.default_rng(2)
    alarms = sum(not judge(ranks_from(rng, 40))[0]["passed"].all() for _ in range(200))
    assert alarms < 10 + 3 * 3.1


SETTINGS = {"engine": "fast", "chains": 2, "draws": 100, "tune": 0, "target_accept": 0.8}


def test_what_is_ranked_is_each_free_number_and_four_of_the_scores(survey):
    model = Relation(instrument="relational_capacity")
    frame = model.frame(survey)
    found, again = (ranks(model, frame, SETTINGS, seed=1, replicate=0) for _ in range(2))
    pd.testing.assert_frame_equal(found, again)
    other = ranks(model, frame, SETTINGS, seed=1, replicate=1)
    assert not np.isclose(found["true"], other["true"]).any()
    assert found["rank"].between(0, N_RANKED).all()
    assert found["true"].notna().all()
    assert not found.duplicated(["quantity", "label"]).any()
    # Two dimensions of perceiver, target and self: 6 · 5 / 2 correlations; 6 items of 5 categories.
    expected = {
        "mu_own": 2,
        "sd_unit": 6,
        "corr_unit": 15,
        "generalised_reciprocity": 2,
        "sd_relation": 2,
        "corr_relation": 1,
        "dyadic_reciprocity": 2,
        "sd_respondent": 2,
        "corr_respondent": 1,
        "sd_rating": 2,
        "corr_rating": 1,
        "loading": 6,
        "threshold": 24,
        "relation_scores": 4,
    }
    assert found.groupby("quantity").size().to_dict() == expected


def test_of_a_climate_the_scores_are_those_of_units(survey):
    own = survey.responses[survey.responses["rater_unit"] == survey.responses["target_unit"]]
    model = Climate(instrument="relational_capacity")
    frame = model.frame(replace(survey, responses=own))
    found = ranks(model, frame, SETTINGS, seed=1, replicate=0)
    assert found.groupby("quantity").size()["unit_scores"] == 4
    assert "relation_scores" not in set(found["quantity"])


def test_a_gaussian_model_has_no_priors_to_draw_from():
    with pytest.raises(FitError, match="in standard deviations of the"):
        check_calibratable(Relation(instrument="scale", family="gaussian"))
    check_calibratable(Climate(instrument="scale"))


def test_of_a_link_unit_effects_and_slopes_are_ranked_beside_what_is_free():
    instruments = {name: load_instrument(name) for name in ("relational_capacity", "relational_leadership")}
    waves = (Wave("w1"), Wave("w2"))
    options = Simulation.model_validate({"organisation": {"n_units": 6, "n_respondents": 40}})
    tables = simulate(options, instruments=instruments, waves=waves, seed=3).tables
    linked = read_survey(tables, instruments=instruments, waves=waves)
    model = LeadershipLink(safety=None)
    found = ranks(model, model.frame(linked), SETTINGS, seed=1, replicate=0)
    assert found["true"].notna().all()
    assert not found.duplicated(["quantity", "label"]).any()
    counts = found.groupby("quantity").size().to_dict()
    # Perceiver, target and leadership, apart between and within units; two facets in two waves.
    expected = {"sd_unit_stable": 3, "corr_unit_stable": 3, "sd_unit_wave": 3, "corr_unit_wave": 3}
    expected |= {"mu_facet": 2, "sd_respondent_facet": 2, "corr_respondent_facet": 1, "loading": 13}
    expected |= {"threshold": 52, "slope_unit_stable": 1, "slope_unit_wave": 1}
    expected |= {"target_effect": 1, "staff_effect": 1}
    assert expected.items() <= counts.items()
