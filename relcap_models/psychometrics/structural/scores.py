"""Factor scores: what each respondent's answers say about the latent variables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.errors import DataError
from relcap_models.psychometrics.structural.fit import Fit


def factor_scores(fit: Fit) -> pd.DataFrame:
    """Regression scores: the expected latent variables of each respondent, given the answers there are.

    Returns
    -------
    (respondent, latent) DataFrame whose index is the respondent's row in the data (0, 1, …); respondents
    who were left out are not in it.

    Source: Thurstone (1935); Bartholomew, Knott & Moustaki (2011), Latent Variable Models, section 7.4.
    """
    if fit.ordinal:
        raise DataError(
            "Factor scores of ordered items are not available: use sum scores, or fit the items as continuous"
        )
    frames = []
    for block, sample, moments in zip(fit.model.blocks, fit.model.samples, fit.model.moments(fit.theta)):
        p = block.n_observed
        shared = moments.covariance[p:, :p]
        mu = moments.mu if block.means else sample.mean
        latent_mean = moments.mean[p:] if block.means else _latent_mean(moments.effects, sample.mean)
        scores = np.empty((sample.n, len(block.variables) - p))
        for pattern in sample.patterns:
            seen = pattern.seen
            off = sample.values[np.ix_(pattern.rows, seen)] - mu[seen]
            weight = np.linalg.solve(moments.sigma[np.ix_(seen, seen)], shared[:, seen].T)
            scores[pattern.rows] = latent_mean + off @ weight
        frames.append(pd.DataFrame(scores, index=sample.position, columns=list(block.variables[p:])))
    return pd.concat(frames).sort_index()


def _latent_mean(effects: np.ndarray, observed_mean: np.ndarray) -> np.ndarray:
    """Means of latent variables with intercepts 0, where observed variables with these means explain them."""
    p = len(observed_mean)
    paths = np.eye(len(effects)) - np.linalg.inv(effects)
    among = np.eye(len(effects) - p) - paths[p:, p:]
    return np.linalg.solve(among, paths[p:, :p] @ observed_mean)
