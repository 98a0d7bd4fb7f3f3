"""Tables count as reproduced when they are equal, or differ within Monte Carlo error."""

import json

import pandas as pd
import pytest

from relcap_models.errors import ConfigError
from relcap_models.study.tables import write_tables
from relcap_models.study.verify import compare_tables, verify_results


@pytest.fixture
def compare(tmp_path):
    def compared(before, after):
        for name, table in (("before", before), ("after", after)):
            (tmp_path / name).mkdir(exist_ok=True)
            write_tables({"scores": table}, tmp_path / name)
        return compare_tables(tmp_path / "before", tmp_path / "after")

    return compared


@pytest.fixture
def scores():
    return pd.DataFrame(
        {"unit": ["a", "b"], "mean": [3.0, None], "suppressed": [False, True], "mcse": [0.01, None]}
    )


def test_equal_tables_are_reproduced_without_a_word(compare, scores):
    assert compare(scores, scores) == (True, [])


@pytest.mark.parametrize(("shift", "reproduced"), [(0.05, True), (0.09, False)])
def test_means_may_differ_by_five_monte_carlo_standard_errors_of_the_difference(
    compare, scores, shift, reproduced
):
    # Monte Carlo errors of .01 each make one of .0141 for the difference; five of those are .0707.
    agrees, lines = compare(scores, scores.assign(mean=[3.0 + shift, None]))
    assert agrees is reproduced
    assert len(lines) == 1


def test_another_suppressed_row_is_not_reproduced(compare, scores):
    assert not compare(scores, scores.assign(suppressed=[True, True]))[0]


def test_a_figure_that_appears_where_none_was_is_not_reproduced(compare, scores):
    assert not compare(scores, scores.assign(mean=[3.0, 2.0]))[0]


def test_another_row_is_not_reproduced(compare, scores):
    assert not compare(scores, scores.iloc[:1])[0]


def test_a_table_that_is_missing_is_not_reproduced(tmp_path, compare, scores):
    compare(scores, scores)
    (tmp_path / "after" / "scores.csv").unlink()
    assert not compare_tables(tmp_path / "before", tmp_path / "after")[0]


WHOLE = {"status": "passed", "study": "..", "config": {}, "inputs": {}, "outputs": {}, "environment": {}}


@pytest.mark.parametrize(
    "manifest",
    [[], {}, 3, {"status": "passed"}, {"status": []}]
    + [{k: v for k, v in WHOLE.items() if k != key} for key in WHOLE]
    + [{**WHOLE, "inputs": []}],
)
def test_a_manifest_that_no_run_wrote_is_refused(tmp_path, manifest):
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ConfigError, match="that no run wrote"):
        verify_results(tmp_path)
