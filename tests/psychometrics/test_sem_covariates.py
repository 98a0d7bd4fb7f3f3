"""Covariates beside ordinal items: lavaan's values, derivatives, truth recovered, and errors."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal, norm

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics import cfa
from relcap_models.psychometrics.conditional_statistics import conditional_statistics
from relcap_models.psychometrics.ordinal_statistics import ordinal_statistics
from relcap_models.psychometrics.structural.ordinal_moments import (
    ordinal_implied,
    ordinal_jacobian,
    ordinal_vector,
)

NAMES = [
    "chisq",
    "df",
    "chisq.scaled",
    "chisq.scaling.factor",
    "baseline.chisq",
    "baseline.df",
    "baseline.chisq.scaled",
    "cfi.scaled",
    "rmsea.scaled",
    "srmr",
]
# lavaan 0.6-14: sem(model, data, ordered, estimator WLSMV, and what `CASES` says); lhs, op, rhs, group, est,
# se, std.all of loadings, regressions, latent variances and first thresholds, then NAMES. Respondents have
# complete A1-A5, C1-C3, age (in decades) and gender; in `datcat` g is 1 for male.
CASES = {
    "ordinal": ("f =~ A1+A2+A3\nf ~ age + gender", {"ordered": ["A1", "A2", "A3"]}),
    "theta": (
        "f =~ A1+A2+A3\nf ~ age + gender\nA1 ~ age",
        {"ordered": ["A1", "A2", "A3"], "parameterization": "theta"},
    ),
    "mixed": ("f =~ A1+A2+C1+C2\nf ~ age", {"ordered": ["A1", "A2"]}),
    "groups": (
        "f =~ A1+A2+A3+A4\nf ~ age",
        {"ordered": ["A1", "A2", "A3", "A4"], "group": "gender", "group_equal": ["loadings", "thresholds"]},
    ),
    "structural": (
        "f =~ A1+A2+A3\ng =~ C1+C2+C3\ng ~ f + age\nf ~ gender\nA3 ~ gender",
        {"ordered": ["A1", "A2", "A3", "C3"]},
    ),
    "datcat": ("f =~ u1+u2+u3+u4\nf ~ g", {"ordered": ["u1", "u2", "u3", "u4"]}),
}
LAVAAN = {
    "ordinal": (
        [
            ("f", "=~", "A1", 1, 1, 0, 0.49419191),
            ("f", "=~", "A2", 1, 1.712699, 0.08809488, 0.82876074),
            ("f", "=~", "A3", 1, 1.367344, 0.059557659, 0.66928492),
            ("f", "~", "age", 1, 0.072314813, 0.010650892, 0.16010366),
            ("f", "~", "gender", 1, 0.26414658, 0.026069198, 0.24860273),
            ("A1", "|", "t1", 1, -0.85348823, 0.10352679, -0.84393776),
            ("A2", "|", "t1", 1, -1.1570762, 0.10379765, -1.1202819),
            ("A3", "|", "t1", 1, -1.1388856, 0.1031199, -1.1153999),
            ("f", "~~", "f", 1, 0.22702332, 0.018044116, 0.90887671),
        ],
        [
            35.18910508,
            4,
            53.1509211,
            0.6630385514,
            2336.006657,
            3,
            2124.853832,
            0.9768358591,
            0.06795374522,
            0.007812916819,
        ],
    ),
    "theta": (
        [
            ("f", "=~", "A1", 1, 1, 0, 0.47214912),
            ("f", "=~", "A2", 1, 2.7996673, 0.29496791, 0.8365894),
            ("f", "=~", "A3", 1, 1.6394424, 0.10390424, 0.66659073),
            ("f", "~", "age", 1, 0.059847986, 0.011784438, 0.12140777),
            ("f", "~", "gender", 1, 0.28897012, 0.030227135, 0.24919355),
            ("A1", "~", "age", 1, 0.12048282, 0.020051881, 0.11539879),
            ("A1", "|", "t1", 1, -0.96328338, 0.11527697, -0.83382222),
            ("A2", "|", "t1", 1, -2.0524001, 0.19183738, -1.1243672),
            ("A3", "|", "t1", 1, -1.5005586, 0.13027732, -1.1185523),
            ("f", "~~", "f", 1, 0.27382777, 0.028768946, 0.92036036),
        ],
        [
            9.196386096,
            3,
            14.50860105,
            0.6368949232,
            2336.006657,
            3,
            2124.853832,
            0.9945761575,
            0.0379689164,
            0.003625553357,
        ],
    ),
    "mixed": (
        [
            ("f", "=~", "A1", 1, 1, 0, 0.50297308),
            ("f", "=~", "A2", 1, 1.5542142, 0.20134714, 0.77517327),
            ("f", "=~", "C1", 1, 0.4061285, 0.062636349, 0.16650819),
            ("f", "=~", "C2", 1, 0.49571539, 0.069186087, 0.19021092),
            ("f", "~", "age", 1, 0.099587218, 0.015072697, 0.21776831),
            ("A1", "|", "t1", 1, -1.4378596, 0.072038762, -1.4292084),
            ("A2", "|", "t1", 1, -1.8047676, 0.077247017, -1.7788673),
            ("f", "~~", "f", 1, 0.24391099, 0.035150356, 0.95257696),
        ],
        [
            418.5105948,
            5,
            468.0250452,
            0.8950351782,
            1076.739275,
            6,
            951.4155776,
            0.5102417855,
            0.1865498061,
            0.1300978088,
        ],
    ),
    "groups": (
        [
            ("f", "=~", "A1", 1, 1, 0, 0.42554856),
            ("f", "=~", "A2", 1, 1.7376705, 0.10996643, 0.73821505),
            ("f", "=~", "A3", 1, 1.7949057, 0.11212167, 0.76240157),
            ("f", "=~", "A4", 1, 1.1878534, 0.086277261, 0.50531531),
            ("f", "~", "age", 1, 0.037573411, 0.015808461, 0.096197809),
            ("A1", "|", "t1", 1, -1.4260896, 0.092412315, -1.4248942),
            ("A2", "|", "t1", 1, -1.7483831, 0.10635938, -1.7439689),
            ("A3", "|", "t1", 1, -1.805528, 0.10661214, -1.8006655),
            ("A4", "|", "t1", 1, -1.3243464, 0.090157378, -1.3227808),
            ("f", "~~", "f", 1, 0.17971692, 0.021156394, 0.99074598),
            ("f", "=~", "A1", 2, 1, 0, 0.45674758),
            ("f", "=~", "A2", 2, 1.7376705, 0.10996643, 0.80123002),
            ("f", "=~", "A3", 2, 1.7949057, 0.11212167, 0.6844429),
            ("f", "=~", "A4", 2, 1.1878534, 0.086277261, 0.51240969),
            ("f", "~", "age", 2, 0.094968737, 0.013304544, 0.21912757),
            ("A1", "|", "t1", 2, -1.4260896, 0.092412315, -1.3504646),
            ("A2", "|", "t1", 2, -1.7483831, 0.10635938, -1.6714236),
            ("A3", "|", "t1", 2, -1.805528, 0.10661214, -1.4274469),
            ("A4", "|", "t1", 2, -1.3243464, 0.090157378, -1.1844486),
            ("f", "~~", "f", 2, 0.22146697, 0.026287884, 0.95198311),
        ],
        [
            159.0044737,
            28,
            146.0543217,
            1.194086017,
            3270.914035,
            12,
            2762.813052,
            0.9570838441,
            0.05630359285,
            0.03443822732,
        ],
    ),
    "structural": (
        [
            ("f", "=~", "A1", 1, 1, 0, 0.44572584),
            ("f", "=~", "A2", 1, 1.9127734, 0.10792847, 0.83737014),
            ("f", "=~", "A3", 1, 1.5432286, 0.076605558, 0.68487724),
            ("g", "=~", "C1", 1, 1, 0, 0.57125256),
            ("g", "=~", "C2", 1, 1.2811457, 0.070638035, 0.68581895),
            ("g", "=~", "C3", 1, 0.83327416, 0.043455935, 0.58703301),
            ("g", "~", "f", 1, 0.41975098, 0.05124331, 0.26687262),
            ("g", "~", "age", 1, 0.051283649, 0.014596168, 0.080383486),
            ("f", "~", "gender", 1, 0.25130957, 0.026180614, 0.26337319),
            ("A3", "~", "gender", 1, -0.066705649, 0.045405819, -0.031024702),
            ("A1", "|", "t1", 1, -0.85348823, 0.10352679, -0.84758689),
            ("A2", "|", "t1", 1, -1.1570762, 0.10379765, -1.1285863),
            ("A3", "|", "t1", 1, -1.1388856, 0.1031199, -1.1261116),
            ("C3", "|", "t1", 1, -1.5257385, 0.098448615, -1.5226003),
            ("f", "~~", "f", 1, 0.18747415, 0.016744167, 0.93063456),
            ("g", "~~", "g", 1, 0.45937947, 0.038222024, 0.92179416),
        ],
        [
            231.1371436,
            17,
            262.5173602,
            0.8874661944,
            3802.529809,
            15,
            2913.04399,
            0.9152817,
            0.07367059968,
            0.04001741172,
        ],
    ),
    "datcat": (
        [
            ("f", "=~", "u1", 1, 1, 0, 0.76155127),
            ("f", "=~", "u2", 1, 0.90413692, 0.085468409, 0.69067662),
            ("f", "=~", "u3", 1, 0.97861859, 0.083969049, 0.74580066),
            ("f", "=~", "u4", 1, 0.84945294, 0.08600411, 0.6499619),
            ("f", "~", "g", 1, 0.37277908, 0.12567888, 0.24118949),
            ("u1", "|", "t1", 1, -1.1666289, 0.13475545, -1.1467804),
            ("u2", "|", "t1", 1, -1.3333533, 0.1460703, -1.3147227),
            ("u3", "|", "t1", 1, -1.154269, 0.13881265, -1.1354414),
            ("u4", "|", "t1", 1, -1.2218335, 0.13883876, -1.2067269),
            ("f", "~~", "f", 1, 0.56529438, 0.066653456, 0.94182763),
            ("g", "~~", "g", 1, 0.25125628, 0, 1),
        ],
        [
            5.801274166,
            5,
            10.09925245,
            0.588700063,
            477.5341841,
            6,
            374.3998788,
            0.9861583764,
            0.0715882451,
            0.03167474806,
        ],
    ),
}


@pytest.fixture(scope="module")
def people(bfi):
    used = [*(f"A{i}" for i in range(1, 6)), "age", "gender", "C1", "C2", "C3"]
    return bfi[used].dropna().assign(age=lambda d: d["age"] / 10).reset_index(drop=True)


def _fit(case, people, datcat):
    model, options = CASES[case]
    data = datcat.assign(g=(datcat["g"] == "male").astype(float)) if case == "datcat" else people
    return cfa(model, data, **options)


@pytest.mark.parametrize("case", CASES)
def test_models_with_covariates_as_lavaan(people, datcat, case):
    result = _fit(case, people, datcat)
    rows, measures = LAVAAN[case]
    wanted = pd.DataFrame(rows, columns=["lhs", "op", "rhs", "group", "est", "se", "std_all"])
    # lavaan's groups are in order of appearance too.
    found = result.parameters.merge(
        wanted[["lhs", "op", "rhs", "group"]].reset_index(), on=["lhs", "op", "rhs", "group"]
    ).sort_values("index")
    assert len(found) == len(wanted)
    for name in ("est", "se", "std_all"):
        # lavaan stops its optimiser a little earlier than we do.
        np.testing.assert_allclose(found[name], wanted[name], rtol=5e-5, atol=2e-5)
    np.testing.assert_allclose(result.fit_measures[NAMES], measures, rtol=1e-5, atol=1e-6)


def test_scores_given_covariates_as_lavaan(people, datcat):
    """lavPredict(fit, optim.method = "nlminb")[1:4], lavaan 0.6-14, which stops at 1e-8 of the likelihood."""
    scores = _fit("datcat", people, datcat).predict()
    wanted = [-0.01964185489, -0.2143947618, -0.161258255, -0.7187888266]
    np.testing.assert_allclose(scores["f"].iloc[:4], wanted, atol=5e-5)


@pytest.mark.parametrize("case", ["theta", "groups", "structural"])
def test_derivatives_with_covariates_are_those_of_finite_differences(people, datcat, case):
    fit = _fit(case, people, datcat).fit
    for part in fit.model.parts_ordinal:
        exact = ordinal_jacobian(part, ordinal_implied(part, fit.theta))
        step = 1e-6
        for k in range(len(fit.theta)):
            ends = []
            for sign in (1, -1):
                at = fit.theta.copy()
                at[k] += sign * step
                ends.append(ordinal_vector(part, ordinal_implied(part, at)))
            np.testing.assert_allclose(exact[:, k], (ends[0] - ends[1]) / (2 * step), atol=1e-7)


def test_statistics_maximise_the_likelihoods_written_out():
    """Two items and a covariate: probit regression, then the correlation, by a general optimiser."""
    rng = np.random.default_rng(2)
    x = rng.normal(2, 3, size=60)
    beneath = np.column_stack([0.2 * x, -0.1 * x]) + rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 60)
    items = pd.DataFrame({"a": np.digitize(beneath[:, 0], [0, 1]), "b": np.digitize(beneath[:, 1], [0])})
    found = conditional_statistics(
        items, pd.DataFrame({"x": x}), continuous=[], missing="listwise"
    ).statistics

    def loss(at):
        ends = np.array([-np.inf, *at[:2], np.inf])
        k = items["a"].to_numpy()
        return -np.log(norm.cdf(ends[k + 1] - at[2] * x) - norm.cdf(ends[k] - at[2] * x)).sum()

    best = minimize(loss, [0.0, 1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-11}).x
    np.testing.assert_allclose(found[["a|t1", "a|t2", "a~x"]], best, atol=1e-5)

    def pair(rho):
        total = 0.0
        cuts = ([-9, found["a|t1"], found["a|t2"], 9], [-9, found["b|t1"], 9])
        for row, at in zip(items.to_numpy(), x):
            (a, b), (c, d) = (
                (ends[k] - slope * at, ends[k + 1] - slope * at)
                for ends, k, slope in zip(cuts, row, found[["a~x", "b~x"]])
            )
            cdf = multivariate_normal([0, 0], [[1, rho], [rho, 1]]).cdf
            total -= np.log(cdf([b, d]) - cdf([a, d]) - cdf([b, c]) + cdf([a, c]))
        return total

    grid = found["a~~b"] + np.array([-0.01, 0.0, 0.01])
    values = [pair(rho) for rho in grid]
    # The parabola through three points has its top within a hundredth of their distance.
    top = (values[0] - values[2]) / (values[0] - 2 * values[1] + values[2]) / 2
    assert abs(top) < 0.01


def test_a_covariate_that_explains_nothing_changes_nothing_but_its_slopes(bfi):
    """Of items alone and of items given noise the thresholds and correlations nearly agree."""
    items = bfi[[f"A{i}" for i in range(1, 4)]].dropna().reset_index(drop=True)
    noise = pd.DataFrame({"x": np.random.default_rng(1).normal(size=len(items))})
    given = conditional_statistics(items, noise, continuous=[], missing="listwise")
    alone = ordinal_statistics(items)
    both = alone.statistics.index
    assert ((given.statistics[both] - alone.statistics).abs() < 0.01).all()
    np.testing.assert_allclose(np.diag(given.gamma.loc[both, both]), np.diag(alone.gamma), rtol=0.03)
    slopes = given.statistics.drop(both)
    assert (slopes.abs() < 3.5 * given.standard_error[slopes.index]).all()


def test_the_effect_of_a_covariate_is_recovered_with_answers_missing():
    rng = np.random.default_rng(4)
    n = 6000
    x = rng.normal(50, 10, size=n)
    f = 0.05 * (x - 50) + rng.normal(size=n)
    beneath = f[:, None] * [0.8, 0.8, 0.7, 0.9] + 0.6 * rng.normal(size=(n, 4))
    data = pd.DataFrame(np.digitize(beneath, [-1, 0, 1]).astype(float), columns=list("abcd"))
    data["d"] = beneath[:, 3]
    data = data.mask(rng.random(data.shape) < 0.15).assign(x=x)
    result = cfa("f =~ a + b + c + d\nf ~ x", data, ordered=["a", "b", "c"], missing="pairwise", std_lv=True)
    row = result.parameters.query("op == '~'").iloc[0]
    assert abs(row["est"] - 0.05) < 3.5 * row["se"]
    assert result.fit_measures["pvalue.scaled"] > 0.001


def test_a_variable_that_determines_another_given_the_covariate_is_named():
    rng = np.random.default_rng(5)
    x, a = rng.normal(size=(2, 300))
    items = pd.DataFrame(
        {"a": a, "b": 2 * a + 1 + 0.5 * x, "c": np.digitize(a + rng.normal(size=300), [0, 1])}
    )
    with pytest.raises(FitError, match="a and b: one item determines the other"):
        conditional_statistics(items, pd.DataFrame({"x": x}), continuous=["a", "b"], missing="listwise")


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("f =~ a + b + c\nf ~ x", {"ordered": ["a", "x"]}, "x is a covariate.*out of `ordered`"),
        ("f =~ a + b + c\nf ~ x + twice", {"ordered": ["a"]}, "x, twice determine one another"),
        ("f =~ a + b + c\nf ~ same", {"ordered": ["a"]}, "same"),
        ("f =~ a + b + c\nf ~ words", {"ordered": ["a"]}, "no numbers"),
    ],
)
def test_covariates_that_cannot_be_used_are_said(model, options, message):
    rng = np.random.default_rng(3)
    f = rng.normal(size=200)
    data = pd.DataFrame({i: np.digitize(f + rng.normal(size=200), [-1, 0, 1]) for i in "abc"})
    data = data.assign(x=rng.normal(size=200), same=1, words="w").assign(twice=lambda d: 2 * d["x"])
    with pytest.raises(DataError, match=message):
        cfa(model, data, **options)


# parTable(cfa(model, data, ordered = "y", ...)), lavaan 0.6-14: est and se of slopes and thresholds; chisq,
# chisq.scaled, df.
ALONE = {
    "free": (
        "y ~ x1 + x2",
        {},
        [0.3291878908, 0.0740300995, 1.2120709685, 2.2723096598, 3.1110385208],
        [0.0539374206, 0.0480655180, 0.3288158514, 0.3330994721, 0.3411088733],
        [0, 0, 0],
    ),
    "equal": (
        "y ~ a*x1 + a*x2",
        {"parameterization": "theta"},
        [0.186969092, 0.186969092, 1.21207097, 2.27230966, 3.11103852],
        [0.029521434, 0.029521434, 0.328815851, 0.333099472, 0.341108873],
        [12.473, 9.427, 1],
    ),
    "groups": (
        "y ~ x1 + x2",
        {"group": "school", "group_equal": ["regressions", "thresholds"]},
        [0.34194734, 0.0656781911, 1.20022766, 2.36008766, 3.22428952],
        [0.0791480668, 0.0518271754, 0.3945792249, 0.5082481933, 0.6232854916],
        [3.901, 6.512, 4],
    ),
}


@pytest.mark.parametrize("case", ALONE)
def test_an_ordered_outcome_may_stand_alone(data_of, case):
    model, options, est, se, fit = ALONE[case]
    data = data_of("lavaan_hs1939")
    data["y"] = np.digitize(data["x4"], [2.2, 3.2, 4.2], right=True)
    result = cfa(model, data, ordered=["y"], **options)
    table = result.parameters.query("op in ('~', '|') and group == 1")
    np.testing.assert_allclose(table["est"], est, rtol=1e-6)
    np.testing.assert_allclose(table["se"], se, rtol=1e-6)
    np.testing.assert_allclose(result.fit_measures[["chisq", "chisq.scaled", "df"]], fit, atol=6e-4)
