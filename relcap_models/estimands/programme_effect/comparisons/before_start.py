"""Relation-waves before the start with coefficients of their own: what cannot be an effect, or not yet."""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.estimands.programme_effect.comparisons.relation_waves import BASE


def with_leads(rows: pd.DataFrame) -> pd.DataFrame:
    """Every wave before the start but the last, which all others are compared with."""
    return _marked(rows, rows["wave"] < rows["since"] - 1)


def with_anticipation(rows: pd.DataFrame) -> pd.DataFrame:
    """The last wave before the start, in which people know that it is coming."""
    return _marked(rows, rows["wave"] == rows["since"] - 1)


def as_if_earlier(rows: pd.DataFrame) -> pd.DataFrame:
    """Waves before the start alone, the last of which passes for the first under the programme."""
    return with_anticipation(rows[rows["estimand"] == BASE])


def _marked(rows: pd.DataFrame, marked: pd.Series) -> pd.DataFrame:
    marked = marked & (rows["estimand"] == BASE) & (rows["since"] >= 0)
    return rows.assign(
        estimand=np.where(marked, rows["ever"], rows["estimand"]),
        group=np.where(marked, rows["since"], rows["group"]),
        event=np.where(marked, rows["wave"] - rows["since"], rows["event"]),
    )
