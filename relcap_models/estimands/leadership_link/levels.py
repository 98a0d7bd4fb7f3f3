"""Between units and within them over waves: what a regression of each level sees of unit means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from relcap_models.estimands.leadership_link.unit_means import UnitMeans

LevelName = Literal["between", "within"]
LEAST_FREEDOM = 2
"""Units left over beyond a regression's coefficients; with fewer an error has no meaning."""


@dataclass(frozen=True)
class Level:
    """The observations of one level as weighted sums of unit means.

    rows : (n,) rows of `UnitMeans` that take part · transform : (m, n) · controls : (m, q) orthonormal: the
    constant and covariates, or waves · unit : (m,) unit of each observation
    """

    name: LevelName
    rows: np.ndarray
    transform: np.ndarray
    controls: np.ndarray
    unit: np.ndarray

    @property
    def n_units(self) -> int:
        return len(np.unique(self.unit))

    def freedom(self, n_predictors: int) -> int:
        """Units beyond those that coefficients use up; of a level within units one for the waves' means."""
        used = 1 if self.name == "within" else self.controls.shape[1]
        return self.n_units - used - n_predictors

    def without_controls(self, values: np.ndarray) -> np.ndarray:
        """What controls leave of (m, …) values."""
        return values - self.controls @ (self.controls.T @ values)


def levels_of(means: UnitMeans, names: tuple[str, ...], covariates: np.ndarray) -> list[Level]:
    """Between units, and within where some are seen in two waves or more; all variables must be seen."""
    rows = means.complete(names)
    found = [_between(means, rows, covariates)]
    if len(means.frame.waves) > 1:
        found.append(_within(means, rows))
    return found


def _between(means: UnitMeans, rows: np.ndarray, covariates: np.ndarray) -> Level:
    """Units' means over waves, freed of wave effects where units miss waves."""
    unit, of_row = np.unique(means.unit[rows], return_inverse=True)
    dummies = np.eye(len(unit))[of_row]
    # Wave effects sum to zero within each unit that is seen in all waves: its mean is the plain one.
    waves = wave_contrasts(means.wave[rows])
    transform = np.linalg.pinv(np.column_stack([dummies, waves]))[: len(unit)]
    controls = np.column_stack([np.ones(len(unit)), covariates[unit]])
    kept = np.arange(len(unit))
    while len(kept):
        basis = _basis(controls[kept])
        left = 1 - (basis**2).sum(axis=1) > 1e-9
        if left.all():
            return Level("between", rows, transform[kept], basis, unit[kept])
        # A unit that is alone in its category says nothing about the others' slope.
        kept = kept[left]
    return Level("between", rows, np.zeros((0, len(rows))), np.zeros((0, 1)), unit[:0])


def _within(means: UnitMeans, rows: np.ndarray) -> Level:
    """Deviations of waves from the unit's mean."""
    _, of_row, count = np.unique(means.unit[rows], return_inverse=True, return_counts=True)
    rows = rows[count[of_row] > 1]
    _, of_row, count = np.unique(means.unit[rows], return_inverse=True, return_counts=True)
    same = of_row[:, None] == of_row
    transform = np.eye(len(rows)) - same / count[of_row]
    controls = _basis(transform @ wave_contrasts(means.wave[rows]))
    return Level("within", rows, transform, controls, means.unit[rows])


def wave_contrasts(wave: np.ndarray) -> np.ndarray:
    """(n, W − 1) effects of waves that sum to zero."""
    present, at = np.unique(wave, return_inverse=True)
    return (np.eye(len(present)) - 1 / max(len(present), 1))[at][:, :-1]


def _basis(columns: np.ndarray) -> np.ndarray:
    """Orthonormal columns that span the same."""
    if not columns.size:
        return np.zeros((len(columns), 0))
    left, size, _ = np.linalg.svd(columns, full_matrices=False)
    return left[:, size > 1e-9 * max(size[0], 1e-300)]
