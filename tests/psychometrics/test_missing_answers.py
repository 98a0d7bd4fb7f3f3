"""Errors where many answers are missing name them, and the way on where there is one."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics import cfa, invariance, sam

MODEL = "f =~ a1 + a2 + a3\ng =~ b1 + b2 + b3\ng ~ f"
ITEMS = ["a1", "a2", "a3", "b1", "b2", "b3"]


@pytest.fixture(scope="module")
def whole():
    rng = np.random.default_rng(4)
    f = rng.normal(size=(120, 1))
    g = 0.5 * f + rng.normal(size=(120, 1))
    values = np.hstack([f + rng.normal(size=(120, 3)), g + rng.normal(size=(120, 3))])
    return pd.DataFrame(values, columns=ITEMS).assign(group=["x", "y"] * 60)


def _with_holes(data, share):
    holes = np.random.default_rng(5).random((len(data), 6)) < share
    return data.assign(**data[ITEMS].mask(holes))


@pytest.mark.parametrize(
    "fit",
    [
        lambda data: cfa(MODEL, data),
        lambda data: cfa(MODEL, data, group="group"),
        lambda data: sam(MODEL, data),
        lambda data: invariance("f =~ a1 + a2 + a3\ng =~ b1 + b2 + b3", data, group="group"),
    ],
    ids=["cfa", "groups", "sam", "invariance"],
)
def test_few_who_answered_everything_are_named_with_the_way_on(whole, fit):
    data = _with_holes(whole, 0.6)
    left_out = data[ITEMS].isna().any(axis=1).sum()
    with pytest.raises(DataError, match=f"too few.*{left_out} of 120 respondents have missing answers.*fiml"):
        fit(data)


def test_the_way_on_leads_on(whole):
    data = _with_holes(whole, 0.5)
    with pytest.raises(DataError, match="fiml"):
        cfa(MODEL, data)
    assert cfa(MODEL, data, missing="fiml").n > 100


def test_more_variables_than_complete_respondents_are_put_down_to_missing_answers(whole):
    data = whole.copy()
    data.loc[5:, "a1"] = np.nan
    with pytest.raises(DataError, match=r"5 respondents are too few for 6 variables.*115 of 120.*fiml"):
        cfa(MODEL, data)


def test_ordered_items_are_pointed_to_pairs(whole):
    """Nobody who answered everything chose the last category of b1."""
    data = whole.assign(**whole[ITEMS].apply(lambda x: np.digitize(x, [-1.0, 0.0, 1.0])))
    data["a1"] = data["a1"].mask((data["b1"] == 3) | (data.index % 2 == 0))
    with pytest.raises(DataError, match=r"were left out: missing=.pairwise(.|\n)*nobody"):
        cfa(MODEL, data, ordered=True)
    assert cfa(MODEL, data, ordered=True, missing="pairwise").n == 120


def test_an_error_without_missing_answers_does_not_speak_of_them(whole):
    with pytest.raises(DataError) as raised:
        cfa(MODEL, whole.head(2))
    assert str(raised.value) == "2 respondents can be used, which is too few"
    with pytest.raises(FitError) as raised:
        cfa("f =~ a1 + a2", whole)
    assert "missing" not in str(raised.value)


def test_all_answers_that_do_not_suffice_are_named(whole):
    data = _with_holes(whole, 0.5).head(14)
    with pytest.raises((FitError, DataError), match=r"answers are missing|answered both"):
        cfa("f =~ a1 + a2 + a3 + b1 + b2 + b3\na1 ~~ a2\na1 ~~ b1", data, missing="fiml")
