"""Whether the effect hangs on single units, or on comparisons that the programme may have reached."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from relcap_models.estimands.programme_effect import notes
from relcap_models.estimands.programme_effect.comparisons.relation_regression import ENDS
from relcap_models.estimands.programme_effect.comparisons.relation_waves import BASE
from relcap_models.estimands.programme_effect.threats.case import Case, Row, blank, effect_rows, ends_alone
from relcap_models.models.exposure import Spillover, read_exposure

SHARES = (0.25, 0.5, 0.75)
"""Of a unit's partners under the programme, from which on it is no comparison."""


def contamination_rows(case: Case) -> Iterator[Row]:
    """The `effect` without comparisons of which either unit has many partners under the programme: at least
    the share of `variant`; and which `comparison_share` of relations in waves is left, of n in all.

    Shares at which the study file leaves such relations out anyhow are passed over.
    """
    threat = "contamination"
    if not case.compared:
        yield blank(threat, notes.NO_COMPARISON)
        return
    declared = case.model.spillover
    for share in SHARES:
        if declared is not None and share >= declared.share:
            continue
        near = _near(case, share)
        found = case.regression(case.rows[~near])
        variant, asked = f"{share:g}", _compared(case)
        left = {"value": float((~near[asked]).mean()), "n": int(asked.sum())}
        yield blank(threat, "", variant=variant, quantity="comparison_share") | left
        yield from effect_rows(case, found, ends_alone(found), threat=threat, variant=variant)


def leave_one_out_rows(case: Case) -> Iterator[Row]:
    """The `lowest` and `highest` effect when each unit (or district) is left out with all its relations.

    n says how many are, in turn.
    """
    threat, clusters = "leave_one_out", np.unique(case.rows[list(ENDS)])
    effects: dict[str, dict[int, float]] = {}
    for cluster in clusters:
        found = case.regression(_without(case, cluster), errors=False)
        for average in ends_alone(found):
            effects.setdefault(average.estimand, {})[cluster] = float(average.weights @ found.estimate)
    if not effects:
        yield blank(threat, notes.NOTHING_LEFT)
    for estimand, by_cluster in effects.items():
        for variant, choose in (("lowest", min), ("highest", max)):
            cluster = choose(by_cluster, key=by_cluster.__getitem__)
            found = case.regression(_without(case, cluster))
            averages = [average for average in ends_alone(found) if average.estimand == estimand]
            note = f"{notes.CLUSTER}:{case.exposed.exposure.clusters[cluster]}"
            (row,) = effect_rows(case, found, averages, threat=threat, variant=variant, note=note)
            yield row | {"n": len(by_cluster)}


def _compared(case: Case) -> np.ndarray:
    """(row,) comparisons in waves in which others are exposed."""
    base = case.rows["estimand"] == BASE
    return (base & case.rows["wave"].isin(case.rows["wave"][~base])).to_numpy()


def _without(case: Case, cluster: int) -> pd.DataFrame:
    return case.rows[(case.rows[list(ENDS)] != cluster).all(axis=1)]


def _near(case: Case, share: float) -> np.ndarray:
    """(row,) comparisons of which a unit has at least the share of its partners under the programme."""
    of_rows = case.exposed.exposure
    exposure = read_exposure(
        case.model.programme,
        case.survey,
        case.survey.of_instrument(case.model.instrument),
        kind=case.model.exposure,
        spillover=Spillover(share=share),
        analysis=case.model.id,
    )
    unit = np.array([exposure.units.index(name) for name in of_rows.units])
    wave = np.array([exposure.waves.index(name) for name in of_rows.waves])[case.rows["wave"]]
    near = [exposure.near[unit[case.rows[end]], wave] for end in ("rater", "target")]
    return (case.rows["estimand"] == BASE).to_numpy() & (near[0] | near[1])
