"""Sums over places and factors of small matrices in JAX, and their derivatives."""

import sys

import numpy as np
import pytest


@pytest.fixture
def algebra():
    if not sys.platform.startswith("linux"):
        pytest.importorskip("jax")
    from relcap_models.models import jax_algebra

    return jax_algebra


@pytest.fixture
def jax64(algebra):
    import jax

    with jax.enable_x64(True):
        yield jax


@pytest.mark.parametrize("size", [1, 2, 3, 6, 9])
def test_factors_and_their_inverses(algebra, jax64, size):
    """Of each size: written out, by products of small matrices, and by the library alone."""
    root = np.random.default_rng(size).normal(size=(5, size, size + 2))
    matrix = root @ root.transpose(0, 2, 1)
    lower, inverse = algebra.factored(jax64.numpy.asarray(matrix))
    np.testing.assert_allclose(lower, np.linalg.cholesky(matrix), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(inverse, np.linalg.inv(np.linalg.cholesky(matrix)), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("size", [1, 2, 3, 6, 9])
def test_slopes_of_factors_and_inverses(algebra, jax64, size):
    """Against central differences of NumPy's, along symmetric directions."""
    rng = np.random.default_rng(10 + size)
    root, weights = rng.normal(size=(3, size, size + 2)), rng.normal(size=(2, 3, size, size))
    matrix, direction = root @ root.transpose(0, 2, 1) + np.eye(size), rng.normal(size=(3, size, size))
    direction = direction + direction.transpose(0, 2, 1)

    def by_numpy(matrix):
        lower = np.linalg.cholesky(matrix)
        return (weights[0] * lower).sum() + (weights[1] * np.linalg.inv(lower)).sum()

    def in_jax(matrix):
        lower, inverse = algebra.factored(matrix)
        return (weights[0] * lower).sum() + (weights[1] * inverse).sum()

    slope = jax64.grad(in_jax)(matrix)
    step = 1e-6
    apart = by_numpy(matrix + step * direction) - by_numpy(matrix - step * direction)
    assert np.sum(slope * direction) == pytest.approx(apart / (2 * step), rel=1e-6)


@pytest.mark.parametrize("n_places", [7, 500])
@pytest.mark.parametrize("some_outside", [False, True])
def test_rows_come_from_their_places_and_go_back_to_them(algebra, jax64, n_places, some_outside):
    """Few places go by a product of matrices, many by addition to each."""
    rng = np.random.default_rng(2)
    index = rng.integers(-1 if some_outside else 0, n_places, 2000)
    effects, rows = rng.normal(size=(n_places, 2)), rng.normal(size=(2000, 2))
    expected = np.where((index >= 0)[:, None], effects[index], 0.0)
    sums = np.zeros((n_places, 2))
    np.add.at(sums, index[index >= 0], rows[index >= 0])
    np.testing.assert_array_equal(algebra.gathered(effects, index), expected)
    np.testing.assert_allclose(algebra.summed(rows, index, n_places), sums, atol=1e-12)
    slope_of_gathered = jax64.grad(lambda e: (algebra.gathered(e, index) * rows).sum())(effects)
    slope_of_summed = jax64.grad(lambda r: (algebra.summed(r, index, n_places) * effects).sum())(rows)
    np.testing.assert_allclose(slope_of_gathered, sums, atol=1e-12)
    np.testing.assert_allclose(slope_of_summed, expected, atol=1e-12)
