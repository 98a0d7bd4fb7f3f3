"""Factor scores at two levels, and how much of each variable's variance lies between clusters."""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.psychometrics.structural.fit import Fit
from relcap_models.psychometrics.structural.implied_moments import Moments
from relcap_models.psychometrics.structural.two_level_sample import TwoLevelSample


def two_level_factor_scores(fit: Fit) -> pd.DataFrame:
    """Expected factors of each respondent and of the cluster, given all answers in the cluster.

    Returns
    -------
    (respondent, (level, factor)) DataFrame: column (1, f) is how far the respondent is from the cluster,
    (2, f) the cluster's score. The index is the respondent's row in the data.

    Source: Bartholomew, Knott & Moustaki (2011), Latent Variable Models, section 7.4, applied to the joint
    normal distribution of a cluster's answers and factors.
    """
    moments = fit.model.moments(fit.theta)
    frames = []
    for g, sample in enumerate(fit.model.samples):
        within, between = moments[2 * g : 2 * g + 2]
        upper, factors = _of_clusters(sample, within, between)
        p = len(sample.within)
        level = np.zeros((sample.n_clusters, p))
        shared = [i for i, name in enumerate(sample.within) if name in sample.between]
        level[:, shared] = upper[:, [sample.between.index(sample.within[i]) for i in shared]]
        off = sample.values[:, :p] - level[sample.cluster] - within.mu
        weight = np.linalg.solve(within.sigma, within.covariance[:p, p:])
        lower = within.mean[p:] + off @ weight
        blocks = fit.model.blocks[2 * g : 2 * g + 2]
        columns = [(1, f) for f in blocks[0].variables[p:]]
        columns += [(2, f) for f in blocks[1].variables[blocks[1].n_observed :]]
        index = pd.MultiIndex.from_tuples(columns, names=["level", "factor"])
        values = np.hstack([lower, factors[sample.cluster]])
        frames.append(pd.DataFrame(values, index=sample.position, columns=index))
    return pd.concat(frames).sort_index()


def _of_clusters(sample: TwoLevelSample, within: Moments, between: Moments) -> tuple[np.ndarray, np.ndarray]:
    """Expected observed (cluster, between variable) and latent (cluster, factor) variables at level 2."""
    p, at, q = len(sample.within), sample.at_between, len(sample.between)
    found = np.empty((sample.n_clusters, len(between.mean)))
    mu = np.zeros(len(sample.variables))
    mu[:p] += within.mu
    mu[at] += between.mu
    reach = np.zeros((len(mu), len(between.mean)))
    reach[at] = between.covariance[:q]
    for size, means, clusters in zip(sample.sizes, sample.means, sample.clusters):
        sigma = np.zeros((len(mu), len(mu)))
        sigma[np.ix_(at, at)] = between.sigma
        sigma[:p, :p] += within.sigma / size
        found[clusters] = between.mean + (means.values - mu) @ np.linalg.solve(sigma, reach)
    return found[:, :q], found[:, q:]


def intraclass_correlations(fit: Fit) -> pd.DataFrame:
    """Share of each level-1 variable's variance that lies between clusters, without a model.

    Returns
    -------
    DataFrame with columns variable, group (1, 2, …), icc (0 for variables at level 1 alone).
    """
    rows = []
    for g, sample in enumerate(fit.model.samples, start=1):
        saturated = sample.saturated
        outside = dict(zip(sample.between, saturated.between.cov.diagonal()))
        for name, inside in zip(sample.within, saturated.within.cov.diagonal()):
            share = outside.get(name, 0.0)
            rows.append({"variable": name, "group": g, "icc": share / (share + inside)})
    return pd.DataFrame(rows)
