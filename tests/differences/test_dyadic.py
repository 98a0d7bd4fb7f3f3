"""Dyadic-robust errors: every pair of rows in an oracle, and coverage where units make relations alike."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from relcap_models.differences import dyadic_covariance, dyadic_ols
from relcap_models.errors import DataError, FitError


def relations(seed: int, n: int = 50, *, waves: int = 1) -> pd.DataFrame:
    """Every unit rates every other; half the units are trained, and are seen .5 higher once they are."""
    random = np.random.default_rng(seed)
    rater, target = np.nonzero(~np.eye(n, dtype=bool))
    trained = random.permutation(n) < n // 2
    pair = random.normal(size=(n, n))
    level = (pair + pair.T)[rater, target] + 3 * random.normal(size=len(rater))
    tables = []
    for wave in range(waves):
        gives, gets, both = random.normal(size=n), random.normal(size=n), random.normal(size=(n, n))
        noise = random.normal(size=len(rater)) + (both + both.T)[rater, target]
        now = wave == waves - 1
        y = level * (waves > 1) + gives[rater] + gets[target] + noise + 0.5 * trained[target] * now
        tables.append(pd.DataFrame({"rater": rater, "target": target, "y": y, "wave": wave}))
    return pd.concat(tables, ignore_index=True).assign(
        target_trained=lambda x: 1.0 * trained[x["target"]],
        rater_trained=lambda x: 1.0 * trained[x["rater"]],
        relation=lambda x: x["rater"] * n + x["target"],
    )


MODEL = {"outcome": "y", "regressors": ["target_trained", "rater_trained"], "units": ("rater", "target")}


def by_every_pair(design, residuals, first, second):
    """The sum over all pairs of rows that share a unit, from the definition."""
    ends = [{a, b} for a, b in zip(first, second)]
    share = np.array([[bool(one & other) for other in ends] for one in ends])
    scores = design * residuals[:, None]
    bread = np.linalg.inv(design.T @ design)
    return bread @ (scores.T @ share @ scores) @ bread


@pytest.mark.parametrize(
    "kind", ["round robin", "own unit too", "some relations, several times", "undirected"]
)
def test_every_pair_of_rows_agrees(kind):
    random = np.random.default_rng(1)
    first, second = map(np.ravel, np.indices((9, 9)))
    if kind != "own unit too":
        first, second = first[first != second], second[first != second]
    if kind == "some relations, several times":
        chosen = random.integers(len(first), size=70)
        first, second = first[chosen], second[chosen]
    if kind == "undirected":
        first, second = first[first < second], second[first < second]
    design, residuals = random.normal(size=(len(first), 3)), random.normal(size=len(first))
    names = np.array(list("ihgfedcba"))
    np.testing.assert_allclose(
        dyadic_covariance(design, residuals, names[first], names[second]),
        by_every_pair(design, residuals, first, second),
        rtol=1e-9,
        atol=1e-15,
    )


def test_rows_that_share_no_unit_have_the_usual_robust_errors():
    random = np.random.default_rng(2)
    data = pd.DataFrame(
        {"rater": np.arange(200), "target": np.arange(200, 400), "x": random.normal(size=200)}
    )
    data["y"] = data["x"] + random.normal(size=200) * (1 + data["x"].abs())
    result = dyadic_ols(data, outcome="y", regressors=["x"], units=("rater", "target"))
    usual = sm.OLS(data["y"], sm.add_constant(data[["x"]])).fit(cov_type="HC0")
    np.testing.assert_allclose(result.table["estimate"], usual.params)
    np.testing.assert_allclose(result.table["se"], usual.bse)
    assert (result.n_units, result.n_relations, result.n_rows) == (400, 200, 200)


def test_intervals_cover_where_the_usual_ones_do_not():
    # 600 data sets gave a mean error of .271 and a spread of estimates of .283: .945 are to be covered by
    # t(49), with an error of .013 from 300 data sets.
    covered, naive = 0, 0
    for seed in range(300):
        data = relations(seed)
        row = dyadic_ols(data, **MODEL).table.set_index("term").loc["target_trained"]
        covered += row["lower"] < 0.5 < row["upper"]
        if seed < 50:
            usual = sm.OLS(data["y"], sm.add_constant(data[MODEL["regressors"]])).fit(cov_type="HC1")
            low, high = usual.conf_int().loc["target_trained"]
            naive += low < 0.5 < high
    assert abs(covered / 300 - 0.945) < 3 * 0.013
    assert naive / 50 < 0.6


def test_levels_of_relations_are_absorbed_as_dummies_would():
    data = relations(3, 12, waves=3).assign(
        second=lambda x: 1.0 * (x["wave"] == 1),
        third=lambda x: 1.0 * (x["wave"] == 2),
        effect=lambda x: x["target_trained"] * (x["wave"] == 2),
    )
    regressors = ["effect", "second", "third"]
    result = dyadic_ols(
        data, outcome="y", regressors=regressors, units=("rater", "target"), absorb="relation"
    )
    dummies = pd.get_dummies(data["relation"], dtype=float)
    usual = sm.OLS(data["y"], pd.concat([data[regressors], dummies], axis=1)).fit()
    np.testing.assert_allclose(result.table["estimate"], usual.params[regressors])
    full = dyadic_covariance(
        usual.model.exog, usual.resid.to_numpy(), data["rater"].to_numpy(), data["target"].to_numpy()
    )
    np.testing.assert_allclose(result.covariance, full[:3, :3], rtol=1e-6)


def test_names_order_and_direction_of_units_change_nothing():
    data = relations(4, 15)
    turned = data.rename(columns={"rater": "target", "target": "rater"})
    for side in ("rater", "target"):
        turned[side] = "u" + turned[side].astype(str)
    turned = turned.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(dyadic_ols(data, **MODEL).table, dyadic_ols(turned, **MODEL).table)


def test_the_scale_of_a_regressor_changes_nothing_and_columns_that_depend_are_refused():
    data = relations(4, 15)
    large = data.assign(target_trained=lambda x: 1e10 * x["target_trained"])
    once, again = dyadic_ols(data, **MODEL).table, dyadic_ols(large, **MODEL).table
    np.testing.assert_allclose(once["se"], again["se"] * [1, 1e10, 1])
    same = np.ones((len(data), 2))
    with pytest.raises(FitError, match="depend on each other"):
        dyadic_covariance(same, data["y"].to_numpy(), data["rater"].to_numpy(), data["target"].to_numpy())


def test_few_units_and_rows_left_out_are_said():
    data = relations(5, 12)
    data.loc[[3, 5], "y"] = np.nan
    notes = dyadic_ols(data, **MODEL).notes
    assert notes[0].startswith("2 of 132 rows miss a value")
    assert "12 units (fewer than 50)" in notes[1]
    assert dyadic_ols(relations(5, 50), **MODEL).notes == ()


def test_a_negative_variance_is_repaired_and_said():
    # Three units, two rows that share one unit with opposite errors of the intercept.
    random = np.random.default_rng(0)
    for _ in range(200):
        data = pd.DataFrame(
            {"rater": [0, 1, 2, 0, 1, 2], "target": [1, 2, 0, 2, 0, 1], "y": random.normal(size=6)}
        )
        data["x"] = random.normal(size=6)
        result = dyadic_ols(data, outcome="y", regressors=["x"], units=("rater", "target"))
        if any("came out negative" in note for note in result.notes):
            break
    else:
        pytest.fail("no negative variance in 200 tries")
    assert (result.table["se"] >= 0).all()
    assert np.linalg.eigvalsh(result.covariance).min() > -1e-12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop(columns="rater"), "'rater': is no column. Columns: "),
        (lambda d: d.assign(rater_trained="ja"), r"'rater_trained': holds no numbers \(value 'ja'\)"),
        (lambda d: d.assign(rater_trained=2.0), r"What 'rater_trained' say|What 'intercept' say"),
        (lambda d: d.assign(rater_trained=1 - d["target_trained"]), "leave it out"),
        (lambda d: d.assign(y=np.nan), "No row has the outcome"),
        (lambda d: d.assign(target=d["target"].where(d["target"] > 2)), "'target': is missing in"),
        (lambda d: d.iloc[:2], "2 rows cannot tell 3 terms apart"),
        (lambda d: d.assign(y=d["y"].where(d.index != 1, np.inf)), "'y': has infinite"),
    ],
)
def test_data_as_people_have_them_are_refused_in_words(change, message):
    with pytest.raises(DataError, match=message):
        dyadic_ols(change(relations(6, 10)), **MODEL)


def test_what_a_relation_never_changes_cannot_be_told_from_its_level():
    data = relations(7, 10, waves=2)
    with pytest.raises(DataError, match=r"'rater_trained', 'target_trained' .* within values of 'relation'"):
        dyadic_ols(data, **MODEL, absorb="relation")
