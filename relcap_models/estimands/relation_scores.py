"""Relation scores: what the rater unit's respondents would answer about the target unit, on average.

E[answer | μ, x, perceiver, target, relation], averaged over respondents' leniency and rating noise and over items with
equal weight. A second version sets the rater unit's own leniency to zero too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.data.survey import Survey
from relcap_models.estimands.cells import Scores, noise_variance, quantities, rated_cells, scores
from relcap_models.estimands.estimate import Estimate, by_chain, interval
from relcap_models.estimands.naive import naive_table, responses_of
from relcap_models.estimands.ranks import RANK_COLUMNS, rank_table
from relcap_models.inference.fit import Fit
from relcap_models.models import latent


@dataclass(frozen=True)
class RelationScores:
    """Scores of every rated relation × wave. relation, wave : (X,) codes of the cells."""

    fit: Fit
    relation: np.ndarray
    wave: np.ndarray
    scores: Scores
    unit_adjusted: Scores


def relation_scores(fit: Fit) -> RelationScores:
    """Draws of the scores of every relation in every wave in which somebody rated it."""
    relation, wave = rated_cells(fit)
    variance = noise_variance(fit)
    found = [
        scores(
            fit,
            latent.relation_location(fit.draws, fit.frame, fit.structure, perceiver=p)[:, relation, wave],
            variance,
        )
        for p in (True, False)
    ]
    return RelationScores(fit, relation, wave, *found)


def relation_score_table(
    estimates: RelationScores, survey: Survey, *, ci_prob: float, k: int
) -> pd.DataFrame:
    """One row per relation × wave × dimension (`overall` included), with naive means, counts and ranks."""
    fit = estimates.fit
    frame, names = fit.frame, quantities(fit)
    rater, target = frame.rater_of_relation[estimates.relation], frame.target_of_relation[estimates.relation]
    units, waves = np.array(frame.units, dtype=object), np.array(frame.waves, dtype=object)
    codes = pd.DataFrame({"wave": estimates.wave, "rater": rater, "target": target})
    naive = naive_table(frame, responses_of(frame), ["wave", "rater", "target"])
    parts = []
    for q, name in enumerate(names):
        labels = pd.DataFrame(
            {
                "analysis": fit.model.id,
                "wave": waves[estimates.wave],
                "rater_unit": units[rater],
                "target_unit": units[target],
                "dimension": name,
            }
        )
        points = estimates.scores.points[:, :, q]
        table = Estimate(
            question="What would this unit's respondents answer about that unit?",
            unit="points of the response scale",
            assumptions="averaged over respondents' leniency and rating noise; items weighted equally",
            draws=by_chain(points, fit.n_chains),
            labels=labels,
        ).table(ci_prob=ci_prob)
        table = pd.concat(
            [table, _beside(estimates, q, ci_prob), _ranks(estimates, points, name, names, k, ci_prob)],
            axis=1,
        )
        counts = codes.merge(naive[naive["dimension"] == name], on=["wave", "rater", "target"], how="left")
        parts.append(
            table.assign(
                **{
                    c: counts[c].to_numpy()
                    for c in ("naive_mean", "naive_favourable", "n_respondents", "n_ratings")
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    table["n_respondents"] = table["n_respondents"].fillna(0).astype(int)
    table["n_ratings"] = table["n_ratings"].fillna(0).astype(int)
    table["asynchronous"] = _asynchronous(table, survey)
    table["suppressed"] = False
    order = "analysis wave rater_unit target_unit dimension mean sd lower upper ci_prob naive_mean n_respondents n_ratings suppressed"
    first = order.split()
    return table[[*first, *[c for c in table.columns if c not in first]]].sort_values(
        ["wave", "rater_unit", "target_unit"], kind="stable", ignore_index=True
    )


def _beside(estimates: RelationScores, q: int, ci_prob: float) -> pd.DataFrame:
    adjusted = interval(estimates.unit_adjusted.points[:, :, q], ci_prob=ci_prob)
    favourable = interval(estimates.scores.favourable[:, :, q], ci_prob=ci_prob)
    names = [f"{p}_unit_adjusted" for p in ("mean", "lower", "upper")] + [
        f"favourable_{p}" for p in ("mean", "lower", "upper")
    ]
    return pd.DataFrame(dict(zip(names, (*adjusted, *favourable))))


def _ranks(
    estimates: RelationScores, points: np.ndarray, name: str, names: list[str], k: int, ci_prob: float
) -> pd.DataFrame:
    """Ranks among all relations of the same wave, for `overall` only."""
    table = pd.DataFrame(np.nan, index=range(points.shape[1]), columns=list(RANK_COLUMNS))
    if name == names[-1]:
        for wave in np.unique(estimates.wave):
            here = np.flatnonzero(estimates.wave == wave)
            table.iloc[here] = rank_table(points[:, here], k=k, ci_prob=ci_prob).to_numpy()
    return table


def _asynchronous(table: pd.DataFrame, survey: Survey) -> list[object]:
    """True where only one of the two sides nominated the other in that wave; blank without nominations."""
    nominated = {
        (str(w), str(u), str(t))
        for w, u, t in survey.nominations[["wave", "rater_unit", "target_unit"]].itertuples(index=False)
    }
    found: list[object] = []
    for w, u, t in table[["wave", "rater_unit", "target_unit"]].itertuples(index=False):
        sides = ((w, u, t) in nominated) + ((w, t, u) in nominated)
        found.append(None if sides == 0 else sides == 1)
    return found
