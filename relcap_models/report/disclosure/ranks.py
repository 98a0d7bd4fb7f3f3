"""Ranks beside hidden ones: what a hidden row's chance of being lowest must not follow from.

The probabilities of being among the k lowest (or highest) add up to k, so a single hidden one is k less the
shown ones, and two whose sum is close to 0 or 2 are known as well.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.report.disclosure.rules import WIDTH, Disclosure

COLUMNS = ("rank_lower", "rank_upper", "prob_lowest_k", "prob_highest_k")
_TOGETHER = ("analysis", "wave", "role")


def ranks_to_hide(table: pd.DataFrame, suppressed: np.ndarray, rules: Disclosure) -> np.ndarray:
    """(row,) bool: rows whose ranks go, the suppressed ones included.

    Rows that are ranked together and hidden must be two or more, with at least as many respondents as a mean
    needs, and the sum of their probabilities must leave each of them open by `WIDTH`; those with fewest
    respondents are added until it is so. Respondents of one unit count once.

    Parameters
    ----------
    table : uncontrolled, with `prob_lowest_k`. suppressed : (row,) bool.
    """
    gone = suppressed.copy()
    ranked = table["prob_lowest_k"].notna().to_numpy()
    unit = (table["rater_unit"] if "rater_unit" in table else table["unit"]).astype(str).to_numpy()
    count = table["n_respondents"].astype(float).fillna(0.0).to_numpy()
    together = [table[column].astype(str) for column in _TOGETHER if column in table]
    for rows in table.groupby(together).indices.values():
        rows = rows[ranked[rows]]
        if not gone[rows].any():
            continue
        for row in [None, *rows[np.argsort(count[rows], kind="stable")]]:
            if row is not None:
                gone[row] = True
            hidden = rows[gone[rows]]
            people = pd.Series(count[hidden]).groupby(unit[hidden]).max().sum()
            if people >= rules.min_respondents_mean and min(_room(table.iloc[hidden])) >= WIDTH:
                break
    return gone


def _room(hidden: pd.DataFrame) -> list[float]:
    """Length of the interval in which each hidden probability must lie, given their sum."""
    others = len(hidden) - 1
    sums = [float(hidden[column].sum()) for column in ("prob_lowest_k", "prob_highest_k")]
    return [min(1.0, total) - max(0.0, total - others) for total in sums]
