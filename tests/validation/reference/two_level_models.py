"""Models with a level of persons and one of clusters, and omega at both, against lavaan and semTools."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from relcap_models.psychometrics import cfa, multilevel_omega
from tests.validation.reference.entry import Entry, Tolerance, read
from tests.validation.reference.factor_models import figures_of

STRUCTURE = """
level: 1
fw =~ y1 + y2 + y3
fw ~ x1 + x2 + x3
level: 2
fb =~ y1 + y2 + y3
fb ~ w1 + w2
"""
EQUAL = """
level: 1
f1 =~ y1 + L2*y2 + L3*y3
level: 2
f1 =~ y1 + L2*y2 + L3*y3
"""

# lavaan's optimiser and its EM for the saturated model stop before the end: estimates by 1e-4, chi-squares
# by 2e-4 of any size. The model's likelihood is flat there.
LAVAAN = Tolerance(1e-8, 2e-4, least=5e-4)


def _structure(reference: Path) -> pd.Series:
    fit = cfa(STRUCTURE, read(reference, "lavaan_demo_twolevel"), cluster="cluster")
    return pd.concat([figures_of(fit), fit.icc.set_index("variable")["icc"].add_prefix("icc:")])


def _equal(reference: Path) -> pd.Series:
    data = read(reference, "lavaan_demo_twolevel")
    found = multilevel_omega(EQUAL, data, cluster="cluster")
    omega = {"omega_W": found.within, "omega_2L": found.two_level, "omega_B": found.between}
    return pd.concat([figures_of(cfa(EQUAL, data, cluster="cluster")), pd.Series(omega)])


TWO_LEVELS = "Two-level models, and omega"
EARLY = "lavaan's EM stops early"
ENTRIES = (
    Entry("twolevel.sem", TWO_LEVELS, _structure, LAVAAN, remark=EARLY),
    Entry(
        "twolevel.equal",
        TWO_LEVELS,
        _equal,
        LAVAAN,
        reasons={"IRR": "reliability of clusters' means is ICC(2) here, by analysis of variance"},
        remark=EARLY,
    ),
)
