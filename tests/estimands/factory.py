"""Fits that were never sampled: draws that a test writes down itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from relcap_models.data import Survey, Wave, read_survey
from relcap_models.inference.fit import Fit
from relcap_models.inference.kept import KEPT_DIMS, coordinates
from relcap_models.models import Climate, Relation
from relcap_models.models.rating_model import RatingModel
from relcap_models.schema import load_instrument
from relcap_models.schema.instrument import Instrument
from relcap_models.simulate import Simulated, Simulation, simulate
from tests.models.conftest import build_case

INSTRUMENT = "relational_capacity"
SMALL = {
    "organisation": {"n_respondents": 60, "n_units": 6, "n_districts": 1},
    "nominations": {"partners": 3},
}


def make_fit(
    model: RatingModel, survey: Survey, worlds: Sequence[Mapping[str, Any]], n_chains: int = 1
) -> Fit:
    """A fit whose draws are these worlds (name → value), chain after chain."""
    frame = model.frame(survey)
    structure = model.structure(frame)
    stacked = {}
    for name in worlds[0]:
        values = np.stack([np.asarray(world[name], dtype=float) for world in worlds])
        dims = ("chain", "draw", *KEPT_DIMS[name])
        stacked[name] = (dims, values.reshape(n_chains, -1, *values.shape[1:]))
    used = {dim for dims, _ in stacked.values() for dim in dims}
    labels = {dim: names for dim, names in coordinates(frame, structure).items() if dim in used}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(stacked, coords=labels)})
    return Fit(model, frame, structure, tree, {"seed": 1})


def case_fit(name: str, n_draws: int = 3, n_chains: int = 1) -> tuple[Fit, Survey]:
    """`random_fit` of a named design of `tests.models`."""
    model, survey = build_case(name)
    return random_fit(model, survey, n_draws, n_chains), survey


def random_fit(model: RatingModel, survey: Survey, n_draws: int = 3, n_chains: int = 1) -> Fit:
    """A fit with draws at random points of the prior's bulk."""
    density = model.density(model.frame(survey))
    rng = np.random.default_rng(11)
    worlds = []
    for _ in range(n_chains * n_draws):
        point = density.layout.start(rng) + rng.normal(0.0, 0.5, density.layout.size)
        worlds.append(density.report(point))
    return make_fit(model, survey, worlds, n_chains)


def simulated_survey(
    options: Mapping[str, Any], instrument: str | Instrument = INSTRUMENT, *, n_waves: int = 1, seed: int = 7
) -> tuple[Simulated, Survey]:
    """An organisation and its survey, `SMALL` unless the options say otherwise."""
    declared = load_instrument(instrument) if isinstance(instrument, str) else instrument
    waves = [Wave(f"w{w + 1}") for w in range(n_waves)]
    simulated = simulate(
        Simulation.model_validate({**SMALL, **options}),
        instruments={declared.id: declared},
        waves=waves,
        seed=seed,
    )
    return simulated, read_survey(simulated.tables, instruments=[declared], waves=waves)


def true_fit(simulated: Simulated, survey: Survey, model: Relation | Climate) -> Fit:
    """The fit that knows: two equal draws, every quantity at its simulated value."""
    frame = model.frame(survey)
    structure = model.structure(frame)
    truth = {
        name: table[table["instrument"] == model.instrument]
        for name, table in simulated.truth.items()
        if "instrument" in table
    }
    parameters = truth["parameters"].set_index(["name", "index"])["value"].sort_index()
    dimensions, waves, units = list(frame.dimensions), list(frame.waves), list(frame.units)
    n = len(dimensions)
    between = float(parameters["dimension_correlation", ""])
    correlation = np.full((n, n), between) + (1 - between) * np.eye(n)

    def spread(name: str) -> np.ndarray:
        return parameters[name].reindex(dimensions).to_numpy()

    step = float(parameters["trend", ""]) * np.arange(len(waves))
    world: dict[str, Any] = {"mu": np.tile(step[:, None], (1, n))}
    unit = truth["unit_effects"].set_index(["role", "unit", "wave", "dimension"])["total"]
    shape = (len(units), len(waves), n)
    for role in structure.roles:
        of_role = unit["climate" if isinstance(model, Climate) else role]
        world[f"{role}_effect"] = np.array(
            [of_role[u, w, d] for u in units for w in waves for d in dimensions]
        )
        world[f"{role}_effect"] = world[f"{role}_effect"].reshape(shape)
    if isinstance(model, Climate):
        world |= {"sd_unit": spread("sd_unit"), "corr_unit": correlation}
    else:
        world |= _relation_truth(parameters, truth, frame, structure.roles, correlation, spread)
        if "self" in structure.roles:
            world["mu_own"] = world["mu"] + float(parameters["own_unit_shift", ""])
        _centre(world)
    for name in structure.within:
        world[f"sd_{name}"] = spread(f"sd_{name}")
        if name == "respondent" and "rating" not in structure.within:  # one rating each: both are one effect
            world[f"sd_{name}"] = np.hypot(spread("sd_respondent"), spread("sd_rating"))
        world[f"cov_{name}"] = correlation * np.outer(world[f"sd_{name}"], world[f"sd_{name}"])
    items = truth["item_parameters"]
    by_item = items.set_index(["item", "parameter"])["value"]
    world["loading"] = np.array([by_item[i, "loading"] for i in frame.items])
    if model.response == "gaussian":
        world["intercept"] = np.array([by_item[i, "intercept"] for i in frame.items]) - frame.minimum_of_item
        world["residual_sd"] = np.array([by_item[i, "residual_sd"] for i in frame.items])
    else:
        world["threshold"] = np.array(
            [
                by_item[i, f"threshold_{k}"]
                for i, m in zip(frame.items, frame.n_categories)
                for k in range(1, m)
            ]
        )
    return make_fit(model, survey, [world, world])


def _centre(world: dict[str, Any]) -> None:
    """As in every fit: effects are deviations from the organisation's mean, which the locations hold."""
    for name in ("perceiver_effect", "target_effect", "relation_effect", "self_effect"):
        if name in world:
            mean = world[name].mean(axis=0)
            world[name] = world[name] - mean
            if name != "self_effect":
                world["mu"] = world["mu"] + mean
            if name in ("perceiver_effect", "self_effect") and "mu_own" in world:
                world["mu_own"] = world["mu_own"] + mean


def _relation_truth(parameters, truth, frame, roles, correlation, spread) -> dict[str, Any]:
    relation = truth["relation_effects"].set_index(["rater_unit", "target_unit", "wave", "dimension"])[
        "total"
    ]
    of_role = {"perceiver": 0, "target": 1, "self": 2}
    reciprocity = float(parameters["generalised_reciprocity", frame.dimensions[0]])
    # The simulator's defaults: perceiver with self .2, target with self .3.
    between = np.array([[1.0, reciprocity, 0.2], [reciprocity, 1.0, 0.3], [0.2, 0.3, 1.0]])
    chosen = [of_role[role] for role in roles]
    sd = spread("sd_relation")
    pairs = zip(frame.rater_of_relation, frame.target_of_relation)
    effects = [
        [
            [relation.get((frame.units[u], frame.units[t], w, d), 0.0) for d in frame.dimensions]
            for w in frame.waves
        ]
        for u, t in pairs
    ]
    return {
        "sd_unit": np.concatenate([spread(f"sd_{role}") for role in roles]),
        "corr_unit": np.kron(between[np.ix_(chosen, chosen)], correlation),
        "relation_effect": np.array(effects),
        "sd_relation": sd,
        "cov_relation": correlation * np.outer(sd, sd),
        "dyadic_reciprocity": spread("dyadic_reciprocity"),
        "generalised_reciprocity": np.full(len(frame.dimensions), reciprocity),
    }
