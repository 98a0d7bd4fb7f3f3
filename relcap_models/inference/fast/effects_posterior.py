"""The normal posterior of all effects, given covariances and pseudo-observations.

`DensePosterior` inverts its precision. With many effects that takes long, and with very many there is no room
for it: `SparsePosterior` finds means by conjugate gradients, and covariances from a few dozen draws, of which
only what lies outside the effects in question and their neighbours is left to chance (Sidén, Lindgren,
Bolin & Villani 2018, J. Computational and Graphical Statistics 27, 898–909).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, lapack, solve_triangular
from scipy.sparse import csr_matrix

from relcap_models.inference.fast.conjugate_gradients import System, groups_of
from relcap_models.inference.fast.mixed_design import Block, MixedDesign, Slots
from relcap_models.inference.fast.sums_of_effects import Sums

# Beyond so many effects all their pairs take longer than conjugate gradients.
LARGEST_DENSE = 3000
# Beyond so many effects a factor, made once for draws, takes longer than searching for each draw. It is held
# in single precision: a Cholesky factor's errors do not depend on the units of its rows, and with 7,056
# effects correlations are off by 8e-6.
_LARGEST_FACTOR = 10_000
_DRAWS = 64
_SEED = 0
# Bounds on the error of any effect in posterior sds. The typical error of draws is far less.
_CLOSE = {"mean": 0.01, "moments": 0.05, "draws": 0.3}
# Relative error of directions; what is derived from them is off by its square.
_DIRECTIONS = 1e-2


@dataclass(frozen=True)
class Precision:
    """Precision matrix of the effects, and what draws of its square root need.

    matrix : (E, E) · inverses : inverse covariance of a group of each of the design's slots
    among : weights summed over the pairs of each block's cells
    """

    design: MixedDesign
    matrix: csr_matrix
    inverses: list[np.ndarray]
    among: np.ndarray

    @classmethod
    def of(cls, design: MixedDesign, matrices: dict[str, np.ndarray], among: np.ndarray) -> Precision:
        """From the effects' prior covariances and the weights of the cells."""
        inverses = [np.linalg.inv(matrices[slots.matrix]) for slots in design.slots]
        head = np.arange(len(design.prior_sd))
        rows, columns, entries = [head], [head], [1.0 / np.square(design.prior_sd)]
        for slots, inverse in zip(design.slots, inverses):
            n, size = slots.where.shape
            rows.append(np.repeat(slots.where, size, axis=1).ravel())
            columns.append(np.tile(slots.where, size).ravel())
            entries.append(np.tile(inverse.ravel(), n))
        where = np.concatenate(rows), np.concatenate(columns)
        prior = csr_matrix((np.concatenate(entries), where), shape=(design.n_effects,) * 2)
        data = design.transposed @ (design.among_cells(among) @ design.design)
        return cls(design, (data + prior).tocsr(), inverses, among)

    def noise(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """(E, n) draws of a normal distribution with this matrix as its covariance."""
        design = self.design
        rows = np.empty((design.design.shape[0], n))
        for block, first, last in zip(design.blocks, design.block_begin, design.block_begin[1:]):
            width = block.design.shape[0]
            factor = np.linalg.cholesky(self.among[first:last].reshape(width, width))
            rows[block.rows] = factor @ rng.normal(size=(width, n))
        result = design.transposed @ rows
        head = len(design.prior_sd)
        result[:head] += rng.normal(size=(head, n)) / np.array(design.prior_sd)[:, None]
        for slots, inverse in zip(design.slots, self.inverses):
            z = rng.normal(size=(*slots.where.shape, n))
            result[slots.where] += np.linalg.cholesky(inverse) @ z
        return result


class DensePosterior:
    """Everything from one factorisation.

    Attributes
    ----------
    mean, spread : (E,)
    """

    def __init__(self, precision: Precision, score: np.ndarray) -> None:
        self.design = precision.design
        self.factor = _factor(precision.matrix.toarray(order="F"))
        self.covariance = _inverse(self.factor)
        self.mean = self.covariance @ score
        self.spread = np.sqrt(np.diag(self.covariance))

    def mean_nearby(self, precision: Precision, score: np.ndarray) -> np.ndarray:
        """(E,) the mean under another precision."""
        factor = _factor(precision.matrix.toarray(order="F"))
        return cho_solve((factor, True), score, check_finite=False)

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Covariance times (E, K)."""
        return self.covariance @ right

    def summed(self, slots: Slots) -> np.ndarray:
        """(K, K) sum over groups of the covariance of each group's effects."""
        return self.covariance[slots.where[:, :, None], slots.where[:, None, :]].sum(axis=0)

    def among_cells(self) -> np.ndarray:
        """Covariances of the sums of effects in the pairs of each block's cells, one block after another."""
        return np.concatenate([self._among(block).ravel() for block in self.design.blocks])

    def _among(self, block: Block) -> np.ndarray:
        return _sandwich(block.design, self.covariance[np.ix_(block.effects, block.effects)])

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """(n, E) deviations from the mean."""
        return _draw(self.factor, n, rng)


class SparsePosterior:
    """The same without any matrix of all pairs of effects: time and memory grow with the ratings.

    around : a posterior close by, from which the searches start

    Attributes
    ----------
    mean, spread : (E,) · deviations : (E, S) draws around the mean
    """

    def __init__(
        self, precision: Precision, score: np.ndarray, around: SparsePosterior | None = None
    ) -> None:
        self.design, self.precision = precision.design, precision
        self.sums = Sums(self.design) if around is None else around.sums
        self._system = System(self.sums, precision.matrix)
        noise = precision.noise(_DRAWS, np.random.default_rng(_SEED))
        self.deviations = self._system.solve(noise, _CLOSE["moments"], around and around.deviations)
        self.mean = _mean(self._system, score, around)
        self._weighted = self._system.times(self.deviations)
        self.spread = self._spread()

    def mean_nearby(self, precision: Precision, score: np.ndarray) -> np.ndarray:
        """(E,) the mean under another precision, close to this one."""
        return _mean(System(self.sums, precision.matrix), score, self)

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Covariance times (E, K)."""
        energy = np.sqrt((right * self._system.precondition(right)).sum(axis=0))
        return self._system.solve(right, _DIRECTIONS * energy)

    def _far(self, effects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Covariance of effects of location or districts given all but sums, and deviations of its mean."""
        sums, inverse = self._system.far, self._system.far_inverse
        ours = sums.columns[effects.ravel()] @ inverse
        moved = self.deviations[effects.ravel()] - ours @ (sums.transposed @ self._weighted)
        size = effects.shape[1]
        theirs = sums.columns[effects.ravel()]
        inside = [theirs[g : g + size] @ ours[g : g + size].T for g in range(0, effects.size, size)]
        return np.stack(inside), moved.reshape(*effects.shape, -1)

    def _near(self, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(G, K, K) covariance of each group's effects given all others, (G, K, S) what its mean deviates."""
        inverse = np.linalg.inv(groups_of(self.precision.matrix, where))
        return inverse, self.deviations[where] - inverse @ self._weighted[where]

    def _given(self, slots: Slots) -> tuple[np.ndarray, np.ndarray]:
        return (self._far if slots.matrix in self.design.districts else self._near)(slots.where)

    def summed(self, slots: Slots) -> np.ndarray:
        """(K, K) sum over groups of the covariance of each group's effects."""
        inside, moved = self._given(slots)
        return inside.sum(axis=0) + np.einsum("gis,gjs->ij", moved, moved) / moved.shape[2]

    def _spread(self) -> np.ndarray:
        variance = np.empty(self.design.n_effects)
        head = np.arange(len(self.design.prior_sd))[None]
        for where, (inside, moved) in (
            (head, self._far(head)),
            *((slots.where, self._given(slots)) for slots in self.design.slots),
        ):
            variance[where] = inside.diagonal(axis1=1, axis2=2) + np.square(moved).mean(axis=2)
        return np.sqrt(variance)

    def among_cells(self) -> np.ndarray:
        """Covariances of the sums of effects in the pairs of each block's cells, one block after another."""
        return np.concatenate([self._among(block).ravel() for block in self.design.blocks])

    def _among(self, block: Block) -> np.ndarray:
        # Rows of location and districts are long, and what they add is known well: chance takes care of it.
        near = np.flatnonzero(self.design.is_near[block.effects])
        inside, moved = (part[0] for part in self._near(block.effects[None, near]))
        deviations = self.deviations[block.effects]
        deviations[near] = moved
        sums = block.design @ deviations
        return _sandwich(block.design[:, near], inside) + sums @ sums.T / sums.shape[1]

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """(n, E) deviations from the mean."""
        if self.design.n_effects <= _LARGEST_FACTOR:
            matrix = self.precision.matrix.astype(np.float32).toarray(order="F")
            return _draw(_factor(matrix), n, rng)
        result = np.empty((n, self.design.n_effects))
        for start in range(0, n, _DRAWS):
            noise = self.precision.noise(min(_DRAWS, n - start), rng)
            result[start : start + _DRAWS] = self._system.solve(noise, _CLOSE["draws"]).T
        return result


Posterior = DensePosterior | SparsePosterior


def _mean(system: System, score: np.ndarray, around: SparsePosterior | None) -> np.ndarray:
    start = around and around.mean[:, None]
    return system.solve(score[:, None], _CLOSE["mean"], start)[:, 0]


def _factor(matrix: np.ndarray) -> np.ndarray:
    """Lower Cholesky factor, written over the matrix."""
    (potrf,) = lapack.get_lapack_funcs(("potrf",), (matrix,))
    factor, failed = potrf(matrix, lower=1, overwrite_a=1, clean=1)
    if failed:
        raise np.linalg.LinAlgError("the precision of the effects is not positive definite")
    return factor


def _inverse(factor: np.ndarray) -> np.ndarray:
    """Inverse of the matrix of which this is the lower Cholesky factor."""
    (potri,) = lapack.get_lapack_funcs(("potri",), (factor,))
    half, _ = potri(factor, lower=1)
    below = np.tril(half, -1)
    return below + below.T + np.diag(np.diag(half))


def _draw(factor: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, E) draws of a normal distribution of which the precision has this factor."""
    z = rng.normal(size=(len(factor), n))
    return solve_triangular(factor, z, lower=True, trans="T", check_finite=False).T


def _sandwich(design: csr_matrix, covariance: np.ndarray) -> np.ndarray:
    """design · covariance · designᵀ."""
    return design @ (design @ covariance).T
