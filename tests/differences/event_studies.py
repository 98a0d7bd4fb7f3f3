"""Two published event studies, as R's HonestDiD has them."""

import numpy as np
import pandas as pd


def _series(values: str, times: list[int]) -> pd.Series:
    return pd.Series([float(value) for value in values.split()], index=times)


def _covariance(text: str) -> np.ndarray:
    """A symmetric matrix from its lower triangle times 10,000."""
    rows = [[float(value) for value in line.split()] for line in text.strip().splitlines()]
    lower = np.array([row + [0.0] * (len(rows) - len(row)) for row in rows]) / 10_000
    return lower + np.tril(lower, -1).T


# Benzarti & Carloni (2019), profits of restaurants after a cut of value-added tax: 2004–2007 before, 2008
# base, 2009–2012 after.
PROFITS = _series(
    """
    0.0066963518 0.0293450337 -0.00647297222 0.0730149895
    0.195961118 0.312063903 0.239541546 0.1260425
    """,
    [-5, -4, -3, -2, 0, 1, 2, 3],
)
PROFITS_COVARIANCE = _covariance(
    """
    8.428358
    4.768687 6.42542
    2.618051 3.987425 5.22995
    2.35422 2.435515 2.117686 3.089595
    1.676371 2.20196 1.840722 1.197866 3.599704
    1.128708 1.804591 1.458528 1.334081 2.478819 4.26395
    0.1992816 0.3843765 0.7005197 1.016335 1.749579 2.171438 4.886698
    -1.368265 -0.2960422 0.5952995 1.079052 1.654257 2.892748 3.805322 7.617394
    """
)

# Insurance of states that expanded Medicaid in 2014 against states that had not by 2015: two-way fixed
# effects, 2008–2012 before, 2013 base, with fixest's errors by state, from the public table of 43 states.
INSURED = _series(
    """
    -0.00528535453 -0.0112973246 -0.00267599181 -0.00141931225 0.000339663519
    0.0464468542 0.0692061755
    """,
    [-6, -5, -4, -3, -2, 0, 1],
)
INSURED_COVARIANCE = _covariance(
    """
    0.7488484
    0.6039874 0.7266501
    0.444462 0.378933 0.5052052
    0.3385765 0.2866578 0.2673679 0.4003222
    0.4328011 0.4543321 0.2778194 0.241286 0.5462662
    0.476588 0.442885 0.3060644 0.2380868 0.3682531 0.8375669
    0.2425129 0.2824655 0.09637534 0.02923878 0.09722948 0.6321398 1.071235
    """
)
