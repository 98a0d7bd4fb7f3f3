"""Unit scores: as others see the unit, as the unit rates others, and as its own staff see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from relcap_models.estimands.cells import (
    Scores,
    noise_variance,
    quantities,
    rated_cells,
    scores,
    unit_names,
    wave_names,
)
from relcap_models.estimands.components import covariance_of, end_covariance
from relcap_models.estimands.estimate import Estimate, by_chain, columns, interval
from relcap_models.estimands.naive import beside, naive_table, responses_of
from relcap_models.estimands.ranks import RANK_COLUMNS, no_ranks, ranks_by_wave
from relcap_models.inference.fit import Fit
from relcap_models.models import latent

Role = Literal["seen_by_others", "as_rater", "within_unit", "own_staff"]

COLUMNS = columns(
    "analysis wave unit role dimension mean sd lower upper ci_prob",
    "naive_mean n_respondents n_ratings suppressed ci_kind median",
    "favourable_mean favourable_lower favourable_upper naive_favourable",
    *RANK_COLUMNS,
    "mcse ess ess_tail rhat",
)

_QUESTIONS: dict[Role, str] = {
    "seen_by_others": "What would respondents of a typical other unit answer about this unit?",
    "as_rater": "What would this unit's respondents answer about a typical other unit?",
    "within_unit": "What would this unit's respondents answer about working with each other?",
    "own_staff": "What would this unit's own staff answer?",
}
_ABOUT_OTHERS = ("seen_by_others", "as_rater")


@dataclass(frozen=True)
class UnitScores:
    """Scores of units × waves in one role. unit, wave : (X,) codes of the cells."""

    fit: Fit
    role: Role
    unit: np.ndarray
    wave: np.ndarray
    scores: Scores

    @property
    def side(self) -> Literal["target", "rater"]:
        """The end of a rating at which the unit stands."""
        return "target" if self.role == "seen_by_others" else "rater"

    def responses(self) -> pd.DataFrame:
        """The answers that are about these units in this role, the unit's code in `unit`."""
        responses = responses_of(self.fit.frame)
        others = responses["rater"] != responses["target"]
        return responses[others == (self.role in _ABOUT_OTHERS)].assign(unit=lambda r: r[self.side])


def unit_scores(fit: Fit) -> tuple[UnitScores, ...]:
    """Scores of every unit in every role that the design has, in waves in which somebody rated it so."""
    found = []
    if "target" in fit.structure.roles:
        found += [_among_others(fit, "seen_by_others"), _among_others(fit, "as_rater")]
    if fit.frame.own.any():
        found.append(_of_own_staff(fit))
    return tuple(found)


def _among_others(fit: Fit, role: Role) -> UnitScores:
    """Averaged over the other end, relations, respondents and ratings.

    The other end's unit effects, its district's and what is particular to the relation are normal around the
    mean of those that the organisation has, which is in μ: their variance joins the noise. Covariates of
    the other end and of the relation are averaged in the same way, over the relations that were rated.
    """
    frame, draws = fit.frame, fit.draws
    between = ~frame.own
    mine, other, unit = "target", "perceiver", frame.target_of_rating[between]
    if role == "as_rater":
        mine, other, unit = "perceiver", "target", frame.rater_of_rating[between]
    location = draws("mu")[:, None] + draws(f"{mine}_effect")
    location = location + latent.district_shock(draws, frame, fit.structure, f"district_{mine}")
    location = location + latent.typical_end(draws, frame, fit.structure, other)
    spread = end_covariance(fit, other) + covariance_of(fit, "relation")
    if frame.covariates:
        of_unit, covariance = _covariates_among_others(fit, "target." if mine == "target" else "rater.", unit)
        beta = draws("beta")
        location = location + np.einsum("uwc,scd->suwd", of_unit, beta)
        spread = spread + np.einsum("scd,ce,sef->sdf", beta, covariance, beta)
    variance = noise_variance(fit) + np.diagonal(spread, axis1=1, axis2=2)
    return _scored(fit, role, location, variance, unit, frame.wave_of_rating[between])


def _covariates_among_others(fit: Fit, mine: str, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Covariates of each unit against a typical other, (U, W, C), and their covariance over others, (C, C).

    mine : prefix of the covariates that are the unit's own; the rest is averaged over rated relations. What
    belongs to the relation may change: its mean is that of the wave, and its covariance that within waves,
    averaged over them by their number of relations.
    """
    frame = fit.frame
    own_side = np.zeros((len(frame.units), len(frame.covariates)))
    own_side[unit] = frame.covariates_of_rating[~frame.own]
    relation, wave = rated_cells(fit)
    of_cell = frame.covariates_of_relation[relation, wave]
    # An attribute of units has one mean for all waves: who is rated when is not a change of anybody.
    typical = np.tile(of_cell.mean(axis=0), (len(frame.waves), 1))
    changing = np.array([name.startswith("relation.") for name in frame.covariates])
    for w in np.unique(wave):
        typical[w, changing] = of_cell[wave == w][:, changing].mean(axis=0)
    theirs = np.array([not name.startswith(mine) for name in frame.covariates])
    deviation = np.where(theirs, of_cell - typical[wave], 0.0)
    of_unit = np.where(theirs, typical, own_side[:, None])
    return of_unit, deviation.T @ deviation / len(deviation)


def _of_own_staff(fit: Fit) -> UnitScores:
    frame = fit.frame
    role: Role = "within_unit" if "target" in fit.structure.roles else "own_staff"
    unit, wave = frame.rater_of_rating[frame.own], frame.wave_of_rating[frame.own]
    location = latent.own_location(fit.draws, frame, fit.structure)
    if frame.covariates:
        # Everybody in a unit and wave rates it under the same covariates.
        of_unit = np.zeros((len(frame.units), len(frame.waves), len(frame.covariates)))
        of_unit[unit, wave] = frame.covariates_of_rating[frame.own]
        location = location + np.einsum("uwc,scd->suwd", of_unit, fit.draws("beta"))
    return _scored(fit, role, location, noise_variance(fit), unit, wave)


def _scored(
    fit: Fit, role: Role, location: np.ndarray, variance: np.ndarray, unit: np.ndarray, wave: np.ndarray
) -> UnitScores:
    codes = np.unique(unit * len(fit.frame.waves) + wave)
    units, waves = codes // len(fit.frame.waves), codes % len(fit.frame.waves)
    return UnitScores(fit, role, units, waves, scores(fit, location[:, units, waves], variance))


def unit_score_table(estimates: UnitScores, *, ci_prob: float, k: int) -> pd.DataFrame:
    """One row per unit × wave × dimension, with naive means, counts and ranks (in rows of `overall` alone).

    Convergence is the worst of score and share of favourable answers. The naive columns are blank where
    nobody answered an item of the dimension.
    """
    fit, role, names = estimates.fit, estimates.role, quantities(estimates.fit)
    cells = pd.DataFrame({"wave": estimates.wave, "unit": estimates.unit})
    naive = naive_table(fit.frame, estimates.responses(), list(cells.columns))
    over = "averaged over respondents' leniency and rating noise"
    if role in _ABOUT_OTHERS:
        over += ", the other unit and what is particular to the relation"
    labels = pd.DataFrame(
        {
            "analysis": fit.model.id,
            "wave": wave_names(fit)[estimates.wave],
            "unit": unit_names(fit)[estimates.unit],
            "role": role,
        }
    )
    parts = []
    for q, name in enumerate(names):
        points, favourable = estimates.scores.points[:, :, q], estimates.scores.favourable[:, :, q]
        table = Estimate(
            question=_QUESTIONS[role],
            unit="points of the response scale",
            assumptions=over,
            draws=by_chain(points, fit.n_chains),
            labels=labels.assign(dimension=name),
            also=[by_chain(favourable, fit.n_chains)],
        ).table(ci_prob=ci_prob)
        for column, values in zip(("mean", "lower", "upper"), interval(favourable, ci_prob=ci_prob)):
            table[f"favourable_{column}"] = values
        if name == names[-1]:
            ranks = ranks_by_wave(points, estimates.wave, k=k, ci_prob=ci_prob)
        else:
            ranks = no_ranks(len(labels))
        parts.append(pd.concat([table, beside(naive, cells.assign(dimension=name)), ranks], axis=1))
    table = pd.concat(parts, ignore_index=True).assign(suppressed=False)
    return table[COLUMNS].sort_values(["wave", "unit"], kind="stable", ignore_index=True)
