"""What grids of simulated data sets share: bias, coverage and rejection with Monte Carlo errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def summary(found: pd.DataFrame, *, truth: str, by: Sequence[str]) -> pd.DataFrame:
    """Bias, coverage and rejection of each group of estimates.

    found : a row for each estimate of each data set (`seed`), with mean, sd, lower, upper
    truth : the column with what is estimated · by : columns that tell groups apart
    """
    found = found.dropna(subset=["mean", "lower", "upper"])
    found = found.assign(
        error=found["mean"] - found[truth],
        covered=(found["lower"] <= found[truth]) & (found[truth] <= found["upper"]),
        rejected=(found["lower"] > 0) | (found["upper"] < 0),
    )
    table = found.groupby(list(by), sort=False).agg(
        data_sets=("seed", "nunique"),
        bias=("error", "mean"),
        spread=("error", "std"),
        sd=("sd", "median"),
        coverage=("covered", "mean"),
        rejection=("rejected", "mean"),
    )
    n = table["data_sets"]
    table.insert(2, "bias_mcse", table["spread"] / np.sqrt(n))
    for share in ("coverage", "rejection"):
        table[f"{share}_mcse"] = np.sqrt(table[share] * (1 - table[share]) / n)
    return table.reset_index()
