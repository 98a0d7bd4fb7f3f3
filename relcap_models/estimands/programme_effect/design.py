"""What a programme's design can show: who is compared with whom, and whether anything can be inferred."""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.estimands.estimate import columns
from relcap_models.estimands.programme_effect.counterfactuals import rated_cells
from relcap_models.models.exposure import COMPARISON, SINGLE_GROUP
from relcap_models.models.programme_effect import Exposed, ProgrammeEffect

DESIGN_COLUMNS = columns(
    "analysis programme instrument assignment exposure design assigned refused",
    "n_clusters_treated n_clusters_comparison n_units_treated n_units_comparison n_units_always",
    "n_relations_left_out first_start last_start",
)
EXPOSURE_COLUMNS = columns("analysis wave cohort_rater cohort_target kind n_relations n_respondents")


def refusal(exposed: Exposed) -> str:
    """Why nothing is inferred: `one_treated_cluster`, `one_comparison_cluster`, or empty.

    With one cluster on a side its own ups and downs cannot be told from an effect (Donald & Lang 2007).
    """
    if exposed.design == SINGLE_GROUP:
        return ""
    cells = rated_cells(exposed)
    cluster = exposed.exposure.cluster_of_unit
    start = exposed.exposure.start
    seen = np.unique(cells[["rater", "target"]])
    treated = {cluster[u] for u in seen if start[u] < exposed.exposure.never}
    if len(treated) < 2:
        return "one_treated_cluster"
    last = max(cells["wave"][cells["kind"] != COMPARISON])
    compared = {cluster[u] for u in seen if start[u] > last}
    # Later cohorts serve as comparisons as long as they have not started.
    if not compared:
        first = min(cells["wave"][cells["kind"] != COMPARISON])
        compared = {cluster[u] for u in seen if start[u] > first}
    return "one_comparison_cluster" if len(compared) < 2 else ""


def programme_design_table(model: ProgrammeEffect, exposed: Exposed) -> pd.DataFrame:
    """One row: the design, how many clusters and units are on either side, and what is left out.

    assigned : what was assigned as a whole, districts or units · refused : see `refusal`
    """
    exposure = exposed.exposure
    never = exposure.start == exposure.never
    begun = np.unique(exposure.start[~never])
    treated, comparison = exposure.n_clusters
    row = {
        "analysis": model.id,
        "programme": model.programme,
        "instrument": model.instrument,
        "assignment": model.assignment,
        "exposure": model.exposure,
        "design": exposed.design,
        "assigned": exposure.assigned,
        "refused": refusal(exposed),
        "n_clusters_treated": treated,
        "n_clusters_comparison": comparison,
        "n_units_treated": int((~never).sum()),
        "n_units_comparison": int(never.sum()),
        "n_units_always": len(exposed.always),
        "n_relations_left_out": exposed.n_left_out,
        "first_start": exposure.waves[begun[0]],
        "last_start": exposure.waves[begun[-1]],
    }
    return pd.DataFrame([row])[DESIGN_COLUMNS]


def programme_exposure_table(model: ProgrammeEffect, exposed: Exposed) -> pd.DataFrame:
    """How many relations (and people) are how exposed, by wave and by the cohorts of both ends.

    `kind` is `comparison` where neither end is under the programme. Cohorts are waves of start, or `never`.
    """
    frame, waves = exposed.frame, np.array((*exposed.exposure.waves, "never"), dtype=object)
    cells = rated_cells(exposed)
    ratings = pd.DataFrame(
        {
            "rater": frame.rater_of_rating,
            "target": frame.target_of_rating,
            "wave": frame.wave_of_rating,
            "respondent": frame.respondent_of_rating,
        }
    ).merge(cells)
    by = ["wave", "cohort_rater", "cohort_target", "kind"]
    counts = cells.groupby(by).size().rename("n_relations").to_frame()
    counts["n_respondents"] = ratings.groupby(by)["respondent"].nunique()
    table = counts.reset_index().assign(analysis=model.id)
    table["kind"] = table["kind"].replace(COMPARISON, "comparison")
    for name in ("wave", "cohort_rater", "cohort_target"):
        table[name] = waves[table[name]]
    return table[EXPOSURE_COLUMNS]
