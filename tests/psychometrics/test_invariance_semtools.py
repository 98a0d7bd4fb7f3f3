"""Measurement invariance: the models that semTools writes."""

import numpy as np
import pytest

from relcap_models.psychometrics import invariance
from tests.psychometrics.invariance_models import (
    AGREEABLE,
    HOLZINGER,
    NAMES,
    TWO,
    WAVES,
    A,
    with_few_categories,
)

# chisq, df, chisq.scaled, cfi.scaled, rmsea.scaled, srmr by level. semTools 0.5-6, lavaan 0.6-14:
# measEq.syntax(model, data, ordered, "theta", ID.fac = "std.lv", ID.cat = "Wu.Estabrook.2016", group,
# group.equal, group.partial), then cfa with WLSMV (MLR for the last). Respondents complete in A1-A5, gender
# and education, A1 reversed; in `three` the groups are education, and answers 1-3 and 5-6 are collapsed.
SEMTOOLS = {
    "full": [
        (67.26476873, 10, 124.6944873, 0.9750752518, 0.09596202553, 0.03698673627),
        (72.47892002, 25, 143.9492473, 0.9741506318, 0.06180718709, 0.03698673563),
        (90.94839682, 29, 135.1878771, 0.9769238596, 0.05422088531, 0.03998420976),
        (157.4610342, 33, 199.1874485, 0.9638850968, 0.06358728382, 0.03896608224),
        (189.2422074, 38, 215.1326446, 0.9615065496, 0.06117664261, 0.04029714958),
    ],
    "partial": [
        (67.26476873, 10, 124.6944873, 0.9750752518, 0.09596202553, 0.03698673627),
        (70.70295408, 24, 142.4196069, 0.9742657302, 0.06294109886, 0.03698674176),
        (88.42506523, 27, 135.1995599, 0.9764866922, 0.05672297481, 0.03990038517),
        (114.2474375, 30, 160.0410492, 0.971740225, 0.05899398576, 0.0390724295),
        (138.521105, 35, 178.1204176, 0.9688978917, 0.05729871853, 0.03995113618),
    ],
    "mixed": [
        (54.18255913, 10, 123.6193513, 0.959797999, 0.09551119673, 0.03457783067),
        (57.71269179, 19, 124.9051757, 0.9625275102, 0.06689750583, 0.03457784266),
        (83.09908285, 23, 122.7511918, 0.9647049779, 0.05900968043, 0.04130643815),
        (124.5225816, 27, 163.0941892, 0.9518457141, 0.06361595384, 0.04199877198),
        (139.251162, 32, 161.9858042, 0.9540070475, 0.0571085466, 0.04142201024),
    ],
    "three": [
        (44.16342966, 25, 74.93377425, 0.9826492413, 0.06335589153, 0.0429671635),
        (44.16342991, 25, 74.93379396, 0.9826492344, 0.06335590403, 0.04296727201),
        (61.9625981, 41, 106.1220697, 0.9773716821, 0.05649785806, 0.04457297383),
        (79.62793176, 57, 107.8834756, 0.9823192434, 0.0423555934, 0.04602048639),
        (222.3891853, 77, 268.9688842, 0.9332955331, 0.07078314773, 0.06209507701),
    ],
    "holzinger": [
        (115.8513439, 48, 121.7406511, 0.9144846334, 0.1010333179, 0.06786409628),
        (124.0435442, 54, 125.9974779, 0.916506152, 0.09412251252, 0.07165158811),
        (164.1028309, 60, 166.7481862, 0.876206541, 0.1087267426, 0.08244697357),
        (181.5113452, 69, 181.4287787, 0.8696188863, 0.1040509264, 0.08826263841),
    ],
}


@pytest.mark.parametrize("case", SEMTOOLS)
def test_models_as_semtools_writes_them(agreeable, data_of, case):
    complete = agreeable.dropna()
    collapsed = complete.copy()
    collapsed[AGREEABLE] = np.digitize(complete[AGREEABLE], [3.5, 4.5])
    model, data, options = {
        "full": (A, complete, {"ordered": True, "group": "gender"}),
        "partial": (
            A,
            complete,
            {"ordered": True, "group": "gender", "partial": ["A =~ A2", "A3 | t1", "A1 ~ 1"]},
        ),
        "mixed": (A, complete, {"ordered": AGREEABLE[:3], "group": "gender"}),
        "three": (A, collapsed, {"ordered": True, "group": "education"}),
        "holzinger": (HOLZINGER, data_of("lavaan_hs1939"), {"group": "school"}),
    }[case]
    found = invariance(model, data, **options).table[NAMES].to_numpy()
    # Scaled measures move in their sixth digit where lavaan stops its optimiser.
    np.testing.assert_allclose(found, SEMTOOLS[case], rtol=3e-6, atol=3e-6)


# As SEMTOOLS; with `group`, `group.equal`, `longFacNames` and `long.equal` where groups are followed over
# waves. Of A1 to A5 answers above 4 are 1 (all items, or A1 and A4), and A2 and A5 are collapsed to 4 and
# below, 5, 6; in `datcat` u1 and u5 are split above 2, u2 and u6 collapsed to 2 and below, 3, 4 and above.
COLLAPSED = {
    "groups over waves": [
        (19.06052902, 30, 31.71841307, 0.9983119803, 0.0240539032, 0.0452587485),
        (28.88151841, 54, 51.03717158, 1, 0, 0.04525876309),
        (36.33104497, 63, 57.73240989, 1, 0, 0.04816173552),
        (49.55316364, 72, 72.3471009, 0.9996590382, 0.006978209853, 0.04824056134),
        (63.07154393, 84, 88.23940334, 0.9958355785, 0.0225785022, 0.05206547531),
    ],
    "some continuous over waves": [
        (9.847049273, 15, 19.24143187, 0.9942231227, 0.03769502885, 0.03660331405),
        (11.87954665, 21, 23.29524057, 0.9968738569, 0.02343569949, 0.03660332241),
        (13.03874828, 24, 22.57691809, 1, 0, 0.03751991327),
        (15.87720338, 27, 26.26169147, 1, 0, 0.0375583304),
        (17.19303934, 31, 28.11618754, 1, 0, 0.03705114176),
    ],
    "some continuous, groups over waves": [
        (14.18571321, 30, 28.96413976, 1, 0, 0.0436097383),
        (23.29523122, 48, 46.14784972, 1, 0, 0.04360969303),
        (30.53212055, 57, 51.32939534, 1, 0, 0.04777838736),
        (40.61921943, 66, 63.81251018, 1, 0, 0.04784214208),
        (48.10755617, 78, 73.99371484, 1, 0, 0.04957522251),
    ],
    "two categories": [
        (42.31553919, 10, 67.40348822, 0.9779549904, 0.06512384169, 0.04560314832),
        (42.3155392, 10, 67.40348759, 0.9779549906, 0.06512384133, 0.04560314734),
        (45.22396576, 14, 56.71949445, 0.9835941735, 0.04748100517, 0.04702995401),
        (44.95981213, 13, 69.56732504, 0.9782761072, 0.0566998637, 0.04568307251),
        (67.14922814, 18, 85.17753228, 0.974201405, 0.05251055887, 0.04702303736),
    ],
    "two to six categories": [
        (35.19169797, 10, 60.73542726, 0.987798528, 0.061224681, 0.0362808623),
        (37.77665253, 13, 68.02646159, 0.986766568, 0.05592229514, 0.0362808385),
        (45.56997561, 17, 61.8561638, 0.9892124447, 0.04415272107, 0.0388649067),
        (78.79228882, 19, 119.8508669, 0.9757461582, 0.06262300263, 0.03930607883),
        (92.22522885, 24, 120.1928153, 0.9768663831, 0.05441724701, 0.03904427983),
    ],
    "two to five categories, two factors": [
        (28.1584101, 38, 42.40082074, 0.9931462451, 0.03420246789, 0.06905576049),
        (32.13612348, 46, 49.80154687, 0.9940795429, 0.02889240284, 0.06905571011),
        (35.94287548, 52, 52.46471638, 0.9992762595, 0.00950111817, 0.07196974974),
        (47.63916227, 56, 66.52611265, 0.9836068314, 0.04357349501, 0.07207806995),
        (53.42366033, 64, 72.08763971, 0.987404463, 0.03572755643, 0.07262330877),
    ],
    "two to five categories over waves": [
        (12.85644203, 15, 19.35735687, 0.9928110392, 0.03820668847, 0.04856846857),
        (13.81167586, 19, 21.66176034, 0.9956085096, 0.02653268104, 0.04856847698),
        (20.46434304, 22, 28.81433786, 0.9887574028, 0.03945244767, 0.06050039759),
        (19.27950221, 24, 27.4934651, 0.9942363261, 0.0270455642, 0.05019393847),
        (25.57538491, 28, 34.62717326, 0.9890661953, 0.03448725343, 0.0604834692),
    ],
}


@pytest.mark.parametrize("case", COLLAPSED)
def test_waves_within_groups_and_few_categories_as_semtools_has_them(agreeable, datcat, case):
    complete = agreeable[[*AGREEABLE, "gender"]].dropna()
    binary = with_few_categories(complete, AGREEABLE, {}, 4)
    unlike = with_few_categories(complete, ["A1", "A4"], {"A2": (4, 6), "A5": (4, 6)}, 4)
    few = with_few_categories(datcat, ["u1", "u5"], {"u2": (2, 4), "u6": (2, 4)}, 2)
    one, three = "FU =~ u1 + u2 + u3 + u4", ["u1", "u2", "u3"]
    model, data, options = {
        "groups over waves": (one, datcat, {"ordered": True, "group": "g", "waves": WAVES}),
        "some continuous over waves": (one, datcat, {"ordered": three, "waves": WAVES}),
        "some continuous, groups over waves": (one, datcat, {"ordered": three, "group": "g", "waves": WAVES}),
        "two categories": (A, binary, {"ordered": True, "group": "gender"}),
        "two to six categories": (A, unlike, {"ordered": True, "group": "gender"}),
        "two to five categories, two factors": (TWO, few, {"ordered": True, "group": "g"}),
        "two to five categories over waves": (one, few, {"ordered": True, "waves": WAVES}),
    }[case]
    result = invariance(model, data, **options)
    np.testing.assert_allclose(result.table[NAMES], COLLAPSED[case], rtol=3e-6, atol=3e-6)
    assert ("Two categories" in " ".join(result.notes)) == case.startswith("two")
    if case.startswith("two"):
        # Not nested in the loadings level, where residual variances of two categories are equal.
        df = result.table["df"]
        assert result.table.loc["intercepts", "diff.df"] == df["intercepts"] - df["thresholds"]


def test_residual_variances_and_intercepts_may_stay_free(agreeable):
    """semTools and lavaan as above, items A1 to A3 ordered, at the last level."""
    found = invariance(
        A,
        agreeable.dropna(),
        ordered=AGREEABLE[:3],
        group="gender",
        partial=["A2 ~~ A2", "A4 ~~ A4", "A5 ~ 1"],
    ).table.loc["residuals", NAMES]
    wanted = (135.4506246, 29, 164.8281856, 0.9519398343, 0.06132309769, 0.04166384227)
    np.testing.assert_allclose(found, wanted, rtol=3e-6, atol=3e-6)
