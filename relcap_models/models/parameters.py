"""The unconstrained parameter vector: names, priors, transforms and their derivatives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit
from scipy.special import ndtri

from relcap_models.models.kernels import scaled_erfc

_SQRT_HALF = math.sqrt(0.5)
_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)
NORMAL, HALF_NORMAL, BETA, ORDERED, GAMMA, LOG_HALF_NORMAL = range(6)
_KINDS = {
    "normal": NORMAL,
    "half_normal": HALF_NORMAL,
    "log_half_normal": LOG_HALF_NORMAL,
    "gamma": GAMMA,
    "beta": BETA,
    "ordered": ORDERED,
}


@dataclass(frozen=True)
class Parameter:
    """A block of the parameter vector.

    prior : `normal(first = sd, second = mean)`; `half_normal(first = scale)`, sampled as x in
    scale · −log Φ(−x), since its logarithm has a long tail where a spread may be 0; `log_half_normal` and
    `gamma(first = mean)` of shape 2, sampled as logarithms;
    `beta(first, second)`, sampled as log odds; `ordered`: rows of normals with sd `first` in rising order,
    sampled as the value at column `second` of the row and log gaps away from it. A well-known value to start
    from keeps a poorly known outer one from moving the others.
    first, second : scalars or arrays that broadcast to `shape`.
    start : where the sampler starts, as it is sampled; of half-normal and gamma ones on their own scale
    """

    name: str
    shape: tuple[int, ...]
    prior: Literal["normal", "half_normal", "log_half_normal", "gamma", "beta", "ordered"]
    first: float | np.ndarray = 1.0
    second: float | np.ndarray = 0.0
    start: np.ndarray | float | None = None

    @property
    def size(self) -> int:
        return math.prod(self.shape)


class Layout:
    """Where each parameter lies in the vector, and the map from the vector to values."""

    def __init__(self, parameters: tuple[Parameter, ...]) -> None:
        self.parameters = parameters
        offsets = np.concatenate([[0], np.cumsum([p.size for p in parameters])]).astype(int)
        self.size = int(offsets[-1])
        self.slices = {p.name: slice(a, b) for p, a, b in zip(parameters, offsets[:-1], offsets[1:])}
        self._kind = np.concatenate([np.full(p.size, _KINDS[p.prior]) for p in parameters])
        self._first = np.concatenate([np.broadcast_to(p.first, p.shape).ravel() for p in parameters]).astype(
            float
        )
        self._second = np.concatenate(
            [np.broadcast_to(p.second, p.shape).ravel() for p in parameters]
        ).astype(float)
        width = [np.full(p.size, p.shape[-1] if p.prior == "ordered" else 1) for p in parameters]
        self._width = np.concatenate(width).astype(np.int64)

    def views(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        """Named, shaped views into a vector of values or derivatives."""
        return {p.name: vector[self.slices[p.name]].reshape(p.shape) for p in self.parameters}

    def constrain(
        self, x: np.ndarray, values: np.ndarray, prior_gradient: np.ndarray, slope: np.ndarray
    ) -> float:
        """Fill `values`, d log prior/dx and d value/dx; return log prior and Jacobian, up to a constant."""
        return _constrain(
            x, self._kind, self._first, self._second, self._width, values, prior_gradient, slope
        )

    def pull_back(
        self, values: np.ndarray, d_values: np.ndarray, prior_gradient: np.ndarray, slope: np.ndarray
    ) -> np.ndarray:
        """Gradient with respect to x of log prior + f, from df/d values."""
        return _pull_back(
            values, d_values, prior_gradient, slope, self._kind, self._first, self._second, self._width
        )

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """A starting point: prior-typical effects near zero, thresholds at the observed proportions."""
        return rng.normal(0.0, 0.1, self.size) + self.typical()

    def typical(self) -> np.ndarray:
        """The point around which the sampler starts."""
        x = np.zeros(self.size)
        for p in self.parameters:
            if p.start is None:
                continue
            start = np.asarray(p.start, dtype=float)
            if p.prior == "half_normal":
                start = -ndtri(np.exp(-start / p.first))
            elif p.prior in ("log_half_normal", "gamma"):
                start = np.log(start)
            x[self.slices[p.name]] = np.broadcast_to(start, p.shape).ravel()
        return x


@njit(cache=True, no_cfunc_wrapper=True, error_model="numpy")
def _hazard(x):
    """−log Φ(−x) and its derivative φ(x)/Φ(−x)."""
    if x > 0.0:
        scaled = scaled_erfc(x * _SQRT_HALF)
        return 0.5 * x * x - math.log(0.5 * scaled), _DENSITY * 2.0 / scaled
    above = 1.0 - 0.5 * math.erfc(-x * _SQRT_HALF)
    return -math.log1p(-0.5 * math.erfc(-x * _SQRT_HALF)), _DENSITY * math.exp(-0.5 * x * x) / above


@njit(cache=True, no_cfunc_wrapper=True, error_model="numpy")
def _constrain(x, kind, first, second, width, values, gradient, slope):
    total = 0.0
    j = 0
    while j < x.shape[0]:
        if kind[j] == NORMAL:
            z = (x[j] - second[j]) / first[j]
            values[j] = x[j]
            total -= 0.5 * z * z
            gradient[j] = -z / first[j]
            slope[j] = 1.0
        elif kind[j] == HALF_NORMAL:
            z, hazard = _hazard(x[j])
            values[j] = first[j] * z
            total += z - 0.5 * (x[j] * x[j] + z * z)
            gradient[j] = hazard * (1.0 - z) - x[j]
            slope[j] = first[j] * hazard
        elif kind[j] == LOG_HALF_NORMAL:
            value = math.exp(x[j])
            z = value / first[j]
            values[j] = value
            total += x[j] - 0.5 * z * z
            gradient[j] = 1.0 - z * z
            slope[j] = value
        elif kind[j] == GAMMA:
            value = math.exp(x[j])
            rate = 2.0 / first[j]
            values[j] = value
            total += 2.0 * x[j] - rate * value
            gradient[j] = 2.0 - rate * value
            slope[j] = value
        elif kind[j] == BETA:
            value = 1.0 / (1.0 + math.exp(-x[j]))
            values[j] = value
            # log(1 − value) from −x keeps its digits where the value is close to one.
            log_left = math.log1p(math.exp(-abs(x[j])))
            total -= first[j] * (log_left + max(-x[j], 0.0)) + second[j] * (log_left + max(x[j], 0.0))
            gradient[j] = first[j] * (1.0 - value) - second[j] * value
            slope[j] = value * (1.0 - value)
        else:
            total += _ordered_row(x, j, width[j], int(second[j]), first[j], values, gradient, slope)
        j += width[j]
    return total


@njit(cache=True, no_cfunc_wrapper=True, error_model="numpy")
def _ordered_row(x, start, width, anchor, sd, values, gradient, slope):
    """Values of one row from its anchor outwards; the normal part of the prior joins in `_pull_back`."""
    total = 0.0
    values[start + anchor] = x[start + anchor]
    gradient[start + anchor] = 0.0
    slope[start + anchor] = 1.0
    for k in range(anchor + 1, width):
        slope[start + k] = math.exp(x[start + k])
        values[start + k] = values[start + k - 1] + slope[start + k]
    for k in range(anchor - 1, -1, -1):
        slope[start + k] = -math.exp(x[start + k])
        values[start + k] = values[start + k + 1] + slope[start + k]
    for k in range(width):
        if k != anchor:
            total += x[start + k]
            gradient[start + k] = 1.0
        total -= 0.5 * (values[start + k] / sd) ** 2
    return total


@njit(cache=True, no_cfunc_wrapper=True, error_model="numpy")
def _pull_back(values, d_values, gradient, slope, kind, first, second, width):
    result = np.empty(d_values.shape[0])
    j = 0
    while j < d_values.shape[0]:
        if kind[j] == ORDERED:
            anchor = int(second[j])
            above, below = 0.0, 0.0
            # A gap moves every value beyond it, in the prior too.
            for k in range(width[j] - 1, anchor, -1):
                above += d_values[j + k] - values[j + k] / first[j] ** 2
                result[j + k] = gradient[j + k] + above * slope[j + k]
            for k in range(anchor):
                below += d_values[j + k] - values[j + k] / first[j] ** 2
                result[j + k] = gradient[j + k] + below * slope[j + k]
            middle = d_values[j + anchor] - values[j + anchor] / first[j] ** 2
            result[j + anchor] = gradient[j + anchor] + above + below + middle
        else:
            result[j] = gradient[j] + d_values[j] * slope[j]
        j += width[j]
    return result
