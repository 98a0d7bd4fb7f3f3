"""Item profile of a relation (which items are low), and the item parameters behind it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.estimands.cells import blocks, noise_variance, rated_cells, unit_names, wave_names
from relcap_models.estimands.estimate import Estimate, by_chain, columns
from relcap_models.estimands.naive import beside, cell_means, responses_of
from relcap_models.inference.fit import Fit
from relcap_models.models import latent

PROFILE_COLUMNS = columns(
    "analysis wave rater_unit target_unit item dimension mean sd lower upper ci_prob",
    "naive_mean n_respondents n_ratings suppressed ci_kind median mcse ess ess_tail rhat",
)
PARAMETER_COLUMNS = columns(
    "analysis item dimension parameter mean sd lower upper ci_prob",
    "ci_kind median mcse ess ess_tail rhat",
)


def item_profile_table(fit: Fit, *, ci_prob: float) -> pd.DataFrame:
    """Expected answer to each item in each rated relation × wave; `naive_mean` is blank without answers."""
    frame, n_items = fit.frame, len(fit.frame.items)
    relation, wave = rated_cells(fit)
    location = latent.relation_location(fit.draws, frame, fit.structure)[:, relation, wave]
    variance = noise_variance(fit)
    parts = []
    for block in blocks(len(location), len(relation), int(frame.n_categories.max()) * n_items):
        expected, _ = latent.item_expectation(
            fit.draws, frame, fit.model.response, location[:, block], variance
        )
        cells = pd.DataFrame(
            {
                "wave": np.repeat(wave[block], n_items),
                "relation": np.repeat(relation[block], n_items),
                "item": np.tile(np.arange(n_items), expected.shape[1]),
            }
        )
        parts.append(
            Estimate(
                question="What would this unit's respondents answer to this item about that unit?",
                unit="points of the response scale",
                assumptions="averaged over respondents' leniency and rating noise",
                draws=by_chain(expected.reshape(len(expected), -1), fit.n_chains),
                labels=cells,
            ).table(ci_prob=ci_prob)
        )
    table = pd.concat(parts, ignore_index=True)
    cells = table[["wave", "relation", "item"]]
    naive = beside(cell_means(responses_of(frame), list(cells.columns)), cells)
    table = pd.concat([table.drop(columns=list(cells.columns)), naive], axis=1)
    units, item, relation = unit_names(fit), cells["item"].to_numpy(), cells["relation"].to_numpy()
    return table.assign(
        analysis=fit.model.id,
        wave=wave_names(fit)[cells["wave"]],
        rater_unit=units[frame.rater_of_relation[relation]],
        target_unit=units[frame.target_of_relation[relation]],
        item=np.array(frame.items, dtype=object)[item],
        dimension=np.array(frame.dimensions, dtype=object)[frame.dimension_of_item[item]],
        suppressed=False,
    )[PROFILE_COLUMNS]


def item_parameter_table(fit: Fit, *, ci_prob: float) -> pd.DataFrame:
    """Loadings, and thresholds (steps in partial credit) or intercepts and residual spreads.

    `threshold_k` lies between the k-th answer and the next, on the latent scale; an intercept is the expected
    answer where the latent rating is 0, in points.
    """
    frame = fit.frame
    items, dimensions = np.array(frame.items, dtype=object), np.array(frame.dimensions, dtype=object)
    every = np.arange(len(items))

    def called(name: str) -> list[str]:
        return [name] * len(items)

    found = [(every, called("loading"), "latent scale", fit.draws("loading"))]
    if fit.model.response == "gaussian":
        intercept = fit.draws("intercept") + frame.minimum_of_item
        found += [
            (every, called("intercept"), "points of the response scale", intercept),
            (every, called("residual_sd"), "points of the response scale", fit.draws("residual_sd")),
        ]
    else:
        steps = [f"threshold_{k}" for n in frame.n_categories for k in range(1, n)]
        found.append((frame.item_of_threshold, steps, "latent scale", fit.draws("threshold")))
    parts = []
    for item, parameter, unit, draws in found:
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
                unit=unit,
                assumptions="the same in every wave and unit",
                draws=by_chain(draws, fit.n_chains),
                labels=labels,
            ).table(ci_prob=ci_prob)
        )
    return pd.concat(parts, ignore_index=True)[PARAMETER_COLUMNS]
