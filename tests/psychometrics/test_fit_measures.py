"""Fit measures: lavaan's, and what they are where they are easily worked out."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.psychometrics import cfa
from relcap_models.psychometrics.structural.comparative_fit import comparative_measures, reduction_measures

HOLZINGER = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
TWO_LEVELS = "level: 1\nfw =~ y1 + y2 + y3\nfw ~ x1 + x2 + x3\nlevel: 2\nfb =~ y1 + y2 + y3\nfb ~ w1 + w2"
CASES = {
    "MLR": (HOLZINGER, "hs", {"estimator": "MLR"}),
    "GROUP": (HOLZINGER, "hs", {"group": "school", "group_equal": ("loadings", "intercepts")}),
    "COV": ("v =~ x1 + x2 + x3\nv ~ ageyr + sex\nx4 ~ v", "hs", {}),
    "WLSMV": ("f =~ u1 + u2 + u3 + u4\nk =~ u5 + u6 + u7 + u8", "datcat", {"ordered": True}),
    "WLSMVX": ("f =~ u1 + u2 + u3 + u4\nf ~ z", "datcat", {"ordered": ["u1", "u2", "u3", "u4"]}),
    "MIXED": ("v =~ x1 + x2 + x3 + y", "hs", {"ordered": ["y"]}),
    "GROUPMLR": (
        HOLZINGER,
        "hs",
        {"estimator": "MLR", "group": "school", "group_equal": ("loadings", "intercepts")},
    ),
    "EQUAL": (HOLZINGER.replace("x2 + x3", "a*x2 + a*x3"), "hs", {"estimator": "MLR"}),
    "GROUPWLSMV": (
        "f =~ u1 + u2 + u3 + u4\nk =~ u5 + u6 + u7 + u8",
        "datcat",
        {"ordered": True, "group": "g", "group_equal": ("thresholds", "loadings")},
    ),
    "FIMLMLR": (HOLZINGER, "holes", {"missing": "fiml", "estimator": "MLR"}),
    "TWO": (TWO_LEVELS, "levels", {"cluster": "cluster"}),
}
# fitMeasures(fit), lavaan 0.6-14; z of datcat is the row modulo 7, y of hs is x4 in four categories.
LAVAAN = {
    "MLR": {
        "nnfi": 0.89583948,
        "rfi": 0.86074108,
        "nfi": 0.90716072,
        "pnfi": 0.60477381,
        "ifi": 0.93149085,
        "rni": 0.93055965,
        "rmsea.notclose.pvalue": 0.8395529,
        "rmr": 0.082184333,
        "rmr_nomean": 0.082184333,
        "srmr_bentler": 0.065205057,
        "srmr_bentler_nomean": 0.065205057,
        "crmr": 0.072901473,
        "crmr_nomean": 0.072901473,
        "srmr_mplus": 0.06520506,
        "srmr_mplus_nomean": 0.06520506,
        "cn_05": 129.4902,
        "cn_01": 152.65403,
        "gfi": 0.94333206,
        "agfi": 0.89374761,
        "pgfi": 0.50311043,
        "mfi": 0.90317729,
        "ecvi": 0.42294193,
        "nnfi.scaled": 0.88781015,
        "rfi.scaled": 0.85149401,
        "nfi.scaled": 0.90099601,
        "pnfi.scaled": 0.60066401,
        "ifi.scaled": 0.92625517,
        "rni.scaled": 0.92520676,
        "nnfi.robust": 0.8947959,
        "rni.robust": 0.92986394,
        "scaling.factor.h1": 1.0510101,
        "scaling.factor.h0": 1.1332591,
        "rmsea.notclose.pvalue.scaled": 0.86185879,
        "rmsea.notclose.pvalue.robust": 0.849362,
    },
    "GROUP": {
        "rmr": 0.10005856,
        "rmr_nomean": 0.098927444,
        "srmr_bentler_nomean": 0.079546717,
        "crmr": 0.086650171,
        "crmr_nomean": 0.084268091,
        "srmr_mplus": 0.086668851,
        "gfi": 0.99288015,
        "mfi": 0.84119793,
        "ecvi": 0.86412901,
        "cn_05": 146.05335,
    },
    "COV": {
        "rmr": 0.069173454,
        "crmr": 0.08146339,
        "srmr_mplus": 0.068849131,
        "gfi": 0.93890964,
        "agfi": 0.8396378,
        "pgfi": 0.35767986,
        "cn_01": 165.76264,
    },
    "WLSMV": {
        "nnfi": 1.006212,
        "rfi": 0.98734976,
        "nfi": 0.99141591,
        "pnfi": 0.67274651,
        "ifi": 1.0041896,
        "rni": 1.0042153,
        "rmsea.notclose.pvalue": 0.00024610932,
        "rmr": 0.028576863,
        "rmr_nomean": 0.039275142,
        "srmr_bentler": 0.028576863,
        "srmr_bentler_nomean": 0.039275142,
        "crmr": 0.030422394,
        "crmr_nomean": 0.044533825,
        "cn_05": 468.84174,
        "cn_01": 562.69933,
        "gfi": 0.99664245,
        "agfi": 0.98939721,
        "pgfi": 0.31560344,
        "mfi": 1.0156443,
        "nnfi.scaled": 0.99587764,
        "rfi.scaled": 0.96662971,
        "nfi.scaled": 0.97735588,
        "pnfi.scaled": 0.66320577,
        "ifi.scaled": 0.99722963,
        "rni.scaled": 0.99720269,
        "nnfi.robust": 0.98493509,
        "rni.robust": 0.98977738,
        "rmsea.notclose.pvalue.scaled": 0.015453749,
        "rmsea.notclose.pvalue.robust": 0.10464891,
        "wrmr": 0.46227293,
    },
    "WLSMVX": {
        "rmr": 0.018678385,
        "rmr_nomean": 0.029263405,
        "srmr_bentler": 0.018678385,
        "crmr": 0.020692352,
        "gfi": 0.99491464,
        "agfi": 0.97355614,
        "cn_05": 359.58381,
        "mfi": 0.99713052,
        "wrmr": 0.48610278,
    },
    "MIXED": {
        "rmr": 0.046623377,
        "srmr_bentler": 0.037456466,
        "crmr": 0.04501707,
        "gfi": 0.9996519,
        "wrmr": 0.57680796,
        "rni.scaled": 0.93764671,
    },
    "FIMLMLR": {
        "rmr": 0.075073356,
        "crmr": 0.065367328,
        "srmr_mplus": 0.059784072,
        "gfi": 0.9962749507,
        "agfi": 0.9916186391,
        "pgfi": 0.4427888670,
        "scaling.factor.h0": 1.0810122,
        "rni.robust": 0.9326011,
        "rmsea.notclose.pvalue.robust": 0.78609661,
    },
    "GROUPMLR": {"scaling.factor.h1": 1.033425959, "scaling.factor.h0": 0.834315516},
    "EQUAL": {"scaling.factor.h1": 1.051010126, "scaling.factor.h0": 1.099284907},
    "GROUPWLSMV": {"wrmr": 0.8958058873, "srmr": 0.0534131597, "crmr": 0.0889785619, "gfi": 0.9877925065},
    "TWO": {
        "nfi": 0.99640072,
        "ifi": 1.0008524,
        "rmsea.notclose.pvalue": 4.4664183e-26,
    },
}


def _data(name, data_of):
    if name == "datcat":
        data = data_of("semtools_datcat")
        return data.assign(z=np.arange(1, len(data) + 1) % 7)
    if name == "levels":
        return data_of("lavaan_demo_twolevel")
    data = data_of("lavaan_hs1939")
    data["y"] = np.digitize(data["x4"], [2.2, 3.2, 4.2], right=True)
    row = np.arange(1, len(data) + 1)
    for j in range(1, 10 if name == "holes" else 1):
        data.loc[((7 * row + 3 * j) % 10 == 0) & (row % 4 > 0), f"x{j}"] = np.nan
    return data


@pytest.mark.parametrize("case", CASES)
def test_measures_are_lavaans(data_of, case):
    model, data, options = CASES[case]
    found = cfa(model, _data(data, data_of), **options).fit_measures
    expected = pd.Series(LAVAAN[case])
    np.testing.assert_allclose(found[expected.index], expected, rtol=2e-5, atol=1e-7)


def test_measures_worked_out_by_hand():
    """A chi-square of 30 with 10 degrees of freedom beside one of 110 with 15."""
    found = comparative_measures("", 30, 10, 110, 15) | reduction_measures("", 30, 10, 110, 15)
    expected = {
        "cfi": 1 - 20 / 95,
        "tli": 1 - 20 / 95 * 1.5,
        "nnfi": 1 - 20 / 95 * 1.5,
        "rni": 1 - 20 / 95,
        "rfi": 1 - 3 / (110 / 15),
        "nfi": 80 / 110,
        "pnfi": 80 / 110 * 10 / 15,
        "ifi": 80 / 100,
    }
    assert found == pytest.approx(expected)


def test_a_saturated_model_fits_by_every_measure(data_of):
    found = cfa("v =~ x1 + x2 + x3", data_of("lavaan_hs1939")).fit_measures
    perfect = ["cfi", "tli", "nnfi", "rni", "rfi", "nfi", "ifi", "gfi", "agfi", "mfi"]
    np.testing.assert_allclose(found[perfect], 1, atol=1e-8)
    np.testing.assert_allclose(found[["rmr", "srmr", "crmr", "srmr_mplus", "pgfi"]], 0, atol=1e-6)
    # A critical n would be that of a chi-square without degrees of freedom.
    assert found[["cn_05", "cn_01"]].isna().all()


def test_equal_parameters_count_once_in_the_scaling_of_the_likelihood(data_of):
    """The saturated model's factor follows from the other and the test's, whatever is equal over groups."""
    data = data_of("lavaan_hs1939")
    options = {"group": "school", "estimator": "MLR"}
    free, equal = (
        cfa("v =~ x1 + x2 + x3 + x4", data, group_equal=e, **options).fit_measures
        for e in ((), ("loadings",))
    )
    assert free["scaling.factor.h1"] == pytest.approx(equal["scaling.factor.h1"])
    assert free["npar"] > equal["npar"]
