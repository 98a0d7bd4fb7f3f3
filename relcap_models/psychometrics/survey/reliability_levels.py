"""How reliable scores are, of single ratings and of what is rated, with intervals that respect units.

Ratings of colleagues depend on each other, and those of one respondent even more, so rater units are drawn
with replacement (cluster bootstrap) where a coefficient's own interval would take ratings as independent.
Omega within and between takes a second to estimate, and has the sandwich of rater units instead.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from relcap_models.psychometrics.agreement import average_deviation, rwg_j
from relcap_models.psychometrics.multilevel_reliability import multilevel_omega
from relcap_models.psychometrics.survey.answers import Answers
from relcap_models.psychometrics.survey.measurement import FactorModel
from relcap_models.psychometrics.survey.notes import Notes
from relcap_models.psychometrics.survey.scopes import Scope

DRAWS = 2000
"""Bootstrap samples: the Monte Carlo error of the 5 and 95 % percentiles is a fiftieth of their distance."""

FEWEST_RATERS = 5
"""Agreement within fewer raters is mostly chance; such units and relations are left out of the medians."""


def reliability_rows(scope: Scope, notes: Notes, *, ci_prob: float, seed: int) -> Iterator[dict[str, object]]:
    """Alpha, intraclass correlations, omega within and between, and agreement, of each scale."""
    answers = scope.answers
    for dimension, names in answers.scales.items():
        items = answers.items[names].dropna()
        about = answers.about.loc[items.index]
        unit, _ = pd.factorize(about["rater_unit"])
        subject = answers.subject.loc[items.index].to_numpy()
        rng = np.random.default_rng(seed)
        base = {"dimension": dimension, "ci_prob": ci_prob}
        if len(items) < 3 or unit.max(initial=0) < 1:
            continue
        if len(names) > 1:
            value, draws = _alpha(items.to_numpy(), unit, rng)
            yield base | {"coefficient": "alpha", "level": "rating"} | _interval(value, draws, ci_prob)
        values, draws = _intraclass(items.mean(axis=1).to_numpy(), subject, unit, rng)
        for name, value, drawn in zip(("icc1", "icc2"), values, draws):
            yield base | {"coefficient": name, "level": "subject"} | _interval(value, drawn, ci_prob)
        if len(names) > 2:
            with notes.estimating(scope.split, scope.group, f"omega_levels:{dimension}"):
                yield from _omega(names, items, subject, unit, base)
        yield from _agreement(answers, names, items, subject, base)


def _interval(value: float, draws: np.ndarray, ci_prob: float) -> dict[str, float]:
    lower, upper = np.nanquantile(draws, [(1 - ci_prob) / 2, (1 + ci_prob) / 2])
    return {"estimate": float(value), "lower": float(lower), "upper": float(upper)}


def _weights(n_units: int, rng: np.random.Generator) -> np.ndarray:
    """(draw, unit) how often each unit is drawn; the first row is the sample itself."""
    drawn = rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=DRAWS)
    return np.vstack([np.ones(n_units), drawn])


def _alpha(items: np.ndarray, unit: np.ndarray, rng: np.random.Generator) -> tuple[float, np.ndarray]:
    """Cronbach's alpha, and its bootstrap draws, from each unit's sums and cross-products."""
    k = items.shape[1]
    centred = items - items.mean(axis=0)
    whole = centred.sum(axis=1)
    columns = np.column_stack([np.ones(len(items)), centred, centred**2, whole, whole**2])
    sums = _by_unit(columns, unit)
    found = _weights(len(sums), rng) @ sums
    n = found[:, :1]
    variances = found[:, 1 + k : 1 + 2 * k] / n - (found[:, 1 : 1 + k] / n) ** 2
    total = found[:, -1] / n[:, 0] - (found[:, -2] / n[:, 0]) ** 2
    alpha = k / (k - 1) * (1 - variances.sum(axis=1) / total)
    return alpha[0], alpha[1:]


def _intraclass(
    score: np.ndarray, subject: np.ndarray, unit: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """ICC(1) and ICC(2) as in `icc` (one-way analysis of variance), and their draws: (2,) and (2, draw).

    A subject (relation or unit in a wave) belongs to one rater unit, and is drawn with it.
    """
    score = score - score.mean()
    _, subject = np.unique(subject, return_inverse=True)
    n = np.bincount(subject)
    total = np.bincount(subject, score)
    owner = np.zeros(len(n), dtype=int)
    owner[subject] = unit
    of_subjects = _by_unit(np.column_stack([np.ones(len(n)), n, total, total**2 / n]), owner, unit.max() + 1)
    squares = np.bincount(unit, score**2, minlength=len(of_subjects))
    weights = _weights(len(of_subjects), rng)
    groups, count, sums, between = (weights @ of_subjects).T
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_between = (between - sums**2 / count) / (groups - 1)
        mean_within = (weights @ squares - between) / (count - groups)
        size = count / groups
        icc1 = (mean_between - mean_within) / (mean_between + (size - 1) * mean_within)
        icc2 = 1 - mean_within / mean_between
    found = np.vstack([icc1, icc2])
    return found[:, 0], found[:, 1:]


def _by_unit(columns: np.ndarray, unit: np.ndarray, n_units: int | None = None) -> np.ndarray:
    sums = np.zeros((n_units or unit.max() + 1, columns.shape[1]))
    np.add.at(sums, unit, columns)
    return sums


def _omega(
    names: list[str], items: pd.DataFrame, subject: np.ndarray, unit: np.ndarray, base: dict[str, object]
) -> Iterator[dict[str, object]]:
    model = FactorModel({"": names})
    found = multilevel_omega(
        model.syntax, model.table(items), cluster=subject, ci_prob=base["ci_prob"], independent=unit
    )
    for level in ("within", "between"):
        limits = {end: getattr(found, f"{level}_{end}") for end in ("lower", "upper")}
        row = {"coefficient": f"omega_{level}", "level": "rating" if level == "within" else "subject"}
        yield base | row | {"estimate": getattr(found, level), **limits}


def _agreement(
    answers: Answers, names: list[str], items: pd.DataFrame, subject: np.ndarray, base: dict[str, object]
) -> Iterator[dict[str, object]]:
    """Medians of r_wg(j) (null: uniform) and of the average deviation, over what several people rated."""
    counts = pd.Series(subject).map(pd.Series(subject).value_counts()).to_numpy()
    enough = counts >= FEWEST_RATERS
    scales = {(s.minimum, s.maximum) for s in map(answers.scale_of, names)}
    if len(np.unique(subject[enough])) < 2 or len(scales) > 1:
        return
    part, group = items[enough], subject[enough]
    (scale,) = scales
    no_interval = {"lower": np.nan, "upper": np.nan}
    rwg = rwg_j(part, group, null="uniform", n_categories=scale[1] - scale[0] + 1)
    deviation = average_deviation(part, group)
    for name, values in (("rwg_median", rwg), ("ad_median", deviation)):
        yield base | {
            "coefficient": name,
            "level": "subject",
            "estimate": float(values.median()),
            **no_interval,
        }
