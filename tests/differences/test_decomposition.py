"""The decomposition of two-way fixed effects: it adds up, and its parts are differences of means."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from relcap_models.differences import goodman_bacon
from relcap_models.errors import DataError
from tests.differences.conftest import COLUMNS, panel


def by_regression(data: pd.DataFrame) -> float:
    first = data["time"].min()
    start = data["start"].where(data["start"] != 0, np.inf).clip(lower=first)
    data = data.assign(d=(data["time"] >= start).astype(float))
    return smf.ols("y ~ d + C(unit) + C(time)", data).fit().params["d"]


@pytest.mark.parametrize("starts", [(0, 3, 4, 6), (3, 4, 6), (0, 1, 4), (-2, 1, 3, 5), (0, 4), (0, 2, 9)])
def test_weighted_comparisons_are_the_regression(starts):
    data = panel(7, n=30, starts=starts, effect=2)
    result = goodman_bacon(data, **COLUMNS)
    assert result.twfe == pytest.approx(by_regression(data), rel=1e-9)
    assert result.table["weight"].sum() == pytest.approx(1)
    assert (result.table["weight"] > 0).all()
    assert result.table["weight"] @ result.table["estimate"] == pytest.approx(result.twfe, rel=1e-9)
    assert result.kinds["weight"] @ result.kinds["estimate"] == pytest.approx(result.twfe, rel=1e-9)


def test_comparisons_are_differences_of_means_in_their_windows():
    data = panel(7, starts=(0, 1, 3, 5))
    table = goodman_bacon(data, **COLUMNS).table.set_index(["treated", "control"])

    def mean(start, times):
        return data.loc[(data["start"] == start) & data["time"].isin(times), "y"].mean()

    def did(treated, control, before, after):
        return mean(treated, after) - mean(treated, before) - mean(control, after) + mean(control, before)

    expected = {
        (3, 0): ("treated vs never", did(3, 0, [1, 2], [3, 4, 5, 6])),
        (5, 0): ("treated vs never", did(5, 0, [1, 2, 3, 4], [5, 6])),
        (3, 5): ("earlier vs later", did(3, 5, [1, 2], [3, 4])),
        (5, 3): ("later vs earlier", did(5, 3, [3, 4], [5, 6])),
        (3, 1): ("later vs always", did(3, 1, [1, 2], [3, 4, 5, 6])),
        (5, 1): ("later vs always", did(5, 1, [1, 2, 3, 4], [5, 6])),
    }
    assert set(table.index) == set(expected)
    for key, (kind, estimate) in expected.items():
        assert table.loc[key, "kind"] == kind
        assert table.loc[key, "estimate"] == pytest.approx(estimate)


def test_the_counties_give_the_published_estimate(mpdta, reference):
    values = pd.read_csv(reference / "values.csv").query("id == 'mpdta.twfe'").set_index("quantity")["value"]
    result = goodman_bacon(mpdta, unit="county", time="year", cohort="start", outcome="lemp")
    assert result.twfe == pytest.approx(values["twfe"], abs=1e-10)
    assert result.table["weight"] @ result.table["estimate"] == pytest.approx(values["twfe"], abs=1e-10)
    assert result.kinds["kind"].tolist() == ["treated vs never", "earlier vs later", "later vs earlier"]


def test_a_unit_with_a_gap_is_named():
    data = panel(7)
    with pytest.raises(DataError, match=r"2 of 60 units .*'8' at 3.* balanced panels only\. Leave those"):
        goodman_bacon(data.drop(index=[50, 90]), **COLUMNS)


@pytest.mark.parametrize("starts", [(3,), (0,), (0, 1), (0, 9)])
def test_without_a_start_beside_others_there_is_nobody_to_compare(starts):
    with pytest.raises(DataError, match="nobody to compare"):
        goodman_bacon(panel(7, starts=starts), **COLUMNS)
