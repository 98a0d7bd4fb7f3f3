"""Factor models of ordinal items and their invariance over groups and waves, against lavaan and semTools."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

import pandas as pd

from relcap_models.psychometrics import categorical_omega, cfa, cronbach_alpha, invariance, polychoric
from relcap_models.psychometrics.structural.invariance import Invariance
from relcap_models.psychometrics.structural.result import CfaResult
from tests.validation.reference.entry import Entry, Tolerance, read
from tests.validation.reference.factor_models import figures_of, fit_measures

LEVELS = ("configural", "thresholds", "loadings", "intercepts")
AGREEABLENESS = [f"A{i}" for i in range(1, 6)]
TWO = "FU1 =~ u1 + u2 + u3 + u4\nFU2 =~ u5 + u6 + u7 + u8"
WAVES = [{f"u{i}": f"u{i + 4 * wave}" for i in range(1, 5)} for wave in (0, 1)]

# lavaan's optimiser stops earlier, at 1e-6 of a chi-square; differences of chi-squares are small.
LAVAAN = Tolerance(1e-5, 2e-5)
# lavaan prints its optimiser's last digits.
PAIRS = Tolerance(0.0, 1e-7)


def agreeableness(reference: Path, *more: str) -> pd.DataFrame:
    """Five personality items, A1 turned round, of those who answered all."""
    items = read(reference, "psychtools_bfi")[[*AGREEABLENESS, *more]].dropna()
    return items.assign(A1=7 - items["A1"])


def _agreeableness(reference: Path) -> pd.Series:
    items = agreeableness(reference)
    fit = cfa("A =~ " + " + ".join(AGREEABLENESS), items, ordered=True, std_lv=True)
    return pd.concat([figures_of(fit), _reliabilities(fit, items)])


def _reliabilities(fit: CfaResult, items: pd.DataFrame) -> pd.Series:
    """Of one factor, by semTools' names."""
    found, table = categorical_omega(fit), fit.parameters
    loadings = table.loc[table["op"] == "=~", "std_all"]
    coefficients = {
        "alpha": cronbach_alpha(items).value,
        "alpha.ord": cronbach_alpha(items, kind="ordinal").value,
        # Two for several factors that share items; of one factor they are the same.
        "omega": found.omega["A"],
        "omega2": found.omega["A"],
        "omega3": found.observed["A"],
        # Average variance extracted.
        "avevar": (loadings**2).mean(),
    }
    compared = pd.Series({"compRelSEM.categorical.omega": found.observed["A"]})
    return pd.concat([pd.Series(coefficients).add_prefix("reliability:"), compared])


def _four(reference: Path) -> pd.Series:
    data = read(reference, "semtools_datcat")
    return figures_of(cfa("f =~ u1 + u2 + u3 + u4", data, ordered=True, std_lv=True))


def _leadership(reference: Path) -> pd.Series:
    items = [f"LEAD{i:02d}" for i in range(1, 12)]
    return figures_of(cfa("F =~ " + " + ".join(items), read(reference, "multilevel_lq2002"), ordered=items))


@cache
def _invariance(reference: Path, id: str) -> Invariance:
    if id == "bfi.A.gender":
        model = "A =~ " + " + ".join(AGREEABLENESS)
        return invariance(model, agreeableness(reference, "gender"), ordered=True, group="gender")
    data = read(reference, "semtools_datcat")
    if id == "datcat.group":
        return invariance(TWO, data, ordered=True, group="g")
    return invariance("FU =~ u1 + u2 + u3 + u4", data, ordered=True, waves=WAVES)


def _level(reference: Path, id: str, level: str) -> pd.Series:
    fit = _invariance(reference, id).fits[level]
    if level != LEVELS[-1]:
        return fit_measures(fit)
    # semTools was given factors FU1 and FU2; here one factor FU has waves w1 and w2.
    return figures_of(fit).rename(lambda quantity: quantity.replace("FU.w", "FU"))


def _differences(reference: Path, id: str) -> pd.Series:
    table = _invariance(reference, id).table.loc[list(LEVELS[1:])]
    return pd.concat(
        [
            table["diff.chisq"].set_axis([f"lrt:Chisq.diff:{k}" for k in (2, 3, 4)]),
            table["diff.df"].set_axis([f"lrt:Df.diff:{k}" for k in (2, 3, 4)]),
        ]
    )


def _polychoric(reference: Path) -> pd.Series:
    found = polychoric(agreeableness(reference))
    estimate = {}
    for label in found.standard_error.index:
        item, _, k = label.partition("|t")
        pair = label.split("~~")
        estimate[label] = found.thresholds[item][int(k) - 1] if k else found.correlation.loc[*pair]
    return pd.concat([pd.Series(estimate).add_prefix("est:"), found.standard_error.add_prefix("se:")])


WLSMV = "Factor model of ordinal items, WLSMV"
INVARIANCE = {
    "bfi.A.gender": "Invariance of ordinal items over groups",
    "datcat.group": "Invariance of ordinal items over groups",
    "datcat.waves[u1-4 then u5-8]": "Invariance of ordinal items over waves",
}
ENTRIES = (
    Entry("bfi.A.polychoric[listwise]", "Polychoric correlations", _polychoric, PAIRS),
    Entry("bfi.A.WLSMV[listwise,std.lv]", WLSMV, _agreeableness, LAVAAN),
    Entry("datcat.u1-4.WLSMV", WLSMV, _four, LAVAAN),
    Entry("lq2002.LEAD.WLSMV", WLSMV, _leadership, LAVAAN),
    *(
        Entry(f"{id}.{level}", analysis, partial(_level, id=id, level=level), LAVAAN)
        for id, analysis in INVARIANCE.items()
        for level in LEVELS
    ),
    *(Entry(id, analysis, partial(_differences, id=id), LAVAAN) for id, analysis in INVARIANCE.items()),
)
