"""Whether the effect is one of who answers: people who left, and people who came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from relcap_models.estimands.programme_effect import notes
from relcap_models.estimands.programme_effect.comparisons.averages import estimated
from relcap_models.estimands.programme_effect.comparisons.relation_waves import BASE, relation_waves
from relcap_models.estimands.programme_effect.threats.case import Case, Row, blank, effect_rows, ends_alone
from relcap_models.models.exposure import COMPARISON
from relcap_models.models.frame import Frame
from relcap_models.models.programme_effect import Exposed

THREAT = "dropout"


@dataclass(frozen=True)
class Panel:
    """Respondents over the waves.

    present : (respondent, wave) whether they answered · unit : (respondent,) that of their first answer
    """

    present: np.ndarray
    unit: np.ndarray

    @property
    def baseline(self) -> np.ndarray:
        """Who answered in the first wave."""
        return self.present[:, 0]

    @property
    def stayers(self) -> np.ndarray:
        """Who answered in the first wave and in the last."""
        return self.present[:, 0] & self.present[:, -1]

    @property
    def leavers(self) -> np.ndarray:
        return self.present[:, 0] & ~self.present[:, -1]

    @property
    def joiners(self) -> np.ndarray:
        return ~self.present[:, 0] & self.present[:, -1]


def panel_of(frame: Frame) -> Panel:
    """Who answered when."""
    present = np.zeros((len(frame.respondents), len(frame.waves)), dtype=bool)
    present[frame.respondent_of_rating, frame.wave_of_rating] = True
    respondents, first = np.unique(frame.respondent_of_rating, return_index=True)
    unit = np.zeros(len(frame.respondents), dtype=int)
    unit[respondents] = frame.rater_of_rating[first]
    return Panel(present, unit)


def dropout_rows(case: Case) -> Iterator[Row]:
    """The `share` of respondents who stayed or left of those in the first wave, or who joined of those in the
    last, by cohort of their unit (`leavers:w2`, `leavers:never`); the `effect` among `stayers` alone, and
    `weighted` so that they stand for all who answered first; and the `tipping_point`: how many points lower
    than the others those who left would have to rate exposed relations for the interval of the effect to
    reach 0 (below 0: higher), with `missing_share`, that of exposed ratings which are theirs.
    """
    panel = panel_of(case.exposed.frame)
    yield from share_rows(case.exposed, panel)
    if not panel.leavers.any():
        yield blank(THREAT, notes.NOBODY_LEFT)
        return
    if not panel.stayers.any():
        yield blank(THREAT, notes.NOTHING_LEFT, variant="stayers")
        return
    weights = staying_weights(case.exposed, panel)
    for variant, weight in (("stayers", panel.stayers.astype(float)), ("weighted", weights)):
        found = case.regression(relation_waves(case.exposed, weight_of_respondent=weight))
        yield from effect_rows(case, found, ends_alone(found), threat=THREAT, variant=variant)
    yield from tipping_rows(case, missing_share(case.exposed, panel, case.rows))


def share_rows(exposed: Exposed, panel: Panel) -> Iterator[Row]:
    """Shares of respondents by cohort; n is what they are shares of."""
    labels = (*exposed.exposure.waves, "never")
    cohort = exposed.exposure.start[panel.unit]
    first, last = panel.baseline, panel.present[:, -1]
    for kind, members, of in (
        ("stayers", panel.stayers, first),
        ("leavers", panel.leavers, first),
        ("joiners", panel.joiners, last),
    ):
        for g in np.unique(cohort):
            n = int((of & (cohort == g)).sum())
            if n:
                value = float((members & (cohort == g)).sum() / n)
                row = blank(THREAT, "", variant=f"{kind}:{labels[g]}", quantity="share")
                yield row | {"value": value, "n": n}


def staying_weights(exposed: Exposed, panel: Panel) -> np.ndarray:
    """(respondent,) of stayers, 1 over the probability of staying; 0 for all others.

    It depends on the mean answer, the cohort and size of the unit, and how many units somebody rated, in the
    first wave (logistic regression with scikit-learn's default ridge penalty).
    """
    frame = exposed.frame
    first = frame.wave_of_rating == 0
    of_response = first[frame.rating_of_response]
    respondent = frame.respondent_of_rating[frame.rating_of_response][of_response]
    points = (frame.answer + frame.minimum_of_item[frame.item_of_response])[of_response]
    n = len(frame.respondents)
    mean = np.bincount(respondent, points, n) / np.maximum(np.bincount(respondent, minlength=n), 1)
    n_rated = np.bincount(frame.respondent_of_rating[first], minlength=n)
    size = np.bincount(panel.unit[panel.baseline], minlength=len(frame.units))[panel.unit]
    cohorts = exposed.exposure.start[panel.unit][:, None] == np.unique(exposed.exposure.start)[1:]
    known = np.column_stack([mean, n_rated, size, cohorts])[panel.baseline]
    stayed = panel.stayers[panel.baseline]
    scaled = StandardScaler().fit_transform(known)
    chance = LogisticRegression().fit(scaled, stayed).predict_proba(scaled)[:, 1]
    weights = np.zeros(n)
    weights[np.flatnonzero(panel.baseline)[stayed]] = 1 / chance[stayed]
    return weights


def missing_share(exposed: Exposed, panel: Panel, rows: pd.DataFrame) -> np.ndarray:
    """(row,) of each exposed relation-wave, the share of its ratings that are missing because people left.

    They rated the relation before its exposure and answer nothing in this wave; the others did rate it. 0 for
    rows that are not exposed.
    """
    frame = exposed.frame
    ratings = pd.DataFrame(
        {
            "relation": frame.rater_of_rating * len(frame.units) + frame.target_of_rating,
            "wave": frame.wave_of_rating,
            "respondent": frame.respondent_of_rating,
        }
    )
    told = ratings.merge(rows[["relation", "wave", "kind"]])
    before = told[told["kind"] == COMPARISON].drop_duplicates(["relation", "respondent"])
    here = rows[rows["estimand"] != BASE]
    pairs = here[["relation", "wave"]].merge(before[["relation", "respondent"]])
    gone = pairs[~panel.present[pairs["respondent"], pairs["wave"]]]
    keys = pd.MultiIndex.from_frame(rows[["relation", "wave"]])
    n_gone = gone.groupby(["relation", "wave"]).size().reindex(keys, fill_value=0).to_numpy()
    n_here = told.groupby(["relation", "wave"]).size().reindex(keys, fill_value=0).to_numpy()
    share = n_gone / np.maximum(n_gone + n_here, 1)
    return np.where(rows["estimand"] != BASE, share, 0.0)


def tipping_rows(case: Case, missing: np.ndarray) -> Iterator[Row]:
    """The points at which the limit of the interval that is nearer to 0 gets there.

    An exposed mean in which a share m is missing falls by m for each point by which those who left would rate
    lower, so the effect falls by the same regression's coefficient of m.
    """
    rows = case.rows.assign(missing=missing)
    found = case.regression(rows)
    fall = replace(case, outcome="missing").regression(rows, errors=False)
    scales = [case.exposed.frame.instrument.scale_of(item) for item in case.exposed.frame.instrument.items]
    widest = max(scale.maximum - scale.minimum for scale in scales)
    chosen = ends_alone(found)
    for average, row in zip(chosen, estimated(found, chosen, ci_prob=case.ci_prob)):
        base = {"threat": THREAT, "estimand": average.estimand, "n": row["n_relations"], "note": ""}
        share = float(average.weights @ fall.estimate)
        yield base | {"quantity": "missing_share", "value": share}
        point = base | {"quantity": "tipping_point"}
        if np.isnan(row["se"]):
            yield point | {"note": row["note"]}
        elif row["lower"] <= 0 <= row["upper"]:
            yield point | {"value": 0.0, "note": notes.INCLUDES_ZERO}
        elif share <= 0:
            yield point | {"note": notes.NOBODY_LEFT}
        else:
            value = (row["lower"] if row["lower"] > 0 else row["upper"]) / share
            yield point | {"value": value, "note": notes.BEYOND_SCALE if abs(value) > widest else ""}
