"""Errors that missing answers may have caused say so, and the way on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd

from relcap_models.errors import DataError, FitError

FIML = 'missing="fiml" uses what they answered'
PAIRWISE = 'missing="pairwise" uses what they answered'
LEAVE_OUT = "two-level models need complete answers, so leave out the variables that few answered"


@contextmanager
def naming_missing(
    data: pd.DataFrame, names: Iterable[str], codes: np.ndarray, missing: str, way: str
) -> Iterator[None]:
    """Add to errors how many were left out, where it was half of a group or more.

    names : of variables used. codes : (respondent,) the number of each one's group. way : what else to do.
    """
    try:
        yield
    except (DataError, FitError) as error:
        known = [name for name in dict.fromkeys(names) if name in data.columns]
        lacking = data[known].isna().any(axis=1).to_numpy()
        if missing != "listwise" or not (pd.Series(lacking).groupby(codes).mean() >= 0.5).any():
            raise
        said = f"{lacking.sum()} of {len(data)} respondents have missing answers and were left out: {way}"
        if error.problems:
            raise type(error)(f"{said}. Among the others:", problems=error.problems) from None
        raise type(error)(f"{error}. {said}") from None
