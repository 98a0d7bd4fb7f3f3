"""A mixed model of relations' means beside the regressions of unit means."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd

from relcap_models.estimands.leadership_link.levels import Level, levels_of, wave_contrasts
from relcap_models.estimands.leadership_link.naive import no_variance, spread_of, too_few, values_of
from relcap_models.estimands.leadership_link.rows import (
    Question,
    Slope,
    Slopes,
    link_rows,
    questions,
    variables,
)
from relcap_models.estimands.leadership_link.unit_means import UnitMeans, plain_unit_means, unit_covariates
from relcap_models.models.frame import Frame
from relcap_models.models.leadership_link import LeadershipLink


def mixed_link(
    model: LeadershipLink, frame: Frame, scores: Mapping[str, np.ndarray], *, ci_prob: float
) -> pd.DataFrame:
    """The same question to a mixed model of relations, with random intercepts for the units that are rated.

    An observation is a rater unit's mean rating of a target in a wave; fixed effects are the target's
    leadership, apart as its mean over waves (`between`) and the deviation from it (`within`), waves,
    covariates and, where adjusted, how the target rates others, apart in the same way. Errors are those of
    the model (restricted maximum likelihood), which knows of no leniency of rater units. Columns and
    scales as of `naive_link`; ratings of the own unit have no such model and give an empty table.
    """
    asked = {} if frame.own.all() else scores
    return link_rows(model, frame, asked, _slopes, method="mixed", ci_prob=ci_prob)


def _slopes(frame: Frame, score: np.ndarray) -> Slopes:
    means, covariates = plain_unit_means(frame, score), unit_covariates(frame)
    for predictor in frame.facets[1:]:
        levels = levels_of(means, variables(means, predictor), covariates)
        for question in questions(means, predictor):
            for level, found in zip(levels, _mixed(means, levels, question)):
                yield means, question, level, found


def _mixed(means: UnitMeans, levels: list[Level], question: Question) -> list[Slope]:
    """One mixed model, whose coefficients are those of both levels."""
    notes = [_note(means, level, question) for level in levels]
    if notes[0]:
        return [Slope(note=notes[0]) for _ in levels]
    used = [level for level, note in zip(levels, notes) if not note]
    outcome, fixed, unit = _design(means, levels[0], question, within=len(used) > 1)
    try:
        slope, se = _fitted(outcome, fixed, unit)
    except np.linalg.LinAlgError:
        return [Slope(note="the mixed model does not converge") for _ in levels]
    n = len(question.predictors)
    found = []
    for level, at in zip(used, (0, n)):
        spread = spread_of(level, values_of(means, level, question)[0][:, 0])
        found.append(Slope(slope[at], se[at], slope[at] * spread, se[at] * spread, level.freedom(n)))
    return [*found, *(Slope(note=note) for note in notes if note)]


def _note(means: UnitMeans, level: Level, question: Question) -> str:
    if note := too_few(level, len(question.predictors)):
        return note
    return no_variance(level.without_controls(values_of(means, level, question)[0]), question)


def _design(
    means: UnitMeans, between: Level, question: Question, *, within: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Relations' means, fixed effects (the level's predictors first), and the unit that is rated."""
    cells, n_waves = means.cells, len(means.frame.waves)
    row_of = np.full(len(means.value), -1)
    row_of[between.rows] = np.arange(len(between.rows))
    unit_of = np.full(len(means.frame.units), -1)
    unit_of[between.unit] = np.arange(between.n_units)
    at = cells.relations
    rows, unit = row_of[cells.target[at] * n_waves + cells.wave[at]], unit_of[cells.target[at]]
    seen = (rows >= 0) & (unit >= 0)
    at, rows, unit = at[seen], rows[seen], unit[seen]
    predictors = [means.names.index(name) for name in question.predictors]
    values = means.value[np.ix_(between.rows, predictors)]
    of_unit = (between.transform @ values)[unit]
    parts = [of_unit, values[rows] - of_unit] if within else [of_unit]
    fixed = np.column_stack([*parts, between.controls[unit], wave_contrasts(cells.wave[at])])
    return cells.mean[at], fixed, unit


def _fitted(outcome: np.ndarray, fixed: np.ndarray, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and their errors by restricted maximum likelihood."""
    from statsmodels.regression.mixed_linear_model import MixedLM
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # A variance of 0 between units is an estimate like any other; what is not finite is found below.
        for category in (ConvergenceWarning, UserWarning, RuntimeWarning):
            warnings.simplefilter("ignore", category)
        result = MixedLM(outcome, fixed, groups=unit).fit(reml=True)
    n = fixed.shape[1]
    slope, se = np.asarray(result.fe_params), np.asarray(result.bse)[:n]
    if not (np.isfinite(slope).all() and np.isfinite(se).all()):
        raise np.linalg.LinAlgError("no finite errors")
    return slope, se
