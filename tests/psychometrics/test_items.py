"""What cannot be used is said by name, all at once."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.errors import DataError
from relcap_models.psychometrics.items import read_groups, read_items, read_ordinal


def test_every_item_that_cannot_be_used_is_named():
    frame = pd.DataFrame(
        {"a": [1, 2, 3], "b": ["x", "2", "3"], "c": [None] * 3, "d": [2, 2, 2], "e": [1.0, np.inf, 2.0]}
    )
    with pytest.raises(DataError) as caught:
        read_items(frame)
    assert [problem.column for problem in caught.value.problems] == ["b", "c", "d", "e"]
    assert "'x'" in str(caught.value)


def test_missing_answers_are_kept_and_left_out_listwise():
    read = read_items(
        pd.DataFrame({"a": pd.array([1, 2, 3, None], dtype="Int64"), "b": [1.0, np.nan, 2.0, 5.0]})
    )
    assert read.answered.sum() == 6
    assert read.listwise().values.tolist() == [[1.0, 1.0], [3.0, 2.0]]


def test_nobody_left_is_said():
    with pytest.raises(DataError, match="'b' has the fewest"):
        read_items(pd.DataFrame({"a": [1, 2, 3], "b": [np.nan, np.nan, 2.0]}), constant=True).listwise()


def test_categories_are_the_answers_that_occur():
    ordered = pd.Categorical(["low", "high", None, "low"], categories=["low", "middle", "high"], ordered=True)
    read = read_ordinal(pd.DataFrame({"a": [5, 1, 3, np.nan], "b": ordered}))
    assert read.codes.tolist() == [[2, 0], [0, 1], [1, -1], [-1, 0]]
    assert read.categories[0].tolist() == [1.0, 3.0, 5.0]
    assert len(read.categories[1]) == 2
    assert read.listwise().codes.tolist() == [[1, 0], [0, 1]]


def test_groups_are_checked():
    codes, names = read_groups(["x", "y", "x"], 3)
    assert codes.tolist() == [0, 1, 0]
    assert names == ("x", "y")
    with pytest.raises(DataError, match="2 values for 3"):
        read_groups(["x", "y"], 3)
    with pytest.raises(DataError, match="missing for 1"):
        read_groups(["x", None, "y"], 3)
