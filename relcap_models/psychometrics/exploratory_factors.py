"""Exploratory factor analysis: which items measure the same thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.correlations import correlate
from relcap_models.psychometrics.efa_fit import minres_fit, ml_fit, ordinal_fit, ordinal_minres_fit
from relcap_models.psychometrics.extraction import Extraction, check_factors, extract
from relcap_models.psychometrics.rotation import ROTATIONS, Rotation, arrange, rotate

METHODS = ("ml", "minres", "uls")
_NO_ML = "that of maximum likelihood does not hold for polychoric correlations; minres has one"
_NO_ERRORS = "some correlations have no standard error"


@dataclass(frozen=True)
class ExploratoryFactors:
    """Factors found in items.

    loadings : item by factor (`F1`, `F2`, …), standardized pattern coefficients
    factor_correlation : factor by factor; the identity for orthogonal rotations
    uniqueness : by item, the share of its variance that the factors leave out
    fit : chisq, df, pvalue, rmsea, tli, srmr, as far as the method gives them
    n : respondents. notes : what a reader should know.
    """

    loadings: pd.DataFrame
    factor_correlation: pd.DataFrame
    uniqueness: pd.Series
    fit: pd.Series
    n: int
    notes: tuple[str, ...]


def efa(
    items: pd.DataFrame | np.ndarray,
    n_factors: int,
    *,
    method: Literal["ml", "minres", "uls"] = "ml",
    rotation: Literal["oblimin", "quartimin", "geomin", "promax", "varimax", "quartimax", "none"] = "oblimin",
    ordinal: bool = False,
) -> ExploratoryFactors:
    """Which items measure the same thing, and how many things there are, without saying so beforehand.

    Respondents who answered every item are used. Items are standardized first.

    Order and sign are lavaan's, from loadings in the items' own units (unstandardized): each factor's
    loadings sum to a positive number, and factors stand in the order of the mean position of their marked
    items, those with at least .8 of the factor's largest loading.
    Without rotation, factors are principal axes in the order of what they explain.

    Parameters
    ----------
    items : a column for each item
    n_factors : how many factors; `parallel_analysis` suggests a number
    method : "ml" (maximum likelihood, chi-square as lavaan's), "minres" or "uls" (two names of one criterion;
        chi-square as psych::fa's)
    rotation : see `relcap_models.psychometrics.rotation.rotate`
    ordinal : from polychoric correlations. The chi-square is then scaled and shifted (lavaan's ULSMV), and
        missing for "ml", which has none.

    Raises
    ------
    DataError
        If an item cannot be used, or the items cannot carry so many factors.
    FitError
        If the factors cannot be found.

    Source: Jöreskog (1967), Psychometrika 32, 443–482; Harman & Jones (1966), Psychometrika 31, 351–368;
    Browne (2001), Multivariate Behavioral Research 36, 111–150 (rotation).
    """
    if method not in METHODS:
        raise DataError(f"`method` is one of {', '.join(METHODS)}, not {method!r}")
    if rotation not in ROTATIONS:
        raise DataError(f"`rotation` is one of {', '.join(ROTATIONS)}, not {rotation!r}")
    correlation = correlate(items, ordinal=ordinal, listwise=True, least=3)
    observed = correlation.matrix.to_numpy()
    names = correlation.matrix.columns
    check_factors(len(names), n_factors)
    extraction = extract(observed, n_factors, method="ml" if method == "ml" else "minres")
    notes = [*correlation.notes, *extraction_notes(extraction, names)]
    if not ordinal:
        fit = (ml_fit if method == "ml" else minres_fit)(observed, extraction, correlation.n)
    elif method == "ml" or np.isnan(correlation.acov).any():
        fit = ordinal_fit(observed, extraction)
        notes.append("No chi-square: " + (_NO_ML if method == "ml" else _NO_ERRORS))
    else:
        fit = ordinal_minres_fit(observed, extraction, correlation.acov, correlation.n)
    if np.isnan(fit.get("chisq", 0.0)):
        notes.append("No chi-square: the factors explain more than all of an item, so none can be computed")
    if fit["df"] == 0:
        notes.append("The factors have as many parameters as there are correlations: fit says nothing")
    loadings = _standardized(extraction) if method == "ml" else extraction.loadings
    rotated = _rotated(loadings, rotation, correlation.deviations.to_numpy())
    if not rotated.converged:
        notes.append(f"The rotation ({rotation}) did not settle: try another, or fewer factors")
    factors = [f"F{j + 1}" for j in range(n_factors)]
    return ExploratoryFactors(
        pd.DataFrame(rotated.loadings, index=names, columns=factors),
        pd.DataFrame(rotated.factor_correlation, index=factors, columns=factors),
        pd.Series(1 - np.sum(loadings**2, axis=1), index=names, name="uniqueness"),
        fit,
        correlation.n,
        tuple(notes),
    )


def extraction_notes(extraction: Extraction, names: pd.Index) -> list[str]:
    """Heywood cases in words.

    Raises
    ------
    FitError
        If the search did not converge.
    """
    if not extraction.converged:
        worst = names[int(np.argmax(np.abs(extraction.slope)))]
        raise FitError(
            f"The factors did not converge, because of item '{worst}' most of all. Try fewer factors, or "
            "leave it out"
        )
    return [
        f"Item '{name}' has no variance of its own left (a Heywood case): try fewer factors, or leave it out"
        for name in names[extraction.at_bound]
    ]


def _rotated(loadings: np.ndarray, rotation: str, deviations: np.ndarray) -> Rotation:
    if rotation == "none" or loadings.shape[1] == 1:
        signs = np.where((loadings * deviations[:, None]).sum(axis=0) < 0, -1.0, 1.0)
        return Rotation(loadings * signs, np.eye(loadings.shape[1]), True)
    return arrange(rotate(loadings, rotation), deviations)


def _standardized(extraction: Extraction) -> np.ndarray:
    # Where a uniqueness is at its bound, the implied variances are not exactly one.
    implied = np.sum(extraction.loadings**2, axis=1) + extraction.uniqueness
    return extraction.loadings / np.sqrt(implied)[:, None]
