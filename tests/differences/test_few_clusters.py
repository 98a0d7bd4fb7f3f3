"""Few clusters: every draw and every assignment counted by brute force, and errors of the first kind."""

from itertools import combinations, permutations, product

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from relcap_models.differences import few_clusters
from relcap_models.differences.wild_bootstrap import wild_cluster_bootstrap
from relcap_models.errors import DataError, FitError

COLUMNS = {"cluster": "district", "time": "wave", "cohort": "start", "outcome": "y"}


def districts(seed: int, starts=(3, 3, 3, 0, 0, 0), *, waves: int = 4, effect: float = 1.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    n, start = len(starts), np.array(starts)
    at, wave = np.repeat(np.arange(n), waves), np.tile(np.arange(1, waves + 1), n)
    y = random.normal(size=n)[at] + random.normal(size=waves)[wave - 1] + random.normal(size=n * waves)
    y += effect * ((start[at] > 0) & (wave >= start[at]))
    return pd.DataFrame({"district": at, "wave": wave, "start": start[at], "y": y})


def regression(data: pd.DataFrame, y: np.ndarray) -> tuple[float, float]:
    """Coefficient and cluster-robust t of being in the programme, with dummies for district and wave."""
    data = data.assign(d=1.0 * ((data["start"] > 0) & (data["wave"] >= data["start"])), y=y)
    fit = smf.ols("y ~ d + C(district) + C(wave)", data).fit(
        cov_type="cluster", cov_kwds={"groups": data["district"]}
    )
    return fit.params["d"], fit.tvalues["d"]


def wild_p(data: pd.DataFrame, null: float, values: list[float]) -> float:
    """The restricted wild cluster bootstrap from its definition, with every draw there can be."""
    d = 1.0 * ((data["start"] > 0) & (data["wave"] >= data["start"]))
    y = data["y"] - null * d
    restricted = smf.ols("y ~ C(district) + C(wave)", data.assign(y=y)).fit()
    t = regression(data, y)[1]
    draws = np.array(list(product(values, repeat=data["district"].nunique())))
    as_large = [
        abs(regression(data, restricted.fittedvalues + v[data["district"]] * restricted.resid)[1])
        >= abs(t) * (1 - 1e-9)
        for v in draws
    ]
    return float(np.mean(as_large))


# wildboottest 0.3.2 gave the same p for full enumeration on three such data sets of 8 and 10 clusters
# (.015625, .351562, .076172).
def test_the_wild_bootstrap_is_that_of_the_regression_with_every_draw():
    data = districts(1)
    result = few_clusters(data, **COLUMNS, weights="rademacher")
    row = result.table.set_index("method").loc["wild cluster bootstrap"]
    assert result.estimate == pytest.approx(regression(data, data["y"])[0])
    assert (row["n_draws"], row["exact"]) == (64, True)
    assert row["p"] == wild_p(data, 0, [-1, 1])
    # Limits are where the p of another null hypothesis passes .05.
    for limit, out in ((row["lower"], -1), (row["upper"], 1)):
        assert wild_p(data, limit + 1e-6 * out, [-1, 1]) <= 0.05 < wild_p(data, limit - 1e-6 * out, [-1, 1])


def test_webb_weights_are_drawn_where_clusters_are_few():
    table = few_clusters(districts(1), **COLUMNS, draws=2000).table.set_index("method")
    assert table.loc["wild cluster bootstrap", "n_draws"] == 2000
    many = few_clusters(districts(1, starts=[3] * 7 + [0] * 7), **COLUMNS, draws=2000).table.set_index(
        "method"
    )
    same = few_clusters(
        districts(1, starts=[3] * 7 + [0] * 7), **COLUMNS, draws=2000, weights="rademacher"
    ).table.set_index("method")
    pd.testing.assert_frame_equal(many, same)
    five = few_clusters(districts(1, starts=[3, 3, 0, 0, 0]), **COLUMNS).table.set_index("method")
    assert five.loc["wild cluster bootstrap", ["n_draws", "exact"]].tolist() == [6**5, True]


def test_randomisation_counts_every_assignment():
    data = districts(2)
    row = few_clusters(data, **COLUMNS).table.set_index("method").loc["randomisation inference"]
    assert (row["n_draws"], row["exact"]) == (20, True)

    def p(null):
        y = data["y"] - null * ((data["start"] > 0) & (data["wave"] >= 3))
        effects = {
            chosen: regression(data.assign(start=3 * data["district"].isin(chosen)), y)[0]
            for chosen in combinations(range(6), 3)
        }
        return np.mean([abs(e) >= abs(effects[0, 1, 2]) * (1 - 1e-9) for e in effects.values()])

    assert row["p"] == pytest.approx(p(0))
    wide = few_clusters(data, **COLUMNS, ci_prob=0.8).table.set_index("method").loc["randomisation inference"]
    for limit, out in ((wide["lower"], -1), (wide["upper"], 1)):
        assert p(limit + 1e-6 * out) <= 0.2 < p(limit - 1e-6 * out)


def test_several_starts_are_permuted_together():
    starts = (2, 2, 3, 0, 0, 0, 0)
    data = districts(3, starts)
    wide = data.pivot(index="district", columns="wave", values="y")

    def effect(start):
        start = np.array(start)
        never = wide[start == 0]
        each = []
        for at in np.flatnonzero(start):
            after = wide.columns >= start[at]
            change = wide.loc[:, after].mean(axis=1) - wide.loc[:, ~after].mean(axis=1)
            each.append(change[at] - change[never.index].mean())
        return np.mean(each)

    result = few_clusters(data, **COLUMNS)
    assert result.estimate == pytest.approx(effect(starts))
    assert result.table["method"].tolist() == ["randomisation inference"]
    assert any("2 times" in note and "no wild cluster bootstrap" in note for note in result.notes)
    every = [abs(effect(one)) for one in set(permutations(starts))]
    row = result.table.iloc[0]
    assert (row["n_draws"], row["exact"]) == (len(every), True) == (105, True)
    assert row["p"] == np.mean(np.array(every) >= abs(effect(starts)) - 1e-9)


def test_randomisation_rejects_a_true_null_as_often_as_it_says():
    # Over the 70 assignments of one data set without effect, p ≤ a occurs in at most a share a of them.
    data = districts(4, starts=[3] * 4 + [0] * 4, effect=0)
    found = []
    for chosen in combinations(range(8), 4):
        result = few_clusters(data.assign(start=3 * data["district"].isin(chosen)), **COLUMNS, draws=99)
        found.append(result.table["p"].iloc[1])
    for level in (0.05, 0.1, 0.3, 0.5):
        assert np.mean(np.array(found) <= level + 1e-9) == pytest.approx(np.floor(level * 35 + 1e-9) / 35)


def test_random_assignments_come_near_all_of_them():
    data = districts(5, starts=[3] * 6 + [0] * 6)
    every = few_clusters(data, **COLUMNS, draws=999).table.iloc[1]
    assert (every["n_draws"], every["exact"]) == (924, True)
    some = few_clusters(data, **COLUMNS, draws=900, seed=3).table.iloc[1]
    assert (some["n_draws"], some["exact"]) == (901, False)
    assert abs(some["p"] - every["p"]) < 4 * np.sqrt(every["p"] * (1 - every["p"]) / 900)
    assert abs(some["upper"] - every["upper"]) < 0.1 * (every["upper"] - every["lower"])


def test_the_wild_bootstrap_rejects_a_true_null_as_often_as_it_says():
    # 400 data sets of 10 clusters: the error of .1 is .015. The usual t (normal) rejects far more often.
    random, treated = np.random.default_rng(1), np.arange(10) < 5
    wild, usual = 0, 0
    for seed in range(400):
        change = random.normal(size=10)
        p, *_ = wild_cluster_bootstrap(change, treated, weights=None, draws=199, seed=seed, ci_prob=0.9)
        wild += p <= 0.1
        sides = change[treated], change[~treated]
        se = np.sqrt(sum(side.var() / 5 for side in sides))
        usual += abs(sides[0].mean() - sides[1].mean()) > 1.645 * se
    assert abs(wild / 400 - 0.1) < 3 * 0.015
    assert usual / 400 > 0.145


def test_respondents_are_averaged_and_missing_answers_left_out():
    data = districts(6)
    people = pd.concat([data.assign(y=data["y"] + shift) for shift in (-1, 0, 1)])
    people = pd.concat([people, data.assign(y=np.nan)])
    pd.testing.assert_frame_equal(few_clusters(people, **COLUMNS).table, few_clusters(data, **COLUMNS).table)
    gone = people[(people["district"] != 5) | (people["wave"] != 2)]
    result = few_clusters(gone, **COLUMNS)
    assert any(note.startswith("1 of 6 units have no outcome") for note in result.notes)
    assert (result.n_treated, result.n_control) == (3, 2)


@pytest.mark.parametrize(("starts", "who"), [((3, 0, 0, 0, 0), "is in"), ((3, 3, 3, 3, 0), "is not in")])
def test_one_cluster_on_a_side_is_refused(starts, who):
    with pytest.raises(FitError, match=f"One cluster only {who} the programme \\('[04]'\\).*no method"):
        few_clusters(districts(7, starts), **COLUMNS)


def test_too_few_assignments_have_no_interval_and_very_few_clusters_a_note():
    result = few_clusters(districts(8, (3, 3, 0, 0)), **COLUMNS)
    row = result.table.set_index("method").loc["randomisation inference"]
    assert (row["n_draws"], row["lower"], row["upper"]) == (6, -np.inf, np.inf)
    assert any("6 ways to assign the clusters, too few" in note for note in result.notes)
    assert any("hardly ever finds an effect" in note for note in result.notes)


def test_clusters_that_change_alike_are_refused():
    data = districts(9).assign(
        y=lambda x: x["wave"] + 0.5 * x["district"] + 2.0 * (x["start"] * x["wave"] > 8)
    )
    with pytest.raises(FitError, match="changed exactly alike"):
        few_clusters(data, **COLUMNS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.assign(start=3), "Every cluster starts .* Leave out the times from the last start"),
        (lambda d: d.assign(start=0), "No cluster starts"),
        (lambda d: d.assign(start=d["start"].where(d.index != 1, 2)), "'start': changes within one value"),
        (lambda d: d.drop(columns="y"), "'y': is no column"),
    ],
)
def test_data_as_people_have_them_are_refused_in_words(change, message):
    with pytest.raises(DataError, match=message):
        few_clusters(change(districts(7)), **COLUMNS)


def test_unknown_options_are_refused():
    with pytest.raises(DataError, match="'webb' or 'rademacher'"):
        few_clusters(districts(7), **COLUMNS, weights="mammen")
    with pytest.raises(DataError, match="Too few draws"):
        few_clusters(districts(7), **COLUMNS, draws=10)
