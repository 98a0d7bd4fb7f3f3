"""Names and ids survive unchanged from the tables to the report and the CSV tables; nothing of them runs."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.edge.conftest import HIGHEST, HOSTILE, HOSTILE_ITEMS
from tests.edge.organisations import Page, estimates, public_table, raw_cells


@pytest.fixture(scope="module")
def page(hostile):
    return Page(hostile.report)


@pytest.mark.parametrize("name", HOSTILE.values())
def test_the_report_shows_the_name_as_it_was_given(page, name):
    assert name in page.shown_cells


@pytest.mark.parametrize("text", HOSTILE_ITEMS.values())
def test_the_report_shows_the_wording_of_items_as_it_was_given(page, text):
    assert text in page.text


def test_the_title_of_the_study_is_text(page):
    assert 'Samarbejde <i>på tværs</i> & "imellem" 🙂' in page.texts


def test_nothing_in_a_name_executes(page):
    assert [name for name, _ in page.tags].count("script") == 1, "only the report's own script"
    attributes = [(key, value or "") for _, found in page.tags for key, value in found.items()]
    assert not [key for key, _ in attributes if key.startswith("on")]
    assert not [value for _, value in attributes if "javascript:" in value.lower()]
    policy = next(found["content"] for name, found in page.tags if name == "meta" and "http-equiv" in found)
    assert "script-src 'sha256-" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


@pytest.mark.parametrize(
    "table", ["relation_scores", "perception_gaps", "unit_scores", "changes", "item_profiles"]
)
def test_ids_are_the_same_in_every_csv_table(hostile, table):
    columns = [
        c
        for c in ("rater_unit", "target_unit", "unit", "unit_a", "unit_b")
        if c in public_table(hostile.folder, table)
    ]
    for read in (public_table, estimates):
        found = read(hostile.folder, table)
        assert set(found[columns].stack()) - {""} == set(HOSTILE)
    path = hostile.folder / "public" / "tables" / f"{table}.csv"
    assert set(HOSTILE) <= raw_cells(path), "another reader of CSV sees the same"
    assert not path.read_bytes().startswith(b"\xef\xbb\xbf")


def test_pandas_reads_figures_as_numbers(hostile):
    table = pd.read_csv(hostile.folder / "public" / "tables" / "relation_scores.csv", keep_default_na=True)
    assert all(pd.api.types.is_float_dtype(table[c]) for c in ("mean", "sd", "lower", "upper", "naive_mean"))


def test_items_with_different_numbers_of_categories_stay_on_their_own_scales(hostile):
    profiles = estimates(hostile.folder, "item_profiles")
    parameters = estimates(hostile.folder, "item_parameters")
    distributions = estimates(hostile.folder, "item_distributions")
    for item, highest in HIGHEST.items():
        means = profiles.loc[profiles["item"] == item, "mean"].astype(float)
        assert means.between(1, highest).all()
        assert set(distributions.loc[distributions["item"] == item, "category"]) == {
            str(point) for point in range(1, highest + 1)
        }
        thresholds = parameters.query("item == @item")["parameter"].str.contains("threshold").sum()
        assert thresholds == highest - 1
    assert profiles.loc[profiles["item"] == "i3", "mean"].astype(float).max() > 4


def test_the_wave_with_nominations_tells_asynchronous_relations(hostile):
    found = estimates(hostile.folder, "relation_scores").set_index("wave")["asynchronous"]
    assert set(found["efter"]) == {"true"}
    assert set(found["før"]) == {""}
