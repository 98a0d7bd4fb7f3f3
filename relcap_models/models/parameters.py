"""The unconstrained parameter vector: names, priors, transforms and their derivatives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit

NORMAL, HALF_NORMAL, BETA, FLAT, ORDERED = 0, 1, 2, 3, 4
_KINDS = {"normal": NORMAL, "half_normal": HALF_NORMAL, "beta": BETA, "flat": FLAT, "ordered": ORDERED}


@dataclass(frozen=True)
class Parameter:
    """A block of the parameter vector.

    prior : `normal(first = sd, second = mean)`; `half_normal(first = scale)`, sampled as a logarithm;
    `beta(first, second)`, sampled as log odds; `flat` (its density is added elsewhere); `ordered`: rows
    of normals with sd `first` in rising order, sampled as the first value and log gaps.
    first, second : scalars or arrays that broadcast to `shape`.
    """

    name: str
    shape: tuple[int, ...]
    prior: Literal["normal", "half_normal", "beta", "flat", "ordered"]
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
        row = [
            np.arange(p.size) % p.shape[-1] if p.prior == "ordered" else np.zeros(p.size) for p in parameters
        ]
        self._position_in_row = np.concatenate(row).astype(np.int64)

    def views(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        """Named, shaped views into a vector of values or derivatives."""
        return {p.name: vector[self.slices[p.name]].reshape(p.shape) for p in self.parameters}

    def constrain(
        self, x: np.ndarray, values: np.ndarray, prior_gradient: np.ndarray, slope: np.ndarray
    ) -> float:
        """Fill `values`, d log prior/dx and d value/dx; return log prior and Jacobian, up to a constant."""
        return _constrain(
            x, self._kind, self._first, self._second, self._position_in_row, values, prior_gradient, slope
        )

    def pull_back(
        self, values: np.ndarray, d_values: np.ndarray, prior_gradient: np.ndarray, slope: np.ndarray
    ) -> np.ndarray:
        """Gradient with respect to x of log prior + f, from df/d values."""
        return _pull_back(
            values, d_values, prior_gradient, slope, self._kind, self._first, self._position_in_row
        )

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """A starting point: prior-typical effects near zero, thresholds at the observed proportions."""
        x = rng.normal(0.0, 0.1, self.size)
        for p in self.parameters:
            if p.start is not None:
                x[self.slices[p.name]] += np.broadcast_to(p.start, p.shape).ravel()
        return x


@njit(cache=True, nogil=True, error_model="numpy")
def _constrain(x, kind, first, second, position_in_row, values, gradient, slope):
    total = 0.0
    for j in range(x.shape[0]):
        if kind[j] == NORMAL:
            z = (x[j] - second[j]) / first[j]
            values[j] = x[j]
            total -= 0.5 * z * z
            gradient[j] = -z / first[j]
            slope[j] = 1.0
        elif kind[j] == HALF_NORMAL:
            value = math.exp(x[j])
            z = value / first[j]
            values[j] = value
            total += x[j] - 0.5 * z * z
            gradient[j] = 1.0 - z * z
            slope[j] = value
        elif kind[j] == BETA:
            value = 1.0 / (1.0 + math.exp(-x[j]))
            values[j] = value
            # log(1 − value) from −x keeps its digits where the value is close to one.
            total -= first[j] * math.log1p(math.exp(-x[j])) + second[j] * (math.log1p(math.exp(-x[j])) + x[j])
            gradient[j] = first[j] * (1.0 - value) - second[j] * value
            slope[j] = value * (1.0 - value)
        elif kind[j] == FLAT:
            values[j] = x[j]
            gradient[j] = 0.0
            slope[j] = 1.0
        else:
            if position_in_row[j] == 0:
                values[j] = x[j]
                gradient[j] = 0.0
                slope[j] = 1.0
            else:
                gap = math.exp(x[j])
                values[j] = values[j - 1] + gap
                total += x[j]
                gradient[j] = 1.0
                slope[j] = gap
            z = values[j] / first[j]
            total -= 0.5 * z * z
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _pull_back(values, d_values, gradient, slope, kind, first, position_in_row):
    result = np.empty(d_values.shape[0])
    later = 0.0
    for j in range(d_values.shape[0] - 1, -1, -1):
        if kind[j] == ORDERED:
            # An ordered value moves every later one of its row, in the prior too.
            later += d_values[j] - values[j] / first[j] ** 2
            result[j] = gradient[j] + later * slope[j]
            if position_in_row[j] == 0:
                later = 0.0
        else:
            result[j] = gradient[j] + d_values[j] * slope[j]
    return result
