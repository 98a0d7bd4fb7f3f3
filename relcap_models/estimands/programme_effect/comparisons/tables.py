"""The frequentist answer on means of relations, beside which the model's effects stand."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from relcap_models.data.survey import Survey
from relcap_models.differences.dyadic import FEW_UNITS as FIFTY
from relcap_models.differences.group_time import FEW_CLUSTERS as TWENTY
from relcap_models.estimands.estimate import columns
from relcap_models.estimands.programme_effect import notes
from relcap_models.estimands.programme_effect.comparisons.averages import averages, estimated
from relcap_models.estimands.programme_effect.comparisons.before_start import with_leads
from relcap_models.estimands.programme_effect.comparisons.end_comparisons import (
    few_cluster_rows,
    group_time_rows,
    two_way_row,
    weight_rows,
)
from relcap_models.estimands.programme_effect.comparisons.end_panel import end_panels
from relcap_models.estimands.programme_effect.comparisons.relation_waves import (
    outcomes,
    relation_waves,
    whole,
)
from relcap_models.estimands.programme_effect.comparisons.saturated import Saturated, saturated
from relcap_models.models.exposure import SINGLE_GROUP
from relcap_models.models.programme_effect import Exposed, ProgrammeEffect

COLUMNS = columns(
    "analysis method estimand aggregate group time dimension estimate se lower upper p ci_prob",
    "n_relations n_units n_clusters note",
)
WEIGHTS = columns("analysis estimand comparison treated control weight estimate note")


def programme_comparison_table(
    model: ProgrammeEffect, survey: Survey, *, ci_prob: float, seed: int
) -> pd.DataFrame:
    """Programme effects by differences in differences of relations' mean answers, in points.

    method
        `dyadic`: saturated regression, errors by unit (or district) at both ends; `dynamic` rows below 0 are
        differences before the start. Of a single group it has the change since before the start.
        `att_gt`: Callaway and Sant'Anna, relations of which one end alone is ever exposed.
        `two_way`: the usual two-way fixed-effects estimate on the same relations, which takes relations that
        are exposed already as comparisons: shown to be compared with `att_gt`, not to be used.
        `wild_bootstrap`, `randomisation`: of cluster means, with fewer than twenty clusters on a side.
    group, time : as in the table of effects. note : codes, see `notes`.
    n_relations, n_units, n_clusters : exposed ones behind the row. Errors that nobody can know are blank.
    """
    exposed = model.exposed(survey)
    rows = relation_waves(exposed)
    found = []
    for dimension in outcomes(exposed.frame):
        here = list(_dyadic_rows(exposed, rows, dimension, ci_prob=ci_prob))
        if exposed.design != SINGLE_GROUP:
            for panel in end_panels(exposed, rows):
                waves = exposed.exposure.waves
                here += group_time_rows(panel, dimension, waves, ci_prob=ci_prob)
                here += [two_way_row(panel, dimension, ci_prob=ci_prob)]
                if _few(exposed):
                    here += few_cluster_rows(panel, dimension, ci_prob=ci_prob, seed=seed)
        found += [row | {"dimension": dimension} for row in here]
    return _table(found, COLUMNS, analysis=model.id, ci_prob=ci_prob)


def programme_weight_table(model: ProgrammeEffect, survey: Survey) -> pd.DataFrame:
    """What each `two_way` estimate compares with what, and how much that weighs (Goodman-Bacon 2021).

    comparison : `treated_never`, `earlier_later`, or `later_earlier`, which takes relations that are exposed
    already as comparisons · treated, control : waves of their starts, empty for never. Weights sum to 1 in an
    estimand, and the weighted estimates to its `two_way` row over all items.
    """
    exposed = model.exposed(survey)
    found = []
    if exposed.design != SINGLE_GROUP:
        for panel in end_panels(exposed, relation_waves(exposed)):
            found += weight_rows(panel, whole(exposed.frame), exposed.exposure.waves)
    return _table(found, WEIGHTS, analysis=model.id)


def _few(exposed: Exposed) -> bool:
    return min(exposed.exposure.n_clusters) < TWENTY


def _dyadic_rows(
    exposed: Exposed, rows: pd.DataFrame, dimension: str, *, ci_prob: float
) -> Iterator[dict[str, object]]:
    found = saturated(rows, outcome=dimension)
    yield from _averages(exposed, found, ci_prob=ci_prob)
    if exposed.design != SINGLE_GROUP:
        leads = saturated(with_leads(rows), outcome=dimension)
        yield from _averages(exposed, leads, ci_prob=ci_prob, before=True)


def _averages(
    exposed: Exposed, found: Saturated, *, ci_prob: float, before: bool = False
) -> Iterator[dict[str, object]]:
    """Every average, or those before the start alone."""
    chosen = list(averages(found))
    if before:
        chosen = [average for average in chosen if average.aggregate == "dynamic" and average.event < 0]
    caution = notes.FEW_CLUSTERS if _few(exposed) else notes.FEW_UNITS if found.n_clusters < FIFTY else ""
    for average, row in zip(chosen, estimated(found, chosen, ci_prob=ci_prob)):
        labels = average.labels(exposed.exposure.waves)
        yield {"method": "dyadic", **labels, **row, "note": row["note"] or caution}


def _table(found: list[dict[str, object]], names: list[str], **same: object) -> pd.DataFrame:
    table = pd.DataFrame(found, columns=[name for name in names if name not in same])
    texts = ["group", "time", "note"]
    known = [name for name in texts if name in table]
    return table.fillna(dict.fromkeys(known, "")).assign(**same)[names]
