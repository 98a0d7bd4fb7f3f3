"""Cronbach's alpha: how far the items of a scale agree with each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import f

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.correlations import correlate, covariances, read_answers, respondents

KINDS = ("raw", "standardized", "ordinal")


@dataclass(frozen=True)
class Alpha:
    """Cronbach's alpha with its interval.

    value, lower, upper : unitless, at most 1
    if_dropped : by item, alpha of the other items
    n : respondents with at least one answer (missing="pairwise") or with every answer ("listwise")
    notes : what a reader should know
    """

    value: float
    lower: float
    upper: float
    if_dropped: pd.Series
    n: int
    notes: tuple[str, ...]


def cronbach_alpha(
    items: pd.DataFrame | np.ndarray,
    *,
    kind: Literal["raw", "standardized", "ordinal"] = "raw",
    missing: Literal["pairwise", "listwise"] = "pairwise",
    ci_prob: float = 0.95,
) -> Alpha:
    """Share of a sum score's variance that its items have in common, if they measure one thing equally well.

    Items are taken as they are keyed: reverse those that are worded the other way first. A note names items
    that go against the rest.

    Parameters
    ----------
    items : a column for each item, two or more
    kind : "raw" from covariances, "standardized" from the correlations that belong to them, "ordinal" from
        polychoric correlations (what lies behind the answers; it is not the reliability of a sum of answers)
    missing : "pairwise" takes each covariance from those who answered both items, as psych::alpha;
        "listwise" uses only respondents who answered every item
    ci_prob : probability of the interval

    Returns
    -------
    Alpha. The interval is Feldt's, F-distributed with n − 1 and (n − 1)(items − 1) degrees of freedom, as
    psych::alpha prints it for the raw kind. It takes items as parallel and normal. For the other two kinds it
    stands around their own alpha and is approximate.

    Raises
    ------
    DataError
        If an item cannot be used, or a pair was answered by too few.
    FitError
        If the items together do not vary, so that there is no alpha.

    Source: Cronbach (1951), Psychometrika 16, 297–334; Feldt, Woodruff & Salih (1987), Applied Psychological
    Measurement 11, 93–103, after Feldt (1965) (interval); Zumbo, Gadermann & Zeisser (2007), Journal of
    Modern Applied Statistical Methods 6, 21–29 (ordinal).
    """
    if kind not in KINDS:
        raise DataError(f"`kind` is one of {', '.join(KINDS)}, not {kind!r}")
    if missing not in ("pairwise", "listwise"):
        raise DataError(f"`missing` is pairwise or listwise, not {missing!r}")
    if not 0 < ci_prob < 1:
        raise DataError(f"`ci_prob` is between 0 and 1, not {ci_prob}")
    matrix, n, complete, notes = _matrix(items, kind, listwise=missing == "listwise")
    values, names = matrix.to_numpy(), matrix.columns
    value = _alpha(values)
    if np.isnan(value):
        raise FitError(
            "The sum of the items does not vary, so alpha is not defined: reverse items that are worded the "
            f"other way (against the sum of the others go: {_against(values, names) or 'none'})"
        )
    lower, upper = feldt_interval(value, n, len(names), ci_prob)
    dropped = pd.Series(
        [_alpha(np.delete(np.delete(values, i, 0), i, 1)) for i in range(len(names))],
        index=names,
        name="alpha",
    )
    if dropped.isna().any():
        undefined = ", ".join(f"'{name}'" for name in names[dropped.isna()])
        notes = [
            *notes,
            f"No alpha without {undefined}: one item is left, or the sum of the rest does not vary",
        ]
    if against := _against(values, names):
        notes = [*notes, f"Against the sum of the others go: {against}. Reverse items worded the other way"]
    if not complete:
        notes = [
            *notes,
            f"Answers are missing: the interval takes all {n} respondents as complete: it is narrow",
        ]
    return Alpha(value, lower, upper, dropped, n, tuple(notes))


def feldt_interval(alpha: float, n: int, n_items: int, ci_prob: float) -> tuple[float, float]:
    """Where alpha lies with probability `ci_prob` in n respondents, items being parallel and normal.

    Source: Feldt (1965), Psychometrika 30, 357–370.
    """
    tail = (1 - ci_prob) / 2
    quantiles = f.ppf([1 - tail, tail], n - 1, (n - 1) * (n_items - 1))
    lower, upper = 1 - (1 - alpha) * quantiles
    return float(lower), float(upper)


def _matrix(items, kind: str, *, listwise: bool) -> tuple[pd.DataFrame, int, bool, list[str]]:
    if kind == "ordinal":
        found = correlate(items, ordinal=True, listwise=listwise, least=2)
        return found.matrix, found.n, found.complete, list(found.notes)
    _, answers = read_answers(items, ordinal=False, listwise=listwise, least=2)
    matrix = covariances(answers)
    if kind == "standardized":
        scale = np.sqrt(np.diag(matrix))
        matrix = matrix / np.outer(scale, scale)
    return matrix, *respondents(answers), []


def _alpha(covariance: np.ndarray) -> float:
    k, total = len(covariance), covariance.sum()
    # A sum that varies by rounding only.
    if k < 2 or total <= 1e-12 * np.abs(covariance).sum():
        return np.nan
    return float(k / (k - 1) * (1 - np.trace(covariance) / total))


def _against(covariance: np.ndarray, names: pd.Index) -> str:
    rest = covariance.sum(axis=1) - np.diag(covariance)
    return ", ".join(f"'{name}'" for name in names[rest < 0])
