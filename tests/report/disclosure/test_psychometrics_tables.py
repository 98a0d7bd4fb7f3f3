"""Disclosure control of the tables about instruments."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.report.disclosure.decide import Shown, Verdict
from relcap_models.report.disclosure.psychometrics import hide_psychometrics, items_shown

OPEN = {"rc": Verdict(items={"a", "b"})}


def rows(*, split=("survey", "wave", "layer"), item="a", **figures):
    """One row for each split, all of one item."""
    frame = pd.DataFrame(
        {"analysis": "p", "instrument": "rc", "split": list(split), "group": "", "item": item}
    )
    return frame.assign(dimension="d", **figures)


def hide(name, table, verdicts=OPEN, *, some_small=False, step=0.0):
    return hide_psychometrics(f"psychometrics_{name}", table, verdicts, some_small=some_small, step=step)


def test_what_an_item_was_answered_on_the_whole_and_in_a_wave_is_shown_and_in_a_layer_not():
    table = rows(n_ratings=400, n_respondents=90, mean=3.123, highest=0.4)
    public = hide("items", table)
    assert public["mean"].notna().tolist() == [True, True, False]
    assert public["n_ratings"].notna().tolist() == [True, True, False]
    assert public["item"].tolist() == ["a"] * 3
    shares = hide("shares", rows(category=5, share=0.4))
    assert shares["share"].notna().tolist() == [True, True, False]
    assert (shares["category"] == 5).all()


def test_loadings_of_a_layer_are_shown_and_thresholds_not_for_they_are_shares():
    for parameter, shown in (("loading", True), ("threshold_2", False)):
        public = hide("parameters", rows(parameter=parameter, estimate=0.7, se=0.02))
        assert public["estimate"].notna().tolist() == [True, True, shown]
        assert public["se"].notna().tolist() == [True, True, shown]


def test_an_item_whose_distribution_is_hidden_shows_nothing_anywhere():
    verdicts = {"rc": Verdict(items={"b"})}
    for name, figures in (
        ("items", {"mean": 3.1, "n_ratings": 400}),
        ("shares", {"category": 5, "share": 0.4}),
        ("parameters", {"parameter": "loading", "estimate": 0.7}),
        ("information", {"theta": 0.5, "information": 1.0}),
    ):
        public = hide(name, rows(**figures), verdicts)
        gone = [column for column in figures if column not in ("category", "parameter", "theta")]
        assert public[gone].isna().all().all(), name
    # A figure about several items stays.
    kept = hide("parameters", rows(item="", parameter="correlation", estimate=0.7), verdicts)
    assert kept["estimate"].notna().all()


def test_an_instrument_that_may_show_nothing_shows_nothing():
    verdicts = {"rc": Verdict(items={"a"}, whole=True)}
    frame = pd.DataFrame({"analysis": ["p"], "instrument": ["rc"], "across": ["wave"], "level": ["loadings"]})
    public = hide("invariance", frame.assign(groups="w1, w2", cfi=0.99, held=True), verdicts)
    assert public[["cfi", "held"]].isna().all().all()
    assert public["level"].tolist() == ["loadings"]


def test_how_a_layer_stands_on_the_whole_is_hidden_and_what_freed_items_change_is_not():
    frame = pd.DataFrame({"analysis": "p", "instrument": "rc", "across": ["wave", "layer", "language"]})
    frame = frame.assign(
        reference="f", group="g", dimension="d", items="a", equal=0.3, partial=0.1, impact=-0.2
    )
    public = hide("mean_impact", frame)
    assert public["equal"].notna().tolist() == [True, False, False]
    assert public["partial"].notna().tolist() == [True, False, False]
    assert public["impact"].notna().all()
    assert public["items"].tolist() == ["a"] * 3
    nothing = hide("mean_impact", frame, {"rc": Verdict(whole=True)})
    assert nothing[["equal", "partial", "impact"]].isna().all().all()


def test_items_that_a_layer_answers_in_its_own_way_are_shown_where_their_answers_are():
    frame = pd.DataFrame({"analysis": "p", "instrument": "rc", "across": "layer", "item": ["a", "c"]})
    figures = {"difference": 0.2, "lower": 0.1, "p_uniform": 0.01, "r2": 0.03}
    public = hide("dif", frame.assign(reference="employees", group="leaders", dimension="d", **figures))
    assert public[list(figures)].notna().all(axis=1).tolist() == [True, False]
    assert public[["reference", "group", "item"]].notna().all().all()


def test_beside_a_small_unit_counts_are_blank_and_shares_are_rounded():
    table = rows(n_ratings=400, n_respondents=90, mean=3.1234, highest=0.4321, item_rest=0.5123)
    public = hide("items", table, some_small=True, step=0.05)
    assert public[["n_ratings", "n_respondents"]].isna().all().all()
    np.testing.assert_allclose(public["mean"].dropna().astype(float), 3.10)
    np.testing.assert_allclose(public["highest"].dropna().astype(float), 0.45)
    np.testing.assert_allclose(public["item_rest"].dropna().astype(float), 0.5123)


@pytest.mark.parametrize(
    ("topic", "split", "told"),
    [
        ("merged", "wave", True),
        ("merged", "layer", False),
        ("said", "survey", False),
        ("not_estimated", "survey", False),
    ],
)
def test_notes_say_nothing_that_counts_people(topic, split, told):
    table = pd.DataFrame({"analysis": ["p"], "instrument": ["rc"], "split": [split], "group": ["x"]})
    table = table.assign(topic=topic, subject="a", detail="3 respondents")
    public = hide("notes", table)
    assert public["detail"].tolist() == ["3 respondents" if told else ""]
    assert public["topic"].tolist() == [topic]


def test_items_of_these_tables_are_weighed_like_those_of_others_and_the_input_stays():
    table = rows(mean=3.1)
    before = table.copy()
    shown: dict[str, Shown] = {}
    items_shown({"psychometrics_items": table}, shown)
    assert shown["rc"].items == {"a"}
    hide("items", table, some_small=True, step=0.1)
    pd.testing.assert_frame_equal(table, before)
