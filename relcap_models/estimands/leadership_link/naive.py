"""What a researcher would report today: regressions of unit means, measurement error and all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from relcap_models.estimands.leadership_link.levels import LEAST_FREEDOM, Level, levels_of
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


def naive_link(
    model: LeadershipLink, frame: Frame, scores: Mapping[str, np.ndarray], *, ci_prob: float
) -> pd.DataFrame:
    """How far units with better leaders, by their own staff's means, are rated better by others: OLS.

    Between units: means over waves, with the model's attributes of units as covariates and errors robust to
    unequal spread (HC3; with a few districts, errors clustered by them would be too small). Within units:
    deviations from the unit's mean, with wave effects and errors clustered by unit. Intervals are by
    Student's t. Adjusted estimates hold constant the mean of how the unit's staff rate others.

    On the scales `points` and `probability` the effect is that of one standard deviation of the unit means of
    that level (as they are, error included; taken as known), `per_point` that of one point. `prob_positive`
    is by the normal approximation. Columns: `rows.COLUMNS`.
    """
    return link_rows(model, frame, scores, _slopes, method="naive", ci_prob=ci_prob)


def _slopes(frame: Frame, score: np.ndarray) -> Slopes:
    means, covariates = plain_unit_means(frame, score), unit_covariates(frame)
    for predictor in frame.facets[1:]:
        levels = levels_of(means, variables(means, predictor), covariates)
        for question in questions(means, predictor):
            for level in levels:
                yield means, question, level, _least_squares(means, level, question)


def values_of(means: UnitMeans, level: Level, question: Question) -> tuple[np.ndarray, np.ndarray]:
    """(m, predictors) and (m,) outcome of a level's observations."""
    at = [means.names.index(name) for name in question.names]
    values = level.transform @ means.value[np.ix_(level.rows, at)]
    return values[:, :-1], values[:, -1]


def too_few(level: Level, n_predictors: int) -> str:
    """Why a level has no estimate, or nothing."""
    if level.freedom(n_predictors) >= LEAST_FREEDOM:
        return ""
    seen = " in two waves" if level.name == "within" else ""
    return f"too few units{seen} ({level.n_units})"


def _least_squares(means: UnitMeans, level: Level, question: Question) -> Slope:
    from statsmodels.regression.linear_model import OLS

    if note := too_few(level, len(question.predictors)):
        return Slope(note=note)
    x, y = values_of(means, level, question)
    left = level.without_controls(x)
    if note := no_variance(left, question):
        return Slope(note=note)
    fitted = OLS(y, np.column_stack([x, level.controls]))
    if level.name == "between":
        result = fitted.fit(cov_type="HC3", use_t=True)
        freedom = result.df_resid
    else:
        result = fitted.fit(cov_type="cluster", cov_kwds={"groups": level.unit}, use_t=True)
        freedom = level.n_units - 1
    spread = spread_of(level, x[:, 0])
    slope, se = float(result.params[0]), float(result.bse[0])
    return Slope(slope, se, slope * spread, se * spread, freedom)


def no_variance(left: np.ndarray, question: Question) -> str:
    """Predictors that do not vary, or go entirely together."""
    size = np.sqrt((left**2).mean(axis=0))
    constant = [name for name, s in zip(question.predictors, size) if s < 1e-9]
    if constant:
        return f"{', '.join(constant)} does not vary"
    if np.linalg.matrix_rank(left / size, tol=1e-6) < left.shape[1]:
        return f"{' and '.join(question.predictors)} cannot be told apart"
    return ""


def spread_of(level: Level, values: np.ndarray) -> float:
    """Standard deviation of units' means, or of a wave's deviations, corrected for degrees of freedom."""
    if level.name == "between":
        return float(np.std(values, ddof=1))
    left = level.without_controls(level.transform)
    return float(np.sqrt((level.without_controls(values) ** 2).sum() / (left**2).sum()))
