"""What two-level models cannot be estimated from, and what is said of it."""

import re

import numpy as np
import pandas as pd
import pytest

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics import cfa, compare
from tests.psychometrics.two_level_models import ONE, simulated


@pytest.fixture(scope="module")
def data():
    return simulated(1)


SINGLE = pd.DataFrame({"y1": [1.0, 2, 4, 3], "y2": [2.0, 1, 3, 5], "cluster": [1, 2, 3, 4]})
PAIR = "level: 1\ny1 ~~ y2\nlevel: 2\ny1 ~~ y2"


@pytest.mark.parametrize(
    ("model", "change", "options", "said"),
    [
        (ONE, {}, {"cluster": None}, "`cluster`"),
        (ONE, {}, {"cluster": "clustr"}, "Nearest: cluster"),
        (ONE, {}, {"cluster": [1, 2]}, "2 values"),
        (ONE, {}, {"ordered": ["y1"]}, "Ordered items"),
        (ONE, {}, {"missing": "fiml"}, "complete answers"),
        (ONE, {}, {"estimator": "MLM"}, "ML, MLR"),
        (ONE, {"cluster": None}, {}, "missing for"),
        (ONE, {"cluster": 1}, {}, "two clusters or more"),
        (ONE + "fb2 =~ v", {"v": "moves"}, {}, "'v': is at level 2 alone, and varies within clusters"),
        (ONE + "w ~ f", {"w": 3.0}, {}, "everybody"),
        ("level: 1\ny1 ~ w\nlevel: 2\ny1 ~~ y1", {}, {}, "'w': is at level 1, and does not vary within"),
        ("level: 1\nf =~ y1 + y2 + y3", {}, {}, "only one of two levels"),
        ("level: 1\ny1~~y2\nlevel: 3\ny1~~y2", {}, {}, "within and between"),
        ("y1 ~~ y2\n" + PAIR, {}, {}, "stands in no level"),
        ("level: 1\nf =~ y1 + y2\nlevel: 2\nf =~ y1 + y2", {"f": 1.0}, {}, "rename the factor"),
    ],
)
def test_what_cannot_be_read_is_said(data, model, change, options, said):
    values = {k: np.arange(len(data)) if v == "moves" else v for k, v in change.items()}
    with pytest.raises(DataError, match=re.escape(said)):
        cfa(model, data.assign(**values), **({"cluster": "cluster"} | options))


def test_clusters_of_one_and_clusters_in_two_groups_are_refused(data):
    with pytest.raises(DataError, match="one respondent only"):
        cfa(PAIR, SINGLE, cluster="cluster")
    torn = data.assign(half=np.where(np.arange(len(data)) % 2, "a", "b"))
    with pytest.raises(DataError, match="in several groups"):
        cfa(ONE, torn, cluster="cluster", group="half")


def test_variables_that_determine_one_another_are_named(data):
    with pytest.raises(DataError, match="y1, y2, sum determine one another"):
        cfa("level: 1\ny1 ~~ y2 + sum\nlevel: 2\ny1 ~~ y1", data.eval("sum = y1 + y2"), cluster="cluster")
    with pytest.raises(DataError, match="w, twice determine one another"):
        cfa("level: 1\ny1 ~~ y1\nlevel: 2\ny1 ~ w + twice", data.eval("twice = 2 * w"), cluster="cluster")


def test_that_clusters_hardly_differ_is_said(data):
    # Respondents stand in random order, so that these clusters are noise.
    result = cfa(ONE, data, cluster=np.arange(len(data)) // 8)
    assert any("hardly differ between them" in note for note in result.notes)
    assert any("at level 2 is negative" in note for note in result.notes)


def test_what_is_not_identified_is_said(data):
    with pytest.raises(FitError, match="not identified"):
        cfa("level: 1\nf =~ y1 + y2\nlevel: 2\ny1 ~~ y2", data, cluster="cluster")
    with pytest.raises(FitError, match=r"level 2"):
        cfa(ONE.replace("level: 2\nf =~ y1", "level: 2\nf =~ NA*y1"), data, cluster="cluster")


def test_one_level_has_no_intraclass_correlation(data):
    with pytest.raises(DataError, match="two-level"):
        _ = cfa("f =~ y1 + y2 + y3 + y4", data).icc
    with pytest.raises(DataError, match="different clusters"):
        compare(cfa("f =~ y1 + y2 + y3 + y4", data), cfa(ONE, data, cluster="cluster"))
