"""How easily the link would come out otherwise: confounders, single units, priors, and who answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from relcap_models.estimands.estimate import columns
from relcap_models.estimands.leadership_link.joint import (
    adjustments,
    leader_facets,
    outcome_of,
    predictors_of,
)
from relcap_models.estimands.leadership_link.unit_latents import (
    UnitLatents,
    covariance_over_waves,
    unit_effects,
    unit_latents,
)
from relcap_models.inference.fit import Fit
from relcap_models.inference.unit_model import Measured

COLUMNS = columns(
    "analysis check detail adjusted level predictor outcome quantity mean lower upper ci_prob n_units"
)


def link_sensitivity_table(
    fit: Fit, others: Mapping[tuple[str, str], Fit], *, ci_prob: float
) -> pd.DataFrame:
    """One row per check of the link of leadership, the estimate itself first.

    `check` is `estimate`; `robustness` (its quantity is `partial_r2`: the share of what is left of leadership
    and of the outcome that an unmeasured confounder would have to explain of each to bring the slope to 0;
    `lower` is 0 where the interval of the slope holds 0; Cinelli & Hazlett 2020, J. Royal Statistical Society
    B 82, 39–67); `unit_left_out` (the lowest and the highest mean slope when a unit is left out, by
    importance weights); and one for every fit in `others`.

    others : (check, detail) → fit of the same analysis under other priors, or with fewer answers
    """
    rows = []
    weights = weights_without_each(fit)
    for predictor in leader_facets(fit):
        for adjusted in adjustments(fit):
            held = predictors_of(predictor, adjusted=adjusted)
            about = {"predictor": predictor, "adjusted": adjusted}
            for latents in unit_latents(fit):
                rows += [about | row for row in _of_fit(fit, latents, held, weights, ci_prob)]
            for (check, detail), other in others.items():
                for latents in unit_latents(other):
                    row = about | {"check": check, "detail": detail, "level": latents.level}
                    rows.append(row | _summary(_slope(other, latents, held), ci_prob) | _size(other))
    outcome = fit.frame.facets[0]
    table = pd.DataFrame(rows).assign(analysis=fit.model.id, outcome=outcome, ci_prob=ci_prob)
    return table[COLUMNS]


def _of_fit(
    fit: Fit, latents: UnitLatents, held: tuple[str, ...], weights: np.ndarray, ci_prob: float
) -> Iterator[dict[str, object]]:
    """The estimate, what it would take to explain it away, and how it hangs on single units."""
    slope = _slope(fit, latents, held)
    about = {"level": latents.level, **_size(fit)}
    yield about | {"check": "estimate", "detail": ""} | _summary(slope, ci_prob)
    needed = _needed(_robustness(fit, latents, held), slope, ci_prob)
    yield about | {"check": "robustness", "detail": "", "quantity": "partial_r2"} | needed
    for row in _left_out(slope, weights, ci_prob):
        yield about | row


def _slope(fit: Fit, latents: UnitLatents, held: tuple[str, ...]) -> np.ndarray:
    """(S,) coefficient of the first of `held`, the others held constant."""
    return latents.slopes(outcome_of(fit), held)[:, 0]


def _summary(draws: np.ndarray, ci_prob: float) -> dict[str, object]:
    lower, upper = np.quantile(draws, [(1 - ci_prob) / 2, (1 + ci_prob) / 2])
    return {"quantity": "slope", "mean": float(draws.mean()), "lower": float(lower), "upper": float(upper)}


def _size(fit: Fit) -> dict[str, int]:
    return {"n_units": len(set(fit.frame.target_of_rating))}


def robustness_value(partial_r2: np.ndarray) -> np.ndarray:
    """Share of both residuals that a confounder must explain to account for a partial R².

    ½(√(f⁴ + 4f²) − f²) with f² = R²/(1 − R²): Cinelli & Hazlett (2020), equation 19.
    """
    f2 = partial_r2 / np.maximum(1.0 - partial_r2, 1e-12)
    return 0.5 * (np.sqrt(f2**2 + 4.0 * f2) - f2)


def _robustness(fit: Fit, latents: UnitLatents, held: tuple[str, ...]) -> np.ndarray:
    """(S,) robustness values with the sign of the slope."""
    places = [latents.names.index(name) for name in (outcome_of(fit), *held)]
    precision = np.linalg.inv(latents.covariance[:, places][:, :, places])
    partial = -precision[:, 0, 1] / np.sqrt(precision[:, 0, 0] * precision[:, 1, 1])
    return np.sign(partial) * robustness_value(partial**2)


def _needed(values: np.ndarray, slope: np.ndarray, ci_prob: float) -> dict[str, float]:
    """The robustness value: its mean, and its interval, from 0 where that of the slope holds 0."""
    sign = 1.0 if slope.mean() > 0 else -1.0
    lower, upper = np.quantile(sign * values, [(1 - ci_prob) / 2, (1 + ci_prob) / 2])
    mean = max(float((sign * values).mean()), 0.0)
    return {"mean": mean, "lower": max(float(lower), 0.0), "upper": float(upper)}


def weights_without_each(fit: Fit) -> np.ndarray:
    """(S, U) weights of draws, each column summing to 1, when a unit's answers say nothing of the covariance.

    Its answers of all waves are taken away together, so that the weights are those of both levels.
    """
    from arviz_stats.base import array_stats

    covariance = covariance_over_waves(fit)
    draws = unit_effects(fit)
    flat = draws.reshape(*draws.shape[:2], -1)
    names = [f"{role} {wave}" for wave in fit.frame.waves for role in fit.structure.roles]
    known = Measured.of_draws(fit.frame.units, names, flat, covariance.mean(axis=0))
    log_weights, _ = array_stats.psislw(unit_log_densities(covariance, known).T, axis=-1)
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    return (weights / weights.sum(axis=1, keepdims=True)).T


def _left_out(slope: np.ndarray, weights: np.ndarray, ci_prob: float) -> list[dict[str, object]]:
    """The lowest and highest slopes when a unit is left out."""
    found = [_weighted(slope, weight, ci_prob) for weight in weights.T]
    means = [row["mean"] for row in found]
    chosen = (("lowest", int(np.argmin(means))), ("highest", int(np.argmax(means))))
    return [{"check": "unit_left_out", "detail": which, **found[unit]} for which, unit in chosen]


def unit_log_densities(covariance: np.ndarray, known: Measured) -> np.ndarray:
    """(S, U) log density of what is measured of each unit, errors included, up to a constant.

    covariance : (S, P, P) draws of that of units
    """
    found = []
    # Unit by unit: over waves, matrices of all units and draws would fill the memory.
    for mean, error in zip(known.mean, np.linalg.inv(known.precision)):
        root = np.linalg.cholesky(covariance + error)
        z = np.linalg.solve(root, np.broadcast_to(mean[:, None], (len(root), len(mean), 1)))[..., 0]
        log_root = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        found.append(-0.5 * np.square(z).sum(axis=1) - log_root)
    return np.stack(found, axis=1)


def _weighted(draws: np.ndarray, weight: np.ndarray, ci_prob: float) -> dict[str, object]:
    order = np.argsort(draws)
    mass = np.cumsum(weight[order])
    lower, upper = np.interp([(1 - ci_prob) / 2, (1 + ci_prob) / 2], mass, draws[order])
    return {"quantity": "slope", "mean": float(draws @ weight), "lower": float(lower), "upper": float(upper)}
