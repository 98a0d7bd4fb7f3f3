"""Who is under a programme, since when, and which relations are compared with which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from relcap_models.data.survey import Survey
from relcap_models.errors import DataError, Problem
from relcap_models.schema.instrument import Declaration
from relcap_models.schema.problems import suggestion

Kind = Literal["dose", "component", "start"]
COMPARISON = ""
RATER_END, TARGET_END, BOTH_ENDS, SPILLOVER = "rater_end", "target_end", "both_ends", "spillover"
SINGLE_GROUP = "single_group"


class Spillover(Declaration):
    """Which relations between untreated units a programme may reach through their neighbours.

    A unit is *near* the programme once at least `share` of its partners are under it; partners are those that
    either side nominated in any wave, or rated where nobody nominated. A relation is in the spillover set if
    the unit at its `end` is near. Such relations are no comparisons.
    """

    end: Literal["either", "rater", "target"] = "either"
    share: float = Field(0.5, gt=0, le=1, description="of a unit's partners")


@dataclass(frozen=True)
class Exposure:
    """When each unit starts, and how much of the programme it gets.

    waves, units : with answers, in order · components : of the programme, one without a name where it is one
    start : (U,) position of the first wave under the programme, the number of waves for never
    dose : (K, U, W) of each component, 0 before its start · near : (U, W) whether the unit is near it
    spillover : as declared · cluster_of_unit : (U,) what was assigned as a whole, by number
    clusters : their names · assigned : what the clusters are
    """

    waves: tuple[str, ...]
    units: tuple[str, ...]
    components: tuple[str, ...]
    start: np.ndarray
    dose: np.ndarray
    near: np.ndarray
    spillover: Spillover | None
    cluster_of_unit: np.ndarray
    clusters: tuple[str, ...]
    assigned: Literal["district", "unit"]

    @property
    def never(self) -> int:
        """The cohort of units that never start."""
        return len(self.waves)

    @property
    def always(self) -> np.ndarray:
        """(U,) under the programme from the first wave on: nothing before to compare with."""
        return self.start == 0

    @property
    def n_clusters(self) -> tuple[int, int]:
        """How many clusters start during the study, and how many never do."""
        starts, never = (self.start > 0) & (self.start < self.never), self.start == self.never
        return len(set(self.cluster_of_unit[starts])), len(set(self.cluster_of_unit[never]))

    def cells(self, rater: np.ndarray, target: np.ndarray, wave: np.ndarray) -> pd.DataFrame:
        """What the programme is to relations in waves, given as positions; own units are a relation too.

        Returns
        -------
        One row each with `rater, target, wave`, the cohorts `cohort_rater, cohort_target` (positions of
        waves), `kind` of exposure (empty for a comparison), the position of the wave of its start `group`
        (−1 for comparisons) and `event`, waves since then.
        """
        active = self.dose.max(axis=0) > 0
        of_rater, of_target = active[rater, wave], active[target, wave]
        first, second = self.start[rater], self.start[target]
        kind = np.full(len(wave), COMPARISON, dtype=object)
        group = np.full(len(wave), -1)
        near, reached = self._reached(rater, target, wave)
        kind[near], group[near] = SPILLOVER, reached[near]
        for name, here, begun in (
            (RATER_END, of_rater & ~of_target, first),
            (TARGET_END, of_target & ~of_rater, second),
            (BOTH_ENDS, of_rater & of_target, np.maximum(first, second)),
        ):
            kind[here], group[here] = name, begun[here]
        return pd.DataFrame(
            {
                "rater": rater,
                "target": target,
                "wave": wave,
                "cohort_rater": first,
                "cohort_target": second,
                "kind": kind,
                "group": group,
                "event": np.where(group >= 0, wave - group, 0),
            }
        )

    def comparable(self, cells: pd.DataFrame) -> np.ndarray:
        """Which cells can be told something of: neither end always in the programme, and comparisons in the
        same wave. All, where there are no comparisons in any wave with exposed relations."""
        always = self.always[cells["rater"]] | self.always[cells["target"]]
        compared = np.zeros(len(self.waves), dtype=bool)
        compared[cells["wave"][(cells["kind"] == COMPARISON) & ~always]] = True
        exposed = (cells["kind"] != COMPARISON).to_numpy()
        if not compared[cells["wave"][exposed & ~always]].any():
            return ~always
        return ~always & (~exposed | compared[cells["wave"]])

    def design(self, cells: pd.DataFrame) -> str:
        """two_waves, event_study, staggered, stepped_wedge, or single_group where nobody can be compared."""
        kept = cells[self.comparable(cells)]
        exposed = kept[kept["kind"] != COMPARISON]
        compared = np.unique(kept["wave"][kept["kind"] == COMPARISON])
        if not np.isin(exposed["wave"], compared).any():
            return SINGLE_GROUP
        starts = np.unique(self.start[(self.start > 0) & (self.start < self.never)])
        if not (self.start == self.never).any():
            return "stepped_wedge"
        if len(starts) > 1:
            return "staggered"
        return "two_waves" if len(self.waves) == 2 else "event_study"

    def _reached(
        self, rater: np.ndarray, target: np.ndarray, wave: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Whether each relation is in the spillover set in its wave, and the first wave in which it is."""
        if self.spillover is None:
            return np.zeros(len(wave), dtype=bool), np.full(len(wave), -1)
        near = np.zeros((len(wave), len(self.waves)), dtype=bool)
        for end, unit in (("rater", rater), ("target", target)):
            if self.spillover.end in (end, "either"):
                near |= self.near[unit]
        return near[np.arange(len(wave)), wave], near.argmax(axis=1)


def read_exposure(
    programme: str,
    survey: Survey,
    answers: pd.DataFrame,
    *,
    kind: Kind,
    spillover: Spillover | None,
    analysis: str,
) -> Exposure:
    """The exposure of the units in some of a survey's answers.

    Raises
    ------
    DataError
        If the programme is not in the table of programmes, doses or components are absent, or no unit starts
        after the first wave.
    """
    waves = tuple(w.id for w in survey.waves if (answers["wave"] == w.id).any())
    order = {w.id: position for position, w in enumerate(survey.waves)}
    there = np.array([order[w] for w in waves])
    seen = {u for end in ("rater_unit", "target_unit") for u in pd.unique(answers[end].astype(str))}
    units = tuple(u for u in survey.units["unit_id"].astype(str) if u in seen)
    rows = survey.programmes[survey.programmes["programme"].astype(str) == programme]
    _check_rows(rows, programme, survey, kind=kind, analysis=analysis)
    rows = rows[rows["unit_id"].astype(str).isin(units)]
    unit = pd.Index(units).get_indexer(rows["unit_id"].astype(str))
    begun = np.array([int((there < order[str(w)]).sum()) for w in rows["start_wave"]], dtype=int)
    start = np.full(len(units), len(waves))
    np.minimum.at(start, unit, begun)
    if not ((start > 0) & (start < len(waves))).any():
        raise DataError(
            problems=[
                Problem(
                    "programmes",
                    f"analysis '{analysis}': of the units with answers none starts '{programme}' after the "
                    f"first wave and by the last ({waves[0]} to {waves[-1]}), so nothing can change with it",
                    "Check start_wave, or remove the analysis",
                    column="start_wave",
                )
            ]
        )
    names = rows["component"].astype(str) if kind == "component" else pd.Series([""] * len(rows), dtype=str)
    components = tuple(dict.fromkeys(names))
    amount = rows["dose"].to_numpy(dtype=float) if kind == "dose" else np.ones(len(rows))
    dose = np.zeros((len(components), len(units), len(waves)))
    for k, u, first, size in zip(pd.Index(components).get_indexer(names), unit, begun, amount):
        dose[k, u, first:] = size
    cluster_of_unit, clusters, assigned = _clusters(survey, units, start)
    return Exposure(
        waves=waves,
        units=units,
        components=components,
        start=start,
        dose=dose,
        near=_near(survey, units, dose.max(axis=0) > 0, spillover),
        spillover=spillover,
        cluster_of_unit=cluster_of_unit,
        clusters=clusters,
        assigned=assigned,
    )


def _check_rows(rows: pd.DataFrame, programme: str, survey: Survey, *, kind: Kind, analysis: str) -> None:
    if rows.empty:
        known = pd.unique(survey.programmes["programme"].astype(str))
        remedy = suggestion(programme, known, what="programmes of the table")
        problem = Problem(
            "programmes", f"analysis '{analysis}': no unit is in the programme '{programme}'", remedy
        )
        raise DataError(problems=[problem])
    if kind == "start":
        return
    absent = kind not in rows or rows[kind].isna().any()
    if absent or (kind == "dose" and not (rows["dose"].astype(float) > 0).all()):
        raise DataError(
            problems=[
                Problem(
                    "programmes",
                    f"analysis '{analysis}' takes the exposure by {kind}, and not every row of the programme "
                    f"'{programme}' has {'one above 0' if kind == 'dose' else 'one'}",
                    "Fill the column in, or use exposure: start",
                    column=kind,
                )
            ]
        )


def _clusters(
    survey: Survey, units: tuple[str, ...], start: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...], Literal["district", "unit"]]:
    """Districts, if each started as a whole and several units make one; else units."""
    table = survey.units.set_index(survey.units["unit_id"].astype(str)).reindex(list(units))
    if "district" in table and table["district"].notna().all():
        code, names = pd.factorize(table["district"].astype(str))
        whole = pd.Series(start).groupby(code).nunique().max() == 1
        # Where all start at once, whether districts started as a whole cannot be seen.
        if whole and len(names) < len(units) and len(np.unique(start)) > 1:
            return code, tuple(names), "district"
    return np.arange(len(units)), units, "unit"


def _near(
    survey: Survey, units: tuple[str, ...], active: np.ndarray, spillover: Spillover | None
) -> np.ndarray:
    """(U, W) whether enough of a unit's partners are under the programme."""
    if spillover is None:
        return np.zeros(active.shape, dtype=bool)
    named = survey.nominations if len(survey.nominations) else survey.responses
    known = pd.Index(units)
    a, b = (known.get_indexer(named[end].astype(str)) for end in ("rater_unit", "target_unit"))
    partners = np.zeros((len(units), len(units)))
    inside = (a >= 0) & (b >= 0) & (a != b)
    partners[a[inside], b[inside]] = partners[b[inside], a[inside]] = 1.0
    count = partners.sum(axis=1, keepdims=True)
    return (partners @ active >= spillover.share * count - 1e-9) & (count > 0)
