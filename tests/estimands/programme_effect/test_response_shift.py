"""Items that mean something else after the start: everywhere, or for the exposed."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from relcap_models.data import Survey
from relcap_models.estimands.programme_effect import notes
from relcap_models.estimands.programme_effect.threats.case import case_of
from relcap_models.estimands.programme_effect.threats.moved_items import GROUPS, SHIFT, contrasts, four_groups
from relcap_models.estimands.programme_effect.threats.response_shift import (
    SPLIT,
    answers_at_start,
    response_shift_rows,
)
from relcap_models.models import ProgrammeEffect
from tests.estimands.programme_effect.panels import simulated

SHIFTED, DRIFTED = "RC2", "RC5"
MODEL = ProgrammeEffect(programme="P", assignment="randomised")


@pytest.fixture(scope="module")
def survey() -> Survey:
    """The programme does nothing."""
    return simulated({}, n_units=30, n_respondents=600, n_waves=2, seed=2)


def higher(survey: Survey, item: str, where: Callable[[Survey], pd.Series]) -> Survey:
    """Answers to the item in the second wave a point higher, of some rows of the responses."""
    answers = survey.responses.copy()
    here = where(survey) & (answers["wave"] == "w2") & (answers["item"].astype(str) == item)
    answers.loc[here, "value"] = (answers.loc[here, "value"] + 1).clip(upper=5)
    return replace(survey, responses=answers)


def exposed(survey: Survey) -> pd.Series:
    """Answers of who is in the programme, or rates somebody who is."""
    trained = set(survey.programmes["unit_id"].astype(str))
    ends = [survey.responses[end].astype(str).isin(trained) for end in ("rater_unit", "target_unit")]
    return ends[0] | ends[1]


def everywhere(survey: Survey) -> pd.Series:
    return pd.Series(True, index=survey.responses.index)


def case(survey: Survey):
    return case_of(MODEL, survey, ci_prob=0.9, seed=1)


def found(survey: Survey) -> pd.DataFrame:
    return pd.DataFrame(response_shift_rows(case(survey))).set_index("quantity")


@pytest.fixture(scope="module")
def shifted(survey) -> Survey:
    return higher(survey, SHIFTED, exposed)


@pytest.fixture(scope="module")
def both(survey) -> Survey:
    """One item shifts for the exposed, another drifts for everybody."""
    return higher(higher(survey, SHIFTED, exposed), DRIFTED, everywhere)


def moved(rows: pd.DataFrame, quantity: str) -> set[str]:
    part = rows.loc[[quantity]]
    return set(part["variant"][part["note"] == notes.NOT_HELD])


def test_a_shift_of_the_exposed_and_a_drift_everywhere_are_told_apart(both):
    rows = found(both)
    assert moved(rows, "shift") == {SHIFTED}
    assert moved(rows, "drift") == {DRIFTED}
    # A point is a bit less than one standard deviation of the residual.
    shift = rows.loc["shift"].set_index("variant")
    assert 0.4 < shift.loc[SHIFTED, "lower"] < shift.loc[SHIFTED, "upper"] < 2.0
    assert shift.loc[DRIFTED, "lower"] < 0 < shift.loc[DRIFTED, "upper"]


def test_a_drift_that_the_exposed_alone_escape_is_a_shift(survey):
    """Nothing changed among the exposed; what changed elsewhere goes into the effect all the same."""
    rows = found(higher(survey, SHIFTED, lambda one: ~exposed(one)))
    assert set(rows.loc["difference_test", "note"]) == {notes.HELD}
    assert moved(rows, "shift") == moved(rows, "drift") == {SHIFTED}
    assert rows.loc["shift"].set_index("variant").loc[SHIFTED, "upper"] < 0
    assert f"{notes.ITEMS}:{SHIFTED}" in set(rows.loc["effect", "note"])


def test_the_effect_is_given_with_and_without_what_shifts(shifted):
    rows = found(shifted)
    assert notes.NOT_HELD in set(rows.loc["difference_test", "note"])
    latent = rows.loc["latent_difference"].set_index("variant")
    impact = rows.loc["mean_impact"].set_index("variant")
    assert set(latent.index) == {f"{how}:{d}" for how in ("equal", "freed") for d in impact.index}
    for dimension, row in impact.iterrows():
        with_it, without = latent.loc[f"equal:{dimension}"], latent.loc[f"freed:{dimension}"]
        assert without["value"] - with_it["value"] == pytest.approx(row["value"])
        assert without["lower"] < 0 < without["upper"]
    (dimension,) = impact.index[impact["note"] == f"{notes.ITEMS}:{SHIFTED}"]
    assert latent.loc[f"equal:{dimension}", "lower"] > 0
    regression = case(shifted).regression(case(shifted).rows)
    without = rows.loc["effect"].set_index("estimand")["value"]
    weights = {e: (regression.parts["estimand"] == e).to_numpy() for e in ("rater_end", "target_end")}
    for estimand, inside in weights.items():
        shares = regression.parts["n"] * inside / (regression.parts["n"] * inside).sum()
        # A point on one item of six is some 0.15 of the mean, less what the ceiling cuts off.
        assert 0.08 < float(shares @ regression.estimate) - without[estimand] < 0.17


def test_without_a_shift_nothing_is_left_out(survey):
    rows = found(survey)
    assert set(rows.loc["difference_test", "note"]) == {notes.HELD}
    assert moved(rows, "shift") == moved(rows, "drift") == set()
    assert set(rows.loc["mean_impact", "note"]) == {notes.HELD}
    assert set(rows.loc["latent_difference", "variant"].str.partition(":")[0]) == {"equal"}
    assert "effect" not in rows.index


def test_without_comparisons_drift_and_shift_cannot_be_told_apart(shifted):
    everybody = shifted.units[["unit_id"]].assign(programme="P", start_wave="w2")
    rows = found(replace(higher(shifted, SHIFTED, lambda one: ~exposed(one)), programmes=everybody))
    assert rows.loc["shift", "note"] == notes.NO_COMPARISON
    assert "drift" not in rows.index
    assert f"{notes.ITEMS}:{SHIFTED}" in set(rows.loc[["mean_impact"], "note"])
    assert set(rows.loc[["effect"], "estimand"]) == {"change"}


def test_ratings_are_grouped_by_exposure_and_by_the_first_and_last_start():
    survey = simulated({"starts": ["w2", "w4"]}, n_units=12, n_respondents=48, n_waves=4, seed=3)
    about = answers_at_start(case(survey)).about
    trained = set(survey.programmes["unit_id"].astype(str))
    of_trained = about["rater_unit"].isin(trained) | about["target_unit"].isin(trained)
    assert (of_trained == about[SPLIT].str.startswith("exposed")).all()
    assert (about["rater_unit"] != about["target_unit"]).all()
    # Between, some have started and some have not.
    assert dict(zip(about["wave"], about[SPLIT].str.split().str[1])) == {"w1": "before", "w4": "after"}
    assert about[SPLIT].iloc[0] == GROUPS[0]
    assert set(about[SPLIT]) == set(GROUPS)


def test_errors_of_a_contrast_are_those_of_its_terms(survey):
    """The difference of two independent groups' loadings, when each is its own; by the parameters' table."""
    groups = four_groups(answers_at_start(case(survey)), SPLIT)
    fit = groups.fit(["y2"])
    table = fit.parameters
    own = table[(table["op"] == "=~") & (table["rhs"] == "y2")].set_index("group")
    order = [fit.groups.index(name) + 1 for name in GROUPS]
    for place, number in enumerate(order):
        value, covariance = contrasts(fit, [(("f1", "=~", "y2"), np.eye(4)[place])])
        assert value[0] == pytest.approx(own.loc[number, "est"])
        assert np.sqrt(covariance[0, 0]) == pytest.approx(own.loc[number, "se"])
    value, _ = contrasts(fit, [(("f1", "=~", "y2"), SHIFT)])
    before, after, without, later = own.loc[order, "est"]
    assert value[0] == pytest.approx((after - before) - (later - without))
