"""Reliability, number of factors and exploratory factors, against psych, lavaan and R."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from relcap_models.psychometrics import bartlett_sphericity, cronbach_alpha, efa, kmo, parallel_analysis
from tests.validation.reference.entry import DIGITS, Entry, Tolerance, read

# lavaan's rotation stops at this distance.
LAVAAN = Tolerance(0.0, 1e-5)
NINE = [f"x{i}" for i in range(1, 10)]


def _alpha(reference: Path) -> pd.Series:
    items = read(reference, "psychtools_bfi")[[f"A{i}" for i in range(1, 6)]]
    items = items.assign(A1=7 - items["A1"])
    raw = cronbach_alpha(items)
    whole = {
        "alpha.raw": raw.value,
        "alpha.std": cronbach_alpha(items, kind="standardized").value,
        "alpha.raw.listwise": cronbach_alpha(items, missing="listwise").value,
    }
    return pd.concat([pd.Series(whole), raw.if_dropped.add_prefix("alpha.dropped:")])


def _dimensions(reference: Path) -> pd.Series:
    """The first 25 columns of the file, as the reference values: the respondents' number is among them."""
    columns = read(reference, "psychtools_bfi").iloc[:, :25].dropna()
    eigenvalues = parallel_analysis(columns, n_iter=1).components["observed"].head(6)
    tests = {"kmo": kmo(columns).overall, "bartlett.chisq": bartlett_sphericity(columns).chisq}
    return pd.concat(
        [eigenvalues.set_axis([f"eigenvalue:{i}" for i in range(1, 7)]), pd.Series(tests)],
    )


def _geomin(reference: Path) -> pd.Series:
    """Loadings without their signs, which are arbitrary; the order of factors is lavaan's."""
    loadings = efa(read(reference, "lavaan_hs1939")[NINE], 3, rotation="geomin").loadings.abs()
    return pd.Series({f"abs.loading:{i}:{j}": loadings.loc[i, f"F{j}"] for j in (1, 2, 3) for i in NINE})


ENTRIES = (
    Entry("bfi.A.reliability[A1:=7-A1]", "Cronbach's alpha", _alpha, DIGITS),
    Entry("bfi.25[listwise]", "Eigenvalues, KMO, Bartlett's test", _dimensions, DIGITS),
    Entry("hs.efa3.geomin", "Exploratory factors, geomin", _geomin, LAVAAN),
)
