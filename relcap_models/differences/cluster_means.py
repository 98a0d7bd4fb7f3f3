"""Whether a programme made a difference where only a few clusters, such as districts, were in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from relcap_models.differences.panel import Panel, read_panel
from relcap_models.differences.randomisation import randomisation_inference
from relcap_models.differences.wild_bootstrap import wild_cluster_bootstrap
from relcap_models.errors import DataError, FitError

# MacKinnon & Webb (2017): with this many clusters or fewer on a side, the wild bootstrap hardly ever rejects.
VERY_FEW = 3


@dataclass(frozen=True, eq=False)
class FewClusters:
    """A difference in differences of cluster means, with inference that does not need many clusters.

    estimate : how much more clusters in the programme changed than others, each counting the same
    table : a row for each method, with method, p (of no effect), lower and upper (values that are not
        rejected), n_draws and exact (every draw that can be was used)
    changes : a row for each cluster, with cluster, start (0 is never) and change from before to after the
        start (of never starters: the mean over the others' starts). With so few, look at them.
    notes : what was left out, what to be careful about
    """

    estimate: float
    table: pd.DataFrame
    changes: pd.DataFrame
    n_treated: int
    n_control: int
    ci_prob: float
    notes: tuple[str, ...]


def few_clusters(
    data: pd.DataFrame,
    *,
    cluster: str,
    time: str,
    cohort: str,
    outcome: str,
    weights: Literal["webb", "rademacher"] | None = None,
    draws: int = 9999,
    seed: int = 0,
    ci_prob: float = 0.95,
) -> FewClusters:
    """What a programme did where it was given to whole clusters, and these are few.

    Parameters
    ----------
    data : a row for each cluster at each time, or for each respondent: rows of a cluster at a time are
        averaged, whether or not they are the same people
    cluster, time, outcome : its columns
    cohort : column with the first time under the programme, 0 for clusters that never start
    weights : of the wild bootstrap: `webb`, six values, which give enough different draws with twelve
        clusters or fewer, and are the default there; `rademacher`, two values
    draws : bootstrap samples and random assignments, at most; all there can be are used where they are fewer
    seed : of their randomness. ci_prob : probability of the intervals.

    Returns
    -------
    FewClusters with the rows

    wild cluster bootstrap : restricted, studentised by cluster-robust errors. Only where all start at the
        same time.
    randomisation inference : the share of assignments of the starts to clusters that would give an estimate
        as large. It takes for granted that any of them was as likely, and its interval that the effect is the
        same everywhere.

    With one start the estimate is that of a regression of cluster means on cluster and time effects; with
    several, the mean over clusters of the change since before the start, less that of never starters over the
    same times.

    Raises
    ------
    DataError
        If the table cannot be read, or nobody starts, or everybody does.
    FitError
        If one cluster only is in the programme, or one only is not: no inference is possible then.

    Source: Cameron, Gelbach & Miller (2008), Rev. Econ. Stat. 90, 414–427; Webb (2014), QED working paper
    1315; MacKinnon & Webb (2017), J. Applied Econometrics 32, 233–254, and (2020), J. Econometrics 218,
    435–450.
    """
    if weights not in ("webb", "rademacher", None):
        raise DataError(f"`weights` is 'webb' or 'rademacher', not '{weights}'")
    if draws < 99:
        raise DataError(f"Too few draws for a p value: {draws}. Take 999 or more")
    if not 0 < ci_prob < 1:
        raise DataError(f"`ci_prob` is between 0 and 1, not {ci_prob}")
    panel = read_panel(data, unit=cluster, time=time, cohort=cohort, outcome=outcome, average=True)
    panel = panel.without_first_starters().complete()
    starts, group = np.unique(panel.start, return_inverse=True)
    sizes = np.bincount(group)
    _check_sides(panel, starts)
    effect, exposure = _by_assignment(panel, starts, sizes)
    estimate = float(effect[np.arange(len(group)), group].sum())
    rows = [
        ("randomisation inference", *randomisation_inference(
            effect, exposure, group, draws=draws, seed=seed, ci_prob=ci_prob
        ))
    ]  # fmt: skip
    notes = [*panel.notes]
    change = panel.values @ _windows(panel.times, starts[:-1]).T
    own = np.where(np.isinf(panel.start), change @ sizes[:-1] / sizes[:-1].sum(), 0)
    for k in range(len(starts) - 1):
        own[group == k] = change[group == k, k]
    if len(starts) == 2:
        found = wild_cluster_bootstrap(
            own, group == 0, weights=weights, draws=draws, seed=seed, ci_prob=ci_prob
        )
        rows.insert(0, ("wild cluster bootstrap", *found))
    else:
        notes.append(
            f"Clusters start at {len(starts) - 1} times, so there is no wild cluster bootstrap. To have it, "
            "give those of one start and those that never start"
        )
    table = pd.DataFrame(rows, columns=["method", "p", "lower", "upper", "n_draws", "exact"])
    changes = pd.DataFrame(
        {"cluster": panel.units, "start": np.where(np.isinf(panel.start), 0, panel.start), "change": own}
    ).sort_values(["start", "cluster"], ignore_index=True)
    n_control = int(sizes[-1])
    n_treated = len(group) - n_control
    notes += _cautions(table, n_treated, n_control, ci_prob)
    return FewClusters(estimate, table, changes, n_treated, n_control, ci_prob, tuple(notes))


def _check_sides(panel: Panel, starts: np.ndarray) -> None:
    never = np.isinf(panel.start)
    if never.all():
        raise DataError(
            "No cluster starts the programme after the first time: there is no effect to estimate"
        )
    if not never.any():
        raise DataError(
            "Every cluster starts the programme in the end, and some must not. Leave out the times from the "
            f"last start ({starts[-1]:g}) on"
        )
    for who, side in {"is in the programme": ~never, "is not in the programme": never}.items():
        if side.sum() == 1:
            raise FitError(
                f"One cluster only {who} ('{panel.units[side][0]}'). Whatever else happened there cannot be "
                "told from the programme, and no method can give a p value or an interval without further "
                "assumptions. Report the changes of all clusters side by side, as a description"
            )


def _windows(times: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(start, time) weights that turn outcomes into the mean from the start on less the mean before."""
    after = times >= starts[:, None]
    return after / after.sum(axis=1, keepdims=True) - ~after / (~after).sum(axis=1, keepdims=True)


def _by_assignment(panel: Panel, starts: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each cluster would add to the estimate in each cohort; the same of having been in the programme.

    Both (cluster, cohort). The estimate is a sum over clusters because sizes of cohorts are fixed.
    """
    windows = _windows(panel.times, starts[:-1])
    n_treated = sizes[:-1].sum()
    loads = np.vstack([windows / n_treated, -sizes[:-1] @ windows / n_treated / sizes[-1]])
    treated = (panel.times >= panel.start[:, None]).astype(float)
    return (panel.values - panel.values[:, :1]) @ loads.T, treated @ loads.T


def _cautions(table: pd.DataFrame, n_treated: int, n_control: int, ci_prob: float) -> list[str]:
    notes = []
    if min(n_treated, n_control) <= VERY_FEW and len(table) == 2:
        notes.append(
            f"With {n_treated} clusters in the programme and {n_control} outside it the wild cluster "
            "bootstrap hardly ever finds an effect: a large p says little"
        )
    chance = table.set_index("method").loc["randomisation inference"]
    if chance["exact"] and not np.isfinite([chance["lower"], chance["upper"]]).all():
        notes.append(
            f"There are {chance['n_draws']} ways to assign the clusters, too few for a p below "
            f"{1 - ci_prob:.2g}: no interval"
        )
    return notes
