"""What the link depends on, what it is passed on by, and what it goes with: regressions among units.

Moderation (does the effect of leadership depend on complexity?), the cascade over layers, outcomes such as
citizens' experience or absence, and the contingency test of structure, relations and complexity.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.data.survey import Survey
from relcap_models.estimands.estimate import Estimate
from relcap_models.estimands.leadership_link.facts import unit_facts
from relcap_models.estimands.leadership_link.unit_latents import stable_effects, unit_latents
from relcap_models.inference.fit import Fit
from relcap_models.inference.unit_model import Equation, Measured, name_of, sample_unit_model
from relcap_models.models.leadership_link import LeadershipLink
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
