"""Factor and structural equation models: reference values, agreement with lavaan, and truth recovered."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics import cfa, compare

NAN = float("nan")
HOLZINGER = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"


@pytest.fixture(scope="session")
def holzinger(data_of):
    return data_of("lavaan_hs1939")


@pytest.fixture(scope="session")
def democracy(data_of):
    return data_of("lavaan_politicaldemocracy")


# lavaan 0.6-14, R 4.2.2, cfa(model, data, ...): chisq, df, chisq.scaled, baseline.chisq, rmsea.robust, srmr;
# sums of |est|, se, |std.all| of parameterEstimates(standardized = TRUE), and its rows. Holes in the data:
# x_j of row i (from 1) is missing where (7 i + 3 j) mod 10 = 0 and i mod 4 > 0.
LAVAAN = {
    "single": (11.79822, 2, NAN, 157.0756, NAN, 0.04487755, 8.4049233, 0.9060291, 7.083594, 11),
    "second": (85.30552, 24, NAN, 918.8516, NAN, 0.06520503, 18.015281, 2.147446, 15.32654, 25),
    "path": (9.281625, 10, NAN, 179.7025, NAN, 0.03509473, 37.172895, 6.522961, 10.83342, 18),
    "covar": (65.6626, 23, NAN, 731.5923, NAN, 0.06199692, 14.813117, 1.717731, 13.1326, 24),
    "constr": (34.5213, 10, NAN, 668.6434, NAN, 0.06130899, 33.844372, 2.299518, 25.31062, 17),
    "stdlv": (85.30552, 24, NAN, 918.8516, NAN, 0.0652051, 16.848114, 1.492943, 14.92995, 24),
    "orth": (125.8277, 25, NAN, 918.8516, NAN, 0.1378697, 16.961355, 2.032643, 14.25806, 25),
    "nastar": (14.04259, 8, NAN, 668.6434, NAN, 0.02993442, 34.527127, 1.706666, 28.81341, 24),
    "mgc": (43.5698, 21, NAN, 671.4397, NAN, 0.07454093, 68.004603, 3.81748, 59.45359, 47),
    "mgmlr": (181.5113, 69, 181.4287, 957.7691, 0.1040746, 0.08826265, 110.11743, 6.824973, 99.38653, 72),
    "mgmlm": (124.0435, 54, 118.2209, 957.7691, 0.09105693, 0.07165158, 109.81509, 5.969911, 99.25949, 72),
    "mgstd": (126.4762, 57, NAN, 957.7691, NAN, 0.07772173, 109.29176, 5.765903, 99.30653, 72),
    "mgblock": (1.222354, 2, NAN, 147.5718, NAN, 0.00796714, 43.276907, 3.117598, 36.59139, 25),
    "fiml": (71.8297, 24, NAN, 815.4907, 0.09112469, 0.05974156, 54.960374, 2.602152, 49.18444, 36),
    "fimlmlr": (71.8297, 24, 73.36817, 815.4907, 0.09080115, 0.05974156, 54.960374, 2.797544, 49.18444, 36),
    "fimlmg": (110.0912, 54, 111.944, 849.6319, 0.09273187, 0.07493322, 109.56813, 6.601737, 99.66727, 72),
    "fimlx": (31.84574, 8, NAN, 140.9063, 0.1051471, 0.06077453, 44.716715, 3.75529, 41.87542, 21),
    "covmlr": (46.57426, 17, 47.23178, 705.4594, 0.07632732, 0.06143772, 13.388734, 1.684295, 11.92511, 21),
    "covmlm": (49.98419, 34, 49.85661, 711.0678, 0.05573814, 0.04771302, 112.7621, 13.94598, 105.2106, 62),
    "growth": (54.55278, 5, NAN, 159.1832, NAN, 0.1911224, 42.363939, 7.724475, 11.0436, 21),
    "starts": (1.818164, 2, NAN, 122.5736, NAN, 0.01550093, 22.70411, 1.431137, 21.48306, 14),
    "fixedres": (14.88453, 2, NAN, 111.2711, NAN, 0.0746521, 5.4959662, 0.3934148, 4.598091, 7),
}
OTHER_MODELS = {
    "single": ("v =~ x1 + x2 + x3; t =~ x4\n v ~~ t", {}),
    "second": (HOLZINGER + "\ng =~ visual + textual + speed", {}),
    "path": ("y1 ~ x1 + x2 + y5\ny2 ~ y1 + x3\ny3 ~ y1\ny5 ~ x1", {}),
    "covar": ("v =~ x1 + x2 + x3\nt =~ x4 + x5 + x6\nv ~ ageyr + sex\nt ~ v + sex\nx7 ~ v + t", {}),
    "constr": (
        "v =~ x1 + a*x2 + b*x3\nt =~ x4 + c*x5 + d*x6\na == 2*b - 0.3\nc + d == 2\n"
        "r := a/b + exp(c)\nr2 := r^2",
        {},
    ),
    "stdlv": (HOLZINGER, {"std_lv": True}),
    "orth": (HOLZINGER + "\nvisual ~~ 0*speed\ntextual ~~ 0*visual\nx1 ~~ x9", {}),
    "nastar": ("v =~ NA*x1 + 1*x2 + x3\nt =~ NA*x4 + x5 + 0.9*x6 + x1\nt ~~ 1*t\nx1 ~ 1\nv ~ 0.1*1", {}),
    "mgc": (
        "v =~ x1 + c(a,b)*x2 + c(.7,NA)*x3\nt =~ x4 + L*x5 + c(q,q)*x6\nv ~~ c(0.2,0.3)*t\nd := a - b",
        {"group": "school"},
    ),
    "mgmlr": (
        HOLZINGER,
        {"group": "school", "group_equal": ("loadings", "intercepts", "residuals"), "estimator": "MLR"},
    ),
    "mgmlm": (HOLZINGER, {"group": "school", "group_equal": "loadings", "estimator": "MLM"}),
    "mgstd": (HOLZINGER, {"group": "school", "group_equal": ("loadings", "lv.covariances"), "std_lv": True}),
    "mgblock": (
        "group: Pasteur\nv =~ x1 + x2 + x3\ngroup: Grant-White\nv =~ x1 + x2 + x3 + x4",
        {"group": "school"},
    ),
    "fiml": (HOLZINGER, {"missing": "fiml"}),
    "fimlmlr": (HOLZINGER, {"missing": "fiml", "estimator": "MLR"}),
    "fimlmg": (
        HOLZINGER,
        {"missing": "fiml", "estimator": "MLR", "group": "school", "group_equal": ("loadings",)},
    ),
    "fimlx": ("v =~ x1 + x2 + x3\nv ~ ageyr + sex\n x4 ~ v", {"missing": "fiml"}),
    "covmlr": (
        "v =~ x1 + x2 + x3\nt =~ x4 + x5 + x6\nv ~ ageyr + sex\nt ~ v + sex",
        {"estimator": "MLR"},
    ),
    "covmlm": (
        "v =~ x1 + x2 + x3\nt =~ x4 + x5 + x6\nv ~ ageyr + sex\nt ~ v + sex",
        {"estimator": "MLM", "group": "school"},
    ),
    "growth": (
        "i =~ 1*y1 + 1*y2 + 1*y3 + 1*y4\ns =~ 0*y1 + 1*y2 + 2*y3 + 3*y4\n"
        "y1 ~ 0*1\ny2 ~ 0*1\ny3 ~ 0*1\ny4 ~ 0*1\ni ~ 1\ns ~ 1",
        {},
    ),
    "starts": ("v =~ x1 + x2 + x3\nx1 ~~ 0.5?x1\nv ~ start(0.2)*sex\nx2 ~ 1", {}),
    "fixedres": ("v =~ x1 + equal('v =~ x3')*x2 + x3\nx1 ~~ 0.3*x1", {}),
}


def _with_holes(data):
    row = np.arange(1, len(data) + 1)
    for j in range(1, 10):
        data.loc[((7 * row + 3 * j) % 10 == 0) & (row % 4 > 0), f"x{j}"] = np.nan
    return data


@pytest.mark.parametrize("name", LAVAAN)
def test_other_models_are_lavaans(holzinger, democracy, name):
    model, options = OTHER_MODELS[name]
    data = (democracy if name in ("path", "growth") else holzinger).copy()
    if options.get("missing") == "fiml":
        data = _with_holes(data)
    if name == "fimlx":
        data.loc[[2, 49, 76], "ageyr"] = np.nan
    result = cfa(model, data, **options)
    table = result.parameters
    measures = ["chisq", "df", "chisq.scaled", "baseline.chisq", "rmsea.robust", "srmr"]
    found = [
        *result.fit_measures.reindex(measures),
        *(table[c].abs().sum() for c in ("est", "se", "std_all")),
    ]
    np.testing.assert_allclose([*found, len(table)], LAVAAN[name], rtol=5e-5)


def test_scaled_differences_are_lavaans(holzinger):
    """lavTestLRT(..., method = "satorra.bentler.2001"), lavaan 0.6-14."""
    equal = [(), ("loadings",), ("loadings", "intercepts")]
    fits = [cfa(HOLZINGER, holzinger, group="school", group_equal=e, estimator="MLR") for e in equal]
    table = compare(*fits)
    np.testing.assert_allclose(table["chisq_diff"][1:], [6.5672017, 40.8383912], rtol=1e-5)
    turned = compare(*reversed(fits))
    assert list(turned["model"]) == [3, 2, 1]
    np.testing.assert_allclose(turned["chisq_diff"][1:], table["chisq_diff"][1:])


def test_factor_scores_are_conditional_means(holzinger):
    """Against the normal conditional expectation worked out by hand from the implied moments."""
    result = cfa(HOLZINGER, holzinger)
    scores = result.predict()
    p = result.parameters
    loading = np.zeros((9, 3))
    for lhs, rhs, est in p.loc[p["op"] == "=~", ["lhs", "rhs", "est"]].itertuples(index=False):
        loading[int(rhs[1]) - 1, ["visual", "textual", "speed"].index(lhs)] = est
    block = p[p["op"] == "~~"].set_index(["lhs", "rhs"])["est"]
    latent = np.array(
        [[block.get((a, b), block.get((b, a))) for b in scores.columns] for a in scores.columns]
    )
    residual = np.diag([block[(f"x{i}", f"x{i}")] for i in range(1, 10)])
    answers = holzinger[[f"x{i}" for i in range(1, 10)]].to_numpy()
    sigma = loading @ latent @ loading.T + residual
    expected = (answers - answers.mean(axis=0)) @ np.linalg.solve(sigma, loading @ latent)
    np.testing.assert_allclose(scores, expected, atol=1e-10)


def test_scores_leave_out_whom_the_model_left_out(holzinger):
    data = holzinger.copy()
    data.loc[[4, 7], "x1"] = np.nan
    result = cfa(HOLZINGER, data)
    assert len(result.predict()) == 299
    assert not {4, 7} & set(result.predict().index)
    assert result.notes == ("2 of 301 respondents with missing answers were left out",)


def test_the_unit_of_the_factor_changes_no_fit(holzinger):
    marker, unit = cfa(HOLZINGER, holzinger), cfa(HOLZINGER, holzinger, std_lv=True)
    pd.testing.assert_series_equal(marker.fit_measures, unit.fit_measures, rtol=1e-7)
    np.testing.assert_allclose(marker.parameters["std_all"], unit.parameters["std_all"], atol=1e-7)


def test_units_of_items_change_no_fit(holzinger):
    data = holzinger.copy()
    data["x2"] *= 1000
    data["x5"] /= 500
    plain, scaled = cfa(HOLZINGER, holzinger), cfa(HOLZINGER, data)
    assert scaled.fit_measures["chisq"] == pytest.approx(plain.fit_measures["chisq"], rel=1e-8)
    np.testing.assert_allclose(plain.parameters["std_all"], scaled.parameters["std_all"], atol=1e-7)


def test_answers_without_holes_are_the_same_under_fiml(holzinger):
    listwise = cfa(HOLZINGER + "\nx1 ~ 1", holzinger).parameters
    fiml = cfa(HOLZINGER + "\nx1 ~ 1", holzinger, missing="fiml").parameters
    np.testing.assert_allclose(listwise["est"], fiml["est"], atol=1e-8)


def test_truth_is_recovered_within_its_standard_errors():
    """4,000 respondents, 30 % of answers missing at random: 19 parameters are within 3.5 standard errors."""
    rng = np.random.default_rng(8)
    loading = np.array([[1, 0], [0.8, 0], [1.2, 0], [0, 1], [0, 0.7], [0, 0.9]])
    latent = np.array([[1.0, 0.4], [0.4, 0.8]])
    values = multivariate_normal([0, 0], latent).rvs(4000, random_state=rng) @ loading.T
    values = values + rng.normal(size=values.shape) * np.sqrt(0.5) + np.arange(6)
    values[rng.random(values.shape) < 0.3] = np.nan
    data = pd.DataFrame(values, columns=[f"x{i}" for i in range(6)])
    table = cfa("f =~ x0 + x1 + x2\ng =~ x3 + x4 + x5", data, missing="fiml").parameters
    truth = [1, 0.8, 1.2, 1, 0.7, 0.9, *[0.5] * 6, 1, 0.8, 0.4, *range(6), 0, 0]
    free = table["se"] > 0
    assert free.sum() == 19
    assert (np.abs(table["est"] - truth)[free] / table["se"][free]).max() < 3.5


def test_a_heywood_case_is_named():
    cov = np.array([[1.0, 0.9, 0.9], [0.9, 1.0, 0.7], [0.9, 0.7, 1.0]])
    rng = np.random.default_rng(9)
    values = rng.normal(size=(100, 3))
    values = (values - values.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(values.T, ddof=0))).T
    data = pd.DataFrame(values @ np.linalg.cholesky(cov).T, columns=["a", "b", "c"])
    # One factor would need a communality of 0.9 · 0.9 / 0.7 > 1 of the first item.
    result = cfa("f =~ a + b + c", data)
    (note,) = result.notes
    assert note.startswith("The residual variance of a is negative (a Heywood case)")
    assert result.parameters.set_index("rhs")["est"]["a"].iloc[-1] == pytest.approx(1 - 0.81 / 0.7, abs=1e-6)


def test_one_label_for_all_groups_is_noted(holzinger):
    (note,) = cfa("f =~ x1 + a*x2 + x3 + x4", holzinger, group="school").notes
    assert "equal over groups: a." in note


def test_much_missing_is_noted(holzinger):
    rng = np.random.default_rng(3)
    names = [f"x{i}" for i in range(1, 10)]
    data = holzinger[names].mask(rng.random((301, 9)) < 0.5).head(60)
    result = cfa("v =~ x1 + x2 + x3\nt =~ x4 + x5 + x6", data, missing="fiml")
    assert any("hardly determined" in note for note in result.notes)
    assert "cfi.robust" not in result.fit_measures


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("v =~ x1 + x2 + x33", {}, "'x33' is no column of the data. Nearest known: x3"),
        ("v =~ x1 + a*x2 + x3\nr := aa*2", {}, "row 2: no parameter is labelled 'aa'. Nearest known: a"),
        ("v =~ x1 + a*x2 + b*x3 + x4\na*b == 1", {}, "is not linear"),
        ("v =~ x1 + a*x2 + x3 + x4\na == 1\na == 2", {}, "contradict"),
        ("v =~ x1 + a*x2 + x3 + x4\nr := sqrt(-a)", {}, "has no value"),
        ("v =~ x1 + x2 + double", {}, "singular: x1, x2, double determine one another"),
        ("v =~ x1 + x2 + constant", {}, "was answered 1 by everybody"),
        ("x9 =~ x1 + x2 + x3", {}, "rename the factor"),
        (HOLZINGER, {"group": "skool"}, "Nearest: school"),
        (HOLZINGER, {"group": "few"}, "5 respondents of group 'few' are too few for 9 variables"),
        (HOLZINGER, {"group_equal": "loading"}, "`group_equal` cannot be loading"),
        (HOLZINGER, {"estimator": "WLS"}, "`estimator` is one of"),
        (HOLZINGER, {"missing": "pairwise"}, "`missing` is"),
        (HOLZINGER, {"missing": "fiml", "estimator": "MLM"}, "MLM needs complete answers"),
        ("group: A\nf =~ x1 + x2 + x3", {"group": "school"}, "none for Pasteur"),
        ("x1 ~ x2:x3", {}, "is a product"),
        ("level: 1\nf =~ x1 + x2 + x3", {}, "levels"),
        ("f =~ x1 + x2 + x3\nx1 ~*~ x1", {}, "needs ordered categories"),
    ],
)
def test_what_cannot_be_read_is_said(holzinger, model, options, message):
    few = np.where(np.arange(301) < 5, "few", "many")
    data = holzinger.assign(double=holzinger["x1"] + holzinger["x2"], constant=1.0, few=few)
    with pytest.raises(DataError) as raised:
        cfa(model, data, **options)
    assert message in str(raised.value)


def test_variables_never_answered_together_are_named(holzinger):
    data = holzinger.copy()
    data.loc[:150, "x1"] = np.nan
    data.loc[150:, "x2"] = np.nan
    with pytest.raises(DataError, match="answered both x1 and x2"):
        cfa("v =~ x1 + x2 + x3 + x4", data, missing="fiml")
    with pytest.raises(DataError, match='missing="fiml" uses'):
        cfa("v =~ x1 + x2 + x3 + x4", data)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("v =~ x1 + x2", "4 free parameters, and the data hold only 3"),
        ("v =~ NA*x1 + x2 + x3 + x4 + x5", "v =~ x"),
        ("v =~ x1 + x2 + x3\nt =~ x4 + x5 + x6\nx1 ~~ x2 + x3\nx2 ~~ x3", "x1 ~~ x2"),
    ],
)
def test_a_model_that_is_not_identified_names_parameters(holzinger, model, named):
    with pytest.raises(FitError, match="not identified") as raised:
        cfa(model, holzinger)
    assert named in str(raised.value)


def test_models_of_other_people_are_not_compared(holzinger):
    with pytest.raises(DataError, match="different respondents"):
        compare(cfa(HOLZINGER, holzinger), cfa(HOLZINGER, holzinger.head(200)))
    with pytest.raises(DataError, match="different ways"):
        compare(cfa(HOLZINGER, holzinger), cfa(HOLZINGER, holzinger, estimator="MLR"))


def test_a_model_that_says_everything_has_no_test(holzinger):
    for estimator in ("ML", "MLM", "MLR"):
        measures = cfa("x1 ~ x2 + x3", holzinger, estimator=estimator).fit_measures
        assert measures["df"] == 0
        assert measures["chisq"] == pytest.approx(0, abs=1e-8)
        assert measures["cfi"] == 1


def test_a_factor_without_variance_has_no_standardised_loadings(holzinger):
    """lavaan reports infinity for its covariance; here it is missing."""
    table = cfa("v =~ x1 + x2 + x3\nt =~ x4 + x5 + x6\nv ~~ t\nt ~~ 0*t", holzinger).parameters
    assert table.set_index(["lhs", "rhs"])["std_all"].isna()[("v", "t")]
    assert np.isfinite(table["est"]).all()


def test_a_defined_parameter_that_constraints_make_zero_has_an_error_of_zero(holzinger):
    found = cfa("f =~ x1 + a*x2 + b*x3 + x4\nd := a - b\na == b", holzinger).parameters
    row = found[found["op"] == ":="].iloc[0]
    assert row["est"] == pytest.approx(0, abs=1e-8)
    assert 0 <= row["se"] < 1e-6
    assert set(found.loc[found["op"] != ":=", "level"]) == {1}


def test_a_column_that_stands_twice_is_named_where_the_model_uses_it(holzinger):
    twice = pd.concat([holzinger, holzinger[["x1", "x9"]]], axis=1)
    with pytest.raises(DataError, match="'x1': stands twice"):
        cfa("f =~ x1 + x2 + x3", twice)
    assert cfa("f =~ x2 + x3 + x4", twice).n == 301


@pytest.mark.parametrize(("estimator", "of_lavaan"), [("MLM", 64.8546767), ("MLR", 59.2191702)])
def test_satorras_difference_is_lavaans_whatever_the_order_of_the_items(holzinger, estimator, of_lavaan):
    """lavTestLRT(method = "satorra.2000", A.method = "delta"), lavaan 0.6-14."""
    wider = cfa("f =~ x1 + x2 + x3 + x4 + x5\nx4 ~~ x5", holzinger, estimator=estimator)
    for model in ("f =~ x1 + x2 + x3 + x4 + x5", "f =~ x5 + x4 + x3 + x2 + x1"):
        table = compare(wider, cfa(model, holzinger, estimator=estimator), method="satorra.2000")
        assert table.loc[1, "chisq_diff"] == pytest.approx(of_lavaan, rel=1e-6)
        assert table.loc[1, "df_diff"] == 1


def test_satorras_difference_takes_clusters(holzinger):
    models = ("f =~ x1 + x2 + x3 + x4 + x5\nx4 ~~ x5", "f =~ x1 + x2 + x3 + x4 + x5")
    n = len(holzinger)
    difference = {
        name: compare(
            *(cfa(model, data, estimator="MLR", cluster=cluster) for model in models), method="satorra.2000"
        ).loc[1, "chisq_diff"]
        for name, data, cluster in (
            ("nobody's", holzinger, None),
            ("everybody's own", holzinger, np.arange(n)),
            ("twins", pd.concat([holzinger] * 2, ignore_index=True), np.tile(np.arange(n), 2)),
        )
    }
    # With as many clusters as respondents only the factor G / (G - 1) differs; twins tell nothing new.
    assert difference["everybody's own"] == pytest.approx(difference["nobody's"] * (n - 1) / n)
    assert difference["twins"] == pytest.approx(difference["everybody's own"])


def test_a_method_that_does_not_suit_the_models_is_refused(holzinger):
    models = ("f =~ x1 + x2 + x3 + x4\nx3 ~~ x4", "f =~ x1 + x2 + x3 + x4")
    plain, robust = ([cfa(m, holzinger, estimator=e) for m in models] for e in ("ML", "MLR"))
    missing = [cfa(m, holzinger, estimator="MLR", missing="fiml") for m in models]
    for fits, method, message in (
        (plain, "satorra.2000", "estimated by ML"),
        (robust, "satorra", "one of satorra.bentler.2001"),
        (missing, "satorra.2000", "complete answers"),
    ):
        with pytest.raises(DataError, match=message):
            compare(*fits, method=method)
