"""Least squares on relations in waves, each relation with a level of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from relcap_models.differences import dyadic_covariance

ENDS = ("cluster_rater", "cluster_target")
LEAST_CLUSTERS = 3


@dataclass(frozen=True)
class RelationRegression:
    """estimate : (term,)

    covariances : (kind, term, term), where errors go together whenever relations share a unit (or district)
    at either end (Aronow, Samii & Assenova 2015), the rater, the target, or both; blank where nothing can be
    known of them
    """

    estimate: np.ndarray
    covariances: np.ndarray


def regress(rows: pd.DataFrame, design: np.ndarray, *, outcome: str, errors: bool) -> RelationRegression:
    """Regress a column of `relation_waves` on the design, within relations. errors : or no covariances."""
    y, design = _within(rows[outcome].to_numpy()[:, None], rows)[:, 0], _within(design, rows)
    estimate = np.linalg.lstsq(design, y, rcond=None)[0]
    first, second = (rows[end].to_numpy() for end in ENDS)
    if not errors or len(np.union1d(first, second)) < LEAST_CLUSTERS:
        return RelationRegression(estimate, np.full((1, len(estimate), len(estimate)), np.nan))
    pair = pd.factorize(pd.MultiIndex.from_arrays([np.minimum(first, second), np.maximum(first, second)]))[0]
    residuals = y - design @ estimate
    kinds = ((first, second), (first, first), (second, second), (pair, pair))
    return RelationRegression(
        estimate, np.array([dyadic_covariance(design, residuals, one, other) for one, other in kinds])
    )


def largest_variance(covariances: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(sum,) variance of weighted sums of terms, the largest of all kinds.

    The dyadic one takes a variance off, and with few units what is left can be next to nothing, or less.
    weights : (term, sum)

    Source: MacKinnon, Nielsen & Webb (2021), J. Business & Economic Statistics 39, 505-519, who do so for
    two-way clusters.
    """
    return np.einsum("ps,kpq,qs->ks", weights, covariances, weights).max(axis=0).clip(0)


def _within(values: np.ndarray, rows: pd.DataFrame) -> np.ndarray:
    """Deviations from the means of relations."""
    code, _ = pd.factorize(rows["relation"])
    members = csr_array((np.ones(len(code)), (code, np.arange(len(code)))))
    return values - (members @ values / np.bincount(code)[:, None])[code]
