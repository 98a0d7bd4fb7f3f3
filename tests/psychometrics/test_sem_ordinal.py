"""Ordinal items in factor and structural models: lavaan's values, derivatives, truth recovered, errors."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics import cfa, compare
from relcap_models.psychometrics.ordinal_statistics import ordinal_statistics
from relcap_models.psychometrics.structural.cfa import group_codes
from relcap_models.psychometrics.structural.estimate_dwls import dwls_gradient
from relcap_models.psychometrics.structural.fit_ordinal import _start, build_ordinal_model
from relcap_models.psychometrics.structural.ordinal_moments import (
    ordinal_implied,
    ordinal_jacobian,
    ordinal_vector,
)
from relcap_models.psychometrics.structural.ordinal_sample import ordinal_samples
from relcap_models.psychometrics.structural.parameter_table import Ordinal, parameter_table, terms_of
from relcap_models.psychometrics.structural.syntax import parse
from relcap_models.psychometrics.structural.variables import variables_of

TWO = "FU1 =~ u1 + u2 + u3 + u4\nFU2 =~ u5 + u6 + u7 + u8"


def test_modification_indices_as_lavaan_has_them(datcat):
    """lavaan 0.6-14: modindices(cfa(TWO, datCat, ordered = TRUE)), and with group and group.equal."""
    found = cfa(TWO, datcat, ordered=True).modification_indices
    assert (found["level"] == 1).all()
    assert found["op"].value_counts().to_dict() == {"~~": 28, "=~": 8}
    first = (found["lhs"] + found["op"] + found["rhs"]).head(4).tolist()
    assert first == ["FU1=~u7", "u2~~u4", "u2~~u8", "u1~~u2"]
    np.testing.assert_allclose(found["mi"].head(4), [3.348, 3.313, 1.795, 1.778], atol=5e-4)
    np.testing.assert_allclose(found["sepc_all"].head(4), [0.170, 0.241, -0.195, -0.246], atol=6e-4)
    equal = {"group": "g", "group_equal": ["loadings", "thresholds"]}
    for kind, epc in (("delta", 0.244), ("theta", 0.319)):
        row = cfa(TWO, datcat, ordered=True, parameterization=kind, **equal).modification_indices.iloc[0]
        assert (row["lhs"], row["op"]) == ("u8", "~1")
        np.testing.assert_allclose([row["mi"], abs(row["epc"])], [5.011, epc], atol=6e-4)


def simulated(n: int, seed: int, *, shift: float = 0.0) -> pd.DataFrame:
    """One factor of four items with three categories each, loadings .8, .7, .6, .5, thresholds -.5 and .7."""
    rng = np.random.default_rng(seed)
    loading = np.array([0.8, 0.7, 0.6, 0.5])
    beneath = rng.normal(shift, 1, (n, 1)) * loading + rng.normal(size=(n, 4)) * np.sqrt(1 - loading**2)
    return pd.DataFrame((beneath > -0.5).astype(int) + (beneath > 0.7), columns=list("abcd"))


def test_truth_is_recovered():
    result = cfa("f =~ a + b + c + d", simulated(20_000, 1), ordered=True, std_lv=True)
    table = result.parameters.set_index(result.parameters["lhs"] + result.parameters["op"])
    loadings = table.loc["f=~"]
    assert (((loadings["est"] - [0.8, 0.7, 0.6, 0.5]) / loadings["se"]).abs() < 3.5).all()
    thresholds = table[table["op"] == "|"]
    assert (((thresholds["est"] - [-0.5, 0.7] * 4) / thresholds["se"]).abs() < 3.5).all()


def test_latent_means_of_a_second_group_are_recovered():
    data = pd.concat([simulated(6000, 2), simulated(6000, 3, shift=0.4)], ignore_index=True)
    equal = ["loadings", "thresholds", "intercepts"]
    group = np.repeat(["first", "second"], 6000)
    result = cfa("f =~ a + b + c + d", data, ordered=True, std_lv=True, group=group, group_equal=equal)
    mean = result.parameters.query("lhs == 'f' and op == '~1' and group == 2").iloc[0]
    assert abs(mean["est"] - 0.4) < 3.5 * mean["se"] < 0.2


def test_the_scaled_test_has_the_mean_and_spread_of_a_chi_square():
    fits = [cfa("f =~ a + b + c + d", simulated(400, seed), ordered=True) for seed in range(10, 90)]
    scaled = np.array([f.fit_measures["chisq.scaled"] for f in fits])
    plain = np.array([f.fit_measures["chisq"] for f in fits])
    # Mean 2 and standard deviation 2 over 80 samples: Monte Carlo error 2 / √80 = .22.
    assert abs(scaled.mean() - 2) < 3.5 * 0.22
    assert plain.mean() < 2 - 3.5 * 0.22


@pytest.mark.parametrize("kind", ["delta", "theta"])
@pytest.mark.parametrize(
    "model",
    [
        "f =~ a + b + c\nf ~~ f\nd ~ a + f",
        "f =~ a + x + b\nd ~ x\nx ~ 1\nf ~ 0*1",
        "f =~ c(NA, NA)*a + b + c + d\na | c(t, t)*t1 + c(s, s)*t2\nf ~~ c(1, 1)*f\nf ~ 0*1\nd ~ a",
    ],
)
def test_derivatives_are_those_of_differences(kind, model):
    data = simulated(600, 4)
    rng = np.random.default_rng(5)
    data["x"] = data["a"] + rng.normal(size=600)
    data["g"] = np.repeat(["u", "v"], 300)
    ordered = [v for v in "abcd" if f"{v}" in model]
    group = "g" if "c(" in model else None
    if kind == "delta" and group:
        model += "\na ~*~ c(1, NA)*a"
    if kind == "theta":
        model += "\nb ~~ b"
    fit = _unfitted(model, data, ordered, kind, group)
    rng = np.random.default_rng(6)
    at = fit["theta"] + rng.normal(scale=0.05, size=len(fit["theta"]))
    for part in fit["model"].parts_ordinal:
        exact = ordinal_jacobian(part, ordinal_implied(part, at))
        step = 1e-6
        moved = [
            (
                ordinal_vector(part, ordinal_implied(part, at + e))
                - ordinal_vector(part, ordinal_implied(part, at - e))
            )
            / (2 * step)
            for e in step * np.eye(len(at))
        ]
        # Central differences: step squared, and rounding over the step.
        np.testing.assert_allclose(exact, np.transpose(moved), atol=1e-8)


def _unfitted(model, data, ordered, kind, group):
    """The model of a fit that may not be identified, and values to try it at."""
    syntax = parse(model)
    names_of, codes = group_codes(data, group)
    names = tuple(
        variables_of(terms_of(syntax, group=g, number=i, level="")) for i, g in enumerate(names_of, 1)
    )
    samples, statistics, _ = ordinal_samples(data, names, ordered, names_of, codes, pairwise=False)
    counts = {k: len(v) for k, v in statistics[0].thresholds.items()}
    ordinal = Ordinal(counts, kind == "theta")
    table = parameter_table(syntax, groups=names_of, means=True, ordinal=ordinal)
    theta = kind == "theta"
    built = build_ordinal_model(table, names, samples, statistics, syntax.relations, theta=theta)
    return {"model": built, "theta": _start(table, samples, statistics, theta=theta)}


def test_estimates_are_a_minimum_and_the_two_parameterizations_agree(datcat):
    delta, theta = (cfa(TWO, datcat, ordered=True, parameterization=kind) for kind in ("delta", "theta"))
    assert np.abs(dwls_gradient(delta.fit.model, delta.fit.theta)).max() < 1e-7
    np.testing.assert_allclose(delta.fit_measures, theta.fit_measures, rtol=1e-6, atol=1e-8)
    standardised = [r.parameters.query("op in ('=~', '|')")["std_all"] for r in (delta, theta)]
    np.testing.assert_allclose(*standardised, rtol=1e-6)


def test_a_saturated_model_gives_the_statistics_back(datcat):
    items = ["u1", "u2", "u3"]
    result = cfa("u1 ~~ u2 + u3\nu2 ~~ u3", datcat, ordered=items)
    wanted = ordinal_statistics(datcat[items])
    assert result.fit_measures["df"] == 0
    assert result.fit_measures["chisq"] < 1e-12
    table = result.parameters.query("se > 0")
    label = table["lhs"] + table["op"] + table["rhs"]
    found = table.set_index(label)[["est", "se"]].loc[wanted.statistics.index]
    np.testing.assert_allclose(found["est"], wanted.statistics, atol=1e-10)
    np.testing.assert_allclose(found["se"], wanted.standard_error, rtol=1e-8)


def test_order_of_items_changes_no_difference_test(datcat):
    names = {"ordered": True, "std_lv": True}
    free, equal = "f =~ u1 + u2 + u3 + u4", "f =~ a*u1 + a*u2 + a*u3 + a*u4"
    turned = "f =~ a*u4 + a*u2 + a*u3 + a*u1"
    first = compare(cfa(free, datcat, **names), cfa(equal, datcat, **names))
    second = compare(cfa(free, datcat, **names), cfa(turned, datcat, **names))
    np.testing.assert_allclose(first.iloc[1, 4:], second.iloc[1, 4:], rtol=1e-6)


def test_nullable_integers_are_read(datcat):
    data = datcat[["u1", "u2", "u3", "u4"]].astype(float)
    data.iloc[:20, 1] = np.nan
    options = {"ordered": True, "missing": "pairwise"}
    plain, nullable = (cfa("f =~ u1 + u2 + u3 + u4", d, **options) for d in (data, data.astype("Int64")))
    assert plain.n == nullable.n == 200
    np.testing.assert_allclose(plain.fit_measures, nullable.fit_measures)


def test_models_of_different_statistics_are_not_compared(datcat):
    model = "f =~ u1 + u2 + u3 + u4"
    fits = [cfa(model, datcat, ordered=ordered) for ordered in (True, ["u1", "u2", "u3"])]
    with pytest.raises(DataError, match="different respondents or variables"):
        compare(*fits)
    with pytest.raises(DataError, match="different respondents or variables"):
        compare(fits[0], cfa(model, datcat, ordered=True, group="g"))


def test_models_that_are_not_nested_are_refused(datcat):
    items = ["u1", "u2", "u3", "u4"]
    one = cfa("u1 ~~ u2 + u3\nu3 ~~ u4", datcat, ordered=items)
    other = cfa("u2 ~~ u4\nu1 ~~ u4\nu3 ~~ 0*u4", datcat, ordered=items)
    with pytest.raises(DataError, match="is not nested"):
        compare(one, other)


def test_ordered_categories_of_pandas_are_ordinal(datcat):
    words = pd.CategoricalDtype(["v", "w", "x", "y", "z"], ordered=True)
    named = datcat[["u1", "u2", "u3", "u4"]].apply(lambda column: column.map(dict(zip(range(1, 6), "vwxyz"))))
    result = cfa("f =~ u1 + u2 + u3 + u4", named.astype(words))
    plain = cfa("f =~ u1 + u2 + u3 + u4", datcat, ordered=True)
    np.testing.assert_allclose(result.fit_measures, plain.fit_measures, rtol=1e-9)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("f =~ a + b + c", {"ordered": ["a", "bb"]}, "`ordered` names bb.*Nearest: b"),
        (
            "f =~ a + b + c",
            {"ordered": True, "estimator": "ML"},
            "WLSMV, DWLS with ordered items, and not 'ML'",
        ),
        ("f =~ a + b + c", {"estimator": "WLSMV"}, "without ordered items, and not 'WLSMV'"),
        ("f =~ a + b + c", {"ordered": True, "missing": "fiml"}, "'listwise' or 'pairwise' with ordered"),
        ("f =~ a + b + c", {"ordered": True, "parameterization": "beta"}, "'delta' or 'theta'"),
        ("f =~ a + b + c\na | t3", {}, "a has 3 categories.*t1 to t2"),
        ("f =~ a + b + c\na | x", {}, "thresholds are named t1"),
        ("f =~ a + b + c\na ~*~ b", {"ordered": True}, "is written `a ~\\*~ a`"),
        ("f =~ a + b + c\na ~*~ a", {"ordered": ["b"]}, "not ordered. Name it in `ordered`"),
        (
            "f =~ a + b + c\na ~*~ a",
            {"ordered": True, "parameterization": "theta"},
            'parameterization="delta"',
        ),
        ("f =~ a + b + c\na ~~ a", {"ordered": True}, "no parameter of its own.*theta"),
        ("f =~ a + b + c\nf ~ d", {"ordered": ["a", "b", "d"]}, "d is a covariate.*d ~~ d"),
        (
            "f =~ a + b + rare",
            {"ordered": True, "group": "g"},
            "'rare': nobody in group 'v'.*category 3.*Collapse",
        ),
        ("f =~ a + b + e", {"ordered": True}, "no column e"),
        ("a =~ b + c + d", {"ordered": True}, "rename the factor"),
        ("f =~ a + b + words", {"ordered": True}, "'words': has answers that are no numbers"),
        ("f =~ a + b + left", {"ordered": True}, "'left': nobody who can be used chose category 9. Collapse"),
        ("f =~ NA*a + b + c + d", {"ordered": True}, "not identified.*f =~ "),
        ("f =~ NA*a + b + NA*c", {"ordered": True}, "7 free|not identified"),
    ],
)
def test_what_cannot_be_estimated_is_said(model, options, message):
    data = simulated(200, 7)
    data["g"] = np.repeat(["u", "v"], 100)
    data["rare"] = data["a"].where(data.index != 3, 3)
    data["left"] = data["a"].where(data.index != 5, 9)
    data.loc[5, "b"] = np.nan
    data["words"] = data["a"].astype(object).where(data["a"] > 0, "none")
    with pytest.raises((DataError, FitError), match=f"(?s){message}"):
        cfa(model, data, **options)


def test_a_heywood_case_is_noted_under_delta_and_said_under_theta():
    data = simulated(80, 9)
    data["b"] = data["a"].where(np.arange(80) % 12 > 0, 2 - data["a"])
    data["c"] = data["a"].where(np.arange(80) % 5 > 0, 1)
    found = cfa("f =~ a + b + c", data, ordered=True, std_lv=True)
    correlation = ordinal_statistics(data[["a", "b", "c"]]).correlation
    assert correlation.loc["a", "b"] * correlation.loc["a", "c"] > correlation.loc["b", "c"]
    assert any("residual variance of a is negative (a Heywood case)" in note for note in found.notes)
    with pytest.raises(FitError, match="explains all of a \\(a Heywood case\\)"):
        cfa("f =~ a + b + c", data, ordered=True, std_lv=True, parameterization="theta")


def test_an_unused_category_of_a_scale_is_said():
    data = simulated(200, 8)
    data["a"] = pd.Categorical(data["a"], categories=[0, 1, 2, 3], ordered=True)
    with pytest.raises(DataError, match="'a': nobody who can be used chose category 3"):
        cfa("f =~ a + b + c", data, ordered=True)


def test_residuals_are_sample_minus_implied_correlations(datcat):
    result = cfa("f =~ u1 + u2 + u3 + u4", datcat, ordered=True, std_lv=True)
    loading = result.parameters.query("op == '=~'")["est"].to_numpy()
    wanted = ordinal_statistics(datcat[["u1", "u2", "u3", "u4"]]).correlation.to_numpy() - np.outer(
        loading, loading
    )
    found = result.residuals[""].to_numpy()
    off = ~np.eye(4, dtype=bool)
    np.testing.assert_allclose(found[off], wanted[off], atol=1e-8)
