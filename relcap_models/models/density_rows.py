"""Rows of correlated effects in the log density, from standard normals.

Sampled as plain standard normals, effects about which the answers say much move against their standard
deviation: when it grows, every one of them has to shrink. Near their posterior given the covariance they need
not.
"""

from __future__ import annotations

import numpy as np

from relcap_models.models import covariance as cov
from relcap_models.models import kernels
from relcap_models.models.information import Rough

# Factorising matrices for every shade of information would cost more than it gains.
_MOST_MATRIX_ENTRIES = 2000


class Rows:
    """Independent rows of effects (n, k), each with a covariance L·Lᵀ of its kind.

    kind : (n,) which of the factors each row has
    information : (n, k) precision with which the answers roughly know each effect, or (n, k, k); without it a
    row is L·z. It changes the sampler's geometry and not the model.
    unseen : (k,) rough standard deviation of the effects, if locations take up what all rows share: of that
    the answers know nothing · shares : (n, 1) rows that a common shift of the effects moves
    """

    def __init__(
        self,
        kind: np.ndarray,
        information: np.ndarray | None = None,
        unseen: np.ndarray | None = None,
        shares: np.ndarray | bool = True,
    ) -> None:
        self.kind, self.shared = kind, None
        self.adapted = information is not None and bool(np.any(information > 0))
        if information is not None and self.adapted:
            self.kind, self.factor_of_kind, self.information = _alike(kind, information)
            known = np.diagonal(self.information, axis1=1, axis2=2)[self.kind]
            if unseen is not None:
                # A common shift of all rows as a direction of z, of length 1, and how far it reaches.
                precision = np.where(shares, 1.0 / unseen**2 + known, 0.0)
                direction = np.sqrt(precision)
                length = np.sqrt(precision.sum(axis=0))
                self.shared = direction / length
                self.reach = length * unseen / np.sqrt((precision > 0).sum(axis=0)) - 1.0

    def forward(self, factors: np.ndarray, z: np.ndarray, estimate: np.ndarray | None = None) -> np.ndarray:
        """(n, k) effects, around what the answers say: `estimate` (n, k), not looked at without information.

        factors : (K, k, k) lower triangular · z : (n, k)
        """
        self.free = z
        self.z = z = self._stretched(z)
        if not self.adapted:
            self.factors = factors
            return cov.scaled_rows(factors, self.kind, z)
        self.factors = factors[self.factor_of_kind]
        self.estimate = estimate
        self.parts = cov.adapted_rows(self.factors, self.information, self.kind, estimate, z)
        return self.parts[-1]

    def _stretched(self, z: np.ndarray) -> np.ndarray:
        """What all rows share reaches as far as its prior lets it; symmetric, so its own adjoint."""
        if self.shared is None:
            return z
        return z + self.shared * (self.reach * (self.shared * z).sum(axis=0))

    def log_density(self) -> float:
        """What the rows' density has beyond the standard normals of z."""
        if not self.adapted:
            return 0.0
        inner, _, moved, rows = self.parts
        return cov.adapted_log_density(self.information, self.kind, self.free, inner, moved, rows)

    def backward(
        self, d_rows: np.ndarray, n_factors: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Derivatives with respect to z, each of the factors and the estimate, `log_density` included."""
        if not self.adapted:
            return *cov.scaled_rows_adjoint(self.factors, self.kind, self.z, d_rows), None
        d_z, d_kinds, d_estimate = cov.adapted_rows_adjoint(
            d_rows, self.factors, self.information, self.kind, self.estimate, *self.parts
        )
        d_z = self._stretched(d_z) + self.free
        d_factors = np.zeros((n_factors, *self.factors.shape[1:]))
        np.add.at(d_factors, self.factor_of_kind, d_kinds)
        return d_z, d_factors, d_estimate


class Means:
    """Mean over each group's ratings of what effects further up leave of the ratings' scores.

    count : (G, D) number of ratings with an answer
    """

    def __init__(self, rough: Rough, group_of_rating: np.ndarray, n_groups: int) -> None:
        self.group = group_of_rating
        self.count = np.zeros((n_groups, rough.score.shape[1]))
        answered = rough.answered.astype(float)
        kernels.scatter_add(answered, self.group, self.count)
        share = 1.0 / np.maximum(self.count, 1.0)
        # Negative: means are of what is left of a score.
        self.weight = np.where((self.group >= 0)[:, None], -answered * share[self.group], 0.0)
        self.score = np.zeros_like(self.count)
        kernels.scatter_weighted(-rough.score, self.weight, self.group, self.score)

    def forward(self, eta: np.ndarray) -> np.ndarray:
        """(G, D) means."""
        left = self.score.copy()
        kernels.scatter_weighted(eta, self.weight, self.group, left)
        return left

    def backward(self, d_mean: np.ndarray, d_eta: np.ndarray) -> None:
        """Derivatives are added to `d_eta`."""
        kernels.gather_weighted(d_eta, self.weight, d_mean, self.group)


def _alike(kind: np.ndarray, information: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of one kind whose information differs little share one: new kinds, old kind and mean of each."""
    size = information.shape[1]
    whole = information.ndim == 3
    known = np.diagonal(information, axis1=1, axis2=2) if whole else information
    most = int(np.clip(_MOST_MATRIX_ENTRIES / size**2, 4, 60))
    fineness = 2.0
    while True:
        steps = np.where(known > 0, np.rint(fineness * np.log2(np.maximum(known, 1e-12))), -1e6)
        distinct, new = np.unique(np.column_stack([kind, steps]), axis=0, return_inverse=True)
        if len(distinct) <= most or fineness < 0.05:
            break
        fineness /= 2
    new = new.reshape(-1)
    mean = np.zeros((len(distinct), *information.shape[1:]))
    np.add.at(mean, new, information)
    mean /= np.bincount(new).reshape(-1, *[1] * (information.ndim - 1))
    return new, distinct[:, 0].astype(np.int64), mean if whole else mean[:, :, None] * np.eye(size)
