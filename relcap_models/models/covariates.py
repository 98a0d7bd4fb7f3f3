"""Attributes of units and nominations as covariates of a rating."""

from __future__ import annotations

import difflib

import numpy as np
import pandas as pd

from relcap_models.data.survey import Survey
from relcap_models.errors import DataError, Problem


def covariate_columns(
    survey: Survey,
    covariates: tuple[str, ...],
    *,
    units: tuple[str, ...],
    waves: tuple[str, ...],
    rater: np.ndarray,
    target: np.ndarray,
    wave: np.ndarray,
    relations: np.ndarray,
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, tuple[str, ...]]:
    """Columns of the design matrix for ratings and for relations.

    A covariate is `rater.ATTRIBUTE` or `target.ATTRIBUTE` (a column of the units table) or
    `relation.ATTRIBUTE` (a column of the nominations table, blank where a relation was not nominated).
    Numbers are standardised over units (relations); text becomes a 0/1 column per category but the commonest.

    Returns
    -------
    names : (C,) column names · by_rating : (N, C) · by_relation : (R, W, C)
    constant : covariates without a column, for they have one value everywhere
    """
    problems: list[Problem] = []
    names: list[str] = []
    constant: list[str] = []
    by_rating, by_relation = [], []
    for covariate in covariates:
        side, _, attribute = covariate.partition(".")
        source = {"rater": survey.units, "target": survey.units, "relation": survey.nominations}.get(side)
        known = [
            f"{s}.{c}"
            for s in ("rater", "target")
            for c in survey.units.columns
            if c not in ("unit_id", "name")
        ]
        known += [
            f"relation.{c}"
            for c in survey.nominations.columns
            if c not in ("wave", "rater_unit", "target_unit")
        ]
        if source is None or covariate not in known:
            near = difflib.get_close_matches(covariate, known, n=3, cutoff=0.0)
            problems.append(
                Problem(
                    "study.yaml",
                    f"unknown covariate '{covariate}'",
                    where="covariates",
                    remedy=f"Nearest known: {', '.join(near) or 'none'}",
                )
            )
            continue
        if side == "relation":
            cube = _by_relation_and_wave(source, attribute, units, waves)
            columns = _coded(cube.ravel(), covariate, default=True)
            if not columns:
                constant.append(covariate)
            for name, values in columns:
                values = values.reshape(cube.shape)
                names.append(name)
                by_rating.append(values[rater, target, wave])
                by_relation.append(values[relations[:, 0], relations[:, 1]])
            continue
        raw = source.set_index(source["unit_id"].astype(str)).reindex(list(units))[attribute]
        if raw.isna().any():
            without = ", ".join(raw.index[raw.isna()][:5])
            problems.append(
                Problem(
                    "units",
                    f"no {attribute} for {raw.isna().sum()} units ({without})",
                    "Fill it in, or remove the covariate",
                    column=attribute,
                )
            )
            continue
        columns = _coded(raw.to_numpy(), covariate, default=False)
        if not columns:
            constant.append(covariate)
        for name, values in columns:
            names.append(name)
            end = 0 if side == "rater" else 1
            by_rating.append(values[rater if side == "rater" else target])
            by_relation.append(np.repeat(values[relations[:, end]][:, None], len(waves), axis=1))
    if problems:
        raise DataError(problems=problems)
    empty = np.zeros((len(rater), 0)), np.zeros((len(relations), len(waves), 0))
    if not names:
        return (), *empty, tuple(constant)
    return tuple(names), np.stack(by_rating, axis=-1), np.stack(by_relation, axis=-1), tuple(constant)


def _by_relation_and_wave(
    nominations: pd.DataFrame, attribute: str, units: tuple[str, ...], waves: tuple[str, ...]
) -> np.ndarray:
    cube = np.full((len(units), len(units), len(waves)), None, dtype=object)
    position = {u: i for i, u in enumerate(units)}
    wave_position = {w: i for i, w in enumerate(waves)}
    known = nominations[
        nominations["rater_unit"].isin(units)
        & nominations["target_unit"].isin(units)
        & nominations["wave"].isin(waves)
    ]
    for wave, rater, target, value in known[["wave", "rater_unit", "target_unit", attribute]].itertuples(
        index=False
    ):
        cube[position[rater], position[target], wave_position[wave]] = value
    return cube


def _coded(raw: np.ndarray, name: str, *, default: bool) -> list[tuple[str, np.ndarray]]:
    """Standardised number or 0/1 columns. With `default`, blanks become the mean or the base category."""
    series = pd.Series(raw)
    numbers = pd.to_numeric(series, errors="coerce")
    if numbers.notna().sum() == series.notna().sum():
        spread = numbers.std()
        if not spread > 0:
            return []
        return [(name, ((numbers - numbers.mean()) / spread).fillna(0.0 if default else np.nan).to_numpy())]
    counts = series.dropna().astype(str).value_counts()
    return [
        (f"{name}={category}", (series.astype(str) == category).to_numpy(float))
        for category in counts.index[1:]
    ]
