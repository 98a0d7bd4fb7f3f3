"""Linear systems in the precision of all effects, solved without a factor of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import joblib
import numpy as np
from numba import njit
from scipy.sparse import block_diag, csr_array, csr_matrix

from relcap_models.inference.fast.sums_of_effects import Sums

_compiled = njit(cache=True, nogil=True, error_model="numpy")
_MAX_STEPS = 500
# Sums of effects may repeat each other: what is so small beside the largest eigenvalue is none.
_REPEATED = 1e-10


class System:
    """The precision and its preconditioner, in single precision: what is left is worked out in double.

    The preconditioner is a sum of exact inverses within groups of effects and among sums of effects.

    Attributes
    ----------
    matrix : (E, E) · far : sums of the whole organisation · far_inverse : (K, K) of farᵀ·matrix·far
    """

    def __init__(self, sums: Sums, matrix: csr_matrix) -> None:
        self.matrix = matrix
        self._single = csr_matrix(
            (matrix.data.astype(np.float32), matrix.indices, matrix.indptr), matrix.shape
        )
        self._groups = sums.groups
        self._inverses = [
            np.linalg.inv(groups_of(matrix, where)).astype(np.float32) for where in self._groups
        ]
        across = (sums.near.transposed @ (matrix @ sums.near.columns)).tocsr()
        edges = np.r_[0, np.cumsum(sums.sizes)]
        inverses = [csr_array(np.linalg.inv(across[a:b, a:b].toarray())) for a, b in pairwise(edges)]
        self.far = sums.far
        self.far_inverse = _inverse((self.far.transposed @ (matrix @ self.far.columns)).toarray())
        self._sums = [
            (sums.near, block_diag(inverses, format="csr", dtype=np.float32)),
            (sums.far, self.far_inverse.astype(np.float32)),
        ]
        shares = np.linspace(0, matrix.nnz, joblib.cpu_count() + 1)
        self._edges = np.searchsorted(matrix.indptr, shares)

    def times(self, right: np.ndarray) -> np.ndarray:
        """matrix·right, (E, K), in the precision of `right`."""
        result = np.empty_like(right)
        matrix = self._single if right.dtype == np.float32 else self.matrix

        def some(first: int, last: int) -> None:
            _rows_times(matrix.indptr, matrix.indices, matrix.data, right, first, last, result)

        with ThreadPoolExecutor() as threads:
            # Asked for one by one, so that an error of a thread is one of this call.
            list(threads.map(some, self._edges[:-1], self._edges[1:]))
        return result

    def precondition(self, right: np.ndarray) -> np.ndarray:
        """About matrix⁻¹·right, (E, K)."""
        right = right.astype(np.float32, copy=False)
        result = np.zeros_like(right)
        for sums, inverse in self._sums:
            result += sums.columns @ (inverse @ (sums.transposed @ right))
        for where, inverse in zip(self._groups, self._inverses):
            result[where] += inverse @ right[where]
        return result

    def solve(
        self, right: np.ndarray, close: float | np.ndarray, start: np.ndarray | None = None
    ) -> np.ndarray:
        """X with matrix·X = right, by conjugate gradients, column by column.

        right : (E, K) · start : from where, 0 if None
        close : bound on √(eᵀ·matrix·e) of each column's error e, as the preconditioner measures it. No entry
        of a column is then off by more than `close` times the root of the inverse's diagonal.

        Raises
        ------
        LinAlgError
            If the steps do not come close.
        """
        residual = (right if start is None else right - self.times(start)).astype(np.float32)
        found, direction = np.zeros_like(residual), np.zeros_like(residual)
        before = np.ones(right.shape[1])
        for _ in range(_MAX_STEPS):
            towards = self.precondition(residual)
            energy = _products(residual, towards)
            if (energy <= np.square(close)).all():
                return found + (0.0 if start is None else start)
            _step(direction, (energy / before).astype(np.float32), towards, direction)
            before = np.where(energy > 0.0, energy, 1.0)
            along = self.times(direction)
            curvature = _products(direction, along)
            length = (energy / np.where(curvature > 0.0, curvature, 1.0)).astype(np.float32)
            _step(direction, length, found, found)
            _step(along, -length, residual, residual)
        raise np.linalg.LinAlgError(f"conjugate gradients did not end within {_MAX_STEPS} steps")


def groups_of(matrix: csr_matrix, where: np.ndarray) -> np.ndarray:
    """(G, K, K) the matrix among the effects of each group; where : (G, K)."""
    result = np.zeros((*where.shape, where.shape[1]))
    _pick(matrix.indptr, matrix.indices, matrix.data, where, result)
    return result


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a symmetric matrix; where sums repeat each other, one of the inverses that serve as well."""
    scale = 1.0 / np.sqrt(np.diag(matrix))
    value, vectors = np.linalg.eigh(matrix * scale * scale[:, None])
    inverse = np.where(value > _REPEATED * value[-1], 1.0 / np.maximum(value, 1e-300), 0.0)
    return (vectors * inverse) @ vectors.T * scale * scale[:, None]


@_compiled
def _pick(begin, column, entry, where, result):
    place = np.full(len(begin) - 1, -1)
    for g in range(len(where)):
        for k in range(where.shape[1]):
            place[where[g, k]] = k
        for k in range(where.shape[1]):
            row = where[g, k]
            for e in range(begin[row], begin[row + 1]):
                if place[column[e]] >= 0:
                    result[g, k, place[column[e]]] += entry[e]
        for k in range(where.shape[1]):
            place[where[g, k]] = -1


@_compiled
def _rows_times(begin, column, entry, right, first, last, result):
    """Rows `first` to `last` of a sparse matrix times `right`."""
    for row in range(first, last):
        total = result[row]
        for k in range(len(total)):
            total[k] = 0.0
        for e in range(begin[row], begin[row + 1]):
            weight, source = entry[e], right[column[e]]
            for k in range(len(total)):
                total[k] += weight * source[k]


@_compiled
def _products(left, right):
    """(K,) inner products of the columns."""
    result = np.zeros(left.shape[1])
    for row in range(len(left)):
        for k in range(left.shape[1]):
            result[k] += left[row, k] * right[row, k]
    return result


@_compiled
def _step(direction, length, start, result):
    """result = start + length·direction."""
    for row in range(len(direction)):
        for k in range(direction.shape[1]):
            result[row, k] = start[row, k] + length[k] * direction[row, k]
