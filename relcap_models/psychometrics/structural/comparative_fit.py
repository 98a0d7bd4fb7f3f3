"""How well a model fits beside the one in which nothing is related."""

from __future__ import annotations

import numpy as np


def comparative_measures(
    suffix: str,
    chisq: float,
    df: float,
    null_chisq: float,
    null_df: float,
    factor: float = 1.0,
    null_factor: float = 1.0,
) -> dict[str, float]:
    """CFI, TLI (which is NNFI) and RNI, from chi-squares and what each degree of freedom adds to them.

    Source: Bentler (1990), Psychological Bulletin 107, 238-246; Tucker & Lewis (1973), Psychometrika 38,
    1-10; McDonald & Marsh (1990), Psychological Bulletin 107, 247-255.
    """
    factor = 1.0 if df == 0 else factor
    off, null_off = chisq - factor * df, null_chisq - null_factor * null_df
    largest = max(off, null_off, 0.0)
    cfi = 1.0 if largest < 1e-8 else 1 - max(off, 0.0) / largest
    tli = 1.0 if df == 0 or null_off * df == 0 else 1 - off * null_df / (null_off * df)
    rni = 1 - off / null_off if abs(null_off) > 1e-8 else np.nan
    return {f"cfi{suffix}": cfi, f"tli{suffix}": tli, f"nnfi{suffix}": tli, f"rni{suffix}": rni}


def reduction_measures(
    suffix: str, chisq: float, df: float, null_chisq: float, null_df: float
) -> dict[str, float]:
    """Relative reductions of the chi-square: RFI, NFI, PNFI, IFI.

    NaN where nothing is related in the data; RFI and NFI where the model is not nested above the baseline.

    Source: Bollen (1986), Psychometrika 51, 375-377; Bentler & Bonett (1980), Psychological Bulletin 88,
    588-606; James, Mulaik & Brett (1982); Bollen (1989), Sociological Methods & Research 17, 303-316.
    """
    related = null_df > 0 and null_chisq > 1e-8
    nested = df <= null_df
    drop = (null_chisq - chisq) / null_chisq if related else np.nan
    nfi = 1.0 if df == 0 and related else drop
    rfi = 1.0
    if df > 0:
        rfi = 1 - chisq / df / (null_chisq / null_df) if related else np.nan
        rfi = 1.0 if rfi < 0 else rfi
    beyond = null_chisq - df
    ifi = np.nan if abs(beyond) < 1e-8 else 1.0 if beyond < 0 else (null_chisq - chisq) / beyond
    found = {
        "rfi": rfi if nested else np.nan,
        "nfi": nfi if nested else np.nan,
        "pnfi": df / null_df * drop if related else np.nan,
        "ifi": ifi,
    }
    return {f"{name}{suffix}": value for name, value in found.items()}
