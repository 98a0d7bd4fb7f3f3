"""Factor and structural models of continuous items, against lavaan."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from relcap_models.psychometrics import cfa, compare, sam
from relcap_models.psychometrics.structural.result import CfaResult
from tests.psychometrics.conftest import named
from tests.validation.reference.entry import Entry, Tolerance, read

HOLZINGER = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
DEMOCRACY = """
ind60 =~ x1 + x2 + x3
dem60 =~ y1 + {a}y2 + {b}y3 + {c}y4
dem65 =~ y5 + {a}y6 + {b}y7 + {c}y8
dem60 ~ ind60
dem65 ~ ind60 + dem60
y1 ~~ y5
y2 ~~ y4 + y6
y3 ~~ y7
y4 ~~ y8
y6 ~~ y8
"""
MEDIATION = """
ind60 =~ x1 + x2 + x3
dem60 =~ y1 + y2 + y3 + y4
dem65 =~ y5 + y6 + y7 + y8
dem60 ~ a*ind60
dem65 ~ c*ind60 + b*dem60
ab := a*b
tot := c + a*b
"""
STEPS = {"configural": (), "loadings": "loadings", "intercepts": ("loadings", "intercepts")}
MODIFICATIONS = 10

# lavaan's optimiser stops earlier: its estimates are 1e-4 from the maximum, where a chi-square is flat,
# and a modification index is not.
LAVAAN = Tolerance(1e-6, 1e-4)
WITH_MODIFICATIONS = Tolerance(1e-5, 1e-4)
# The fit measures of values.csv, so far as a model has them.
MEASURES = [
    *("npar", "chisq", "df", "pvalue", "chisq.scaled", "pvalue.scaled", "cfi", "tli", "rmsea"),
    *("rmsea.ci.lower", "rmsea.ci.upper", "cfi.scaled", "tli.scaled", "rmsea.scaled", "cfi.robust"),
    *("rmsea.robust", "srmr", "srmr_within", "srmr_between", "logl", "aic", "bic"),
]


def fit_measures(fit: CfaResult) -> pd.Series:
    found = fit.fit_measures
    return found[found.index.intersection(MEASURES)].add_prefix("fit:")


def figures_of(fit: CfaResult) -> pd.Series:
    """Fit measures, estimates, standard errors and standardised estimates, by the names of values.csv."""
    found = named(fit)
    return pd.concat([fit_measures(fit), found[~found.index.str.startswith("fit:")]])


def _holzinger(reference: Path, estimator: str) -> pd.Series:
    fit = cfa(HOLZINGER, read(reference, "lavaan_hs1939"), estimator=estimator)
    return pd.concat([figures_of(fit), _modifications(fit)]) if estimator == "ML" else figures_of(fit)


def _modifications(fit: CfaResult) -> pd.Series:
    """The largest modification indices, of which values.csv has ten."""
    table = fit.modification_indices.head(MODIFICATIONS)
    return table.set_axis("mi:" + table["lhs"] + table["op"] + table["rhs"])["mi"]


def _with_holes(reference: Path) -> pd.Series:
    data = read(reference, "lavaan_hs1939").copy()
    data.loc[:29, "x5"] = np.nan
    data.loc[50:79, "x9"] = np.nan
    return figures_of(cfa(HOLZINGER, data, missing="fiml"))


@cache
def _schools(reference: Path, step: str) -> CfaResult:
    return cfa(HOLZINGER, read(reference, "lavaan_hs1939"), group="school", group_equal=STEPS[step])


def _differences(reference: Path) -> pd.Series:
    table = compare(*(_schools(reference, step) for step in STEPS)).iloc[1:]
    return pd.concat(
        [
            table["chisq_diff"].set_axis(["lrt:Chisq.diff:2", "lrt:Chisq.diff:3"]),
            table["df_diff"].set_axis(["lrt:Df.diff:2", "lrt:Df.diff:3"]),
        ]
    )


def _democracy(reference: Path, model: str) -> pd.Series:
    return figures_of(cfa(model, read(reference, "lavaan_politicaldemocracy")))


def _democracy_after_measurement(reference: Path) -> pd.Series:
    table = sam(MEDIATION, read(reference, "lavaan_politicaldemocracy")).parameters
    paths = table[table["op"] == "~"]
    name = paths["lhs"] + "~" + paths["rhs"]
    return pd.concat([paths.set_axis(f"{kind}:" + name)[kind] for kind in ("est", "se")])


EQUAL_LOADINGS = DEMOCRACY.format(a="a*", b="b*", c="c*")
SCHOOLS = "Equal loadings and intercepts of two groups"
ENTRIES = (
    *(
        Entry(f"hs.cfa.{e}", f"Factor model, {e}", partial(_holzinger, estimator=e), tolerance)
        for e, tolerance in {"ML": WITH_MODIFICATIONS, "MLM": LAVAAN, "MLR": LAVAAN}.items()
    ),
    Entry(
        "hs.cfa.fiml[x5[rows 1-30]=NA,x9[rows 51-80]=NA]",
        "Factor model, missing answers (FIML)",
        _with_holes,
        LAVAAN,
    ),
    Entry("hs.school.configural", SCHOOLS, lambda r: figures_of(_schools(r, "configural")), LAVAAN),
    Entry("hs.school.loadings", SCHOOLS, lambda r: fit_measures(_schools(r, "loadings")), LAVAAN),
    Entry("hs.school.intercepts", SCHOOLS, lambda r: figures_of(_schools(r, "intercepts")), LAVAAN),
    Entry("hs.school", SCHOOLS, _differences, LAVAAN),
    Entry(
        "poldem.sem",
        "Structural equations",
        partial(_democracy, model=DEMOCRACY.format(a="", b="", c="")),
        LAVAAN,
    ),
    Entry("poldem.equal", "Structural equations", partial(_democracy, model=EQUAL_LOADINGS), LAVAAN),
    Entry("poldem.mediation", "Structural equations", partial(_democracy, model=MEDIATION), LAVAAN),
    Entry("poldem.sam", "Structure after measurement (SAM)", _democracy_after_measurement, LAVAAN),
)
