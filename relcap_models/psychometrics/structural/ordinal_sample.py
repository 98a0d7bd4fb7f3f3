"""The sample of each group with ordinal items: their categories, thresholds and correlations."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
import pandas as pd

from relcap_models.errors import DataError, Problem
from relcap_models.psychometrics.conditional_statistics import conditional_statistics
from relcap_models.psychometrics.ordinal_statistics import OrdinalStatistics, ordinal_statistics
from relcap_models.psychometrics.structural.sample import Sample, columns
from relcap_models.psychometrics.structural.syntax import Syntax
from relcap_models.psychometrics.structural.variables import Variables


def ordered_names(
    ordered: Sequence[str] | bool, model: Syntax, names: Sequence[Variables], data: pd.DataFrame
) -> tuple[str, ...]:
    """The model's ordinal items: those asked for, those with thresholds, and pandas' ordered categories.

    Raises
    ------
    DataError
        If one is not in the model, or is a covariate.
    """
    observed = tuple(dict.fromkeys(v for part in names for v in part.modelled))
    covariates = tuple(dict.fromkeys(v for part in names for v in part.covariates))
    asked = () if isinstance(ordered, bool) else (ordered,) if isinstance(ordered, str) else tuple(ordered)
    categories = [name for name in covariates if name in data.columns and is_ordered(data[name])]
    wrong = [name for name in (*asked, *categories) if name in covariates and name not in observed]
    if wrong:
        raise DataError(
            f"{wrong[0]} is a covariate, and enters the model as a number: leave it out of `ordered` "
            f"and code it as numbers, or model it as an item, as in `{wrong[0]} ~~ {wrong[0]}`"
        )
    unknown = [name for name in asked if name not in observed]
    if unknown:
        near = get_close_matches(unknown[0], observed, n=1)
        raise DataError(
            f"`ordered` names {', '.join(unknown)}, which the model does not measure"
            + (f". Nearest: {near[0]}" if near else "")
        )
    found = set(observed) if ordered is True else set(asked)
    found |= {term.lhs for term in model.terms if term.op == "|"}
    found |= {name for name in observed if name in data.columns and is_ordered(data[name])}
    return tuple(name for name in observed if name in found)


def is_ordered(column: pd.Series) -> bool:
    """Whether a column has pandas' ordered categories."""
    return isinstance(column.dtype, pd.CategoricalDtype) and bool(column.dtype.ordered)


def ordinal_samples(
    data: pd.DataFrame,
    names: Sequence[Variables],
    ordered: Sequence[str],
    groups: Sequence[str],
    codes: np.ndarray,
    *,
    pairwise: bool,
) -> tuple[tuple[Sample, ...], tuple[OrdinalStatistics, ...], tuple[str, ...]]:
    """Each group's sample and statistics, and notes.

    Raises
    ------
    DataError
        If an item cannot be used, or nobody in a group chose one of its categories.
    """
    everything = tuple(dict.fromkeys(v for part in names for v in (*part.observed, *part.covariates)))
    unknown = [name for name in everything if name not in data.columns]
    if unknown:
        near = get_close_matches(unknown[0], list(map(str, data.columns)), n=3)
        raise DataError(
            f"The data have no column {', '.join(unknown)}"
            + (f". Nearest: {', '.join(near)}" if near else "")
        )
    frame = data[list(everything)].reset_index(drop=True)
    empty = [name for name in everything if frame[name].isna().all()]
    if empty:
        raise DataError(
            problems=[
                Problem(file="items", column=name, message="has no answers", remedy="Leave it out")
                for name in empty
            ]
        )
    given = tuple(dict.fromkeys(v for part in names for v in part.covariates))
    if given:
        frame = frame.assign(**dict(zip(given, columns(frame, given).T)))
    samples, statistics, notes, problems = [], [], [], []
    for number, (group, part) in enumerate(zip(groups, names)):
        at = np.flatnonzero(codes == number)
        mine = frame.iloc[at][list(part.observed)]
        x = frame.iloc[at][list(part.covariates)]
        kept = (mine.notna().any(axis=1) if pairwise else mine.notna().all(axis=1)) & x.notna().all(axis=1)
        where = f" in group '{group}'" if group else ""
        mine, x, used = mine[kept.to_numpy()], x[kept.to_numpy()], at[kept.to_numpy()]
        if len(mine) < 3:
            raise DataError(f"{len(mine)} respondents{where} can be used, which is too few")
        missing = _missing_categories(frame, mine, [v for v in part.observed if v in ordered], where)
        problems += missing
        if missing:
            continue
        if len(used) < len(at):
            why = "without any answer" if pairwise else "with missing answers"
            why += " or with a covariate missing" if pairwise and given else ""
            notes.append(f"{len(at) - len(used)} of {len(at)} respondents{where} {why} were left out")
        found = _statistics(mine, x, part, ordered, where, pairwise=pairwise)
        notes += [f"Group '{group}': {note}" if group else note for note in found.notes]
        statistics.append(found)
        values = np.column_stack([_numbers(mine[name]) for name in part.observed])
        mean, cov = found.mean.to_numpy(), found.covariance.to_numpy()
        samples.append(
            Sample(group, part.observed, values, used, (), mean, cov, given=x.to_numpy(dtype=float))
        )
    if problems:
        raise DataError(problems=problems)
    return tuple(samples), tuple(statistics), tuple(notes)


def _numbers(column: pd.Series) -> np.ndarray:
    if is_ordered(column):
        codes = column.cat.codes.to_numpy(dtype=float)
        return np.where(codes < 0, np.nan, codes)
    return pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)


def category_text(category: object) -> str:
    """A category as it is said: 2 and not 2.0."""
    return f"{category:g}" if isinstance(category, float) else str(category)


def _missing_categories(
    frame: pd.DataFrame, mine: pd.DataFrame, items: Sequence[str], where: str
) -> list[Problem]:
    """Categories of the scale, or of anybody's answers, that these respondents did not use."""
    problems = []
    for name in items:
        column = frame[name]
        known = list(column.cat.categories) if is_ordered(column) else list(column.dropna().unique())
        seen = set(mine[name].dropna())
        absent = sorted((category for category in known if category not in seen), key=str)
        if absent and len(known) <= 50:
            shown = ", ".join(category_text(category) for category in absent)
            problems.append(
                Problem(
                    file="items",
                    column=name,
                    message=f"nobody{where} who can be used chose category {shown}",
                    remedy="Collapse it with a neighbouring category"
                    + (", in all groups alike" if where else ""),
                )
            )
    return problems


def _statistics(
    mine: pd.DataFrame,
    x: pd.DataFrame,
    part: Variables,
    ordered: Sequence[str],
    where: str,
    *,
    pairwise: bool,
) -> OrdinalStatistics:
    continuous = [v for v in part.observed if v not in ordered]
    try:
        if part.covariates:
            missing = "pairwise" if pairwise else "listwise"
            return conditional_statistics(mine, x, continuous=continuous, missing=missing)
        return ordinal_statistics(mine, continuous=continuous, missing="pairwise" if pairwise else "listwise")
    except DataError as error:
        if not where:
            raise
        said = f"Items{where}:" if error.problems else f"Items{where}: {error}"
        raise DataError(said, problems=error.problems) from None
