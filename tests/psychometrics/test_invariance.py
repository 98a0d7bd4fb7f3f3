"""Measurement invariance over groups and waves: truth recovered, tests of levels, errors."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics import cfa, invariance
from tests.psychometrics.invariance_models import NAMES, WAVES, A, with_few_categories


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


def test_a_level_left_out_is_tested_with_the_next(agreeable):
    data = agreeable.dropna()
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
    data = with_few_categories(datcat, items, {}, 2)
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
