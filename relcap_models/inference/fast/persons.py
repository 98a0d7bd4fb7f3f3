"""What people add to the covariance of their own ratings, eliminated person by person.

Ratings are sorted by block and person, as `MixedDesign` has them. Pairs of a person's ratings lie one person
after another, row by row, each a (D, D) matrix; pairs of a block's cells likewise, one number after another.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import joblib
import numpy as np
from numba import njit

from relcap_models.inference.fast.mixed_design import MixedDesign
from relcap_models.models.small_matrices import factorise, solve_lower, times, transposed

_compiled = njit(cache=True, nogil=True, error_model="numpy")


class Persons:
    """People of one design, with their groupings: respondents, respondents in a wave, …, ratings."""

    def __init__(self, design: MixedDesign) -> None:
        self.design = design
        groupings = design.structure.respondents
        self.names = [grouping.name for grouping in groupings]
        self.by_facet = [grouping.n_facets > 1 for grouping in groupings]
        frame = design.frame
        n = frame.n_ratings
        groups = [grouping.group_of_rating[design.order] for grouping in groupings]
        self.groups = np.array(groups, dtype=np.int64).reshape(len(groups), n)
        # Where each rating's effect of a grouping stands in (groups, facets), −1 for none.
        self.rows = [grouping.rows(frame)[design.order] for grouping in groupings]
        self.facet = frame.facet_of_rating[design.order]
        self.n_facets = len(frame.facets)
        # Where each person's block begins in memory, how wide it is, and which of its cells a rating is in.
        block = design.block_of_person
        self.at = design.block_begin[block]
        self.width = np.diff(design.cell_begin)[block] * design.n_dimensions
        persons = np.repeat(np.arange(len(block)), np.diff(design.begin))
        self.place = design.cell - design.cell_begin[block[persons]]

    def _in_threads(self, work: Callable[[int, int], None]) -> None:
        """Call `work` with ranges of persons of about as many pairs of ratings; blocks stay whole."""
        begin = self.design.person_begin
        pairs = self.design.pair_begin[begin]
        shares = np.linspace(0, pairs[-1], joblib.cpu_count() + 1)
        edges = begin[np.searchsorted(pairs, shares)]
        with ThreadPoolExecutor() as threads:
            list(threads.map(lambda edge: work(*edge), pairwise(edges.tolist())))

    def eliminate(
        self, noise: dict[str, np.ndarray], precision: np.ndarray, shift: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights Q = (K + S)⁻¹ of each person's ratings: K is what people add, S of the observations.

        noise : (D, D) by grouping · precision, shift : (N, D, D), (N, D) of the sorted pseudo-observations

        Returns
        -------
        (pairs, D, D) weights; (N, D) Q·y; Q summed over the pairs of each block's cells
        """
        design = self.design
        D = design.n_dimensions
        F = self.n_facets
        matrices = np.empty((len(self.names), F, F, D, D))
        for g, name in enumerate(self.names):
            size = F if self.by_facet[g] else 1
            matrices[g] = noise[name].reshape(size, D, size, D).transpose(0, 2, 1, 3)
        weights = np.empty((design.pair_begin[-1], D, D))
        value = np.empty(shift.shape)
        among = np.zeros(design.block_begin[-1])
        roots = np.linalg.cholesky(precision)

        def work(first: int, last: int) -> None:
            _eliminate(
                first,
                last,
                design.begin,
                design.pair_begin,
                self.groups,
                self.facet,
                matrices,
                roots,
                shift,
                weights,
                value,
            )
            _gather(
                first, last, design.begin, design.pair_begin, self.place, self.at, self.width, weights, among
            )

        self._in_threads(work)
        return weights, value, among

    def weighted(self, weights: np.ndarray, ratings: np.ndarray) -> np.ndarray:
        """Q times (N, D, …), person by person."""
        flat = np.ascontiguousarray(ratings.reshape(*ratings.shape[:2], -1))
        result = np.empty(flat.shape)
        begin, pair_begin = self.design.begin, self.design.pair_begin
        self._in_threads(lambda first, last: _weigh(first, last, begin, pair_begin, weights, flat, result))
        return result.reshape(ratings.shape)

    def moments(
        self, weights: np.ndarray, among: np.ndarray, rest: np.ndarray
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Blocks of P of single ratings, and Σ (s·sᵀ − ΣP) over the groups of each grouping, s being a sum.

        among : posterior covariance of the sums of effects, for the pairs of each block's cells
        rest : (N, D) P·y

        Returns
        -------
        (N, D, D), and by grouping (D, D) or, with an effect for each facet, (F·D, F·D)
        """
        design = self.design
        blocks = np.empty((*rest.shape, design.n_dimensions))
        # By person, so that the order of the sums does not depend on the number of threads.
        F, D = self.n_facets, design.n_dimensions
        sums = np.zeros((len(design.block_of_person), len(self.names), F, F, D, D))

        def work(first: int, last: int) -> None:
            _moments(
                first,
                last,
                design.begin,
                design.pair_begin,
                self.groups,
                self.facet,
                self.place,
                self.at,
                self.width,
                weights,
                among,
                rest,
                blocks,
                sums,
            )

        self._in_threads(work)
        by_grouping = {}
        for name, by_facet, total in zip(self.names, self.by_facet, sums.sum(axis=0)):
            whole = total.transpose(0, 2, 1, 3).reshape(F * D, F * D)
            by_grouping[name] = whole if by_facet else total.sum(axis=(0, 1))
        return blocks, by_grouping


@_compiled
def _eliminate(first, last, begin, pair_begin, groups, facet, noise, roots, shift, weights, value):
    """noise : (G, F, F, D, D) · roots : (N, D, D) lower factors of the precisions"""
    D = shift.shape[1]
    for person in range(first, last):
        start, n = begin[person], begin[person + 1] - begin[person]
        size = n * D
        inner, half = np.eye(size), np.zeros((size, size))
        target, own = np.empty(size), np.empty(D)
        for a in range(n):
            root = roots[start + a]
            for i in range(D):
                own[i] = shift[start + a, i]
            solve_lower(root, own)
            for i in range(D):
                target[a * D + i] = own[i]
                for j in range(D):
                    half[a * D + j, a * D + i] = root[j, i]
            for b in range(a + 1):
                for g in range(len(groups)):
                    if groups[g, start + a] >= 0 and groups[g, start + a] == groups[g, start + b]:
                        between = noise[g, facet[start + a], facet[start + b]]
                        added = times(times(transposed(root), between), roots[start + b])
                        for i in range(D):
                            for j in range(D):
                                inner[a * D + i, b * D + j] += added[i, j]
        factorise(inner)
        solve_lower(inner, target)
        # Rows of `half` are columns of L⁻¹·rootᵀ: the first entries, up to their own rating, are 0.
        for a in range(n):
            for i in range(D):
                _solve_from(inner, half[a * D + i], a * D)
        for a in range(n):
            for i in range(D):
                value[start + a, i] = 0.0
                for k in range(a * D, size):
                    value[start + a, i] += half[a * D + i, k] * target[k]
            for b in range(a + 1):
                pair = pair_begin[person] + a * n + b
                mirror = pair_begin[person] + b * n + a
                for i in range(D):
                    for j in range(D):
                        total = 0.0
                        for k in range(a * D, size):
                            total += half[a * D + i, k] * half[b * D + j, k]
                        weights[pair, i, j] = total
                        weights[mirror, j, i] = total


@_compiled
def _solve_from(factor, right, first):
    """Overwrite `right` with L⁻¹·right, where its entries before `first` are 0."""
    for i in range(first, factor.shape[0]):
        for k in range(first, i):
            right[i] -= factor[i, k] * right[k]
        right[i] /= factor[i, i]


@_compiled
def _gather(first, last, begin, pair_begin, place, at, width, weights, among):
    D = weights.shape[1]
    for person in range(first, last):
        start, n = begin[person], begin[person + 1] - begin[person]
        for a in range(n):
            for b in range(n):
                pair = pair_begin[person] + a * n + b
                for i in range(D):
                    row = at[person] + (place[start + a] * D + i) * width[person] + place[start + b] * D
                    for j in range(D):
                        among[row + j] += weights[pair, i, j]


@_compiled
def _weigh(first, last, begin, pair_begin, weights, ratings, result):
    _, D, columns = ratings.shape
    for person in range(first, last):
        start, n = begin[person], begin[person + 1] - begin[person]
        for a in range(n):
            for i in range(D):
                row = result[start + a, i]
                for c in range(columns):
                    row[c] = 0.0
                for b in range(n):
                    pair = pair_begin[person] + a * n + b
                    for j in range(D):
                        weight = weights[pair, i, j]
                        source = ratings[start + b, j]
                        for c in range(columns):
                            row[c] += weight * source[c]


@_compiled
def _moments(
    first, last, begin, pair_begin, groups, facet, place, at, width, weights, among, rest, blocks, sums
):
    D = rest.shape[1]
    for person in range(first, last):
        start, n = begin[person], begin[person + 1] - begin[person]
        size = n * D
        q, inner = np.empty((size, size)), np.empty((size, size))
        for a in range(n):
            for b in range(n):
                pair = pair_begin[person] + a * n + b
                for i in range(D):
                    row = at[person] + (place[start + a] * D + i) * width[person] + place[start + b] * D
                    for j in range(D):
                        q[a * D + i, b * D + j] = weights[pair, i, j]
                        inner[a * D + i, b * D + j] = among[row + j]
        across = times(times(q, inner), q)
        for a in range(n):
            for i in range(D):
                for j in range(D):
                    blocks[start + a, i, j] = q[a * D + i, a * D + j] - across[a * D + i, a * D + j]
            for b in range(n):
                for g in range(len(groups)):
                    if groups[g, start + a] >= 0 and groups[g, start + a] == groups[g, start + b]:
                        total = sums[person, g, facet[start + a], facet[start + b]]
                        for i in range(D):
                            for j in range(D):
                                projected = q[a * D + i, b * D + j] - across[a * D + i, b * D + j]
                                total[i, j] += rest[start + a, i] * rest[start + b, j] - projected
