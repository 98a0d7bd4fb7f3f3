"""Unit scores: as others see the unit, as the unit rates others, and as its own staff see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.estimands.cells import Scores, noise_variance, quantities, scores
from relcap_models.estimands.estimate import Estimate, by_chain, interval
from relcap_models.estimands.naive import naive_table, responses_of
from relcap_models.estimands.ranks import RANK_COLUMNS, rank_table
from relcap_models.inference.fit import Fit
from relcap_models.models import latent

COLUMNS = [
    "analysis",
    "wave",
    "unit",
    "role",
    "dimension",
    "mean",
    "sd",
    "lower",
    "upper",
    "ci_prob",
    "naive_mean",
    "n_respondents",
    "n_ratings",
    "suppressed",
    "ci_kind",
    "median",
    "favourable_mean",
    "favourable_lower",
    "favourable_upper",
    "naive_favourable",
    "rank_lower",
    "rank_upper",
    "prob_lowest_k",
    "prob_highest_k",
    "k",
    "mcse",
    "ess",
    "ess_tail",
    "rhat",
]

_QUESTIONS = {
    "seen_by_others": "What would respondents of a typical other unit answer about this unit?",
    "as_rater": "What would this unit's respondents answer about a typical other unit?",
    "within_unit": "What would this unit's respondents answer about working with each other?",
    "own_staff": "What would this unit's own staff answer?",
}


@dataclass(frozen=True)
class UnitScores:
    """Scores of units × waves in one role. unit, wave : (X,) codes of the cells."""

    fit: Fit
    role: str
    unit: np.ndarray
    wave: np.ndarray
    scores: Scores


def unit_scores(fit: Fit) -> tuple[UnitScores, ...]:
    """Scores of every unit in every role that the design has, in waves in which somebody rated it so."""
    frame, structure, draws = fit.frame, fit.structure, fit.draws
    n_dimensions = len(frame.dimensions)
    found = []
    if "target" in structure.roles:
        between = ~frame.own
        others = noise_variance(fit) + _variance_of(fit, "cov_relation")
        for role, effect, rest, unit in (
            ("seen_by_others", "target", "perceiver", frame.target_of_rating),
            ("as_rater", "perceiver", "target", frame.rater_of_rating),
        ):
            location = draws("mu")[:, None] + draws(f"{effect}_effect")
            location = location + latent.district_shock(draws, frame, structure, f"district_{effect}")
            location = location + _covariates_of_unit(fit, unit[between])
            spread = latent.unit_covariance(draws, structure, rest, n_dimensions)
            variance = others + np.diagonal(spread, axis1=1, axis2=2)
            found.append(_scored(fit, role, location, variance, unit[between], frame.wave_of_rating[between]))
    if frame.own.any():
        role = "within_unit" if "target" in structure.roles else "own_staff"
        location = latent.own_location(draws, frame, structure)
        found.append(
            _scored(
                fit,
                role,
                location,
                noise_variance(fit),
                frame.rater_of_rating[frame.own],
                frame.wave_of_rating[frame.own],
            )
        )
    return tuple(found)


def _variance_of(fit: Fit, name: str) -> np.ndarray | float:
    if name not in fit.tree["posterior"]:
        return 0.0
    return np.diagonal(fit.draws(name), axis1=1, axis2=2)


def _covariates_of_unit(fit: Fit, unit: np.ndarray) -> np.ndarray | float:
    """xβ averaged over the ratings in which a unit appears: (S, U, 1, D)."""
    frame = fit.frame
    if not frame.covariates:
        return 0.0
    between = frame.covariates_of_rating[~frame.own]
    total = np.zeros((len(frame.units), between.shape[1]))
    np.add.at(total, unit, between)
    mean = total / np.maximum(np.bincount(unit, minlength=len(frame.units)), 1)[:, None]
    return np.einsum("uc,scd->sud", mean, fit.draws("beta"))[:, :, None]


def _scored(
    fit: Fit, role: str, location: np.ndarray, variance: np.ndarray, unit: np.ndarray, wave: np.ndarray
) -> UnitScores:
    codes = np.unique(unit * len(fit.frame.waves) + wave)
    units, waves = codes // len(fit.frame.waves), codes % len(fit.frame.waves)
    return UnitScores(fit, role, units, waves, scores(fit, location[:, units, waves], variance))


def unit_score_table(estimates: UnitScores, *, ci_prob: float, k: int) -> pd.DataFrame:
    """One row per unit × wave × dimension, with naive means, counts and ranks."""
    fit, role = estimates.fit, estimates.role
    frame = fit.frame
    responses = responses_of(frame)
    own = responses["rater"] == responses["target"]
    side = "target" if role == "seen_by_others" else "rater"
    responses = responses[~own if role in ("seen_by_others", "as_rater") else own]
    naive = naive_table(frame, responses, ["wave", side]).rename(columns={side: "unit_code"})
    units, waves = np.array(frame.units, dtype=object), np.array(frame.waves, dtype=object)
    codes = pd.DataFrame({"wave": estimates.wave, "unit_code": estimates.unit})
    parts = []
    for q, name in enumerate(quantities(fit)):
        points = estimates.scores.points[:, :, q]
        labels = pd.DataFrame(
            {
                "analysis": fit.model.id,
                "wave": waves[estimates.wave],
                "unit": units[estimates.unit],
                "role": role,
                "dimension": name,
            }
        )
        table = Estimate(
            question=_QUESTIONS[role],
            unit="points of the response scale",
            assumptions="averaged over the other unit, the relation, respondents' leniency and rating noise"
            if role in ("seen_by_others", "as_rater")
            else "averaged over respondents' leniency and rating noise",
            draws=by_chain(points, fit.n_chains),
            labels=labels,
        ).table(ci_prob=ci_prob)
        favourable = interval(estimates.scores.favourable[:, :, q], ci_prob=ci_prob)
        for column, values in zip(("mean", "lower", "upper"), favourable):
            table[f"favourable_{column}"] = values
        ranks = pd.DataFrame(np.nan, index=table.index, columns=list(RANK_COLUMNS))
        if q == len(frame.dimensions):
            for wave in np.unique(estimates.wave):
                here = np.flatnonzero(estimates.wave == wave)
                ranks.iloc[here] = rank_table(points[:, here], k=k, ci_prob=ci_prob).to_numpy()
        counts = codes.merge(naive[naive["dimension"] == name], on=["wave", "unit_code"], how="left")
        for column in ("naive_mean", "naive_favourable", "n_respondents", "n_ratings"):
            table[column] = counts[column].to_numpy()
        parts.append(pd.concat([table, ranks], axis=1).assign(suppressed=False))
    table = pd.concat(parts, ignore_index=True)
    counts = table[["n_respondents", "n_ratings"]].fillna(0).astype(int)
    return table.assign(**counts)[COLUMNS].sort_values(["wave", "unit"], kind="stable", ignore_index=True)
