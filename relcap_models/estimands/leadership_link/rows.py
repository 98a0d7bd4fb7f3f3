"""The table in which the estimates of the leadership link stand side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import norm, t

from relcap_models.estimands.estimate import columns
from relcap_models.estimands.leadership_link.levels import Level
from relcap_models.estimands.leadership_link.unit_means import PERCEIVER, UnitMeans
from relcap_models.models.frame import Frame
from relcap_models.models.leadership_link import LeadershipLink

COLUMNS = columns(
    "method source adjusted level predictor outcome scale mean sd lower upper prob_positive",
    "per_point per_point_lower per_point_upper n_units n_respondents note",
)

Method = Literal["naive", "corrected", "mixed"]


@dataclass(frozen=True)
class Slope:
    """An effect on two scales, with errors and degrees of freedom; or a note in place of numbers.

    slope : per unit of the predictor · per_sd : per standard deviation of it
    """

    slope: float = np.nan
    slope_se: float = np.nan
    per_sd: float = np.nan
    per_sd_se: float = np.nan
    freedom: float = np.inf
    note: str = ""


@dataclass(frozen=True)
class Question:
    """A regression: of the first facet on another, with or without how the unit rates others."""

    predictor: str
    outcome: str
    adjusted: bool

    @property
    def predictors(self) -> tuple[str, ...]:
        return (self.predictor, PERCEIVER) if self.adjusted else (self.predictor,)

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.predictors, self.outcome)


def questions(means: UnitMeans, predictor: str) -> Iterator[Question]:
    """Unadjusted, and adjusted where units rate others."""
    outcome = means.frame.facets[0]
    yield Question(predictor, outcome, adjusted=False)
    if PERCEIVER in means.names:
        yield Question(predictor, outcome, adjusted=True)


def variables(means: UnitMeans, predictor: str) -> tuple[str, ...]:
    """What must be seen of a unit: the same for both adjustments, so that they are of the same units."""
    sides = (PERCEIVER,) if PERCEIVER in means.names else ()
    return (predictor, means.frame.facets[0], *sides)


Slopes = Iterator[tuple[UnitMeans, Question, Level, Slope]]


def link_rows(
    model: LeadershipLink,
    frame: Frame,
    scores: Mapping[str, np.ndarray],
    slopes: Callable[[Frame, np.ndarray], Slopes],
    *,
    method: Method,
    ci_prob: float,
) -> pd.DataFrame:
    """One method's answers on every scale.

    scores : (N,) score of each rating, by scale · slopes : answers of the method from the scores of one scale
    """
    rows: list[dict[str, object]] = []
    for scale, score in scores.items():
        if np.isnan(score).all():
            rows += _rows_without_scores(model, frame, method=method, scale=scale)
            continue
        for means, question, level, slope in slopes(frame, score):
            rows.append(
                _row(model, means, level, question, slope, method=method, scale=scale, ci_prob=ci_prob)
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(
    model: LeadershipLink,
    means: UnitMeans,
    level: Level,
    question: Question,
    found: Slope,
    *,
    method: Method,
    scale: str,
    ci_prob: float,
) -> dict[str, object]:
    """One line: the raw slope on the latent scale, else the effect of one standard deviation."""
    latent = scale == "latent"
    value, se = (found.slope, found.slope_se) if latent else (found.per_sd, found.per_sd_se)
    half = float(t.ppf((1 + ci_prob) / 2, found.freedom)) if np.isfinite(se) else np.nan
    per_point, point_se = (np.nan, np.nan) if latent else (found.slope, found.slope_se)
    notes = [*means.notes, found.note]
    return {
        "method": method,
        "source": model.source,
        "adjusted": question.adjusted,
        "level": level.name,
        "predictor": question.predictor,
        "outcome": question.outcome,
        "scale": scale,
        "mean": value,
        "sd": se,
        "lower": value - half * se,
        "upper": value + half * se,
        "prob_positive": float(norm.cdf(value / se)) if se > 0 else np.nan,
        "per_point": per_point,
        "per_point_lower": per_point - half * point_se,
        "per_point_upper": per_point + half * point_se,
        "n_units": level.n_units,
        "n_respondents": means.n_respondents(variables(means, question.predictor), level.rows),
        "note": "; ".join(note for note in notes if note),
    }


def _rows_without_scores(
    model: LeadershipLink, frame: Frame, *, method: Method, scale: str
) -> list[dict[str, object]]:
    """A scale on which answers say too little is named, not left out."""
    blank = dict.fromkeys(COLUMNS, np.nan)
    adjustments = (False,) if model.source == "same" else (False, True)
    return [
        {
            **blank,
            "method": method,
            "source": model.source,
            "adjusted": adjusted,
            "level": "between",
            "predictor": predictor,
            "outcome": frame.facets[0],
            "scale": scale,
            "n_units": 0,
            "n_respondents": 0,
            "note": f"too few answers for the {scale} scale",
        }
        for predictor in frame.facets[1:]
        for adjusted in adjustments
    ]
