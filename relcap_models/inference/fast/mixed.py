"""The Gaussian mixed model behind a rating model, given a Gaussian pseudo-observation of each rating.

Effects of respondents and ratings are eliminated person by person, exactly; what is left is one precision
matrix of the effects of units, relations and districts. Its factor gives the gradient of the marginal
likelihood of the covariances and its average information (Gilmour, Thompson & Cullis 1995, Biometrics 51,
1440–1450), and the distribution of each rating given the others' answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.linalg import lapack
from scipy.sparse import csr_matrix

from relcap_models.inference.fast.covariances import Matrices
from relcap_models.inference.fast.pseudo import PseudoObservations
from relcap_models.models.frame import Frame
from relcap_models.models.priors import Priors
from relcap_models.models.small_matrices import factorise, solve_lower, times, transposed
from relcap_models.models.structure import Structure

_compiled = njit(cache=True, nogil=True, error_model="numpy")
_LOCATION_SD = 4.0
# Beyond so many effects their matrices are held in single precision: half the time and memory. A Cholesky
# factor's errors do not depend on the units of its rows; with 7,056 effects, correlations are off by 8e-6.
_SINGLE_PRECISION = 3000


@dataclass(frozen=True)
class Slots:
    """Where the effects of one kind lie in the vector of effects: (groups, size of a group)."""

    matrix: str
    where: np.ndarray


@dataclass(frozen=True)
class Solution:
    """Everything that one factorisation gives.

    effects : (E,) posterior mean · covariance : (E, E) of the effects, and the lower Cholesky factor of its
    inverse · weights : Q of each person, row by row, one person after another · rest : (N, D) P·y
    """

    matrices: Matrices
    effects: np.ndarray
    covariance: np.ndarray
    factor: np.ndarray
    weights: np.ndarray
    rest: np.ndarray


class MixedModel:
    """Design matrices of one frame.

    Effects, in this order: location (a shift of all ratings, wave means, own-unit means, covariates), units,
    pairs of relations, one-sided relations, district shocks.
    """

    def __init__(self, frame: Frame, structure: Structure, priors: Priors, scale: float) -> None:
        self.frame, self.structure = frame, structure
        self.n_dimensions = len(frame.dimensions)
        # Persons: their ratings one after another.
        self.order = np.argsort(frame.respondent_of_rating, kind="stable")
        n_respondents = len(frame.respondents)
        self.begin = np.searchsorted(frame.respondent_of_rating[self.order], np.arange(n_respondents + 1))
        self.size = np.diff(self.begin) * self.n_dimensions
        self.block = np.concatenate([[0], np.cumsum(self.size**2)])
        self.groupings = structure.respondents
        self.groups = np.array([g.group_of_rating for g in self.groupings], dtype=np.int64).reshape(
            len(self.groupings), frame.n_ratings
        )
        self._design(priors, scale)

    def _design(self, priors: Priors, scale: float) -> None:
        frame, structure, D = self.frame, self.structure, self.n_dimensions
        n_waves, n_units = len(frame.waves), len(frame.units)
        keys = [frame.rater_of_rating, frame.target_of_rating, frame.wave_of_rating]
        table = np.column_stack([*keys, frame.covariates_of_rating]).astype(float)
        _, first, self.cell = np.unique(table, axis=0, return_index=True, return_inverse=True)
        self.cell = self.cell.reshape(-1)
        n_cells = len(first)
        own, wave = frame.own[first], frame.wave_of_rating[first]
        rater, target = frame.rater_of_rating[first], frame.target_of_rating[first]
        rows, columns, entries = [], [], []
        self.prior_sd: list[float] = []
        cells = np.arange(n_cells)

        def add(cell: np.ndarray, column: np.ndarray, value: np.ndarray | float = 1.0) -> None:
            """Effect number `column` + d acts on dimension d of the cell."""
            for d in range(D):
                rows.append(cell * D + d)
                columns.append(column + d)
                entries.append(np.broadcast_to(value, cell.shape))

        def location(n: int, sd: float) -> int:
            start = len(self.prior_sd)
            self.prior_sd += [sd] * (n * D)
            return start

        mixed = bool(frame.own.any() and not frame.own.all())
        self.at = {"shift": location(1, _LOCATION_SD * scale)}
        add(cells, np.zeros_like(cells))
        if n_waves > 1:
            self.at["mu_later"] = location(n_waves - 1, priors.mean * scale)
            acts = (wave > 0) & ~(own & mixed)
            add(cells[acts], self.at["mu_later"] + (wave[acts] - 1) * D)
        if mixed:
            self.at["mu_own"] = location(n_waves, priors.mean * scale)
            add(cells[own], self.at["mu_own"] + wave[own] * D)
        if frame.covariates:
            self.at["beta"] = location(len(frame.covariates), priors.covariate * scale)
            for c in range(len(frame.covariates)):
                add(cells, np.full_like(cells, self.at["beta"] + c * D), frame.covariates_of_rating[first, c])
        n_effects = len(self.prior_sd)
        self.slots: list[Slots] = []

        def block(matrix: str, n_groups: int, size: int) -> np.ndarray:
            nonlocal n_effects
            where = n_effects + np.arange(n_groups * size).reshape(n_groups, size)
            n_effects += n_groups * size
            self.slots.append(Slots(matrix, where))
            return where

        P = len(structure.roles) * D
        units = self.units = block("unit", n_units, n_waves * P)
        add(cells, units[rater, wave * P])
        if "target" in structure.roles:
            add(cells[~own], units[target[~own], wave[~own] * P + D])
        if "self" in structure.roles:
            add(cells[own], units[rater[own], wave[own] * P + 2 * D])
        if structure.relation in ("full", "stable"):
            n_z = n_waves if structure.relation == "full" else 1
            partner = frame.partner_of_relation
            forth = np.flatnonzero((partner >= 0) & (frame.rater_of_relation < frame.target_of_relation))
            alone = np.flatnonzero(partner < 0)
            start = np.zeros(frame.n_relations, dtype=np.int64)
            if len(forth):
                where = block("pair", len(forth), 2 * n_z * D)
                start[forth], start[partner[forth]] = where[:, 0], where[:, n_z * D]
            if len(alone):
                start[alone] = block("alone", len(alone), n_z * D)[:, 0]
            relation = frame.relation_of_rating[first][~own]
            add(cells[~own], start[relation] + (wave[~own] * D if n_z > 1 else 0))
            self.relations = start[:, None] + np.arange(n_z * D)
        self.districts = {}
        for grouping in structure.districts:
            group = grouping.group_of_rating[first]
            where = self.districts[grouping.name] = block(grouping.name, grouping.n_groups, D)
            acts = cells[group >= 0]
            # Against the mean of the wave's districts, which a unit of no district must not get.
            stratum = grouping.stratum_of_group
            for other in range(int(np.bincount(stratum).max())):
                among = np.array([np.flatnonzero(stratum == s)[other] for s in range(stratum.max() + 1)])
                theirs = among[stratum[group[acts]]]
                share = 1.0 / np.bincount(stratum)[stratum[theirs]]
                add(acts, where[theirs, 0], (theirs == group[acts]) - share)
        self.n_effects = n_effects
        self.design = csr_matrix(
            (np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))),
            shape=(n_cells * D, n_effects),
        )
        n = self.frame.n_ratings * D
        at = (self.cell[:, None] * D + np.arange(D)).ravel()
        self.whole = csr_matrix((np.ones(n), (np.arange(n), at)), shape=(n, n_cells * D)) @ self.design
        # Rows and columns of Q in the order in which the persons' blocks lie.
        flat = (self.order[:, None] * D + np.arange(D)).ravel()
        begin = self.begin * D
        self.q_row = np.concatenate(
            [np.repeat(flat[begin[i] : begin[i + 1]], self.size[i]) for i in range(len(self.size))]
        )
        self.q_column = np.concatenate(
            [np.tile(flat[begin[i] : begin[i + 1]], self.size[i]) for i in range(len(self.size))]
        )

    def stretched(self, growth: np.ndarray) -> np.ndarray:
        """(S, E) of every effect the entry of `growth` (S, D) that belongs to its dimension."""
        dimension = np.arange(self.n_effects) % self.n_dimensions
        return growth[:, dimension]

    def solve(self, matrices: Matrices, pseudo: PseudoObservations) -> Solution:
        """Posterior of all effects given covariances and pseudo-observations."""
        noise = np.stack([matrices[g.name] for g in self.groupings]) if self.groupings else None
        if noise is None:
            noise = np.zeros((0, self.n_dimensions, self.n_dimensions))
        weights, value = _persons(
            self.order,
            self.begin,
            self.block,
            self.groups,
            noise,
            np.linalg.cholesky(pseudo.precision),
            pseudo.shift,
        )
        n = self.frame.n_ratings * self.n_dimensions
        Q = csr_matrix((weights, (self.q_row, self.q_column)), shape=(n, n))
        number = np.float32 if self.n_effects > _SINGLE_PRECISION else np.float64
        precision = (self.whole.T @ (Q @ self.whole)).astype(number).toarray(order="F")
        head = np.arange(len(self.prior_sd))
        precision[head, head] += 1.0 / np.square(self.prior_sd)
        for slots in self.slots:
            K = matrices[slots.matrix]
            where = slots.where
            precision[where[:, :, None], where[:, None, :]] += np.linalg.inv(K)
        potrf, potri = lapack.get_lapack_funcs(("potrf", "potri"), dtype=number)
        factor, failed = potrf(precision, lower=1, overwrite_a=1, clean=1)
        if failed:
            raise np.linalg.LinAlgError("the precision of the effects is not positive definite")
        covariance, _ = potri(factor, lower=1, overwrite_c=0)
        # Symmetric, so its transpose is itself, in the order of memory that sparse products want.
        covariance = _mirrored(covariance).T
        effects = _product(covariance, self.whole.T @ value.ravel())
        rest = value - (Q @ (self.whole @ effects)).reshape(value.shape)
        return Solution(matrices, effects, covariance, factor, weights, rest)

    def slopes(self, found: Solution, derivatives: dict[str, np.ndarray]):
        """Gradient of the log marginal likelihood, its average information, and how effects move with θ.

        Returns
        -------
        (p,), (p, p), (p, E), and (N, D, D): the blocks of P of single ratings
        """
        D, n = self.n_dimensions, self.frame.n_ratings
        p = len(derivatives["unit"])
        design = self.design.astype(found.covariance.dtype)
        cells = design @ (design @ found.covariance).T
        blocks, sums = _person_moments(
            self.order, self.begin, self.block, self.groups, found.weights, cells, self.cell, found.rest
        )
        gradient = np.zeros(p)
        moved = np.zeros((p, n, D))
        for g, grouping in enumerate(self.groupings):
            dK = derivatives[grouping.name]
            gradient += 0.5 * np.einsum("pij,ij->p", dK, sums[g])
            total = np.zeros((grouping.n_groups, D))
            np.add.at(total, grouping.group_of_rating, found.rest)
            moved += np.einsum("pij,nj->pni", dK, total)[:, grouping.group_of_rating]
        score = self.whole.T @ found.rest.ravel()
        shifted = np.zeros((p, self.n_effects))
        for slots in self.slots:
            dK, K, where = derivatives[slots.matrix], found.matrices[slots.matrix], slots.where
            mean = found.effects[where]
            second = mean.T @ mean
            second += found.covariance[where[:, :, None], where[:, None, :]].sum(axis=0, dtype=np.float64)
            inverse = np.linalg.inv(K)
            gradient += 0.5 * np.einsum("pij,ij->p", dK, inverse @ second @ inverse - len(where) * inverse)
            shifted[:, where] += np.einsum("pij,gj->pgi", dK, score[where])
        moved = moved.reshape(p, -1) + (self.whole @ shifted.T).T
        Q = csr_matrix((found.weights, (self.q_row, self.q_column)), shape=(n * D, n * D))
        weighted = Q @ moved.T
        gain = _product(found.covariance, self.whole.T @ weighted)
        projected = weighted - Q @ (self.whole @ gain)
        information = 0.5 * moved @ projected
        return gradient, (information + information.T) / 2, shifted - gain.T, blocks

    def cavities(
        self, pseudo: PseudoObservations, found: Solution, blocks: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean (N, D) and covariance (N, D, D) of every rating given the other ratings."""
        spread = np.linalg.inv(pseudo.precision)
        value = np.einsum("nij,nj->ni", spread, pseudo.shift)
        outer = np.linalg.inv(blocks)
        covariance = outer - spread
        return value - np.einsum("nij,nj->ni", outer, found.rest), (
            covariance + covariance.transpose(0, 2, 1)
        ) / 2


def _product(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """matrix @ right in the matrix's precision, without a copy of the matrix."""
    return (matrix @ right.astype(matrix.dtype)).astype(np.float64)


def _mirrored(lower: np.ndarray) -> np.ndarray:
    """The symmetric matrix of which `lower` holds the lower triangle; in place."""
    n = len(lower)
    for start in range(0, n, 512):
        stop = min(start + 512, n)
        lower[start:stop, stop:] = lower[stop:, start:stop].T
        part = np.tril(lower[start:stop, start:stop])
        lower[start:stop, start:stop] = part + np.tril(part, -1).T
    return lower


@_compiled
def _persons(order, begin, block, groups, noise, roots, shift):
    """Per person Q = (K + S)⁻¹ with S the pseudo-observations' covariance, and Q·y.

    noise : (G, D, D) covariances of the groupings · roots : (N, D, D) lower factors of the precisions
    """
    n_ratings, D = shift.shape
    weights = np.empty(block[-1])
    value = np.zeros((n_ratings, D))
    for person in range(len(begin) - 1):
        ratings = order[begin[person] : begin[person + 1]]
        n = len(ratings)
        size = n * D
        inner, half = np.eye(size), np.zeros((size, size))
        target, own = np.empty(size), np.empty(D)
        for a in range(n):
            root = roots[ratings[a]]
            for i in range(D):
                own[i] = shift[ratings[a], i]
            solve_lower(root, own)
            for i in range(D):
                target[a * D + i] = own[i]
                for j in range(D):
                    half[a * D + j, a * D + i] = root[j, i]
            for b in range(n):
                for g in range(len(groups)):
                    if groups[g, ratings[a]] == groups[g, ratings[b]]:
                        added = times(times(transposed(root), noise[g]), roots[ratings[b]])
                        for i in range(D):
                            for j in range(D):
                                inner[a * D + i, b * D + j] += added[i, j]
        factorise(inner)
        solve_lower(inner, target)
        # Rows of `half` are columns of L⁻¹·rootᵀ.
        for c in range(size):
            solve_lower(inner, half[c])
        q = times(half, transposed(half))
        for c in range(size):
            for k in range(size):
                weights[block[person] + c * size + k] = q[c, k]
                value[ratings[c // D], c % D] += half[c, k] * target[k]
    return weights, value


@_compiled
def _person_moments(order, begin, block, groups, weights, cells, cell, rest):
    """Blocks of P of each rating, and Σ (s·sᵀ − ΣP) over the groups of each grouping.

    cells : (C·D, C·D) posterior covariance of the cells' sums of effects
    """
    n_ratings, D = rest.shape
    blocks = np.empty((n_ratings, D, D))
    sums = np.zeros((len(groups), D, D))
    for person in range(len(begin) - 1):
        ratings = order[begin[person] : begin[person + 1]]
        n = len(ratings)
        size = n * D
        q = weights[block[person] : block[person + 1]].copy().reshape(size, size)
        inner = np.empty((size, size))
        for a in range(n):
            ca = cell[ratings[a]] * D
            for b in range(n):
                cb = cell[ratings[b]] * D
                for i in range(D):
                    for j in range(D):
                        inner[a * D + i, b * D + j] = cells[ca + i, cb + j]
        across = times(times(q, inner), q)
        for a in range(n):
            r = ratings[a]
            for i in range(D):
                for j in range(D):
                    blocks[r, i, j] = q[a * D + i, a * D + j] - across[a * D + i, a * D + j]
            for b in range(n):
                other = ratings[b]
                for g in range(len(groups)):
                    if groups[g, r] == groups[g, other]:
                        for i in range(D):
                            for j in range(D):
                                projected = q[a * D + i, b * D + j] - across[a * D + i, b * D + j]
                                sums[g, i, j] += rest[r, i] * rest[other, j] - projected
    return blocks, sums
