"""Disclosure control of the tables about programmes."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.report.disclosure import Disclosure
from relcap_models.report.disclosure.programmes import hide_programmes

RULES = Disclosure()
FIGURES = {
    "programme_effects": ["mean", "lower", "n_relations"],
    "programme_relation_types": ["mean", "lower", "n_relations"],
    "programme_comparisons": ["estimate", "lower", "n_relations", "note"],
    "programme_weights": ["weight", "estimate"],
    "programme_threats": ["value", "lower", "p", "n", "note"],
}


def effects(*, few=(), components=("",), estimands=("target_end", "rater_end", "both_ends", "interaction")):
    """Four rows of each estimand. few : (estimand, aggregate, group) whose respondents are too few."""
    rows = [
        (estimand, aggregate, group, component)
        for estimand in estimands
        for component in components
        for aggregate, group in (("simple", ""), ("group", "w2"), ("group", "w3"), ("dynamic", ""))
    ]
    frame = pd.DataFrame(rows, columns=["estimand", "aggregate", "group", "component"])
    frame["n_respondents"] = [4 if (e, a, g) in few else 60 for e, a, g, _ in rows]
    return frame.assign(
        analysis="a", time="", scale="points", dimension="pooled", mean=0.3, lower=0.2, n_relations=12
    )


def comparisons():
    rows = [(e, a) for e in ("target_end", "rater_end", "interaction") for a in ("simple", "dynamic")]
    frame = pd.DataFrame(rows, columns=["estimand", "aggregate"])
    return frame.assign(analysis="a", method="dyadic", estimate=0.3, lower=0.2, n_relations=12, note="exact")


def weights():
    frame = pd.DataFrame({"estimand": ["target_end", "rater_end"], "comparison": "treated_never"})
    return frame.assign(analysis="a", weight=1.0, estimate=0.3)


def threats(*rows):
    names = ["threat", "variant", "estimand", "quantity", "value", "n", "note"]
    frame = pd.DataFrame(rows, columns=names).assign(analysis="a", lower=0.1, p=0.2)
    return frame.astype({"n": float})


PLAIN = threats(
    ("none", "", "target_end", "effect", 0.3, 12, ""),
    ("anticipation", "", "target_end", "effect", 0.3, 12, ""),
    ("none", "", "rater_end", "effect", 0.3, 12, ""),
    ("anticipation", "", "rater_end", "effect", 0.3, 12, ""),
)


def hide(name, *, some_small=False, assigned="unit", **tables):
    found = {f"programme_{key}": table for key, table in tables.items()}
    found["programme_designs"] = pd.DataFrame({"analysis": ["a"], "assigned": [assigned]})
    return hide_programmes(f"programme_{name}", found, RULES, some_small=some_small)


def shown(public, name):
    """(row,) whether its figures are there; all of them are or none, and `suppressed` says which."""
    figures = public[FIGURES[f"programme_{name}"]].notna()
    assert figures.eq(~public["suppressed"], axis=0).all(axis=None)
    return (~public["suppressed"]).to_numpy()


def test_with_enough_respondents_everything_is_shown_and_the_input_stays():
    tables = {"effects": effects(), "comparisons": comparisons(), "weights": weights(), "threats": PLAIN}
    before = {name: table.copy() for name, table in tables.items()}
    for name in tables:
        assert shown(hide(name, **tables), name).all(), name
        pd.testing.assert_frame_equal(tables[name], before[name])


def test_a_small_cohort_takes_all_parts_of_its_effect_along_and_leaves_the_whole():
    public = hide("effects", effects=effects(few={("target_end", "group", "w3")}))
    here = public["estimand"] == "target_end"
    assert shown(public, "effects")[here].tolist() == [True, False, False, False]
    assert shown(public, "effects")[public["estimand"] == "rater_end"].all()
    # What it is about stays.
    assert public["aggregate"].tolist() == effects()["aggregate"].tolist()


def types(*, few=()):
    """By two types at either end. few : (estimand, rater type) whose respondents are too few."""
    rows = [(e, r, t) for e in ("target_end", "rater_end") for r in "xy" for t in "xy"]
    frame = pd.DataFrame(rows, columns=["estimand", "rater_type", "target_type"])
    frame["n_respondents"] = [4 if (e, r) in few else 60 for e, r, _ in rows]
    return frame.assign(analysis="a", scale="points", component="", mean=0.3, lower=0.2, n_relations=12)


def test_a_small_type_takes_all_types_of_its_effect_along():
    public = hide("relation_types", effects=effects(), relation_types=types(few={("target_end", "y")}))
    visible = shown(public, "relation_types")
    assert visible.tolist() == (public["estimand"] == "rater_end").tolist()
    assert public["target_type"].tolist() == types()["target_type"].tolist()
    whole = effects(few={("rater_end", "simple", "")})
    public = hide("relation_types", effects=whole, relation_types=types())
    assert shown(public, "relation_types").tolist() == (public["estimand"] == "target_end").tolist()


@pytest.mark.parametrize("end", ["target_end", "rater_end", "both_ends"])
def test_the_interaction_would_tell_the_part_of_an_end_and_goes_with_it(end):
    public = hide("effects", effects=effects(few={(end, "group", "w2")}))
    here = public["estimand"] == "interaction"
    assert shown(public, "effects")[here].tolist() == [True, False, False, False]
    public = hide("effects", effects=effects(few={(end, "simple", "")}))
    assert not shown(public, "effects")[public["estimand"].isin([end, "interaction"])].any()


def test_a_component_with_few_people_would_follow_from_the_others_and_the_whole():
    table = effects(components=("", "course", "coaching"), estimands=("target_end",))
    table.loc[table["component"] == "coaching", "n_respondents"] = 3
    public = hide("effects", effects=table)
    kept = public[~public["suppressed"]]
    assert kept[["aggregate", "component"]].to_numpy().tolist() == [["simple", ""]]


def test_simpler_methods_and_checks_follow_the_effects():
    few = effects(few={("target_end", "group", "w3")})
    public = hide("comparisons", effects=few, comparisons=comparisons())
    assert shown(public, "comparisons").tolist() == [True, False, True, True, True, False]
    public = hide("weights", effects=few, weights=weights())
    assert shown(public, "weights").tolist() == [False, True]
    public = hide("threats", effects=few, threats=PLAIN)
    assert shown(public, "threats").tolist() == [True, False, True, True]
    gone = effects(few={("target_end", "simple", "")})
    for name, table in (("comparisons", comparisons()), ("weights", weights()), ("threats", PLAIN)):
        public = hide(name, effects=gone, **{name: table})
        assert not shown(public, name)[public["estimand"] == "target_end"].any(), name


def test_a_method_that_keeps_few_relations_is_hidden():
    table = comparisons().assign(n_relations=[4, 12, 12, 12, 12, 12])
    public = hide("comparisons", effects=effects(), comparisons=table)
    assert shown(public, "comparisons").tolist() == [False, True, True, True, True, True]


@pytest.mark.parametrize(
    ("assigned", "some_small", "named"),
    [("district", False, True), ("district", True, False), ("unit", False, False), ("unit", True, False)],
)
def test_which_unit_was_left_out_is_not_told(assigned, some_small, named):
    table = threats(
        ("leave_one_out", "lowest", "target_end", "effect", 0.1, 3, "few_units;cluster:u07"),
        ("leave_one_out", "highest", "target_end", "effect", 0.4, 3, "cluster:u03"),
    )
    public = hide("threats", effects=effects(), threats=table, assigned=assigned, some_small=some_small)
    # Three districts are no three people.
    assert shown(public, "threats").all()
    assert public["note"].tolist() == (
        ["few_units;cluster:u07", "cluster:u03"] if named else ["few_units", ""]
    )


def dropout(value, n=40):
    return threats(
        ("none", "", "target_end", "effect", 0.3, 12, ""),
        ("dropout", "stayers:w2", "", "share", 1 - value, n, ""),
        ("dropout", "leavers:w2", "", "share", value, n, ""),
        ("dropout", "leavers:w3", "", "share", 0.5, 40, ""),
        ("dropout", "stayers", "target_end", "effect", 0.3, 12, ""),
        ("dropout", "", "target_end", "tipping_point", 0.8, 12, ""),
    )


@pytest.mark.parametrize(
    ("value", "n", "kept"),
    [
        # Eight of forty left; four did; nobody did; four were asked.
        (0.2, 40, [True, True, True, True, True, True]),
        (0.1, 40, [True, False, False, True, False, False]),
        (0.0, 40, [True, True, True, True, True, True]),
        (0.5, 4, [True, False, False, True, False, False]),
    ],
)
def test_few_who_left_are_not_counted_and_their_answers_do_not_follow_from_those_of_the_others(
    value, n, kept
):
    public = hide("threats", effects=effects(), threats=dropout(value, n))
    assert shown(public, "threats").tolist() == kept


def test_beside_a_small_unit_people_are_not_counted():
    public = hide("threats", effects=effects(), threats=dropout(0.2), some_small=True)
    assert public["n"].isna().tolist() == [False, True, True, True, False, False]
    assert public["value"].notna().all()
    exposure = pd.DataFrame({"analysis": ["a", "a"], "n_relations": [3, 20], "n_respondents": [3, 40]})
    open_ = hide("exposure", exposure=exposure)
    assert open_["n_respondents"].isna().tolist() == [True, False]
    assert hide("exposure", exposure=exposure, some_small=True)["n_respondents"].isna().all()
    assert open_["n_relations"].tolist() == [3, 20]


def test_a_hidden_part_cannot_be_worked_out_from_what_is_public():
    """Every public row is a weighted mean of cells, and no combination of them is the cell of few people."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        sizes = rng.integers(2, 30, 6)
        cells = np.eye(6)
        groups = np.array([cells[:3].T @ sizes[:3], cells[3:].T @ sizes[3:]]) / [
            [sizes[:3].sum()],
            [sizes[3:].sum()],
        ]
        whole = sizes / sizes.sum()
        rows = np.vstack([whole, groups, cells])
        people = np.concatenate([[sizes.sum()], [sizes[:3].sum(), sizes[3:].sum()], sizes])
        table = pd.DataFrame(
            {"aggregate": ["simple", *["group"] * 2, *["cell"] * 6], "n_respondents": people}
        )
        table = table.assign(analysis="a", estimand="target_end", component="", mean=0.1)
        public = hide("effects", effects=table.assign(lower=0.0, n_relations=9))
        known = rows[~public["suppressed"].to_numpy()]
        for cell, n in zip(cells, sizes, strict=True):
            told = np.linalg.matrix_rank(np.vstack([known, cell])) == np.linalg.matrix_rank(known)
            assert not (told and n < RULES.min_respondents_mean)
