"""Programme effects by differences in differences: the frequentist answer, from plain tables.

A DataFrame in, a small frozen result out. None of them needs a study.

    att_gt          effects by cohort and time, and their averages, where units start at different times
    goodman_bacon   what a two-way fixed-effects estimate compares with what

Names are looked up when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relcap_models.lazy import lookup

if TYPE_CHECKING:
    from relcap_models.differences.decomposition import BaconDecomposition, goodman_bacon
    from relcap_models.differences.group_time import AggregateEffect, GroupTimeEffects, att_gt

_HOME = {
    "AggregateEffect": "group_time",
    "BaconDecomposition": "decomposition",
    "GroupTimeEffects": "group_time",
    "att_gt": "group_time",
    "goodman_bacon": "decomposition",
}

__all__ = ["AggregateEffect", "BaconDecomposition", "GroupTimeEffects", "att_gt", "goodman_bacon"]

__getattr__ = lookup(__name__, _HOME)
