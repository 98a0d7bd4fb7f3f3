"""The frame holds the survey as it is: who, whom, when, which item."""

import numpy as np
import pytest

from relcap_models.models import LeadershipLink, Relation

RATINGS = [
    ("w1", "p0", "p", "q"),
    ("w1", "q0", "q", "p"),
    ("w1", "q0", "q", "r"),
    ("w1", "r0", "r", "r"),
    ("w2", "p0", "q", "q"),
    ("w2", "q0", "q", "p"),
]
"""p0 moves from p to q between the waves; q → r is seen from one side."""


@pytest.fixture
def frame(survey_of):
    return Relation(instrument="scale").frame(survey_of(RATINGS, missing=0))


def test_the_same_people_are_a_source_of_a_link_only_where_some_rate_their_own_unit(survey_of):
    link = LeadershipLink(instrument="scale", safety=None)
    own = [rating for rating in RATINGS if rating[2] == rating[3]]
    others = [rating for rating in RATINGS if rating[2] != rating[3]]
    assert link.sources(survey_of(RATINGS)) == ("different", "same")
    assert link.sources(survey_of(own)) == ("different", "same")
    assert link.sources(survey_of(others)) == ("different",)


def test_partners_are_the_same_pair_from_the_other_side(frame):
    assert frame.relation_labels == ["p→q", "q→p", "q→r"]
    np.testing.assert_array_equal(frame.partner_of_relation, [1, 0, -1])


def test_each_rating_knows_its_relation_and_its_own_unit(frame):
    for n in range(frame.n_ratings):
        relation = frame.relation_of_rating[n]
        if frame.rater_of_rating[n] == frame.target_of_rating[n]:
            assert relation == -1
            assert frame.own[n]
        else:
            assert frame.rater_of_relation[relation] == frame.rater_of_rating[n]
            assert frame.target_of_relation[relation] == frame.target_of_rating[n]
    assert frame.own.sum() == 2


def test_a_respondent_who_moves_keeps_one_identity_and_changes_unit(frame):
    of_p0 = frame.respondent_of_rating == frame.respondents.index("p0")
    assert {frame.units[u] for u in frame.rater_of_rating[of_p0]} == {"p", "q"}
    assert of_p0.sum() == 2


def test_answers_are_those_of_the_table_in_the_order_of_ratings_and_items(frame, survey_of):
    survey = survey_of(RATINGS, missing=0)
    table = survey.responses.set_index(["wave", "respondent_id", "target_unit", "item"])["value"]
    for m, n in enumerate(frame.rating_of_response):
        key = (
            frame.waves[frame.wave_of_rating[n]],
            frame.respondents[frame.respondent_of_rating[n]],
            frame.units[frame.target_of_rating[n]],
            frame.items[frame.item_of_response[m]],
        )
        assert frame.answer[m] == table[key] - 1
    position = frame.rating_of_response * len(frame.items) + frame.item_of_response
    assert (np.diff(position) > 0).all()


def test_covariates_are_standardised_over_units_and_coded_against_the_commonest(case_named):
    case = case_named("covariates")
    # Sizes 3, 5, 7, 9: mean 6, sd √(20/3) = 2.582.
    size = case.frame.covariates.index("target.size")
    expected = (3 + 2 * case.frame.target_of_rating - 6) / np.sqrt(20 / 3)
    np.testing.assert_allclose(case.frame.covariates_of_rating[:, size], expected)
    assert "relation.importance" in case.frame.covariates
    relation = case.frame.relation_of_rating
    there = relation >= 0
    by_relation = case.frame.covariates_of_relation[relation[there], case.frame.wave_of_rating[there]]
    np.testing.assert_array_equal(case.frame.covariates_of_rating[there], by_relation)
