"""Item profile of a relation (which items are low), and the item parameters behind it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.estimands.cells import blocks, noise_variance, rated_cells
from relcap_models.estimands.estimate import Estimate, by_chain
from relcap_models.estimands.naive import responses_of
from relcap_models.inference.fit import Fit
from relcap_models.models import latent

PROFILE_COLUMNS = [
    "analysis",
    "wave",
    "rater_unit",
    "target_unit",
    "item",
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
    "mcse",
    "ess",
    "ess_tail",
    "rhat",
]
PARAMETER_COLUMNS = [
    "analysis",
    "item",
    "dimension",
    "parameter",
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


def item_profile_table(fit: Fit, *, ci_prob: float) -> pd.DataFrame:
    """Expected answer to each item in each rated relation × wave."""
    frame = fit.frame
    relation, wave = rated_cells(fit)
    location = latent.relation_location(fit.draws, frame, fit.structure)[:, relation, wave]
    variance = noise_variance(fit)
    rater, target = frame.rater_of_relation[relation], frame.target_of_relation[relation]
    units, waves = np.array(frame.units, dtype=object), np.array(frame.waves, dtype=object)
    parts = []
    for block in blocks(len(location), len(relation), int(frame.n_categories.max()) * len(frame.items)):
        expected, _ = latent.item_expectation(
            fit.draws, frame, fit.model.response, location[:, block], variance
        )
        n_cells = expected.shape[1]
        labels = pd.DataFrame(
            {
                "analysis": fit.model.id,
                "wave_code": np.repeat(wave[block], len(frame.items)),
                "rater_code": np.repeat(rater[block], len(frame.items)),
                "target_code": np.repeat(target[block], len(frame.items)),
                "item_code": np.tile(np.arange(len(frame.items)), n_cells),
            }
        )
        parts.append(
            Estimate(
                question="What would this unit's respondents answer to this item about that unit?",
                unit="points of the response scale",
                assumptions="averaged over respondents' leniency and rating noise",
                draws=by_chain(expected.reshape(len(expected), -1), fit.n_chains),
                labels=labels,
            ).table(ci_prob=ci_prob)
        )
    table = pd.concat(parts, ignore_index=True)
    naive = (
        responses_of(frame)
        .groupby(["wave", "rater", "target", "item"])
        .agg(
            naive_mean=("points", "mean"),
            n_respondents=("respondent", "nunique"),
            n_ratings=("rating", "nunique"),
        )
        .reset_index()
        .rename(columns={c: f"{c}_code" for c in ("wave", "rater", "target", "item")})
    )
    table = table.merge(naive, on=["wave_code", "rater_code", "target_code", "item_code"], how="left")
    item = table["item_code"].to_numpy()
    table = table.assign(
        wave=waves[table["wave_code"]],
        rater_unit=units[table["rater_code"]],
        target_unit=units[table["target_code"]],
        item=np.array(frame.items, dtype=object)[item],
        dimension=np.array(frame.dimensions, dtype=object)[frame.dimension_of_item[item]],
        n_respondents=table["n_respondents"].fillna(0).astype(int),
        n_ratings=table["n_ratings"].fillna(0).astype(int),
        suppressed=False,
    )
    return table[PROFILE_COLUMNS]


def item_parameter_table(fit: Fit, *, ci_prob: float) -> pd.DataFrame:
    """Loadings, and thresholds (steps in partial credit) or intercepts and residual spreads."""
    frame = fit.frame
    items, dimensions = np.array(frame.items, dtype=object), np.array(frame.dimensions, dtype=object)
    every = np.arange(len(items))
    found = [("loading", every, ["loading"] * len(items))]
    if fit.model.response == "gaussian":
        found += [(name, every, [name] * len(items)) for name in ("intercept", "residual_sd")]
    else:
        steps = [f"threshold_{k}" for n in frame.n_categories for k in range(1, n)]
        found.append(("threshold", frame.item_of_threshold, steps))
    parts = []
    for name, item, parameter in found:
        labels = pd.DataFrame(
            {
                "analysis": fit.model.id,
                "item": items[item],
                "dimension": dimensions[frame.dimension_of_item[item]],
                "parameter": parameter,
            }
        )
        parts.append(
            Estimate(
                question="How does the item relate to the latent rating?",
                unit="latent scale",
                assumptions="the same in every wave and unit",
                draws=by_chain(fit.draws(name), fit.n_chains),
                labels=labels,
            ).table(ci_prob=ci_prob)
        )
    return pd.concat(parts, ignore_index=True)[PARAMETER_COLUMNS]
