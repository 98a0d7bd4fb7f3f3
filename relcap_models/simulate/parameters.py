"""The true parameters as tables: spreads, reciprocities, links, stability, items."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from relcap_models.simulate.effect_options import Relations
from relcap_models.simulate.gaussian import per_dimension
from relcap_models.simulate.options import Simulation
from relcap_models.simulate.story import Story
from relcap_models.simulate.units import CLIMATE, UnitEffects

Row = tuple[str, str, str, float]


def parameters_table(options: Simulation, stories: Mapping[str, Story], units: UnitEffects) -> pd.DataFrame:
    """instrument, name, index, value: superpopulation values, latent scale.

    `index` is a dimension, a pair of dimensions or variables joined by ` ~ `, a wave, or empty. Spreads and
    correlations of unit effects are totals, with links and leniency; `sd_noise` is the sd of all noise within
    a relation in one wave. Rows without instrument hold for the study.
    """
    rows: list[Row] = [("", "shared_leniency", "", options.shared_leniency)]
    rows += _unit_rows(units)
    for story in stories.values():
        rows += _instrument_rows(options, story)
    rows += [("", "path", f"{p.source} ~ {p.to}", p.coefficient) for p in options.climate.paths]
    rows.append(("", "leniency_of_climate", "", options.climate.leniency))
    for outcome in options.outcomes:
        rows += [("", f"outcome_{n}", outcome.id, getattr(outcome, n)) for n in ("intercept", "slope")]
    table = pd.DataFrame(rows, columns=["instrument", "name", "index", "value"])
    return table.astype({"value": float})


def _unit_rows(units: UnitEffects) -> list[Row]:
    sd = np.sqrt(np.diag(units.covariance))
    rows: list[Row] = []
    labels = [".".join(variable) for variable in units.variables]
    for (instrument, role, dimension), value in zip(units.variables, sd):
        rows.append((instrument, "sd_unit" if role == CLIMATE else f"sd_{role}", dimension, value))
    for i, (instrument, role, dimension) in enumerate(units.variables):
        for j, (other_instrument, other_role, other_dimension) in enumerate(units.variables[:i]):
            if sd[i] == 0 or sd[j] == 0:
                continue
            value = units.covariance[i, j] / (sd[i] * sd[j])
            rows.append(("", "correlation_unit", f"{labels[j]} ~ {labels[i]}", value))
            same = instrument == other_instrument and dimension == other_dimension
            if same and (other_role, role) == ("perceiver", "target"):
                rows.append((instrument, "generalised_reciprocity", dimension, value))
    return rows


def _instrument_rows(options: Simulation, story: Story) -> list[Row]:
    instrument = story.instrument
    block = options.block_of(instrument)
    dimensions = instrument.dimension_ids
    own_spreads = ["sd_respondent", "sd_respondent_wave", "sd_rating"]
    single = ["dimension_correlation", "stability_unit", "autocorrelation"]
    if isinstance(block, Relations):
        own_spreads += ["sd_relation", "sd_respondent_target", "sd_district", "dyadic_reciprocity"]
        single += ["stability_relation"]
    rows: list[Row] = []
    for name in own_spreads:
        values = per_dimension(getattr(block, name), len(dimensions), name, instrument.id)
        rows += [(instrument.id, name, d, v) for d, v in zip(dimensions, values)]
    rows += [(instrument.id, name, "", getattr(block, name)) for name in single]
    rows += [(instrument.id, "sd_noise", d, v) for d, v in zip(dimensions, story.noise_sd)]
    rows += [(instrument.id, "sd_noise_own", d, v) for d, v in zip(dimensions, story.noise_sd_own)]
    rows.append((instrument.id, "trend", "", block.trend))
    if isinstance(block, Relations):
        rows.append((instrument.id, "own_unit_shift", "", block.own_unit_shift))
    return rows


def item_parameters_table(stories: Mapping[str, Story]) -> pd.DataFrame:
    """instrument, item, dimension, parameter, value.

    `parameter` is `loading`, `threshold_k` (between the k-th and the next category; a step for partial
    credit), or `intercept` and `residual_sd` for gaussian items. They refer to answers after reverse scoring.
    """
    rows = []
    for story in stories.values():
        gaussian = story.items.family == "gaussian"
        for i, item in enumerate(story.instrument.items):
            head = (story.instrument.id, item.id, item.dimension)
            rows.append((*head, "loading", story.items.loading[i]))
            for k, value in enumerate(story.items.thresholds[i], start=1):
                rows.append((*head, "intercept" if gaussian else f"threshold_{k}", value))
            if gaussian:
                rows.append((*head, "residual_sd", story.items.residual_sd))
    return pd.DataFrame(rows, columns=["instrument", "item", "dimension", "parameter", "value"])
