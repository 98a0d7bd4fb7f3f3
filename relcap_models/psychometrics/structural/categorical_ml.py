"""Robust fit of ordinal items: how far the model would be off if the variables beneath had been observed."""

from __future__ import annotations

import numpy as np
from scipy.linalg import block_diag

from relcap_models.psychometrics.structural.estimate_dwls import (
    OrdinalModel,
    dwls_information,
    sampling_covariance,
    slopes,
    weights,
)

SMALLEST_EIGENVALUE = float(np.sqrt(np.finfo(float).eps))


def corrected_for_categories(
    model: OrdinalModel, theta: np.ndarray
) -> tuple[float, float, float, float] | None:
    """(chi-square, its factor, the baseline's, its factor) of normal correlations.

    The chi-square is the maximum-likelihood distance of polychoric correlations from those that the model
    implies; its factor is its expectation per degree of freedom. None if there are continuous items or
    covariates, a correlation matrix (of the sample or the model) is not positive definite, or the model also
    constrains thresholds: the measures are of correlations alone.

    Source: Savalei (2021), Improving fit indices in structural equation modeling with categorical data,
    Multivariate Behavioral Research 56, 390-407.
    """
    if any(len(part.covariates) or not part.ordinal.all() for part in model.parts_ordinal):
        return None
    matrices = [matrix for _, _, m, sample, _ in model.parts(theta) for matrix in (m.sigma, sample.cov)]
    if any(np.linalg.eigvalsh(matrix)[0] < SMALLEST_EIGENVALUE for matrix in matrices):
        return None
    n_pairs = sum(len(s.items) * (len(s.items) - 1) // 2 for s in model.statistics)
    slope = slopes(model, theta)
    pairs = np.vstack(
        [d[-(len(s.items) * (len(s.items) - 1) // 2) :] for d, s in zip(slope, model.statistics)]
    )
    df = n_pairs - int(np.linalg.matrix_rank(pairs @ model.freedom.basis))
    if df != model.n_statistics - model.n_estimated:
        return None
    inverse = model.freedom.invert(dwls_information(model, slope))
    chisq = null_chisq = 0.0
    weight, normal, kept = [], [], []
    for (share, _, moments, sample, _), w in zip(model.parts(theta), weights(model)):
        precision = np.linalg.inv(moments.sigma)
        log_determinant = np.linalg.slogdet(sample.cov)[1]
        fitted = np.linalg.slogdet(moments.sigma)[1] + np.trace(precision @ sample.cov) - len(precision)
        chisq += sample.n * (fitted - log_determinant)
        null_chisq -= sample.n * log_determinant
        column, row = np.triu_indices(len(precision), k=1)
        crossed = precision[np.ix_(row, row)] * precision[np.ix_(column, column)]
        crossed += precision[np.ix_(row, column)] * precision[np.ix_(column, row)]
        normal.append(share * crossed)
        kept.append(np.arange(len(w)) >= len(w) - len(row))
        weight.append(share * w[kept[-1]])
    gamma = sampling_covariance(model)[np.ix_(*[np.concatenate(kept)] * 2)]
    beyond = np.eye(n_pairs) - pairs @ inverse @ pairs.T * np.concatenate(weight)
    trace = float(np.trace(beyond.T @ block_diag(*normal) @ beyond @ gamma))
    null_trace = float(np.trace(gamma))
    return chisq, trace / df if df > 0 else 1.0, null_chisq, null_trace / n_pairs
