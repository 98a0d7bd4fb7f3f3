"""What a design can carry is said before fitting; what it cannot is refused in plain words."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from relcap_models.errors import DataError, FitError
from relcap_models.language import load_texts
from relcap_models.models import Climate, Relation, describe_design

RELATION, CLIMATE = Relation(instrument="scale"), Climate(instrument="scale")
UNITS = tuple("pqrstv")


def everyone(units=UNITS, *, respondents=3, wave="w1", own=False):
    return [
        (wave, f"{rater}{r}", rater, target)
        for rater in units
        for r in range(respondents)
        for target in units
        if own or target != rater
    ]


def said(survey, model=RELATION) -> str:
    return "\n".join(describe_design(model, survey).messages)


def test_numbers_of_a_design_counted_by_hand(survey_of):
    design = describe_design(RELATION, survey_of(everyone(own=True)))
    value = design.table.set_index("quantity")["value"]
    assert value["respondents"] == 18
    assert value["relations"] == 30
    assert value["pairs_from_both_sides"] == 15
    assert value["own_unit_ratings"] == 18
    assert value["respondents_per_relation_median"] == 3
    assert value["ratings_per_respondent_min"] == 6
    assert value["connected_parts"] == 1
    assert "Dyadic reciprocity rests on 15 pairs seen from both sides" in design.messages[3]
    assert value["sd_dyadic_reciprocity:a"] < 5**-0.5  # prior: sd of 2·Beta(2, 2) − 1 is 1/√5


def test_expected_reliability_follows_its_formula(survey_of):
    table = describe_design(RELATION, survey_of(everyone())).table.set_index("quantity")["value"]
    # Median of a half-normal is 0.6745 of its scale, of a gamma of shape 2 it is 0.8392 of its mean.
    # Between: two ends of a relation, and the relation; within: 2 × 0.6745², residual 1 over 2 items;
    # 3 respondents.
    between, noise = 2 * (0.8392 * 0.6) ** 2 + (0.6745 * 0.75) ** 2, 2 * 0.6745**2 + 1 / 2
    assert table["reliability:a"] == pytest.approx(between / (between + noise / 3))
    needed = 0.7 / 0.3 * noise / between
    assert needed <= table["respondents_for_0.70:a"] < needed + 1


@pytest.mark.parametrize("waves", [("w1",), ("w1", "w2")])
def test_respondents_needed_are_said_where_respondents_are_told_from_units(survey_of, waves):
    """As in the table of reliability: one respondent per unit has that of one respondent, and no more."""
    for respondents in (1, 3):
        ratings = [row for wave in waves for row in everyone(respondents=respondents, wave=wave)]
        design = describe_design(RELATION, survey_of(ratings))
        quantities, text = set(design.table["quantity"]), "\n".join(design.messages)
        assert "reliability:a" in quantities
        assert "reliability about" in text
        assert ("respondents_for_0.70:a" in quantities) == (".70 needs" in text) == (respondents > 1)


def test_more_respondents_make_scores_more_precise(survey_of):
    few, many = (
        describe_design(RELATION, survey_of(everyone(respondents=n))).table.set_index("quantity")["value"]
        for n in (2, 8)
    )
    assert many["reliability:a"] > few["reliability:a"]
    assert many["sd_score:a"] < few["sd_score:a"]
    assert many["sd_dyadic_reciprocity:a"] < few["sd_dyadic_reciprocity:a"]


WARNINGS = {
    "a unit with one respondent": (
        [row for row in everyone() if row[2] != "p" or row[1] == "p0"],
        "1 of 6 units have one respondent",
    ),
    "a relation seen by one person": (
        [row for row in everyone() if row[2:] != ("p", "q") or row[1] == "p0"],
        "1 of 30 relations (counted per wave) are seen by one person",
    ),
    "one wave": (everyone(), "one wave only"),
    "other people in each wave": (
        everyone() + [("w2", f"{who}b", *rest) for _, who, *rest in everyone()],
        "Nobody answers in two waves",
    ),
    "few units": (everyone(UNITS[:4]), "There are 4 units"),
    "no ratings of the own unit": (everyone(), "no ratings of the own unit"),
    "few pairs": (everyone(UNITS[:4]), "Fewer than 10 pairs"),
    "a unit that nobody rates": (
        [row for row in everyone() if row[3] != "v"],
        "No other unit rates v",
    ),
    "a unit that does not rate": (
        [row for row in everyone() if row[2] != "v"],
        "Nobody in v answers",
    ),
    "half-block": (
        [row for row in everyone() if row[2] in "pqr" and row[3] in "stv"],
        "half-block",
    ),
    "two parts": (
        [row for row in everyone() if (row[2] in "pqr") == (row[3] in "pqr")],
        "fall into 2 parts that share neither raters nor targets (each with 3 rater units)",
    ),
    "persons who rate persons": (everyone(respondents=1), "persons rate persons"),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_weak_designs_are_warned_of(survey_of, name):
    ratings, sentence = WARNINGS[name]
    assert sentence in said(survey_of(ratings))


@pytest.mark.parametrize("language", ["da", "nb"])
def test_what_may_stand_in_a_report_is_said_in_its_language(case, language):
    texts = load_texts(language)
    design = describe_design(case.model, case.survey)
    assert {str(message) for message in design.public_messages} & set(design.messages)
    for message in (*design.public_messages, *design.public_of_few):
        told = texts.say(json.loads(json.dumps(message.as_json())))
        assert told != str(message)
        assert "{" not in told


def test_where_few_people_stand_behind_a_score_their_number_can_be_left_out(survey_of):
    design = describe_design(RELATION, survey_of(everyone(respondents=3)))
    with_number, without = "\n".join(design.public_messages), "\n".join(design.public_of_few)
    assert design.respondents_per_score == 3
    assert "With 3 respondents per relation and wave (median)" in with_number
    assert "With few respondents per relation and wave (median)" in without
    # From the respondents that .70 needs and the reliability their number follows.
    assert ".70 needs" in with_number
    assert ".70 needs" not in without
    assert len(design.public_of_few) == len(design.public_messages)


def test_a_design_that_cannot_tell_rater_from_target_promises_neither(survey_of):
    units = [f"u{i}" for i in range(16)]
    ratings = [("w1", f"{u}{r}", u, units[(i + 1) % 16]) for i, u in enumerate(units) for r in range(3)]
    design = describe_design(RELATION, survey_of(ratings))
    text = "\n".join(design.messages)
    assert "told apart: perceiver and target together (16 relations) and respondent (48)" in text
    assert "how much is the perceiver's and how much the target's, and generalised reciprocity, rest" in text
    assert "Generalised reciprocity rests on" not in text
    assert "relation (16" not in text
    assert not design.table["quantity"].str.startswith("sd_generalised").any()
    assert "16 parts that share neither raters nor targets (each with 1 rater unit)" in text


def test_parts_are_told_by_all_their_sizes_or_by_the_smallest_and_largest(survey_of):
    def parts(*sizes):
        return [
            ("w1", f"{p}-{u}{r}", f"{p}-{u}", f"{p}-{t}")
            for p, n in enumerate(sizes)
            for u in range(n)
            for t in range(n)
            for r in range(2)
            if t != u
        ]

    assert "(with 4 and 3 rater units)" in said(survey_of(parts(3, 4)))
    assert "(with 3 to 4 rater units)" in said(survey_of(parts(3, 3, 4, 3, 3, 3)))


def test_a_strong_design_is_not_warned_of(survey_of):
    ratings = everyone(own=True) + [("w2", *rest) for _, *rest in everyone(own=True)]
    text = said(survey_of(ratings, seed=3))
    untold = ("neither rate nor are rated", "one value everywhere", "tasks")
    for sentence in (*untold, *(sentence for _, sentence in WARNINGS.values())):
        assert sentence not in text


def test_what_the_tables_hold_and_the_model_does_not_is_told(survey_of):
    constant = {"layer": dict.fromkeys(UNITS, "employee"), "size": dict.fromkeys(UNITS, 4.0)}
    nominations = [("w1", "p", "q", 3.0), ("w1", "q", "p", 3.0)]
    survey = survey_of(everyone(), attributes=constant, nominations=nominations)
    nowhere = pd.DataFrame([{"unit_id": "z", "name": "z", "layer": "leader", "size": 9.0}])
    units = pd.concat([survey.units, nowhere], ignore_index=True)
    tasks = np.where(np.arange(len(survey.responses)) % 2, "school", "home")
    survey = replace(survey, units=units, responses=survey.responses.assign(task=tasks))
    covariates = ("rater.layer", "target.size", "relation.importance")
    text = said(survey, Relation(instrument="scale", covariates=covariates))
    assert "for they neither rate nor are rated: z." in text
    assert "left out: rater.layer, target.size and relation.importance." in text
    assert "The answers are about 2 tasks" in text


def test_units_with_few_respondents_are_not_named(survey_of):
    ratings = [(w, who, *("zeta" if u == "p" else u for u in ends)) for w, who, *ends in everyone()]
    ratings = [row for row in ratings if row[2] != "zeta" or row[1] == "p0"]
    assert "zeta" not in said(survey_of(ratings))


def test_items_answered_alike_and_empty_categories_are_named(survey_of):
    survey = survey_of(everyone())
    value, item = survey.responses["value"], survey.responses["item"].astype(str)
    changed = value.mask(item == "a1", 5.0).mask((item == "a2") & (value == 2), 3.0)
    text = said(replace(survey, responses=survey.responses.assign(value=changed)))
    assert "Item a1 has the same answer everywhere (5)" in text
    assert "Item a2: nobody chose 2" in text


def test_fewer_than_three_units_are_refused(survey_of):
    with pytest.raises(FitError, match=r"2 units \(p, q\).*At least 3"):
        describe_design(RELATION, survey_of(everyone(("p", "q"))))


def test_relations_without_ratings_of_others_are_refused(survey_of):
    with pytest.raises(FitError, match=r"nobody rates another unit.*climate"):
        describe_design(RELATION, survey_of([row for row in everyone(own=True) if row[2] == row[3]]))


def test_a_climate_of_other_units_is_refused(survey_of):
    with pytest.raises(FitError, match=r"90 ratings are of another unit.*relations"):
        describe_design(CLIMATE, survey_of(everyone(own=True)))


def test_an_instrument_without_answers_is_refused(survey_of):
    survey = survey_of(everyone())
    survey = replace(survey, responses=survey.responses.iloc[:0])
    with pytest.raises(DataError, match="no answers to the instrument 'scale'"):
        describe_design(RELATION, survey)


def test_a_climate_is_described_by_its_units(survey_of):
    design = describe_design(CLIMATE, survey_of([r for r in everyone(own=True) if r[2] == r[3]]))
    text = "\n".join(design.messages)
    assert "rating effects are the respondent effects, and are left out" in text
    assert "3 respondents per unit and wave" in text
    assert "reciprocity" not in text
