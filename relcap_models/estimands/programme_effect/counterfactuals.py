"""What the exposed relations would have been rated without the programme, draw by draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.estimands.cells import Scores, noise_variance, scores
from relcap_models.inference.fit import Fit
from relcap_models.models import latent
from relcap_models.models.exposure import BOTH_ENDS, COMPARISON, RATER_END, SPILLOVER, TARGET_END
from relcap_models.models.exposure_columns import INTERACTION, LEAD, doses, matrix
from relcap_models.models.programme_effect import Exposed, cells_of


@dataclass(frozen=True)
class Contrast:
    """Draws of a difference in each of X relations and waves: latent (S, X, D), the others (S, X, Q).

    estimand : what differs · component : of the programme, empty for all of it · cells : X rows, see
    `Exposure.cells`
    """

    estimand: str
    component: str
    cells: pd.DataFrame
    latent: np.ndarray
    points: np.ndarray
    favourable: np.ndarray


def rated_cells(exposed: Exposed) -> pd.DataFrame:
    """What the programme is to each relation in each wave in which somebody rated it."""
    cells = cells_of(exposed.exposure, exposed.frame)
    return cells.drop_duplicates(["rater", "target", "wave"]).reset_index(drop=True)


def effects(fit: Fit, exposed: Exposed) -> Iterator[Contrast]:
    """Of each estimand, actual minus counterfactual over the relations that were so exposed.

    `rater_end`, `target_end`, `both_ends` and `spillover` compare with no programme at all, `interaction`
    says what both ends together add to the sum of either alone. Where the programme has components, each
    again, compared with the programme without it.
    """
    cells = rated_cells(exposed)
    for kind in (RATER_END, TARGET_END, BOTH_ENDS, SPILLOVER):
        here = cells[cells["kind"] == kind].reset_index(drop=True)
        if here.empty:
            continue
        ends = ("spillover",) if kind == SPILLOVER else ("rater", "target")
        yield _contrast(fit, exposed, here, kind, "", [(1, ()), (-1, ends)])
        if kind == BOTH_ENDS and not exposed.own and _tells_interaction(cells):
            terms = [(1, ()), (-1, ("rater",)), (-1, ("target",)), (1, ("rater", "target"))]
            yield _contrast(fit, exposed, here, INTERACTION, "", terms)
        for k, component in enumerate(exposed.exposure.components if kind != SPILLOVER else ()):
            if len(exposed.exposure.components) > 1:
                yield from _of_component(fit, exposed, here, kind, component, k)


def leads(fit: Fit, exposed: Exposed) -> Iterator[tuple[int, Contrast]]:
    """Of each end and each wave before the start, how relations yet to be exposed differed from the others,
    beyond what they did in the last wave before it."""
    cells, n_covariates = rated_cells(exposed), len(exposed.frame.covariates) - len(exposed.columns)
    for position, column in enumerate(exposed.columns):
        if column.role != LEAD:
            continue
        acts = matrix((column,), exposed.exposure, cells)[:, 0] != 0
        here = cells[acts].reset_index(drop=True)
        coefficient = fit.draws("beta")[:, None, n_covariates + position]
        shift = np.broadcast_to(coefficient, (len(coefficient), len(here), coefficient.shape[-1]))
        yield (
            column.event,
            _shifted(fit, here, column.variable, "", [(1, np.zeros_like(shift)), (-1, -shift)]),
        )


def changes(fit: Fit, exposed: Exposed) -> Contrast:
    """Of a single group: each relation's score minus its own in the last wave before the start.

    Of relations that were rated then and later. A change, with everything else that changed in it.
    """
    cells = rated_cells(exposed)
    first = int(exposed.exposure.start.min())
    later = cells[cells["kind"] != COMPARISON]
    before = cells[cells["wave"] == first - 1]
    both = later.merge(before[["rater", "target"]], on=["rater", "target"]).reset_index(drop=True)
    variance = noise_variance(fit)
    now, then = _location(fit, both), _location(fit, both.assign(wave=first - 1))
    after, earlier = scores(fit, now, variance), scores(fit, then, variance)
    return Contrast(
        "change", "", both, now - then, after.points - earlier.points, after.favourable - earlier.favourable
    )


def _tells_interaction(cells: pd.DataFrame) -> bool:
    """Both ends can only be more than the sum of either if either is seen alone."""
    return {RATER_END, TARGET_END} <= set(cells["kind"])


def _of_component(
    fit: Fit, exposed: Exposed, cells: pd.DataFrame, kind: str, component: str, k: int
) -> Iterator[Contrast]:
    acting = doses(exposed.exposure, cells)
    has = np.zeros(len(cells), dtype=bool)
    if kind != TARGET_END:
        has |= acting.rater[k] > 0
    if kind != RATER_END:
        has |= acting.target[k] > 0
    here = cells[has].reset_index(drop=True)
    if len(here):
        terms = [(1, ()), (-1, ("rater", "target"))]
        yield _contrast(fit, exposed, here, kind, component, terms, component_position=k)


def _contrast(
    fit: Fit,
    exposed: Exposed,
    cells: pd.DataFrame,
    estimand: str,
    component: str,
    terms: list[tuple[int, tuple[str, ...]]],
    *,
    component_position: int | None = None,
) -> Contrast:
    """terms : sign, and the ends at which there is nothing."""
    acting = doses(exposed.exposure, cells)
    actual = matrix(exposed.columns, exposed.exposure, cells)
    beta = fit.draws("beta")[:, len(exposed.frame.covariates) - len(exposed.columns) :]
    shifts = []
    for sign, ends in terms:
        changed = acting.without(*ends, component=component_position)
        lost = matrix(exposed.columns, exposed.exposure, cells, changed) - actual
        shifts.append((sign, np.einsum("xc,scd->sxd", lost, beta)))
    return _shifted(fit, cells, estimand, component, shifts)


def _shifted(
    fit: Fit, cells: pd.DataFrame, estimand: str, component: str, shifts: list[tuple[int, np.ndarray]]
) -> Contrast:
    """The sum of signed scores, each at the actual location moved by its shift."""
    location, variance = _location(fit, cells), noise_variance(fit)
    found: list[tuple[int, Scores]] = [(sign, scores(fit, location + by, variance)) for sign, by in shifts]
    return Contrast(
        estimand,
        component,
        cells,
        sum(sign * by for sign, by in shifts),
        sum(sign * score.points for sign, score in found),
        sum(sign * score.favourable for sign, score in found),
    )


def _location(fit: Fit, cells: pd.DataFrame) -> np.ndarray:
    """(S, X, D) latent means of these relations in these waves."""
    frame, wave = fit.frame, cells["wave"].to_numpy()
    rater, target = cells["rater"].to_numpy(), cells["target"].to_numpy()
    if frame.own.all():
        location = latent.own_location(fit.draws, frame, fit.structure)[:, rater, wave]
        if not frame.covariates:
            return location
        code = rater * len(frame.waves) + wave
        _, first = np.unique(
            frame.rater_of_rating * len(frame.waves) + frame.wave_of_rating, return_index=True
        )
        known = np.full(len(frame.units) * len(frame.waves), -1)
        known[frame.rater_of_rating[first] * len(frame.waves) + frame.wave_of_rating[first]] = first
        return location + np.einsum("xc,scd->sxd", frame.covariates_of_rating[known[code]], fit.draws("beta"))
    n_units = len(frame.units)
    codes = frame.rater_of_relation * n_units + frame.target_of_relation
    relation = np.searchsorted(codes, rater * n_units + target)
    return latent.relation_location(fit.draws, frame, fit.structure)[:, relation, wave]
