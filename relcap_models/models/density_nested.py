"""Effects of two levels of which one lies within the other, in the log density.

A respondent's effect and its deviation in each wave are seen only as their sum. Sampled apart they would
pull against each other, most where a respondent answered once. Here the mean over the m inner groups of an
outer group has variance outer + inner/m, and the m − 1 contrasts between them have variance inner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from relcap_models.models import covariance as cov
from relcap_models.models import kernels
from relcap_models.models.density_blocks import by_group
from relcap_models.models.density_colleagues import Colleagues
from relcap_models.models.density_covariance import Scaled, Values
from relcap_models.models.density_rows import Means, Rows
from relcap_models.models.frame import Frame
from relcap_models.models.information import Rough
from relcap_models.models.parameters import Parameter
from relcap_models.models.priors import Priors
from relcap_models.models.structure import Grouping


@dataclass(frozen=True)
class Nesting:
    """Inner groups in the order of their outer group.

    row_of_group : (G,) row of each inner group
    position : (G,) of each row, 0 … m − 1 within its outer group
    sizes : distinct numbers m of inner groups · kind : (G,) of each row, 0 for a contrast, else 1 + the
    place of its m in `sizes`
    """

    row_of_group: np.ndarray
    position: np.ndarray
    sizes: np.ndarray
    kind: np.ndarray


def find_nesting(outer: Grouping, inner: Grouping) -> Nesting:
    """How the groups of `inner` lie within those of `outer`."""
    acts = inner.group_of_rating >= 0
    outer_of_group = np.zeros(inner.n_groups, dtype=np.int64)
    outer_of_group[inner.group_of_rating[acts]] = outer.group_of_rating[acts]
    order = np.argsort(outer_of_group, kind="stable")
    _, first, count = np.unique(outer_of_group[order], return_index=True, return_counts=True)
    position = np.arange(inner.n_groups) - np.repeat(first, count)
    sizes = np.unique(count)
    kind = np.where(position == 0, 1 + np.searchsorted(sizes, np.repeat(count, count)), 0)
    return Nesting(np.argsort(order), position, sizes, kind)


class NestedEffects:
    """Effects of an outer and an inner grouping: rows of means and contrasts."""

    follows = True

    def __init__(
        self,
        outer: Grouping,
        inner: Grouping,
        frame: Frame,
        priors: Priors,
        scale: float,
        rough: Rough,
    ) -> None:
        self.suffix = inner.suffix
        self.names, self.size = (outer.name, inner.name), inner.n_facets * len(frame.dimensions)
        self.nesting = find_nesting(outer, inner)
        self.covariances = [Scaled(f"corr_{name}", self.size, priors) for name in self.names]
        parameters: list[Parameter] = []
        for name, covariance in zip(self.names, self.covariances):
            spread = getattr(priors, f"sd_{name}") * scale
            start = 0.5 * spread
            parameters.append(Parameter(f"sd_{name}", (self.size,), "half_normal", spread, start=start))
            parameters += covariance.parameters
        parameters.append(Parameter(f"{inner.name}_z", (inner.n_groups, self.size), "normal"))
        self.parameters = tuple(parameters)
        group = inner.group_of_rating
        row = np.where(group >= 0, self.nesting.row_of_group[group], -1)
        self.row_of_rating = inner.rows(frame, row)
        n_rows = inner.n_groups * inner.n_facets
        self.means = Means(rough, self.row_of_rating, n_rows, rough.noise[outer.name])
        first = np.flatnonzero(self.nesting.position == 0)
        size = np.diff(np.append(first, inner.n_groups))
        precision = by_group(self.means.precision, inner.n_groups)
        whole = np.repeat(np.add.reduceat(precision, first, axis=0), size, axis=0)
        mine, all_of_them = (np.diagonal(p, axis1=1, axis2=2) for p in (precision, whole))
        self.weight = mine / np.maximum(all_of_them, 1e-12)
        is_mean = (self.nesting.position == 0)[:, None, None]
        known = np.where(is_mean, whole, whole / np.repeat(size, size)[:, None, None])
        self.colleagues = None
        if outer.name == "respondent" and inner.n_facets == 1:
            self.colleagues = Colleagues(frame, rough, self.row_of_rating, is_mean[:, 0, 0], known)
        self.rows = Rows(self.nesting.kind, known, self.colleagues.shared if self.colleagues else ())
        size = self.size
        self.factors, self._d_factors = np.zeros((2, 1 + len(self.nesting.sizes), size, size))
        self._d_effects, self._d_estimate = np.zeros((2, inner.n_groups, size))
        self._d_outer = np.zeros((size, size))

    def _estimate(self, eta: np.ndarray) -> np.ndarray:
        """(G, D) means over outer groups, and contrasts between their inner groups."""
        inner = self.means.forward(eta).reshape(self._d_estimate.shape)
        estimate = _means_and_contrasts(inner, self.weight, self.nesting.position)
        if self.colleagues:
            self.colleagues.forward(eta, estimate)
        return estimate

    def _estimate_backward(self, d_estimate: np.ndarray, d_eta: np.ndarray) -> None:
        d_inner = _means_and_contrasts_adjoint(d_estimate, self.weight, self.nesting.position)
        self.means.backward(d_inner.reshape(-1, d_eta.shape[1]), d_eta)
        if self.colleagues:
            self.colleagues.backward(d_estimate, d_eta)

    def _effects(self, values: Values, eta: np.ndarray) -> np.ndarray:
        """(G, D) effects of the inner groups; eta holds the effects further up."""
        self.outer, self.inner = (
            c.forward(values, values[f"sd_{name}"]) for c, name in zip(self.covariances, self.names)
        )
        np.copyto(self.factors[0], self.inner)
        for m, factor in zip(self.nesting.sizes, self.factors[1:]):
            cov.pooled_factor(self.outer, self.inner, 1.0 / m, factor)
        rows = self.rows.forward(self.factors, values[f"{self.names[1]}_z"], self._estimate(eta))
        return _combine(rows, self.nesting.position)

    def forward(self, values: Values, eta: np.ndarray) -> float:
        effects = self._effects(values, eta).reshape(-1, eta.shape[1])
        kernels.gather_add(eta, effects, self.row_of_rating)
        return self.rows.log_density()

    def backward(self, d_eta: np.ndarray, d_values: Values, values: Values) -> None:
        name = f"{self.names[1]}_z"
        self._d_effects.fill(0.0)
        kernels.scatter_add(d_eta, self.row_of_rating, self._d_effects.reshape(-1, d_eta.shape[1]))
        d_rows = _combine_adjoint(self._d_effects, self.nesting.position)
        self.rows.backward(d_rows, d_values[name], self._d_factors, self._d_estimate)
        self._estimate_backward(self._d_estimate, d_eta)
        d_inner, d_outer = self._d_factors[0], self._d_outer
        d_outer.fill(0.0)
        for m, factor, d_factor in zip(self.nesting.sizes, self.factors[1:], self._d_factors[1:]):
            cov.pooled_factor_adjoint(self.outer, self.inner, 1.0 / m, factor, d_factor, d_outer, d_inner)
        for c, name, d_factor in zip(self.covariances, self.names, (d_outer, d_inner)):
            c.backward(d_factor, d_values, d_values[f"sd_{name}"])

    def report(self, values: Values) -> Values:
        named: Values = {}
        for c, name in zip(self.covariances, self.names):
            factor = c.forward(values, values[f"sd_{name}"])
            named |= {
                f"sd_{name}{self.suffix}": values[f"sd_{name}"].copy(),
                f"cov_{name}{self.suffix}": factor @ factor.T,
            }
        return named


@njit(cache=True, no_cfunc_wrapper=True, error_model="numpy")
def _combine(rows, position):
    """Effects of the inner groups: the mean of their outer group plus Helmert contrasts. (G, D)"""
    n, size = rows.shape
    effects = np.zeros((n, size))
    later = np.zeros(size)
    # From the last group of an outer group to its first, which holds the mean.
    stop = n
    for row in range(n - 1, -1, -1):
        j = position[row]
        if j > 0:
            root = np.sqrt(j * (j + 1.0))
            for i in range(size):
                effects[row, i] = later[i] - j * rows[row, i] / root
                later[i] += rows[row, i] / root
        else:
            for i in range(size):
                effects[row, i] = later[i]
                later[i] = 0.0
            for other in range(row, stop):
                for i in range(size):
                    effects[other, i] += rows[row, i]
            stop = row
    return effects


@njit(cache=True, no_cfunc_wrapper=True, error_model="numpy")
def _combine_adjoint(d_effects, position):
    """Reverse of `_combine`; of effects, it gives their contrasts and the sum within each outer group."""
    n, size = d_effects.shape
    d_rows = np.empty((n, size))
    before = np.zeros(size)
    row = 0
    while row < n:
        stop = row + 1
        while stop < n and position[stop] > 0:
            stop += 1
        for i in range(size):
            before[i] = d_effects[row, i]
        for other in range(row + 1, stop):
            j = position[other]
            root = np.sqrt(j * (j + 1.0))
            for i in range(size):
                d_rows[other, i] = (before[i] - j * d_effects[other, i]) / root
                before[i] += d_effects[other, i]
        for i in range(size):
            d_rows[row, i] = before[i]
        row = stop
    return d_rows


@njit(cache=True, no_cfunc_wrapper=True, error_model="numpy")
def _means_and_contrasts(inner, weight, position):
    """Weighted mean of each outer group at its first row, Helmert contrasts at the others. (G, D)"""
    rows = _combine_adjoint(inner, position)
    first = 0
    for n in range(inner.shape[0]):
        if position[n] == 0:
            first = n
            rows[n] = 0.0
        for i in range(inner.shape[1]):
            rows[first, i] += weight[n, i] * inner[n, i]
    return rows


@njit(cache=True, no_cfunc_wrapper=True, error_model="numpy")
def _means_and_contrasts_adjoint(d_rows, weight, position):
    """Reverse of `_means_and_contrasts`."""
    contrasts = d_rows.copy()
    for n in range(d_rows.shape[0]):
        if position[n] == 0:
            contrasts[n] = 0.0
    d_inner = _combine(contrasts, position)
    first = 0
    for n in range(d_rows.shape[0]):
        if position[n] == 0:
            first = n
        for i in range(d_rows.shape[1]):
            d_inner[n, i] += weight[n, i] * d_rows[first, i]
    return d_inner
