"""Effects by cohort and time: R's did on its own data, a slow oracle, and data as people have them."""

import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import relcap_models
from relcap_models.differences import att_gt
from relcap_models.errors import DataError, FitError
from tests.differences.conftest import COLUMNS, panel

MPDTA = {"unit": "county", "time": "year", "cohort": "start", "outcome": "lemp"}

# R 4.4.2, did 2.5.0: att_gt("lemp", "year", "county", "first.treat", mpdta, xformla = ~1, bstrap = FALSE,
# cband = FALSE, control_group = ...); aggte(., type = ..., bstrap = FALSE). Rows: group, time, att, se.
DID = {
    "never": [
        (2004, 2004, -0.0105032462209624, 0.0232510363681664),
        (2004, 2005, -0.0704231581031467, 0.0309847667572767),
        (2004, 2006, -0.137258738889403, 0.0364356642876865),
        (2004, 2007, -0.100811363085404, 0.0343592258346732),
        (2006, 2004, 0.00652011242423301, 0.0233268051418047),
        (2006, 2005, -0.00275081875051882, 0.0195585610358817),
        (2006, 2006, -0.00459460695286304, 0.0177551966592763),
        (2006, 2007, -0.0412244715462175, 0.0202291807041068),
        (2007, 2004, 0.0305066555832928, 0.01503356028013),
        (2007, 2005, -0.00272589288611625, 0.0163958328955344),
        (2007, 2006, -0.0310871193896889, 0.0178775113133435),
        (2007, 2007, -0.0260544107191966, 0.0166554353492522),
    ],
    "notyet": [
        (2004, 2004, -0.0193723636759221, 0.0223101128836806),
        (2004, 2005, -0.0783190990620607, 0.0303902285433973),
        (2004, 2006, -0.136274346328678, 0.03540338496891),
        (2004, 2007, -0.100811363085404, 0.0343592258346732),
        (2006, 2004, -0.00256255094261098, 0.0225302351453388),
        (2006, 2005, -0.00193924609578875, 0.019042158605819),
        (2006, 2006, 0.00466087631997615, 0.0163355842468236),
        (2006, 2007, -0.0412244715462175, 0.0202291807041068),
        (2007, 2004, 0.0297593647610311, 0.0145335416386514),
        (2007, 2005, -0.0024106128000969, 0.0160312963755178),
        (2007, 2006, -0.0310871193896889, 0.0178775113133435),
        (2007, 2007, -0.0260544107191966, 0.0166554353492522),
    ],
}
WHOLE = {
    ("never", "simple"): (-0.0399512751551763, 0.0120340127701854),
    ("never", "group"): (-0.0310182822287484, 0.0124460593209979),
    ("never", "dynamic"): (-0.0772398214573151, 0.0199649890618494),
    ("never", "calendar"): (-0.0417004321312822, 0.01597185188456),
    ("notyet", "simple"): (-0.0397636256230437, 0.0120524247873419),
    ("notyet", "group"): (-0.030462228112565, 0.0125751201316818),
    ("notyet", "dynamic"): (-0.0773993139705847, 0.0195601769463944),
    ("notyet", "calendar"): (-0.0442670834758837, 0.0155709044211449),
}
# Rows: label, att, se.
PARTS = {
    ("never", "group"): [
        (2004, -0.0797491265747291, 0.0263677994350273),
        (2006, -0.0229095392495403, 0.0167033302551619),
        (2007, -0.0260544107191966, 0.0166554353492522),
    ],
    ("never", "dynamic"): [
        (-3, 0.0305066555832928, 0.01503356028013),
        (-2, -0.000563084626385429, 0.01329164473655),
        (-1, -0.0244587449711696, 0.0142364022105193),
        (0, -0.0199318167892593, 0.0118263640580582),
        (1, -0.0509573670651939, 0.016893476268678),
        (2, -0.137258738889403, 0.0364356642876865),
        (3, -0.100811363085404, 0.0343592258346733),
    ],
    ("never", "calendar"): [
        (2004, -0.0105032462209624, 0.0232510363681664),
        (2005, -0.0704231581031467, 0.0309847667572767),
        (2006, -0.0488159842650431, 0.0201258612605003),
        (2007, -0.0370593399359766, 0.0137470791411185),
    ],
    ("notyet", "dynamic"): [
        (-3, 0.0297593647610311, 0.0145335416386514),
        (-2, -0.00244615388606511, 0.0131203504342708),
        (-1, -0.0242689034145076, 0.0144636816758019),
        (0, -0.0189221990834249, 0.0120445686892691),
        (1, -0.0535893473848319, 0.016946385539125),
        (2, -0.136274346328678, 0.03540338496891),
        (3, -0.100811363085404, 0.0343592258346733),
    ],
}
# did 2.5.0 with clustervars, states. Cohort 2004 is one state: did's errors for it are half those by county.
BY_STATE = [
    0.0358483168279247, 0.0208364837504074, 0.0202838930271974, 0.0271837236080214,
    0.0165491903382581, 0.0159728414781747, 0.0266230339586743, 0.0143442032201854,
]  # fmt: skip


@pytest.mark.parametrize("control", ["never", "notyet"])
def test_effects_and_errors_are_those_of_did(mpdta, control):
    table = att_gt(mpdta, **MPDTA, control=control).table
    np.testing.assert_allclose(table[["group", "time", "att", "se"]], DID[control], atol=1e-13)
    assert table.columns.tolist() == ["group", "time", "att", "se", "lower", "upper", "n"]
    assert table.groupby("group")["n"].first().tolist() == [20, 40, 131]
    np.testing.assert_allclose(table["upper"], table["att"] + 1.959963984540054 * table["se"])


def test_effects_are_the_reference_values(mpdta, reference):
    values = pd.read_csv(reference / "values.csv").query("id == 'mpdta.never-treated.unconditional'")
    values = values.set_index("quantity")["value"]
    result = att_gt(mpdta, **MPDTA)
    found = {f"att({row.group:.0f},{row.time:.0f})": row.att for row in result.table.itertuples()}
    found |= {kind: result.aggregate(kind).att for kind in ("simple", "group", "dynamic")}
    assert set(found) == set(values.index)
    for name, value in values.items():
        assert found[name] == pytest.approx(value, abs=1e-10), name


@pytest.mark.parametrize(("control", "kind"), WHOLE)
def test_averages_are_those_of_did(mpdta, control, kind):
    result = att_gt(mpdta, **MPDTA, control=control).aggregate(kind)
    assert (result.att, result.se) == pytest.approx(WHOLE[control, kind], abs=1e-13)
    if (control, kind) in PARTS:
        np.testing.assert_allclose(result.parts.iloc[:, :3], PARTS[control, kind], atol=1e-13)
        np.testing.assert_allclose(np.sqrt(np.diag(result.covariance)), result.parts["se"])


# did 2.5.0: W and Wpval.
@pytest.mark.parametrize(
    ("control", "w", "p"), [("never", 7.79123662720035, 0.16812), ("notyet", 7.79092771882739, 0.16814)]
)
def test_the_test_of_pre_trends_is_that_of_did(mpdta, control, w, p):
    test = att_gt(mpdta, **MPDTA, control=control).pre_test()
    assert test.statistic == pytest.approx(w, abs=1e-9)
    assert round(test.p, 5) == p
    assert test.df == 5


# did 2.5.0, base_period = "universal": rows before the start that differ from those above.
def test_a_universal_base_is_that_of_did_and_leaves_the_test_of_trends_as_it_is(mpdta):
    result = att_gt(mpdta, **MPDTA, base="universal")
    before = result.table[result.table["time"] < result.table["group"]]
    expected = [
        (2006, 2003, -0.0037692936737142, 0.0313420276018159),
        (2006, 2004, 0.00275081875051881, 0.0195585610358817),
        (2007, 2003, 0.00330635669251235, 0.0244518729439318),
        (2007, 2004, 0.0338130122758051, 0.0211291749243127),
        (2007, 2005, 0.0310871193896889, 0.0178775113133435),
    ]
    np.testing.assert_allclose(before[["group", "time", "att", "se"]], expected, atol=1e-13)
    varying = att_gt(mpdta, **MPDTA)
    pd.testing.assert_frame_equal(
        result.table[result.table["time"] >= result.table["group"]].reset_index(drop=True),
        varying.table[varying.table["time"] >= varying.table["group"]].reset_index(drop=True),
    )
    assert result.pre_test().statistic == pytest.approx(varying.pre_test().statistic)
    assert result.aggregate("dynamic").parts["event_time"].tolist() == [-4, -3, -2, 0, 1, 2, 3]


def test_the_package_has_it_too(mpdta):
    assert relcap_models.att_gt is att_gt


def slow(data: pd.DataFrame, control: str) -> tuple[dict, dict]:
    """Effects and each unit's influence on them, from the definition: unit by unit, cell by cell."""
    wide = data.pivot(index="unit", columns="time", values="y")
    start = data.groupby("unit")["start"].first()
    times, n = wide.columns.tolist(), len(wide)
    att, influence = {}, {}
    for g in sorted(set(start) - {0}):
        for before, t in pairwise(times):
            base = max(s for s in times if s < g) if t >= g else before
            change = wide[t] - wide[base]
            treated = start.index[start == g]
            controls = start.index[(start == 0) | ((control == "notyet") & (start > t) & (start != g))]
            att[g, t] = change[treated].mean() - change[controls].mean()
            values = pd.Series(0.0, index=wide.index)
            values[treated] = n / len(treated) * (change[treated] - change[treated].mean())
            values[controls] = -n / len(controls) * (change[controls] - change[controls].mean())
            influence[g, t] = values
    return att, influence


@pytest.mark.parametrize("control", ["never", "notyet"])
def test_a_slow_oracle_agrees_where_times_have_gaps_and_starts_fall_between_them(control):
    data = panel(3)
    data["time"] = data["time"].map({1: 2, 2: 3, 3: 5.5, 4: 7, 5: 11, 6: 12})
    data["start"] = data["start"].map({0: 0, 3: 5.5, 4: 6, 6: 12})
    att, influence = slow(data, control)
    result = att_gt(data, **COLUMNS, control=control)
    keys = list(zip(result.table["group"], result.table["time"]))
    assert keys == list(att)
    np.testing.assert_allclose(result.table["att"], [att[key] for key in keys], rtol=1e-10)
    n = data["unit"].nunique()
    se = [np.sqrt((influence[key] ** 2).mean() / n) for key in keys]
    np.testing.assert_allclose(result.table["se"], se, rtol=1e-10)
    clustered = att_gt(data, **COLUMNS, control=control, cluster="district")
    district = data.groupby("unit")["district"].first()
    se = [np.sqrt((influence[key].groupby(district).sum() ** 2).sum()) / n for key in keys]
    np.testing.assert_allclose(clustered.table["se"], se, rtol=1e-10)


@pytest.mark.parametrize("kind", ["simple", "group", "dynamic", "calendar"])
def test_the_error_of_an_average_is_its_slope_in_every_unit(kind):
    # An influence is the derivative of the estimate in the weight of a unit: move the weights one by one.
    data = panel(5, n=24, times=4, starts=(0, 2, 4))
    wide = data.pivot(index="unit", columns="time", values="y").to_numpy()
    start = data.groupby("unit")["start"].first().to_numpy()

    def whole(weight):
        cells = {}
        for g in (2, 4):
            for t in range(g, 5):
                change = wide[:, t - 1] - wide[:, g - 2]
                treated, controls = weight * (start == g), weight * (start == 0)
                effect = treated @ change / treated.sum() - controls @ change / controls.sum()
                cells[g, t] = effect, treated.sum()

        def mean(chosen):
            return np.average([cells[c][0] for c in chosen], weights=[cells[c][1] for c in chosen])

        if kind == "simple":
            return mean(cells)
        label = {"group": lambda c: c[0], "dynamic": lambda c: c[1] - c[0], "calendar": lambda c: c[1]}[kind]
        labels = sorted({label(c) for c in cells})
        parts = [mean([c for c in cells if label(c) == one]) for one in labels]
        sizes = [(weight * (start == one)).sum() for one in labels] if kind == "group" else None
        return np.average(parts, weights=sizes)

    n, step = len(wide), 1e-5
    slope = [
        (whole(np.ones(n) + step * np.eye(n)[i]) - whole(np.ones(n) - step * np.eye(n)[i])) / (2 * step)
        for i in range(n)
    ]
    result = att_gt(data, **COLUMNS).aggregate(kind)
    assert result.att == pytest.approx(whole(np.ones(n)))
    assert result.se == pytest.approx(np.sqrt(np.sum(np.square(slope))), rel=1e-7)


def test_levels_of_units_and_shocks_of_times_change_nothing():
    data = panel(2)
    moved = data.assign(
        y=data["y"] + 1000 * (data["unit"] % 7) + 10 * data["time"] ** 2, unit="u" + data["unit"].astype(str)
    )
    moved = moved.sample(frac=1, random_state=1)
    for control in ("never", "notyet"):
        pd.testing.assert_frame_equal(
            att_gt(data, **COLUMNS, control=control).table, att_gt(moved, **COLUMNS, control=control).table
        )


def test_copies_of_units_in_clusters_bring_no_precision():
    data = panel(4)
    copies = pd.concat([data, data.assign(unit=data["unit"] + 1000)]).assign(
        district=lambda x: x["unit"] % 1000
    )
    once, twice = att_gt(data, **COLUMNS), att_gt(copies, **COLUMNS, cluster="district")
    np.testing.assert_allclose(once.table["se"], twice.table["se"])
    np.testing.assert_allclose(once.table["se"], np.sqrt(2) * att_gt(copies, **COLUMNS).table["se"])
    assert once.aggregate("group").se == pytest.approx(twice.aggregate("group").se)


def test_errors_by_cluster_are_those_of_did_and_a_cohort_of_one_state_has_none(mpdta):
    result = att_gt(mpdta, **MPDTA, cluster="state")
    later = result.table["group"] > 2004
    np.testing.assert_allclose(result.table.loc[later, "se"], BY_STATE, atol=1e-13)
    assert result.table.loc[~later, "se"].isna().all()
    assert any("Cohort 2004" in note and "one cluster" in note for note in result.notes)
    assert np.isnan(result.aggregate("simple").se)
    dynamic = result.aggregate("dynamic").parts.set_index("event_time")
    assert dynamic["se"].notna().tolist() == [True, True, True, False, False, False, False]
    assert att_gt(mpdta[mpdta["start"] != 2004], **MPDTA, cluster="state").aggregate("simple").se > 0


def test_bands_for_all_are_wider_and_cover_all_at_once():
    # 200 panels: the error of a share of .95 is .015; 80 units are few: .94 will do.
    covered = 0
    for seed in range(200):
        result = att_gt(panel(seed, n=80, times=4, starts=(0, 3), effect=0), **COLUMNS)
        band = result.uniform(draws=300, seed=seed)
        covered += ((band["lower"] < 0) & (band["upper"] > 0)).all()
        assert (band["upper"] >= result.table["upper"]).all()
    assert abs(covered / 200 - 0.94) < 3 * 0.016


def test_bands_of_counties_come_near_the_printed_ones(mpdta):
    # did's pages print bands of ATT(2007, 2007), −.0261 (.0172) to .0204 and (.0175) to .0205: 2.70 and 2.66.
    # With 1000 draws each, such a value moves by .07 (sd over seeds).
    result = att_gt(mpdta, **MPDTA)
    band = result.uniform(draws=4000)
    critical = (band["upper"] - band["att"]) / result.table["se"]
    np.testing.assert_allclose(critical, critical[0])
    assert abs(critical[0] - 2.68) < 3 * 0.07 / np.sqrt(2)
    pd.testing.assert_frame_equal(band, result.uniform(draws=4000))
    assert result.aggregate("dynamic").uniform(draws=1000)["upper"].notna().all()


def test_units_without_an_outcome_at_some_time_are_left_out_and_counted():
    data = panel(6)
    gone = data.copy()
    gone.loc[(gone["unit"] == 10) & (gone["time"] == 2), "y"] = np.nan
    gone = gone[~((gone["unit"] == 11) & (gone["time"] == 5))]
    result = att_gt(gone, **COLUMNS)
    assert any(note.startswith("2 of 60 units have no outcome at some time") for note in result.notes)
    pd.testing.assert_frame_equal(result.table, att_gt(data[~data["unit"].isin([10, 11])], **COLUMNS).table)
    assert result.n_units == 58


def test_units_that_start_at_the_first_time_are_left_out_and_counted():
    data = panel(6)
    early = data.assign(start=data["start"].where(data["unit"] > 9, 1))
    result = att_gt(early, **COLUMNS)
    assert any(note.startswith("10 units start at the first time (1)") for note in result.notes)
    pd.testing.assert_frame_equal(result.table, att_gt(data[data["unit"] > 9], **COLUMNS).table)


def test_a_start_after_the_last_time_or_at_infinity_is_never():
    data = panel(6)
    late = data.assign(start=data["start"].replace(0, 9).astype(float))
    result = att_gt(late, **COLUMNS)
    assert any("start after the last time (6) and count as never treated" in note for note in result.notes)
    pd.testing.assert_frame_equal(result.table, att_gt(data, **COLUMNS).table)
    endless = data.assign(start=data["start"].astype(float).replace(0, np.inf))
    assert att_gt(endless, **COLUMNS).notes == ()


def test_where_everybody_starts_the_last_are_controls_until_they_do():
    data = panel(6, starts=(3, 4, 6))
    with pytest.raises(DataError, match="control='notyet'"):
        att_gt(data, **COLUMNS)
    result = att_gt(data, **COLUMNS, control="notyet")
    assert result.table["group"].unique().tolist() == [3, 4]
    assert result.table["time"].max() == 5
    assert any("those that start last (6) are controls" in note for note in result.notes)
    cut = data[data["time"] < 6].assign(start=lambda x: x["start"].replace(6, 0))
    pd.testing.assert_frame_equal(result.table, att_gt(cut, **COLUMNS, control="notyet").table)


def test_a_cohort_of_one_unit_has_an_effect_and_no_error():
    data = panel(6)
    data.loc[data["unit"] == 7, "start"] = 5
    result = att_gt(data, **COLUMNS)
    alone = result.table["group"] == 5
    assert result.table.loc[alone, "att"].notna().all()
    assert result.table.loc[alone, ["se", "lower", "upper"]].isna().all(axis=None)
    assert result.table.loc[~alone, "se"].notna().all()
    assert any("Cohort 5" in note and "one unit" in note for note in result.notes)
    assert result.uniform().loc[~alone, "upper"].notna().all()


@pytest.mark.parametrize("who", ["start", "never start"])
def test_one_cluster_on_a_side_is_refused(who):
    data = panel(6)
    one = (data["start"] > 0) == (who == "start")
    data["school"] = np.where(one, "Skole 3", "s" + (data["unit"] % 9).astype(str))
    with pytest.raises(FitError, match=f"All units that {who} are one cluster \\('Skole 3'\\)"):
        att_gt(data, **COLUMNS, cluster="school")


def test_outcomes_that_never_move_have_no_error_and_a_note():
    result = att_gt(panel(6).assign(y=lambda x: x["time"] * 1.0), **COLUMNS)
    assert (result.table["att"] == 0).all()
    assert result.table["se"].isna().all()
    assert any("changed exactly alike" in note for note in result.notes)


def _twice(data):
    return pd.concat([data, data.iloc[[8]]])


def _wave_names(data):
    return data.assign(time="w" + data["time"].astype(str))


def _dates(data):
    return data.assign(time=pd.to_datetime("2024-01-01") + pd.to_timedelta(data["time"], unit="D"))


def _changing_start(data):
    return data.assign(start=data["start"].where(data.index != 8, 5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_twice, "'unit × time': a unit stands more than once at a time \\(value '1 × 3'\\)"),
        (lambda d: pd.concat([d, d]), r"more than once at a time, 360 times \(value '0 × 1, …'\)"),
        (_wave_names, "'time': holds no numbers \\(value 'w1'\\)"),
        (_dates, "'time': holds dates. Number the times"),
        (_changing_start, "'start': changes within one value of 'unit' \\(value '1'\\)"),
        (
            lambda d: d.assign(start=d["start"].astype(float).replace(0, np.nan)),
            "'start': is missing in .* 0 is never",
        ),
        (
            lambda d: d.assign(unit=d["unit"].astype("Int64").where(d["unit"] != 3)),
            "'unit': is missing in 6 rows",
        ),
        (lambda d: d.assign(y=d["y"].where(d.index != 4, np.inf)), "'y': has infinite values"),
        (lambda d: d.assign(y=np.nan), "'y': has no values"),
        (lambda d: d.drop(columns="y").assign(Y=1.0), "'y': is no column. Did you mean 'Y'"),
        (lambda d: d.assign(start=0), "No unit starts the programme after the first time"),
        (lambda d: d.assign(start=1), "No unit starts|No unit has"),
        (lambda d: d.assign(time=d["time"] - 3, start=d["start"] - 3), "'time': goes from below 0"),
        (
            lambda d: d.assign(y=d["y"].where(d["unit"] % 6 != d["time"] - 1)),
            "No unit has an outcome at all 6 times",
        ),
        (lambda d: d[d["time"] == 1], "No unit starts|one time only"),
        (lambda d: d.iloc[:0], "no rows"),
        (lambda d: d.to_numpy(), "DataFrame"),
    ],
)
def test_data_as_people_have_them_are_refused_in_words(change, message):
    with pytest.raises(DataError, match=message):
        att_gt(change(panel(6)), **COLUMNS)


def test_unknown_options_are_refused():
    with pytest.raises(DataError, match="'never' or 'notyet'"):
        att_gt(panel(6), **COLUMNS, control="nevertreated")
    with pytest.raises(DataError, match="'varying' or 'universal'"):
        att_gt(panel(6), **COLUMNS, base="long")
    with pytest.raises(DataError, match="simple, group, dynamic, calendar"):
        att_gt(panel(6), **COLUMNS).aggregate("event")
    with pytest.raises(DataError, match="`ci_prob`"):
        att_gt(panel(6), **COLUMNS, ci_prob=95)


def test_no_time_before_the_start_leaves_no_trend_to_test():
    with pytest.raises(FitError, match="no trend to test"):
        att_gt(panel(6, times=2, starts=(0, 2)), **COLUMNS).pre_test()


def test_nothing_warns_on_text_ids_and_nullable_columns():
    data = panel(6).assign(unit=lambda x: "u" + x["unit"].astype(str))
    data = data.convert_dtypes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = att_gt(data, **COLUMNS, cluster="district")
    assert result.table["se"].notna().all()
