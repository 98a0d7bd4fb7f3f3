"""Structural-after-measurement: reference values, agreement with lavaan, and what it cannot do."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics import cfa, sam

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
