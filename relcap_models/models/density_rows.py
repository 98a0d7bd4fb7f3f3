"""Rows of correlated effects in the log density, from standard normals.

Sampled as plain standard normals, effects about which the answers say much move against their standard
deviation: when it grows, every one of them has to shrink. Near their posterior given the covariance they need
not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from relcap_models.models import kernels
from relcap_models.models.covariance import adapted_factors_adjoint
from relcap_models.models.information import Rough, with_noise
from relcap_models.models.row_kernels import (
    adapt,
    backward_rows,
    forward_rows,
    scaled_rows,
    scaled_rows_adjoint,
)

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
        self.density = 0.0
        if information is not None and self.adapted:
            self.shared = tuple(shared)
            self.kind, self.factor_of_kind, self.information = _alike(kind, information)
            self.count = np.bincount(self.kind).astype(float)
            size = information.shape[1]
            self.columns = (0.0,) * size if size <= _SHORT else np.zeros(size)
            self.inner, self.adapted_factors, self.factors = np.empty((3, *self.information.shape))
            self._towards, self._d_adapted = np.empty((2, *self.information.shape))
            self.rows, self._z, self._moved = np.empty((3, len(kind), size))
            self._stretches = _stacked(self.shared, self.rows.shape)

    def forward(self, factors: np.ndarray, z: np.ndarray, estimate: np.ndarray | None = None) -> np.ndarray:
        """(n, k) effects, around what the answers say: `estimate` (n, k), not looked at without information.

        factors : (F, k, k) lower triangular · z : (n, k)

        What is returned is written anew by the next call.
        """
        self.free = z
        if not self.adapted:
            self.factors = factors
            return scaled_rows(factors, self.kind, z)
        self.estimate = estimate
        self.density = adapt(
            factors,
            self.factor_of_kind,
            self.information,
            self.count,
            self.factors,
            self.inner,
            self.adapted_factors,
            self._towards,
        ) + forward_rows(
            self.adapted_factors,
            self._towards,
            self.information,
            self.kind,
            estimate,
            z,
            len(self.shared),
            *self._stretches,
            self.columns,
            self._z,
            self._moved,
            self.rows,
        )
        return self.rows

    def log_density(self) -> float:
        """What the rows' density has beyond the standard normals of z, at the last `forward`."""
        return self.density

    def backward(
        self, d_rows: np.ndarray, d_z: np.ndarray, d_factors: np.ndarray, d_estimate: np.ndarray
    ) -> None:
        """Derivatives with `log_density` included.

        They are added to `d_z` and written to `d_factors` (F, k, k) and, with information, to `d_estimate`.
        """
        if not self.adapted:
            scaled_rows_adjoint(self.factors, self.kind, self.free, d_rows, d_z, d_factors)
            return
        backward_rows(
            d_rows,
            self.adapted_factors,
            self.information,
            self.kind,
            self.estimate,
            self.free,
            len(self.shared),
            *self._stretches,
            self.columns,
            self._moved,
            self.rows,
            self._z,
            d_z,
            self._d_adapted,
            d_estimate,
        )
        adapted_factors_adjoint(
            self.factors,
            self.factor_of_kind,
            self.information,
            self.count,
            self.inner,
            self.adapted_factors,
            self._d_adapted,
            d_factors,
        )


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
        self._left = np.empty_like(self.score)

    def shrink(self, rows: Rows) -> None:
        """Rows of a kind share a precision: give each mean the weight that it has with its own."""
        if not rows.adapted:
            return
        # Of groups without answers nothing is known.
        ratio = np.linalg.pinv(rows.information, hermitian=True)[rows.kind] @ self.precision
        self.weight = np.where((self.group >= 0)[:, None, None], ratio[self.group] @ self.weight, 0.0)
        self.score = np.einsum("gij,gj->gi", ratio, self.score)

    def forward(self, eta: np.ndarray) -> np.ndarray:
        """(G, D) means; the next call writes them anew."""
        np.copyto(self._left, self.score)
        kernels.scatter_matrix(eta, self.weight, self.group, self._left)
        return self._left

    def backward(self, d_mean: np.ndarray, d_eta: np.ndarray) -> None:
        """Derivatives are added to `d_eta`."""
        kernels.gather_matrix(d_eta, self.weight, d_mean, self.group)


def _stacked(shared: Sequence[Shared], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions (S, n, k), groups (S, n) and how much further (S, G, k) of all that rows share."""
    n_groups = max((len(s.further) for s in shared), default=0)
    direction, group = np.zeros((len(shared), *shape)), np.zeros((len(shared), shape[0]), dtype=np.int64)
    further = np.zeros((len(shared), n_groups, shape[1]))
    for number, s in enumerate(shared):
        direction[number], group[number], further[number, : len(s.further)] = s.direction, s.group, s.further
    return direction, group, further


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
