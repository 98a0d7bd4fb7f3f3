"""Measurement invariance over groups and waves: semTools' models, truth recovered, errors."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics import cfa, invariance

AGREEABLE = [f"A{i}" for i in range(1, 6)]
A = "A =~ A1 + A2 + A3 + A4 + A5"
TWO = "FU1 =~ u1 + u2 + u3 + u4\nFU2 =~ u5 + u6 + u7 + u8"
WAVES = [{f"u{i}": f"u{i + 4 * wave}" for i in range(1, 5)} for wave in (0, 1)]
HOLZINGER = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
NAMES = ["chisq", "df", "chisq.scaled", "cfi.scaled", "rmsea.scaled", "srmr"]


@pytest.fixture(scope="session")
def bfi(data_of):
    data = data_of("psychtools_bfi")[[*AGREEABLE, "gender", "education"]]
    return data.assign(A1=7 - data["A1"])


@pytest.fixture(scope="session")
def datcat(data_of):
    return data_of("semtools_datcat")


# chisq, df, chisq.scaled, cfi.scaled, rmsea.scaled, srmr by level. semTools 0.5-6, lavaan 0.6-14:
# measEq.syntax(model, data, ordered, "theta", ID.fac = "std.lv", ID.cat = "Wu.Estabrook.2016", group,
# group.equal, group.partial), then cfa with WLSMV (MLR for the last). Respondents complete in A1-A5, gender
# and education, A1 reversed; in `three` the groups are education, and answers 1-3 and 5-6 are collapsed.
SEMTOOLS = {
    "full": [
        (67.26476873, 10, 124.6944873, 0.9750752518, 0.09596202553, 0.03698673627),
        (72.47892002, 25, 143.9492473, 0.9741506318, 0.06180718709, 0.03698673563),
        (90.94839682, 29, 135.1878771, 0.9769238596, 0.05422088531, 0.03998420976),
        (157.4610342, 33, 199.1874485, 0.9638850968, 0.06358728382, 0.03896608224),
        (189.2422074, 38, 215.1326446, 0.9615065496, 0.06117664261, 0.04029714958),
    ],
    "partial": [
        (67.26476873, 10, 124.6944873, 0.9750752518, 0.09596202553, 0.03698673627),
        (70.70295408, 24, 142.4196069, 0.9742657302, 0.06294109886, 0.03698674176),
        (88.42506523, 27, 135.1995599, 0.9764866922, 0.05672297481, 0.03990038517),
        (114.2474375, 30, 160.0410492, 0.971740225, 0.05899398576, 0.0390724295),
        (138.521105, 35, 178.1204176, 0.9688978917, 0.05729871853, 0.03995113618),
    ],
    "mixed": [
        (54.18255913, 10, 123.6193513, 0.959797999, 0.09551119673, 0.03457783067),
        (57.71269179, 19, 124.9051757, 0.9625275102, 0.06689750583, 0.03457784266),
        (83.09908285, 23, 122.7511918, 0.9647049779, 0.05900968043, 0.04130643815),
        (124.5225816, 27, 163.0941892, 0.9518457141, 0.06361595384, 0.04199877198),
        (139.251162, 32, 161.9858042, 0.9540070475, 0.0571085466, 0.04142201024),
    ],
    "three": [
        (44.16342966, 25, 74.93377425, 0.9826492413, 0.06335589153, 0.0429671635),
        (44.16342991, 25, 74.93379396, 0.9826492344, 0.06335590403, 0.04296727201),
        (61.9625981, 41, 106.1220697, 0.9773716821, 0.05649785806, 0.04457297383),
        (79.62793176, 57, 107.8834756, 0.9823192434, 0.0423555934, 0.04602048639),
        (222.3891853, 77, 268.9688842, 0.9332955331, 0.07078314773, 0.06209507701),
    ],
    "holzinger": [
        (115.8513439, 48, 121.7406511, 0.9144846334, 0.1010333179, 0.06786409628),
        (124.0435442, 54, 125.9974779, 0.916506152, 0.09412251252, 0.07165158811),
        (164.1028309, 60, 166.7481862, 0.876206541, 0.1087267426, 0.08244697357),
        (181.5113452, 69, 181.4287787, 0.8696188863, 0.1040509264, 0.08826263841),
    ],
}


@pytest.mark.parametrize("case", SEMTOOLS)
def test_models_as_semtools_writes_them(bfi, data_of, case):
    complete = bfi.dropna()
    collapsed = complete.copy()
    collapsed[AGREEABLE] = np.digitize(complete[AGREEABLE], [3.5, 4.5])
    model, data, options = {
        "full": (A, complete, {"ordered": True, "group": "gender"}),
        "partial": (
            A,
            complete,
            {"ordered": True, "group": "gender", "partial": ["A =~ A2", "A3 | t1", "A1 ~ 1"]},
        ),
        "mixed": (A, complete, {"ordered": AGREEABLE[:3], "group": "gender"}),
        "three": (A, collapsed, {"ordered": True, "group": "education"}),
        "holzinger": (HOLZINGER, data_of("lavaan_hs1939"), {"group": "school"}),
    }[case]
    found = invariance(model, data, **options).table[NAMES].to_numpy()
    # Scaled measures move in their sixth digit where lavaan stops its optimiser.
    np.testing.assert_allclose(found, SEMTOOLS[case], rtol=3e-6, atol=3e-6)


# As SEMTOOLS; with `group`, `group.equal`, `longFacNames` and `long.equal` where groups are followed over
# waves. In `bfi` answers above 4 are 1 (all items, or A1 and A4), and A2 and A5 are collapsed to 4 and below,
# 5, 6; in `datcat` u1 and u5 are split above 2, and u2 and u6 collapsed to 2 and below, 3, 4 and above.
COLLAPSED = {
    "groups over waves": [
        (19.06052902, 30, 31.71841307, 0.9983119803, 0.0240539032, 0.0452587485),
        (28.88151841, 54, 51.03717158, 1, 0, 0.04525876309),
        (36.33104497, 63, 57.73240989, 1, 0, 0.04816173552),
        (49.55316364, 72, 72.3471009, 0.9996590382, 0.006978209853, 0.04824056134),
        (63.07154393, 84, 88.23940334, 0.9958355785, 0.0225785022, 0.05206547531),
    ],
    "some continuous over waves": [
        (9.847049273, 15, 19.24143187, 0.9942231227, 0.03769502885, 0.03660331405),
        (11.87954665, 21, 23.29524057, 0.9968738569, 0.02343569949, 0.03660332241),
        (13.03874828, 24, 22.57691809, 1, 0, 0.03751991327),
        (15.87720338, 27, 26.26169147, 1, 0, 0.0375583304),
        (17.19303934, 31, 28.11618754, 1, 0, 0.03705114176),
    ],
    "some continuous, groups over waves": [
        (14.18571321, 30, 28.96413976, 1, 0, 0.0436097383),
        (23.29523122, 48, 46.14784972, 1, 0, 0.04360969303),
        (30.53212055, 57, 51.32939534, 1, 0, 0.04777838736),
        (40.61921943, 66, 63.81251018, 1, 0, 0.04784214208),
        (48.10755617, 78, 73.99371484, 1, 0, 0.04957522251),
    ],
    "two categories": [
        (42.31553919, 10, 67.40348822, 0.9779549904, 0.06512384169, 0.04560314832),
        (42.3155392, 10, 67.40348759, 0.9779549906, 0.06512384133, 0.04560314734),
        (45.22396576, 14, 56.71949445, 0.9835941735, 0.04748100517, 0.04702995401),
        (44.95981213, 13, 69.56732504, 0.9782761072, 0.0566998637, 0.04568307251),
        (67.14922814, 18, 85.17753228, 0.974201405, 0.05251055887, 0.04702303736),
    ],
    "two to six categories": [
        (35.19169797, 10, 60.73542726, 0.987798528, 0.061224681, 0.0362808623),
        (37.77665253, 13, 68.02646159, 0.986766568, 0.05592229514, 0.0362808385),
        (45.56997561, 17, 61.8561638, 0.9892124447, 0.04415272107, 0.0388649067),
        (78.79228882, 19, 119.8508669, 0.9757461582, 0.06262300263, 0.03930607883),
        (92.22522885, 24, 120.1928153, 0.9768663831, 0.05441724701, 0.03904427983),
    ],
    "two to five categories, two factors": [
        (28.1584101, 38, 42.40082074, 0.9931462451, 0.03420246789, 0.06905576049),
        (32.13612348, 46, 49.80154687, 0.9940795429, 0.02889240284, 0.06905571011),
        (35.94287548, 52, 52.46471638, 0.9992762595, 0.00950111817, 0.07196974974),
        (47.63916227, 56, 66.52611265, 0.9836068314, 0.04357349501, 0.07207806995),
        (53.42366033, 64, 72.08763971, 0.987404463, 0.03572755643, 0.07262330877),
    ],
    "two to five categories over waves": [
        (12.85644203, 15, 19.35735687, 0.9928110392, 0.03820668847, 0.04856846857),
        (13.81167586, 19, 21.66176034, 0.9956085096, 0.02653268104, 0.04856847698),
        (20.46434304, 22, 28.81433786, 0.9887574028, 0.03945244767, 0.06050039759),
        (19.27950221, 24, 27.4934651, 0.9942363261, 0.0270455642, 0.05019393847),
        (25.57538491, 28, 34.62717326, 0.9890661953, 0.03448725343, 0.0604834692),
    ],
}


def _collapsed(
    data: pd.DataFrame, two: list[str], three: dict[str, tuple[int, int]], above: int
) -> pd.DataFrame:
    found = data.copy()
    found[two] = (data[two] > above).astype(int)
    for item, (lowest, highest) in three.items():
        found[item] = data[item].clip(lowest, highest)
    return found


@pytest.mark.parametrize("case", COLLAPSED)
def test_waves_within_groups_and_few_categories_as_semtools_has_them(bfi, datcat, case):
    complete = bfi[[*AGREEABLE, "gender"]].dropna()
    binary = _collapsed(complete, AGREEABLE, {}, 4)
    unlike = _collapsed(complete, ["A1", "A4"], {"A2": (4, 6), "A5": (4, 6)}, 4)
    few = _collapsed(datcat, ["u1", "u5"], {"u2": (2, 4), "u6": (2, 4)}, 2)
    one, three = "FU =~ u1 + u2 + u3 + u4", ["u1", "u2", "u3"]
    model, data, options = {
        "groups over waves": (one, datcat, {"ordered": True, "group": "g", "waves": WAVES}),
        "some continuous over waves": (one, datcat, {"ordered": three, "waves": WAVES}),
        "some continuous, groups over waves": (one, datcat, {"ordered": three, "group": "g", "waves": WAVES}),
        "two categories": (A, binary, {"ordered": True, "group": "gender"}),
        "two to six categories": (A, unlike, {"ordered": True, "group": "gender"}),
        "two to five categories, two factors": (TWO, few, {"ordered": True, "group": "g"}),
        "two to five categories over waves": (one, few, {"ordered": True, "waves": WAVES}),
    }[case]
    result = invariance(model, data, **options)
    np.testing.assert_allclose(result.table[NAMES], COLLAPSED[case], rtol=3e-6, atol=3e-6)
    assert ("Two categories" in " ".join(result.notes)) == case.startswith("two")
    if case.startswith("two"):
        # Not nested in the loadings level, where residual variances of two categories are equal.
        df = result.table["df"]
        assert result.table.loc["intercepts", "diff.df"] == df["intercepts"] - df["thresholds"]


def test_residual_variances_and_intercepts_may_stay_free(bfi):
    """semTools and lavaan as above, items A1 to A3 ordered, at the last level."""
    found = invariance(
        A, bfi.dropna(), ordered=AGREEABLE[:3], group="gender", partial=["A2 ~~ A2", "A4 ~~ A4", "A5 ~ 1"]
    ).table.loc["residuals", NAMES]
    wanted = (135.4506246, 29, 164.8281856, 0.9519398343, 0.06132309769, 0.04166384227)
    np.testing.assert_allclose(found, wanted, rtol=3e-6, atol=3e-6)


def _answers(n: int, seed: int, *, mean: float = 0.0, bias: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    loading = np.array([0.8, 0.8, 0.7, 0.7, 0.6])
    beneath = rng.normal(mean, 1, (n, 1)) * loading + rng.normal(size=(n, 5)) * np.sqrt(1 - loading**2)
    beneath[:, 0] += bias
    return pd.DataFrame(sum((beneath > cut).astype(int) for cut in (-0.8, 0.0, 0.8)), columns=list("abcde"))


def test_a_biased_item_moves_the_mean_and_freeing_it_puts_that_right():
    n = 4000
    data = pd.concat([_answers(n, 1), _answers(n, 2, mean=0.3, bias=0.5)], ignore_index=True)
    group = np.repeat(["x", "y"], n)
    result = invariance("f =~ a + b + c + d + e", data, ordered=True, group=group, partial=["a ~ 1"])
    row = result.mean_impact.iloc[0]
    assert (row["factor"], row["where"]) == ("f", "y")
    mean = result.fits["intercepts"].parameters.query("lhs == 'f' and op == '~1' and group == 2")
    assert abs(row["partial"] - 0.3) < 3.5 * mean["se"].iloc[0]
    assert row["equal"] > row["partial"] + 0.1
    assert row["impact"] == pytest.approx(row["partial"] - row["equal"])
    assert (result.table["diff.pvalue"].dropna() > 0.001).all()
    strict = invariance("f =~ a + b + c + d + e", data, ordered=True, group=group)
    assert strict.table.loc["intercepts", "diff.pvalue"] < 1e-10
    assert strict.mean_impact.empty


def test_three_waves_with_a_rising_mean():
    n = 3000
    rng = np.random.default_rng(3)
    person, own = rng.normal(size=(n, 1)), rng.normal(size=(n, 4))
    waves, columns = [], {}
    for k, mean in enumerate((0.0, 0.3, 0.6), start=1):
        factor = mean + np.sqrt(0.6) * person + np.sqrt(0.4) * rng.normal(size=(n, 1))
        beneath = 0.8 * factor + 0.6 * (np.sqrt(0.3) * own + np.sqrt(0.7) * rng.normal(size=(n, 4)))
        for item, answers in zip("abcd", beneath.T):
            columns[f"{item}{k}"] = np.digitize(answers, [-0.7, 0.3, 1.2])
        waves.append({item: f"{item}{k}" for item in "abcd"})
    result = invariance("f =~ a + b + c + d", pd.DataFrame(columns), ordered=True, waves=waves)
    table = result.fits["intercepts"].parameters
    means = table[(table["op"] == "~1") & table["lhs"].str.startswith("f.")]
    # In units of the first wave's factor: its sd is 1 there, and means are 0, .3, .6.
    assert (np.abs(means["est"] - [0.0, 0.3, 0.6])[1:] < 3.5 * means["se"].iloc[1:]).all()
    assert (result.table["diff.pvalue"].dropna() > 0.001).all()
    assert "a1 ~~ a3" in result.syntax["configural"]


def test_means_of_two_groups_over_three_waves():
    n = 2500
    rng = np.random.default_rng(8)
    truth = {"x": (0.0, 0.2, 0.4), "y": (0.3, 0.3, 0.9)}
    frames = []
    for group, means in truth.items():
        person, own, columns = rng.normal(size=(n, 1)), rng.normal(size=(n, 4)), {"g": group}
        for k, mean in enumerate(means, start=1):
            factor = mean + np.sqrt(0.6) * person + np.sqrt(0.4) * rng.normal(size=(n, 1))
            beneath = 0.8 * factor + 0.6 * (np.sqrt(0.3) * own + np.sqrt(0.7) * rng.normal(size=(n, 4)))
            columns |= {f"{i}{k}": np.digitize(v, [-0.7, 0.3, 1.2]) for i, v in zip("abcd", beneath.T)}
        frames.append(pd.DataFrame(columns))
    result = invariance(
        "f =~ a + b + c + d",
        pd.concat(frames, ignore_index=True),
        ordered=True,
        group="g",
        waves=[{i: f"{i}{k}" for i in "abcd"} for k in (1, 2, 3)],
        levels=["configural", "intercepts"],
        partial=["a ~ 1"],
    )
    means = result.mean_impact.set_index("where")
    assert list(means.index) == ["x w2", "x w3", "y w1", "y w2", "y w3"]
    table = result.fits["intercepts"].parameters
    se = table[(table["op"] == "~1") & table["lhs"].str.startswith("f.")].set_index(["group", "lhs"])["se"]
    for where, row in means.iterrows():
        group, wave = where.split()
        error = se["xy".index(group) + 1, f"f.{wave}"]
        # Nothing is biased: freeing an intercept moves no mean beyond its error.
        assert abs(row["partial"] - truth[group][int(wave[1]) - 1]) < 3.5 * error
        assert abs(row["impact"]) < 3.5 * error
    assert result.table.loc["intercepts", "diff.pvalue"] > 0.001


def test_a_level_left_out_is_tested_with_the_next(bfi):
    data = bfi.dropna()
    whole = invariance(A, data, ordered=True, group="gender")
    some = invariance(A, data, ordered=True, group="gender", levels=["configural", "loadings", "residuals"])
    assert list(some.table.index) == ["configural", "loadings", "residuals"]
    pd.testing.assert_frame_equal(some.table[NAMES], whole.table.loc[some.table.index, NAMES])
    # lavTestLRT of the models that semTools writes (see SEMTOOLS).
    assert some.table.loc["loadings", "diff.df"] == 19
    assert some.table.loc["loadings", "diff.chisq"] == pytest.approx(34.6441686239, rel=3e-6)
    assert some.table.loc["loadings", "diff.pvalue"] == pytest.approx(0.0154096989486, rel=1e-5)


def test_a_level_that_cannot_be_estimated_is_named_with_the_way_on(datcat):
    """Two waves of two categories; lavaan does not converge there, and at the last level has these values."""
    items = [f"u{i}" for i in range(1, 9)]
    data = _collapsed(datcat, items, {}, 2)
    options = {"ordered": True, "waves": WAVES}
    with pytest.raises(
        FitError, match=r"level `intercepts`: .*not identified.*`levels` without it.*`residuals`"
    ):
        invariance("FU =~ u1 + u2 + u3 + u4", data, **options)
    levels = ["configural", "loadings", "residuals"]
    result = invariance("FU =~ u1 + u2 + u3 + u4", data, levels=levels, **options)
    wanted = (22.65725639, 21, 29.12069107, 0.9738758629, 0.04408190041, 0.0785574981)
    np.testing.assert_allclose(result.table.loc["residuals", NAMES], wanted, rtol=3e-6, atol=3e-6)
    assert result.table.loc["residuals", "diff.df"] == 3


def test_pandas_ordered_categories_are_ordered(datcat):
    items = [f"u{i}" for i in range(1, 5)]
    known = datcat.assign(**{i: pd.Categorical(datcat[i], ordered=True) for i in items})
    options = {"group": "g", "levels": ["configural", "thresholds"]}
    asked = invariance("f =~ u1 + u2 + u3 + u4", datcat, ordered=True, **options)
    pd.testing.assert_frame_equal(invariance("f =~ u1 + u2 + u3 + u4", known, **options).table, asked.table)


def test_levels_may_end_early(datcat):
    one = {"ordered": True, "group": "g"}
    result = invariance("f =~ u1 + u2 + u3", datcat, levels=["configural", "thresholds"], **one)
    assert list(result.fits) == ["configural", "thresholds"]
    continuous = invariance("f =~ u1 + u2 + u3 + u4", datcat, group="g", levels=["configural", "loadings"])
    assert list(continuous.table.index) == ["configural", "loadings"]


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("f =~ a + b + c", {}, "Name `group`, `waves`, or both"),
        ("f =~ a + b + c", {"group": "gg"}, "two groups: 'gg'"),
        ("f =~ a + b + bb", {"group": "g"}, "no column bb"),
        ("f =~ a + b + c", {"group": "g", "ordered": ["x"]}, "names x, which the model"),
        ("f =~ 1*a + b + c", {"group": "g"}, "`f =~ a` with its modifiers.*`partial`"),
        ("f =~ a + b + c\nf ~ d", {"group": "g"}, "`f ~ d`"),
        (
            "f =~ a + b + binary",
            {"group": "g", "ordered": True, "partial": ["binary | t1"]},
            "frees the only threshold of binary",
        ),
        (
            "f =~ a + b + rare",
            {"group": "g", "ordered": True},
            "'rare': nobody in group 'y'.*category 9.*Collapse",
        ),
        (
            "f =~ a + b + c",
            {"group": "g", "levels": ["loadings", "configural"]},
            "configural, thresholds, loadings, intercepts, residuals, each once and in this order",
        ),
        (
            "f =~ a + b + c",
            {"group": "g", "levels": ["configural", "scalar"]},
            "order, and not configural, s",
        ),
        ("f =~ a + b + c", {"group": "g", "levels": []}, "and not empty"),
        ("f =~ a + b + c", {"group": "g", "levels": ["thresholds"]}, "there are no ordered items"),
        ("f =~ a + b + c", {"group": "g", "partial": ["f =~ d"]}, "names f =~ d, which the model"),
        (
            "f =~ a + b + c",
            {"group": "g", "ordered": True, "partial": ["a | t1 + t2"]},
            "fewer than two equal thresholds of a",
        ),
        ("f =~ a + b + c", {"group": "g", "partial": ["f =~ a + b + c"]}, "no equal loading of f"),
        ("f =~ a + b + c", {"group": "g", "partial": ["a ~ 1", "b ~ 1", "c ~ 1"]}, "no equal intercept of f"),
        ("f =~ a + b", {"waves": [{"a": "a", "b": "b"}]}, "needs two waves"),
        ("f =~ a + b", {"waves": [{"a": "a", "b": "b"}, {"a": "c"}]}, "wave 2 names no column.*'b'"),
        ("f =~ a + b", {"waves": [{"a": "a", "b": "b"}, {"a": "a", "b": "d"}]}, "a column stands twice"),
        (
            "f =~ a + b",
            {"waves": [{"a": "a", "b": "b"}, {"a": "c", "b": "rare"}], "ordered": True},
            "'b': nobody at wave 1.*category 9.*Collapse",
        ),
        (
            "f =~ a + b",
            {"waves": [{"a": "a", "b": "b"}, {"a": "c", "b": "rare"}], "group": "g", "ordered": True},
            "'b': nobody in group 'y' at wave 2.*category 9.*Collapse.*all groups and in all waves alike",
        ),
    ],
)
def test_what_cannot_be_compared_is_said(model, options, message):
    data = _answers(300, 4)
    data["g"] = np.repeat(["x", "y"], 150)
    data["binary"] = (data["a"] > 1).astype(int)
    data["rare"] = data["a"].where(data.index != 3, 9)
    with pytest.raises(DataError, match=f"(?s){message}"):
        invariance(model, data, **options)


def test_words_among_answers_and_items_without_answers_are_named():
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.integers(1, 4, (200, 4)), columns=list("abcd")).assign(
        g=np.repeat(["x", "y"], 100)
    )
    options = {"ordered": True, "group": "g"}
    words = data.astype({"a": object})
    words.loc[3, "a"] = "often"
    with pytest.raises(DataError, match=r"a.*no numbers, such as 'often'"):
        invariance("f =~ a + b + c + d", words, **options)
    with pytest.raises(DataError, match=r"b.*has no answers"):
        invariance("f =~ a + b + c + d", data.assign(b=np.nan), **options)
    with pytest.raises(DataError, match=r"b.*has no answers"):
        cfa("f =~ a + b + c + d", data.assign(b=np.nan), ordered=True)
    with pytest.raises(DataError, match=r"a.*stands twice"):
        invariance("f =~ a + b + c + d", pd.concat([data, data[["a"]]], axis=1), **options)


def test_differences_of_continuous_items_are_satorras(data_of):
    """lavTestLRT(method = "satorra.2000", A.method = "delta") of MLR models, lavaan 0.6-14."""
    table = invariance("f =~ x1 + x2 + x3 + x9", data_of("lavaan_hs1939"), group="school").table
    assert table["diff.chisq"].to_numpy()[1:] == pytest.approx([2.91689452, 22.8927879, 4.58349005], rel=1e-6)
    assert table["diff.df"].to_numpy()[1:].tolist() == [3, 3, 4]


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


def test_a_difference_that_cannot_be_computed_is_noted(data_of, monkeypatch):
    def refuse(*fits, method):
        raise DataError("no scaling")

    monkeypatch.setattr("relcap_models.psychometrics.structural.invariance.compare", refuse)
    data = data_of("lavaan_hs1939")
    data.loc[::3, "x1"] = np.nan
    found = invariance(
        "f =~ x1 + x2 + x3", data, group="school", missing="fiml", levels=["configural", "loadings"]
    )
    assert found.table["diff.chisq"].isna().all()
    assert found.notes == ("`loadings` against `configural`: no scaling",)


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
