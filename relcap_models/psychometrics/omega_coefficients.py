"""Omega: how much of a sum score one general factor explains, and how much all factors together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.psychometrics.correlations import correlate
from relcap_models.psychometrics.exploratory_factors import extraction_notes
from relcap_models.psychometrics.extraction import check_factors, extract
from relcap_models.psychometrics.rotation import rotate


@dataclass(frozen=True)
class Omega:
    """Reliability of a sum score from a general factor and group factors.

    total : share of the sum's variance due to all factors. hierarchical : due to the general factor alone.
    loadings : item by `g`, `F1`, `F2`, …, `h2` (share that the factors explain), `u2` (the rest), items
    flipped so that they load positively on g
    flipped : items that were. notes : what a reader should know.
    """

    total: float
    hierarchical: float
    loadings: pd.DataFrame
    flipped: tuple[str, ...]
    notes: tuple[str, ...]


def omega(items: pd.DataFrame | np.ndarray, *, n_factors: int = 3, ordinal: bool = False) -> Omega:
    """Share of a sum score's variance due to one general factor, and to all factors.

    Respondents who answered every item are used. Minimum-residual factors are rotated obliquely (direct
    quartimin), a general factor is found in their correlations, and the items' loadings are orthogonalized
    (Schmid & Leiman), as psych::omega does. Items that load negatively on the general factor are flipped, and
    named.

    With two factors the general one is not identified: both are taken to load equally on it. With one factor
    it is that factor, and `hierarchical` says nothing beyond `total`.

    Parameters
    ----------
    items : a column for each item
    n_factors : group factors: 1 for three or four items, 1 or 2 for five, so that the default is for six or
        more
    ordinal : from polychoric correlations: of what lies behind the answers, not of a sum of answers

    Raises
    ------
    DataError
        If an item cannot be used, or the items' correlations do not identify so many factors: three need six
        items, two need five. (psych::omega then gives one of many solutions that fit alike.)
    FitError
        If the factors cannot be found.

    Source: McDonald (1999), Test Theory, ch. 6; Zinbarg, Revelle, Yovel & Li (2005), Psychometrika 70,
    123–133; Schmid & Leiman (1957), Psychometrika 22, 53–61.
    """
    found = correlate(items, ordinal=ordinal, listwise=True, least=3)
    return omega_of_correlation(found.matrix, n_factors=n_factors, notes=found.notes)


def omega_of_correlation(
    correlation: pd.DataFrame, *, n_factors: int = 3, notes: tuple[str, ...] = ()
) -> Omega:
    """Omega from the correlations of items; see `omega`.

    Parameters
    ----------
    correlation : (item, item), positive definite
    notes : on the correlations, to stand before those on omega
    """
    names = correlation.columns
    observed = correlation.to_numpy()
    check_factors(len(names), n_factors)
    extraction = extract(observed, n_factors, method="minres")
    axes = extraction.loadings
    pattern, between = _oblique(axes)
    on_general, more = _general(between)
    general = pattern @ on_general
    specific = np.sign(pattern) * np.sqrt(np.maximum(pattern**2 * (1 - on_general**2), 0.0))
    key = np.where(general < 0, -1.0, 1.0)
    explained = np.sum(axes**2, axis=1)
    variance = key @ observed @ key
    flipped = tuple(names[key < 0])
    table = np.column_stack([key * general, key[:, None] * specific, explained, 1 - explained])
    columns = ["g", *(f"F{j + 1}" for j in range(n_factors)), "h2", "u2"]
    said = [*notes, *extraction_notes(extraction, names), *more]
    if flipped:
        said.append(f"Flipped to load positively on the general factor: {', '.join(flipped)}")
    return Omega(
        total=float(1 - np.sum(1 - explained) / variance),
        hierarchical=float(np.sum(key * general) ** 2 / variance),
        loadings=pd.DataFrame(table, index=names, columns=columns),
        flipped=flipped,
        notes=tuple(said),
    )


def _oblique(axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pattern and correlations of the factors: quartimin, from where varimax ends, as psych takes it."""
    varimax = rotate(axes, "varimax", starts=0).loadings
    varimax = varimax * np.where(varimax.sum(axis=0) < 0, -1.0, 1.0)
    varimax = varimax[:, np.argsort(-np.sum(varimax**2, axis=0), kind="stable")]
    turned = rotate(varimax, "quartimin", starts=0)
    return turned.loadings, turned.factor_correlation


def _general(between: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The factors' loadings on the general one."""
    k = len(between)
    if k == 1:
        return np.ones(1), ["With one factor, hierarchical omega says nothing beyond total omega"]
    if k == 2:
        shared = between[0, 1]
        return np.sqrt(np.abs(shared)) * np.array([1.0, np.sign(shared)]), [
            "With two factors the general one is not identified: both are taken to load equally on it"
        ]
    found = extract(between, 1, method="minres")
    loadings = found.loadings[:, 0] * (-1.0 if found.loadings.sum() < 0 else 1.0)
    return loadings, [
        f"Group factor F{j + 1} is the general factor (a Heywood case): try fewer factors"
        for j in np.flatnonzero(found.at_bound)
    ]
