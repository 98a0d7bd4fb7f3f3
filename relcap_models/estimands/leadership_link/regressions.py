"""What the link depends on, what it is passed on by, and what it goes with: regressions among units.

Moderation (does the effect of leadership depend on complexity?), the cascade over layers, outcomes such as
citizens' experience or absence, and the contingency test of structure, relations and complexity.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.data.survey import Survey
from relcap_models.errors import DataError, Problem
from relcap_models.estimands.estimate import Estimate
from relcap_models.estimands.leadership_link.unit_latents import stable_effects, unit_latents
from relcap_models.inference.fit import Fit
from relcap_models.inference.unit_model import Equation, Measured, Observed, name_of, sample_unit_model
from relcap_models.models.leadership_link import LeadershipLink, Result
from relcap_models.seeds import child_seed

CAPACITY = "capacity"
"""How others experience working with a unit, as a name in these regressions."""


def link_regression_table(fit: Fit, survey: Survey, *, ci_prob: float, seed: int) -> pd.DataFrame:
    """One row per coefficient of every regression that the analysis asks for; empty if it asks for none.

    Columns: analysis, capacity (what others rate), question (`moderation`, `cascade`, `outcome`), outcome,
    term, scale, and the summary of the draws with `prob_positive` and n_units. Attributes are in standard
    deviations. Coefficients of latent outcomes are in latent units; of gaussian outcomes in standard
    deviations of the outcome between units, of binomial ones in log odds, of counts in log rates. A product's
    coefficient says by how much that of one factor grows with the other.

    All are regressions between units: with several waves, of what of a latent variable is the same in all of
    them (`stable_effects`), and of an outcome over all waves. What a unit's change from wave to wave goes
    with is no question of theirs, since outcomes need not be counted in every wave.
    """
    model = fit.model
    asked = _questions(model)
    if not asked:
        return pd.DataFrame()
    known = unit_facts(model, fit.frame.units, survey)
    equations = [equation for _, equation, _ in asked]
    draws = sample_unit_model(
        measured(fit, np.random.default_rng(child_seed(seed, "stable"))),
        equations,
        attributes=known.attributes,
        outcomes=known.outcomes,
        above=known.above,
        seed=seed,
    )
    rows, columns = [], []
    for question, equation, scale in asked:
        seen = known.outcomes.get(equation.outcome)
        for term in equation.terms:
            rows.append(
                {
                    "analysis": model.id,
                    "capacity": fit.frame.facets[0],
                    "question": question,
                    "outcome": equation.outcome,
                    "term": name_of(term),
                    "scale": scale,
                    "n_units": int(seen.known.sum()) if seen is not None else len(fit.frame.units),
                }
            )
            columns.append(draws[f"{equation.outcome} ~ {name_of(term)}"])
    stacked = np.stack(columns, axis=-1)
    table = Estimate(
        question="What does the link depend on, and what does it go with?",
        unit="see `scale`",
        assumptions="normal residuals of units; errors of different units independent",
        draws=stacked,
        labels=pd.DataFrame(rows),
    ).table(ci_prob=ci_prob)
    table["prob_positive"] = (stacked > 0).mean(axis=(0, 1))
    return table


def _names(fit: Fit) -> tuple[str, ...]:
    """Latent variables as the regressions call them."""
    model = fit.model
    names = {"target": CAPACITY, model.leadership: "leadership", model.safety: "safety"}
    return tuple(names.get(role, role) for role in fit.structure.roles)


def measured(fit: Fit, rng: np.random.Generator) -> Measured:
    """What answers say of each unit's latent variables, of several waves their stable parts."""
    prior = unit_latents(fit)[0].covariance.mean(axis=0)
    return Measured.of_draws(fit.frame.units, _names(fit), stable_effects(fit, rng), prior)


def _questions(model: LeadershipLink) -> list[tuple[str, Equation, str]]:
    """(question, equation, scale of its coefficients)."""
    found = []
    if model.moderator is not None:
        terms = (("leadership",), (model.moderator,), ("leadership", model.moderator), ("perceiver",))
        found.append(("moderation", Equation(CAPACITY, terms), "latent"))
    if model.cascade:
        found.append(("cascade", Equation("leadership", (("leadership above",),)), "latent"))
    scales = {"gaussian": "standardised", "binomial": "log odds", "count": "log rate"}
    for result in model.results:
        terms = [(CAPACITY,)]
        named = [name for name in (result.structure, result.complexity) if name is not None]
        terms += [(name,) for name in named] + [(CAPACITY, name) for name in named]
        terms += [tuple(named)] if len(named) == 2 else []
        found.append(("outcome", Equation(result.outcome, tuple(terms)), scales[result.family]))
    return found


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
