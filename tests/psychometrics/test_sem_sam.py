"""Structural-after-measurement: reference values, agreement with lavaan, and what it cannot do."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics import cfa, compare, sam
from relcap_models.psychometrics.structural.result import CfaResult

MEDIATION = """
ind60 =~ x1 + x2 + x3
dem60 =~ y1 + y2 + y3 + y4
dem65 =~ y5 + y6 + y7 + y8
dem60 ~ a*ind60
dem65 ~ c*ind60 + b*dem60
ab := a*b
"""


def test_democracy_after_its_measurement(data_of):
    result = sam(MEDIATION, data_of("lavaan_politicaldemocracy"))
    # parameterEstimates(sam(...)) and its reliabilities, lavaan 0.6-14
    assert result.parameters.iloc[-1][["est", "se"]].tolist() == pytest.approx([1.163, 0.337], abs=6e-4)
    np.testing.assert_allclose(
        result.measurement["reliability"], [0.9657673, 0.8868049, 0.8998252], atol=1e-6
    )


def test_covariates_and_observed_outcomes_take_part(data_of):
    """parameterEstimates(sam(...)) and its structural fit, lavaan 0.6-14, three digits as printed."""
    model = (
        "v =~ x1 + x2 + x3\nt =~ x4 + x5 + x6\ns =~ x7 + x8 + x9\nt ~ v + ageyr + sex\ns ~ t + v\nagemo ~ s"
    )
    result = sam(model, data_of("lavaan_hs1939"))
    table = result.parameters
    paths = table[table["op"] == "~"]
    np.testing.assert_allclose(paths["est"], [0.564, -0.198, 0.257, 0.076, 0.319, 0.181], atol=6e-4)
    np.testing.assert_allclose(paths["se"], [0.116, 0.054, 0.113, 0.054, 0.096, 0.347], atol=6e-4)
    residuals = table[(table["op"] == "~~") & table["lhs"].isin(["agemo", "v", "t", "s"])]
    np.testing.assert_allclose(residuals["est"], [11.861, 0.524, 0.755, 0.365], atol=6e-4)
    np.testing.assert_allclose(residuals["se"], [0.967, 0.130, 0.095, 0.082], atol=6e-4)
    found = result.fit_measures[["chisq", "df", "cfi", "rmsea", "srmr"]]
    np.testing.assert_allclose(found, [66.797, 6, 0.670, 0.183, 0.085], atol=6e-4)


def test_a_true_model_gives_what_estimation_at_once_gives():
    """Both are consistent: with 20,000 respondents they differ by less than two standard errors."""
    rng = np.random.default_rng(11)
    f = rng.normal(size=20_000)
    g = 0.5 * f + rng.normal(size=20_000) * 0.8
    data = pd.DataFrame({f"x{i}": f + rng.normal(size=20_000) for i in range(3)})
    for i in range(3):
        data[f"y{i}"] = g + rng.normal(size=20_000)
    model = "f =~ x0 + x1 + x2\ng =~ y0 + y1 + y2\ng ~ f"
    both = [run(model, data).parameters.query("op == '~'").iloc[0] for run in (sam, cfa)]
    assert both[0]["est"] == pytest.approx(0.5, abs=3 * both[0]["se"])
    assert both[0]["est"] == pytest.approx(both[1]["est"], abs=2 * both[1]["se"])
    assert both[0]["se"] == pytest.approx(both[1]["se"], rel=0.1)


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        ("f =~ x1 + x2 + x3", DataError, "no regressions"),
        ("x1 ~ x2", DataError, "measures nothing"),
        ("f =~ x1 + x2 + x3\ng =~ x3 + x4 + x5\nf ~ g", DataError, "x3 belongs to more than one"),
        ("f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6\nf ~ g\nx1 ~~ x4", DataError, "row 4: x1 ~~ x4 goes beyond"),
        ("f =~ x1 + a*x2 + x3\ng =~ x4 + a*x5 + x6\nf ~ g", DataError, "shared by parts"),
        ("f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6\nf ~ g\nx1 ~ 1", DataError, "means"),
        (
            "f =~ x1 + x2\ng =~ x4 + x5 + x6\nf ~ g",
            FitError,
            "The measurement of f: The model is not identified",
        ),
    ],
)
def test_what_cannot_be_divided_is_said(data_of, model, error, message):
    with pytest.raises(error) as raised:
        sam(model, data_of("lavaan_hs1939"))
    assert message in str(raised.value)


CHAIN = "v =~ x1 + x2 + x3\nt =~ x4 + x5 + x6\ns =~ x7 + x8 + x9\nt ~ v\ns ~ t"
# parameterEstimates(sam(CHAIN, data, ...)), lavaan 0.6-14: sums of est and of se where parameters are free,
# t ~ v and its error (of the last group), and the structural part's chisq and srmr.
OF_LAVAAN = {
    "plain": ({}, [13.98066, 2.037159, 0.5283661, 0.1158368, 35.115, 0.121]),
    "group": ({"group": "school"}, [103.632813, 7.323014, 0.7458034, 0.1797468, 25.737, 0.077]),
    "fiml": ({"missing": "fiml"}, [51.998129, 2.865721, 0.5870762, 0.1324667, 37.685, 0.102]),
    "both": (
        {"missing": "fiml", "group": "school"},
        [103.878378, 8.011174, 0.7769212, 0.2003848, 21.044, 0.072],
    ),
}


def _with_holes(data):
    row = np.arange(1, len(data) + 1)
    for j in range(1, 10):
        data.loc[((7 * row + 3 * j) % 10 == 0) & (row % 4 > 0), f"x{j}"] = np.nan
    return data


@pytest.mark.parametrize("case", OF_LAVAAN)
def test_groups_and_missing_answers_are_lavaans(data_of, case):
    options, expected = OF_LAVAAN[case]
    data = data_of("lavaan_hs1939")
    result = sam(CHAIN, _with_holes(data) if "missing" in options else data, **options)
    table = result.parameters
    free = table[(table["se"] > 0) & (table["op"] != ":=")]
    path = table[(table["lhs"] == "t") & (table["op"] == "~")].iloc[-1]
    fit = result.fit_measures
    found = [free["est"].sum(), free["se"].sum(), path["est"], path["se"]]
    np.testing.assert_allclose(found, expected[:4], rtol=2e-5)
    np.testing.assert_allclose(fit[["chisq", "srmr"]], expected[4:], atol=6e-4)


def test_scores_and_reliabilities_of_groups_are_lavaans(data_of):
    data = data_of("lavaan_hs1939")
    result = sam(CHAIN, data, group="school")
    scores = result.predict()[(data["school"] == "Grant-White").to_numpy()]
    # head(lavPredict(fit)[[2]], 3)
    expected = [
        [-0.8932146607, -0.520448659, -0.864289218],
        [-0.0531303302, -0.627789616, -0.432327231],
        [0.3467006140, 0.199578494, -0.635899430],
    ]
    np.testing.assert_allclose(scores.head(3), expected, atol=1e-5)
    second = result.measurement.query("group == 2")["reliability"]
    np.testing.assert_allclose(second, [0.699050926, 0.880148889, 0.812759402], atol=1e-6)


def test_a_factor_of_one_item_is_the_item(data_of):
    model = "v =~ x1 + x2 + x3\nt =~ x4\ns =~ x7 + x8 + x9\nt ~ v\ns ~ t"
    table = sam(model, data_of("lavaan_hs1939")).parameters
    paths = table[table["op"] == "~"]
    # parameterEstimates(sam(...)), lavaan 0.6-14
    np.testing.assert_allclose(paths["est"], [0.578272137, 0.115657924], atol=1e-6)
    np.testing.assert_allclose(paths["se"], [0.126729767, 0.0396356287], atol=1e-6)


def test_the_unit_of_factors_changes_no_standardised_estimate_and_no_test(data_of):
    data = data_of("lavaan_hs1939")
    model = CHAIN + "\nt ~ c(a1, a2)*ageyr\nagemo ~ c(b1, b2)*s\nab := a2*b2"
    marker, unit = sam(model, data, group="school"), sam(model, data, group="school", std_lv=True)
    np.testing.assert_allclose(marker.parameters["std_all"], unit.parameters["std_all"], atol=1e-10)
    table = unit.parameters
    variances = table[(table["op"] == "~~") & (table["lhs"] == table["rhs"]) & table["lhs"].isin(list("vts"))]
    assert (variances[["est", "se"]] == [1, 0]).all(axis=None)
    assert (table.loc[table["op"] == "=~", "se"] > 0).all()
    # In other units of v alone, t ~ v is multiplied by the sd of v, whose error counts (delta method).
    assert sam(CHAIN, data, std_lv=True).parameters["est"].iloc[0] == pytest.approx(
        0.5237269932**0.5, abs=1e-6
    )


def test_errors_of_loadings_of_unit_factors_count_the_error_of_the_unit(data_of):
    table = sam(CHAIN, data_of("lavaan_hs1939"), std_lv=True).parameters
    # The measurement of v alone, cfa("v =~ x1 + x2 + x3", std.lv = TRUE); both steps agree to a percent.
    np.testing.assert_allclose(table["se"][:3], [0.0899804093, 0.0822119864, 0.0928923857], rtol=0.01)


def test_implied_means_are_the_datas_where_covariates_explain_factors(data_of):
    model = CHAIN + "\nt ~ ageyr\nagemo ~ s\nsex ~ agemo"
    fit = sam(model, data_of("lavaan_hs1939"), group="school").fit
    for moments, sample in zip(fit.model.moments(fit.theta), fit.model.samples):
        np.testing.assert_allclose(moments.mu, sample.mean, atol=1e-10)


def test_errors_do_not_depend_on_whether_means_are_modelled(data_of):
    """Means say nothing of slopes: in one group twice the same respondents, errors are those of one group."""
    data = data_of("lavaan_hs1939")
    model = CHAIN + "\nt ~ ageyr\nagemo ~ s"
    alone = sam(model, data).parameters
    twice = pd.concat([data.assign(g="a"), data.assign(g="b")])
    first = sam(model, twice, group="g").parameters.query("group == 1 and op != '~1'")
    np.testing.assert_allclose(first["est"], alone["est"], atol=1e-8)
    np.testing.assert_allclose(first["se"], alone["se"], atol=1e-8)


def test_what_sam_does_not_have_is_said(data_of):
    result = sam(CHAIN, data_of("lavaan_hs1939"))
    assert isinstance(result, CfaResult)
    assert list(result.residuals[""].columns) == [f"x{i}" for i in range(1, 10)]
    with pytest.raises(FitError, match="no modification indices"):
        _ = result.modification_indices
    with pytest.raises(DataError, match="no chi-square of the whole model"):
        compare(result, result)


def test_a_fixed_loading_and_unit_factors_contradict_each_other(data_of):
    with pytest.raises(DataError, match="t =~ x4 cannot be fixed"):
        sam(CHAIN.replace("x4", "1*x4"), data_of("lavaan_hs1939"), std_lv=True)


@pytest.mark.parametrize(
    ("equal", "regression", "of_v", "of_s"),
    [
        (
            "loadings",
            [(0.2248536, 0.1009413), (0.4490706, 0.1284495)],
            [(0.5130895, 0.1389078), (0.4706731, 0.1312381)],
            [(0.3017866, 0.0787756), (0.4090558, 0.09852468)],
        ),
        (
            ["loadings", "residuals"],
            [(0.2039424, 0.09599976), (0.508472, 0.1408554)],
            [(0.534434, 0.1449729), (0.4312027, 0.1196911)],
            [(0.3335538, 0.08247408), (0.3728486, 0.09710791)],
        ),
    ],
)
def test_measurement_that_is_equal_over_groups_is_lavaans(data_of, equal, regression, of_v, of_s):
    """sam(model, HS, group = "school", group.equal = …), lavaan 0.6-14: (est, se) by school."""
    model = "v =~ x1 + x2 + x3\ns =~ x7 + x8 + x9\ns ~ v"
    table = sam(model, data_of("lavaan_hs1939"), group="school", group_equal=equal).parameters
    found = table.set_index(["lhs", "op", "rhs"])[["est", "se"]]
    for key, expected in ((("s", "~", "v"), regression), (("v", "~~", "v"), of_v), (("s", "~~", "s"), of_s)):
        np.testing.assert_allclose(found.loc[[key]], expected, rtol=1e-4)


def test_one_regression_for_all_groups_lies_between_those_of_each(data_of):
    model = "v =~ x1 + x2 + x3\ns =~ x7 + x8 + x9\ns ~ v"
    data, options = data_of("lavaan_hs1939"), {"group": "school"}
    apart, one = (
        sam(model, data, group_equal=equal, **options) for equal in ("loadings", ("loadings", "regressions"))
    )
    each, both = (r.parameters.query("op == '~'")["est"].to_numpy() for r in (apart, one))
    assert each.min() < both[0] == both[1] < each.max()
    assert one.fit_measures["df"] == apart.fit_measures["df"] + 1


def test_what_sam_cannot_hold_equal_is_said(data_of):
    model, data = "v =~ x1 + x2 + x3\ns =~ x7 + x8 + x9\ns ~ v", data_of("lavaan_hs1939")
    with pytest.raises(DataError, match=r"loadings, residuals, .*and not intercepts"):
        sam(model, data, group="school", group_equal="intercepts")
    with pytest.raises(DataError, match="leave std_lv out"):
        sam(model, data, group="school", group_equal="loadings", std_lv=True)
