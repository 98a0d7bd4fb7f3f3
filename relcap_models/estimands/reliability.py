"""Reliability of a score, and the D-study: how many respondents it takes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.estimands.components import residual_variance, variance_components
from relcap_models.estimands.estimate import Estimate, by_chain
from relcap_models.inference.fit import Fit

COLUMNS = [
    "analysis",
    "dimension",
    "comparison",
    "scale",
    "quantity",
    "n_respondents",
    "mean",
    "sd",
    "lower",
    "upper",
    "ci_prob",
    "ci_kind",
    "median",
    "mcse",
    "ess",
    "ess_tail",
    "rhat",
]
MOST_RESPONDENTS = 30
GOALS = (0.70, 0.80)


def reliability_table(fit: Fit, *, ci_prob: float) -> pd.DataFrame:
    """Latent reliability of a score at 1 … 30 respondents, and the respondents needed for .70 and .80.

    S / (S + V/n + Iψ/(n(Σλ)²)): S the variance of true scores, V that of respondents and ratings, ψ of an item's residual.
    comparison : `all_relations`: S = perceiver + target + relation; `within_rater_unit`: without perceiver;
    `units` (climate): S = the unit effect. Generalisability theory (Cronbach et al. 1972; Brennan 2001).
    """
    signal, noise = _signal_and_noise(fit)
    n = np.arange(1, MOST_RESPONDENTS + 1)
    parts = []
    for comparison, true in signal.items():
        for d, dimension in enumerate(fit.frame.dimensions):
            ratio = noise[:, d] / true[:, d]
            curve = 1 / (1 + ratio[:, None] / n)
            needed = np.column_stack([np.ceil(np.round(g / (1 - g) * ratio, 9)) for g in GOALS])
            labels = pd.DataFrame(
                {
                    "quantity": ["reliability"] * len(n) + [f"respondents_for_{g:.2f}" for g in GOALS],
                    "n_respondents": [*n, *[None] * len(GOALS)],
                }
            ).astype({"n_respondents": "Int64"})
            parts.append(
                Estimate(
                    question="How reliable is the score with so many respondents?",
                    unit="share of variance",
                    assumptions="latent scale; respondents are exchangeable within a unit",
                    draws=by_chain(np.column_stack([curve, needed]), fit.n_chains),
                    labels=labels.assign(
                        analysis=fit.model.id, dimension=dimension, comparison=comparison, scale="latent"
                    ),
                ).table(ci_prob=ci_prob)
            )
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def _signal_and_noise(fit: Fit) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """True-score variance by comparison and the error variance of one respondent, each (S, D), in units of η."""
    frame, structure = fit.frame, fit.structure
    parts = variance_components(fit)
    loading = fit.draws("loading")
    member = np.eye(len(frame.dimensions))[frame.dimension_of_item]
    items, total_loading = member.sum(axis=0), loading @ member
    noise = residual_variance(fit) * items / total_loading**2
    noise = noise + sum((parts[g.name] for g in structure.respondents), start=np.zeros(1))
    if "target" not in structure.roles:
        return {"units": parts["perceiver"]}, noise
    within = parts["target"] + (
        fit.draws("sd_relation") ** 2 if structure.relation in ("full", "stable") else 0.0
    )
    return {"all_relations": within + parts["perceiver"], "within_rater_unit": within}, noise
