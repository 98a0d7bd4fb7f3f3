"""Linear algebra of small matrices, against NumPy's."""

import numpy as np
import pytest

from relcap_models.models import small_matrices


@pytest.fixture(params=[1, 2, 5])
def matrix(request):
    """Symmetric and positive definite."""
    root = np.random.default_rng(request.param).normal(size=(request.param, request.param + 2))
    return root @ root.T


def test_factors_and_their_inverses_are_numpys(matrix):
    factor = np.linalg.cholesky(matrix)
    np.testing.assert_allclose(small_matrices.cholesky(matrix), factor, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(small_matrices.lower_inverse(factor), np.linalg.inv(factor), atol=1e-9)


def test_triangles_are_solved_and_only_the_lower_one_is_read(matrix):
    factor = np.linalg.cholesky(matrix)
    right = np.arange(1.0, len(matrix) + 1)
    below, above = right.copy(), right.copy()
    spoilt = factor + np.triu(np.full_like(factor, 9.0), 1)
    small_matrices.solve_lower(spoilt, below)
    small_matrices.solve_upper(spoilt, above)
    np.testing.assert_allclose(below, np.linalg.solve(factor, right), rtol=1e-9)
    np.testing.assert_allclose(above, np.linalg.solve(factor.T, right), rtol=1e-9)


def test_products_and_transposes_are_numpys():
    left, right = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(small_matrices.times(left, right), left @ right)
    np.testing.assert_array_equal(small_matrices.transposed(left), left.T)


def test_a_matrix_that_is_not_positive_definite_gives_nan_and_no_number():
    assert np.isnan(small_matrices.cholesky(np.array([[1.0, 2.0], [2.0, 1.0]]))[1, 1])
