"""Items that mean something else after the start."""

from dataclasses import replace

import pandas as pd
import pytest

from relcap_models.data import Survey
from relcap_models.estimands.programme_effect import notes
from relcap_models.estimands.programme_effect.threats.case import case_of
from relcap_models.estimands.programme_effect.threats.response_shift import (
    exposed_answers,
    response_shift_rows,
)
from relcap_models.models import ProgrammeEffect
from tests.estimands.programme_effect.panels import simulated

SHIFTED = "RC2"


@pytest.fixture(scope="module")
def survey() -> Survey:
    """The programme does nothing."""
    return simulated({}, n_units=30, n_respondents=600, n_waves=2, seed=2)


@pytest.fixture(scope="module")
def shifted(survey) -> Survey:
    """Who is in the programme, or rates somebody who is, says a point more on one item from its start on."""
    trained = set(survey.programmes["unit_id"].astype(str))
    answers = survey.responses.copy()
    ends = [answers[end].astype(str).isin(trained) for end in ("rater_unit", "target_unit")]
    here = (ends[0] | ends[1]) & (answers["wave"] == "w2") & (answers["item"].astype(str) == SHIFTED)
    answers.loc[here, "value"] = (answers.loc[here, "value"] + 1).clip(upper=5)
    return replace(survey, responses=answers)


def found(survey) -> pd.DataFrame:
    model = ProgrammeEffect(programme="P", assignment="randomised")
    case = case_of(model, survey, ci_prob=0.9, seed=1)
    return pd.DataFrame(response_shift_rows(case)).set_index("quantity")


def test_a_shifting_item_is_named_and_the_effect_given_without_it(shifted):
    rows = found(shifted)
    levels = rows.loc["difference_test"].set_index("variant")
    assert levels.loc["configural", "note"] == notes.HELD
    assert notes.NOT_HELD in set(levels["note"])
    impact = rows.loc["mean_impact"].set_index("variant")
    assert f"{notes.ITEMS}:{SHIFTED}" in set(impact["note"])
    case = case_of(ProgrammeEffect(programme="P", assignment="randomised"), shifted, ci_prob=0.9, seed=1)
    regression = case.regression(case.rows)
    without = rows.loc["effect"].set_index("estimand")["value"]
    weights = {e: (regression.parts["estimand"] == e).to_numpy() for e in ("rater_end", "target_end")}
    for estimand, inside in weights.items():
        shares = regression.parts["n"] * inside / (regression.parts["n"] * inside).sum()
        # A point on one item of six is some 0.15 of the mean, less what the ceiling cuts off.
        assert 0.08 < float(shares @ regression.estimate) - without[estimand] < 0.17


def test_without_a_shift_equality_holds_and_nothing_is_left_out(survey):
    rows = found(survey)
    assert set(rows.loc["difference_test", "note"]) == {notes.HELD}
    assert rows.loc["mean_impact", "note"] == notes.HELD
    assert "effect" not in rows.index


def test_ratings_compared_are_of_exposed_relations_before_and_after(survey):
    case = case_of(ProgrammeEffect(programme="P", assignment="randomised"), survey, ci_prob=0.9, seed=1)
    answers = exposed_answers(case)
    trained = set(survey.programmes["unit_id"].astype(str))
    about = answers.about
    assert (about["rater_unit"].isin(trained) | about["target_unit"].isin(trained)).all()
    assert (about["rater_unit"] != about["target_unit"]).all()
    assert dict(zip(about["wave"], about["start"])) == {"w1": "before", "w2": "after"}
    assert about["start"].iloc[0] == "before"
