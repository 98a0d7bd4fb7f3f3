"""Factors before rotation: maximum likelihood and minimum residuals from a correlation matrix."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import numpy as np
from scipy.optimize import minimize

from relcap_models.errors import DataError, FitError

# psych::fa's limit for minimum residuals. lavaan bounds the likelihood's at zero, where eigenvalues cannot
# evaluate it; at 1e-6 the chi-square differs by about 1e-6.
LEAST_UNIQUENESS = {"minres": 0.005, "ml": 1e-6}


@dataclass(frozen=True)
class Extraction:
    """Unrotated factors: the principal axes of what the items share.

    loadings : (item, factor), on unit-variance, uncorrelated factors. uniqueness : (item,).
    at_bound : (item,) bool, the uniqueness is the smallest allowed (a Heywood case).
    slope : (item,) the criterion's gradient by uniqueness times uniqueness, zero where a bound holds it.
    value : of the criterion.
    """

    loadings: np.ndarray
    uniqueness: np.ndarray
    at_bound: np.ndarray
    slope: np.ndarray
    value: float

    @property
    def converged(self) -> bool:
        """The criterion is at a minimum."""
        return bool(np.abs(self.slope).max() < 1e-4)


def degrees_of_freedom(n_items: int, n_factors: int) -> int:
    """Correlations less free loadings."""
    return ((n_items - n_factors) ** 2 - n_items - n_factors) // 2


def most_factors(n_items: int) -> int:
    """How many factors the correlations of so many items can identify."""
    return max(k for k in range(n_items) if degrees_of_freedom(n_items, k) >= 0)


def check_factors(n_items: int, n_factors: int) -> None:
    """Raises DataError unless the correlations of so many items identify so many factors."""
    most = most_factors(n_items)
    if not most:
        raise DataError(f"{n_items} items cannot carry a factor: at least 3 are needed")
    if n_factors < 1:
        raise DataError(f"`n_factors` is 1 or more, not {n_factors}")
    if n_factors > most:
        need = next(n for n in count(n_items) if most_factors(n) >= n_factors)
        raise DataError(
            f"`n_factors` is {n_factors}, which needs {need} items: {n_items} leave many solutions alike. "
            f"Set n_factors={most}{' or less' if most > 1 else ''}, or use more items"
        )


def extract(correlation: np.ndarray, n_factors: int, *, method: str) -> Extraction:
    """Loadings and uniquenesses that come closest to the correlations.

    Heywood cases have several minima. This is the one near psych's start, at what the other items leave of
    each item's variance; it need not be the lowest.

    Parameters
    ----------
    correlation : (item, item), positive definite
    method : "ml" or "minres". Minimum residuals and unweighted least squares are one criterion.

    Raises
    ------
    FitError
        If the optimiser gives no finite result.

    Source: Jöreskog (1967), Psychometrika 32, 443–482 (ml); Harman & Jones (1966), Psychometrika 31,
    351–368, and Jöreskog (1977) (minres). Loadings are profiled out, so that uniquenesses alone are searched.
    """
    found = _search(correlation, n_factors, method, _start(correlation, n_factors, method))
    if not np.isfinite(found.value):
        raise FitError("The factors could not be extracted: try fewer factors")
    return found


def _start(correlation: np.ndarray, n_factors: int, method: str) -> np.ndarray:
    # What the other items leave of each item's variance; for ml with Jöreskog's (1967) factor.
    unexplained = 1 / np.diag(np.linalg.pinv(correlation))
    factor = 1 - n_factors / (2 * len(unexplained)) if method == "ml" else 1.0
    return np.clip(factor * unexplained, 0.02, 0.98)


def _search(correlation: np.ndarray, n_factors: int, method: str, start: np.ndarray) -> Extraction:
    """A minimum near the start. The logarithm of uniquenesses is searched: it behaves near zero."""
    criterion, loadings = (_ml, _ml_loadings) if method == "ml" else (_minres, _minres_loadings)

    def of_logs(logs):
        value, gradient = criterion(np.exp(logs), correlation, n_factors)
        return value, gradient * np.exp(logs)

    least = np.log(LEAST_UNIQUENESS[method])
    found = minimize(
        of_logs,
        np.log(start),
        jac=True,
        method="L-BFGS-B",
        bounds=[(least, 0.0)] * len(start),
        options={"maxiter": 5000, "maxfun": 20000, "ftol": 1e-15, "gtol": 1e-9, "maxcor": 20},
    )
    value, slope = of_logs(found.x)
    at_bound = found.x <= least + 1e-6
    held = (at_bound & (slope > 0)) | ((found.x >= 0) & (slope < 0))
    uniqueness = np.exp(found.x)
    return Extraction(
        loadings(uniqueness, correlation, n_factors), uniqueness, at_bound, np.where(held, 0.0, slope), value
    )


def _minres(uniqueness, correlation, n_factors):
    """Half the sum of squared residuals, and its gradient."""
    loadings = _minres_loadings(uniqueness, correlation, n_factors)
    residual = correlation - loadings @ loadings.T - np.diag(uniqueness)
    return 0.5 * np.sum(residual**2), -np.diag(residual)


def _minres_loadings(uniqueness, correlation, n_factors):
    values, vectors = np.linalg.eigh(correlation - np.diag(uniqueness))
    return vectors[:, : -n_factors - 1 : -1] * np.sqrt(np.maximum(values[: -n_factors - 1 : -1], 0.0))


def _ml(uniqueness, correlation, n_factors):
    """The likelihood's discrepancy, log|Σ| + tr(RΣ⁻¹) − log|R| − p, and its gradient."""
    root = np.sqrt(uniqueness)
    values, vectors = np.linalg.eigh(correlation / np.outer(root, root))
    rest = values[:-n_factors]
    loadings = root[:, None] * vectors[:, -n_factors:] * np.sqrt(np.maximum(values[-n_factors:] - 1, 0.0))
    gradient = (np.sum(loadings**2, axis=1) + uniqueness - np.diag(correlation)) / uniqueness**2
    return np.sum(rest - np.log(rest) - 1), gradient


def _ml_loadings(uniqueness, correlation, n_factors):
    root = np.sqrt(uniqueness)
    values, vectors = np.linalg.eigh(correlation / np.outer(root, root))
    scale = np.sqrt(np.maximum(values[: -n_factors - 1 : -1] - 1, 0.0))
    return root[:, None] * vectors[:, : -n_factors - 1 : -1] * scale
