"""Change between waves: of the organisation, of units and of relations. Change, not effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.estimands.cells import quantities, unit_names
from relcap_models.estimands.estimate import Estimate, by_chain, columns
from relcap_models.estimands.naive import beside, naive_table, responses_of
from relcap_models.estimands.relation_scores import RelationScores
from relcap_models.estimands.unit_scores import UnitScores
from relcap_models.inference.fit import Fit

COLUMNS = columns(
    "analysis level role rater_unit target_unit dimension wave_from wave_to",
    "mean sd lower upper ci_prob naive_change n_respondents_from n_respondents_to suppressed",
    "ci_kind median goal prob_positive prob_above_goal mcse ess ess_tail rhat",
)


def change_table(
    relations: RelationScores | None, units: Sequence[UnitScores], *, ci_prob: float, goal: float
) -> pd.DataFrame:
    """Later minus earlier score, for consecutive waves and from the first to the last.

    goal : change set in advance, in points; `prob_above_goal` is P(change > goal).
    The organisation's change is the mean over the relations (in a climate analysis: units) rated in both
    waves, and its naive change is that of all answers about these. `naive_change` is blank where nobody
    answered an item of the dimension in one of the waves.
    """
    series = [_of_relations(relations)] if relations is not None else []
    series += [_of_units(scores) for scores in units]
    parts = [table for s in series for table in _changes(s, ci_prob=ci_prob, goal=goal)]
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


@dataclass(frozen=True)
class _Series:
    """Scores over waves of relations, or of units in one role.

    key, wave : (X,) codes of what is followed, and when · points : (S, X, Q) · rater, target : (X,) names or
    empty · responses : with the code in `key` · stands_for_all : its mean is the organisation's
    """

    fit: Fit
    level: str
    role: str
    key: np.ndarray
    wave: np.ndarray
    points: np.ndarray
    rater: np.ndarray
    target: np.ndarray
    responses: pd.DataFrame
    stands_for_all: bool


def _of_relations(estimates: RelationScores) -> _Series:
    fit, frame = estimates.fit, estimates.fit.frame
    responses = responses_of(frame)
    return _Series(
        fit,
        level="relation",
        role="",
        key=estimates.relation,
        wave=estimates.wave,
        points=estimates.scores.points,
        rater=unit_names(fit)[frame.rater_of_relation[estimates.relation]],
        target=unit_names(fit)[frame.target_of_relation[estimates.relation]],
        responses=responses.assign(key=responses["relation"]),
        stands_for_all=True,
    )


def _of_units(estimates: UnitScores) -> _Series:
    names = unit_names(estimates.fit)[estimates.unit]
    nobody = np.full(len(names), "", dtype=object)
    responses = estimates.responses()
    return _Series(
        estimates.fit,
        level="unit",
        role=estimates.role,
        key=estimates.unit,
        wave=estimates.wave,
        points=estimates.scores.points,
        rater=nobody if estimates.role == "seen_by_others" else names,
        target=nobody if estimates.role == "as_rater" else names,
        responses=responses.assign(key=responses["unit"]),
        stands_for_all=estimates.role == "own_staff",
    )


def _changes(series: _Series, *, ci_prob: float, goal: float) -> Iterator[pd.DataFrame]:
    fit, frame = series.fit, series.fit.frame
    naive = naive_table(frame, series.responses, ["wave", "key"])
    for before, after in _steps(len(frame.waves)):
        a, b = _matched(series, before, after)
        if not len(a):
            continue
        key = series.key[a]
        labels = pd.DataFrame(
            {
                "level": series.level,
                "role": series.role,
                "rater_unit": series.rater[a],
                "target_unit": series.target[a],
            }
        )
        everyone = pd.DataFrame({"level": ["organisation"], "role": "", "rater_unit": "", "target_unit": ""})
        in_both = series.responses[series.responses["key"].isin(key)]
        naive_of_all = naive_table(frame, in_both, ["wave"])
        for q, name in enumerate(quantities(fit)):
            change = series.points[:, b, q] - series.points[:, a, q]
            rows = [(labels, change, naive, {"key": key})]
            if series.stands_for_all:
                rows.append((everyone, change.mean(axis=1, keepdims=True), naive_of_all, {}))
            for named, draws, means, cells in rows:
                sides = [
                    beside(means, pd.DataFrame({"dimension": name, "wave": w, **cells}, index=named.index))
                    for w in (before, after)
                ]
                named = named.assign(
                    analysis=fit.model.id,
                    dimension=name,
                    wave_from=frame.waves[before],
                    wave_to=frame.waves[after],
                )
                yield _rows(fit, named, draws, sides, ci_prob=ci_prob, goal=goal)


def _steps(n_waves: int) -> list[tuple[int, int]]:
    steps = [(w, w + 1) for w in range(n_waves - 1)]
    return [*steps, (0, n_waves - 1)] if n_waves > 2 else steps


def _matched(series: _Series, before: int, after: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the cells of the same key in two waves."""
    earlier, later = (np.flatnonzero(series.wave == w) for w in (before, after))
    _, a, b = np.intersect1d(series.key[earlier], series.key[later], return_indices=True)
    return earlier[a], later[b]


def _rows(
    fit: Fit,
    labels: pd.DataFrame,
    draws: np.ndarray,
    sides: list[pd.DataFrame],
    *,
    ci_prob: float,
    goal: float,
) -> pd.DataFrame:
    table = Estimate(
        question="How much did the score change?",
        unit="points of the response scale",
        assumptions="items mean the same in both waves; change is not an effect of anything",
        draws=by_chain(draws, fit.n_chains),
        labels=labels,
    ).table(ci_prob=ci_prob)
    earlier, later = sides
    return table.assign(
        naive_change=later["naive_mean"] - earlier["naive_mean"],
        n_respondents_from=earlier["n_respondents"],
        n_respondents_to=later["n_respondents"],
        goal=goal,
        prob_positive=(draws > 0).mean(axis=0),
        prob_above_goal=(draws > goal).mean(axis=0),
        suppressed=False,
    )
