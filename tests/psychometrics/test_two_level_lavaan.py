"""Two-level models are those of lavaan."""

import numpy as np
import pytest

from relcap_models.psychometrics import cfa
from tests.psychometrics.two_level_models import DEMO, LABELLED, ONE, WHOLE, simulated

NAN = float("nan")
# Name: data, model, estimator.
MODELS = {
    "one factor": (1, ONE, "ML"),
    "whole": (1, WHOLE, "ML"),
    "whole, robust": (1, WHOLE, "MLR"),
    "within only": (1, "level: 1\nf =~ y1 + y2 + y3\ng =~ z1 + z2 + z3\nlevel: 2\nf =~ y1 + y2 + y3", "ML"),
    "labelled": (1, LABELLED, "ML"),
    "groups": (1, f"group: a\n{ONE}\ngroup: b\n{ONE}", "ML"),
    "small clusters": (5, ONE + "f ~ w", "ML"),
    "saturated between": (5, "level: 1\nf =~ y1 + y2 + y3\nlevel: 2\ny1 ~~ y2 + y3\ny2 ~~ y3", "ML"),
    "observed": (1, "level: 1\ny1 ~ v\ny2 ~ y1\nlevel: 2\ny1 + y2 ~ w", "MLR"),
}


# lavaan 0.6-14, R 4.2.2, sem(model, data, cluster = "cluster"): chisq, df, baseline.chisq, logl, srmr_within,
# srmr_between, chisq.scaled; sums of |est|, se, |std.all| of
# parameterEstimates(standardized = TRUE), and its rows.
LAVAAN = {
    "one factor": [
        3.0923095,
        4,
        1137.8158,
        -3824.2348,
        0.010018506,
        0.0033281248,
        NAN,
        20.319918,
        1.6375812,
        21.764992,
        28,
    ],
    "whole": [
        54.277471,
        43,
        1957.9985,
        -6433.8365,
        0.015363246,
        0.063589242,
        NAN,
        43.424524,
        4.5341558,
        48.493691,
        63,
    ],
    "whole, robust": [
        54.277471,
        43,
        1957.9985,
        -6433.8365,
        0.015363246,
        0.063589242,
        58.717287,
        43.424524,
        4.6456754,
        48.493691,
        63,
    ],
    "within only": [
        6.9073111,
        8,
        1503.3148,
        -5614.3651,
        0.012703426,
        0.012004828,
        NAN,
        23.477761,
        2.0584327,
        24.501955,
        34,
    ],
    "labelled": [
        6.6811509,
        8,
        1137.8158,
        -3826.0292,
        0.015588767,
        0.013145971,
        NAN,
        20.521027,
        1.3682163,
        22.348717,
        29,
    ],
    "groups": [
        5.2255844,
        8,
        1137.8077,
        -3813.7511,
        0.0097264326,
        0.012078838,
        NAN,
        40.763712,
        4.9343669,
        45.350812,
        56,
    ],
    "small clusters": [
        7.3627777,
        7,
        255.24149,
        -703.28836,
        0.022290342,
        0.075765003,
        NAN,
        29.837257,
        4.2872615,
        31.44072,
        31,
    ],
    "saturated between": [
        0,
        0,
        134.18147,
        -555.13382,
        0.0003596232,
        0.0015167653,
        NAN,
        16.617213,
        3.7292936,
        16.429893,
        20,
    ],
    "observed": [
        5.5296615,
        1,
        408.87787,
        -2036.6196,
        0.029679725,
        0.0027398869,
        5.3985032,
        14.893563,
        1.4813258,
        16.639492,
        17,
    ],
}


def test_rows_stand_in_lavaans_order(data_of):
    # lavaan 0.6-14: parameterEstimates(sem(DEMO, Demo.twolevel, cluster = "cluster")).
    within = """fw=~y1 fw=~y2 fw=~y3 fw~x1 fw~x2 fw~x3 y1~~y1 y2~~y2 y3~~y3 fw~~fw
    x1~~x1 x1~~x2 x1~~x3 x2~~x2 x2~~x3 x3~~x3 y1~1 y2~1 y3~1 x1~1 x2~1 x3~1 fw~1"""
    between = """fb=~y1 fb=~y2 fb=~y3 fb~w1 fb~w2 y1~~y1 y2~~y2 y3~~y3 fb~~fb
    w1~~w1 w1~~w2 w2~~w2 y1~1 y2~1 y3~1 w1~1 w2~1 fb~1"""
    table = cfa(DEMO, data_of("lavaan_demo_twolevel"), cluster="cluster").parameters
    for level, order in {1: within, 2: between}.items():
        rows = table[table["level"] == level]
        assert list(rows["lhs"] + rows["op"] + rows["rhs"]) == order.split()
    assert table["level"].is_monotonic_increasing


@pytest.mark.parametrize("name", MODELS)
def test_agrees_with_lavaan(name):
    seed, model, estimator = MODELS[name]
    size = {"n_clusters": 40, "smallest": 1, "largest": 6} if seed == 5 else {}
    group = "half" if name == "groups" else None
    result = cfa(model, simulated(seed, **size), cluster="cluster", estimator=estimator, group=group)
    chisq, df, null, logl, within, between, scaled, est, se, std, rows = LAVAAN[name]
    fit, table = result.fit_measures, result.parameters
    assert (fit["df"], len(table)) == (df, rows)
    # lavaan's EM stops early, so that its saturated likelihood is a little too low.
    assert fit[["chisq", "baseline.chisq"]].to_list() == pytest.approx([chisq, null], rel=1e-4, abs=0.01)
    assert fit["logl"] == pytest.approx(logl, abs=1e-3)
    assert fit[["srmr_within", "srmr_between"]].to_list() == pytest.approx([within, between], abs=3e-3)
    if estimator == "MLR":
        # The scaling is a difference of two traces, of which that EM enters into one.
        assert fit["chisq.scaled"] == pytest.approx(scaled, rel=5e-3)
    sums = table[["est", "se", "std_all"]].abs().sum().to_list()
    assert sums == pytest.approx([est, se, std], rel=3e-4)


def test_factor_scores_agree_with_lavaan():
    # lavaan 0.6-14: lavPredict(f)[1:3], lavPredict(f, level = 2)[1:3]; clusters in order of appearance.
    data = simulated(1)
    result = cfa(ONE, data, cluster="cluster").predict()
    lower, upper = [-0.8396105, -0.3664736, 0.5723505], [-0.9591894, 0.3352067, -0.5693089]
    np.testing.assert_allclose(result[(1, "f")].to_numpy()[:3], lower, atol=1e-4)
    first = result[(2, "f")].groupby(data["cluster"], sort=False).first()
    np.testing.assert_allclose(first.to_numpy()[:3], upper, atol=1e-4)


def test_modification_indices_of_both_levels_are_lavaans(data_of):
    """modindices(sem(..., control = list(rel.tol = 1e-15))), lavaan 0.6-14, which stops a little early.

    There the loadings of y1 at the two levels, which are one test, have 3.75378 and 3.75336.
    """
    model = "level: 1\nfw =~ a*y1 + b*y2 + c*y3\nfw ~ x1\nlevel: 2\nfb =~ a*y1 + b*y2 + c*y3\nfb ~ w1\n"
    found = cfa(model, data_of("lavaan_demo_twolevel"), cluster="cluster").modification_indices
    at = found.set_index(["lhs", "op", "rhs", "level"])
    expected = {
        ("fb", "=~", "y1", 2): (3.7533607798, 0.1562836572),
        ("y2", "~~", "y3", 2): (3.5732728149, -0.0622056522),
        ("y1", "~~", "y2", 2): (3.4977269940, 0.0975930047),
        ("y1", "~~", "y3", 1): (0.4107992755, 0.0282109040),
    }
    for key, values in expected.items():
        np.testing.assert_allclose(at.loc[key, ["mi", "epc"]].astype(float), values, rtol=2e-3)
    assert at.loc[("fw", "=~", "y1", 1), "mi"] == pytest.approx(at.loc[("fb", "=~", "y1", 2), "mi"], rel=1e-6)
