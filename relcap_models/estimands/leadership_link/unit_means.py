"""Means of ratings by unit and wave: leaders and team by the own staff, the unit by others, others by it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from relcap_models.models.frame import Frame

PERCEIVER = "perceiver"
"""How a unit rates others, on the scale of the outcome."""


@dataclass(frozen=True)
class Cells:
    """Who was rated by the staff of which unit, about what, in which wave.

    facet, rater, target, wave : (C,) · of_rating : (N,) cell of each rating, −1 where it has no score ·
    mean : (C,) mean score of a cell's respondents · n : (C,) their number
    """

    facet: np.ndarray
    rater: np.ndarray
    target: np.ndarray
    wave: np.ndarray
    of_rating: np.ndarray
    mean: np.ndarray
    n: np.ndarray

    @cached_property
    def relations(self) -> np.ndarray:
        """Positions of cells in which a unit rates another unit."""
        return np.flatnonzero(self.rater != self.target)


def cells_of(frame: Frame, score: np.ndarray) -> Cells:
    """Average over respondents: one number for each relation, and for each unit's rating of itself."""
    scored = np.flatnonzero(np.isfinite(score))
    parts = np.column_stack(
        [frame.facet_of_rating, frame.rater_of_rating, frame.target_of_rating, frame.wave_of_rating]
    )
    distinct, cell = np.unique(parts[scored], axis=0, return_inverse=True)
    of_rating = np.full(frame.n_ratings, -1)
    of_rating[scored] = cell
    n = np.bincount(cell, minlength=len(distinct))
    mean = np.bincount(cell, score[scored], minlength=len(distinct)) / np.maximum(n, 1)
    return Cells(*distinct.T, of_rating=of_rating, mean=mean, n=n)


@dataclass(frozen=True)
class UnitMeans:
    """Variables of units in waves, each a weighted sum of cell means.

    names : (V,) the facets, and `perceiver` where units rate others · maps : by name, (U·W, C) weights of the
    cells, row u·W + w · value : (U·W, V), NaN where there is no answer · notes : what a reader should know
    """

    frame: Frame
    cells: Cells
    names: tuple[str, ...]
    maps: dict[str, csr_array]
    value: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def unit(self) -> np.ndarray:
        """(U·W,) unit of each row."""
        return np.repeat(np.arange(len(self.frame.units)), len(self.frame.waves))

    @property
    def wave(self) -> np.ndarray:
        """(U·W,) wave of each row."""
        return np.tile(np.arange(len(self.frame.waves)), len(self.frame.units))

    def complete(self, names: tuple[str, ...]) -> np.ndarray:
        """Rows in which all these variables are seen."""
        at = [self.names.index(name) for name in names]
        return np.flatnonzero(np.isfinite(self.value[:, at]).all(axis=1))

    def n_respondents(self, names: tuple[str, ...], rows: np.ndarray) -> int:
        """How many people's ratings these variables are made of in these rows."""
        frame, cells, n_waves = self.frame, self.cells, len(self.frame.waves)
        wanted = np.zeros(len(self.value), dtype=bool)
        wanted[rows] = True
        used = np.zeros(len(cells.n), dtype=bool)
        for name in names:
            facet = 0 if name == PERCEIVER else frame.facets.index(name)
            end = cells.rater if name == PERCEIVER else cells.target
            used |= (cells.facet == facet) & wanted[end * n_waves + cells.wave]
        scored = cells.of_rating >= 0
        counted = scored & used[np.where(scored, cells.of_rating, 0)]
        return len(np.unique(frame.respondent_of_rating[counted]))


def plain_unit_means(frame: Frame, score: np.ndarray) -> UnitMeans:
    """What a researcher would correlate: plain means.

    A unit as others see it is the mean over rater units of their staff's mean, so that a large unit does not
    count for more than a small one; `perceiver` is the mean over target units in the same way.
    """
    cells = cells_of(frame, score)
    maps = _own_staff(frame, cells)
    if len(cells.relations):
        for name, end in ((frame.facets[0], cells.target), (PERCEIVER, cells.rater)):
            row = (end * len(frame.waves) + cells.wave)[cells.relations]
            count = np.bincount(row, minlength=_n_rows(frame))
            maps[name] = _map(frame, cells, row, cells.relations, 1 / count[row])
    return _unit_means(frame, cells, maps)


def fitted_unit_means(frame: Frame, score: np.ndarray) -> UnitMeans:
    """Means in which who happens to rate whom makes no difference.

    A relation's mean is the sum of how its rater unit sees others and how others see its target, by least
    squares in each wave (each relation counts once), so that a unit rated by lenient units does not seem
    better for it. Both are deviations with an arbitrary zero in each wave. Units that no chain of
    relations connects with the others cannot be compared with them and are left out.
    """
    cells = cells_of(frame, score)
    maps = _own_staff(frame, cells)
    notes: tuple[str, ...] = ()
    if len(cells.relations):
        of_target, of_rater, n_apart = _sides(frame, cells)
        maps |= {frame.facets[0]: of_target, PERCEIVER: of_rater}
        if n_apart:
            notes = (f"{n_apart} relations are not connected with the others and are left out",)
    return _unit_means(frame, cells, maps, notes)


def unit_covariates(frame: Frame) -> np.ndarray:
    """(U, C) attributes of units that the model holds constant, as it codes them."""
    columns: dict[str, np.ndarray] = {}
    for position, name in enumerate(frame.covariates):
        facet, _, attribute = name.partition(":")
        if not attribute.startswith("target."):
            continue
        about = frame.facet_of_rating == frame.facets.index(facet)
        values = columns.setdefault(attribute, np.zeros(len(frame.units)))
        values[frame.target_of_rating[about]] = frame.covariates_of_rating[about, position]
    return np.column_stack([*columns.values()]) if columns else np.zeros((len(frame.units), 0))


def _n_rows(frame: Frame) -> int:
    return len(frame.units) * len(frame.waves)


def _map(frame: Frame, cells: Cells, row: np.ndarray, cell: np.ndarray, weight: np.ndarray) -> csr_array:
    return coo_array((weight, (row, cell)), shape=(_n_rows(frame), len(cells.n))).tocsr()


def _own_staff(frame: Frame, cells: Cells) -> dict[str, csr_array]:
    """Each unit's mean of its own staff, by facet."""
    maps = {}
    for facet, name in enumerate(frame.facets):
        here = np.flatnonzero((cells.facet == facet) & (cells.rater == cells.target))
        row = cells.target[here] * len(frame.waves) + cells.wave[here]
        maps[name] = _map(frame, cells, row, here, np.ones(len(here)))
    return maps


def _sides(frame: Frame, cells: Cells) -> tuple[csr_array, csr_array, int]:
    """Weights of relations in target and rater sides, and how many relations are left out."""
    n, n_waves, n_apart = len(frame.units), len(frame.waves), 0
    rows: list[np.ndarray] = []
    at: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    for wave in range(n_waves):
        here = cells.relations[cells.wave[cells.relations] == wave]
        if not len(here):
            continue
        ends = np.column_stack([cells.rater[here], n + cells.target[here]])
        graph = coo_array((np.ones(len(here)), ends.T), shape=(2 * n, 2 * n))
        part = connected_components(graph, directed=False)[1][ends[:, 0]]
        kept = part == np.bincount(part).argmax()
        n_apart += int((~kept).sum())
        here, ends = here[kept], ends[kept]
        nodes, column = np.unique(ends, return_inverse=True)
        design = np.zeros((len(here), len(nodes)))
        for end in column.reshape(ends.shape).T:
            design[np.arange(len(here)), end] = 1.0
        inverse = np.linalg.pinv(design)
        node_row = (nodes % n) * n_waves + wave + np.where(nodes < n, _n_rows(frame), 0)
        rows.append(np.repeat(node_row, len(here)))
        at.append(np.tile(here, len(nodes)))
        weights.append(inverse.ravel())
    shape = (2 * _n_rows(frame), len(cells.n))
    both = coo_array(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(at))), shape=shape
    ).tocsr()
    return both[: _n_rows(frame)], both[_n_rows(frame) :], n_apart


def _unit_means(
    frame: Frame, cells: Cells, maps: dict[str, csr_array], notes: tuple[str, ...] = ()
) -> UnitMeans:
    names = tuple(maps)
    value = np.full((_n_rows(frame), len(names)), np.nan)
    for v, name in enumerate(names):
        seen = np.diff(maps[name].indptr) > 0
        value[seen, v] = (maps[name] @ cells.mean)[seen]
    return UnitMeans(frame, cells, names, maps, value, notes)
