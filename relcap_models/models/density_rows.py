"""Rows of correlated effects in the log density, from standard normals.

Sampled as plain standard normals, effects about which the answers say much move against their standard
deviation: when it grows, every one of them has to shrink. Near their posterior given the covariance they need
not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from relcap_models.models import covariance as cov
from relcap_models.models import kernels
from relcap_models.models.information import Rough, with_noise

# Factorising matrices for every shade of information would cost more than it gains.
_MOST_MATRIX_ENTRIES = 2000
# Kernels are compiled apart for rows of each length up to this.
_SHORT = 3


class Shared:
    """What groups of rows have in common, as one direction of z for each group and column.

    group : (n,) −1 for rows of none · precision : (n, k) along each row, as `Rows` takes it
    known : (G, k) precision of what the rows of a group share
    """

    def __init__(self, group: np.ndarray, precision: np.ndarray, known: np.ndarray) -> None:
        self.group = group
        inside = np.where((group >= 0)[:, None], precision, 0.0)
        self.total = np.zeros_like(known)
        np.add.at(self.total, group[group >= 0], inside[group >= 0])
        self.direction = np.sqrt(inside / np.maximum(self.total, 1e-300)[group])
        self.further = np.sqrt(self.total / known) - 1.0

    def stretched(self, z: np.ndarray) -> np.ndarray:
        """z that reaches as far along its direction as is known of it; symmetric, so its own adjoint."""
        along = np.zeros_like(self.further)
        kernels.scatter_weighted(z, self.direction, self.group, along)
        result = z.copy()
        kernels.gather_weighted(result, self.direction, self.further * along, self.group)
        return result


class Rows:
    """Independent rows of effects (n, k), each with a covariance L·Lᵀ of its kind.

    kind : (n,) which of the factors each row has
    information : (n, k) precision with which the answers roughly know each effect, or (n, k, k); without it a
    row is L·z. It changes the sampler's geometry and not the model.
    shared : what rows have in common and is known otherwise, from the widest groups to the narrowest
    """

    def __init__(
        self,
        kind: np.ndarray,
        information: np.ndarray | None = None,
        shared: Sequence[Shared] = (),
    ) -> None:
        self.kind, self.shared = kind, ()
        self.adapted = information is not None and bool(np.any(information > 0))
        if information is not None and self.adapted:
            self.shared = tuple(shared)
            self.kind, self.factor_of_kind, self.information = _alike(kind, information)
            self.count = np.bincount(self.kind).astype(float)
            size = information.shape[1]
            self.columns = (0.0,) * size if size <= _SHORT else np.zeros(size)

    def forward(self, factors: np.ndarray, z: np.ndarray, estimate: np.ndarray | None = None) -> np.ndarray:
        """(n, k) effects, around what the answers say: `estimate` (n, k), not looked at without information.

        factors : (K, k, k) lower triangular · z : (n, k)
        """
        self.free = z
        for shared in self.shared:
            z = shared.stretched(z)
        self.z = z
        if not self.adapted:
            self.factors = factors
            return cov.scaled_rows(factors, self.kind, z)
        self.factors = factors[self.factor_of_kind]
        self.estimate = estimate
        self.inner, self.adapted_factors, towards = cov.adapted_factors(self.factors, self.information)
        self.moved, rows, self.density = cov.adapted_rows(
            self.adapted_factors, towards, self.information, self.kind, estimate, z, self.columns
        )
        self.rows = rows
        return rows

    def log_density(self) -> float:
        """What the rows' density has beyond the standard normals of z."""
        if not self.adapted:
            return 0.0
        logs = np.log(np.diagonal(self.inner, axis1=1, axis2=2)).sum(axis=1)
        stretch = 0.5 * (np.vdot(self.free, self.free) - np.vdot(self.z, self.z)) if self.shared else 0.0
        return float(self.density + stretch - self.count @ logs)

    def backward(
        self, d_rows: np.ndarray, n_factors: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Derivatives with respect to z, each of the factors and the estimate, `log_density` included."""
        if not self.adapted:
            return *cov.scaled_rows_adjoint(self.factors, self.kind, self.z, d_rows), None
        d_z, d_adapted, d_estimate = cov.adapted_rows_adjoint(
            d_rows,
            self.adapted_factors,
            self.information,
            self.kind,
            self.estimate,
            self.moved,
            self.rows,
            self.columns,
        )
        d_kinds = cov.adapted_factors_adjoint(
            self.factors, self.information, self.count, self.inner, self.adapted_factors, d_adapted
        )
        for shared in reversed(self.shared):
            d_z = shared.stretched(d_z)
        d_z = d_z + self.free
        kinds_of_factor = (np.arange(n_factors)[:, None] == self.factor_of_kind).astype(float)
        return d_z, np.tensordot(kinds_of_factor, d_kinds, axes=1), d_estimate


class Means:
    """Mean over each group's ratings of what effects further up leave of the ratings' scores.

    precision : (G, D, D) of each mean · noise : (D, D) of one rating's truth around the group
    weight : (N,) of each rating beside its precision
    """

    def __init__(
        self,
        rough: Rough,
        group_of_rating: np.ndarray,
        n_groups: int,
        noise: np.ndarray,
        weight: np.ndarray | None = None,
    ) -> None:
        self.group = group_of_rating
        D = rough.score.shape[1]
        known = with_noise(rough.precision, noise)
        if weight is not None:
            known = known * weight[:, None, None]
        inside = self.group >= 0
        self.precision = np.zeros((n_groups, D, D))
        np.add.at(self.precision, self.group[inside], known[inside])
        share = np.linalg.pinv(self.precision, rcond=1e-9, hermitian=True)
        # Negative: means are of what is left of a score.
        self.weight = np.ascontiguousarray(np.where(inside[:, None, None], -share[self.group] @ known, 0.0))
        self.score = np.zeros((n_groups, D))
        kernels.scatter_matrix(-rough.score, self.weight, self.group, self.score)

    def shrink(self, rows: Rows) -> None:
        """Rows of a kind share a precision: give each mean the weight that it has with its own."""
        if not rows.adapted:
            return
        # Of groups without answers nothing is known.
        ratio = np.linalg.pinv(rows.information, hermitian=True)[rows.kind] @ self.precision
        self.weight = np.where((self.group >= 0)[:, None, None], ratio[self.group] @ self.weight, 0.0)
        self.score = np.einsum("gij,gj->gi", ratio, self.score)

    def forward(self, eta: np.ndarray) -> np.ndarray:
        """(G, D) means."""
        left = self.score.copy()
        kernels.scatter_matrix(eta, self.weight, self.group, left)
        return left

    def backward(self, d_mean: np.ndarray, d_eta: np.ndarray) -> None:
        """Derivatives are added to `d_eta`."""
        kernels.gather_matrix(d_eta, self.weight, d_mean, self.group)


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
