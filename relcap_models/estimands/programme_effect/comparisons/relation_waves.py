"""Relations in waves: their mean answer, and what the programme is to them, for regressions on means."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from relcap_models.estimands.naive import OVERALL
from relcap_models.models.exposure import (
    BOTH_ENDS,
    COMPARISON,
    RATER_END,
    SINGLE_GROUP,
    SPILLOVER,
    TARGET_END,
    Exposure,
)
from relcap_models.models.frame import Frame
from relcap_models.models.programme_effect import Exposed

CHANGE = "change"
"""The estimand of a single group: a change since before the start, not an effect."""
BASE = ""
"""The estimand of relation-waves that say how ratings change without the programme."""


def outcomes(frame: Frame) -> list[str]:
    """Columns of means: the dimensions, and `overall` where there are several."""
    return [*frame.dimensions, *([OVERALL] if len(frame.dimensions) > 1 else [])]


def whole(frame: Frame) -> str:
    """The column of means over all items."""
    return outcomes(frame)[-1]


def relation_waves(
    exposed: Exposed,
    *,
    weight_of_respondent: np.ndarray | None = None,
    without_items: Collection[str] = (),
) -> pd.DataFrame:
    """A row for each relation in each wave in which somebody rated it.

    weight_of_respondent : what each respondent's answers count; all the same without, and 0 leaves out
    without_items : left out of the means

    Returns
    -------
    The columns of `Exposure.cells`, and

    relation : its number · cluster_rater, cluster_target : what was assigned as a whole at its ends
    ever : the kind of its first exposure, `since` : the wave of that (empty and −1 for never), seen or not
    estimand : what the row tells: a kind of exposure, or nothing (`BASE`); of a single group `change`
    a column for each of `outcomes`: the mean in points over its items, each with one weight
    """
    frame, exposure = exposed.frame, exposed.exposure
    cell_of_rating, cells = _cells(exposed)
    weight = np.ones(len(frame.respondents)) if weight_of_respondent is None else weight_of_respondent
    rating = frame.rating_of_response
    item = frame.item_of_response
    counted = weight[frame.respondent_of_rating[rating]]
    shape = (len(cells), len(frame.items))
    at = np.ravel_multi_index((cell_of_rating[rating], item), shape)
    points = frame.answer + frame.minimum_of_item[item]
    sums = np.bincount(at, counted * points, minlength=np.prod(shape)).reshape(shape)
    weights = np.bincount(at, counted, minlength=np.prod(shape)).reshape(shape)
    means = np.divide(sums, weights, where=weights > 0, out=np.full(shape, np.nan))
    for name in outcomes(frame):
        items = np.array([name in (OVERALL, one.dimension) for one in frame.instrument.items])
        items &= ~np.isin(frame.items, list(without_items))
        cells[name] = pd.DataFrame(means[:, items]).mean(axis=1)
    cells = cells[cells[whole(frame)].notna()].reset_index(drop=True)
    cells["cluster_rater"] = exposure.cluster_of_unit[cells["rater"]]
    cells["cluster_target"] = exposure.cluster_of_unit[cells["target"]]
    return told(cells, exposure, single_group=exposed.design == SINGLE_GROUP)


def told(cells: pd.DataFrame, exposure: Exposure, *, single_group: bool) -> pd.DataFrame:
    """The rows with what each tells, and with the first exposure of its relation."""
    first, second = (cells[f"cohort_{end}"].to_numpy() for end in ("rater", "target"))
    since = np.minimum(first, second)
    ever = np.select([first == second, first < second], [BOTH_ENDS, RATER_END], TARGET_END).astype(object)
    reached = cells[cells["kind"] == SPILLOVER].groupby("relation")["group"].min()
    reached = reached.reindex(cells["relation"], fill_value=exposure.never).to_numpy()
    ever, since = np.where(reached < since, SPILLOVER, ever), np.minimum(reached, since)
    never = since == exposure.never
    rows = cells.assign(
        estimand=cells["kind"], ever=np.where(never, BASE, ever), since=np.where(never, -1, since)
    )
    if single_group:
        # Nobody tells of other waves than the last before the start: see `counterfactuals.changes`.
        rows.loc[rows["estimand"] != COMPARISON, "estimand"] = CHANGE
        rows.loc[~never, "ever"] = CHANGE
        rows = rows[(rows["estimand"] == CHANGE) | (rows["wave"] == exposure.start.min() - 1)]
    return rows.reset_index(drop=True)


def exposed_units(rows: pd.DataFrame) -> pd.DataFrame:
    """`unit` and `cluster` at the ends of relations that the programme reaches, once for each row and end."""
    ends = []
    for end, other in (("rater", "target_end"), ("target", "rater_end")):
        here = rows[rows["kind"] != other]
        ends.append(pd.DataFrame({"unit": here[end], "cluster": here[f"cluster_{end}"]}))
    return pd.concat(ends, ignore_index=True)


def without_spillover(rows: pd.DataFrame) -> pd.DataFrame:
    """Only relations that are in the spillover set in no wave."""
    return rows[~rows["relation"].isin(rows["relation"][rows["kind"] == SPILLOVER])]


def _cells(exposed: Exposed) -> tuple[np.ndarray, pd.DataFrame]:
    """The relation-wave of each rating, and what the programme is to each of these."""
    frame = exposed.frame
    n_units, n_waves = len(frame.units), len(frame.waves)
    code = (frame.rater_of_rating * n_units + frame.target_of_rating) * n_waves + frame.wave_of_rating
    codes, cell_of_rating = np.unique(code, return_inverse=True)
    relation, wave = np.divmod(codes, n_waves)
    cells = exposed.exposure.cells(*np.divmod(relation, n_units), wave)
    return cell_of_rating, cells.assign(relation=relation)
