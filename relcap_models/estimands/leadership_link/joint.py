"""The link from the joint model: how others experience units whose leadership differs, or changes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.estimands.estimate import Estimate, by_chain
from relcap_models.estimands.leadership_link.unit_latents import (
    UnitLatents,
    expected_answers,
    levels_of,
    rating_variance,
    unit_latents,
)
from relcap_models.inference.fit import Fit
from relcap_models.models.prior_predictive import draw_unit_parameters

_N_PRIOR = 2000
SCALES = ("latent", "points", "probability")


def outcome_of(fit: Fit) -> str:
    """The unit effect that is the outcome: the target's, or with one source the own staff's rating."""
    return "target" if "target" in fit.structure.roles else fit.frame.facets[0]


def adjustments(fit: Fit) -> tuple[bool, ...]:
    """Without, and where it is there with, the unit's perceiver effect held constant."""
    return (False, True) if "perceiver" in fit.structure.roles else (False,)


def leader_facets(fit: Fit) -> list[str]:
    """Facets of the instrument on leadership: itself, or its dimensions."""
    name = fit.model.leadership
    return [f for f in fit.frame.facets[1:] if f == name or f.startswith(f"{name}.")]


def predictors_of(name: str, *, adjusted: bool) -> tuple[str, ...]:
    """What a regression has on its right-hand side."""
    return (name, "perceiver") if adjusted else (name,)


def joint_link_table(fit: Fit, *, ci_prob: float, smallest: float, seed: int) -> pd.DataFrame:
    """One row per level, predictor, adjustment and scale, with convergence figures.

    `mean` is, on the scale `latent`, the change of the outcome per latent unit of the predictor; on
    `points` and `probability` (of a favourable answer), that per standard deviation of the predictor, at the
    average unit. `per_point` is the same per scale point of the predictor; `standardised` the latent slope in
    standard deviations of both. `prob_smallest` is P(change in points per sd > `smallest`), `prob_rope`
    P(|change| < `smallest`). `prior_share` is the squared width of the posterior interval as a share of the
    prior's: near 1, the data have said little.
    """
    rows, columns, others = [], [], []
    prior = _prior_latents(fit, seed)
    for latents, before in zip(unit_latents(fit), prior):
        for predictor in fit.frame.facets[1:]:
            for adjusted in adjustments(fit):
                effects = _effects(fit, latents, predictor, adjusted=adjusted)
                known = predictors_of(predictor, adjusted=adjusted)
                expected = before.slopes(outcome_of(fit), known)[:, 0]
                points = effects["points"]
                for scale in SCALES:
                    rows.append(
                        {
                            "analysis": fit.model.id,
                            "method": "joint",
                            "source": fit.model.source,
                            "adjusted": adjusted,
                            "level": latents.level,
                            "predictor": predictor,
                            "outcome": fit.frame.facets[0],
                            "scale": scale,
                            "prob_positive": float((effects[scale] > 0).mean()),
                            "prob_smallest": float((points > smallest).mean()),
                            "prob_rope": float((np.abs(points) < smallest).mean()),
                            "prior_share": _share(effects["latent"], expected, ci_prob),
                            **_interval("standardised", effects["standardised"], scale == "latent", ci_prob),
                            **_interval(
                                "per_point", effects.get(f"{scale}_per_point"), scale != "latent", ci_prob
                            ),
                        }
                    )
                    columns.append(effects[scale])
                    others.append(effects["standardised"])
    estimate = Estimate(
        question="How do others experience units whose leadership is higher?",
        unit="latent units; points or probability per sd",
        assumptions="linear among normal latent variables of units; no confounder but those held constant",
        draws=by_chain(np.stack(columns, axis=1), fit.n_chains),
        labels=pd.DataFrame(rows),
        also=(by_chain(np.stack(others, axis=1), fit.n_chains),),
    )
    return estimate.table(ci_prob=ci_prob)


def _effects(fit: Fit, latents: UnitLatents, predictor: str, *, adjusted: bool) -> dict[str, np.ndarray]:
    """(S,) draws of the effect on every scale, and per scale point of the predictor."""
    outcome = outcome_of(fit)
    slope = latents.slopes(outcome, predictors_of(predictor, adjusted=adjusted))[:, 0]
    sd = latents.sd(predictor)
    raised = rise(fit, 0, slope * sd)
    of_predictor = rise(fit, fit.frame.facets.index(predictor), sd)
    return {
        "latent": slope,
        "standardised": slope * sd / latents.sd(outcome),
        "points": raised[0],
        "probability": raised[1],
        "points_per_point": raised[0] / of_predictor[0],
        "probability_per_point": raised[1] / of_predictor[0],
    }


def rise(fit: Fit, facet: int, change: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(S,) change in points and in the share of favourable answers when the latent mean rises by `change`.

    From half of it below the average to half of it above; what does not change is averaged over.
    """
    variance = np.maximum(rating_variance(fit, facet) - change**2, 0.0)
    ends = np.stack([-0.5 * change, 0.5 * change], axis=1)
    points, favourable = expected_answers(fit, facet, ends, variance)
    return points[:, 1] - points[:, 0], favourable[:, 1] - favourable[:, 0]


def _interval(name: str, draws: np.ndarray | None, shown: bool, ci_prob: float) -> dict[str, float]:
    if draws is None or not shown:
        return {name: np.nan, f"{name}_lower": np.nan, f"{name}_upper": np.nan}
    lower, upper = np.quantile(draws, [(1 - ci_prob) / 2, (1 + ci_prob) / 2])
    return {name: float(draws.mean()), f"{name}_lower": float(lower), f"{name}_upper": float(upper)}


def _prior_latents(fit: Fit, seed: int) -> tuple[UnitLatents, ...]:
    """Levels with covariances drawn from the prior."""
    rng = np.random.default_rng(seed)
    scale = fit.model.latent_scale(fit.frame)
    drawn = [
        draw_unit_parameters(fit.frame, fit.structure, fit.model.priors, scale, rng) for _ in range(_N_PRIOR)
    ]
    stacked = {name: np.stack([one[name] for one in drawn]) for name in drawn[0]}
    return levels_of(stacked.__getitem__, fit.structure.roles, set(stacked), len(fit.frame.waves))


def _share(posterior: np.ndarray, prior: np.ndarray, ci_prob: float) -> float:
    """Squared ratio of the widths of two intervals, at most 1; slopes have no prior variance."""
    probs = [(1 - ci_prob) / 2, (1 + ci_prob) / 2]
    width, before = (float(np.subtract(*np.quantile(x, probs))) for x in (posterior, prior))
    return min((width / before) ** 2, 1.0)
