"""Every reference value is reproduced, or the reason why it is not stands beside it."""

import math

import numpy as np
import pandas as pd
import pytest

from tests.validation.reference.comparison import NOT_RUN, compare, markdown, rounded_up, summary, unexplained
from tests.validation.reference.entry import Entry, Tolerance, values
from tests.validation.reference.measured import BLOCK, put, read_table
from tests.validation.reference.registry import ENTRIES

COMPUTED = [entry for entry in ENTRIES if entry.figures is not None]
"""Those that need no sampling."""


@pytest.fixture(scope="module")
def rows_of(reference):
    """Rows of an entry, found once."""
    found = {}

    def rows(entry):
        if entry.id not in found:
            found[entry.id] = compare(entry, reference)
        return found[entry.id]

    return rows


@pytest.mark.parametrize("entry", COMPUTED, ids=lambda entry: entry.id)
def test_figures_are_those_of_other_software(entry, rows_of):
    rows = rows_of(entry)
    assert unexplained(rows).empty
    wrong = rows[rows["agrees"] == "False"]
    assert wrong.empty, wrong.to_string()


def test_every_reference_value_has_one_entry(reference):
    ids = [entry.id for entry in ENTRIES]
    assert len(ids) == len(set(ids))
    assert set(ids) == set(values(reference)["id"])


def test_reasons_are_given_for_something(reference):
    """A reason that explains no quantity is a leftover."""
    for entry in ENTRIES:
        quantities = values(reference).query("id == @entry.id")["quantity"]
        for pattern in entry.reasons:
            assert quantities.str.fullmatch(pattern).any(), (entry.id, pattern)


def test_no_tolerance_is_wider_than_researchers_expect():
    """Chi-squares within 1e-5 of themselves or .005, estimates within 1e-3."""
    for entry in COMPUTED:
        assert entry.tolerance.statistics <= 1e-5, entry.id
        assert entry.tolerance.figures <= 1e-3, entry.id
        assert entry.tolerance.least <= 0.005, entry.id
    widest = Tolerance(1e-5, 1e-3, 0.005)
    assert widest.of("fit:df", 10) == 0
    assert [widest.of("fit:chisq", x) for x in (8, 2000)] == pytest.approx([0.005, 0.02])
    assert [widest.of("fit:cfi", 0.5), widest.of("est:a", -2)] == pytest.approx([0.001, 0.002])


def test_the_readme_shows_the_measured_table(repository):
    (shown,) = BLOCK.findall((repository / "README.md").read_text(encoding="utf-8"))
    assert shown == markdown(read_table(repository), ENTRIES)
    assert len(shown.splitlines()) < 32


def test_the_measured_table_is_that_of_today(repository, rows_of):
    """The same rows and reasons; differences within ten times of those shown, for machines differ."""
    before = read_table(repository)
    for entry in ENTRIES:
        rows, known = rows_of(entry), before[before["id"] == entry.id]
        assert rows["quantity"].tolist() == known["quantity"].tolist(), entry.id
        assert rows["reason"].tolist() == known["reason"].replace(NOT_RUN, "").tolist(), entry.id
        if entry.figures is not None:
            assert rows["agrees"].tolist() == known["agrees"].tolist(), entry.id
    today = summary(pd.concat([rows_of(entry) for entry in COMPUTED]), COMPUTED)
    shown = summary(before, ENTRIES)
    shown = shown[shown["analysis"].isin(today["analysis"])]
    assert today["analysis"].tolist() == shown["analysis"].tolist()
    for now, then in zip(today["difference"], shown["difference"]):
        assert rounded_up(then) / 10 <= rounded_up(now) <= 10 * rounded_up(then)


@pytest.mark.validation
def test_the_table_is_written(repository, reference, environment):
    put(repository, reference, environment, *(compare(entry, reference) for entry in COMPUTED))
    assert len(read_table(repository)) == len(values(reference))


# A reference of three values, of which the last is explained away.
@pytest.fixture
def small(tmp_path):
    text = (
        "id,dataset,quantity,value,software\nx,d,fit:chisq,200,soft 1\nx,d,est:a,0.5,soft 1\nx,d,b,1,soft 1\n"
    )
    (tmp_path / "values.csv").write_text(text, encoding="utf-8")
    return tmp_path


def entry_of(reasons={"b": "why"}, **figures):  # noqa: B006
    return Entry("x", "X", lambda _: pd.Series(figures), Tolerance(1e-5, 1e-3), reasons)


def test_figures_are_judged_by_their_kind(small):
    rows = compare(entry_of(**{"fit:chisq": 200.0019, "est:a": 0.5009}), small)
    assert rows["agrees"].tolist() == ["True", "True", ""]
    assert rows["allowed"].tolist()[:2] == pytest.approx([0.002, 0.001])
    rows = compare(entry_of(**{"fit:chisq": 200.0021, "est:a": 0.5011}), small)
    assert rows["agrees"].tolist() == ["False", "False", ""]
    assert unexplained(rows).empty


def test_what_is_missing_explained_twice_or_unknown_is_found(small):
    assert unexplained(compare(entry_of(**{"est:a": 0.5}), small))["quantity"].tolist() == ["fit:chisq"]
    twice = compare(entry_of(**{"fit:chisq": 200.0, "est:a": 0.5, "b": 1.0}), small)
    assert unexplained(twice)["quantity"].tolist() == ["b"]
    with pytest.raises(LookupError, match="est:c"):
        compare(entry_of(**{"est:c": 1.0}), small)


def test_a_figure_that_is_not_a_number_does_not_agree(small):
    rows = compare(entry_of(**{"fit:chisq": np.nan, "est:a": 0.5}), small)
    assert unexplained(rows)["quantity"].tolist() == ["fit:chisq"]


def test_differences_are_rounded_up():
    assert [rounded_up(x) for x in (2.1e-6, 3e-6, 9.1e-5, 0.0)] == pytest.approx([3e-6, 3e-6, 1e-4, 1e-9])
    assert math.isnan(rounded_up(math.nan))
