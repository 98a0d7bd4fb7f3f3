"""The table of effects: averaged over relations as they were exposed, by cohort, time, and both."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from relcap_models.data.survey import Survey
from relcap_models.estimands.cells import quantities
from relcap_models.estimands.estimate import Estimate, by_chain, columns
from relcap_models.estimands.programme_effect.counterfactuals import Contrast, changes, effects, leads
from relcap_models.inference.fit import Fit
from relcap_models.models.exposure import BOTH_ENDS, RATER_END, SINGLE_GROUP, SPILLOVER, TARGET_END
from relcap_models.models.programme_effect import Exposed

COUNTS = ("n_respondents", "n_relations", "n_units", "n_clusters")
COLUMNS = columns(
    "analysis estimand aggregate group time scale mean sd lower upper prob_positive prob_goal",
    "component dimension assignment design goal ci_prob ci_kind median",
    *COUNTS,
    "mcse ess ess_tail rhat",
)
SCALES = ("latent", "points", "probability")
_BY = {
    "cell": ["group", "wave"],
    "simple": [],
    "group": ["group"],
    "dynamic": ["event"],
    "calendar": ["wave"],
}


def programme_effect_table(fit: Fit, survey: Survey, *, ci_prob: float, goal: float) -> pd.DataFrame:
    """One row per estimand, aggregate, scale and dimension.

    Each is a mean over relations in waves, all with one weight: `cell` over those of one cohort (the wave in
    which their exposure began) in one wave, `simple` over all, `group` by cohort, `calendar` by wave,
    `dynamic` by waves since the start. Below 0 these are differences before it (where the fit has them): a
    check, no effects. Of a single group the estimand is `change`.

    latent : in standard deviations of the response's own noise · points : of the response scale ·
    probability : share of favourable answers. `prob_goal` is P(effect > goal), in points alone.
    """
    exposed = fit.model.exposed(survey)
    if exposed.design == SINGLE_GROUP:
        found = list(_rows(fit, exposed, changes(fit, exposed), ci_prob=ci_prob, goal=goal))
    else:
        found = [
            table
            for contrast in effects(fit, exposed)
            for table in _rows(fit, exposed, contrast, ci_prob=ci_prob, goal=goal)
        ]
        for event, contrast in leads(fit, exposed):
            everywhere = pd.Series(0, index=contrast.cells.index)
            labels = {"aggregate": "dynamic", "group": "", "time": str(event)}
            found += _row(fit, exposed, contrast, everywhere, [labels], ci_prob=ci_prob, goal=goal)
    return pd.concat(found, ignore_index=True)[COLUMNS]


def _rows(
    fit: Fit, exposed: Exposed, contrast: Contrast, *, ci_prob: float, goal: float
) -> Iterator[pd.DataFrame]:
    """Every aggregate of one estimand."""
    waves = np.array(exposed.exposure.waves, dtype=object)
    for aggregate, by in _BY.items():
        keys = contrast.cells[by].assign(all=0)
        part = keys.groupby([*by, "all"], sort=True).ngroup()
        first = keys.assign(part=part).drop_duplicates("part").sort_values("part")
        labels = [
            {
                "aggregate": aggregate,
                "group": waves[row["group"]] if "group" in row else "",
                "time": str(row["event"]) if "event" in row else waves[row["wave"]] if "wave" in row else "",
            }
            for row in first.to_dict("records")
        ]
        yield from _row(fit, exposed, contrast, part, labels, ci_prob=ci_prob, goal=goal)


def _row(
    fit: Fit,
    exposed: Exposed,
    contrast: Contrast,
    part: pd.Series,
    labels: list[dict[str, str]],
    *,
    ci_prob: float,
    goal: float,
) -> Iterator[pd.DataFrame]:
    """Means over the parts of the cells, on every scale and in every dimension.

    part : number of each cell's part, in the order of `labels`
    """
    number = part.to_numpy()
    weights = (number[:, None] == np.arange(len(labels))).astype(float)
    weights /= weights.sum(axis=0)
    counts = _counts(exposed, contrast.cells, number, len(labels))
    n_dimensions = len(fit.frame.dimensions)
    for scale, draws in zip(SCALES, (contrast.latent, contrast.points, contrast.favourable)):
        means = np.einsum("sxq,xp->spq", draws, weights)
        # With one dimension, `overall` says the same again.
        shown = n_dimensions if scale == "latent" or n_dimensions == 1 else means.shape[-1]
        for q, dimension in enumerate(quantities(fit)[:shown]):
            table = Estimate(
                question="What did the programme change?",
                unit=scale,
                assumptions="without it, exposed relations would have changed as the others did",
                draws=by_chain(means[:, :, q], fit.n_chains),
                labels=pd.DataFrame(labels).assign(**counts),
            ).table(ci_prob=ci_prob)
            above = (means[:, :, q] > goal).mean(axis=0) if scale == "points" else np.nan
            yield table.assign(
                analysis=fit.model.id,
                estimand=contrast.estimand,
                component=contrast.component,
                scale=scale,
                dimension=dimension,
                assignment=fit.model.assignment,
                design=exposed.design,
                goal=goal if scale == "points" else np.nan,
                prob_positive=(means[:, :, q] > 0).mean(axis=0),
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
