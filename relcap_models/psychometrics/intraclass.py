"""How alike the members of a group answer, and how well judges' ratings can be told apart."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.items import read_groups, read_items

# Mean squares below this share of the total are rounding, not variance.
ROUNDING = 1e-12


@dataclass(frozen=True)
class IntraclassCorrelations:
    """One-way random effects of groups on an answer.

    icc1 : share of the variance that lies between groups. icc2 : reliability of the groups' means.
    Both with the limits of their interval (`ci_prob`). f, df_between, df_within, p : test of no group effect.
    group_size : average number of respondents in a group.
    """

    icc1: float
    icc1_lower: float
    icc1_upper: float
    icc2: float
    icc2_lower: float
    icc2_upper: float
    f: float
    df_between: int
    df_within: int
    p: float
    group_size: float
    n_groups: int
    n_respondents: int
    notes: tuple[str, ...]


def icc(
    values: pd.Series | pd.DataFrame | np.ndarray,
    group: Sequence | np.ndarray | pd.Series,
    *,
    ci_prob: float = 0.95,
) -> IntraclassCorrelations:
    """Share of variance between groups, ICC(1), and reliability of the groups' means, ICC(2).

    With groups of different sizes the average size stands for the size (as in R's multilevel::ICC1), and
    the intervals, which are exact for equal sizes, are approximate.

    Parameters
    ----------
    values : (respondent,) answers or scores, or (respondent, item) items, of which each respondent's mean is
        taken. Respondents with a missing answer are left out, as R's rowMeans and aov do; a note says so.
    group : (respondent,) group of each. Groups of one respondent count between groups.
    ci_prob : coverage of the intervals.

    Raises
    ------
    DataError
        If values are no numbers, there is one group only, or no group has two respondents.
    FitError
        If all groups have the same mean or nothing varies.

    Source: McGraw & Wong (1996), Psychological Methods 1, Tables 4 and 7 (case 1); Bliese (2000).
    """
    frame = values if isinstance(values, pd.DataFrame) or np.ndim(values) == 2 else pd.DataFrame(values)
    read = read_items(frame, constant=True)
    codes, _ = read_groups(group, len(read.values))
    whole = read.answered.all(axis=1)
    scores = read.values[whole].mean(axis=1)
    _, codes = np.unique(codes[whole], return_inverse=True)
    n, n_groups = len(scores), len(np.unique(codes))
    if n_groups < 2 or n_groups == n:
        raise DataError(
            f"An intraclass correlation needs two groups, one of them with two respondents: there are "
            f"{n_groups} groups of {n} respondents"
        )
    between, within = _mean_squares(scores, codes, n_groups)
    size, df = n / n_groups, (n_groups - 1, n - n_groups)
    ratio = within / between
    low, high = _limits(ratio, df, ci_prob)
    left_out = len(whole) - n
    notes = (f"{left_out} of {len(whole)} respondents miss an answer and are left out",) if left_out else ()
    if ratio > 1:
        notes += ("Groups differ less than chance makes them: ICC(1) and ICC(2) are negative",)
    return IntraclassCorrelations(
        icc1=_single(ratio, size),
        icc1_lower=_single(low, size),
        icc1_upper=_single(high, size),
        icc2=1 - ratio,
        icc2_lower=1 - low,
        icc2_upper=1 - high,
        f=1 / ratio if ratio > 0 else np.inf,
        df_between=df[0],
        df_within=df[1],
        p=float(stats.f.sf(1 / ratio, *df)) if ratio > 0 else 0.0,
        group_size=size,
        n_groups=n_groups,
        n_respondents=n,
        notes=notes,
    )


def _mean_squares(scores: np.ndarray, codes: np.ndarray, n_groups: int) -> tuple[float, float]:
    counts = np.bincount(codes)
    centred = scores - scores.mean()
    means = np.bincount(codes, centred) / counts
    total = np.square(centred).sum()
    between = (counts * means**2).sum() / (n_groups - 1)
    within = np.square(centred - means[codes]).sum() / (len(scores) - n_groups)
    if between <= ROUNDING * total or np.ptp(scores) == 0:
        raise FitError("All groups have the same mean: their intraclass correlation is not defined")
    return float(between), float(within) if within > ROUNDING * total else 0.0


def _limits(ratio: float, df: tuple[float, float], ci_prob: float) -> tuple[float, float]:
    """Limits of the ratio of error to target mean square: those of the lower and the upper ICC."""
    tail = (1 + ci_prob) / 2
    return ratio * stats.f.ppf(tail, *df), ratio / stats.f.ppf(tail, *reversed(df))


def _single(ratio: float, size: float) -> float:
    # In terms of 1/F, which stays finite where judges or members agree perfectly.
    return float((1 - ratio) / (1 + (size - 1) * ratio))


def shrout_fleiss(matrix: pd.DataFrame | np.ndarray, *, ci_prob: float = 0.95) -> pd.DataFrame:
    """How reliably judges tell targets apart: the six intraclass correlations of Shrout and Fleiss.

    ICC1: each target has other judges. ICC2: the same judges, a sample of many; agreement in level counts.
    ICC3: these judges only; agreement in order counts. A `k` at the end: of the mean of all k judges.

    Parameters
    ----------
    matrix : (target, judge) ratings. Targets with a missing rating are left out, with a warning.
    ci_prob : coverage of the intervals.

    Returns
    -------
    DataFrame indexed ICC1, ICC2, ICC3, ICC1k, ICC2k, ICC3k with value, lower, upper, f, df1, df2, p.

    Raises
    ------
    DataError
        If there are fewer than two judges or two targets.
    FitError
        If targets do not differ, or judges differ by a constant only (the ICC3 are 1).

    Source: Shrout & Fleiss (1979), Psychological Bulletin 86, 420–428; McGraw & Wong (1996), Table 7.
    """
    read = read_items(matrix, least=2, constant=True)
    ratings = read.listwise().values
    n, k = ratings.shape
    if n < len(read.values):
        warnings.warn(
            f"{len(read.values) - n} of {len(read.values)} targets miss a rating and are left out",
            stacklevel=2,
        )
    centred = ratings - ratings.mean()
    total = np.square(centred).sum()
    targets = k * np.square(centred.mean(axis=1)).sum()
    judges = n * np.square(centred.mean(axis=0)).sum()
    error = total - targets - judges
    if targets <= ROUNDING * total or total == 0:
        raise FitError("All targets have the same mean rating: no judge tells them apart")
    if error <= ROUNDING * total:
        raise FitError("The judges differ by a constant only: ICC3 is 1, and no interval can be given")
    msb, msw = targets / (n - 1), (total - targets) / (n * (k - 1))
    msj, mse = judges / (k - 1), error / ((n - 1) * (k - 1))
    one, three = msw / msb, mse / msb
    df_one, df_three = (n - 1, n * (k - 1)), (n - 1, (n - 1) * (k - 1))
    ones, threes = (one, *_limits(one, df_one, ci_prob)), (three, *_limits(three, df_three, ci_prob))
    two = _agreement(msb, msj, mse, n, k, ci_prob)
    rows = {
        "ICC1": ([_single(ratio, k) for ratio in ones], one, df_one),
        "ICC2": (two, three, df_three),
        "ICC3": ([_single(ratio, k) for ratio in threes], three, df_three),
        "ICC1k": ([1 - ratio for ratio in ones], one, df_one),
        "ICC2k": ([k * each / (1 + (k - 1) * each) for each in two], three, df_three),
        "ICC3k": ([1 - ratio for ratio in threes], three, df_three),
    }
    return pd.DataFrame(
        [(*found, 1 / ratio, *df, stats.f.sf(1 / ratio, *df)) for found, ratio, df in rows.values()],
        index=list(rows),
        columns=["value", "lower", "upper", "f", "df1", "df2", "p"],
    )


def _agreement(msb: float, msj: float, mse: float, n: int, k: int, ci_prob: float) -> list[float]:
    """ICC2 with its limits by Satterthwaite's degrees of freedom (Shrout & Fleiss, 1979, p. 424)."""
    value = (msb - mse) / (msb + (k - 1) * mse + k * (msj - mse) / n)
    f_judges = msj / mse
    rest = n * (1 + (k - 1) * value) - k * value
    df = (k - 1) * (n - 1) * (k * value * f_judges + rest) ** 2
    df /= (n - 1) * (k * value * f_judges) ** 2 + rest**2
    tail, noise = (1 + ci_prob) / 2, k * msj + (k * n - k - n) * mse
    down, up = stats.f.ppf(tail, n - 1, df), stats.f.ppf(tail, df, n - 1)
    lower = n * (msb - down * mse) / (down * noise + n * msb)
    upper = n * (up * msb - mse) / (noise + n * up * msb)
    return [float(value), float(lower), float(upper)]
