"""Where there is little or nothing to go by: the run goes on, its tables are whole, and it says so."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from tests.edge.organisations import estimates, public_table

FIGURES = ["mean", "sd", "lower", "upper"]


def design(result) -> str:
    """What the analyst reads about the design of the first analysis."""
    context = json.loads((result.folder / "restricted" / "context.json").read_text(encoding="utf-8"))
    return " ".join(context["analyses"][0]["design_for_analysts"])


def figures(table: pd.DataFrame) -> pd.DataFrame:
    return table[FIGURES].astype(float)


def test_a_unit_with_one_respondent_has_estimates_that_stay_hidden(awkward):
    for name, unit in (("relation_scores", "rater_unit"), ("unit_scores", "unit")):
        found = estimates(awkward.folder, name)
        alone = found[found[unit] == "lone"]
        assert len(alone) > 0
        assert figures(alone).notna().all(axis=None)
        shown = public_table(awkward.folder, name)
        about = shown[shown[unit] == "lone"]
        if name == "unit_scores":
            about = about[about["role"] == "as_rater"]
        assert (about["suppressed"] == "true").all()
        assert (about[[*FIGURES, "naive_mean", "n_respondents"]] == "").all(axis=None)
    assert "have one respondent" in design(awkward)


def test_the_report_does_not_say_what_few_people_or_everybody_answered(awkward):
    page = (awkward.folder / "public" / "report.html").read_text(encoding="utf-8")
    for sentence in (
        "one respondent",
        "seen by one person",
        "has the same answer everywhere",
        "nobody chose",
    ):
        assert sentence in design(awkward)
        assert sentence not in page
    assert "units of 5 or more" in page


def test_a_relation_seen_by_one_person_is_estimated_and_hidden(awkward):
    cell = "rater_unit == 'south' and target_unit == 'north'"
    found = estimates(awkward.folder, "relation_scores").query(cell)
    assert set(found["n_respondents"]) == {"1"}
    assert figures(found).notna().all(axis=None)
    assert set(public_table(awkward.folder, "relation_scores").query(cell)["suppressed"]) == {"true"}
    assert "seen by one person" in design(awkward)


def test_an_item_all_answered_5_keeps_its_scores_near_5_and_is_named(awkward):
    found = estimates(awkward.folder, "item_profiles").query("item == 'RC1'")
    assert len(found) > 0
    assert found["mean"].astype(float).between(4.5, 5).all()
    assert "Item RC1 has the same answer everywhere (5)" in design(awkward)


def test_an_empty_category_is_named_and_has_a_predicted_share(awkward):
    shares = estimates(awkward.folder, "item_distributions").query("item == 'RC2'").set_index("category")
    assert len(shares) == 5
    assert float(shares.loc["2", "observed"]) == 0
    assert 0 < float(shares.loc["2", "predicted_mean"]) < 0.5
    assert "Item RC2: nobody chose 2" in design(awkward)


def test_an_item_that_nobody_answered_is_named(awkward):
    assert "Item RC3 has no answers" in design(awkward)
    profiles = estimates(awkward.folder, "item_profiles").query("item == 'RC3'")
    assert set(profiles["naive_mean"]) <= {""}


def test_one_wave_and_no_own_unit_ratings_leave_out_what_needs_them(awkward):
    assert not (awkward.folder / "public" / "tables" / "changes.csv").exists()
    assert "within_unit" not in set(estimates(awkward.folder, "unit_scores")["role"])
    assert "There is one wave only" in design(awkward)
    assert "no ratings of the own unit" in design(awkward)


def test_without_other_tables_units_go_by_their_ids_and_a_note_says_so(awkward):
    context = json.loads((awkward.folder / "restricted" / "context.json").read_text(encoding="utf-8"))
    assert {unit["name"] for unit in context["units"]} == {"north", "south", "east", "west", "lone"}
    assert any(note["key"] == "intake.no_units" for note in context["intake_notes"])
    assert set(estimates(awkward.folder, "relation_scores")["asynchronous"]) == {""}


def test_three_units_run_and_the_report_warns_of_their_number(three_units):
    assert len(public_table(three_units.folder, "relation_scores")) == 3 * 2 * 3
    assert "There are 3 units" in design(three_units)


def test_climate_only_has_own_staff_scores_and_no_relations(climate_only):
    shown = public_table(climate_only.folder, "unit_scores").set_index(["unit", "dimension"])
    assert set(shown["role"]) == {"own_staff"}
    assert not (climate_only.folder / "public" / "tables" / "relation_scores.csv").exists()
    assert shown.loc[("d", "overall"), "suppressed"] == "true"
    assert shown.loc[("a", "overall"), "suppressed"] == "false"
    assert figures(estimates(climate_only.folder, "unit_scores")).notna().all(axis=None)


@pytest.mark.parametrize("dimension", ["orientation", "overall"])
def test_every_relation_has_a_row_with_its_naive_mean(awkward, dimension):
    found = estimates(awkward.folder, "relation_scores").query(f"dimension == '{dimension}'")
    assert len(found) == 5 * 4
    assert (found["naive_mean"] != "").all()
