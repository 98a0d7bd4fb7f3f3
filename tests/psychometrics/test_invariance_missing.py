"""Measurement invariance with missing answers: lavaan's full information, and pairwise."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.errors import DataError
from relcap_models.psychometrics import invariance
from tests.psychometrics.invariance_models import HOLZINGER, NAMES


def test_missing_answers_of_continuous_items_are_used(data_of):
    """cfa(..., missing = "ml", estimator = "MLR", std.lv = TRUE) by level, and lavTestLRT; lavaan 0.6-14."""
    data = data_of("lavaan_hs1939")
    row = np.arange(1, len(data) + 1)
    for j in range(1, 10):
        data.loc[((7 * row + 3 * j) % 10 == 0) & (row % 4 > 0), f"x{j}"] = np.nan
    found = invariance(HOLZINGER, data, group="school", missing="fiml")
    expected = [
        [101.895, 48, 107.174, 0.922, 0.091, 0.069],
        [110.091, 54, 111.944, 0.923, 0.084, 0.075],
        [144.886, 60, 146.398, 0.886, 0.098, 0.086],
        [162.493, 69, 162.758, 0.876, 0.095, 0.090],
    ]
    np.testing.assert_allclose(found.table[NAMES], expected, atol=6e-4)
    np.testing.assert_allclose(found.table["diff.chisq"][1:], [6.583037, 33.275136, 16.667523], rtol=1e-5)
    np.testing.assert_allclose(found.table["diff.pvalue"][1:], [0.361133, 9.2819e-06, 0.054184], rtol=1e-4)
    means = found.fits["intercepts"].parameters.query("op == '~1' and group == 2 and se > 0")
    means = means.set_index("lhs").loc[["visual", "textual", "speed"]]
    np.testing.assert_allclose(means["est"], [-0.137, 0.628, -0.307], atol=6e-4)
    np.testing.assert_allclose(means["se"], [0.155, 0.138, 0.163], atol=6e-4)
    assert all(result.n == 301 for result in found.fits.values())


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda x: x, {"missing": "both"}, "`missing` is 'listwise', 'pairwise' or 'fiml'"),
        (lambda x: x, {"missing": "pairwise"}, "there are none: use missing=.fiml"),
        (
            lambda x: x.assign(x1=(x["x1"] > 5) * 1),
            {"missing": "fiml", "ordered": ["x1"]},
            "knows no ordered items .x1.: use missing=.pairwise",
        ),
        (lambda x: x.head(0), {}, "`data` has no rows"),
        (lambda x: x.head(0), {"missing": "fiml"}, "`data` has no rows"),
    ],
)
def test_what_missing_cannot_be_is_said(data_of, change, options, message):
    data = change(data_of("lavaan_hs1939")[["x1", "x2", "x3", "school"]])
    with pytest.raises(DataError, match=message):
        invariance("f =~ x1 + x2 + x3", data, group="school", **options)


def test_ordered_items_with_missing_answers_pair_by_pair(data_of):
    """measEq.syntax(missing = "pairwise") by level, lavTestLRT (satorra.2000, delta); lavaan 0.6-14."""
    data = data_of("multilevel_lq2002")
    items = [f"HOSTIL0{j}" for j in range(1, 6)]
    row = np.arange(1, len(data) + 1)
    for j, item in enumerate(items, start=1):
        data.loc[(7 * row + 3 * j) % 10 == 0, item] = np.nan
    data["side"] = np.where(data["COMPID"] % 2 == 0, "even", "odd")
    found = invariance(f"h =~ {' + '.join(items)}", data, ordered=True, group="side", missing="pairwise")
    expected = {
        "chisq": [198.2552514506, 199.8917077722, 204.0468378045, 206.2868081357, 211.6061252245],
        "chisq.scaled": [330.5727322211, 419.9405479493, 376.2991689432, 294.6107339611, 290.8762995732],
        "diff.chisq": [np.nan, 6.05554877, 5.38998448, 1.98266845, 7.07362263],
    }
    np.testing.assert_allclose(found.table[list(expected)], pd.DataFrame(expected), rtol=1e-6)


def test_an_item_that_a_group_was_not_asked_is_named(data_of):
    data = data_of("multilevel_lq2002")
    data["side"] = np.where(data["COMPID"] % 2 == 0, "even", "odd")
    data.loc[data["side"] == "odd", "HOSTIL02"] = np.nan
    model, options = "h =~ HOSTIL01 + HOSTIL02 + HOSTIL03", {"ordered": True, "group": "side"}
    with pytest.raises(DataError, match=r"in group 'odd' answered every item, fewest HOSTIL02: .*pairwise"):
        invariance(model, data, **options)
    with pytest.raises(DataError, match=r"'HOSTIL02': was answered by nobody in group 'odd'"):
        invariance(model, data, missing="pairwise", **options)
