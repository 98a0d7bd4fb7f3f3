"""What a design aliases is dropped and said; what it separates is kept."""

import pytest

from relcap_models.models import Climate, Relation
from tests.models.conftest import ONE_AND_THREE

KEPT = {
    # design: (roles, relation, groupings of respondents, district shocks, reciprocal)
    "one wave, own ratings": ("pts", "full", ("respondent", "rating"), 0, True),
    "covariates": (
        "pts",
        "full",
        ("respondent", "respondent_wave", "respondent_target", "rating"),
        0,
        True,
    ),
    "three waves, districts": ("pts", "full", (), 2, True),
    "three waves, no relation from both sides": ("pt", "full", ("respondent", "rating"), 0, False),
    "each unit rates one other, two waves": (
        "pts",
        "none",
        ("respondent", "respondent_wave", "respondent_target", "rating"),
        0,
        False,
    ),
    "half-block": ("pt", "full", ("respondent", "rating"), 0, False),
    "persons rate persons": ("pt", "full", (), 0, True),
    "residual": ("pt", "residual", (), 0, True),
    "stable": ("pt", "stable", (), 0, True),
    "dimensions of one and three items": ("pt", "full", ("respondent", "rating"), 0, True),
    "binary items": ("pt", "full", ("respondent", "rating"), 0, True),
    "climate": ("p", "none", ("respondent", "rating"), 0, False),
    "climate, one wave, districts": ("p", "none", ("respondent",), 0, False),
}
ROLES = {"p": "perceiver", "t": "target", "s": "self"}


@pytest.mark.parametrize("name", KEPT)
def test_effects_that_the_design_separates_are_kept(case_named, name):
    found = case_named(name).structure
    roles, relation, within, n_districts, reciprocal = KEPT[name]
    assert found.roles == tuple(ROLES[letter] for letter in roles)
    assert (found.relation, found.within, len(found.districts), found.reciprocal) == (
        relation,
        within,
        n_districts,
        reciprocal,
    )


def test_persons_who_rate_persons_have_no_effects_below_the_unit_and_are_told_so(case_named):
    said = " ".join(case_named("persons rate persons").structure.left_out)
    assert "respondent effects are the unit effects, and are left out" in said
    assert "rating effects are the relation effects, and are left out" in said


def test_relation_and_residual_are_one_where_a_relation_has_one_answer(case_named):
    assert any("reported together" in sentence for sentence in case_named("residual").structure.left_out)


def test_a_dimension_of_one_item_leaves_the_others_their_rating_effects_and_is_told(case_named):
    left_out = case_named("dimensions of one and three items").structure.left_out
    assert any("Dimension A has one item: its rating variance" in sentence for sentence in left_out)
    told = [m.key for name in ("binary items", "residual") for m in case_named(name).structure.left_out]
    assert "design.one_item" not in told


def test_a_person_s_part_of_a_wave_is_kept_where_one_dimension_of_a_climate_has_one_item(survey_of):
    ratings = [(w, f"{u}{r}", u, u) for w in ("w1", "w2") for u in "pqrs" for r in range(3)]
    model = Climate(instrument="scale")
    structure = model.structure(model.frame(survey_of(ratings, ONE_AND_THREE)))
    # A person rates the own unit once a wave: person × wave and rating are one effect, under the latter name.
    assert structure.within == ("respondent", "rating")


def test_where_a_rating_is_its_relation_a_dimension_of_one_item_is_told_of_the_relation(survey_of):
    ratings = [("w1", u, u, t) for u in "pqrs" for t in "pqrs" if t != u]
    model = Relation(instrument="scale")
    left_out = model.structure(model.frame(survey_of(ratings, ONE_AND_THREE))).left_out
    assert any("Dimension A has one item: its relation variance" in sentence for sentence in left_out)


ONE_PARTNER = {
    # design: (whom each unit rates, what the relation is one with)
    "each unit rates one other": (dict(zip("pqrs", ["q", "r", "q", "p"])), ("perceiver",)),
    "each is rated by one": ({"p": "qr", "q": "st", "r": "p"}, ("target",)),
    "both": (dict(zip("pqrs", "qrsp")), ("perceiver", "target")),
    "both, in pairs": (dict(zip("pqrs", "qpsr")), ("perceiver", "target")),
    "neither": ({"p": "qr", "q": "r", "r": "p"}, ()),
}


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("name", ONE_PARTNER)
def test_a_relation_that_is_all_its_rater_s_or_target_s_is_no_effect_of_its_own(survey_of, name, own):
    whom, ends = ONE_PARTNER[name]
    ratings = [
        (w, f"{u}{r}", u, t) for w in ("w1", "w2") for u in whom for r in "abc" for t in [*whom[u], *u * own]
    ]
    model = Relation(instrument="scale")
    structure = model.structure(model.frame(survey_of(ratings)))
    assert structure.relation_is == ends
    assert structure.relation == ("none" if ends else "full")
    told = [message.key for message in structure.left_out]
    assert ("design.left_out.ends" in told) == (len(ends) == 2)
    assert ("design.left_out.dyadic" in told) == bool(ends and name != "both")
    if ends:
        assert not structure.reciprocal
    if len(ends) == 1:
        assert f"In this design relation effects are the {ends[0]} effects" in " ".join(structure.left_out)


def test_relations_that_are_their_rater_s_in_each_wave_but_not_over_waves_are_kept_and_told(survey_of):
    whom = {"w1": "qrsp", "w2": "rspq"}
    ratings = [(w, f"{u}{r}", u, t) for w in whom for u, t in zip("pqrs", whom[w]) for r in "abc"]
    model = Relation(instrument="scale")
    structure = model.structure(model.frame(survey_of(ratings)))
    assert (structure.relation, structure.relation_is) == ("full", ())
    said = " ".join(structure.left_out)
    assert "In each wave, relation effects are the same as effects of perceiver and target" in said


def test_one_answer_in_a_unit_s_only_relation_is_told_to_be_its_residual(survey_of):
    ratings = [("w1", u, u, t) for u, t in zip("pqrst", "qrprr")]
    model = Relation(instrument="scale")
    structure = model.structure(model.frame(survey_of(ratings, (("a1", "a", 5),))))
    assert (structure.relation, structure.relation_is) == ("none", ("perceiver", "residual"))
    assert any("its perceiver variance and its residual" in sentence for sentence in structure.left_out)


def test_a_climate_has_no_respondent_by_target_effects_where_people_move(survey_of):
    stay = [(w, f"{u}{r}", u, u) for w in ("w1", "w2") for u in "pqrs" for r in range(3)]
    moved = [("w2", "p0", "q", "q") if row == ("w2", "p0", "p", "p") else row for row in stay]
    model = Climate(instrument="scale")
    assert model.structure(model.frame(survey_of(moved))).within == ("respondent", "rating")


def test_district_shocks_need_waves_and_three_districts_of_two_units_or_it_is_told(survey_of):
    units = [f"u{i}" for i in range(9)]
    ratings = [
        (w, f"{u}_{r}", u, units[(i + 1) % 9])
        for w in ("w1", "w2")
        for i, u in enumerate(units)
        for r in "ab"
    ]
    one_wave = [row for row in ratings if row[0] == "w1"]
    model = Relation(instrument="scale")
    for rows, districts, n, said in (
        (ratings, "xxxyyyzzz", 2, None),
        (ratings, "xxxxxxyyy", 0, "two districts do not tell"),
        (ratings, "xxxxyyyzv", 2, None),
        (ratings, "xxxxyyzvw", 0, "with 5 districts for 9 units"),
        (one_wave, "xxxyyyzzz", 0, "there is one wave"),
        (ratings, "xxxxxxxxx", 0, None),
    ):
        structure = model.structure(model.frame(survey_of(rows, districts=dict(zip(units, districts)))))
        assert len(structure.districts) == n
        told = [sentence for sentence in structure.left_out if "District × wave effects" in sentence]
        assert len(told) == (said is not None)
        assert all(said in sentence for sentence in told)
