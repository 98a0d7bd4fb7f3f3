"""Checks, and shares of all answers: what is about everybody must not tell of a few."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from relcap_models.report.disclosure import Disclosure, apply_disclosure
from relcap_models.report.disclosure.headcounts import step_of_shares
from relcap_models.report.disclosure.messages import scrub_checks


def test_checks_say_nothing_about_small_units_and_single_respondents(world):
    rows = [
        ("relations", "ppc_unit_mean", "u0", 3.4, 0.05, False, "u0: observed 3.4 from 3 respondents."),
        ("relations", "ppc_unit_mean", "u4", 3.1, 0.05, True, "u4: observed 3.1."),
        ("relations", "loo_pareto_k", "u4_2", 0.9, 0.7, False, "Respondent u4_2 is influential."),
        ("relations", "rhat", "mean", 1.0, 1.01, True, "All R-hat at most 1.01."),
        ("relations", "pareto_k", "respondent u4_2", 0.04, 0.1, True, "4% have a Pareto k above 1."),
    ]
    columns = ["analysis", "check", "subject", "value", "threshold", "passed", "message"]
    checks = pd.DataFrame(rows, columns=columns)
    public = apply_disclosure(world.tables | {"checks": checks}, world.survey, Disclosure())["checks"]
    assert public["value"].isna().tolist() == [True, False, True, False, False]
    assert public["passed"].tolist() == [False, True, False, True, True]
    assert public["message"].str.contains("3.4|u4_2").tolist() == [False] * 5
    assert public["subject"].tolist() == ["u0", "u4", "a respondent", "mean", ""]


def test_no_check_lets_a_small_number_be_worked_out(world):
    """A unit's mean and sd can leave one set of answers; a share of everybody tells how many they are."""
    units = "0 of 8 lie outside; the furthest off is u4, sd as rater (1.99, predicted 1.03 to 1.55)."
    extremes = "6% of ratings have every answer at one end of the scale (at most 50%)."
    rows = [
        ("relations", "posterior_predictive_units", "u4, sd as rater", 0.0, 0.1, True, units),
        ("relations", "fast_extremes", "", 66 / 1110, 0.5, True, extremes),
        (
            "relations",
            "fast_respondents",
            "",
            4.0,
            3.0,
            True,
            "Units have 4 respondents (median).",
        ),
        (
            "relations",
            "fast_respondents",
            "",
            9.0,
            3.0,
            True,
            "Units have 9 respondents (median).",
        ),
        (
            "relations",
            "fast_few_respondents",
            "",
            1 / 8,
            0.1,
            False,
            "1 of 8 units have fewer than 3 respondents (at most 10%).",
        ),
    ]
    columns = ["analysis", "check", "subject", "value", "threshold", "passed", "message"]
    tables = world.tables | {"checks": pd.DataFrame(rows, columns=columns)}
    public = apply_disclosure(tables, world.survey, Disclosure())["checks"]
    assert "1.99" not in public.loc[0, "message"]
    assert "u4" in public.loc[0, "message"]
    step = step_of_shares(world.survey.responses)
    assert public.loc[1, "value"] == pytest.approx(round(66 / 1110 / step) * step)
    assert "5.9" not in public.loc[1, "message"]
    assert np.isnan(public.loc[2, "value"])
    assert "4" not in public.loc[2, "message"]
    assert public.loc[3, "value"] == 9.0
    assert public.loc[4, "value"] == pytest.approx(round(1 / 8 / step) * step)
    assert "1 of 8" not in public.loc[4, "message"]
    assert "fewer than three respondents" in public.loc[4, "message"]


def test_a_share_of_everybody_names_nobody_and_stays_whatever_people_are_called():
    rows = [
        ("relations", "pareto_k", "respondent 1", 0.04, 0.1, True, "4.0% have a k above 1, worst of all 1."),
        ("relations", "rhat", "mean of 1", 1.0, 1.01, True, "Of 1, at most 1.01."),
    ]
    columns = ["analysis", "check", "subject", "value", "threshold", "passed", "message"]
    public = scrub_checks(pd.DataFrame(rows, columns=columns), {}, respondents={"1"}, least=5, step=0.0)
    assert public["value"].isna().tolist() == [False, True]
    assert public["subject"].tolist() == ["", "a respondent"]
    assert "worst" not in public.loc[0, "message"]


def test_shares_of_everybody_fit_several_numbers_of_people(world):
    """Rounded to the step, shares are also those of one person more, one fewer and two fewer."""
    step = step_of_shares(world.survey.responses)
    distributions = world.tables["item_distributions"].copy()
    whole = distributions.groupby(["analysis", "item"])["observed"].transform("sum")
    distributions["observed"] = distributions["observed"] / whole
    tables = world.tables | {"item_distributions": distributions}
    public = apply_disclosure(tables, world.survey, Disclosure())["item_distributions"]
    shown = public["observed"].dropna().to_numpy(float)
    assert len(shown) > 0
    np.testing.assert_allclose(shown / step, np.round(shown / step), atol=1e-9)
    assert not np.allclose(distributions["observed"] / step, np.round(distributions["observed"] / step))
    people = world.survey.responses.groupby("item", observed=True)["respondent_id"].nunique().min()
    for n in (people - 2, people - 1, people + 1):
        nearest = np.round(shown[:, None] * n + np.array([-1, 0, 1])) / n
        assert (np.abs(nearest - shown[:, None]) <= step / 2 + 1e-9).any(axis=1).all()


@pytest.mark.parametrize(("people", "step"), [(40, 0.1), (79, 0.1), (80, 0.05), (200, 0.02), (400, 0.01)])
def test_the_step_holds_four_fractions(people, step):
    responses = pd.DataFrame(
        {"wave": "w1", "instrument": "s", "respondent_id": [str(n) for n in range(people)]}
    )
    assert step_of_shares(responses) == step
    assert step * people >= 4
