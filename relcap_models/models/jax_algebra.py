"""Sums over groups and factors of small matrices in JAX, in forms that graphics processors are fast at."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Array = Any

# To fewer places than this rows are summed as a product of matrices: thousands of additions to one place
# would queue for it.
_FEW_PLACES = 100
# Products of matrices to this size, and factors to that, are written out: a call to the library costs more
# than all their arithmetic.
_SMALL = 8
_UNROLLED = 3


def gathered(effects: Array, index: np.ndarray) -> Array:
    """effects[index] (N, …), 0 where the index is negative."""
    return _gather(_Places(index, effects.shape[0]), effects)


def summed(rows: Array, group: np.ndarray, n_groups: int) -> Array:
    """(n_groups, …) sums over groups; rows with a negative group are left out."""
    return _sum(_Places(group, n_groups), rows)


class _Places:
    """Rows' places among n, −1 for none, hashed by identity: JAX asks for a hash of what has no slopes."""

    def __init__(self, index: np.ndarray, n: int) -> None:
        self.index, self.n = index, n
        self.inside = None if (index >= 0).all() else index >= 0
        few = n <= _FEW_PLACES < len(index)
        self.member = (index[:, None] == np.arange(n)).astype(float) if few else None


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _gather(places: _Places, effects: Array) -> Array:
    if places.inside is None:
        return effects[places.index]
    found = effects[np.maximum(places.index, 0)]
    return jnp.where(_along(places.inside, found), found, 0.0)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _sum(places: _Places, rows: Array) -> Array:
    if places.member is not None:
        return jnp.tensordot(places.member.T, rows, axes=1)
    if places.inside is not None:
        rows = jnp.where(_along(places.inside, rows), rows, 0.0)
    return jax.ops.segment_sum(rows, np.maximum(places.index, 0), num_segments=places.n)


# Each is the other's transpose.
_gather.defvjp(
    lambda places, effects: (_gather(places, effects), None), lambda places, _, d: (_sum(places, d),)
)
_sum.defvjp(lambda places, rows: (_sum(places, rows), None), lambda places, _, d: (_gather(places, d),))


def _along(mask: np.ndarray, rows: Array) -> np.ndarray:
    return mask.reshape(-1, *[1] * (rows.ndim - 1))


def product(matrix: Array, vector: Array) -> Array:
    """(…, i) products of matrices (…, i, j) and vectors (…, j)."""
    return jnp.sum(matrix * vector[..., None, :], axis=-1)


def times(a: Array, b: Array) -> Array:
    """Products of small matrices (…, i, j) and (…, j, k), which need no call to a library each."""
    if a.shape[-1] > _SMALL:
        return a @ b
    return jnp.sum(a[..., :, :, None] * b[..., None, :, :], axis=-2)


def transposed(matrix: Array) -> Array:
    return jnp.swapaxes(matrix, -1, -2)


def cholesky(matrix: Array) -> Array:
    """Lower triangular factors (…, k, k)."""
    return factored(matrix)[0]


@jax.custom_vjp
def factored(matrix: Array) -> tuple[Array, Array]:
    """Lower triangular factors L of symmetric matrices (…, k, k), and L⁻¹.

    Its derivative is made of products with the inverse; JAX would solve triangular systems for it.
    """
    size = matrix.shape[-1]
    if size > _UNROLLED:
        lower = jnp.linalg.cholesky(matrix, symmetrize_input=False)
        eye = jnp.broadcast_to(jnp.eye(size), matrix.shape)
        return lower, jax.lax.linalg.triangular_solve(lower, eye, left_side=True, lower=True)
    element: dict[tuple[int, int], Array] = {}
    inverse: dict[tuple[int, int], Array] = {}
    for i in range(size):
        for j in range(i):
            known = sum(element[i, l] * element[j, l] for l in range(j))
            element[i, j] = (matrix[..., i, j] - known) * inverse[j, j]
        element[i, i] = jnp.sqrt(matrix[..., i, i] - sum(element[i, l] ** 2 for l in range(i)))
        inverse[i, i] = 1.0 / element[i, i]
        for j in range(i):
            left = sum(element[i, l] * inverse[l, j] for l in range(j, i))
            inverse[i, j] = -left * inverse[i, i]
    return _lower(element, size), _lower(inverse, size)


def _lower(element: dict[tuple[int, int], Array], size: int) -> Array:
    zero = jnp.zeros_like(element[0, 0])
    rows = [jnp.stack([element.get((i, j), zero) for j in range(size)], axis=-1) for i in range(size)]
    return jnp.stack(rows, axis=-2)


def _factored_backward(found: tuple[Array, Array], slopes: tuple[Array, Array]) -> tuple[Array]:
    (lower, inverse), (d_lower, d_inverse) = found, slopes
    back = transposed(inverse)
    d_lower = d_lower - times(times(back, d_inverse), back)
    size = lower.shape[-1]
    half = np.tril(np.ones((size, size))) - 0.5 * np.eye(size)
    d_matrix = times(times(back, half * times(transposed(lower), jnp.tril(d_lower))), inverse)
    return (0.5 * (d_matrix + transposed(d_matrix)),)


def _factored_forward(matrix: Array) -> tuple[Any, Any]:
    found = factored(matrix)
    return found, found


factored.defvjp(_factored_forward, _factored_backward)
