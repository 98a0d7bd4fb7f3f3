"""Columns of the design matrix that let cohorts differ in level, and exposed relations from others.

Levels and effects have a main column each and, around it, columns of cohorts and waves with narrower priors:
a saturated model in which what few relations tell is drawn towards the whole. So cohorts may start from
other levels (Mundlak 1978), effects may differ by cohort and grow with time, and no relation that is already
exposed serves as a comparison (Wooldridge 2021; Borusyak, Jaravel & Spiess 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.models.exposure import BOTH_ENDS, COMPARISON, RATER_END, SPILLOVER, TARGET_END, Exposure

LEVEL, EFFECT, LEAD = "level", "effect", "lead"
INTERACTION = "interaction"
_COHORT, _PAIR = 0.5, 0.25
"""Prior sd of what a cohort in a wave, or a pair of cohorts, adds, relative to that of a main column."""


@dataclass(frozen=True)
class Column:
    """One column: 0 outside its cohorts and wave, `scale` times its variable inside.

    role : level, effect or lead · variable : at which end, or `interaction`
    component : position, −1 for the whole programme · cohort_rater, cohort_target, wave : None for all
    event : of a lead, waves to the start
    """

    role: str
    variable: str
    component: int = -1
    cohort_rater: int | None = None
    cohort_target: int | None = None
    wave: int | None = None
    event: int | None = None
    scale: float = 1.0

    def name(self, exposure: Exposure) -> str:
        waves = (*exposure.waves, "never")
        parts = [self.role, self.variable]
        if self.component >= 0 and len(exposure.components) > 1:
            parts.append(exposure.components[self.component])
        cohorts = [waves[c] for c in (self.cohort_rater, self.cohort_target) if c is not None]
        parts += ["→".join(cohorts)] if cohorts else []
        parts += [waves[self.wave]] if self.wave is not None else []
        parts += [str(self.event)] if self.event is not None else []
        return ":".join(parts)


@dataclass(frozen=True)
class Doses:
    """What acts at the ends of some cells, and may be changed to ask what would have been.

    rater, target : (K, N) dose of each component · spillover : (N,) 0 or 1
    """

    rater: np.ndarray
    target: np.ndarray
    spillover: np.ndarray

    def without(self, *ends: str, component: int | None = None) -> Doses:
        """The same with nothing at some of the ends `rater`, `target`, `spillover`, or of one component."""

        def emptied(end: str, dose: np.ndarray) -> np.ndarray:
            if end not in ends:
                return dose
            gone = np.ones(len(dose), dtype=bool) if component is None else np.arange(len(dose)) == component
            return np.where(gone[:, None], 0.0, dose)

        spillover = np.zeros_like(self.spillover) if "spillover" in ends else self.spillover
        return Doses(emptied("rater", self.rater), emptied("target", self.target), spillover)


def doses(exposure: Exposure, cells: pd.DataFrame) -> Doses:
    """What acts on each cell."""
    rater, target, wave = (cells[name].to_numpy() for name in ("rater", "target", "wave"))
    spillover = (cells["kind"] == SPILLOVER).to_numpy(dtype=float)
    return Doses(exposure.dose[:, rater, wave], exposure.dose[:, target, wave], spillover)


def level_columns(exposure: Exposure, cells: pd.DataFrame, *, own: bool) -> tuple[Column, ...]:
    """Levels of cohorts at either end, of their pairs, and of relations that are ever in the spillover set.

    own : the cells are units that rate themselves
    """
    pairs = cells[["cohort_rater", "cohort_target"]]
    base = int(pd.concat([pairs["cohort_rater"], pairs["cohort_target"]]).mode()[0])
    found = []
    for cohort in ("cohort_rater", "cohort_target")[: 1 if own else 2]:
        others = [g for g in np.unique(pairs[cohort]) if g != base]
        found += [Column(LEVEL, cohort.removeprefix("cohort_"), **{cohort: int(g)}) for g in others]
    if not own:
        both = pairs[(pairs != base).all(axis=1)].drop_duplicates().sort_values(list(pairs.columns))
        found += [
            Column(LEVEL, "pair", cohort_rater=int(r), cohort_target=int(t), scale=_COHORT)
            for r, t in both.itertuples(index=False)
        ]
        found.append(Column(LEVEL, SPILLOVER))
    return _distinct(tuple(found), exposure, cells)


def effect_columns(exposure: Exposure, cells: pd.DataFrame, *, own: bool) -> tuple[Column, ...]:
    """Effects of the programme, by kind of exposure, cohort and wave, without those that say the same.

    own : the cells are units that rate themselves
    """
    exposed = cells[cells["kind"] != COMPARISON]
    found = []
    mains = (BOTH_ENDS,) if own else (RATER_END, TARGET_END, INTERACTION)
    found += [
        Column(EFFECT, variable, component)
        for component in range(len(exposure.components))
        for variable in mains
    ]
    found += [Column(EFFECT, SPILLOVER)]
    pairs = exposed[["cohort_rater", "cohort_target", "wave", "kind"]].drop_duplicates()
    for variable, cohort in ((RATER_END, "cohort_rater"), (TARGET_END, "cohort_target")):
        if own:
            variable = BOTH_ENDS
        acts = pairs[pairs["kind"].isin([variable, BOTH_ENDS])]
        of_cohort = sorted(set(zip(acts[cohort].tolist(), acts["wave"].tolist())))
        found += [Column(EFFECT, variable, **{cohort: g}, wave=w, scale=_COHORT) for g, w in of_cohort]
    if not own:
        found += [
            Column(
                EFFECT,
                INTERACTION if row.kind == BOTH_ENDS else row.kind,
                cohort_rater=None if row.kind == SPILLOVER else row.cohort_rater,
                cohort_target=None if row.kind == SPILLOVER else row.cohort_target,
                wave=row.wave,
                scale=_PAIR,
            )
            for row in pairs.itertuples()
        ]
    return _distinct(tuple(found), exposure, cells)


def lead_columns(exposure: Exposure, cells: pd.DataFrame, *, own: bool) -> tuple[Column, ...]:
    """Differences of later cohorts before their start, by waves to it; the last wave before is the base."""
    ends = (BOTH_ENDS,) if own else (RATER_END, TARGET_END)
    starts = exposure.start[(exposure.start > 0) & (exposure.start < exposure.never)]
    events = sorted({int(w - g) for g in np.unique(starts) for w in range(g - 1)})
    columns = tuple(Column(LEAD, end, event=event) for end in ends for event in events)
    return _distinct(columns, exposure, cells)


def matrix(
    columns: tuple[Column, ...], exposure: Exposure, cells: pd.DataFrame, acting: Doses | None = None
) -> np.ndarray:
    """(cells, columns) of the design; `acting` instead of what acts on the cells in fact."""
    acting = doses(exposure, cells) if acting is None else acting
    if not columns:
        return np.zeros((len(cells), 0))
    return np.column_stack([_values(column, exposure, cells, acting) for column in columns])


def _distinct(columns: tuple[Column, ...], exposure: Exposure, cells: pd.DataFrame) -> tuple[Column, ...]:
    """Columns that are nowhere 0 only, and of those that are alike the first."""
    found: dict[bytes, Column] = {}
    for column, values in zip(columns, matrix(columns, exposure, cells).T):
        if values.any():
            found.setdefault((values / column.scale).tobytes(), column)
    return tuple(found.values())


def _values(column: Column, exposure: Exposure, cells: pd.DataFrame, acting: Doses) -> np.ndarray:
    inside = np.ones(len(cells), dtype=bool)
    for name in ("cohort_rater", "cohort_target", "wave"):
        wanted = getattr(column, name)
        if wanted is not None:
            inside &= (cells[name] == wanted).to_numpy()
    if column.role == LEAD:
        cohort = "cohort_target" if column.variable == TARGET_END else "cohort_rater"
        inside &= ((cells["wave"] - cells[cohort]) == column.event).to_numpy()
        inside &= (cells[cohort] < exposure.never).to_numpy()
        return inside.astype(float)
    if column.role == LEVEL:
        if column.variable == SPILLOVER:
            inside &= _ever_near(exposure, cells)
        return column.scale * inside
    if column.variable == SPILLOVER:
        return column.scale * inside * acting.spillover
    at_rater, at_target = (
        dose[column.component] if column.component >= 0 else dose.max(axis=0)
        for dose in (acting.rater, acting.target)
    )
    if column.variable == INTERACTION:
        dose = at_rater * at_target
    else:
        dose = at_target if column.variable == TARGET_END else at_rater
    return column.scale * inside * dose


def _ever_near(exposure: Exposure, cells: pd.DataFrame) -> np.ndarray:
    """Relations that are in the spillover set in some wave."""
    code = cells["rater"].to_numpy() * len(exposure.units) + cells["target"].to_numpy()
    return np.isin(code, code[(cells["kind"] == SPILLOVER).to_numpy()])
