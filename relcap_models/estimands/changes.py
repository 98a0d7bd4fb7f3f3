"""Change between waves: of the organisation, of units and of relations. Change, not effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from relcap_models.estimands.cells import quantities
from relcap_models.estimands.estimate import Estimate, by_chain
from relcap_models.estimands.naive import naive_table, responses_of
from relcap_models.estimands.relation_scores import RelationScores
from relcap_models.estimands.unit_scores import UnitScores

COLUMNS = [
    "analysis",
    "level",
    "role",
    "rater_unit",
    "target_unit",
    "dimension",
    "wave_from",
    "wave_to",
    "mean",
    "sd",
    "lower",
    "upper",
    "ci_prob",
    "naive_change",
    "n_respondents_from",
    "n_respondents_to",
    "suppressed",
    "ci_kind",
    "median",
    "goal",
    "prob_positive",
    "prob_above_goal",
    "mcse",
    "ess",
    "ess_tail",
    "rhat",
]


def change_table(
    relations: RelationScores | None, units: Sequence[UnitScores], *, ci_prob: float, goal: float
) -> pd.DataFrame:
    """Later minus earlier score, for consecutive waves and from the first to the last.

    goal : change set in advance, in points; `prob_above_goal` is P(change > goal).
    The organisation's change is the mean over relations (units, in a climate analysis) rated in both waves.
    """
    parts = []
    if relations is not None:
        parts += list(_relation_changes(relations, ci_prob=ci_prob, goal=goal))
    for scores in units:
        parts += list(_unit_changes(scores, ci_prob=ci_prob, goal=goal))
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def _steps(n_waves: int) -> list[tuple[int, int]]:
    steps = [(w, w + 1) for w in range(n_waves - 1)]
    return [*steps, (0, n_waves - 1)] if n_waves > 2 else steps


def _matched(key: np.ndarray, wave: np.ndarray, before: int, after: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the cells of the same key in two waves."""
    earlier = {k: x for x, k in enumerate(key) if wave[x] == before}
    later = {k: x for x, k in enumerate(key) if wave[x] == after}
    both = sorted(set(earlier) & set(later))
    return np.array([earlier[k] for k in both], dtype=int), np.array([later[k] for k in both], dtype=int)


def _relation_changes(estimates: RelationScores, *, ci_prob: float, goal: float) -> Iterator[pd.DataFrame]:
    frame = estimates.fit.frame
    naive = naive_table(frame, responses_of(frame), ["wave", "rater", "target"]).set_index(
        ["wave", "rater", "target", "dimension"]
    )
    units = np.array(frame.units, dtype=object)
    for before, after in _steps(len(frame.waves)):
        a, b = _matched(estimates.relation, estimates.wave, before, after)
        if not len(a):
            continue
        rater = frame.rater_of_relation[estimates.relation[a]]
        target = frame.target_of_relation[estimates.relation[a]]
        difference = estimates.scores.points[:, b] - estimates.scores.points[:, a]
        for q, name in enumerate(quantities(estimates.fit)):
            sides = [
                naive.reindex(
                    pd.MultiIndex.from_arrays([np.full(len(a), w), rater, target, np.full(len(a), name)])
                )
                for w in (before, after)
            ]
            labels = pd.DataFrame(
                {
                    "level": "relation",
                    "role": "",
                    "rater_unit": units[rater],
                    "target_unit": units[target],
                    "dimension": name,
                }
            )
            yield _rows(
                estimates, labels, difference[:, :, q], sides, before, after, ci_prob=ci_prob, goal=goal
            )
            yield _organisation(
                estimates, name, difference[:, :, q], before, after, own=False, ci_prob=ci_prob, goal=goal
            )


def _unit_changes(estimates: UnitScores, *, ci_prob: float, goal: float) -> Iterator[pd.DataFrame]:
    frame, role = estimates.fit.frame, estimates.role
    responses = responses_of(frame)
    own = responses["rater"] == responses["target"]
    outward = role in ("seen_by_others", "as_rater")
    side = "target" if role == "seen_by_others" else "rater"
    naive = naive_table(frame, responses[~own if outward else own], ["wave", side]).set_index(
        ["wave", side, "dimension"]
    )
    units = np.array(frame.units, dtype=object)
    for before, after in _steps(len(frame.waves)):
        a, b = _matched(estimates.unit, estimates.wave, before, after)
        if not len(a):
            continue
        unit = units[estimates.unit[a]]
        difference = estimates.scores.points[:, b] - estimates.scores.points[:, a]
        for q, name in enumerate(quantities(estimates.fit)):
            sides = [
                naive.reindex(
                    pd.MultiIndex.from_arrays([np.full(len(a), w), estimates.unit[a], np.full(len(a), name)])
                )
                for w in (before, after)
            ]
            labels = pd.DataFrame(
                {
                    "level": "unit",
                    "role": role,
                    "rater_unit": unit if role != "seen_by_others" else "",
                    "target_unit": unit if role != "as_rater" else "",
                    "dimension": name,
                }
            )
            yield _rows(
                estimates, labels, difference[:, :, q], sides, before, after, ci_prob=ci_prob, goal=goal
            )
            if role == "own_staff":
                yield _organisation(
                    estimates, name, difference[:, :, q], before, after, own=True, ci_prob=ci_prob, goal=goal
                )


def _organisation(
    estimates: RelationScores | UnitScores,
    name: str,
    difference: np.ndarray,
    before: int,
    after: int,
    *,
    own: bool,
    ci_prob: float,
    goal: float,
) -> pd.DataFrame:
    frame = estimates.fit.frame
    responses = responses_of(frame)
    responses = responses[(responses["rater"] == responses["target"]) == own]
    naive = naive_table(frame, responses, ["wave"]).set_index(["wave", "dimension"])
    sides = [naive.reindex(pd.MultiIndex.from_arrays([[w], [name]])) for w in (before, after)]
    labels = pd.DataFrame(
        {"level": ["organisation"], "role": "", "rater_unit": "", "target_unit": "", "dimension": name}
    )
    mean = difference.mean(axis=1, keepdims=True)
    return _rows(estimates, labels, mean, sides, before, after, ci_prob=ci_prob, goal=goal)


def _rows(
    estimates: RelationScores | UnitScores,
    labels: pd.DataFrame,
    draws: np.ndarray,
    sides: list[pd.DataFrame],
    before: int,
    after: int,
    *,
    ci_prob: float,
    goal: float,
) -> pd.DataFrame:
    fit = estimates.fit
    labels = labels.assign(
        analysis=fit.model.id, wave_from=fit.frame.waves[before], wave_to=fit.frame.waves[after]
    )
    table = Estimate(
        question="How much did the score change?",
        unit="points of the response scale",
        assumptions="items mean the same in both waves; change is not an effect of anything",
        draws=by_chain(draws, fit.n_chains),
        labels=labels,
    ).table(ci_prob=ci_prob)
    earlier, later = sides
    return table.assign(
        naive_change=later["naive_mean"].to_numpy() - earlier["naive_mean"].to_numpy(),
        n_respondents_from=earlier["n_respondents"].fillna(0).astype(int).to_numpy(),
        n_respondents_to=later["n_respondents"].fillna(0).astype(int).to_numpy(),
        goal=goal,
        prob_positive=(draws > 0).mean(axis=0),
        prob_above_goal=(draws > goal).mean(axis=0),
        suppressed=False,
    )
