"""Programme effects by differences in differences: the frequentist answer, from plain tables.

A DataFrame in, a small frozen result out. None of them needs a study.

    att_gt          effects by cohort and time, and their averages, where units start at different times
    goodman_bacon   what a two-way fixed-effects estimate compares with what
    dyadic_ols      regression on relations, whose errors go together where they share a unit

Names are looked up when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relcap_models.lazy import lookup

if TYPE_CHECKING:
    from relcap_models.differences.decomposition import BaconDecomposition, goodman_bacon
    from relcap_models.differences.dyadic import DyadicRegression, dyadic_covariance, dyadic_ols
    from relcap_models.differences.group_time import AggregateEffect, GroupTimeEffects, att_gt

_HOME = {
    "AggregateEffect": "group_time",
    "BaconDecomposition": "decomposition",
    "DyadicRegression": "dyadic",
    "GroupTimeEffects": "group_time",
    "att_gt": "group_time",
    "dyadic_covariance": "dyadic",
    "dyadic_ols": "dyadic",
    "goodman_bacon": "decomposition",
}

__all__ = [
    "AggregateEffect",
    "BaconDecomposition",
    "DyadicRegression",
    "GroupTimeEffects",
    "att_gt",
    "dyadic_covariance",
    "dyadic_ols",
    "goodman_bacon",
]

__getattr__ = lookup(__name__, _HOME)
