"""The wild cluster bootstrap of a difference in differences."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Literal

import numpy as np

from relcap_models.errors import FitError
from relcap_models.seeds import generator

WEIGHTS = {
    "webb": np.array([-np.sqrt(1.5), -1, -np.sqrt(0.5), np.sqrt(0.5), 1, np.sqrt(1.5)]),
    "rademacher": np.array([-1.0, 1.0]),
}
# Webb (2014): two-point weights give too few different draws with this many clusters or fewer.
WEBB_UP_TO = 12
# A limit further than this many standard errors away is none.
FURTHEST = 1000.0
STEPS = 40
# Statistics this close are ties: only rounding separates them.
TIE = 1e-9


def wild_cluster_bootstrap(
    change: np.ndarray,
    treated: np.ndarray,
    *,
    weights: Literal["webb", "rademacher"] | None,
    draws: int,
    seed: int,
    ci_prob: float,
) -> tuple[float, float, float, int, bool]:
    """p, lower, upper, number of draws and whether they are all there are.

    Parameters
    ----------
    change : (cluster,) mean after the start less the mean before. treated : (cluster,).

    Regressing the changes on being in the programme gives the same estimate, cluster-robust t and bootstrap
    as cluster means on cluster and time effects do. Residuals are those of the null hypothesis (restricted),
    get a random weight by cluster, and the bootstrap's t is compared with the data's; limits are where p is
    1 − ci_prob.

    Raises
    ------
    FitError
        If clusters changed exactly alike on both sides.

    Source: Cameron, Gelbach & Miller (2008), section III.C; Roodman, MacKinnon, Nielsen & Webb (2019), Stata
    Journal 19, 4–60.
    """
    kind = weights or ("webb" if len(change) <= WEBB_UP_TO else "rademacher")
    v, exact = _draw(WEIGHTS[kind], len(change), draws, seed)
    inside = treated - treated.mean()
    squares = inside @ inside
    centred = change - change.mean()
    estimate = inside @ centred / squares
    se = np.sqrt((inside**2) @ (centred - estimate * inside) ** 2) / squares

    if se <= TIE * np.abs(change).max(initial=0):
        raise FitError("Clusters of the same side changed exactly alike: there is no spread to judge by")

    def p(null: float) -> float:
        outcome = v * (centred - null * inside)
        effect = outcome @ inside / squares
        left = outcome - outcome.mean(axis=1, keepdims=True) - effect[:, None] * inside
        spread = np.sqrt(left**2 @ inside**2) / squares
        # Without spread (all weights alike on both sides) t is endless: as large as any.
        t = np.divide(np.abs(effect), spread, where=spread > TIE * se, out=np.full(len(v), np.inf))
        return float(np.mean(t >= abs(estimate - null) / se * (1 - TIE)))

    lower, upper = (_limit(p, estimate, side * se, 1 - ci_prob) for side in (-1, 1))
    return p(0.0), lower, upper, len(v), exact


def _draw(values: np.ndarray, n: int, draws: int, seed: int) -> tuple[np.ndarray, bool]:
    if len(values) ** n <= draws:
        return np.array(list(product(values, repeat=n))), True
    return generator(seed, "wild cluster bootstrap").choice(values, (draws, n)), False


def _limit(p: Callable[[float], float], estimate: float, step: float, alpha: float) -> float:
    """Where p falls to alpha, going from the estimate in steps that double, then halving the last one."""
    near, reach = estimate, 1.0
    while p(estimate + reach * step) > alpha:
        near, reach = estimate + reach * step, 2 * reach
        if reach > FURTHEST:
            return float(np.inf * step)
    far = estimate + reach * step
    for _ in range(STEPS):
        middle = (near + far) / 2
        near, far = (middle, far) if p(middle) > alpha else (near, middle)
    return (near + far) / 2
