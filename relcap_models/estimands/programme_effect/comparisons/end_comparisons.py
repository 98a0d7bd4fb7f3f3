"""Simpler methods on relations of which one end alone is ever exposed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import norm
from scipy.stats import t as student

from relcap_models.differences import att_gt, few_clusters, goodman_bacon
from relcap_models.differences.group_time import FEW_CLUSTERS as TWENTY
from relcap_models.errors import DataError, FitError
from relcap_models.estimands.programme_effect import notes
from relcap_models.estimands.programme_effect.comparisons.end_panel import EndPanel
from relcap_models.estimands.programme_effect.comparisons.relation_regression import (
    ENDS,
    largest_variance,
    regress,
)

PANEL = {"time": "time", "cohort": "cohort"}
PARTS = {"group": "group", "dynamic": "event_time", "calendar": "time"}
METHODS = {"wild cluster bootstrap": "wild_bootstrap", "randomisation inference": "randomisation"}
BLANK = dict.fromkeys(("estimate", "se", "lower", "upper", "p"), np.nan)


def group_time_rows(
    panel: EndPanel, outcome: str, waves: tuple[str, ...], *, ci_prob: float
) -> Iterator[dict[str, object]]:
    """Effects by cohort and wave that never compare with relations already exposed, and their averages."""
    base = {"method": "att_gt", "estimand": panel.estimand}
    try:
        found = att_gt(
            panel.table,
            unit="relation",
            **PANEL,
            outcome=outcome,
            control="notyet",
            base="universal",
            cluster="cluster",
            ci_prob=ci_prob,
        )
    except (DataError, FitError):
        yield base | {"aggregate": "simple", **panel.counts(panel.exposed), **BLANK, "note": _unknown(panel)}
        return
    note = _note(panel)

    def row(aggregate: str, group: float | None, time: str, one: pd.Series, behind: pd.DataFrame) -> dict:
        label = {
            "aggregate": aggregate,
            "group": "" if group is None else waves[int(group) - 1],
            "time": time,
        }
        figures = {"estimate": one["att"], "se": one["se"], "lower": one["lower"], "upper": one["upper"]}
        p = 2 * norm.sf(abs(one["att"]) / one["se"])
        return base | label | figures | {"p": p, **panel.counts(behind), "note": note}

    exposed = panel.exposed
    for _, one in found.table[found.table["time"] >= found.table["group"]].iterrows():
        behind = exposed[exposed["cohort"] == one["group"]]
        yield row("cell", one["group"], waves[int(one["time"]) - 1], one, behind)
    whole = found.aggregate("simple")
    one = pd.Series({name: getattr(whole, name) for name in ("att", "se", "lower", "upper")})
    yield row("simple", None, "", one, exposed)
    for aggregate, label in PARTS.items():
        for _, one in found.aggregate(aggregate).parts.iterrows():
            at = one[label]
            if aggregate == "group":
                yield row(aggregate, at, "", one, exposed[exposed["cohort"] == at])
            elif aggregate == "dynamic":
                behind = exposed[exposed["time"] - exposed["cohort"] == at]
                yield row(aggregate, None, str(int(at)), one, behind)
            else:
                behind = exposed[(exposed["time"] == at) & (exposed["cohort"] <= at)]
                yield row(aggregate, None, waves[int(at) - 1], one, behind)


def two_way_row(panel: EndPanel, outcome: str, *, ci_prob: float) -> dict[str, object]:
    """One coefficient for being exposed at all, beside effects of relation and wave, with dyadic errors."""
    table = panel.table
    exposed = (table["cohort"] > 0) & (table["time"] >= table["cohort"])
    times = np.unique(table["time"])[1:]
    design = np.column_stack([exposed, *(table["time"] == t for t in times)]).astype(float)
    found = regress(table, design, outcome=outcome, errors=not _lone(panel))
    estimate, n_clusters = float(found.estimate[0]), len(np.unique(table[list(ENDS)]))
    se = float(np.sqrt(largest_variance(found.covariances, np.eye(len(found.estimate))[:, :1])[0]))
    half = student.ppf((1 + ci_prob) / 2, max(n_clusters - 1, 1)) * se
    return {
        "method": "two_way",
        "estimand": panel.estimand,
        "aggregate": "simple",
        **panel.counts(panel.exposed),
        "estimate": estimate,
        "se": se,
        "lower": estimate - half,
        "upper": estimate + half,
        "p": 2 * student.sf(abs(estimate) / se, max(n_clusters - 1, 1)) if se > 0 else np.nan,
        "note": notes.ONE_CLUSTER if _lone(panel) else _note(panel),
    }


def weight_rows(panel: EndPanel, outcome: str, waves: tuple[str, ...]) -> Iterator[dict[str, object]]:
    """Every comparison of two cohorts in the two-way estimate."""
    found = goodman_bacon(panel.table, unit="relation", **PANEL, outcome=outcome)
    for one in found.table.itertuples(index=False):
        yield {
            "estimand": panel.estimand,
            "comparison": one.kind.replace(" vs ", "_"),
            "treated": waves[int(one.treated) - 1],
            "control": waves[int(one.control) - 1] if one.control else "",
            "weight": one.weight,
            "estimate": one.estimate,
            "note": _incomplete(panel),
        }


def few_cluster_rows(
    panel: EndPanel, outcome: str, *, ci_prob: float, seed: int
) -> Iterator[dict[str, object]]:
    """Inference from the changes of clusters' means, each with one weight, that takes no large numbers."""
    base = {"estimand": panel.estimand, "aggregate": "simple", **panel.counts(panel.exposed), **BLANK}
    try:
        found = few_clusters(
            panel.table, cluster="cluster", **PANEL, outcome=outcome, seed=seed, ci_prob=ci_prob
        )
    except (DataError, FitError):
        yield base | {"method": "randomisation", "note": _unknown(panel)}
        return
    for one in found.table.itertuples(index=False):
        limits = {"lower": one.lower, "upper": one.upper} if np.isfinite([one.lower, one.upper]).all() else {}
        drawn = notes.EXACT if one.exact else f"{notes.DRAWS}:{one.n_draws}"
        yield base | {
            "method": METHODS[one.method],
            "estimate": found.estimate,
            **limits,
            "p": one.p,
            "note": notes.joined(_incomplete(panel), drawn),
        }


def _sides(panel: EndPanel) -> tuple[int, int]:
    """Clusters that are ever exposed, and that never are."""
    by_side = panel.table.groupby(panel.table["cohort"] > 0)["cluster"].nunique()
    return int(by_side.get(True, 0)), int(by_side.get(False, 0))


def _lone(panel: EndPanel) -> bool:
    return min(_sides(panel)) < 2


def _note(panel: EndPanel) -> str:
    return notes.joined(_incomplete(panel), notes.FEW_CLUSTERS if min(_sides(panel)) < TWENTY else "")


def _unknown(panel: EndPanel) -> str:
    return notes.ONE_CLUSTER if _lone(panel) else notes.NOT_ESTIMATED


def _incomplete(panel: EndPanel) -> str:
    return f"{notes.INCOMPLETE}:{panel.n_incomplete}" if panel.n_incomplete else ""
