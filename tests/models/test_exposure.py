"""Who is exposed when, who is compared with whom, and the columns that tell effects apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from relcap_models.data.survey import Wave
from relcap_models.errors import DataError
from relcap_models.models import ProgrammeEffect
from relcap_models.models.exposure import Spillover
from relcap_models.models.exposure_columns import doses, matrix
from relcap_models.models.programme_effect import Exposed, cells_of
from tests.models.conftest import PROGRAMME, make_survey, ring, who_rates

UNITS = list("abcdef")


def exposed(
    starts: dict[str, str],
    *,
    waves: int = 3,
    rows: Sequence[dict[str, Any]] = (),
    districts: dict[str, str] | None = None,
    **options: Any,
) -> Exposed:
    """Six units in a ring, each rating the next and the one before, of which some start."""
    programmes = [*rows, *({"unit_id": unit, "start_wave": wave} for unit, wave in starts.items())]
    ratings = who_rates(UNITS, ring(UNITS), respondents=1, waves=waves)
    survey = make_survey(ratings, programmes=programmes, districts=districts)
    return ProgrammeEffect(**PROGRAMME | options).exposed(survey)


def kinds(found: Exposed, wave: str) -> dict[str, str]:
    """`ab` for what a says of b in a wave → kind of exposure."""
    exposure = found.exposure
    cells = cells_of(exposure, found.frame)
    cells = cells[cells["wave"] == exposure.waves.index(wave)]
    return {
        exposure.units[r] + exposure.units[t]: kind
        for r, t, kind in cells[["rater", "target", "kind"]].itertuples(index=False)
    }


def test_a_relation_is_exposed_at_either_end_from_the_start_on():
    found = exposed({"a": "w2", "b": "w3"})
    assert set(kinds(found, "w1").values()) == {""}
    in_w2, in_w3 = kinds(found, "w2"), kinds(found, "w3")
    assert (in_w2["ab"], in_w2["ba"], in_w2["cd"]) == ("rater_end", "target_end", "")
    assert (in_w3["ab"], in_w3["ba"], in_w3["bc"], in_w3["cb"]) == (
        *("both_ends", "both_ends"),
        *("rater_end", "target_end"),
    )


def test_both_ends_are_exposed_since_the_later_of_their_starts():
    found = exposed({"a": "w2", "b": "w3"})
    cells = cells_of(found.exposure, found.frame)
    both = cells[cells["kind"] == "both_ends"]
    assert set(both["group"]) == {2}
    assert set(both["event"]) == {0}


@pytest.mark.parametrize(
    ("starts", "waves", "design"),
    [
        ({"a": "w2"}, 2, "two_waves"),
        ({"a": "w2"}, 3, "event_study"),
        ({"a": "w2", "c": "w3"}, 3, "staggered"),
        (dict.fromkeys("abc", "w2") | dict.fromkeys("def", "w3"), 3, "stepped_wedge"),
        (dict.fromkeys(UNITS, "w2"), 3, "single_group"),
    ],
)
def test_the_design_is_what_starts_and_comparisons_make_it(starts, waves, design):
    assert exposed(starts, waves=waves).design == design


def test_a_stepped_wedge_is_told_until_the_last_start():
    found = exposed(dict.fromkeys("abc", "w2") | dict.fromkeys("def", "w3"))
    # What follows the last start is not compared with anything: who starts then never does.
    assert found.exposure.waves == ("w1", "w2")
    assert (found.exposure.start == found.exposure.never).sum() == 3
    assert found.frame.waves == ("w1", "w2")
    assert found.n_left_out == 12
    assert {found.exposure.units[u] for u in np.flatnonzero(found.exposure.start == 2)} == set("def")


def test_units_that_always_were_in_it_are_left_out_with_their_relations():
    found = exposed({"a": "w1", "c": "w2"})
    assert found.always == ("a",)
    assert "a" not in found.frame.units


def test_a_programme_that_nobody_starts_during_the_study_is_refused():
    with pytest.raises(DataError, match="none starts 'P' after the first wave"):
        exposed({"a": "w1"})


def test_an_unknown_programme_is_refused_with_the_known_ones():
    with pytest.raises(DataError, match="no unit is in the programme 'Q'") as caught:
        exposed({"a": "w2"}, programme="Q")
    assert "P" in str(caught.value)


@pytest.mark.parametrize("dose", [None, 0.0])
def test_a_dose_must_be_there_and_above_zero(dose):
    rows = [
        {"unit_id": "a", "start_wave": "w2", "dose": 1.0},
        {"unit_id": "b", "start_wave": "w2", "dose": dose},
    ]
    with pytest.raises(DataError, match="exposure by dose"):
        exposed({}, rows=rows, exposure="dose")


def test_districts_are_the_clusters_where_each_starts_as_a_whole():
    districts = {"a": "x", "b": "x", "c": "y", "d": "y", "e": "z", "f": "z"}
    whole = exposed({"a": "w2", "b": "w2"}, districts=districts).exposure
    assert whole.assigned == "district"
    assert whole.n_clusters == (1, 2)
    assert exposed({"a": "w2", "c": "w2"}, districts=districts).exposure.assigned == "unit"
    assert exposed(dict.fromkeys(UNITS, "w2"), districts=districts).exposure.assigned == "unit"


def test_a_relation_next_to_the_programme_is_in_the_spillover_set_and_no_comparison():
    # b has the partners a and c, so half of them are under the programme; e has none of them.
    found = exposed({"a": "w2"}, spillover=Spillover(end="target", share=0.5))
    in_w2 = kinds(found, "w2")
    assert in_w2["cb"] == "spillover"
    assert in_w2["bc"] == ""
    assert in_w2["de"] == ""
    higher = exposed({"a": "w2"}, spillover=Spillover(end="target", share=0.6))
    assert kinds(higher, "w2")["cb"] == ""


def test_nobody_nominated_but_the_nominated_are_partners():
    ratings = who_rates(UNITS, ring(UNITS), respondents=1, waves=2)
    programmes = [{"unit_id": "a", "start_wave": "w2"}]
    # d has nominated a: that is its only partner.
    survey = make_survey(ratings, programmes=programmes, nominations=[("w1", "d", "a", 3.0)])
    found = ProgrammeEffect(**PROGRAMME, spillover=Spillover(end="target")).exposed(survey)
    in_w2 = kinds(found, "w2")
    assert in_w2["ed"] == "spillover"
    assert in_w2["cb"] == ""


def test_levels_are_told_apart_from_effects_and_each_column_says_something_new():
    found = exposed({"a": "w2", "b": "w2", "c": "w3"}, estimate="event_study")
    columns = matrix(found.columns, found.exposure, cells_of(found.exposure, found.frame))
    assert (columns != 0).any(axis=0).all()
    scaled = columns / np.array([column.scale for column in found.columns])
    assert len(np.unique(scaled, axis=1).T) == len(found.columns)
    roles = {column.role for column in found.columns}
    assert roles == {"level", "effect", "lead"}
    names = [column.name(found.exposure) for column in found.columns]
    assert len(set(names)) == len(names)


def test_effects_are_nothing_where_nothing_acts():
    found = exposed({"a": "w2", "b": "w2", "c": "w3"}, spillover=Spillover(share=0.4))
    cells = cells_of(found.exposure, found.frame)
    acting = doses(found.exposure, cells)
    effects = tuple(column for column in found.columns if column.role == "effect")
    none = matrix(effects, found.exposure, cells, acting.without("rater", "target", "spillover"))
    assert (none == 0).all()
    actual = matrix(effects, found.exposure, cells, acting)
    assert ((actual != 0).any(axis=1) == (cells["kind"] != "").to_numpy()).all()


def test_doses_multiply_and_both_ends_take_the_product():
    rows = [
        {"unit_id": "a", "start_wave": "w2", "dose": 2.0},
        {"unit_id": "b", "start_wave": "w2", "dose": 0.5},
    ]
    found = exposed({}, rows=rows, waves=2, exposure="dose")
    cells = cells_of(found.exposure, found.frame)
    at = {
        found.exposure.units[r] + found.exposure.units[t]: row
        for row, (r, t, w) in enumerate(cells[["rater", "target", "wave"]].itertuples(index=False))
        if w == 1
    }
    main = {c.variable: c for c in found.columns if c.role == "effect" and c.wave is None}
    columns = matrix(tuple(main.values()), found.exposure, cells)
    value = dict(zip(main, columns.T))
    assert value["rater_end"][at["af"]] == 2.0
    assert value["target_end"][at["cb"]] == 0.5
    assert value["interaction"][at["ab"]] == 1.0


def test_components_have_effects_of_their_own():
    rows = [
        {"unit_id": "a", "start_wave": "w2", "component": "course"},
        {"unit_id": "a", "start_wave": "w3", "component": "coaching"},
        {"unit_id": "c", "start_wave": "w2", "component": "coaching"},
    ]
    found = exposed({}, rows=rows, exposure="component")
    assert found.exposure.components == ("course", "coaching")
    of_target = {c.component for c in found.columns if c.variable == "target_end" and c.component >= 0}
    assert of_target == {0, 1}
    assert found.exposure.start[found.exposure.units.index("a")] == 1


def test_leads_are_of_later_cohorts_before_the_last_wave_before_their_start():
    found = exposed({"a": "w3", "b": "w4"}, waves=4, estimate="event_study")
    leads = [c for c in found.columns if c.role == "lead"]
    assert {(c.variable, c.event) for c in leads} == {
        ("rater_end", -3), ("rater_end", -2), ("target_end", -3), ("target_end", -2),
    }  # fmt: skip
    cells = cells_of(found.exposure, found.frame)
    position = leads.index(next(c for c in leads if c.variable == "target_end" and c.event == -2))
    acts = matrix(tuple(leads), found.exposure, cells)[:, position] != 0
    seen = {(found.exposure.units[t], w) for t, w in cells.loc[acts, ["target", "wave"]].to_numpy()}
    assert seen == {("a", 0), ("b", 1)}


def test_units_chosen_for_being_low_have_no_cohort_levels():
    found = exposed({"a": "w2", "b": "w3"}, chosen="lowest")
    assert {column.role for column in found.columns} == {"effect"}


def test_a_unit_that_rates_itself_is_exposed_at_both_ends():
    survey = make_survey(
        who_rates(UNITS, {u: [u] for u in UNITS}, waves=2), programmes=[{"unit_id": "a", "start_wave": "w2"}]
    )
    own = survey.instruments["scale"].model_copy(update={"referent": "own_team"})
    found = ProgrammeEffect(**PROGRAMME).exposed(replace(survey, instruments={"scale": own}))
    assert set(kinds(found, "w2").values()) == {"both_ends", ""}
    assert {c.variable for c in found.columns if c.role == "effect"} == {"both_ends"}


def test_who_starts_in_a_wave_without_answers_is_exposed_from_the_next_on():
    survey = make_survey(
        [("w1" if w == "w1" else "w3", *rest) for w, *rest in who_rates(UNITS, ring(UNITS), waves=2)],
        programmes=[{"unit_id": "a", "start_wave": "w3"}],
    )
    waves = (Wave("w1"), Wave("w2"), Wave("w3"))
    programmes = survey.programmes.assign(start_wave="w2")
    found = ProgrammeEffect(**PROGRAMME).exposed(replace(survey, waves=waves, programmes=programmes))
    assert found.exposure.waves == ("w1", "w3")
    assert kinds(found, "w3")["ba"] == "target_end"
