"""Standardised parameters: latent variables, or all variables, with unit variance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from relcap_models.psychometrics.structural.implied_moments import Block, Moments


def standardized(
    table: pd.DataFrame,
    values: np.ndarray,
    blocks: Sequence[Block],
    moments: Sequence[Moments],
    *,
    observed: bool,
) -> np.ndarray:
    """(row,) parameters with latent variables (and, with `observed`, observed ones) in units of their sd.

    values : (row,) of the table. Covariances are divided by the square roots of the variances in the table,
    so that they are correlations of residuals where the variables have residuals. NaN where a variance is not
    positive.

    Source: Bollen (1989), Structural Equations with Latent Variables, 349-351.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        found = _scaled(table, values, blocks, moments, observed=observed)
    return np.where(np.isfinite(found), found, np.nan)


def _scaled(
    table: pd.DataFrame,
    values: np.ndarray,
    blocks: Sequence[Block],
    moments: Sequence[Moments],
    *,
    observed: bool,
) -> np.ndarray:
    found = np.array(values, dtype=float)
    for b, (block, moment) in enumerate(zip(blocks, moments)):
        rows = np.flatnonzero((table["block"] == b).to_numpy())
        lhs, op, rhs = (table[c].to_numpy()[rows] for c in ("lhs", "op", "rhs"))
        spread = dict(zip(block.variables, _root(np.diag(moment.covariance))))
        own = {a: float(_root(values[r])) for r, a, o, c in zip(rows, lhs, op, rhs) if o == "~~" and a == c}
        if not observed:
            manifest = [name for name in block.variables if name not in lhs[op == "=~"]]
            spread |= dict.fromkeys(manifest, 1.0)
            own |= dict.fromkeys(manifest, 1.0)
        for row, left, sign, right in zip(rows, lhs, op, rhs):
            if sign == "=~":
                found[row] *= spread[left] / spread[right]
            elif sign == "~":
                found[row] *= spread[right] / spread[left]
            elif sign in ("~1", "|"):
                found[row] /= spread[left]
            elif sign == "~*~":
                found[row] = 1.0 if observed else found[row]
            elif left == right:
                found[row] /= spread[left] ** 2
            else:
                found[row] = _ratio(found[row], own.get(left, spread[left]) * own.get(right, spread[right]))
    return found


def _root(variance: np.ndarray | float) -> np.ndarray:
    return np.sqrt(np.where(np.asarray(variance) < 0, np.nan, variance))


def _ratio(value: float, scale: float) -> float:
    if value == 0.0:
        return 0.0
    return value / scale if scale > 0 else np.nan
