"""What the tables say of units beside ratings: attributes, outcomes, and who stands above whom."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.data.survey import Survey
from relcap_models.errors import DataError, Problem
from relcap_models.inference.unit_model import Observed
from relcap_models.models.leadership_link import LeadershipLink, Result


@dataclass(frozen=True)
class UnitFacts:
    """What the tables say of units, beside ratings.

    attributes : name to (U,), standardised · above : (U, U) weights of the units above each, None without a
    cascade
    """

    attributes: dict[str, np.ndarray]
    outcomes: dict[str, Observed]
    above: np.ndarray | None


def unit_facts(model: LeadershipLink, units: Sequence[str], survey: Survey) -> UnitFacts:
    """Attributes, outcomes and layers that the regressions of an analysis need.

    Raises
    ------
    DataError
        With every attribute, outcome and layer that is not there.
    """
    table = survey.units.set_index(survey.units["unit_id"].astype(str)).reindex(list(units))
    problems: list[Problem] = []
    wanted = {model.moderator, *(r.structure for r in model.results), *(r.complexity for r in model.results)}
    attributes = {}
    for name in sorted(name for name in wanted if name is not None):
        numbers = pd.to_numeric(table[name], errors="coerce") if name in table else pd.Series([np.nan])
        if numbers.isna().any() or not numbers.std() > 0:
            message = f"analysis '{model.id}' needs a number for every unit in the column '{name}'"
            problems.append(Problem("units", message, "Fill it in with numbers that differ", column=name))
        else:
            attributes[name] = ((numbers - numbers.mean()) / numbers.std()).to_numpy()
    known = sorted(set(survey.outcomes["outcome"].astype(str)))
    absent = [result.outcome for result in model.results if result.outcome not in known]
    if absent:
        message = f"analysis '{model.id}': there is no outcome '{absent[0]}'"
        remedy = f"Known outcomes: {', '.join(known) or 'none'}"
        problems.append(Problem("outcomes", message, remedy, column="outcome"))
    above = _above(model.cascade, table) if model.cascade else None
    if above is not None and not above.any():
        layers = sorted(set(table["layer"].dropna().astype(str))) if "layer" in table else []
        message = (
            f"analysis '{model.id}': no unit has one of the layer above it ({' > '.join(model.cascade)})"
        )
        remedy = f"Name layers from the top down; the table has: {', '.join(layers) or 'none'}"
        problems.append(Problem("units", message, remedy, column="layer"))
    if problems:
        raise DataError(problems=problems)
    outcomes = {result.outcome: _outcome(result, units, survey) for result in model.results}
    return UnitFacts(attributes, outcomes, above)


def _above(layers: Sequence[str], units: pd.DataFrame) -> np.ndarray:
    """Weights of the units one layer up in the same district, or of all in it where there are none."""
    blank = pd.Series("", index=units.index)
    layer, district = (
        units.get(column, blank).astype("object").fillna("").astype(str).to_numpy()
        for column in ("layer", "district")
    )
    weights = np.zeros((len(units), len(units)))
    for upper, lower in itertools.pairwise(layers):
        leading = layer == upper
        for unit in np.flatnonzero(layer == lower):
            near = leading & (district == district[unit])
            chosen = near if near.any() else leading
            weights[unit, chosen] = 1.0 / max(chosen.sum(), 1)
    return weights


def _outcome(result: Result, units: Sequence[str], survey: Survey) -> Observed:
    """An outcome of each unit over all waves, weighted by what is known of each."""
    table = survey.outcomes
    rows = table[table["outcome"].astype(str) == result.outcome]
    unit = pd.Categorical(rows["unit_id"].astype(str), categories=list(units)).codes
    rows = rows[unit >= 0].assign(unit=unit[unit >= 0])
    n_units = len(units)
    value = pd.to_numeric(rows["value"]).to_numpy(float)
    n = pd.to_numeric(rows["n"]).fillna(1.0).to_numpy(float) if "n" in rows else np.ones(len(rows))
    where = rows["unit"].to_numpy()
    total = np.bincount(where, n, minlength=n_units)
    known = total > 0
    if result.family == "binomial":
        return Observed("binomial", np.rint(np.bincount(where, value * n, n_units)), known, total, total)
    if result.family == "count":
        return Observed("count", np.bincount(where, value, n_units), known, total, total)
    se = pd.to_numeric(rows["se"]).to_numpy(float) if "se" in rows else np.full(len(rows), np.nan)
    weight = np.where(np.isfinite(se) & (se > 0), 1.0 / np.square(np.maximum(se, 1e-12)), 0.0)
    told = np.bincount(where, weight, n_units)
    # Without standard errors the residual of the unit takes sampling error up.
    weight = np.where(told[where] > 0, weight, n)
    mean = np.bincount(where, weight * value, n_units) / np.maximum(
        np.bincount(where, weight, n_units), 1e-12
    )
    spread = np.where(told > 0, 1.0 / np.sqrt(np.maximum(told, 1e-12)), 0.0)
    return Observed("gaussian", mean, known, total, spread)
