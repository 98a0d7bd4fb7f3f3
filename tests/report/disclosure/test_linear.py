"""Which sums follow from published ones, against the dense algebra of their row space."""

import numpy as np
import pytest
from scipy import sparse

from relcap_models.report.disclosure.linear import nearest_combination


def chain(n):
    """Each equation shares one unknown with the next: the slowest system to solve that margins make."""
    return np.eye(n, n + 1) + np.eye(n, n + 1, 1)


def margins(n):
    """Rows and columns of a square table: one equation follows from the rest."""
    return np.vstack([np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))])


@pytest.mark.parametrize("matrix", [chain(300), margins(12), np.vstack([margins(5)] * 3)])
def test_nearest_combination_is_the_projection_on_the_row_space(matrix):
    rng = np.random.default_rng(1)
    wanted = rng.normal(size=(matrix.shape[1], 4))
    wanted[:, 0] = matrix.T @ rng.normal(size=len(matrix))  # this one follows from the equations
    shares = nearest_combination(sparse.csr_array(matrix), wanted)
    _, size, basis = np.linalg.svd(matrix, full_matrices=False)
    basis = basis[size > 1e-8 * size[0]]
    np.testing.assert_allclose(matrix.T @ shares, basis.T @ (basis @ wanted), atol=1e-7)
    np.testing.assert_allclose(matrix.T @ shares[:, 0], wanted[:, 0], atol=1e-7)
