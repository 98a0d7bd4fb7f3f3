"""Means of relations in waves, from answers."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from relcap_models.data import Wave, read_survey
from relcap_models.estimands.programme_effect.comparisons.relation_waves import relation_waves, told
from relcap_models.models import ProgrammeEffect
from relcap_models.models.exposure import Spillover
from relcap_models.schema import load_instrument
from tests.estimands.programme_effect.panels import exposure, rows_of

KNOWN = load_instrument("relational_capacity")
# The first item is asked the other way round.
TURNED = KNOWN.model_copy(
    update={"items": (KNOWN.items[0].model_copy(update={"reversed": True}), *KNOWN.items[1:])}
)
FIRST, SECOND = TURNED.items[0].id, TURNED.items[1].id


@pytest.fixture(scope="module")
def exposed():
    """Unit a rates b (which starts in w2) and c in both waves."""
    answers = [
        # Two answers to the second item and one to the first: items count alike, not answers.
        *(
            ("w1", "r1", "a", "b", FIRST, 1),
            ("w1", "r1", "a", "b", SECOND, 2),
            ("w1", "r2", "a", "b", SECOND, 3),
        ),
        *(("w2", "r1", "a", "b", FIRST, 5), ("w2", "r1", "a", "b", SECOND, 4)),
        *(("w1", "r1", "a", "c", SECOND, 3), ("w2", "r1", "a", "c", SECOND, 4)),
    ]
    columns = ["wave", "respondent_id", "rater_unit", "target_unit", "item", "value"]
    tables = {
        "responses": pd.DataFrame(answers, columns=columns).assign(instrument=TURNED.id),
        "units": pd.DataFrame({"unit_id": ["a", "b", "c"], "name": ["A", "B", "C"]}),
        "programmes": pd.DataFrame({"unit_id": ["b"], "programme": ["P"], "start_wave": ["w2"]}),
    }
    survey = read_survey(tables, instruments={TURNED.id: TURNED}, waves=(Wave("w1"), Wave("w2")))
    return ProgrammeEffect(programme="P", assignment="observational").exposed(survey)


def test_items_count_alike_after_reverse_scoring(exposed):
    rows = relation_waves(exposed).set_index(["target", "wave"])
    # On a scale from 1 to 5: (5 + 2.5) / 2, (1 + 4) / 2.
    assert rows["pooled"].to_dict() == pytest.approx({(1, 0): 3.75, (1, 1): 2.5, (2, 0): 3, (2, 1): 4})


def test_rows_know_the_first_exposure_of_their_relation(exposed):
    rows = relation_waves(exposed).set_index(["target", "wave"])
    assert rows["estimand"].to_dict() == {(1, 0): "", (1, 1): "target_end", (2, 0): "", (2, 1): ""}
    assert rows["ever"].to_dict() == {(1, 0): "target_end", (1, 1): "target_end", (2, 0): "", (2, 1): ""}
    assert rows["since"].tolist() == [1, 1, -1, -1]


def test_weights_and_items_left_out_change_the_means(exposed):
    weight = np.array([3.0, 1.0])
    rows = relation_waves(exposed, weight_of_respondent=weight).set_index(["target", "wave"])
    assert rows.loc[(1, 0), "pooled"] == pytest.approx((5 + (3 * 2 + 3) / 4) / 2)
    rows = relation_waves(exposed, without_items=[FIRST]).set_index(["target", "wave"])
    assert rows["pooled"].to_dict() == pytest.approx({(1, 0): 2.5, (1, 1): 4, (2, 0): 3, (2, 1): 4})


def test_a_relation_last_seen_before_its_start_is_no_comparison():
    """Rater and target start in waves 3 and 2; nobody rated after the first."""
    world = exposure([2, 1, 3], 3)
    rows = rows_of(world, lambda rows: 0.0 * rows["wave"])
    before = rows[rows["wave"] == 0].drop(columns=["estimand", "ever", "since"])
    early = told(before, world, single_group=False)
    known = {(r.rater, r.target): (r.ever, r.since) for r in early.itertuples()}
    assert known[(0, 1)] == ("target_end", 1)
    assert known[(0, 2)] == ("rater_end", 2)
    assert known[(1, 2)] == ("rater_end", 1)


def test_a_relation_first_reached_by_spillover_says_so():
    world = exposure([3, 2, 3], 3)
    near = np.array([[False, True, True]] + [[False] * 3] * 2)
    rows = rows_of(replace(world, near=near, spillover=Spillover()), lambda rows: 0.0 * rows["wave"])
    known = {(r.rater, r.target): (r.ever, r.since) for r in rows.itertuples()}
    assert known[(0, 1)] == known[(0, 2)] == ("spillover", 1)
    assert known[(1, 2)] == ("rater_end", 2)
