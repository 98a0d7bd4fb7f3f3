"""What a design and its answers roughly say about effects: only for the sampler's geometry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.special import ndtri

from relcap_models.models import kernels
from relcap_models.models.frame import Frame
from relcap_models.models.structure import Structure, unit_rows

# Typical variances in probit units; being wrong by a factor of two costs speed, not correctness.
_UNIT, _RELATION, _RESPONDENT, _RATING = 0.15, 0.2, 0.36, 0.25
# Of the mean normal score of one answer around its rating.
_ANSWER = 1.2
# Correlation of two dimensions in a respondent's effects and ratings.
_ALIKE = 0.5
# Standard deviation of an item's latent answer, residual included, in the same units.
_SPREAD = 1.4


@dataclass(frozen=True)
class PseudoObservations:
    """One Gaussian observation of each rating in place of its answers, on the latent scale.

    precision : (N, D, D) · shift : (N, D) precision times what is observed
    """

    precision: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True)
class Rough:
    """What the answers roughly say, on the latent scale.

    score, precision : (N, D) what each rating's answers say of it, less its level's mean, or 0, and (N, D, D)
    with which precision
    unit : (U, W, roles, D) effects by least squares · unit_information : (U, W·roles·D, W·roles·D)
    unit_of_covariates : (U, W, roles, C) what the same least squares make of each covariate
    unit_variance, relation_variance : of unit and relation effects
    noise : by effect, (D, D) covariance of true ratings around that effect when all above it are known
    sd_respondent : standard deviation of respondents' effects
    """

    score: np.ndarray
    precision: np.ndarray
    unit: np.ndarray
    unit_of_covariates: np.ndarray
    unit_information: np.ndarray
    unit_variance: float
    noise: dict[str, np.ndarray]
    sd_respondent: float
    relation_variance: float


def rough_estimates(
    frame: Frame, structure: Structure, scale: float, observed: PseudoObservations | None = None
) -> Rough:
    """Units by least squares on normal scores; ratings as `observed` has them, or by normal scores too."""
    score = _rating_scores(frame)
    answered = np.isfinite(score)
    score = np.where(answered, score, 0.0)
    totals = np.zeros((2, len(frame.n_ratings_of_level), score.shape[1]))
    kernels.scatter_add(score, frame.level_of_rating, totals[0])
    kernels.scatter_add(answered.astype(float), frame.level_of_rating, totals[1])
    score -= answered * (totals[0] / np.maximum(totals[1], 1.0))[frame.level_of_rating]
    # Answers of one respondent are alike in all dimensions.
    D = score.shape[1]
    alike = np.full((D, D), _ALIKE)
    np.fill_diagonal(alike, 1.0)
    rating = _RATING * alike
    # Respondents who rate the same units differ by no relation effect.
    n_relations = np.bincount(frame.rater_of_relation, minlength=len(frame.units))
    turns = np.unique(
        np.column_stack([frame.respondent_of_rating, frame.wave_of_rating, frame.rater_of_rating]), axis=0
    )
    could = n_relations[turns[:, 2]].sum()
    apart = 1.0 - (~frame.own).sum() / could if could else 0.0
    respondent = rating + _RELATION * apart * alike
    noise = {
        "rating_of_respondent": rating,
        "relation": rating,
        "respondent": respondent,
        "respondent_wave": respondent,
        "respondent_target": 0.0 * alike,
        "rating": 0.0 * alike,
    }
    columns = np.column_stack([score, _less_level_means_of(frame, frame.covariates_of_rating)])
    told = np.column_stack([answered, np.ones_like(frame.covariates_of_rating, dtype=bool)])
    unit = _unit_effects(frame, structure, columns, told)
    known, unit = _unit_information(frame, structure, columns, unit)
    information = np.kron(known, np.linalg.inv(alike))
    if observed is None:
        n_items = len(frame.items) / frame.n_latents
        precision = answered[:, :, None] * np.eye(D) * n_items / (_ANSWER * scale**2)
        seen = score * scale
    else:
        precision, seen = observed.precision, _less_level_means(frame, observed)
    return Rough(
        seen,
        precision,
        unit[..., :D] * scale,
        unit[..., D:],
        information / scale**2,
        _UNIT * scale**2,
        {name: variance * scale**2 for name, variance in noise.items()},
        np.sqrt(_RESPONDENT) * scale,
        _RELATION * scale**2,
    )


def _unit_information(
    frame: Frame, structure: Structure, score: np.ndarray, effects: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Precision (U, W·roles, W·roles) with which each unit's effects are seen, and generalised least squares
    estimates (U, W, roles, D) of them given the other end's, in probit units.
    """
    n_waves, n_roles, n_dimensions = len(frame.waves), len(structure.roles), score.shape[1]
    size = n_waves * n_roles
    columns = unit_rows(frame, structure)
    flat = effects.reshape(-1, n_dimensions)
    information = np.zeros((len(frame.units), size, size))
    pull = np.zeros((len(frame.units), size, n_dimensions))
    noise = _RATING + _ANSWER * frame.n_latents / len(frame.items)
    for unit in range(len(frame.units)):
        rated = np.flatnonzero(frame.rater_of_rating == unit)
        left = score[rated]
        if len(columns) == 2:
            other = ~frame.own[rated]
            left = left - np.where(other[:, None], flat[columns[1][rated]], 0.0)
        design = np.zeros((len(rated), size))
        design[np.arange(len(rated)), columns[0][rated] - unit * size] = 1.0
        if len(columns) == 2:
            own = np.flatnonzero(frame.own[rated] & (columns[1][rated] >= 0))
            design[own, columns[1][rated[own]] - unit * size] = 1.0
        _add(information[unit], pull[unit], design, left, frame, structure, rated, noise)
        if len(columns) == 1:
            continue
        seen = np.flatnonzero((frame.target_of_rating == unit) & ~frame.own)
        left = score[seen] - flat[columns[0][seen]]
        design = np.zeros((len(seen), size))
        design[np.arange(len(seen)), columns[1][seen] - unit * size] = 1.0
        _add(information[unit], pull[unit], design, left, frame, structure, seen, noise)
    estimate = np.linalg.pinv(information, hermitian=True) @ pull
    return information, estimate.reshape(len(frame.units), n_waves, n_roles, n_dimensions)


def _add(
    information: np.ndarray,
    pull: np.ndarray,
    design: np.ndarray,
    score: np.ndarray,
    frame: Frame,
    structure: Structure,
    ratings: np.ndarray,
    noise: float,
) -> None:
    """Add what some ratings say, respondents and relations integrated out."""
    people = np.unique(frame.respondent_of_rating[ratings], return_inverse=True)[1]
    relation = frame.relation_of_rating[ratings]
    relations = np.unique(relation, return_inverse=True)[1]
    groups = [(people, _RESPONDENT, np.ones(len(ratings)))] if structure.within else []
    groups.append((relations, _RELATION, (relation >= 0).astype(float)))
    member, precision = [], []
    for group, variance, acts in groups:
        table = np.zeros((len(ratings), group.max(initial=-1) + 1))
        table[np.arange(len(ratings)), group] = acts
        member.append(table)
        precision.append(np.full(table.shape[1], 1.0 / variance))
    Z = np.hstack(member)
    inner = Z.T @ Z / noise + np.diag(np.concatenate(precision))
    right = np.column_stack([design, score]) / noise
    right -= Z @ np.linalg.solve(inner, Z.T @ right) / noise
    information += design.T @ right[:, : design.shape[1]]
    pull += design.T @ right[:, design.shape[1] :]


def _unit_effects(frame: Frame, structure: Structure, score: np.ndarray, answered: np.ndarray) -> np.ndarray:
    """(U, W, roles, D) ridge estimates on normal scores, in probit units, with mean 0 over units."""
    n_waves, n_roles, n_columns = len(frame.waves), len(structure.roles), score.shape[1]
    columns = np.column_stack(unit_rows(frame, structure))
    size = len(frame.units) * n_waves * n_roles
    effects = np.zeros((size, n_columns))
    for dimension in range(n_columns):
        seen = columns[answered[:, dimension]]
        rows, ends = (seen >= 0).nonzero()
        member = csr_matrix((np.ones(len(rows)), (rows, seen[rows, ends])), shape=(len(seen), size))
        whole = (member.T @ member).toarray() + np.eye(size)
        effects[:, dimension] = np.linalg.solve(whole, member.T @ score[answered[:, dimension], dimension])
    effects = effects.reshape(len(frame.units), n_waves, n_roles, n_columns)
    return effects - effects.mean(axis=0)


def _rating_scores(frame: Frame) -> np.ndarray:
    """(N, D) mean over a rating's answers of their normal scores; NaN where a dimension has no answer."""
    score = np.empty(len(frame.answer))
    for item in range(len(frame.items)):
        here = frame.item_of_response == item
        rank = pd.Series(frame.answer[here]).rank().to_numpy()
        score[here] = _SPREAD * ndtri((rank - 0.5) / len(rank))
    n_dimensions = len(frame.dimensions)
    slot = frame.rating_of_response * n_dimensions + frame.dimension_of_item[frame.item_of_response]
    size = frame.n_ratings * n_dimensions
    count = np.bincount(slot, minlength=size)
    total = np.bincount(slot, score, minlength=size)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(frame.n_ratings, n_dimensions)


def _less_level_means_of(frame: Frame, values: np.ndarray) -> np.ndarray:
    """(N, …) values of ratings, less the mean of their level."""
    centred = values.copy()
    kernels.centre(centred, frame.level_of_rating, frame.n_ratings_of_level)
    return centred


def _less_level_means(frame: Frame, observed: PseudoObservations) -> np.ndarray:
    """(N, D) what is observed of each rating, less the mean of its level."""
    n_levels, D = len(frame.n_ratings_of_level), observed.shift.shape[1]
    precision, shift = np.zeros((n_levels, D, D)), np.zeros((n_levels, D))
    np.add.at(precision, frame.level_of_rating, observed.precision)
    np.add.at(shift, frame.level_of_rating, observed.shift)
    means = np.linalg.solve(precision, shift[:, :, None])[:, :, 0]
    each = np.linalg.solve(observed.precision, observed.shift[:, :, None])[:, :, 0]
    return each - means[frame.level_of_rating]


def with_noise(precision: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """(N, D, D) precision of observations with precision `precision` and further noise of this covariance."""
    D = precision.shape[1]
    return precision @ np.linalg.inv(np.eye(D) + noise @ precision)
