"""Who stayed, and what those who left would have to have said."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from relcap_models.estimands.programme_effect import notes
from relcap_models.estimands.programme_effect.comparisons.relation_waves import relation_waves
from relcap_models.estimands.programme_effect.threats.dropout import (
    Panel,
    missing_share,
    panel_of,
    share_rows,
    staying_weights,
    tipping_rows,
)
from relcap_models.models import ProgrammeEffect
from relcap_models.schema import load_instrument
from tests.estimands.programme_effect.panels import Y, case_with, exposure, noise, rows_of, simulated

# Respondents: stayed, left, joined, came and went between.
PANEL = Panel(
    np.array([[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 1, 0], [1, 0, 1]], dtype=bool), np.array([0, 0, 1, 1, 1])
)


def exposed_by(world, **more):
    return SimpleNamespace(exposure=world, **more)


def test_who_stayed_left_and_joined():
    assert PANEL.stayers.tolist() == [True, False, False, False, True]
    assert PANEL.leavers.tolist() == [False, True, False, False, False]
    assert PANEL.joiners.tolist() == [False, False, True, False, False]


def test_shares_are_of_the_first_wave_and_of_the_last_for_joiners():
    rows = list(share_rows(exposed_by(exposure([1, 3], 3)), PANEL))
    found = {row["variant"]: (row["value"], row["n"]) for row in rows}
    assert found == {
        "stayers:w2": (0.5, 2),
        "stayers:never": (1.0, 1),
        "leavers:w2": (0.5, 2),
        "leavers:never": (0.0, 1),
        "joiners:w2": (0.0, 1),
        "joiners:never": (0.5, 2),
    }


def frame(ratings):
    """respondent, rater, target, wave of each rating."""
    columns = np.array(ratings).T
    names = ("respondent_of_rating", "rater_of_rating", "target_of_rating", "wave_of_rating")
    n = int(columns[0].max()) + 1
    waves = tuple(range(int(columns[3].max()) + 1))
    return SimpleNamespace(
        **dict(zip(names, columns)), respondents=tuple(range(n)), waves=waves, units=tuple(range(3))
    )


def test_a_missing_share_counts_those_who_rated_before_and_left():
    """Unit 1 starts in wave 2. Of three who rated it before, one stayed, one left, and one is there but did
    not rate it again; somebody new did."""
    ratings = [(0, 0, 1, 0), (1, 0, 1, 0), (2, 0, 1, 0), (0, 0, 1, 1), (3, 0, 1, 1)]
    ratings += [(2, 0, 2, 0), (2, 0, 2, 1), (1, 0, 2, 0)]
    world, made = exposure([2, 1, 2], 2), frame(ratings)
    rows = rows_of(world, lambda rows: 0.0 * rows["wave"], [(0, 1), (0, 2)])
    share = missing_share(exposed_by(world, frame=made), panel_of(made), rows)
    # One who left beside two who rated; nothing is missing where nobody is exposed.
    assert dict(zip(zip(rows["target"], rows["wave"]), share)) == pytest.approx(
        {(1, 0): 0, (1, 1): 1 / 3, (2, 0): 0, (2, 1): 0}
    )


def case(mean):
    world = exposure([1, 1, 1, 1, 2, 2, 2, 2, 2, 2], 2)
    rows = rows_of(world, lambda rows: mean(rows) + noise(rows, 1, 0.2))
    found = case_with(rows, world)
    instrument = load_instrument("relational_capacity")
    return replace(found, exposed=exposed_by(world, own=False, frame=SimpleNamespace(instrument=instrument)))


def test_at_the_tipping_point_the_interval_reaches_zero():
    effect = case(lambda rows: 0.5 * (rows["kind"] != ""))
    missing = np.where(effect.rows["kind"] != "", 0.25, 0.0)
    found = pd.DataFrame(tipping_rows(effect, missing)).set_index(["estimand", "quantity"])
    for estimand in ("rater_end", "target_end", "both_ends"):
        assert found.loc[(estimand, "missing_share"), "value"] == pytest.approx(0.25)
        point = found.loc[(estimand, "tipping_point"), "value"]
        rows = effect.rows.assign(**{Y: effect.rows[Y] - point * missing})
        assert point > 0
        again = pd.DataFrame(tipping_rows(replace(effect, rows=rows), missing))
        of = again[(again["estimand"] == estimand) & (again["quantity"] == "tipping_point")].iloc[0]
        # Rounding may leave the limit at either side of 0.
        assert of["value"] == pytest.approx(0, abs=1e-9)


def test_of_a_negative_effect_those_who_left_would_have_to_rate_higher():
    effect = case(lambda rows: -0.5 * (rows["kind"] != ""))
    found = pd.DataFrame(tipping_rows(effect, np.where(effect.rows["kind"] != "", 0.5, 0.0)))
    assert (found.loc[found["quantity"] == "tipping_point", "value"] < 0).all()


def test_an_effect_that_is_none_needs_no_tipping_and_one_without_leavers_has_none():
    none = case(lambda rows: 0 * rows["wave"])
    found = pd.DataFrame(tipping_rows(none, np.full(len(none.rows), 0.1)))
    point = found[found["quantity"] == "tipping_point"].set_index("estimand")
    assert point.loc["target_end", ["value", "note"]].tolist() == [0, notes.INCLUDES_ZERO]
    sure = case(lambda rows: 0.5 * (rows["kind"] != ""))
    found = pd.DataFrame(tipping_rows(sure, np.zeros(len(sure.rows))))
    point = found[found["quantity"] == "tipping_point"].set_index("estimand")
    assert set(point["note"]) == {notes.NOBODY_LEFT}


def test_more_points_than_the_scale_has_are_noted():
    sure = case(lambda rows: 2.0 * (rows["kind"] != ""))
    found = pd.DataFrame(tipping_rows(sure, np.where(sure.rows["kind"] != "", 0.1, 0.0)))
    point = found[found["quantity"] == "tipping_point"].set_index("estimand")
    assert set(point["note"]) == {notes.BEYOND_SCALE}


@pytest.fixture(scope="module")
def exposed():
    """Lenient people answer less often, so that who stays differs from who leaves."""
    survey = simulated(
        {},
        n_units=20,
        n_respondents=400,
        n_waves=2,
        nonresponse={"unit": 0.4, "leniency": -0.6, "persistence": 0.3},
    )
    return ProgrammeEffect(programme="P", assignment="observational").exposed(survey)


def test_weighted_stayers_look_like_all_who_answered_first(exposed):
    """Weights are fitted to four facts, of which the mean answer is one: stayers' weighted mean comes closer
    to that of everybody in the first wave than their plain mean does."""
    panel = panel_of(exposed.frame)
    weights = staying_weights(exposed, panel)
    assert (weights[panel.stayers] > 1).all()
    assert not weights[~panel.stayers].any()
    # Those in the first wave, roughly.
    assert weights.sum() == pytest.approx(panel.baseline.sum(), rel=0.03)
    frame = exposed.frame
    first = frame.wave_of_rating[frame.rating_of_response] == 0
    people = frame.respondent_of_rating[frame.rating_of_response][first]
    mean = pd.Series(frame.answer[first]).groupby(people).mean()

    def of(weight):
        return float(np.average(mean, weights=weight[mean.index]))

    everybody, stayers, weighted = of(panel.baseline), of(panel.stayers), of(weights)
    assert stayers < everybody - 0.02
    assert abs(weighted - everybody) < 0.3 * abs(stayers - everybody)


def test_answers_of_weight_zero_are_left_out_of_means(exposed):
    frame = exposed.frame
    panel = panel_of(frame)
    rows = relation_waves(exposed, weight_of_respondent=panel.stayers.astype(float))
    kept = panel.stayers[frame.respondent_of_rating]
    code = frame.rater_of_rating * len(frame.units) + frame.target_of_rating
    assert set(zip(rows["relation"], rows["wave"])) == set(zip(code[kept], frame.wave_of_rating[kept]))
