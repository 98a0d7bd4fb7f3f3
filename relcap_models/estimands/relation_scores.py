"""Relation scores: what the rater unit's respondents would answer about the target unit, on average.

E[answer | μ, x, perceiver, target, relation], averaged over respondents' leniency and rating noise and over
items with equal weight. A second version sets the rater unit's own leniency to that of the average unit too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.data.survey import Survey
from relcap_models.estimands.cells import (
    Scores,
    noise_variance,
    quantities,
    rated_cells,
    scores,
    unit_names,
    wave_names,
)
from relcap_models.estimands.estimate import Estimate, by_chain, columns, interval
from relcap_models.estimands.naive import beside, naive_table, responses_of
from relcap_models.estimands.ranks import RANK_COLUMNS, no_ranks, ranks_by_wave
from relcap_models.inference.fit import Fit
from relcap_models.models import latent

COLUMNS = columns(
    "analysis wave rater_unit target_unit dimension mean sd lower upper ci_prob",
    "naive_mean n_respondents n_ratings suppressed ci_kind median",
    "mean_unit_adjusted lower_unit_adjusted upper_unit_adjusted",
    "favourable_mean favourable_lower favourable_upper naive_favourable",
    *RANK_COLUMNS,
    "asynchronous mcse ess ess_tail rhat",
)


@dataclass(frozen=True)
class RelationScores:
    """Scores of every rated relation × wave.

    relation, wave : (X,) codes of the cells · unit_adjusted : (S, X, Q) in points
    """

    fit: Fit
    relation: np.ndarray
    wave: np.ndarray
    scores: Scores
    unit_adjusted: np.ndarray


def relation_scores(fit: Fit) -> RelationScores:
    """Draws of the scores of every relation in every wave in which somebody rated it."""
    relation, wave = rated_cells(fit)
    variance = noise_variance(fit)

    def of(*, perceiver: bool) -> Scores:
        location = latent.relation_location(fit.draws, fit.frame, fit.structure, perceiver=perceiver)
        return scores(fit, location[:, relation, wave], variance)

    return RelationScores(fit, relation, wave, of(perceiver=True), of(perceiver=False).points)


def relation_score_table(
    estimates: RelationScores, survey: Survey, *, ci_prob: float, k: int
) -> pd.DataFrame:
    """One row per relation × wave × dimension (`overall` included), with naive means, counts and ranks.

    Convergence is the worst of score, unit-adjusted score and share of favourable answers. Blank are: naive
    columns where nobody answered an item of the dimension, ranks in rows of single dimensions,
    `asynchronous` of relations that no side nominated in that wave.
    """
    fit = estimates.fit
    frame, names = fit.frame, quantities(fit)
    rater, target = frame.rater_of_relation[estimates.relation], frame.target_of_relation[estimates.relation]
    cells = pd.DataFrame({"wave": estimates.wave, "relation": estimates.relation})
    naive = naive_table(frame, responses_of(frame), list(cells.columns))
    labels = pd.DataFrame(
        {
            "analysis": fit.model.id,
            "wave": wave_names(fit)[estimates.wave],
            "rater_unit": unit_names(fit)[rater],
            "target_unit": unit_names(fit)[target],
        }
    )
    parts = []
    for q, name in enumerate(names):
        points = estimates.scores.points[:, :, q]
        adjusted, favourable = estimates.unit_adjusted[:, :, q], estimates.scores.favourable[:, :, q]
        table = Estimate(
            question="What would this unit's respondents answer about that unit?",
            unit="points of the response scale",
            assumptions="averaged over respondents' leniency and rating noise; items weighted equally",
            draws=by_chain(points, fit.n_chains),
            labels=labels.assign(dimension=name),
            also=[by_chain(draws, fit.n_chains) for draws in (adjusted, favourable)],
        ).table(ci_prob=ci_prob)
        limits = (interval(draws, ci_prob=ci_prob) for draws in (adjusted, favourable))
        for column, mine, theirs in zip(("mean", "lower", "upper"), *limits):
            table[f"{column}_unit_adjusted"] = mine
            table[f"favourable_{column}"] = theirs
        if name == names[-1]:
            ranks = ranks_by_wave(points, estimates.wave, k=k, ci_prob=ci_prob)
        else:
            ranks = no_ranks(len(labels))
        parts.append(pd.concat([table, beside(naive, cells.assign(dimension=name)), ranks], axis=1))
    table = pd.concat(parts, ignore_index=True)
    table = table.assign(asynchronous=_asynchronous(table, survey), suppressed=False)
    return table[COLUMNS].sort_values(["wave", "rater_unit", "target_unit"], kind="stable", ignore_index=True)


def _asynchronous(table: pd.DataFrame, survey: Survey) -> list[object]:
    """True where only one of the two sides nominated the other in that wave; blank where neither did."""
    nominated = {
        (str(w), str(u), str(t))
        for w, u, t in survey.nominations[["wave", "rater_unit", "target_unit"]].itertuples(index=False)
    }
    found: list[object] = []
    for w, u, t in table[["wave", "rater_unit", "target_unit"]].itertuples(index=False):
        sides = ((w, u, t) in nominated) + ((w, t, u) in nominated)
        found.append(None if sides == 0 else sides == 1)
    return found
