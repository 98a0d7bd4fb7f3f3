"""Regressions among latent variables of units, products among them included, given how well each is known.

A joint model of the ratings tells linear regressions straight from its covariance. A product (does the effect
of leadership depend on complexity?), a mean over other units (the layer above) or an outcome of another kind
has no place in that covariance. Here every unit's answers stand as one Gaussian measurement of its latent
variables, with their errors, and the regressions are sampled with them: structure after measurement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from relcap_models.errors import FitError

if TYPE_CHECKING:
    import pytensor.tensor as pt

_COEFFICIENT, _RESIDUAL, _FLOOR = 0.5, 0.5, 1e-3


@dataclass(frozen=True)
class Measured:
    """What answers say of each unit's latent variables.

    mean : (U, K) · precision : (U, K, K), 0 where they say nothing
    """

    units: tuple[str, ...]
    names: tuple[str, ...]
    mean: np.ndarray
    precision: np.ndarray

    @classmethod
    def of_draws(
        cls, units: Sequence[str], names: Sequence[str], draws: np.ndarray, prior: np.ndarray
    ) -> Measured:
        """From posterior draws (S, U, K) under units' prior N(0, `prior`), which is taken out again.

        Errors of different units count as independent: what they share, raters of the same units, is little
        beside what each has for itself.
        """
        mean = draws.mean(axis=0)
        left = draws - mean
        posterior = np.linalg.inv(np.einsum("sui,suj->uij", left, left) / (len(draws) - 1))
        precision = posterior - np.linalg.inv(prior)
        value, vectors = np.linalg.eigh((precision + precision.transpose(0, 2, 1)) / 2)
        value = np.maximum(value, _FLOOR)
        precision = (vectors * value[:, None, :]) @ vectors.transpose(0, 2, 1)
        pulled = np.einsum("uij,uj->ui", posterior, mean)
        return cls(
            tuple(units), tuple(names), np.linalg.solve(precision, pulled[:, :, None])[:, :, 0], precision
        )


@dataclass(frozen=True)
class Observed:
    """An outcome of units that was counted or measured.

    value : (U,) a mean with standard errors `spread` (gaussian), successes of `n` (binomial), or events in an
    exposure of `n` (count) · known : (U,) False for units without it
    """

    family: Literal["gaussian", "binomial", "count"]
    value: np.ndarray
    known: np.ndarray
    n: np.ndarray
    spread: np.ndarray


@dataclass(frozen=True)
class Equation:
    """`outcome` regressed on the sum of `terms`, each a product of variables; `a above` is its mean over the
    units above, with the weights that `sample` is given."""

    outcome: str
    terms: tuple[tuple[str, ...], ...]


def name_of(term: tuple[str, ...]) -> str:
    """`leadership × complexity`."""
    return " × ".join(term)


def sample_unit_model(
    measured: Measured,
    equations: Sequence[Equation],
    *,
    attributes: Mapping[str, np.ndarray],
    outcomes: Mapping[str, Observed] | None = None,
    above: np.ndarray | None = None,
    seed: int,
    chains: int = 4,
    draws: int = 1000,
    tune: int = 1000,
) -> dict[str, np.ndarray]:
    """Coefficients of every equation: name `outcome ~ term` → (chain, draw).

    Parameters
    ----------
    attributes : known variables of units, standardised, (U,) each
    outcomes : those that equations have and that are no latent variables
    above : (U, U) weights of the units above each, rows that sum to 1, or to 0 for units with none above

    Raises
    ------
    FitError
        If the sampler cannot start.
    """
    import nutpie
    import pymc as pm

    latent_outcomes = {e.outcome: e for e in equations if e.outcome in measured.names}
    exogenous = [name for name in measured.names if name not in latent_outcomes]
    n_units = len(measured.units)
    with pm.Model() as model:
        known: dict[str, pt.TensorVariable | np.ndarray] = dict(attributes)
        if exogenous:
            sd = pm.Gamma("sd_exogenous", 2, 2 / 0.5, shape=len(exogenous))
            root = sd[:, None] * _correlation(len(exogenous))
            z = pm.Normal("exogenous_z", shape=(n_units, len(exogenous)))
            for k, name in enumerate(exogenous):
                known[name] = (z @ root.T)[:, k]
        for equation in _in_order(latent_outcomes, known):
            location = _location(equation, known, above)
            residual = pm.HalfNormal(f"residual {equation.outcome}", _RESIDUAL)
            noise = pm.Normal(f"{equation.outcome}_z", shape=n_units)
            known[equation.outcome] = _passed_on(equation, location + residual * noise, above)
        latent = pm.math.stack([known[name] for name in measured.names], axis=1)
        error = latent - measured.mean
        pm.Potential("measured", -0.5 * (error[:, :, None] * measured.precision * error[:, None, :]).sum())
        for equation in equations:
            if equation.outcome not in latent_outcomes:
                _observe(equation, known, above, (outcomes or {})[equation.outcome], n_units)
    try:
        compiled = nutpie.compile_pymc_model(model)
        tree = nutpie.sample(
            compiled, chains=chains, draws=draws, tune=tune, seed=seed, target_accept=0.95, progress_bar=False
        )
    except (RuntimeError, ValueError) as error:
        raise FitError(f"The regressions among units cannot be sampled: {error}") from None
    posterior = tree["posterior"]
    names = [f"{e.outcome} ~ {name_of(term)}" for e in equations for term in e.terms]
    return {name: posterior[name].transpose("chain", "draw").to_numpy() for name in names}


def _correlation(size: int) -> pt.TensorVariable:
    # Any square root does, and the gradient of a Cholesky factor is slow to compile.
    from relcap_models.models.blocks import correlation_root

    return correlation_root("corr_exogenous", np.eye(size), 2.0)


def _in_order(equations: Mapping[str, Equation], known: Mapping[str, object]) -> list[Equation]:
    """Causes before effects."""
    order: list[Equation] = []
    there, waiting = set(known), dict(equations)
    while waiting:
        ready = [equation for equation in waiting.values() if _needs(equation) <= there]
        if not ready:
            raise FitError(f"The regressions of {', '.join(waiting)} form a circle, or lack a variable")
        for equation in ready:
            order.append(equation)
            there.add(equation.outcome)
            del waiting[equation.outcome]
    return order


def _location(
    equation: Equation,
    known: Mapping[str, pt.TensorVariable | np.ndarray],
    above: np.ndarray | None,
) -> pt.TensorVariable:
    import pymc as pm

    total = 0.0
    for term in equation.terms:
        if _own(equation, term):
            continue
        value: pt.TensorVariable | np.ndarray | float = 1.0
        for variable in term:
            name = variable.removesuffix(" above")
            value = value * (known[name] if name == variable else above @ known[name])
        total = total + pm.Normal(f"{equation.outcome} ~ {name_of(term)}", 0.0, _COEFFICIENT) * value
    return total


def _needs(equation: Equation) -> set[str]:
    """Variables that must be known before an equation's outcome is."""
    terms = [term for term in equation.terms if not _own(equation, term)]
    return {variable.removesuffix(" above") for term in terms for variable in term}


def _own(equation: Equation, term: tuple[str, ...]) -> bool:
    return term == (f"{equation.outcome} above",)


def _passed_on(equation: Equation, own: pt.TensorVariable, above: np.ndarray | None) -> pt.TensorVariable:
    """What units bring themselves, and what comes to them from layer to layer: (I − b·W)⁻¹ times it."""
    import pymc as pm

    if not any(_own(equation, term) for term in equation.terms):
        return own
    coefficient = pm.Normal(f"{equation.outcome} ~ {equation.outcome} above", 0.0, _COEFFICIENT)
    total, step, reach = own, own, above
    # Layers have an end: a power of W is 0.
    while reach.any():
        step = coefficient * (above @ step)
        total, reach = total + step, reach @ above
    return total


def _observe(
    equation: Equation,
    known: Mapping[str, pt.TensorVariable | np.ndarray],
    above: np.ndarray | None,
    found: Observed,
    n_units: int,
) -> None:
    """The likelihood of an outcome, with a residual for each unit beyond its sampling error."""
    import pymc as pm

    here = found.known
    # Coefficients are on the scale of the outcome's own spread (gaussian), of log odds or of log rates.
    centre, scale = _scale(found)
    location = _location(equation, known, above)
    residual = pm.HalfNormal(f"residual {equation.outcome}", 1.0)
    intercept = pm.Normal(f"intercept {equation.outcome}", 0.0, 2.0)
    name, value = f"{equation.outcome}_seen", found.value[here]
    if found.family == "gaussian":
        # Integrated over units' residuals: outcomes that are known well would tie each to all coefficients.
        spread = np.maximum(found.spread[here] / scale, 1e-3)
        expected = (intercept + location)[here]
        pm.Normal(name, expected, pm.math.sqrt(residual**2 + spread**2), observed=(value - centre) / scale)
        return
    noise = pm.Normal(f"{equation.outcome}_z", shape=n_units)
    eta = (intercept + location + residual * noise)[here]
    if found.family == "binomial":
        pm.Binomial(name, n=found.n[here].astype(int), logit_p=centre + eta, observed=value.astype(int))
    else:
        pm.Poisson(name, found.n[here] * pm.math.exp(centre + eta), observed=value.astype(int))


def _scale(found: Observed) -> tuple[float, float]:
    """Where an outcome lies on its link's scale, and the unit of its coefficients."""
    value, n = found.value[found.known], found.n[found.known]
    if found.family == "gaussian":
        return float(value.mean()), float(value.std(ddof=1) or 1.0)
    share = (value.sum() + 0.5) / (n.sum() + 1.0)
    return float(np.log(share / (1.0 - share)) if found.family == "binomial" else np.log(share)), 1.0
