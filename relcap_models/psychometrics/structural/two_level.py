"""Two-level models: what the levels of a model and its clusters are, and the model estimated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

import numpy as np
import pandas as pd

from relcap_models.errors import DataError, Problem
from relcap_models.psychometrics.structural.fit import Fit
from relcap_models.psychometrics.structural.parameter_table import parameter_table, terms_of
from relcap_models.psychometrics.structural.syntax import Syntax
from relcap_models.psychometrics.structural.two_level_fit import fit_two_level_table
from relcap_models.psychometrics.structural.two_level_sample import two_level_samples
from relcap_models.psychometrics.structural.two_level_saturated import saturated_levels
from relcap_models.psychometrics.structural.variables import Variables, variables_of

TWO_LEVEL_ESTIMATORS = ("ML", "MLR")
LEVELS = {"1": "1", "within": "1", "2": "2", "between": "2"}


def fit_two_level(
    model: Syntax,
    data: pd.DataFrame,
    *,
    cluster: str | Sequence | None,
    groups: tuple[str, ...],
    codes: np.ndarray,
    estimator: str,
    group_equal: tuple[str, ...],
    std_lv: bool,
) -> tuple[Fit, tuple[str, ...]]:
    """The fitted model and notes on it.

    codes : (respondent,) the number of each one's group.

    Raises
    ------
    DataError
        If the levels or clusters cannot be read, or the data cannot carry the model.
    FitError
        If the model is not identified, or does not converge.
    """
    if estimator not in TWO_LEVEL_ESTIMATORS:
        raise DataError(
            f"`estimator` is one of {', '.join(TWO_LEVEL_ESTIMATORS)} for two levels, and not {estimator!r}"
        )
    model = with_levels(model)
    names = tuple(
        variables_of(terms_of(model, group=name, number=number, level=level))
        for number, name in enumerate(groups, start=1)
        for level in model.levels
    )
    _check_names(names, data)
    samples, notes = two_level_samples(data, names, _clusters(data, cluster), groups, codes)
    samples = tuple(replace(sample, saturated=saturated_levels(sample)) for sample in samples)
    notes += tuple(note for sample in samples for note in sample.saturated.notes)
    table = parameter_table(model, groups=groups, means=True, std_lv=std_lv, group_equal=group_equal)
    table = table.assign(level=table["level"].astype(int))
    return fit_two_level_table(table, model.relations, names, samples, estimator=estimator), notes


def with_levels(model: Syntax) -> Syntax:
    """The model with levels 1 (within) and 2 (between), or a DataError where it has others."""
    strange = [name for name in model.levels if name.lower() not in LEVELS]
    if strange:
        raise DataError(
            f"The model has blocks for levels {', '.join(model.levels)}: name them 1 (within clusters) and 2 "
            "(between), or within and between"
        )
    before = [t.line for t in model.terms if not t.level]
    if before:
        raise DataError(
            problems=[
                Problem(
                    file="model", row=line, message="this stands in no level", remedy="Begin with `level: 1`"
                )
                for line in dict.fromkeys(before)
            ]
        )
    terms = tuple(replace(t, level=LEVELS[t.level.lower()]) for t in model.terms)
    if {t.level for t in terms} != {"1", "2"}:
        raise DataError(
            "The model says something of only one of two levels: add a block `level: 1` or `level: 2`"
        )
    return replace(model, terms=terms, levels=("1", "2"))


def _clusters(data: pd.DataFrame, cluster: str | Sequence | None) -> pd.Series:
    if cluster is None:
        raise DataError("The model has levels: name the column of the data that holds clusters in `cluster`")
    if isinstance(cluster, str):
        if cluster not in data.columns:
            near = get_close_matches(cluster, list(map(str, data.columns)), n=1)
            raise DataError(
                f"`cluster` '{cluster}' is no column of the data" + (f". Nearest: {near[0]}" if near else "")
            )
        return data[cluster].reset_index(drop=True)
    found = pd.Series(np.asarray(cluster)) if not isinstance(cluster, pd.Series) else cluster
    if len(found) != len(data):
        raise DataError(f"`cluster` has {len(found)} values for {len(data)} respondents")
    return found.reset_index(drop=True)


def _check_names(names: Sequence[Variables], data: pd.DataFrame) -> None:
    latent = {v for part in names for v in part.latent}
    observed = {v for part in names for v in part.observed}
    both = sorted(latent & (observed | set(map(str, data.columns))))
    if both:
        raise DataError(f"{both[0]} is measured by =~ and is a column of the data too: rename the factor")
