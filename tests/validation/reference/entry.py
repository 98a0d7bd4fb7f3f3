"""What an entry of the registry says: an id of the reference values, and how its figures are found here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pandas as pd

COUNT = r"fit:npar|fit:df|lrt:Df\.diff:\d"
STATISTIC = r"fit:(chisq|chisq\.scaled|logl|aic|bic)|lrt:Chisq\.diff:\d|loglik|mi:.*"


@dataclass(frozen=True)
class Tolerance:
    """Largest difference that counts as agreement, as a share of figures beyond 1. Counts must be the same.

    statistics : of chi-squares, likelihoods and criteria. figures : of all else. least : allowed of any
    statistic, however small, not as a share.
    """

    statistics: float
    figures: float
    least: float = 0.0

    def of(self, quantity: str, value: float) -> float:
        """The largest difference from this value."""
        if re.fullmatch(COUNT, quantity):
            return 0.0
        unit = max(1.0, abs(value))
        if re.fullmatch(STATISTIC, quantity):
            return max(self.statistics * unit, self.least)
        return self.figures * unit


# A closed form: the ten digits that the reference values have.
DIGITS = Tolerance(1e-9, 1e-9)


@dataclass(frozen=True)
class Entry:
    """An id of the reference values.

    id : as in values.csv. analysis : the row of the README's table. figures : folder of the reference data →
    our figures by quantity; None where they are sampled (`make validation` only), or not reproduced at all.
    reasons : why the quantities that fully match a pattern are not reproduced. remark : what a reader of
    the table should know.
    """

    id: str
    analysis: str
    figures: Callable[[Path], pd.Series] | None = None
    tolerance: Tolerance = DIGITS
    reasons: Mapping[str, str] = field(default_factory=dict)
    remark: str = ""

    def reason(self, quantity: str) -> str:
        """Why a quantity is not reproduced; '' where it is."""
        return next((why for pattern, why in self.reasons.items() if re.fullmatch(pattern, quantity)), "")


@cache
def read(reference: Path, name: str) -> pd.DataFrame:
    """A reference data set, to be left as it is."""
    (path,) = sorted(reference.glob(f"{name}.csv*"))
    return pd.read_csv(path)


@cache
def values(reference: Path) -> pd.DataFrame:
    """All reference values: columns id, quantity, value, software."""
    return pd.read_csv(reference / "values.csv")[["id", "quantity", "value", "software"]]
