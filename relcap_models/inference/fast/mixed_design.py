"""Which effects act on which ratings, in the Gaussian mixed model behind a rating model.

Ratings of the same rater unit, target, wave and covariates share all effects but those of persons: a cell.
Cells are held block by block, a block being the people of one rater unit (or one person who answered for
several units), so that everything about people is done within small matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from relcap_models.models.frame import Frame
from relcap_models.models.priors import Priors
from relcap_models.models.structure import Structure, latents_of_roles, unit_rows

_LOCATION_SD = 4.0
# A unit with more cells than that is taken person by person.
_WIDEST_BLOCK = 400


@dataclass(frozen=True)
class Slots:
    """Where the effects of one kind lie in the vector of effects: (groups, size of a group)."""

    matrix: str
    where: np.ndarray


@dataclass(frozen=True)
class District:
    """Shocks of districts at one end of the ratings, of which a wave's have the mean 0.

    where : (contrasts, D) numbers of the effects · basis : (groups, contrasts) shocks are basis·effects
    within : of units, and of relations: (…, 2) district and number of an effect's first dimension
    """

    where: np.ndarray
    basis: csr_matrix
    within: list[np.ndarray]


@dataclass(frozen=True)
class Block:
    """Cells of some people, and the effects that act on them.

    rows : of the design matrix · effects : numbers of the effects · design : (rows, effects) sparse
    """

    rows: slice
    effects: np.ndarray
    design: csr_matrix


class MixedDesign:
    """Design matrix of one frame, with ratings sorted by block and person (`order`).

    Effects, in this order: location (a shift of all ratings, wave means, own-unit means, covariates), units,
    pairs of relations, one-sided relations, district shocks. Everything about a dimension stands `d` after
    what stands for the first.

    Attributes
    ----------
    units : (U, W·P), relations : (relations, Wz·D) numbers of effects · districts : by grouping
    begin : (R + 1,) first sorted rating of each person · pair_begin : (R + 1,) first pair of a person's
    ratings · cell : (N,) of sorted ratings · person_begin, cell_begin : (B + 1,) of each block
    latent : (E,) which facet × dimension each effect is of
    design : (C·D, E) · transposed : (E, C·D) · is_near : (E,) not an effect of location or districts
    """

    def __init__(self, frame: Frame, structure: Structure, priors: Priors, scale: float) -> None:
        self.frame, self.structure = frame, structure
        self.n_dimensions = len(frame.dimensions)
        cell = self._sort()
        self._effects(cell, priors, scale)

    def _sort(self) -> np.ndarray:
        """Sort ratings, and return the first rating of each cell."""
        frame = self.frame
        person, rater = frame.respondent_of_rating, frame.rater_of_rating
        keys = np.column_stack(
            [
                rater,
                frame.target_of_rating,
                frame.wave_of_rating,
                frame.facet_of_rating,
                frame.covariates_of_rating,
            ]
        )
        cell = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
        pairs = np.unique(np.column_stack([person, rater]), axis=0)
        cells_of_rater = np.bincount(np.unique(np.column_stack([rater, cell]), axis=0)[:, 0])
        alone = np.bincount(pairs[:, 0], minlength=len(frame.respondents)) > 1
        alone[pairs[cells_of_rater[pairs[:, 1]] > _WIDEST_BLOCK, 0]] = True
        block = np.where(alone[person], len(frame.units) + person, rater)

        self.order = np.lexsort((person, block))
        sorted_person, sorted_block = person[self.order], block[self.order]
        first = np.flatnonzero(np.r_[True, sorted_person[1:] != sorted_person[:-1]])
        self.begin = np.r_[first, frame.n_ratings]
        self.pair_begin = np.r_[0, np.cumsum(np.diff(self.begin) ** 2)]
        new = np.r_[True, sorted_block[1:] != sorted_block[:-1]]
        self.person_begin = np.r_[np.flatnonzero(new[first]), len(first)]
        number = np.cumsum(new) - 1
        cells, at, self.cell = np.unique(
            np.column_stack([number, cell[self.order]]), axis=0, return_index=True, return_inverse=True
        )
        self.cell = self.cell.reshape(-1)
        self.cell_begin = np.searchsorted(cells[:, 0], np.arange(number[-1] + 2))
        # Pairs of a block's cells lie one block after another, each row by row.
        width = np.diff(self.cell_begin) * self.n_dimensions
        self.block_begin = np.r_[0, np.cumsum(width**2)]
        self.block_of_person = np.repeat(np.arange(len(width)), np.diff(self.person_begin))
        rows = np.repeat(np.arange(len(width)), width)
        start = np.repeat(self.cell_begin[:-1] * self.n_dimensions, width)
        self._pattern = (
            np.concatenate([np.arange(s, s + w) for s, w in zip(start, width[rows])]),
            np.r_[0, np.cumsum(width[rows])],
        )
        return self.order[at]

    def _effects(self, first: np.ndarray, priors: Priors, scale: float) -> None:
        """Number the effects and note where each acts; `first` holds one rating of each cell."""
        frame, structure, D = self.frame, self.structure, self.n_dimensions
        n_waves, n_units = len(frame.waves), len(frame.units)
        n_cells = len(first)
        own, wave, facet = frame.own[first], frame.wave_of_rating[first], frame.facet_of_rating[first]
        rater, target = frame.rater_of_rating[first], frame.target_of_rating[first]
        n_facets = len(frame.facets)
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

        mixed = frame.mixed
        self.at = {"shift": location(n_facets, _LOCATION_SD * scale)}
        add(cells, facet * D)
        if n_waves > 1:
            self.at["mu_later"] = location((n_waves - 1) * n_facets, priors.mean * scale)
            acts = (wave > 0) & ~(own & mixed)
            add(cells[acts], self.at["mu_later"] + ((wave[acts] - 1) * n_facets + facet[acts]) * D)
        if mixed:
            self.at["mu_own"] = location(n_waves, priors.mean * scale)
            add(cells[own], self.at["mu_own"] + wave[own] * D)
        if frame.covariates:
            self.at["beta"] = location(len(frame.covariates), priors.covariate * scale)
            for c in range(len(frame.covariates)):
                value = frame.covariates_of_rating[first, c]
                acts = value != 0
                add(cells[acts], np.full_like(cells[acts], self.at["beta"] + c * D), value[acts])
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
        for row in unit_rows(frame, structure):
            acts = row[first] >= 0
            add(cells[acts], units[0, 0] + row[first][acts] * D)
        self.relations = np.zeros((frame.n_relations, 0), dtype=np.int64)
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
        self.districts: dict[str, District] = {}
        for grouping in structure.districts:
            group = grouping.group_of_rating[first]
            basis = _contrasts(grouping.stratum_of_group)
            where = block(grouping.name, basis.shape[1], D)
            acts = cells[group >= 0]
            contrasts = basis[group[acts]].tocoo()
            add(acts[contrasts.row], where[contrasts.col, 0], contrasts.data)

            others = acts[~own[acts]]
            seen = grouping.name == "district_target"
            of_unit = units[(target if seen else rater)[others], wave[others] * P + seen * D]
            within = [np.unique(np.column_stack([group[others], of_unit]), axis=0)]
            if self.relations.size:
                of_relation = self.relations[:, 0][frame.relation_of_rating[first[others]]]
                of_relation = of_relation + (wave[others] * D if structure.relation == "full" else 0)
                within.append(np.unique(np.column_stack([group[others], of_relation]), axis=0))
            self.districts[grouping.name] = District(where, basis, within)
        self.n_effects = n_effects
        self.latent = np.arange(n_effects) % D
        if n_facets > 1:
            self._name_facets()
        self.design = csr_matrix(
            (np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))),
            shape=(n_cells * D, n_effects),
        )
        self.transposed = self.design.T.tocsr()
        self.is_near = np.ones(n_effects, dtype=bool)
        self.is_near[: len(self.prior_sd)] = False
        for district in self.districts.values():
            self.is_near[district.where] = False

    def _name_facets(self) -> None:
        """`latent` of locations and units; relations are of the first facet, and covariates of their own."""
        L, size = self.frame.n_latents, len(self.prior_sd)
        later = slice(self.at.get("mu_later", L), self.at.get("beta", size))
        self.latent[:L] = np.arange(L)
        self.latent[later] = np.arange(later.stop - later.start) % L
        for c, name in enumerate(self.frame.covariates):
            self.latent[self.at["beta"] + c] = self.frame.facets.index(name.rsplit(":", 1)[0])
        roles = latents_of_roles(self.frame, self.structure)
        self.latent[self.units] = np.tile(roles, len(self.frame.waves))

    @cached_property
    def blocks(self) -> list[Block]:
        """Cells and effects of each block."""
        result = []
        for first, last in zip(self.cell_begin, self.cell_begin[1:]):
            rows = slice(first * self.n_dimensions, last * self.n_dimensions)
            design = self.design[rows]
            effects, column = np.unique(design.indices, return_inverse=True)
            small = csr_matrix((design.data, column, design.indptr), shape=(design.shape[0], len(effects)))
            result.append(Block(rows, effects, small))
        return result

    def among_cells(self, flat: np.ndarray) -> csr_matrix:
        """(C·D, C·D) from the matrices of all blocks, one after another."""
        n = self.design.shape[0]
        return csr_matrix((flat, *self._pattern), shape=(n, n))

    def cells_of(self, effects: np.ndarray) -> np.ndarray:
        """(N, D, …) sum of the effects on every sorted rating."""
        sums = self.design @ effects
        return sums.reshape(-1, self.n_dimensions, *effects.shape[1:])[self.cell]

    def effects_of(self, ratings: np.ndarray) -> np.ndarray:
        """(E, …) for every effect the sum over the ratings on which it acts; the transpose of `cells_of`."""
        n_cells = self.design.shape[0] // self.n_dimensions
        flat = ratings.reshape(len(ratings), -1)
        pick = csr_matrix(
            (np.ones(len(self.cell)), (self.cell, np.arange(len(self.cell)))), shape=(n_cells, len(self.cell))
        )
        sums = (pick @ flat).reshape(n_cells * self.n_dimensions, *ratings.shape[2:])
        return self.transposed @ sums


def _contrasts(stratum: np.ndarray) -> csr_matrix:
    """(G, K) orthonormal contrasts among the groups of each stratum: one half against the other, and so on.

    Independent effects of the contrasts, each with the covariance K, are groups' effects with the covariance
    K less their mean; and few contrasts act on each group.
    """
    rows, columns, entries = [], [], []
    n = 0
    halves = [np.flatnonzero(stratum == s) for s in np.unique(stratum)]
    while halves:
        whole = halves.pop()
        if len(whole) < 2:
            continue
        left, right = whole[: len(whole) // 2], whole[len(whole) // 2 :]
        halves += [left, right]
        rows.append(whole)
        columns.append(np.full(len(whole), n))
        share = np.r_[np.full(len(left), len(right)), np.full(len(right), -len(left))]
        entries.append(share / np.sqrt(len(left) * len(right) * len(whole)))
        n += 1
    where = np.concatenate(rows), np.concatenate(columns)
    return csr_matrix((np.concatenate(entries), where), shape=(len(stratum), n))
