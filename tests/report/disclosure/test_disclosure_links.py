"""What the checks of a leadership link may tell: as much as those of its instruments, under their names."""

from __future__ import annotations

import pandas as pd
import pytest

from relcap_models.report.disclosure import Disclosure, apply_disclosure
from relcap_models.report.disclosure.messages import WITHHELD

ANSWERS = ["wave", "respondent_id", "rater_unit", "target_unit", "instrument", "item", "value"]
CHECKS = ["analysis", "check", "subject", "value", "threshold", "passed", "message"]
LABELS = ("linked (different)", "linked (same)")


@pytest.fixture(scope="module")
def survey(build):
    """Two instruments whose items have the same ids. Of `rl.d2` there are four answers, of others 30 or more.

    Unit c has two respondents.
    """
    rc, rl = (build.instrument(("d", 2), name=name, referent=r) for name, r in REFERENTS.items())
    rows = []
    for unit, size in (("a", 14), ("b", 14), ("c", 2)):
        for k in range(size):
            about = [(rc, target) for target in "abc" if target != unit] + [(rl, unit)]
            for scale, target in about:
                items = scale.item_ids if scale is rc or (unit, k // 4) == ("a", 0) else scale.item_ids[:1]
                rows += [
                    ("w1", f"{unit}_{k}", unit, target, scale.id, i, float(1 + (k + n) % 5))
                    for n, i in enumerate(items)
                ]
    return build.survey_of(pd.DataFrame(rows, columns=ANSWERS), rc, rl, n_leaders=dict.fromkeys("abc", 3))


REFERENTS = {"rc": "target_unit", "rl": "own_leaders"}


def checked(survey, rows):
    """The public table of checks of a link between the two instruments."""
    link = pd.DataFrame({"analysis": ["linked"], "predictor": ["rl"], "outcome": ["rc"]})
    tables = {"leadership_link": link, "checks": pd.DataFrame(rows, columns=CHECKS)}
    return apply_disclosure(tables, survey, Disclosure())["checks"]


def about_item(label, item):
    message = f"The furthest off is {item}, where 9.9% answered 4."
    return (label, "posterior_predictive_items", f"{item} = 4", 0.099, 0.02, True, message)


@pytest.mark.parametrize("label", LABELS)
def test_an_item_that_few_answered_is_withheld_under_its_instrument_and_its_namesake_is_not(survey, label):
    public = checked(survey, [about_item(label, "rl.d2"), about_item(label, "rc.d2")])
    assert public["value"].isna().tolist() == [True, False]
    assert public["message"].tolist() == [WITHHELD, "The furthest off is rc.d2, where 9.9% answered 4."]
    assert public["passed"].all()


@pytest.mark.parametrize("label", LABELS)
def test_a_unit_with_two_respondents_is_withheld_and_a_large_one_is_not(survey, label):
    rows = [
        (label, "rhat", f"unit {unit}", 1.001, 1.01, True, f"The largest R-hat is that of unit {unit}.")
        for unit in "cb"
    ]
    assert checked(survey, rows)["message"].tolist() == [WITHHELD, rows[1][-1]]


def test_another_analysis_s_rows_are_held_against_every_link(survey):
    """A row of the whole study may name what any analysis hides."""
    public = checked(survey, [about_item("", "rl.d2"), about_item(LABELS[0], "rl.d1")])
    assert public["message"].eq(WITHHELD).tolist() == [True, False]
