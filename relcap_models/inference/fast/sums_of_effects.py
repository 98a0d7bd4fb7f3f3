"""Effects and sums of effects that change together: within them a precision is inverted exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from relcap_models.inference.fast.mixed_design import MixedDesign


@dataclass(frozen=True)
class Columns:
    """Sums as columns of a matrix: (E, K), and its transpose. Single precision holds ones exactly."""

    columns: csr_matrix
    transposed: csr_matrix

    @classmethod
    def of(cls, matrix: csr_matrix) -> Columns:
        """In the order of memory that products want."""
        matrix = matrix.astype(np.float32)
        return cls(matrix, matrix.T.tocsr())


class Sums:
    """Groups and sums of one design.

    Attributes
    ----------
    groups : (G, K) numbers of effects, of each kind: units, pairs of relations, one-sided relations
    near : for each unit, its effects and the sums over its relations in either direction; `sizes` (U,) sums
    far : location, districts, and the sums over the units and relations of each district and of all
    """

    def __init__(self, design: MixedDesign) -> None:
        self.groups = [slots.where for slots in design.slots if slots.matrix not in design.districts]
        near, self.sizes = _near(design)
        self.near, self.far = Columns.of(near), Columns.of(_far(design))


def _near(design: MixedDesign) -> tuple[csr_matrix, np.ndarray]:
    """Sums of each unit as columns of a matrix (E, K), and how many there are of each unit."""
    frame, units, relations = design.frame, design.units, design.relations
    own, directed = units.shape[1], relations.shape[1]
    width = own + 2 * directed
    rows = [units.ravel()]
    columns = [(np.arange(len(units))[:, None] * width + np.arange(own)).ravel()]
    for ends, offset in ((frame.rater_of_relation, own), (frame.target_of_relation, own + directed)):
        if directed:
            rows.append(relations.ravel())
            columns.append((ends[:, None] * width + offset + np.arange(directed)).ravel())
    row = np.concatenate(rows)
    # A unit that nobody rates has no relations in that direction.
    used, column = np.unique(np.concatenate(columns), return_inverse=True)
    matrix = csr_matrix((np.ones(len(row)), (row, column)), shape=(design.n_effects, len(used)))
    return matrix, np.bincount(used // width)


def _far(design: MixedDesign) -> csr_matrix:
    """Location, districts, and sums over units and relations, as columns of a matrix (E, K)."""
    rows, columns = [], []
    n = 0

    def add(effects: np.ndarray, column: np.ndarray) -> None:
        nonlocal n
        rows.append(effects.ravel())
        columns.append(n + np.broadcast_to(column, effects.shape).ravel())
        n += int(column.max(initial=-1)) + 1

    D = design.n_dimensions
    head = np.arange(len(design.prior_sd))
    add(head, head)
    for district in design.districts.values():
        add(district.where, np.arange(district.where.size).reshape(district.where.shape))
        for group, first in (pairs.T for pairs in district.within):
            add(first[:, None] + np.arange(D), group[:, None] * D + np.arange(D))
    for effects in (design.units, design.relations):
        add(effects, np.arange(effects.shape[1]))
    row = np.concatenate(rows)
    used, column = np.unique(np.concatenate(columns), return_inverse=True)
    return csr_matrix((np.ones(len(row)), (row, column)), shape=(design.n_effects, len(used)))
