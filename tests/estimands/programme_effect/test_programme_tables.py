"""The tables of comparisons, weights and threats of simulated surveys."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.data import Survey
from relcap_models.estimands.programme_effect import notes as codes
from relcap_models.estimands.programme_effect import (
    programme_comparison_table,
    programme_threat_table,
    programme_weight_table,
)
from relcap_models.estimands.programme_effect.comparisons.averages import simple
from relcap_models.estimands.programme_effect.comparisons.saturated import saturated
from relcap_models.estimands.programme_effect.comparisons.tables import COLUMNS, WEIGHTS
from relcap_models.estimands.programme_effect.threats import COLUMNS as THREATS
from relcap_models.estimands.programme_effect.threats.case import case_of
from relcap_models.models import ProgrammeEffect
from tests.estimands.programme_effect.panels import simulated

EFFECTS = {"on_target": 0.9, "on_perceiver": 0.4, "on_both": 0.3}


def model(**options) -> ProgrammeEffect:
    return ProgrammeEffect(id="training", programme="P", assignment="randomised", **options)


@pytest.fixture(scope="module")
def staggered() -> Survey:
    return simulated(
        {"starts": ["w2", "w3"], **EFFECTS},
        n_units=24,
        n_respondents=300,
        n_waves=3,
        instruments=("relational_capacity", "psychological_safety"),
    )


@pytest.fixture(scope="module")
def comparisons(staggered) -> pd.DataFrame:
    return programme_comparison_table(model(), staggered, ci_prob=0.9, seed=1)


@pytest.fixture(scope="module")
def threats(staggered) -> pd.DataFrame:
    declared = model(placebo=("psychological_safety",), chosen="lowest")
    return programme_threat_table(declared, staggered, ci_prob=0.9, seed=1)


def test_comparisons_have_their_columns_methods_and_aggregates(comparisons):
    assert list(comparisons.columns) == COLUMNS
    assert set(comparisons["method"]) == {"dyadic", "att_gt", "two_way", "randomisation"}
    assert set(comparisons["aggregate"]) == {"cell", "simple", "group", "dynamic", "calendar"}
    assert set(comparisons["analysis"]) == {"training"}
    assert set(comparisons["ci_prob"]) == {0.9}
    keys = ["method", "estimand", "aggregate", "group", "time", "dimension"]
    assert not comparisons.duplicated(keys).any()
    assert not comparisons[[*keys, "note"]].isna().any().any()


def test_groups_and_times_are_those_of_the_table_of_effects(comparisons):
    rows = comparisons[(comparisons["method"] == "dyadic") & (comparisons["estimand"] == "target_end")]
    places = {(r.aggregate, r.group, r.time) for r in rows.itertuples()}
    assert places == {
        *(("cell", "w2", "w2"), ("cell", "w2", "w3"), ("cell", "w3", "w3")),
        *(("simple", "", ""), ("group", "w2", ""), ("group", "w3", "")),
        *(("dynamic", "", "-2"), ("dynamic", "", "0"), ("dynamic", "", "1")),
        *(("calendar", "", "w2"), ("calendar", "", "w3")),
    }
    of_others = comparisons[(comparisons["method"] == "att_gt") & (comparisons["estimand"] == "target_end")]
    assert {(r.aggregate, r.group, r.time) for r in of_others.itertuples()} == places


def test_how_the_trained_are_seen_is_found_by_every_method(comparisons):
    rows = comparisons[(comparisons["estimand"] == "target_end") & (comparisons["aggregate"] == "simple")]
    assert (rows["lower"] > 0).all()
    assert (rows["p"] < 0.1).all()
    inside = rows["estimate"].between(rows["lower"], rows["upper"])
    assert inside.all()


def test_simple_is_the_mean_of_cells_over_relations_in_waves(comparisons):
    rows = comparisons[(comparisons["method"] == "dyadic") & (comparisons["estimand"] == "both_ends")]
    cells = rows[rows["aggregate"] == "cell"]
    simple = rows.loc[rows["aggregate"] == "simple", "estimate"].item()
    assert np.average(cells["estimate"], weights=cells["n_relations"]) == pytest.approx(simple)


def test_weights_add_up_to_the_two_way_estimate(staggered, comparisons):
    weights = programme_weight_table(model(), staggered)
    assert list(weights.columns) == WEIGHTS
    two_way = comparisons[comparisons["method"] == "two_way"].set_index("estimand")["estimate"]
    for estimand, rows in weights.groupby("estimand"):
        assert rows["weight"].sum() == pytest.approx(1)
        assert (rows["weight"] * rows["estimate"]).sum() == pytest.approx(two_way[estimand])
    assert {"treated_never", "earlier_later", "later_earlier"} == set(weights["comparison"])
    assert weights["note"].str.startswith(codes.INCOMPLETE).all()


def test_threats_have_their_columns_and_begin_with_the_effects(threats, comparisons):
    assert list(threats.columns) == THREATS
    first = threats[threats["threat"] == "none"].set_index("estimand")
    assert threats["threat"].iloc[0] == "none"
    same = comparisons[(comparisons["method"] == "dyadic") & (comparisons["aggregate"] == "simple")]
    for row in same.itertuples():
        assert first.loc[row.estimand, ["value", "lower", "upper"]].tolist() == pytest.approx(
            [row.estimate, row.lower, row.upper]
        )


def test_every_threat_has_rows_and_blanks_say_why(threats):
    assert list(dict.fromkeys(threats["threat"])) == [
        "none",
        "pre_trends",
        "placebo_start",
        "placebo_outcome",
        "anticipation",
        "response_shift",
        "dropout",
        "contamination",
        "leave_one_out",
        "regression_to_the_mean",
    ]
    blank = threats["value"].isna() & threats["lower"].isna()
    assert (threats.loc[blank, "note"] != "").all()
    known = {value for name, value in vars(codes).items() if name.isupper()}
    for cell in threats["note"]:
        assert {code.split(":")[0] for code in cell.split(";") if code} <= known


def test_the_placebo_outcome_is_about_the_own_unit_and_does_not_move(threats):
    (row,) = threats[threats["threat"] == "placebo_outcome"].to_dict("records")
    assert (row["variant"], row["estimand"]) == ("psychological_safety", "both_ends")
    assert row["lower"] < 0 < row["upper"]


def test_comparisons_with_many_partners_in_the_programme_are_left_out(staggered, threats):
    case = case_of(model(), staggered, ci_prob=0.9, seed=1)
    start = dict(zip(case.exposed.exposure.units, case.exposed.exposure.start))
    named = staggered.nominations.astype(str)
    named = named[named["rater_unit"] != named["target_unit"]]
    pairs = set(zip(named["rater_unit"], named["target_unit"]))
    partners = {u: {b for a, b in pairs if a == u} | {a for a, b in pairs if b == u} for u in start}

    def share(unit: int, wave: int) -> float:
        of = partners[case.exposed.exposure.units[unit]]
        return float(np.mean([start[p] <= wave for p in of]))

    rows = case.rows
    most = np.array([max(share(r.rater, r.wave), share(r.target, r.wave)) for r in rows.itertuples()])
    compared = (rows["estimand"] == "") & (rows["wave"] > 0)
    found = threats[threats["threat"] == "contamination"].set_index(["variant", "quantity"])
    for variant in ("0.25", "0.5", "0.75"):
        near = most >= float(variant) - 1e-9
        left = found.loc[(variant, "comparison_share")]
        assert left["value"].item() == pytest.approx((~near[compared]).mean())
        assert left["n"].item() == compared.sum()
        regression = saturated(rows[~near | (rows["estimand"] != "")], outcome="pooled")
        effects = {a.estimand: float(a.weights @ regression.estimate) for a in simple(regression)}
        table = found.loc[(variant, "effect")].set_index("estimand")["value"]
        assert table.to_dict() == pytest.approx({e: effects[e] for e in table.index})
    assert found.loc[("0.5", "comparison_share"), "value"].item() < 1


def test_leaving_a_unit_out_brackets_the_effect(threats):
    effect = threats[threats["threat"] == "none"].set_index("estimand")["value"]
    out = threats[threats["threat"] == "leave_one_out"].set_index(["estimand", "variant"])
    for estimand in ("rater_end", "target_end", "both_ends"):
        lowest, highest = out.loc[(estimand, "lowest")], out.loc[(estimand, "highest")]
        assert lowest["value"] < effect[estimand] < highest["value"]
        assert lowest["note"].split(";")[-1].startswith(f"{codes.CLUSTER}:u")


def test_units_that_were_not_the_lowest_are_noted(threats):
    rows = threats[threats["threat"] == "regression_to_the_mean"].set_index(["variant", "quantity"])
    assert rows.loc[("observed", "gap_at_start"), "note"] == codes.NOT_LOWEST
    assert rows.loc[("simulated", "difference"), "value"] > 0


def test_ratings_are_reproduced_with_the_same_seed(staggered, threats):
    declared = model(placebo=("psychological_safety",), chosen="lowest")
    pd.testing.assert_frame_equal(
        programme_threat_table(declared, staggered, ci_prob=0.9, seed=1), threats, check_exact=True
    )


def test_units_that_rate_themselves_are_compared_as_units():
    survey = simulated(
        {"on_climate": 1.0},
        n_units=20,
        n_respondents=300,
        n_waves=2,
        instruments=("relational_capacity", "psychological_safety"),
    )
    own = model(instrument="psychological_safety", chosen="lowest")
    found = programme_comparison_table(own, survey, ci_prob=0.9, seed=1)
    assert set(found["estimand"]) == {"both_ends"}
    simple = found[found["aggregate"] == "simple"].set_index("method")["estimate"]
    # Two waves, all units seen in both: every method has the same difference in differences.
    assert set(simple.index) == {"dyadic", "att_gt", "two_way", "wild_bootstrap", "randomisation"}
    assert simple.to_numpy() == pytest.approx(simple.iloc[0])
    threat = programme_threat_table(own, survey, ci_prob=0.9, seed=1)
    (row,) = threat[threat["threat"] == "regression_to_the_mean"].to_dict("records")
    assert row["note"] == codes.OTHER_RATINGS


def test_districts_are_the_clusters_where_they_were_assigned():
    survey = simulated(
        {"level": "district", **EFFECTS},
        n_units=24,
        n_respondents=240,
        n_waves=2,
        organisation={"n_respondents": 240, "n_units": 24, "n_districts": 6, "size_sd": 0.0},
    )
    found = programme_comparison_table(model(), survey, ci_prob=0.9, seed=1)
    simple = found[(found["aggregate"] == "simple") & (found["method"] == "randomisation")]
    # Relations inside a district are exposed at both ends together.
    assert set(simple["estimand"]) == {"rater_end", "target_end", "both_ends"}
    assert (found["n_clusters"] < 7).all()
    assert (simple["n_units"] > simple["n_clusters"]).all()


def test_with_one_unit_in_the_programme_no_method_gives_an_error():
    survey = simulated({"share": 0.1, **EFFECTS}, n_units=10, n_respondents=100, n_waves=2)
    found = programme_comparison_table(model(), survey, ci_prob=0.9, seed=1)
    assert found[["se", "lower", "upper", "p"]].isna().all().all()
    assert found["note"].str.contains(codes.ONE_CLUSTER).all()
    assert found.loc[found["method"].isin(["dyadic", "two_way"]), "estimate"].notna().all()


def test_a_single_group_has_a_change_and_no_comparison():
    survey = simulated({"share": 1.0, **EFFECTS}, n_units=10, n_respondents=100, n_waves=3)
    found = programme_comparison_table(model(), survey, ci_prob=0.9, seed=1)
    assert set(zip(found["method"], found["estimand"])) == {("dyadic", "change")}
    assert programme_weight_table(model(), survey).empty
    threats = programme_threat_table(model(chosen="lowest"), survey, ci_prob=0.9, seed=1)
    said = threats.groupby("threat")["note"].agg(set)
    for threat in ("pre_trends", "placebo_start", "anticipation", "contamination", "regression_to_the_mean"):
        assert said[threat] == {codes.NO_COMPARISON}
