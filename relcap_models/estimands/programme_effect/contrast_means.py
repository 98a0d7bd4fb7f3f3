"""Means of a contrast over parts of its relations, on every scale, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from relcap_models.estimands.cells import quantities
from relcap_models.estimands.estimate import Estimate, by_chain
from relcap_models.estimands.programme_effect.counterfactuals import Contrast
from relcap_models.inference.fit import Fit
from relcap_models.models.exposure import BOTH_ENDS, RATER_END, SINGLE_GROUP, SPILLOVER, TARGET_END
from relcap_models.models.programme_effect import Exposed

COUNTS = ("n_respondents", "n_relations", "n_units", "n_clusters")
SCALES = ("latent", "points", "probability")
_EFFECT = {
    "question": "What did the programme change?",
    "assumptions": "without it, exposed relations would have changed as the others did",
}
_CHANGE = {
    "question": "What changed since the last wave before the start?",
    "assumptions": "none that tells the programme from whatever else changed since then",
}


def contrast_means(
    fit: Fit,
    exposed: Exposed,
    contrast: Contrast,
    part: pd.Series,
    labels: list[dict[str, str]],
    *,
    ci_prob: float,
    goal: float,
) -> Iterator[pd.DataFrame]:
    """Means over the parts of the cells, all with one weight, on every scale and in every dimension.

    part : number of each cell's part, in the order of `labels`, which name the rows · goal : in points
    """
    number = part.to_numpy()
    weights = (number[:, None] == np.arange(len(labels))).astype(float)
    weights /= weights.sum(axis=0)
    counts = _counts(exposed, contrast.cells, number, len(labels))
    n_dimensions = len(fit.frame.dimensions)
    for scale, draws in zip(SCALES, (contrast.latent, contrast.points, contrast.favourable)):
        means = np.tensordot(draws, weights, axes=(1, 0))
        # With one dimension, `overall` says the same again.
        shown = n_dimensions if scale == "latent" or n_dimensions == 1 else means.shape[1]
        for q, dimension in enumerate(quantities(fit)[:shown]):
            table = Estimate(
                **(_CHANGE if exposed.design == SINGLE_GROUP else _EFFECT),
                unit=scale,
                draws=by_chain(means[:, q], fit.n_chains),
                labels=pd.DataFrame(labels).assign(**counts),
            ).table(ci_prob=ci_prob)
            above = (means[:, q] > goal).mean(axis=0) if scale == "points" else np.nan
            yield table.assign(
                analysis=fit.model.id,
                estimand=contrast.estimand,
                component=contrast.component,
                scale=scale,
                dimension=dimension,
                assignment=fit.model.assignment,
                design=exposed.design,
                goal=goal if scale == "points" else np.nan,
                prob_positive=(means[:, q] > 0).mean(axis=0),
                prob_goal=above,
            )


def _counts(exposed: Exposed, cells: pd.DataFrame, part: np.ndarray, n_parts: int) -> dict[str, list[int]]:
    """Respondents, relations, units at their exposed ends, and clusters of these, behind each part."""
    frame, found = exposed.frame, {name: [] for name in COUNTS}
    ratings = pd.DataFrame(
        {
            "rater": frame.rater_of_rating,
            "target": frame.target_of_rating,
            "wave": frame.wave_of_rating,
            "respondent": frame.respondent_of_rating,
        }
    ).merge(cells.assign(part=part)[["rater", "target", "wave", "part"]])
    for p in range(n_parts):
        here = cells[part == p]
        ends = [
            here[end][here["kind"].isin([BOTH_ENDS, SPILLOVER, kind])]
            for end, kind in (("rater", RATER_END), ("target", TARGET_END))
        ]
        units = np.unique(np.concatenate(ends))
        found["n_respondents"].append(ratings["respondent"][ratings["part"] == p].nunique())
        found["n_relations"].append(len(here[["rater", "target"]].drop_duplicates()))
        found["n_units"].append(len(units))
        found["n_clusters"].append(len(np.unique(exposed.exposure.cluster_of_unit[units])))
    return found
