"""The fast engine: a Gaussian approximation of the posterior in place of draws by NUTS.

1. Item parameters and the total covariance of a rating by marginal likelihood (`marginal`).
2. Each rating's answers as a Gaussian pseudo-observation, by expectation propagation (`pseudo`).
3. Covariances of all effects at the mode of their marginal posterior given the pseudo-observations, by Newton
   steps with average information (`mixed`). 2, 3 and the items are repeated together until nothing moves.
4. Draws: covariances and items from the Gaussian around their mode; effects from their conditional Gaussian,
   whose mean follows the covariances to first order (Kass & Steffey 1989, J. American Statistical Association
   84, 717–726). What that leaves out on average is found by solving for the means anew at some of the draws:
   with few units, effects would else be drawn in too little.

A ratio of covariances, such as the slope of a leadership link, has longer tails than these draws when units
are few: with twenty, intervals are a tenth too narrow (`tests/recovery/measured/link_nuts.csv`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from relcap_models.errors import FitError
from relcap_models.inference.fast.covariances import Covariances
from relcap_models.inference.fast.draws import kept
from relcap_models.inference.fast.items import FIRST_LENGTH, Items, next_length
from relcap_models.inference.fast.marginal import Marginal, fit_marginal
from relcap_models.inference.fast.mixed import MixedModel, Solution
from relcap_models.inference.fast.pseudo import Quadrature, pseudo_from
from relcap_models.inference.kept import KEPT_DIMS, coordinates
from relcap_models.models.density import Density
from relcap_models.models.frame import Frame
from relcap_models.models.information import PseudoObservations
from relcap_models.models.rating_model import RatingModel
from relcap_models.models.structure import Structure
from relcap_models.seeds import child_seed

MAX_ROUNDS = 40
# Newton decrements are twice the log density still to be gained; effects are judged by their posterior sd.
CLOSE = {"covariances": 0.05, "items": 0.05, "effects": 0.03}
# Covariances follow the items and the items the covariances: towards the end longer steps get there sooner.
_LONGEST = 2.0
# Conditional means are solved for at eight draws at a time, until the average is known so well.
_SOLVED_TOGETHER, _MOST_SOLVED = 8, 64
_BEND_ERROR = 0.03
_SHARES = {
    "perceiver": 0.06,
    "target": 0.06,
    "relation": 0.12,
    "respondent": 0.25,
    "respondent_wave": 0.06,
    "respondent_target": 0.1,
    "rating": 0.25,
    "district_perceiver": 0.02,
    "district_target": 0.02,
}
"""Where the search starts: rough shares of the total variance."""
_STAFF = 0.15
"""Of what a unit's own staff rate, where it is a role of its own."""

Progress = Callable[[int, dict[str, float]], None]
"""Takes the number of a round and how far it is from the end, by the names of `CLOSE`."""


@dataclass(frozen=True)
class Approximation:
    """Where the iterations ended.

    theta : (p,) unconstrained covariance parameters · theta_covariance : (p, p)
    vector : (q,) item parameters · vector_covariance : (q, q)
    pseudo : what the answers to each rating say, at the end
    follow : (p, E) movement of the effects' means with θ
    left : what the last round still changed, by the names of `CLOSE`
    """

    covariances: Covariances
    items: Items
    mixed: MixedModel
    marginal: Marginal
    theta: np.ndarray
    theta_covariance: np.ndarray
    vector: np.ndarray
    vector_covariance: np.ndarray
    pseudo: PseudoObservations
    solution: Solution
    follow: np.ndarray
    left: dict[str, float]
    n_rounds: int


def sample(
    model: RatingModel,
    frame: Frame,
    structure: Structure,
    *,
    chains: int,
    draws: int,
    seed: int,
    progress: Progress | None = None,
) -> xr.DataTree:
    """Draws from the approximation, in the shape of a sampler's: group `posterior`, and `approximation`.

    Draws are independent, so that chains are a matter of shape only.

    Raises
    ------
    FitError
        If the design is one that this engine does not take, or the iterations break down.
    """
    rng = np.random.default_rng(child_seed(seed, "fast"))
    try:
        found = approximate(model, frame, structure, progress=progress)
        theta, vector, effects = draw(found, chains * draws, rng)
    except np.linalg.LinAlgError as error:
        raise FitError(f"The fast engine broke down ({error}): use --engine nuts") from None
    named = kept(
        found.covariances,
        found.items,
        found.mixed.design,
        frame,
        structure,
        theta=theta,
        vector=vector,
        effects=effects,
    )
    posterior = xr.Dataset(
        {
            name: (("chain", "draw", *KEPT_DIMS[name]), value.reshape(chains, draws, *value.shape[1:]))
            for name, value in named.items()
        },
        coords=coordinates(frame, structure),
    )
    left = xr.Dataset({"left": ("part", list(found.left.values()))}, coords={"part": list(found.left)})
    left["n_rounds"] = found.n_rounds
    return xr.DataTree.from_dict({"posterior": posterior, "approximation": left})


def approximate(
    model: RatingModel, frame: Frame, structure: Structure, *, progress: Progress | None = None
) -> Approximation:
    """Mode and curvature of covariances, items and effects.

    Raises
    ------
    FitError
        If the design is one that this engine does not take.
    LinAlgError
        If the iterations break down.
    """
    if structure.relation == "residual":
        raise FitError(
            "The fast engine cannot take relations with one answer to one item each, whose variance is the "
            "residual's: use --engine nuts"
        )
    family, priors, scale = model.response, model.priors, model.latent_scale(frame)
    density = Density(frame, structure, family=family, loadings=model.loadings, priors=priors, scale=scale)
    covariances = Covariances(density)
    items = Items(frame, family, model.loadings, priors, scale)
    mixed = MixedModel(frame, structure, priors, scale)
    quadrature = Quadrature(frame, family)
    return _iterate(covariances, items, mixed, quadrature, scale, structure, progress)


def _iterate(
    covariances: Covariances,
    items: Items,
    mixed: MixedModel,
    quadrature: Quadrature,
    scale: float,
    structure: Structure,
    progress: Progress | None,
) -> Approximation:
    frame = mixed.design.frame
    marginal = fit_marginal(frame, items, quadrature, scale)
    theta, vector = _start(covariances, structure, marginal.total), marginal.vector
    mean, covariance = marginal.location, marginal.total[frame.facet_of_rating]
    tilted = marginal.tilted
    pseudo = pseudo_from(mean, covariance, tilted)
    found = None
    length, last = FIRST_LENGTH, None
    going = np.zeros(covariances.size)
    for number in range(1, MAX_ROUNDS + 1):
        before, found = found, mixed.solve(covariances.matrices(theta), pseudo, around=found)
        gradient, information, follow, blocks = mixed.slopes(found, covariances.derivatives(theta))
        whole = information + np.diag(covariances.prior_curvature(theta))
        uphill = gradient + covariances.log_prior(theta)[1] - covariances.power

        mean, covariance = mixed.cavities(pseudo, found, blocks)
        tilted = quadrature(items.values(vector), mean, covariance, around=tilted, with_score=True)
        scores = items.scores(vector, tilted)
        slope = scores.sum(axis=0) + items.prior_gradient(vector)
        ties = items.ties(vector)
        held = scores.T @ scores + items.prior_information(vector) + 1e4 * ties @ ties.T
        held[np.diag_indices_from(held)] += 1e-6
        item_step = np.linalg.solve(held, slope)

        moved = np.inf
        if before is not None:
            change = found.posterior.mean - before.posterior.mean
            moved = float((np.abs(change) / found.posterior.spread).max())
        left = {
            "covariances": float(uphill @ np.linalg.solve(whole, uphill)),
            "items": float(item_step @ slope),
            "effects": moved,
        }
        if not np.isfinite([left["covariances"], left["items"], found.posterior.mean.sum()]).all():
            raise np.linalg.LinAlgError(f"round {number} gave figures that are none")
        if progress is not None:
            progress(number, left)
        if all(abs(left[name]) < limit for name, limit in CLOSE.items()) or number == MAX_ROUNDS:
            break
        step = covariances.step(theta, gradient, information)
        # A parameter that turns back overshot: where it was going lies between (secant).
        turned = step * going < 0
        going = np.where(turned, step * going / np.where(turned, going - step, 1.0), step)
        theta = theta + going
        longest = _LONGEST if left["covariances"] < 1.0 else 1.0
        length = next_length(length, last, item_step, held, longest)
        last = item_step
        vector = items.moved(vector, length * item_step)
        tilted = quadrature(items.values(vector), mean, covariance, around=tilted)
        pseudo = pseudo_from(mean, covariance, tilted)
    return Approximation(
        covariances,
        items,
        mixed,
        marginal,
        theta,
        np.linalg.inv(whole),
        vector,
        np.linalg.inv(held),
        pseudo,
        found,
        follow,
        left,
        number,
    )


def _start(covariances: Covariances, structure: Structure, total: np.ndarray) -> np.ndarray:
    """θ that splits the total variance in rough shares."""
    theta = covariances.start()
    variance = np.diagonal(total, axis1=1, axis2=2).ravel()
    known = {p.name for p in covariances.layout.parameters}
    names = [role for role in structure.roles if role in _SHARES]
    names += ["relation"] if "sd_relation" in known else []
    names += [*structure.within, *(grouping.name for grouping in structure.districts)]
    whole = sum(_SHARES[name] for name in names)
    for name, latent in covariances.latent_of_sd.items():
        where = covariances.layout.slices[name]
        if name.startswith("sd_unit"):
            roles = np.repeat(structure.roles, len(latent) // len(structure.roles))
            share = np.array([_SHARES.get(role, _STAFF) for role in roles])
            share = share if name == "sd_unit" else 0.5 * share
            told = roles != "self"
        else:
            share, told = _SHARES[name.removeprefix("sd_")], np.ones(len(latent), dtype=bool)
        log_sd = 0.5 * np.log(share / whole * variance[latent])
        theta[where] = np.where(told, log_sd, theta[where])
    return theta


def draw(
    found: Approximation, n_draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(S, p) draws of θ, (S, q) of the item parameters, (S, E) of the effects."""
    covariances = found.covariances
    theta, linear = covariances.draw(found.theta, found.theta_covariance, n_draws, rng)
    vector_move = rng.multivariate_normal(
        np.zeros(len(found.vector)), found.vector_covariance, size=n_draws, method="cholesky"
    )
    effects = found.solution.posterior.draw(n_draws, rng)
    effects += found.solution.posterior.mean + linear @ found.follow + _bend(found, theta, linear)
    # Thresholds further apart go with larger effects.
    growth = vector_move @ found.marginal.growth.T
    effects *= np.exp(growth[:, found.mixed.design.latent])
    return theta + covariances.stretched(growth), found.items.bent(found.vector, vector_move), effects


def _bend(found: Approximation, theta: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """(E,) what effects' means at draws of θ are beyond first order, on average over the first draws.

    Of so many draws that its Monte Carlo error is small beside the effects' posterior sd.
    """
    mean, spread = found.solution.posterior.mean, found.solution.posterior.spread
    beyond: list[np.ndarray] = []
    for covariance_parameters, moved in zip(theta[:_MOST_SOLVED], linear):
        matrices = found.covariances.matrices(covariance_parameters)
        exact = found.mixed.mean(matrices, found.pseudo, around=found.solution)
        beyond.append(exact - mean - moved @ found.follow)
        if len(beyond) % _SOLVED_TOGETHER == 0:
            error = np.std(beyond, axis=0) / np.sqrt(len(beyond)) / spread
            if np.quantile(error, 0.95) < _BEND_ERROR:
                break
    return np.mean(beyond, axis=0)
