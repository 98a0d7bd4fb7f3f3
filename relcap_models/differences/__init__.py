"""Programme effects by differences in differences: the frequentist answer, from plain tables.

A DataFrame in, a small frozen result out. None of them needs a study.

    att_gt          effects by cohort and time, and their averages, where units start at different times
    goodman_bacon   what a two-way fixed-effects estimate compares with what
    few_clusters    a difference in differences that a few clusters rest on
    honest_trends   how far trends would have to differ for an effect to vanish
    dyadic_ols      regression on relations, whose errors go together where they share a unit

Modules have other names than the functions in them. Names are looked up when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relcap_models.lazy import lookup

if TYPE_CHECKING:
    from relcap_models.differences.cluster_means import FewClusters, few_clusters
    from relcap_models.differences.decomposition import BaconDecomposition, goodman_bacon
    from relcap_models.differences.dyadic import DyadicRegression, dyadic_covariance, dyadic_ols
    from relcap_models.differences.group_time import AggregateEffect, GroupTimeEffects, att_gt
    from relcap_models.differences.sensitivity import HonestTrends, honest_trends

_HOME = {
    "AggregateEffect": "group_time",
    "BaconDecomposition": "decomposition",
    "DyadicRegression": "dyadic",
    "FewClusters": "cluster_means",
    "GroupTimeEffects": "group_time",
    "HonestTrends": "sensitivity",
    "att_gt": "group_time",
    "dyadic_covariance": "dyadic",
    "dyadic_ols": "dyadic",
    "few_clusters": "cluster_means",
    "goodman_bacon": "decomposition",
    "honest_trends": "sensitivity",
}

__all__ = [
    "AggregateEffect",
    "BaconDecomposition",
    "DyadicRegression",
    "FewClusters",
    "GroupTimeEffects",
    "HonestTrends",
    "att_gt",
    "dyadic_covariance",
    "dyadic_ols",
    "few_clusters",
    "goodman_bacon",
    "honest_trends",
]

__getattr__ = lookup(__name__, _HOME)
