"""The saturated regression of relation means: no forbidden comparison, and errors by unit at both ends."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.differences import att_gt
from relcap_models.estimands.programme_effect.comparisons.averages import averages, estimated, simple
from relcap_models.estimands.programme_effect.comparisons.before_start import with_leads
from relcap_models.estimands.programme_effect.comparisons.end_comparisons import (
    group_time_rows,
    two_way_row,
    weight_rows,
)
from relcap_models.estimands.programme_effect.comparisons.end_panel import EndPanel, end_panels
from relcap_models.estimands.programme_effect.comparisons.saturated import saturated
from relcap_models.estimands.programme_effect.notes import ONE_CLUSTER
from tests.estimands.programme_effect.panels import Y, case_with, exposure, noise, rows_of


def effects(rows, by="simple"):
    """Estimates by estimand (and event)."""
    found = saturated(rows, outcome=Y)
    return {
        (a.estimand, a.event) if by == "dynamic" else a.estimand: float(a.weights @ found.estimate)
        for a in averages(found, aggregates=(by,))
    }


def panels(rows, exposed) -> dict[str, EndPanel]:
    return {panel.estimand: panel for panel in end_panels(case_with(rows, exposed).exposed, rows)}


# Three cohorts of targets that one rater, who never starts, rates: waves 1 and 2, wave 2, never.
STAGGERED = exposure([3, 1, 2, 3, 1, 2, 3, 1, 2, 3], 3)
ONE_RATER = [(0, u) for u in range(1, 10)]


def growing(rows: pd.DataFrame) -> pd.Series:
    """An effect of 1 in the wave of the start and 2 in the next, on a common trend of 0.4 a wave."""
    return 3 + 0.1 * rows["target"] + 0.4 * rows["wave"] + (rows["kind"] != "") * (rows["event"] + 1)


def test_in_two_waves_each_end_is_the_att_of_callaway_and_santanna():
    world = exposure([1, 1, 1, 2, 2, 2, 2], 2)
    rows = rows_of(world, lambda rows: noise(rows, 1))
    mine = effects(rows)
    for estimand, panel in panels(rows, world).items():
        theirs = att_gt(
            panel.table, unit="relation", time="time", cohort="cohort", outcome=Y, control="notyet"
        )
        assert mine[estimand] == pytest.approx(theirs.aggregate("simple").att, abs=1e-12)


def test_growing_effects_of_staggered_cohorts_are_exact():
    rows = rows_of(STAGGERED, growing, ONE_RATER)
    # Two relation-waves of three are in their first wave: (1 + 2 + 1) / 3.
    assert effects(rows) == pytest.approx({"target_end": 4 / 3})
    assert effects(rows, "dynamic") == pytest.approx({("target_end", 0): 1, ("target_end", 1): 2})


def test_the_two_way_estimate_of_growing_effects_is_a_third_too_low():
    """Deviations of being exposed are ±1/3 in six cells. Their products with the outcomes sum to 2/3, as
    their squares do: 1 instead of 4/3."""
    rows = rows_of(STAGGERED, growing, ONE_RATER)
    panel = panels(rows, STAGGERED)["target_end"]
    assert two_way_row(panel, Y, ci_prob=0.9)["estimate"] == pytest.approx(1.0)


def test_weights_say_where_the_two_way_estimate_comes_from():
    rows = rows_of(STAGGERED, growing, ONE_RATER)
    table = pd.DataFrame(weight_rows(panels(rows, STAGGERED)["target_end"], Y, STAGGERED.waves))
    assert table["weight"].sum() == pytest.approx(1)
    assert (table["weight"] * table["estimate"]).sum() == pytest.approx(1.0)
    (forbidden,) = table[table["comparison"] == "later_earlier"].to_dict("records")
    # The later cohort gains 1 in wave 3, and so does the earlier one: as if nothing had happened.
    assert (forbidden["treated"], forbidden["control"]) == ("w3", "w2")
    assert forbidden["estimate"] == pytest.approx(0)
    assert forbidden["weight"] > 0


def test_what_both_ends_add_is_kept_apart_from_either():
    world = exposure([1, 1, 1, 3, 3, 3], 3)
    size = {"": 0.0, "rater_end": 0.2, "target_end": 0.5, "both_ends": 1.0}
    rows = rows_of(world, lambda rows: rows["kind"].map(size) + 0.1 * rows["relation"] + 0.3 * rows["wave"])
    assert effects(rows) == pytest.approx(
        {"rater_end": 0.2, "target_end": 0.5, "both_ends": 1.0, "interaction": 0.3}
    )


def test_leads_are_zero_on_parallel_trends_and_show_one_that_is_planted():
    rows = with_leads(rows_of(STAGGERED, growing, ONE_RATER))
    assert effects(rows, "dynamic")[("target_end", -2)] == pytest.approx(0, abs=1e-12)
    # The cohort of wave 3 rises by 0.7 a wave more than the others, and wave 1 is one wave before its base.
    rows[Y] += 0.7 * rows["wave"] * (rows["cohort_target"] == 2)
    assert effects(rows, "dynamic")[("target_end", -2)] == pytest.approx(-0.7)


def test_relations_never_seen_before_their_start_say_nothing():
    rows = rows_of(STAGGERED, growing, ONE_RATER)
    late = (rows["target"] == 1) & (rows["wave"] == 0)
    strange = rows.assign(**{Y: rows[Y] + 100 * (rows["target"] == 1)})[~late]
    assert effects(strange)["target_end"] == pytest.approx(4 / 3, rel=0.2)
    assert 1 not in set(saturated(strange, outcome=Y).rows["target"])


def test_a_wave_in_which_all_are_exposed_says_nothing():
    world = exposure([1, 1, 2, 2], 3)
    rows = rows_of(world, lambda rows: (rows["kind"] != "") * 1.0, [(a, b) for a in (0, 1) for b in (2, 3)])
    rows = pd.concat([rows, rows_of(world, lambda rows: 0.0 * rows["wave"], [(2, 3), (3, 2)])])
    assert set(saturated(rows, outcome=Y).rows["wave"]) == {0, 1}


def test_waves_that_nothing_ties_to_the_others_are_left_out():
    world = exposure([3, 1, 4, 4, 4, 3], 4)
    early = rows_of(world, growing, [(0, 1), (2, 3), (3, 2), (3, 4), (4, 3)])
    late = rows_of(world, lambda rows: 50.0 * rows["wave"], [(4, 2), (2, 5)])
    rows = pd.concat([early[early["wave"] < 2], late[late["wave"] >= 2]])
    assert effects(rows) == pytest.approx({"target_end": 1})
    assert set(saturated(rows, outcome=Y).rows["wave"]) == {0, 1}


def test_cohorts_are_compared_with_those_that_have_not_started_yet():
    rows = rows_of(STAGGERED, lambda rows: noise(rows, 5), ONE_RATER)
    found = pd.DataFrame(
        group_time_rows(panels(rows, STAGGERED)["target_end"], Y, STAGGERED.waves, ci_prob=0.9)
    )
    change = rows.pivot(index="target", columns="wave", values=Y)
    change = change[1] - change[0]
    started = change.index.isin([1, 4, 7])
    (cell,) = found[(found["aggregate"] == "cell") & (found["time"] == "w2")].to_dict("records")
    assert cell["estimate"] == pytest.approx(change[started].mean() - change[~started].mean())
    assert (cell["n_relations"], cell["n_units"]) == (3, 3)


def test_dyadic_covariances_count_every_two_rows_that_share_a_unit():
    world = exposure([1, 1, 1, 2, 2, 3, 3, 3], 3)
    found = saturated(rows_of(world, lambda rows: noise(rows, 2)), outcome=Y)
    used = found.rows
    waves = [used["wave"] == wave for wave in (1, 2)]
    parts = [used["part"] == part for part in range(len(found.parts))]
    relations = [used["relation"] == relation for relation in used["relation"].unique()]
    design = np.column_stack([*parts, *waves, *relations]).astype(float)
    estimate = np.linalg.lstsq(design, used[Y])[0]
    rater, target = used["rater"].to_numpy(), used["target"].to_numpy()
    shared = (rater[:, None] == rater) | (target[:, None] == target)
    shared |= (rater[:, None] == target) | (target[:, None] == rater)
    scores = design * (used[Y] - design @ estimate).to_numpy()[:, None]
    bread = np.linalg.inv(design.T @ design)
    oracle = (bread @ (scores.T @ (shared @ scores)) @ bread)[: len(parts), : len(parts)]
    assert found.estimate == pytest.approx(estimate[: len(parts)])
    assert found.covariances[0] == pytest.approx(oracle, abs=1e-12)


def test_covariances_have_the_variances_of_the_averages():
    world = exposure([1, 1, 1, 2, 2, 3, 3, 3], 3)
    found = saturated(rows_of(world, lambda rows: noise(rows, 2)), outcome=Y)
    # With so few units some dyadic variances are negative, and the covariance is none all the same.
    assert (np.diag(found.covariances[0]) < 0).any()
    weights = np.eye(len(found.parts))
    covariance = found.covariance(weights)
    assert np.diag(covariance) == pytest.approx(found.average(weights, ci_prob=0.9)["se"].to_numpy() ** 2)
    assert np.linalg.eigvalsh(covariance).min() > -1e-12


def test_errors_are_the_largest_of_dyadic_and_one_way():
    world = exposure([1, 1, 1, 2, 2, 2, 2], 2)
    found = saturated(rows_of(world, lambda rows: noise(rows, 3)), outcome=Y)
    weights = np.column_stack([a.weights for a in simple(found)])
    of_kinds = [np.sqrt(np.einsum("ps,pq,qs->s", weights, c, weights).clip(0)) for c in found.covariances]
    assert found.average(weights, ci_prob=0.9)["se"].to_numpy() == pytest.approx(np.max(of_kinds, axis=0))


@pytest.mark.parametrize("starts", [[1, 2, 2, 2, 2, 2], [1, 1, 1, 1, 1, 2]])
def test_one_unit_on_a_side_has_an_estimate_and_no_error(starts):
    world = exposure(starts, 2)
    relations = [(a, b) for a, b in zip([5, 5, 5, 1, 2, 3, 4], [0, 1, 2, 0, 0, 5, 5])]
    if starts[1] == 1:
        # A unit's ratings of itself are the only ones that nobody exposed takes part in.
        relations += [(5, 5)]
    found = saturated(rows_of(world, lambda rows: noise(rows, 4), relations), outcome=Y)
    rows = estimated(found, simple(found), ci_prob=0.9)
    assert {row["note"] for row in rows} == {ONE_CLUSTER}
    assert not np.isnan([row["estimate"] for row in rows]).any()
    assert np.isnan([row[name] for row in rows for name in ("se", "lower", "upper", "p")]).all()


def test_a_single_group_has_its_change_since_the_last_wave_before_the_start():
    world = exposure([2, 2, 2, 2], 4)
    level = np.array([1.0, 2.0, 2.5, 3.5])
    rows = rows_of(world, lambda rows: 0.1 * rows["relation"] + level[rows["wave"]], single_group=True)
    # Waves 3 and 4 less wave 2: (0.5 + 1.5) / 2. Wave 1 plays no part.
    assert effects(rows) == pytest.approx({"change": 1.0})
