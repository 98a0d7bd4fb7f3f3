"""Where estimation starts: loadings from covariances of indicators, half of each variance as residual."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from relcap_models.psychometrics.structural.sample import Sample

LATENT_VARIANCE = 0.05


def with_sample_moments(table: pd.DataFrame, samples: Sequence[Sample]) -> pd.DataFrame:
    """The table with the covariates' variances, covariances and means from the sample in `ustart`."""
    values = table["ustart"].to_numpy(copy=True)
    for row in np.flatnonzero(table["exo"]):
        sample = samples[table["block"].iat[row]]
        lhs, op, rhs = (table[c].iat[row] for c in ("lhs", "op", "rhs"))
        at = sample.observed.index(lhs)
        values[row] = sample.mean[at] if op == "~1" else sample.cov[at, sample.observed.index(rhs)]
    return table.assign(ustart=values)


def start_values(table: pd.DataFrame, samples: Sequence[Sample]) -> np.ndarray:
    """(free parameter,) starting values; those that the user gave come first.

    Source: Hägglund (1982), Psychometrika 47, 209-222 (instrumental variables, FABIN3) for loadings.
    """
    lhs, op, rhs = (table[c].to_numpy() for c in ("lhs", "op", "rhs"))
    start = np.zeros(len(table))
    for b, sample in enumerate(samples):
        mine = table["block"].to_numpy() == b
        latent = set(lhs[mine & (op == "=~")])
        at = {name: i for i, name in enumerate(sample.observed)}
        for row in np.flatnonzero(mine & (op == "~1")):
            start[row] = sample.mean[at[lhs[row]]] if lhs[row] in at else 0.0
        for row in np.flatnonzero(mine & (op == "~~") & (lhs == rhs)):
            start[row] = (
                LATENT_VARIANCE if lhs[row] in latent else 0.5 * sample.cov[at[lhs[row]], at[lhs[row]]]
            )
        for factor in dict.fromkeys(lhs[mine & (op == "=~")]):
            rows = np.flatnonzero(mine & (op == "=~") & (lhs == factor))
            variance = table["ustart"].to_numpy()[mine & (op == "~~") & (lhs == factor) & (rhs == factor)]
            start[rows] = 1.0
            if all(name in at for name in rhs[rows]) and len(rows) >= 3:
                index = [at[name] for name in rhs[rows]]
                unit = bool(len(variance)) and variance[0] == 1.0
                start[rows] = _loadings(sample.cov[np.ix_(index, index)], unit_variance=unit)
    given = table["ustart"].to_numpy()
    start = np.where(np.isnan(given), start, given)
    free = table["free"].to_numpy()
    theta = np.empty(free.max(initial=0))
    # Of equal parameters the first one's value counts.
    theta[free[free > 0][::-1] - 1] = start[free > 0][::-1]
    return theta


def _loadings(cov: np.ndarray, *, unit_variance: bool) -> np.ndarray:
    n = len(cov)
    loading = np.ones(n)
    for i in range(1, n):
        others = [k for k in range(n) if k not in (0, i)]
        first = cov[others, 0]
        weight = np.linalg.lstsq(cov[np.ix_(others, others)], first, rcond=None)[0]
        below = first @ weight
        loading[i] = cov[i, others] @ weight / below if abs(below) > 1e-12 else 1.0
    bound = np.sqrt(np.diag(cov) / (0.1 * cov[0, 0]))
    loading = np.clip(loading, -bound, bound)
    if unit_variance:
        off = ~np.eye(n, dtype=bool)
        product = np.outer(loading, loading)[off]
        variance = cov[off] @ product / (product @ product)
        loading = loading * np.sqrt(max(variance, 0.1 * cov[0, 0]))
    return loading
