"""Simulation-based calibration: are the posteriors of a model right when its priors are true?

Parameters and answers are drawn from the priors, on the design of a study; the model is fitted to the
answers, and each true value is ranked among its posterior draws. If sampler and model are right, ranks are
uniform (Talts et al. 2018, arXiv:1804.06788; Modrák et al. 2023, https://doi.org/10.1214/23-BA1404).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd

from relcap_models.errors import FitError
from relcap_models.inference.fit import Fit, fit_frame
from relcap_models.models.exposure_columns import EFFECT
from relcap_models.models.frame import Frame
from relcap_models.models.latent import (
    Draws,
    item_expectation,
    noise_covariance,
    own_location,
    relation_location,
)
from relcap_models.models.prior_predictive import draw_parameters
from relcap_models.models.rating_model import RatingModel
from relcap_models.models.story import Told, tell
from relcap_models.models.structure import Structure
from relcap_models.seeds import child_seed, generator

N_RANKED = 99
"""Posterior draws among which a true value is ranked, evenly spread: hardly correlated any more."""

_ALPHA = 0.05
_SIMULATIONS = 20_000


def check_calibratable(model: RatingModel) -> None:
    """Refuse what has no priors before the answers are seen.

    Raises
    ------
    FitError
        For the gaussian family, whose priors are in standard deviations of the answers.
    """
    if model.family == "gaussian":
        raise FitError(
            f"analysis '{model.id}': the priors of the gaussian family are in standard deviations of the "
            "answers, so no answers can be drawn from them. Calibrate the family `cumulative` instead."
        )


def ranks(
    model: RatingModel, frame: Frame, settings: Mapping[str, object], *, seed: int, replicate: int
) -> pd.DataFrame:
    """Draw a world from the priors, fit it, and rank what is true among the draws.

    Parameters
    ----------
    frame : design; its answers are not looked at
    settings : as of a `Fit`, without seed

    Returns
    -------
    One row for each number that is ranked: quantity, label, true, rank (0 … `N_RANKED` or the number of
    draws), n_ranked. Of relation scores (unit scores of a climate) four: one at random, mean, sd, largest; of
    a leadership link the effects of a unit at random, and the slopes of the outcome on each facet; of a
    programme its mean effect.
    """
    name = (model.id, str(replicate))
    rng = generator(seed, "calibrate", *name)
    structure = model.structure(frame)
    parameters = draw_parameters(model, frame, rng)
    told = tell(frame, structure, model.response, parameters, rng)
    fitted = fit_frame(
        model,
        replace(frame, answer=told.answer),
        {**settings, "seed": int(child_seed(seed, "fit", *name).generate_state(1)[0])},
        progress=False,
    )
    true = _kept(structure, parameters, told)
    n_draws = fitted.n_chains * fitted.n_draws
    chosen = np.unique(np.linspace(0, n_draws - 1, min(N_RANKED, n_draws)).astype(int))

    def draws(quantity: str) -> np.ndarray:
        return fitted.draws(quantity)[chosen]

    rows = []
    for quantity, value in true.items():
        if quantity in fitted.posterior and not quantity.endswith("_effect"):
            rows += _ranked(fitted, quantity, value, draws(quantity))
    derived = _of_links if len(frame.facets) > 1 else _of_scores
    for of, label, value, drawn in (*derived(fitted, draws, true, rng), *_of_programmes(fitted, draws, true)):
        rows.append((of, label, float(value), int((drawn < value).sum()), len(drawn)))
    return pd.DataFrame(rows, columns=["quantity", "label", "true", "rank", "n_ranked"]).assign(
        replicate=replicate
    )


Derived = Iterator[tuple[str, str, float, np.ndarray]]
"""Quantity, label, true value, draws."""


def _of_scores(
    fitted: Fit, draws: Draws, true: Mapping[str, np.ndarray], rng: np.random.Generator
) -> Derived:
    scores = _scores(draws, fitted)
    true_scores = _scores(lambda quantity: true[quantity][None], fitted)[0]
    one = rng.integers(len(true_scores))
    of = "relation_scores" if "target" in fitted.structure.roles else "unit_scores"
    yield of, "one at random", true_scores[one], scores[:, one]
    yield of, "mean", true_scores.mean(), scores.mean(axis=1)
    yield of, "sd", true_scores.std(), scores.std(axis=1)
    yield of, "largest", true_scores.max(), scores.max(axis=1)


def _of_programmes(fitted: Fit, draws: Draws, true: Mapping[str, np.ndarray]) -> Derived:
    """The effect of a programme averaged over the ratings that are exposed to it, latent."""
    effects = [k for k, name in enumerate(fitted.frame.covariates) if name.startswith(f"{EFFECT}:")]
    if effects:
        columns = fitted.frame.covariates_of_rating[:, effects]
        weights = columns[(columns != 0).any(axis=1)].mean(axis=0)
        mean = np.einsum("c,scd->s", weights, draws("beta")[:, effects])
        yield (
            "programme_effect",
            "mean over exposed ratings",
            float((weights @ true["beta"][effects]).sum()),
            mean,
        )


def _of_links(fitted: Fit, draws: Draws, true: Mapping[str, np.ndarray], rng: np.random.Generator) -> Derived:
    unit = rng.integers(len(fitted.frame.units))
    for name in ("target_effect", "staff_effect"):
        if name in fitted.posterior:
            place = (unit, rng.integers(true[name].shape[1]), rng.integers(true[name].shape[2]))
            yield name, "one at random", true[name][place], draws(name)[(slice(None), *place)]
    roles = fitted.structure.roles
    outcome = roles.index("target") if "target" in roles else 0
    held = [roles.index("perceiver")] if "perceiver" in roles else []
    for part in ("unit", "unit_stable", "unit_wave"):
        if f"sd_{part}" not in fitted.posterior:
            continue
        for facet in fitted.frame.facets[1:]:
            places = [outcome, roles.index(facet), *held]
            slopes = [
                _slope(of(f"sd_{part}"), of(f"corr_{part}"), places)
                for of in (lambda name: true[name][None], draws)
            ]
            yield f"slope_{part}", facet, slopes[0][0], slopes[1]


def _slope(sd: np.ndarray, correlation: np.ndarray, places: list[int]) -> np.ndarray:
    """(S,) coefficient of the first of several predictors of the variable that stands first in `places`."""
    covariance = (correlation * sd[:, :, None] * sd[:, None, :])[:, places][:, :, places]
    return np.linalg.solve(covariance[:, 1:, 1:], covariance[:, 1:, :1])[:, 0, 0]


def _kept(structure: Structure, parameters: Mapping[str, np.ndarray], told: Told) -> dict[str, np.ndarray]:
    """The true values of what a fit keeps, by its names."""
    true = {name: np.asarray(value, dtype=float) for name, value in parameters.items()} | told.effects

    def covariance(sd: np.ndarray, correlation: np.ndarray) -> np.ndarray:
        return correlation * np.outer(sd, sd)

    for grouping in (*structure.respondents, *structure.districts):
        name = grouping.name
        true[f"cov_{name}"] = covariance(true[f"sd_{name}"], true[f"corr_{name}"])
    if "sd_relation" in true:
        sd = true["sd_relation"]
        if structure.reciprocal:
            share = (1.0 + true["dyadic_reciprocity"]) / 2.0
            spreads = {"pair_sum": sd * np.sqrt(share), "pair_difference": sd * np.sqrt(1.0 - share)}
        else:
            spreads = {"relation": sd}
        true["cov_relation"] = sum(covariance(s, true[f"corr_{name}"]) for name, s in spreads.items())
    for grouping in structure.respondents:
        for kind in ("sd", "cov") if grouping.suffix else ():
            true[f"{kind}_{grouping.name}{grouping.suffix}"] = true.pop(f"{kind}_{grouping.name}")
    if "staff_effect" in true:
        true["mu_facet"] = true.pop("mu")
    elif "target" in structure.roles:
        pair = np.arange(len(true["mu"][0]))
        true["generalised_reciprocity"] = true["corr_unit"][pair, len(pair) + pair]
    return true


def _ranked(
    fitted: Fit, quantity: str, true: np.ndarray, drawn: np.ndarray
) -> list[tuple[str, str, float, int, int]]:
    """Of a covariance, the correlations; of what is symmetric, each number once; constants not at all."""
    labels = [
        [str(label) for label in fitted.posterior[quantity][dim].to_numpy()]
        for dim in fitted.tree["posterior"][quantity].transpose("chain", "draw", ...).dims[2:]
    ]
    name = quantity
    if quantity.startswith("cov_"):
        name = f"corr_{quantity.removeprefix('cov_')}"
        true, drawn = _correlation(true[None])[0], _correlation(drawn)
    symmetric = name.startswith("corr_")
    rows = []
    for place in np.ndindex(true.shape):
        if symmetric and place[0] <= place[1]:
            continue
        column = drawn[(slice(None), *place)]
        if np.ptp(column) == 0.0:
            continue
        label = ", ".join(labels[axis][k] for axis, k in enumerate(place))
        rows.append((name, label, float(true[place]), int((column < true[place]).sum()), len(column)))
    return rows


def _correlation(covariance: np.ndarray) -> np.ndarray:
    sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    return covariance / (sd[:, :, None] * sd[:, None, :])


def _scores(draws, fitted: Fit) -> np.ndarray:
    """(S, X) expected answers, averaged over items, of every relation (or unit) and wave."""
    frame, structure, n_dimensions = fitted.frame, fitted.structure, len(fitted.frame.dimensions)
    locate = relation_location if "target" in structure.roles else own_location
    location = locate(draws, frame, structure)
    location = location.reshape(len(location), -1, n_dimensions)
    noise = np.diagonal(noise_covariance(draws, structure, n_dimensions), axis1=1, axis2=2)
    return item_expectation(draws, frame, fitted.model.response, location, noise)[0].mean(axis=-1)


@dataclass(frozen=True)
class Curve:
    """ECDF of the ranks less that of uniform ones, with simultaneous bands. All (n,), in shares."""

    at: np.ndarray
    difference: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    @property
    def outside(self) -> float:
        """How far the difference leaves its band; 0 within it."""
        beyond = np.maximum(self.difference - self.upper, self.lower - self.difference)
        return max(float(beyond.max()), 0.0)


def judge(found: pd.DataFrame) -> tuple[pd.DataFrame, dict[tuple[str, str], Curve]]:
    """Are ranks uniform?

    The bands hold all quantities of an analysis at once with a probability of .95 (Šidák), each over its
    whole curve (Säilynoja, Bürkner & Vehtari 2022, https://doi.org/10.1007/s11222-022-10090-6).

    Parameters
    ----------
    found : rows of `ranks` of all replicates

    Returns
    -------
    A table with a row for each number: quantity, label, n, mean_rank (.5 if uniform; less where the posterior
    lies too high), spread (standard deviation of the ranks relative to uniform ones; above 1 where the
    posterior is too narrow), outside (how far the ECDF leaves its band), passed; and the curves.
    """
    groups = dict(list(found.groupby(["quantity", "label"], sort=False)))
    probability = (1.0 - _ALPHA) ** (1.0 / max(len(groups), 1))
    rows, curves = [], {}
    for position, (key, table) in enumerate(groups.items()):
        # A rank stands for all values between two draws.
        rng = np.random.default_rng(position)
        place = (table["rank"] + rng.random(len(table))) / (table["n_ranked"] + 1.0)
        at, lower, upper = _band(len(place), probability)
        ecdf = np.searchsorted(np.sort(place), at, side="right") / len(place)
        curve = curves[key] = Curve(at, ecdf - at, lower - at, upper - at)
        spread = float(place.std(ddof=0) * np.sqrt(12.0))
        rows.append((*key, len(place), float(place.mean()), spread, curve.outside, curve.outside == 0.0))
    columns = ["quantity", "label", "n", "mean_rank", "spread", "outside", "passed"]
    return pd.DataFrame(rows, columns=columns), curves


@cache
def _band(n: int, probability: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the ECDF of n uniform numbers is looked at, and its simultaneous band."""
    from arviz_stats.ecdf_utils import ecdf_pit

    at, _, lower, upper = ecdf_pit(np.zeros(n), probability, _SIMULATIONS, rng=np.random.default_rng(0))
    return at, lower, upper
