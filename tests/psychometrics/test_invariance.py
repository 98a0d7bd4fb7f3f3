"""Measurement invariance over groups and waves: semTools' models, truth recovered, errors."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.errors import DataError
from relcap_models.psychometrics import invariance

AGREEABLE = [f"A{i}" for i in range(1, 6)]
A = "A =~ A1 + A2 + A3 + A4 + A5"
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


def test_levels_may_end_early(datcat):
    one = {"ordered": True, "group": "g"}
    result = invariance("f =~ u1 + u2 + u3", datcat, levels=["configural", "thresholds"], **one)
    assert list(result.fits) == ["configural", "thresholds"]
    continuous = invariance("f =~ u1 + u2 + u3 + u4", datcat, group="g", levels=["configural", "loadings"])
    assert list(continuous.table.index) == ["configural", "loadings"]


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("f =~ a + b + c", {}, "either `group` or `waves`"),
        ("f =~ a + b + c", {"group": "g", "waves": WAVES}, "either `group` or `waves`"),
        ("f =~ a + b + c", {"group": "gg"}, "two groups: 'gg'"),
        ("f =~ a + b + bb", {"group": "g"}, "no column bb"),
        ("f =~ a + b + c", {"group": "g", "ordered": ["x"]}, "names x, which the model"),
        ("f =~ 1*a + b + c", {"group": "g"}, "`f =~ a` with its modifiers.*`partial`"),
        ("f =~ a + b + c\nf ~ d", {"group": "g"}, "`f ~ d`"),
        (
            "f =~ a + b + binary",
            {"group": "g", "ordered": True},
            "'binary': has two categories.*Leave it out",
        ),
        (
            "f =~ a + b + rare",
            {"group": "g", "ordered": True},
            "'rare': nobody in group 'y'.*category 9.*Collapse",
        ),
        ("f =~ a + b + c", {"group": "g", "levels": ["loadings"]}, "leading part"),
        ("f =~ a + b + c", {"group": "g", "levels": ["configural", "intercepts"]}, "leading part"),
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
    ],
)
def test_what_cannot_be_compared_is_said(model, options, message):
    data = _answers(300, 4)
    data["g"] = np.repeat(["x", "y"], 150)
    data["binary"] = (data["a"] > 1).astype(int)
    data["rare"] = data["a"].where(data.index != 3, 9)
    with pytest.raises(DataError, match=f"(?s){message}"):
        invariance(model, data, **options)
