"""Factor scores: lavaan's values, a slow oracle, models that say the same, and what has no scores."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics import cfa
from relcap_models.psychometrics.structural.ordinal_scores import most_probable

AGREEABLE = [f"A{i}" for i in range(1, 6)]
A = "A =~ A1 + A2 + A3 + A4 + A5"
ITEMS = [f"u{i}" for i in range(1, 9)]
TWO = "FU1 =~ u1 + u2 + u3 + u4\nFU2 =~ u5 + u6 + u7 + u8"
ROWS = [0, 1, 3, 4]
# lavPredict(fit, method, optim.method = "nlminb")[c(1, 2, 4, 5), ], lavaan 0.6-14; `pairwise` lacks answer
# k, k + 7, k + 14, … of item k. lavaan's optimiser stops at 1e-8 of the likelihood, which is 3e-5 of a score.
LAVAAN = {
    ("ordinal", "EBM"): [
        (-0.27866188, -0.4595004),
        (-0.44976837, -0.42701953),
        (-1.0141947, -0.56008979),
        (0.60778356, 0.82959735),
    ],
    ("ordinal", "ML"): [
        (-0.28830401, -0.5576526),
        (-0.53514375, -0.48289848),
        (-1.3195537, -0.55764993),
        (0.66805901, 0.98645566),
    ],
    ("mixed", "EBM"): [
        (-0.29080623, -0.49360766),
        (-0.45765159, -0.46743614),
        (-1.0170617, -0.59597654),
        (0.61965107, 0.93668134),
    ],
    ("mixed", "ML"): [
        (-0.30085638, -0.60103023),
        (-0.54003895, -0.53504902),
        (-1.3138968, -0.60103026),
        (0.66657844, 1.1278319),
    ],
    ("pairwise", "EBM"): [
        (-0.48619322, -0.49861056),
        (-0.39296511, -0.39230886),
        (-0.78118649, -0.5470328),
        (0.59914796, 0.81963545),
    ],
}
LAVAAN_STOPS = 5e-5


def _with_gaps(datcat: pd.DataFrame) -> pd.DataFrame:
    data = datcat[ITEMS].astype(float)
    for k, item in enumerate(ITEMS):
        data.loc[np.arange(k, 200, 7), item] = np.nan
    return data


@pytest.mark.parametrize(("kind", "method"), LAVAAN)
def test_two_factors_as_lavaan(datcat, kind, method):
    data, options = {
        "ordinal": (datcat, {"ordered": ITEMS}),
        "mixed": (datcat, {"ordered": ITEMS[:3]}),
        "pairwise": (_with_gaps(datcat), {"ordered": ITEMS, "missing": "pairwise"}),
    }[kind]
    scores = cfa(TWO, data, **options).predict(method=method)
    np.testing.assert_allclose(scores.iloc[ROWS], LAVAAN[kind, method], atol=LAVAAN_STOPS)


def test_agreeableness_as_lavaan(bfi):
    data = bfi[AGREEABLE].dropna().reset_index(drop=True)
    scores = cfa(A, data, ordered=True).predict()
    wanted = [-0.40171936, -0.14029573, 0.063395408, -0.39618627]
    np.testing.assert_allclose(scores["A"].iloc[ROWS], wanted, atol=LAVAAN_STOPS)


def test_bartlett_scores_of_continuous_items_as_lavaan(data_of):
    """lavPredict(method = "Bartlett"), lavaan 0.6-14: complete answers, and without x1 of the third."""
    data = data_of("lavaan_hs1939")
    model = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6"
    found = cfa(model, data).predict(method="ML")
    wanted = [
        (-1.35897777098, -0.1040424903),
        (0.08148919143, -1.1995862791),
        (-0.56441211772, -2.1060550863),
    ]
    # lavaan's optimiser stops at 1e-5 of an estimate or so.
    np.testing.assert_allclose(found.iloc[:3], wanted, atol=1e-5)
    data.loc[2, "x1"] = np.nan
    found = cfa(model, data, missing="fiml").predict(method="ML")
    np.testing.assert_allclose(found.iloc[2], (-0.84972521, -2.106113112661), atol=1e-4)


def _slow(result, answers: pd.DataFrame, codes: list[str], number: int) -> np.ndarray:
    """(respondent, latent) modes by a general optimiser, written from the parameters one by one."""
    p = result.parameters[result.parameters["group"] == number]
    value = p.set_index(["lhs", "op", "rhs"])["est"]
    factors = list(dict.fromkeys(p.loc[p["op"] == "=~", "lhs"]))
    mean = np.array([value.get((f, "~1", ""), 0.0) for f in factors])
    cov = np.array(
        [[value.get((f, "~~", g), value.get((g, "~~", f), 0.0)) for g in factors] for f in factors]
    )
    precision = np.linalg.inv(cov)
    items = list(answers.columns)
    loading = np.array([[value.get((f, "=~", i), 0.0) for f in factors] for i in items])
    found = []
    for row in answers.to_numpy():

        def loss(eta, row=row):
            total = 0.5 * (eta - mean) @ precision @ (eta - mean)
            for i, answer, slope in zip(items, row, loading):
                at, sd = value.get((i, "~1", ""), 0.0) + slope @ eta, np.sqrt(value[i, "~~", i])
                if i not in codes:
                    total -= norm.logpdf(answer, at, sd)
                elif not np.isnan(answer):
                    cuts = [-np.inf, *(v for (a, op, _), v in value.items() if a == i and op == "|"), np.inf]
                    k = int(answer)
                    total -= np.log(norm.cdf((cuts[k] - at) / sd) - norm.cdf((cuts[k - 1] - at) / sd))
            return total

        found.append(minimize(loss, mean, method="BFGS", options={"gtol": 1e-7}).x)
    return np.array(found)


@pytest.mark.parametrize("parameterization", ["delta", "theta"])
@pytest.mark.parametrize("ordered", [8, 5])
def test_each_group_is_scored_with_its_own_parameters(datcat, parameterization, ordered):
    """lavaan 0.6-14 scores all groups with the first one's loadings, and takes thresholds in units of the
    scaled variable and residual variances in others: no reference for groups, nor for scales."""
    result = cfa(
        TWO,
        datcat,
        ordered=ITEMS[:ordered],
        group="g",
        group_equal=["thresholds", "loadings"],
        parameterization=parameterization,
    )
    scores = result.predict()
    for number, name in enumerate(result.groups, start=1):
        rows = np.flatnonzero(datcat["g"] == name)[:12]
        wanted = _slow(result, datcat.loc[rows, ITEMS], ITEMS[:ordered], number)
        # A general optimiser with numerical slopes.
        np.testing.assert_allclose(scores.loc[rows], wanted, atol=1e-5)


def test_parameterizations_differ_by_the_unit_of_the_factor(bfi):
    data = bfi[AGREEABLE].dropna().reset_index(drop=True)
    fits = [cfa(A, data, ordered=True, parameterization=p) for p in ("delta", "theta")]
    spread = [r.parameters.query("lhs == 'A' and op == '~~' and rhs == 'A'")["est"].iloc[0] for r in fits]
    for method in ("EBM", "ML"):
        delta, theta = (r.predict(method=method)["A"] / np.sqrt(v) for r, v in zip(fits, spread))
        # Estimates agree to 1e-6; the vague prior of ML is wide in units of the factor.
        kept = delta.abs() < 5
        np.testing.assert_allclose(delta[kept], theta[kept], atol=1e-4)
    assert kept.mean() > 0.9


def test_groups_without_equalities_are_scored_as_if_alone(datcat):
    scores = cfa(TWO, datcat, ordered=True, group="g").predict()
    alone = datcat[datcat["g"] == "female"]
    wanted = cfa(TWO, alone.reset_index(drop=True), ordered=ITEMS).predict()
    np.testing.assert_allclose(scores.loc[alone.index], wanted, atol=1e-6)


def test_continuous_predictors_and_outcomes_inform_scores():
    """With all variables but one normal, and that one cut in 40, scores are nearly normal ones."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=3000)
    f = 0.6 * x + rng.normal(size=3000)
    data = pd.DataFrame({"x": x, **{name: f + rng.normal(size=3000) for name in "abc"}})
    data["y"] = 0.5 * f + rng.normal(size=3000)
    model = "f =~ a + b + c\nf ~ x\ny ~ f\nx ~~ x"
    wanted = cfa(model, data).predict()["f"]
    cut = data.assign(c=pd.cut(data["c"], np.linspace(-6, 6, 41), labels=False))
    cut = cut[cut.groupby("c")["c"].transform("size") > 2].reset_index()
    found = cfa(model, cut.drop(columns="index"), ordered=["c"]).predict()["f"]
    unit = found.std() / wanted.std()
    assert np.corrcoef(found, wanted.loc[cut["index"]])[0, 1] > 0.998
    assert unit == pytest.approx(1, abs=0.05)


def test_second_order_factors_have_scores_given_the_model_and_from_the_answers_none():
    rng = np.random.default_rng(9)
    general, columns = rng.normal(size=2000), {}
    for factor in "ABC":
        own = 0.8 * general + 0.6 * rng.normal(size=2000)
        columns |= {f"{factor}{i}": 0.8 * own + 0.6 * rng.normal(size=2000) for i in range(1, 4)}
    data = pd.DataFrame(columns)
    lines = [f"{k} =~ {k}1 + {k}2 + {k}3" for k in "ABC"]
    result = cfa(
        "\n".join([*lines, "G =~ A + B + C"]), data.apply(np.digitize, bins=[-1, 0, 1]), ordered=True
    )
    scores = result.predict()
    assert list(scores.columns) == ["A", "B", "C", "G"]
    # The mode of G given the others' modes is their regression.
    moments = result.fit.model.moments(result.fit.theta)[0].covariance[-4:, -4:]
    wanted = scores[["A", "B", "C"]].to_numpy() @ np.linalg.solve(moments[:3, :3], moments[:3, 3])
    np.testing.assert_allclose(scores["G"], wanted, atol=1e-8)
    continuous = cfa("\n".join([*lines, "G =~ A + B + C"]), data)
    with pytest.raises(FitError, match=r"measured by factors.*EBM"):
        continuous.predict(method="ML")


def test_derivatives_reach_the_maximum_of_extreme_answers():
    """Answers far in the tails, where probabilities underflow."""
    lower, upper = np.array([[40.0, -np.inf]]), np.array([[41.0, -60.0]])
    slope = np.array([[1.0], [0.5]])
    found = most_probable(lower, upper, slope)[0, 0]

    def loss(z):
        first = norm.logsf(40 - z) + np.log1p(-np.exp(norm.logsf(41 - z) - norm.logsf(40 - z)))
        return 0.5 * z * z - first - norm.logcdf(-60 - 0.5 * z)

    # The loss is near 900: it moves by its rounding error within 1e-6 of its minimum.
    grid = np.linspace(found - 1e-3, found + 1e-3, 2001)
    assert abs(grid[np.argmin([loss(z) for z in grid])] - found) < 1e-5


def test_thousands_of_respondents_have_scores_of_five_factors(bfi):
    items = [f"{k}{i}" for k in "ACENO" for i in range(1, 6)]
    model = "\n".join(f"{k} =~ " + " + ".join(i for i in items if i[0] == k) for k in "ACENO")
    result = cfa(model, bfi[items].dropna().reset_index(drop=True), ordered=True)
    scores = result.predict()
    assert scores.shape == (2436, 5)
    assert scores.notna().all(axis=None)


def test_scores_that_do_not_exist_are_refused(datcat):
    with pytest.raises(DataError, match="'EBM' or 'ML', and not 'EAP'"):
        cfa(TWO, datcat, ordered=True).predict(method="EAP")
    a = np.digitize(np.random.default_rng(9).normal(size=80), [-0.5, 0.7])
    b, c = np.where(np.arange(80) % 12 > 0, a, 2 - a), np.where(np.arange(80) % 5 > 0, a, 1)
    result = cfa("f =~ a + b + c", pd.DataFrame({"a": a, "b": b, "c": c}), ordered=True, std_lv=True)
    with pytest.raises(FitError, match="residual variance of c is not positive"):
        result.predict()


def test_a_model_without_latent_variables_has_no_scores():
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"z": rng.normal(size=200)})
    data["a"] = (data["z"] + rng.normal(size=200) > 0).astype(int)
    data["b"] = (data["a"] + rng.normal(size=200) > 0).astype(int)
    assert cfa("a ~ z\nb ~ a", data, ordered=["a", "b"]).predict().shape == (200, 0)


MEDIATION = "v =~ x1 + x2 + x3\nx7 ~ v\nt =~ x4 + x5 + x6\nt ~ x7"


def test_likelihood_scores_do_not_count_what_explains_a_factor(data_of):
    """lavPredict(sem(model, data, meanstructure = TRUE), method = "ML")[1:2], lavaan 0.6-14."""
    data = data_of("lavaan_hs1939")
    given = cfa("t =~ x4 + x5 + x6\nt ~ x7 + x8\nx9 ~ t + x8", data).predict(method="ML")
    np.testing.assert_allclose(given["t"][:2], [0.94312813, -0.15502266], atol=1e-6)
    mediated = cfa(MEDIATION + "\nx4 ~ 1", data)
    scores = mediated.predict(method="ML")
    np.testing.assert_allclose(scores["v"][:2], [-1.10593554, -0.10176839], atol=2e-6)
    # Bartlett's scores from t's items alone, worked out from the parameters.
    table = mediated.parameters.set_index(["lhs", "op", "rhs"])["est"]
    items = ["x4", "x5", "x6"]
    loading = np.array([table["t", "=~", i] for i in items])
    weight = loading / [table[i, "~~", i] for i in items]
    off = data[items] - [table[i, "~1", ""] for i in items]
    np.testing.assert_allclose(scores["t"], off @ weight / (loading @ weight), atol=1e-10)


def test_scores_of_what_a_mediator_explains_hang_on_its_value_alone(data_of):
    """Whatever explains x7, the model of t given x7 is one, and so are its estimates and scores."""
    data = data_of("lavaan_hs1939")
    first = cfa(MEDIATION, data).predict()["t"]
    second = cfa("x7 ~ x8\nt =~ x4 + x5 + x6\nt ~ x7", data).predict()["t"]
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_an_ordered_mediator_tells_of_what_it_explains(data_of):
    """Against the posterior written out: the mediator's disturbance is part of the second factor."""
    data = data_of("lavaan_hs1939")
    for name, column, bounds in (
        ("y", "x4", [2.2, 3.2, 4.2]),
        ("y5", "x5", [3.2, 4.2, 5.2]),
        ("y6", "x6", [1.2, 2.2, 3.2]),
        ("m", "x1", [4, 5, 6]),
    ):
        data[name] = np.digitize(data[column], bounds, right=True)
    model = "v =~ y + y5 + y6\nm ~ v\nt =~ x7 + x8 + x9\nt ~ m + v"
    result = cfa(model, data, ordered=["y", "y5", "y6", "m"])
    table = result.parameters.set_index(["lhs", "op", "rhs"])["est"]

    def of_category(name, value, mean, variance):
        bounds = [-np.inf, *(table[name, "|", f"t{k}"] for k in (1, 2, 3)), np.inf]
        low, high = ((bounds[value + k] - mean) / np.sqrt(variance) for k in (0, 1))
        return np.log(norm.cdf(high) - norm.cdf(low))

    def loss(eta, row):
        v, t = eta
        through, direct, up = table["t", "~", "m"], table["t", "~", "v"], table["m", "~", "v"]
        own, rest = table["m", "~~", "m"], table["t", "~~", "t"]
        spread = rest + through**2 * own
        off = t - (through * up + direct) * v
        total = norm.logpdf(v, 0, np.sqrt(table["v", "~~", "v"])) + norm.logpdf(off, 0, np.sqrt(spread))
        given = through * own / spread
        total += of_category("m", row["m"], up * v + given * off, own - given * through * own)
        for i in ("y", "y5", "y6"):
            total += of_category(i, row[i], table["v", "=~", i] * v, table[i, "~~", i])
        for i in ("x7", "x8", "x9"):
            mean = table[i, "~1", ""] + table["t", "=~", i] * t
            total += norm.logpdf(row[i], mean, np.sqrt(table[i, "~~", i]))
        return -total

    found = result.predict()
    for i in range(5):
        best = minimize(loss, [0, 0], args=(data.iloc[i],), method="BFGS", options={"gtol": 1e-8}).x
        np.testing.assert_allclose(found.iloc[i], best, atol=1e-5)
    # lavPredict(fit, method = "ML")[1:2], lavaan 0.6-14, whose optimiser stops early.
    wanted = [[0.16356684, 0.35339430], [-0.98024117, 1.17663757]]
    np.testing.assert_allclose(result.predict(method="ML")[:2], wanted, atol=1e-4)
