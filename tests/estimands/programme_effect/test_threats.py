"""Checks of threats on relations whose means are written down."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.estimands.programme_effect import notes
from relcap_models.estimands.programme_effect.threats import pre_trends
from relcap_models.estimands.programme_effect.threats.comparisons_left_out import leave_one_out_rows
from relcap_models.estimands.programme_effect.threats.placebos import anticipation_rows, placebo_start_rows
from relcap_models.estimands.programme_effect.threats.pre_trends import pre_trend_rows
from tests.estimands.programme_effect.panels import Y, case_with, exposure, noise, rows_of

# Four waves; units 0-3 start in the third, 4-9 never do.
WORLD = exposure([2, 2, 2, 2, 4, 4, 4, 4, 4, 4], 4)


def table(check, case) -> pd.DataFrame:
    columns = ["variant", "estimand", "quantity", "value", "lower", "upper", "p", "n", "note"]
    return pd.DataFrame(list(check(case))).reindex(columns=columns).set_index(["quantity", "estimand"])


def world(mean, **more):
    rows = rows_of(WORLD, lambda rows: mean(rows) + 0.3 * rows["wave"])
    return case_with(rows.assign(**{Y: rows[Y] + noise(rows, 1, 0.02)}), WORLD, **more)


def target(rows):
    """An effect of 1 on how exposed targets are seen."""
    return (rows["cohort_target"] <= rows["wave"]) * 1.0


def news(rows):
    """What targets gain in the wave before their start."""
    return 0.5 * ((rows["wave"] == 1) & (rows["cohort_target"] == 2))


def test_parallel_trends_pass_and_the_effect_survives_large_violations():
    found = table(pre_trend_rows, world(target))
    assert abs(found.loc[("difference", "target_end"), "value"].item()) < 0.05
    assert found.loc[("wald", "target_end"), "p"].item() > 0.01
    breakdown = found.loc[("breakdown", "target_end")].set_index("variant")["value"]
    assert breakdown["relative"] > 5
    assert breakdown["smooth"] == pytest.approx(0.6, abs=0.35)


def test_a_trend_before_the_start_is_found_and_breaks_the_effect_down():
    # 0.4 a wave from the first wave on: all of what looks like an effect of some size.
    found = table(pre_trend_rows, world(lambda rows: 0.4 * rows["wave"] * (rows["cohort_target"] == 2)))
    assert found.loc[("difference", "target_end"), "value"].item() == pytest.approx(-0.4, abs=0.05)
    assert found.loc[("wald", "target_end"), "p"].item() < 0.01
    breakdown = found.loc[("breakdown", "target_end")].set_index("variant")
    # Steps after the start are as large as the one before it.
    assert breakdown.loc["relative", "value"] == pytest.approx(1, abs=0.2)
    # A straight trend needs no bend at all.
    assert breakdown.loc["smooth", "value"] == 0
    assert breakdown.loc["smooth", "note"] == notes.INCLUDES_ZERO


def test_bounds_at_zero_give_the_effect_of_all_waves_back():
    found = table(pre_trend_rows, world(target)).loc[("effect", "target_end")].set_index("variant")
    assert found["value"].to_numpy() == pytest.approx(1, abs=0.05)
    widths = (found["upper"] - found["lower"])[[f"relative:{m:g}" for m in pre_trends.RELATIVE]]
    assert (np.diff(widths) > 0).all()


def test_a_start_that_was_none_has_no_effect_unless_people_changed_before():
    assert table(placebo_start_rows, world(target)).loc[("effect", "target_end"), "value"] == pytest.approx(
        0, abs=0.05
    )
    early = table(placebo_start_rows, world(lambda rows: target(rows) + news(rows)))
    assert early.loc[("effect", "target_end"), "value"] == pytest.approx(0.5, abs=0.05)
    assert early.loc[("effect", "target_end"), "lower"] > 0.3


def test_what_comes_before_the_start_no_longer_hides_the_effect():
    found = table(anticipation_rows, world(lambda rows: target(rows) + news(rows)))
    assert found.loc[("difference", "target_end"), "value"] == pytest.approx(0.5, abs=0.05)
    assert found.loc[("effect", "target_end"), "value"] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("check", [pre_trend_rows, placebo_start_rows, anticipation_rows])
@pytest.mark.parametrize("single", [True, False])
def test_what_the_design_cannot_tell_is_a_blank_row_that_says_why(check, single):
    short = exposure([1, 1, 2, 2, 2], 2)
    rows = rows_of(short, lambda rows: noise(rows, 1))
    case = case_with(rows, short, design="single_group" if single else "two_waves")
    found = table(check, case)
    assert set(found["note"]) == {notes.NO_COMPARISON if single else notes.ONE_WAVE_BEFORE}
    assert found["value"].isna().all()


def test_the_unit_on_which_the_effect_hangs_is_named():
    """Units 0 to 2 start, and one rater who never does sees 3 points at unit 2 alone: 1 with it, 0 without,
    and 1.5 without either of the others."""
    starts = exposure([1, 1, 1, 2, 2, 2, 2], 2)
    relations = [(3, u) for u in (0, 1, 2, 4, 5, 6)] + [(4, 5), (5, 6)]
    rows = rows_of(starts, lambda r: 3.0 * ((r["target"] == 2) & (r["wave"] == 1)), relations)
    found = table(leave_one_out_rows, case_with(rows, starts)).loc[("effect", "target_end")]
    found = found.set_index("variant")
    assert found["value"].to_dict() == pytest.approx({"lowest": 0, "highest": 1.5})
    assert f"{notes.CLUSTER}:c2" in found.loc["lowest", "note"]
    # Without the rater nobody is left to see an exposed unit, so six of seven can be left out.
    assert found["n"].tolist() == [6, 6]
