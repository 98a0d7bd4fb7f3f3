"""Which hidden figures are linear combinations of published ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from relcap_models.report.disclosure.cells import LEAVES, Cells

TOLERANCE = 1e-7
"""Squared distance from the row space. The matrices are 0/1, so true distances are far above and rounding
errors far below."""

RIDGE = 1e-9
"""Added to the equations' Gram matrix, because equations that repeat others leave it singular."""

DIRECTIONS = 16
"""Random directions in which the published figures leave the unknowns free. A sum that all of them leave
alone follows from the figures; one at distance d from doing so is moved by d² · χ²(16) / 16, which is below
a hundredth of d² with probability 3e-13."""


@dataclass(frozen=True)
class Leak:
    """A hidden row that is determined, by which published rows, and through which known base cells."""

    row: int
    equations: tuple[int, ...]
    known: np.ndarray


@dataclass(frozen=True)
class Component:
    """Equations that share unknowns: `matrix` (equation, unknown), the rows they are, the unknowns they
    hold."""

    matrix: sparse.csr_array
    equations: np.ndarray
    unknowns: np.ndarray


@dataclass(frozen=True)
class Reduced:
    """What is left to solve after everything that is published cell by cell has been moved to the known side.

    An unknown is a group of base cells that occur in exactly the same equations and the same questions: their
    sum is all that is asked about them. unknown_of : (base,) its unknown, −1 if known, −2 if it
    occurs in no equation. sizes : (unknown,) base cells in it.
    """

    components: tuple[Component, ...]
    unknown_of: np.ndarray
    sizes: np.ndarray


def reduce_system(cells: Cells, published: np.ndarray, asked: np.ndarray, *, empty: np.ndarray) -> Reduced:
    """Set up the attacker's equations for one wave.

    Parameters
    ----------
    published : (row,) bool. asked : rows whose figure is in question. empty : (base,) bool, base cells whose
    sum is known to be zero.
    """
    leaf_item = np.array([key[0] == "item" for key in cells.keys], dtype=bool)
    known = empty.copy()
    known[cells.columns(np.flatnonzero(published & leaf_item))] = True
    needed = np.flatnonzero(published & ~leaf_item & ~_redundant(cells, published))
    equations = sparse.csr_array(cells.incidence[needed])[:, ~known]
    # Cells that occur in the same rows get the same sum of random row marks; 2^-60 is the chance of an error.
    random = np.random.default_rng(0)
    marks = random.integers(1, 2**62, size=len(needed))
    questions = sparse.csr_array(cells.incidence[asked])[:, ~known]
    signature = sparse.csr_array(equations.astype(np.int64)).T @ marks
    finer = sparse.csr_array(questions.astype(np.int64)).T @ random.integers(1, 2**62, size=len(asked))
    values, first, group, sizes = np.unique(
        signature + finer, return_index=True, return_inverse=True, return_counts=True
    )
    loose = signature[first] == 0
    unknown_of = np.full(len(known), -1)
    unknown_of[~known] = np.where(loose[group], -2, group)
    matrix = sparse.csr_array(equations[:, first])
    matrix = sparse.csr_array(matrix @ sparse.diags_array((~loose).astype(float)))

    leaf = np.array([cells.keys[row][0] in LEAVES for row in needed], dtype=bool)
    matrix.eliminate_zeros()
    solved = np.zeros(len(values), dtype=bool)
    solved[matrix[np.flatnonzero(leaf & (np.diff(matrix.indptr) == 1))].indices] = True
    unknown_of[np.isin(unknown_of, np.flatnonzero(solved))] = -1
    matrix = sparse.csr_array(matrix @ sparse.diags_array((~solved).astype(float)))
    matrix.eliminate_zeros()
    return Reduced(components=_components(matrix, needed), unknown_of=unknown_of, sizes=sizes)


def _redundant(cells: Cells, published: np.ndarray) -> np.ndarray:
    """Sums all of whose parts are published say nothing new."""
    redundant = np.zeros(len(published), dtype=bool)
    for family in cells.families:
        if published[family.parent] and published[family.children].all():
            redundant[family.parent] = True
    return redundant


def _components(matrix: sparse.csr_array, rows: np.ndarray) -> tuple[Component, ...]:
    n_equations, _ = matrix.shape
    if not matrix.nnz:
        return ()
    graph = sparse.block_array([[None, matrix], [matrix.T, None]])
    _, label = sparse.csgraph.connected_components(sparse.csr_array(graph), directed=False)
    components = []
    for number in np.unique(label[:n_equations][np.diff(matrix.indptr) > 0]):
        equations = np.flatnonzero(label[:n_equations] == number)
        unknowns = np.flatnonzero(label[n_equations:] == number)
        components.append(Component(matrix[equations][:, unknowns], rows[equations], unknowns))
    return tuple(components)


def functionals(cells: Cells, reduced: Reduced, rows: np.ndarray) -> tuple[np.ndarray, sparse.csr_array]:
    """Rows as sums of unknowns: those that can be written so, and their 0/1 weights (row, unknown).

    A row that touches a cell in no equation follows from no combination at all.
    """
    touched = sparse.csr_array(cells.incidence[rows])
    loose = (touched @ (reduced.unknown_of == -2).astype(float)) > 0
    inside = np.flatnonzero(reduced.unknown_of >= 0)
    membership = sparse.csr_array(
        (np.ones(len(inside)), (inside, reduced.unknown_of[inside])),
        shape=(touched.shape[1], len(reduced.sizes)),
    )
    counts = sparse.csr_array(touched @ membership)
    counts.data = counts.data / reduced.sizes[counts.indices]
    return rows[~loose], sparse.csr_array(counts[np.flatnonzero(~loose)])


def determined(
    cells: Cells, published: np.ndarray, hidden: np.ndarray, *, empty: np.ndarray, gaps: bool
) -> list[Leak]:
    """The hidden rows, and hidden perception gaps, that an attacker can compute, and how.

    Parameters
    ----------
    published, hidden : (row,) bool. empty : (base,) bool, base cells whose sum is known to be zero.
    gaps : look for differences between the two sides of a relation too. A gap can follow where neither side
    does.
    """
    asked = np.flatnonzero(hidden)
    reduced = reduce_system(cells, published, asked, empty=empty)
    rows, weights = functionals(cells, reduced, asked)
    first, second = _both_sides(cells, rows) if gaps else (np.empty(0, dtype=int),) * 2
    free = np.zeros((len(reduced.sizes), DIRECTIONS))
    for component in reduced.components:
        noise = np.random.default_rng(0).normal(size=(len(component.unknowns), DIRECTIONS))
        free[component.unknowns] = noise - component.matrix.T @ nearest_combination(component.matrix, noise)
    moved = weights @ free
    distance, product = np.square(moved).mean(axis=1), (moved[first] * moved[second]).mean(axis=1)
    found = distance < TOLERANCE
    leaks = [(position, position, 0.0) for position in np.flatnonzero(found)]
    # Two undetermined sums that move in step by a factor t: one minus t times the other is determined.
    step = product / np.where(found[second], 1.0, distance[second])
    left = distance[first] - product * step
    in_step = ~found[first] & ~found[second] & (product > 0) & (left < TOLERANCE)
    leaks += [(first[pair], second[pair], step[pair]) for pair in np.flatnonzero(in_step)]
    return [
        _explain(
            cells,
            reduced,
            int(rows[one]),
            (weights[[one]] - factor * weights[[other]]).toarray()[0],
            (cells.incidence[[rows[one]]] - factor * cells.incidence[[rows[other]]]).toarray()[0],
        )
        for one, other, factor in leaks
    ]


def _both_sides(cells: Cells, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions in `rows` of the two directions of each relation that has both there."""
    place = {cells.keys[row]: position for position, row in enumerate(rows.tolist())}
    pairs = [
        (position, place[kind, target, rater, column])
        for (kind, rater, target, column), position in place.items()
        if kind == "relation" and rater < target and (kind, target, rater, column) in place
    ]
    return tuple(np.array(pairs, dtype=int).reshape(-1, 2).T)


def nearest_combination(matrix: sparse.csr_array, wanted: np.ndarray) -> np.ndarray:
    """(equation, …) how much of each equation makes the combination nearest to the `wanted` (unknown, …)."""
    gram = matrix @ matrix.T + RIDGE * sparse.eye_array(matrix.shape[0])
    factor = splu(
        gram.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    shares = factor.solve(matrix @ wanted)
    return shares + factor.solve(matrix @ (wanted - matrix.T @ shares))  # takes back what the ridge did


def _explain(cells: Cells, reduced: Reduced, row: int, weight: np.ndarray, figure: np.ndarray) -> Leak:
    """How a figure follows: `weight` (unknown,) and `figure` (base,) are its weights."""
    combination = -figure
    equations: list[int] = []
    for component in reduced.components:
        part = weight[component.unknowns]
        if not part.any():
            continue
        share = nearest_combination(component.matrix, part)
        used = np.abs(share) > 1e-8
        equations += component.equations[used].tolist()
        combination += share[used] @ cells.incidence[component.equations[used]]
    known = np.flatnonzero((np.abs(combination) > 1e-8) & (reduced.unknown_of == -1))
    return Leak(row=row, equations=tuple(equations), known=known)
