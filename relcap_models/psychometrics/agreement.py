"""How far the members of a group agree: r_wg(j), a_wg and average deviation, each a figure for every group.

All leave out groups with fewer than two respondents, for which agreement has no meaning. Where an index is
not defined for a group, the group is left out too: the result holds no missing values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from relcap_models.errors import DataError
from relcap_models.psychometrics.items import Items, read_groups, read_items

Null = Literal["uniform", "slight_skew", "moderate_skew", "heavy_skew", "triangular", "normal"]

# Expected variance if nobody agreed, by number of categories: LeBreton & Senter (2008), Table 2.
NULL_VARIANCES = pd.DataFrame(
    {
        "slight_skew": [1.34, 1.85, 2.90, 3.47, 5.66, 6.30, 7.31],
        "moderate_skew": [0.90, 1.26, 2.14, 2.79, 4.73, 5.09, 6.32],
        "heavy_skew": [0.44, 0.69, 1.39, 2.35, 3.16, 3.46, 4.02],
        "triangular": [1.32, 1.45, 2.10, 2.81, 3.00, 2.89, 3.32],
        "normal": [1.04, 1.25, 1.40, 1.73, 1.58, 1.45, 1.40],
    },
    index=pd.Index(range(5, 12), name="n_categories"),
)


def null_variance(null: Null, n_categories: int) -> float:
    """Variance of an item's answers if the members of a group did not agree at all.

    Uniform: (categories² − 1) / 12, for any number of categories. The others are tabled for 5 to 11.

    Raises
    ------
    DataError
        If there is no such distribution, or it is not tabled for this number of categories.

    Source: James, Demaree & Wolf (1984); LeBreton & Senter (2008), Organizational Research Methods 11,
    Table 2.
    """
    if null == "uniform" and n_categories >= 2:
        return (n_categories**2 - 1) / 12
    if null in NULL_VARIANCES and n_categories in NULL_VARIANCES.index:
        return float(NULL_VARIANCES.loc[n_categories, null])
    raise DataError(
        f"No variance is known for null '{null}' with {n_categories} categories. There are 'uniform' (two "
        f"categories or more), and for 5 to 11 categories {', '.join(map(repr, NULL_VARIANCES))}"
    )


def rwg_j(
    items: pd.DataFrame | pd.Series | np.ndarray,
    group: Sequence | np.ndarray | pd.Series,
    *,
    n_categories: int,
    null: Null = "uniform",
) -> pd.Series:
    """Agreement within each group on a scale, r_wg(j): 1 is full agreement, 0 none.

    Where a group's mean item variance exceeds that of the null, r_wg(j) is 0, as R's multilevel sets it.

    Parameters
    ----------
    items : (respondent, item) answers, or (respondent,) of one item. Each item's variance is that of those
        who answered it (multilevel 2.8; before, respondents with a missing answer were left out). Items with
        fewer than two answers in a group do not count in it.
    group : (respondent,) group of each
    n_categories : how many answers each item offers, chosen or not
    null : how answers would be spread if nobody agreed

    Returns
    -------
    Series by group, called as in `group`, in their order.

    Raises
    ------
    DataError
        If answers are no numbers or span more than the categories, the null is not known, or no group has
        two respondents.

    Source: James, Demaree & Wolf (1984), Journal of Applied Psychology 69, 85–98.
    """
    ratio, n_items = _variance_ratio(items, group, null, n_categories)
    ratio = ratio.clip(upper=1)
    return (n_items * (1 - ratio) / (n_items * (1 - ratio) + ratio)).rename("rwg_j")


def rwg_j_lindell(
    items: pd.DataFrame | pd.Series | np.ndarray,
    group: Sequence | np.ndarray | pd.Series,
    *,
    n_categories: int,
    null: Null = "uniform",
) -> pd.Series:
    """Agreement within each group on a scale, r*_wg(j), which does not grow with the number of items.

    One minus the mean item variance over that of the null. Negative where members disagree more than the
    null: that is kept, as by R's multilevel. Parameters, result and errors are those of `rwg_j`.

    Source: Lindell, Brandt & Whitney (1999), Applied Psychological Measurement 23, 127–135.
    """
    ratio, _ = _variance_ratio(items, group, null, n_categories)
    return (1 - ratio).rename("rwg_j_lindell")


def awg(
    items: pd.DataFrame | pd.Series | np.ndarray,
    group: Sequence | np.ndarray | pd.Series,
    *,
    scale: tuple[float, float],
) -> pd.Series:
    """Agreement within each group, a_wg: 1 is full agreement, 0 chance, −1 the most disagreement possible.

    The variance is compared with the largest that the group's mean allows, so no null is needed. With n
    respondents an item's a_wg is defined for means from (low·(n − 1) + high)/n to (high·(n − 1) + low)/n,
    and is 1 where all chose an end of the scale. It is averaged over the items for which it is defined; a
    group without one is left out. With fewer than one respondent less than categories, read it with care.

    Parameters
    ----------
    items : (respondent, item) answers, or (respondent,) of one item. Respondents with a missing answer are
        left out, as in R's multilevel.
    group : (respondent,) group of each
    scale : lowest and highest answer on offer

    Returns
    -------
    Series by group, called as in `group`, in their order.

    Raises
    ------
    DataError
        If answers are no numbers or lie outside the scale, or no group has two respondents.

    Source: Brown & Hauenstein (2005), Organizational Research Methods 8, 165–184.
    """
    read = _read(items)
    low, high = scale
    outside = (read.values < low) | (read.values > high)
    if outside.any() or low >= high:
        names = ", ".join(name for name, out in zip(read.names, outside.any(axis=0)) if out)
        raise DataError(f"The scale goes from {low:g} to {high:g}, and answers lie outside it: {names}")
    answers = _by_group(read, group, whole=True)
    n = answers.size().to_numpy()[:, None]
    mean = answers.mean()
    largest = ((high + low) * mean - mean**2 - high * low) * n / (n - 1)
    slack = 1e-9 * (high - low)
    defined = (mean >= (low * (n - 1) + high) / n - slack) & (mean <= (high * (n - 1) + low) / n + slack)
    index = (1 - 2 * answers.var() / largest.where(defined)).where(defined)
    index = index.mask((mean == low) | (mean == high), 1.0).mean(axis=1).dropna()
    if index.empty:
        raise DataError("a_wg is not defined for any group: all means lie too near an end of the scale")
    return index.rename("awg")


def average_deviation(
    items: pd.DataFrame | pd.Series | np.ndarray, group: Sequence | np.ndarray | pd.Series
) -> pd.Series:
    """How far group members' answers lie from the group's mean on average, AD_M(j), in points of the scale.

    0 is full agreement; less than a sixth of the number of categories is usually taken as agreement.

    Parameters
    ----------
    items : (respondent, item) answers, or (respondent,) of one item. Respondents with a missing answer are
        left out, as in R's multilevel.
    group : (respondent,) group of each

    Returns
    -------
    Series by group, called as in `group`, in their order; the mean over items.

    Raises
    ------
    DataError
        If answers are no numbers or no group has two respondents.

    Source: Burke, Finkelstein & Dusig (1999), Organizational Research Methods 2, 49–68.
    """
    read = _read(items)
    answers = _by_group(read, group, whole=True)
    deviations = (answers.obj - answers.transform("mean")).abs()
    return deviations.groupby(level=0).mean().mean(axis=1).rename("average_deviation")


def _variance_ratio(
    items: pd.DataFrame | pd.Series | np.ndarray, group: Sequence, null: Null, n_categories: int
) -> tuple[pd.Series, pd.Series]:
    """Mean item variance over that of the null, and the number of items in it, by group."""
    expected = null_variance(null, n_categories)
    read = _read(items)
    span = np.nanmax(read.values, axis=0) - np.nanmin(read.values, axis=0)
    wide = [name for name, wide in zip(read.names, span > n_categories - 1) if wide]
    if wide:
        raise DataError(f"Answers span more than {n_categories} categories: {', '.join(wide)}")
    variances = _by_group(read, group, whole=False).var().dropna(how="all")
    if variances.empty:
        raise DataError("No group has two respondents who answered the same item")
    return variances.mean(axis=1) / expected, variances.notna().sum(axis=1)


def _read(items: pd.DataFrame | pd.Series | np.ndarray) -> Items:
    """Answers to several items, or to one."""
    if isinstance(items, pd.Series):
        items = items.to_frame("1" if items.name is None else items.name)
    elif not isinstance(items, pd.DataFrame) and np.ndim(items) == 1:
        items = np.asarray(items)[:, None]
    return read_items(items, constant=True)


def _by_group(read: Items, group: Sequence, *, whole: bool) -> pd.api.typing.DataFrameGroupBy:
    """Answers by group, as the caller calls it, of groups with at least two respondents."""
    codes, names = read_groups(group, len(read.values))
    kept = read.answered.all(axis=1) if whole else read.answered.any(axis=1)
    enough = np.bincount(codes[kept], minlength=len(names)) >= 2
    kept &= enough[codes]
    if not kept.any():
        raise DataError("No group has two respondents" + (" who answered every item" if whole else ""))
    labels = pd.Index(np.asarray(group)[kept], name="group")
    return pd.DataFrame(read.values[kept], index=labels, columns=list(read.names)).groupby(level=0)
