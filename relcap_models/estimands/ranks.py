"""Ranks with their uncertainty: intervals and P(among the k lowest or highest), never a bare rank."""

from __future__ import annotations

import numpy as np
import pandas as pd

RANK_COLUMNS = ("rank_lower", "rank_upper", "prob_lowest_k", "prob_highest_k", "k")


def rank_table(draws: np.ndarray, *, k: int, ci_prob: float) -> pd.DataFrame:
    """Rank interval and tail probabilities of each column of (S, X); rank 1 is the lowest.

    `k` is cut to half the number of columns, so that lowest and highest never overlap. One column alone has
    no rank: blank.
    """
    n = draws.shape[1]
    if n < 2:
        return pd.DataFrame({name: [np.nan] * n for name in RANK_COLUMNS})
    k = min(k, n // 2)
    ranks = draws.argsort(axis=1).argsort(axis=1) + 1
    lower, upper = np.quantile(ranks, [(1 - ci_prob) / 2, (1 + ci_prob) / 2], axis=0, method="inverted_cdf")
    return pd.DataFrame(
        {
            "rank_lower": lower,
            "rank_upper": upper,
            "prob_lowest_k": (ranks <= k).mean(axis=0),
            "prob_highest_k": (ranks > n - k).mean(axis=0),
            "k": k,
        }
    )


def ranks_by_wave(draws: np.ndarray, wave: np.ndarray, *, k: int, ci_prob: float) -> pd.DataFrame:
    """`rank_table` among the cells of the same wave; wave : (X,) codes."""
    table = pd.DataFrame(np.nan, index=range(len(wave)), columns=list(RANK_COLUMNS))
    for w in np.unique(wave):
        here = np.flatnonzero(wave == w)
        table.iloc[here] = rank_table(draws[:, here], k=k, ci_prob=ci_prob).to_numpy()
    return table


def no_ranks(n_cells: int) -> pd.DataFrame:
    """Blank rank columns: only `overall` is ranked."""
    return pd.DataFrame(np.nan, index=range(n_cells), columns=list(RANK_COLUMNS))
