"""How well extracted factors reproduce the correlations."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import chi2

from relcap_models.psychometrics.extraction import Extraction, degrees_of_freedom


def ml_fit(correlation: np.ndarray, extraction: Extraction, n: int) -> pd.Series:
    """Fit of maximum-likelihood factors, with lavaan's definitions (likelihood "normal": n, not n − 1).

    Returns
    -------
    Series: chisq, df, pvalue, rmsea, tli (against uncorrelated items), srmr. `pvalue` is NaN if df is 0.

    Source: Jöreskog (1967); Steiger (1990) (rmsea); Tucker & Lewis (1973); Bentler (1995) (srmr).
    """
    p, k = extraction.loadings.shape
    df = degrees_of_freedom(p, k)
    implied = extraction.loadings @ extraction.loadings.T + np.diag(extraction.uniqueness)
    chisq = n * discrepancy(correlation, implied)
    ratio, free = chisq / max(df, 1), -n * np.linalg.slogdet(correlation)[1] / (p * (p - 1) / 2)
    rmsea = np.sqrt(max(ratio - 1, 0.0) / n) if df else 0.0
    tli = (free - ratio) / (free - 1) if df else 1.0
    return _series(chisq, df, rmsea, tli, srmr(correlation, implied))


def minres_fit(correlation: np.ndarray, extraction: Extraction, n: int) -> pd.Series:
    """Fit of minimum-residual factors: the likelihood's discrepancy at their solution, as psych::fa.

    The chi-square has Bartlett's (1950) factor n − 1 − (2p + 5)/6 − 2k/3. Its rmsea and tli are psych's. The
    rest is as `ml_fit` gives it.
    """
    p, k = extraction.loadings.shape
    df = degrees_of_freedom(p, k)
    implied = _implied(extraction)
    scale = n - 1 - (2 * p + 5) / 6 - 2 * k / 3
    objective = discrepancy(correlation, implied)
    free = -np.linalg.slogdet(correlation)[1] / (p * (p - 1) / 2)
    chisq = max(scale * objective, 0.0)
    rmsea = np.sqrt(max(chisq / (df * n) - 1 / (n - 1), 0.0)) if df else 0.0
    tli = (free - objective / df) / (free - 1 / scale) if df else 1.0
    return _series(chisq, df, rmsea, tli, srmr(correlation, implied))


def ordinal_fit(correlation: np.ndarray, extraction: Extraction) -> pd.Series:
    """Series: df and srmr, which hold whatever the correlations come from."""
    df = degrees_of_freedom(*extraction.loadings.shape)
    return pd.Series({"df": float(df), "srmr": srmr(correlation, _implied(extraction))})


def ordinal_minres_fit(
    correlation: np.ndarray, extraction: Extraction, acov: np.ndarray, n: int
) -> pd.Series:
    """Fit of minimum-residual factors of polychoric correlations, as lavaan's estimator ULSMV reports it.

    The sum of squared residuals is no chi-square; it is scaled and shifted so that its mean and variance are
    those of one. rmsea and tli come from the scaled statistic.

    Parameters
    ----------
    acov : (pair, pair) asymptotic covariance matrix of the correlations, in the order of `np.triu_indices`

    Source: Asparouhov & Muthén (2010), Simple second order chi-square correction; Muthén (1993).
    """
    p, k = extraction.loadings.shape
    df, free = degrees_of_freedom(p, k), p * (p - 1) // 2
    # Free loadings span what the model can follow; rotations leave some of their columns without effect.
    left, size, _ = np.linalg.svd(_jacobian(extraction.loadings), full_matrices=False)
    followed = left[:, size > 1e-8 * size[0]]
    rest = np.eye(free) - followed @ followed.T
    above = np.triu_indices(p, 1)
    implied = _implied(extraction)
    residual = (correlation - implied)[above]
    chisq = _scaled_shifted(residual @ residual, rest @ acov, df)
    baseline = _scaled_shifted(correlation[above] @ correlation[above], acov, free)
    ratio = chisq / max(df, 1)
    rmsea = np.sqrt(max(ratio - 1, 0.0) / (n - 1)) if df else 0.0
    tli = (baseline / free - ratio) / (baseline / free - 1) if df else 1.0
    return _series(chisq, df, rmsea, tli, srmr(correlation, implied))


def _scaled_shifted(squares: float, weighted: np.ndarray, df: int) -> float:
    """A sum of squares whose expectation is the matrix's trace, as a chi-square with df degrees."""
    if not df:
        return 0.0
    scale = np.sqrt(df / np.trace(weighted @ weighted))
    return scale * squares + df - scale * np.trace(weighted)


def _jacobian(loadings: np.ndarray) -> np.ndarray:
    """(pair, item × factor) how implied correlations change with loadings."""
    p, k = loadings.shape
    rows, columns = np.triu_indices(p, 1)
    change = np.zeros((len(rows), p, k))
    pairs = np.arange(len(rows))
    change[pairs, rows] = loadings[columns]
    change[pairs, columns] = loadings[rows]
    return change.reshape(len(rows), p * k)


def _implied(extraction: Extraction) -> np.ndarray:
    implied = extraction.loadings @ extraction.loadings.T
    np.fill_diagonal(implied, 1.0)
    return implied


def discrepancy(correlation: np.ndarray, implied: np.ndarray) -> float:
    """log|Σ| + tr(RΣ⁻¹) − log|R| − p; NaN where Σ is not positive definite."""
    sign, log_implied = np.linalg.slogdet(implied)
    if sign <= 0:
        return np.nan
    trace = np.trace(np.linalg.solve(implied, correlation))
    return trace + log_implied - np.linalg.slogdet(correlation)[1] - len(correlation)


def srmr(correlation: np.ndarray, implied: np.ndarray) -> float:
    """Root mean square of the residual correlations, the diagonal counted (lavaan's definition)."""
    below = np.tril_indices(len(correlation))
    return float(np.sqrt(np.mean((correlation - implied)[below] ** 2)))


def _series(chisq: float, df: int, rmsea: float, tli: float, residual: float) -> pd.Series:
    pvalue = chi2.sf(chisq, df) if df else np.nan
    return pd.Series(
        {"chisq": chisq, "df": float(df), "pvalue": pvalue, "rmsea": rmsea, "tli": tli, "srmr": residual}
    )
