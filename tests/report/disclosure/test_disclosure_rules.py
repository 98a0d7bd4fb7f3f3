"""Thresholds, what a suppressed row keeps, and what else stays the same."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from relcap_models.errors import DataError
from relcap_models.estimands import item_profiles, reliability, variance_shares
from relcap_models.report.disclosure import (
    Disclosure,
    apply_disclosure,
    band,
    formula_like,
    safe_csv,
    small_rater_units,
)
from relcap_models.report.disclosure.favourable import favourable_range

COLUMNS = ["wave", "respondent_id", "rater_unit", "target_unit", "instrument", "item", "value"]
IDS = {
    *("analysis", "wave", "unit", "role", "level", "dimension", "item", "category", "suppressed"),
    *("rater_unit", "target_unit", "unit_a", "unit_b", "wave_from", "wave_to"),
}


def answers(scale, cells: dict[tuple[str, str], list[list[int]]], *, wave: str = "w1") -> pd.DataFrame:
    """Rows from {(rater unit, target unit): one list of item answers per respondent}."""
    return pd.DataFrame(
        [
            (wave, f"{u}_{person}", u, t, scale.id, item, float(value))
            for (u, t), people in cells.items()
            for person, values in enumerate(people)
            for item, value in zip(scale.item_ids, values, strict=True)
        ],
        columns=COLUMNS,
    )


def mixed(n: int, start: int = 0) -> list[list[int]]:
    """n respondents with varied answers to two items."""
    return [[(start + k) % 5 + 1, (start + 3 * k) % 5 + 1] for k in range(n)]


@pytest.fixture(scope="module")
def two_items(build):
    return build.instrument(("joint", 2))


def one_cell(build, scale, people):
    """Only one relation is in the tables, so nothing but its own threshold decides."""
    world = build.world_of(build.survey_of(answers(scale, {("a", "b"): people}), scale), scale)
    return {"relation_scores": world.tables["relation_scores"]}, world


@pytest.mark.parametrize(
    ("n", "mean_shown", "share_shown"),
    [(4, False, False), (5, True, False), (7, True, False), (8, True, True)],
)
def test_thresholds_are_inclusive(build, two_items, n, mean_shown, share_shown):
    tables, world = one_cell(build, two_items, mixed(n))
    row = apply_disclosure(tables, world.survey, Disclosure())["relation_scores"].iloc[0]
    assert row["suppressed"] != mean_shown
    assert (
        pd.notna(row["mean"]) == pd.notna(row["naive_mean"]) == pd.notna(row["n_respondents"]) == mean_shown
    )
    assert pd.notna(row["naive_favourable"]) == pd.notna(row["favourable_mean"]) == share_shown


def test_unanimous_cell_is_hidden_at_any_size(build, two_items):
    """The last item is reversed: 4 and 2 are the same answer."""
    tables, world = one_cell(build, two_items, [[4, 2]] * 30)
    assert apply_disclosure(tables, world.survey, Disclosure())["relation_scores"]["suppressed"].all()


def test_share_of_one_is_hidden_and_its_mean_is_not(build, two_items):
    """30 people answer 4 or 5: the share says that each is favourable, the mean tells nobody's answer."""
    tables, world = one_cell(build, two_items, [[4 + k % 2, 2 - k % 2] for k in range(30)])
    row = apply_disclosure(tables, world.survey, Disclosure())["relation_scores"].iloc[0]
    assert not row["suppressed"]
    assert pd.isna(row["naive_favourable"])


@pytest.mark.parametrize(
    "small",
    [
        # Two respondents each: t's score minus the others' is a mean of four.
        {"a": mixed(2), "b": mixed(2, 1)},
        # Five together, but the one person of a would take out their own answers and know the mean of b.
        {"a": mixed(1), "b": mixed(4, 1)},
        # Seven, but the one person of a would learn that all of b agree.
        {"a": [[2, 4]], "b": [[3, 3]] * 6},
    ],
)
def test_hidden_rest_of_a_margin_counts_as_a_cell(build, two_items, small):
    """What is left of t's score without the published raters must be fit to be published itself."""
    people = small | {"c": mixed(9, 2), "d": mixed(12, 3)}
    cells = {(rater, "t"): of_rater for rater, of_rater in people.items()}
    world = build.world_of(build.survey_of(answers(two_items, cells), two_items), two_items)
    tables = {name: world.tables[name] for name in ("relation_scores", "unit_scores")}
    tables["unit_scores"] = tables["unit_scores"].query("role == 'seen_by_others'").reset_index(drop=True)
    public = apply_disclosure(tables, world.survey, Disclosure())
    hidden = public["relation_scores"].query("suppressed and dimension == 'overall'")["rater_unit"]
    assert hidden.tolist() == ["a", "b", "c"], "the smallest published rater goes too"
    assert not public["unit_scores"]["suppressed"].any()


@pytest.mark.parametrize(
    ("leaders", "shown"),
    [
        ({"a": 3, "b": 4, "c": 5}, ["a", "b", "c"]),
        ({"b": 4, "c": 5}, ["b", "c"]),
        ({"a": 2, "b": 3, "c": 3}, ["b", "c"]),
    ],
)
def test_leadership_needs_three_leaders_and_unknown_counts_as_one(build, leaders, shown):
    scale = build.instrument(("framing", 2), referent="own_leaders", name="rl")
    cells = {(u, u): mixed(12, k) for k, u in enumerate("abc")}
    world = build.world_of(build.survey_of(answers(scale, cells), scale, n_leaders=leaders), scale)
    public = apply_disclosure({"unit_scores": world.tables["unit_scores"]}, world.survey, Disclosure())[
        "unit_scores"
    ]
    assert sorted(set(public.loc[~public["suppressed"], "unit"])) == shown


def test_leaders_do_not_matter_to_other_instruments(build):
    scale = build.instrument(("safety", 2), referent="own_team", name="ps")
    cells = {(u, u): mixed(12, k) for k, u in enumerate("ab")}
    world = build.world_of(build.survey_of(answers(scale, cells), scale, n_leaders={"a": 1}), scale)
    public = apply_disclosure({"unit_scores": world.tables["unit_scores"]}, world.survey, Disclosure())
    assert not public["unit_scores"]["suppressed"].any()


def test_suppressed_rows_keep_ids_and_lose_every_figure_and_count(world):
    public = apply_disclosure(world.tables, world.survey, Disclosure())
    for name, table in public.items():
        before = world.tables[name]
        assert len(table) == len(before)
        ids = [column for column in before if column in IDS - {"suppressed"}]
        pd.testing.assert_frame_equal(table[ids], before[ids])
        figures = [column for column in table if column not in IDS]
        assert table.loc[table["suppressed"], figures].isna().all(axis=None), name
    shown = public["relation_scores"].query("not suppressed")
    original = world.tables["relation_scores"].loc[shown.index]
    assert shown["n_respondents"].tolist() == original["n_respondents"].tolist()
    assert shown["mean"].tolist() == original["mean"].tolist()
    assert shown["n_respondents"].min() >= 5


def test_numbers_of_the_whole_organisation_stay_out_where_a_unit_is_small(build, world):
    """All respondents less those of the units that show theirs would be the small unit's."""
    intake = pd.DataFrame({"instrument": ["rc"], "read": [900], "answers": [880], "missing": [20]})
    public = apply_disclosure(world.tables | {"intake": intake}, world.survey, Disclosure())
    everybody = public["changes"].query("level == 'organisation'")
    assert everybody[["n_respondents_from", "n_respondents_to"]].isna().all(axis=None)
    assert everybody["mean"].notna().all()
    assert public["intake"][["read", "answers"]].isna().all(axis=None)
    assert public["intake"]["missing"].isna().all()
    large = build.random(3, build.instrument(("o", 2)), sizes=[9, 11, 14], waves=2, p_respond=1.0)
    public = apply_disclosure(large.tables | {"intake": intake}, large.survey, Disclosure())
    pd.testing.assert_frame_equal(public["intake"], intake)
    assert public["changes"]["n_respondents_to"].notna().all()


def test_a_unit_is_small_if_it_is_in_any_wave_of_any_instrument():
    sizes = {("rc", "w1"): {"a": 9, "b": 5}, ("rc", "w2"): {"a": 4, "b": 6}, ("ps", "w1"): {"c": 1, "b": 5}}
    responses = pd.DataFrame(
        [
            (instrument, wave, unit, f"{unit}{person}")
            for (instrument, wave), units in sizes.items()
            for unit, n in units.items()
            for person in range(n)
        ],
        columns=["instrument", "wave", "rater_unit", "respondent_id"],
    )
    assert small_rater_units(pd.concat([responses, responses]), Disclosure()) == {"a", "c"}


def test_the_ranks_beside_a_hidden_one_do_not_add_up_to_it(build):
    """Probabilities of being among the k lowest add up to k over the units that are ranked."""
    world = build.random(3, build.instrument(("o", 2), ("b", 2)), sizes=[3, 9, 11, 14])
    units = world.tables["unit_scores"].query("role == 'as_rater' and dimension == 'overall'")
    for lowest, gone in (
        ([0.4, 0.3, 0.2, 0.1], [True, True, False, False]),
        ([1.0, 0.97, 0.02, 0.01], [True, True, True, False]),  # 1.97 of two is nearly certainty for both
        ([0.0, 0.01, 0.99, 1.0], [True, True, True, False]),
    ):
        units = units.reset_index(drop=True).assign(prob_lowest_k=lowest)
        public = apply_disclosure({"unit_scores": units}, world.survey, Disclosure())["unit_scores"]
        assert public["suppressed"].tolist() == [True, False, False, False]
        assert public["prob_lowest_k"].isna().tolist() == gone
        assert public["rank_lower"].isna().tolist() == gone
    large = build.random(3, build.instrument(("o", 2)), sizes=[9, 11, 14], p_respond=1.0)
    kept = apply_disclosure({"unit_scores": large.tables["unit_scores"]}, large.survey, Disclosure())
    assert kept["unit_scores"]["prob_lowest_k"].notna().all()


def test_a_mean_that_says_how_many_are_favourable_needs_as_many_people_as_a_share(build, two_items):
    """With one answer of 4 and eleven of 5 all are favourable; a sum 2 short of the top leaves one open.

    Twelve answers must leave two open, an eighth. Eight people may show a share, and so a mean that tells it.
    """
    for people, hidden in (
        ([[5, 1]] * 5 + [[4, 1]], True),  # the last item is reversed
        ([[5, 1]] * 5 + [[3, 1]], True),
        ([[5, 1]] * 4 + [[3, 1], [3, 1]], False),
        ([[5, 1]] * 7 + [[3, 1]], False),
        ([[5, 1]] * 7 + [[4, 1]], True),
    ):
        tables, world = one_cell(build, two_items, people)
        public = apply_disclosure(tables, world.survey, Disclosure())["relation_scores"]
        assert public["suppressed"].eq(hidden).all(), people


@pytest.mark.parametrize("scales", [[(1, 5, 4)], [(0, 1, 1)], [(1, 7, 5)], [(1, 5, 4), (0, 2, 1)]])
def test_favourable_answers_that_a_sum_allows(scales):
    """Held against every possible set of five answers."""
    n = [5] if len(scales) == 1 else [3, 2]
    kinds = [scale for scale, count in zip(scales, n, strict=True) for _ in range(count)]
    allowed: dict[int, set[int]] = {}
    for values in product(*(range(low, high + 1) for low, high, _ in kinds)):
        favourable = sum(v >= cut for v, (_, _, cut) in zip(values, kinds, strict=True))
        allowed.setdefault(sum(values), set()).add(favourable)
    totals = np.array(sorted(allowed), dtype=float)
    fewest, most = favourable_range(
        np.tile(np.array(n, dtype=float), (len(totals), 1)), totals, *np.array(scales, dtype=float).T
    )
    assert fewest.tolist() == [min(allowed[total]) for total in totals]
    assert most.tolist() == [max(allowed[total]) for total in totals]


def test_parameters_and_checks_of_a_hidden_item_go_with_its_distribution(build):
    scale = build.instrument(("o", 2), ("b", 2))
    responses = build.random_responses(4, scale, sizes=[9, 11, 14], p_target=1, p_respond=1, p_item=1)
    responses.loc[responses["item"] == "o1", "value"] = 5.0
    world = build.world_of(build.survey_of(responses, scale), scale)
    parameters = pd.DataFrame(
        {
            "analysis": "relations",
            "item": ["o1", "o2"],
            "dimension": "o",
            "parameter": "threshold",
            "category": 4,
            "mean": [-3.1, 0.2],
        }
    )
    checks = pd.DataFrame(
        [
            ("relations", "posterior_predictive_items", "o1, answer 5", 0.1, 0.02, False, "100 % answered 5"),
            ("relations", "rhat", "threshold of o1", 1.0, 1.01, True, "All R-hat at most 1.01."),
        ],
        columns=["analysis", "check", "subject", "value", "threshold", "passed", "message"],
    )
    tables = world.tables | {"item_parameters": parameters, "checks": checks}
    public = apply_disclosure(tables, world.survey, Disclosure())
    hidden = public["item_distributions"].query("suppressed")["item"].unique()
    assert "o1" in hidden
    assert "b1" not in hidden
    expected = parameters["item"].isin(hidden).tolist()
    assert public["item_parameters"]["mean"].isna().tolist() == expected
    assert public["checks"]["value"].isna().tolist() == [True, False]
    assert "100" not in public["checks"]["message"][0]


def test_gaps_and_changes_go_with_either_side(world):
    public = apply_disclosure(world.tables, world.survey, Disclosure())
    relations = public["relation_scores"].set_index(["wave", "rater_unit", "target_unit", "dimension"])[
        "suppressed"
    ]
    for row in public["perception_gaps"].itertuples():
        sides = [
            relations[row.wave, a, b, row.dimension]
            for a, b in ((row.unit_a, row.unit_b), (row.unit_b, row.unit_a))
        ]
        assert row.suppressed == any(sides)
        assert pd.isna(row.prob_gap_above_delta_unit_adjusted) == row.suppressed
    for row in public["changes"].query("level == 'relation'").itertuples():
        ends = (row.rater_unit, row.target_unit, row.dimension)
        assert row.suppressed == (relations[row.wave_from, *ends] or relations[row.wave_to, *ends])


def test_input_is_not_changed(world):
    before = {name: table.copy(deep=True) for name, table in world.tables.items()}
    apply_disclosure(world.tables, world.survey, Disclosure())
    for name, table in world.tables.items():
        pd.testing.assert_frame_equal(table, before[name])


def test_applying_twice_changes_nothing_more(world):
    once = apply_disclosure(world.tables, world.survey, Disclosure())
    twice = apply_disclosure(once, world.survey, Disclosure())
    for name, table in once.items():
        pd.testing.assert_frame_equal(twice[name], table)


def test_two_analyses_of_one_instrument_hide_the_same_rows(world):
    doubled = {
        name: pd.concat([table, table.assign(analysis="again")], ignore_index=True)
        for name, table in world.tables.items()
    }
    public = apply_disclosure(doubled, world.survey, Disclosure())
    for table in public.values():
        half = len(table) // 2
        assert table["suppressed"][:half].tolist() == table["suppressed"][half:].tolist()


def test_study_of_a_handful_hides_everything(build):
    world = build.random(1, build.instrument(("o", 2), ("b", 2)), sizes=[1, 1, 2], p_target=1.0)
    columns = {
        "variance_shares": variance_shares.COLUMNS,
        "reliability": reliability.COLUMNS,
        "item_parameters": item_profiles.PARAMETER_COLUMNS,
    }
    about = {"analysis": "relations", "dimension": "o", "item": "o1"}
    whole = {name: pd.DataFrame([{c: about.get(c, 0.2) for c in columns[name]}]) for name in columns}
    public = apply_disclosure(world.tables | whole, world.survey, Disclosure())
    for name, names in columns.items():
        labels, figures = names[: names.index("mean")], names[names.index("mean") :]
        hidden = public.pop(name)
        assert hidden[figures].isna().all(axis=None), name
        pd.testing.assert_frame_equal(hidden[labels], whole[name][labels])
    assert all(table["suppressed"].all() for table in public.values())


def test_nothing_is_hidden_where_every_cell_is_large(build):
    world = build.random(2, build.instrument(("o", 2)), sizes=[25, 30], p_target=1.0, p_respond=1.0)
    public = apply_disclosure(world.tables, world.survey, Disclosure())
    assert not any(table["suppressed"].any() for table in public.values())


def test_table_without_a_rule_is_refused(world):
    with pytest.raises(ValueError, match="no disclosure rule for the tables secrets"):
        apply_disclosure({"secrets": pd.DataFrame()}, world.survey, Disclosure())


def test_analysis_that_fits_no_instrument_is_refused(world):
    table = world.tables["relation_scores"].assign(dimension="weather")
    with pytest.raises(DataError, match="analysis 'relations' must fit one instrument"):
        apply_disclosure({"relation_scores": table}, world.survey, Disclosure())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_respondents_mean": 2}, "at least 3"),
        ({"min_leaders": 1}, "at least 3"),
        ({"min_respondents_mean": 10}, "must not be below"),
    ],
)
def test_rules_that_protect_nobody_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        Disclosure(**options)


def test_bands_tell_nothing_apart_below_the_threshold():
    words = [band(n, 5) for n in (0, 4, 5, 9, 10, 20, 50, 100)]
    assert words == ["fewer than 5", "fewer than 5", "5–9", "5–9", "10–19", "20–49", "50–99", "100 or more"]
    assert band(8, 8) == "8–9"


def test_names_survive_csv_unchanged(tmp_path):
    names = ["=1+1", "-19 team", "@skole", 'Børn, unge & "familie"', "<script>", "two\nlines", "🙂"]
    table = pd.DataFrame(
        {"unit": names, "mean": np.linspace(0, 1, 7) / 3, "n": pd.array([1, None] * 3 + [2], "Int64")}
    )
    safe_csv(table, tmp_path / "t.csv")
    back = pd.read_csv(tmp_path / "t.csv", dtype={"unit": str, "n": "Int64"})
    pd.testing.assert_frame_equal(back, table, check_dtype=False)
    assert back["mean"].tolist() == table["mean"].tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
    assert formula_like(table) == ["-19 team", "=1+1", "@skole"]
