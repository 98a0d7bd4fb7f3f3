"""Relations of which one end alone is ever exposed, as a balanced panel: what simpler methods can take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.estimands.programme_effect.comparisons.relation_waves import without_spillover
from relcap_models.models.exposure import BOTH_ENDS, RATER_END, TARGET_END
from relcap_models.models.programme_effect import Exposed


@dataclass(frozen=True)
class EndPanel:
    """Relations seen in every wave.

    estimand : the end that is exposed
    table : a row for each relation in each wave, with relation, unit, cluster (at that end), rater, target,
        time (from 1), cohort (first time under the programme, 0 for never), and the columns of means
    n_incomplete : relations left out because they miss a wave
    """

    estimand: str
    table: pd.DataFrame
    n_incomplete: int

    @property
    def exposed(self) -> pd.DataFrame:
        """The rows of relations that are ever exposed."""
        return self.table[self.table["cohort"] > 0]

    def counts(self, exposed: pd.DataFrame) -> dict[str, int]:
        """Relations, units and clusters at the end that is exposed, of some rows."""
        return {
            "n_relations": exposed["relation"].nunique(),
            "n_units": exposed["unit"].nunique(),
            "n_clusters": exposed["cluster"].nunique(),
        }


def end_panels(exposed: Exposed, rows: pd.DataFrame) -> list[EndPanel]:
    """One for each end whose start some relation sees while its other end never starts.

    Both ends are one where units rate themselves, or where districts start as a whole and relations are
    inside them.
    """
    found = []
    never, rows = exposed.exposure.never, without_spillover(rows)
    # What each is to the panel: the end with the cohort, and which relations belong in it.
    inside = rows["cluster_rater"] == rows["cluster_target"]
    wanted = {
        RATER_END: ("rater", (rows["cohort_target"] == never) & (rows["rater"] != rows["target"])),
        TARGET_END: ("target", (rows["cohort_rater"] == never) & (rows["rater"] != rows["target"])),
        BOTH_ENDS: ("target", inside),
    }
    for estimand, (end, belongs) in wanted.items():
        panel = _panel(
            rows[belongs], end, n_waves=len(exposed.exposure.waves), never=never, estimand=estimand
        )
        cohorts = set(panel.table["cohort"])
        if 0 in cohorts and len(cohorts) > 1:
            found.append(panel)
    return found


def _panel(rows: pd.DataFrame, end: str, *, n_waves: int, never: int, estimand: str) -> EndPanel:
    complete = rows.groupby("relation")["wave"].transform("size") == n_waves
    kept = rows[complete]
    cohort = kept[f"cohort_{end}"].to_numpy()
    table = kept.assign(
        unit=kept[end],
        cluster=kept[f"cluster_{end}"],
        time=kept["wave"] + 1,
        cohort=np.where(cohort < never, cohort + 1, 0),
    )
    return EndPanel(estimand, table.reset_index(drop=True), rows["relation"][~complete].nunique())
