"""The covariances of all effects as functions of one unconstrained vector, with their prior.

Parameters, priors and transforms are those of the full log density: the same names in the same layout,
without effects and item parameters.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtr

from relcap_models.models.density import Density
from relcap_models.models.density_blocks import UnitEffects
from relcap_models.models.density_covariance import Scaled, Values
from relcap_models.models.density_nested import NestedEffects
from relcap_models.models.density_relation import RelationEffects
from relcap_models.models.frame import Frame
from relcap_models.models.parameters import Layout, Parameter
from relcap_models.models.structure import Structure, latents_of_roles

_STEP = 1e-5
_POORLY_KNOWN = 0.55
_FURTHEST = 1.0


Matrices = dict[str, np.ndarray]
"""Covariance matrices by effect.

unit : (W·P, W·P) of a unit's effects over wave × role × dimension
pair : (2·Wz·D, …) of the two directions of a relation over direction × wave × dimension
alone : (Wz·D, …) of a relation seen from one side · every grouping : (D, D)
"""


def _of(block: object) -> list[Parameter]:
    """Parameters of a block's covariance, standard deviations as logarithms."""
    parameters = [
        replace(p, prior="log_half_normal") if p.prior == "half_normal" else p
        for p in block.parameters
        if not p.name.endswith("_z")
    ]
    if isinstance(block, UnitEffects):
        return list(block.covariance.natural)
    if isinstance(block, RelationEffects):
        return [p for p in parameters if p not in block.waves.parameters] + list(block.waves.natural)
    return parameters


def _latents(sd: Parameter, frame: Frame, structure: Structure) -> np.ndarray:
    """Which facet × dimension each standard deviation is of."""
    if sd.name.startswith("sd_unit"):
        return latents_of_roles(frame, structure)
    return np.arange(sd.size)


class Covariances:
    """Matrices from the unconstrained vector θ of standard deviations, correlations and stabilities."""

    def __init__(self, density: Density) -> None:
        self.unit = next(b for b in density.blocks if isinstance(b, UnitEffects))
        self.relation = next((b for b in density.blocks if isinstance(b, RelationEffects)), None)
        self.grouped: dict[str, Scaled] = {}
        parameters = _of(self.unit)
        if self.relation is not None:
            parameters += _of(self.relation)
        for block in density.blocks:
            if isinstance(block, NestedEffects):
                self.grouped |= dict(zip(block.names, block.covariances))
            elif hasattr(block, "grouping"):
                self.grouped[block.grouping.name] = block.covariance
            else:
                continue
            parameters += _of(block)
        self.latent_of_sd = {
            p.name: _latents(p, density.frame, density.structure)
            for p in parameters
            if p.name.startswith("sd_")
        }
        self.layout = Layout(tuple(parameters))
        self.size = self.layout.size
        # The posterior of a standard deviation is nearest to normal on the scale of its cube root: the
        # exponent of the Jacobian that takes the logarithm there.
        self.is_sd = np.concatenate(
            [np.full(p.size, p.prior in ("gamma", "log_half_normal")) for p in parameters]
        )
        self.power = np.where(self.is_sd, 1 / 3, 0.0)
        self._values, self._gradient, self._slope = np.empty((3, self.size))
        self._views = self.layout.views(self._values)

    def start(self) -> np.ndarray:
        """Half the spreads that the priors expect, no correlation but that of the reference."""
        return self.layout.typical()

    def stretched(self, growth: np.ndarray) -> np.ndarray:
        """(S, p) change of θ when the logarithm of every latent standard deviation grows.

        growth : (S, facets · D)
        """
        result = np.zeros((len(growth), self.size))
        for name, latent in self.latent_of_sd.items():
            result[:, self.layout.slices[name]] = growth[:, latent]
        return result

    def log_prior(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Log prior density of θ with its Jacobian, and its gradient."""
        value = self.layout.constrain(theta, self._values, self._gradient, self._slope)
        return value, self._gradient.copy()

    def bent(self, step: np.ndarray) -> np.ndarray:
        """Changes of θ (…, p) from changes on the scale of 3·sd^⅓, in units in which both begin alike."""
        return np.where(self.is_sd, 3.0 * np.log(np.maximum(1.0 + step / 3.0, 0.3)), step)

    def draw(
        self, mode: np.ndarray, covariance: np.ndarray, n_draws: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """(S, p) draws of θ around its mode, and (S, p) how far each moves what depends on it to first order.

        covariance : of θ at the mode. Its correlations are kept; single standard deviations get the shape
        that fits them: normal on the scale of the cube root if well known, else their prior times a
        likelihood that is quadratic in the variance, as it is where a variance may be 0.
        """
        moved = rng.multivariate_normal(np.zeros(self.size), covariance, size=n_draws, method="cholesky")
        spread = np.sqrt(np.diag(covariance))
        uphill = self.power - self.log_prior(mode)[1]
        curvature = self.prior_curvature(mode)
        theta = mode + self.bent(moved)
        linear = theta - mode
        for k in np.flatnonzero(self.is_sd & (spread > _POORLY_KNOWN)):
            grid = mode[k] + np.linspace(-6.0, 3.0, 600)
            log_prior = np.array([self._log_prior_of(mode, k, x) for x in grid])
            ratio = np.expm1(2.0 * (grid - mode[k]))
            # In the variance v: slope of the log likelihood uphill/(2v), information I/(4v²).
            information = max(1.0 / spread[k] ** 2 - curvature[k], 0.0)
            log = log_prior + 0.5 * uphill[k] * ratio - 0.125 * information * ratio**2
            mass = np.cumsum(np.exp(log - log.max()))
            theta[:, k] = np.interp(ndtr(moved[:, k] / spread[k]), mass / mass[-1], grid)
            linear[:, k] = 0.5 * np.expm1(2.0 * (theta[:, k] - mode[k]))
        return theta, linear

    def _log_prior_of(self, mode: np.ndarray, k: int, x: float) -> float:
        at = mode.copy()
        at[k] = x
        return self.log_prior(at)[0]

    def step(self, theta: np.ndarray, gradient: np.ndarray, information: np.ndarray) -> np.ndarray:
        """Step to the mode of the prior times the likelihood that slope and information at `theta` foretell.

        gradient : (p,) of the log likelihood · information : (p, p) its average information

        The log likelihood is taken as quadratic in the cube root of a standard deviation; where that is
        poorly known, in the variance, so that a variance of 0 is not infinitely far away.
        """
        known = np.diag(information) + self.prior_curvature(theta)
        poorly = known < 1.0 / _POORLY_KNOWN**2
        exponent = np.where(self.is_sd, np.where(poorly, 2.0, 1 / 3), 0.0)
        divisor = np.where(self.is_sd, exponent, 1.0)

        def negative(step: np.ndarray) -> tuple[float, np.ndarray]:
            slope = np.exp(exponent * step)
            change = np.where(self.is_sd, (slope - 1.0) / divisor, step)
            left = gradient - information @ change
            value, of_prior = self.log_prior(theta + step)
            value += (gradient + left) @ change / 2 - self.power @ step
            return -value, -(slope * left + of_prior - self.power)

        box = [(-_FURTHEST, _FURTHEST)] * self.size
        return minimize(negative, np.zeros(self.size), jac=True, method="L-BFGS-B", bounds=box).x

    def prior_curvature(self, theta: np.ndarray) -> np.ndarray:
        """Minus the second derivatives of the log prior, which is a sum over parameters."""
        step = 1e-4
        above, below = (self.log_prior(theta + s)[1] for s in (step, -step))
        return -(above - below) / (2 * step)

    def values(self, theta: np.ndarray) -> Values:
        """Named parameters on their own scale."""
        self.layout.constrain(theta, self._values, self._gradient, self._slope)
        return {name: view.copy() for name, view in self._views.items()}

    def matrices(self, theta: np.ndarray) -> Matrices:
        """All covariance matrices at θ."""
        values = self.values(theta)
        result = {"unit": self.unit.covariance.matrix(values)}
        if self.relation is not None:
            between = self.relation.waves.forward(values)
            self.relation.scale(values)
            factors = [f.forward(values, s) for f, s in zip(self.relation.factors, self.relation.spreads)]
            parts = [f @ f.T for f in factors]
            result["alone"] = np.kron(between, sum(parts))
            if len(parts) == 2:
                across = np.kron(between, parts[0] - parts[1])
                result["pair"] = np.block([[result["alone"], across], [across, result["alone"]]])
        for name, scaled in self.grouped.items():
            factor = scaled.forward(values, values[f"sd_{name}"])
            result[name] = factor @ factor.T
        return result

    def derivatives(self, theta: np.ndarray) -> dict[str, np.ndarray]:
        """(p, …) derivative of every matrix with respect to each element of θ, by central differences."""
        result: dict[str, list[np.ndarray]] = {}
        for k in range(self.size):
            moved = theta.copy()
            moved[k] = theta[k] + _STEP
            above = self.matrices(moved)
            moved[k] = theta[k] - _STEP
            below = self.matrices(moved)
            for name in above:
                result.setdefault(name, []).append((above[name] - below[name]) / (2 * _STEP))
        return {name: np.stack(parts) for name, parts in result.items()}
