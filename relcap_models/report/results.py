"""The results folder as the report reads it: the controlled tables and the metadata, nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from relcap_models.errors import DataError, Problem

_ESTIMATE = "mean sd lower upper ci_prob"
_IDS = "analysis wave dimension"
_OF = "analysis instrument split group"
PSYCHOMETRICS = {
    "psychometrics_items": f"{_OF} dimension item n_ratings n_respondents unanswered mean sd lowest highest "
    "item_rest",
    "psychometrics_shares": f"{_OF} dimension item category share",
    "psychometrics_fit": f"{_OF} n_ratings chisq df p cfi rmsea rmsea_lower rmsea_upper srmr",
    "psychometrics_parameters": f"{_OF} dimension item parameter estimate lower upper ci_prob",
    "psychometrics_reliability": f"{_OF} dimension coefficient level estimate lower upper ci_prob",
    "psychometrics_levels": f"{_OF} dimension level estimate lower upper",
    "psychometrics_information": f"{_OF} dimension item theta information",
    "psychometrics_invariance": "analysis instrument across level chisq df cfi rmsea diff_chisq diff_df "
    "diff_p held",
    "psychometrics_mean_impact": "analysis instrument across reference group dimension items equal "
    "partial impact",
    "psychometrics_dif": "analysis instrument across reference group dimension item difference lower upper "
    "ci_prob p_uniform_adjusted p_nonuniform_adjusted r2",
    "psychometrics_notes": f"{_OF} topic subject detail",
}
LINKS = {
    "leadership_link": f"analysis method source adjusted level predictor outcome scale {_ESTIMATE} "
    "prob_positive per_point per_point_lower per_point_upper prob_smallest prob_rope prior_share n_units",
    "leadership_mixed": "analysis method source adjusted level predictor outcome scale mean sd lower upper",
    "leadership_sensitivity": "analysis check detail adjusted level predictor outcome quantity mean lower "
    "upper ci_prob",
    "leadership_regressions": f"analysis question outcome term scale {_ESTIMATE} prob_positive",
    "leadership_paths": "analysis source adjusted level predictor mediator outcome path scale "
    f"{_ESTIMATE} prob_positive",
    "leadership_units": "analysis unit predictor outcome predictor_mean predictor_sd predictor_lower "
    "predictor_upper outcome_mean outcome_sd outcome_lower outcome_upper ci_prob correlation n_staff "
    "n_raters suppressed",
}
PROGRAMMES = {
    "programme_designs": "analysis programme instrument assignment exposure design assigned refused "
    "n_clusters_treated n_clusters_comparison n_units_treated n_units_comparison n_units_always "
    "n_relations_left_out first_start last_start",
    "programme_exposure": "analysis wave cohort_rater cohort_target kind n_relations n_respondents",
    "programme_effects": f"analysis estimand aggregate group time scale component dimension {_ESTIMATE} "
    "prob_positive prob_goal goal assignment n_respondents n_relations n_units n_clusters suppressed",
    "programme_relation_types": "analysis estimand rater_type target_type scale component dimension "
    f"{_ESTIMATE} prob_positive prob_goal n_respondents n_relations n_units n_clusters suppressed",
    "programme_comparisons": "analysis method estimand aggregate group time dimension estimate se lower "
    "upper p ci_prob n_relations n_units n_clusters note suppressed",
    "programme_weights": "analysis estimand comparison weight estimate suppressed",
    "programme_threats": "analysis threat variant estimand quantity value lower upper p ci_prob n note "
    "suppressed",
}
COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        name: tuple(columns.split())
        for name, columns in {
            "relation_scores": f"{_IDS} rater_unit target_unit {_ESTIMATE} naive_mean n_respondents "
            "suppressed prob_lowest_k prob_highest_k k asynchronous mean_unit_adjusted favourable_mean",
            "unit_scores": f"{_IDS} unit role {_ESTIMATE} naive_mean n_respondents suppressed "
            "favourable_mean prob_lowest_k prob_highest_k k",
            "perception_gaps": f"{_IDS} unit_a unit_b {_ESTIMATE} naive_gap suppressed delta "
            "prob_gap_above_delta mean_unit_adjusted prob_gap_above_delta_unit_adjusted",
            "changes": f"analysis level role rater_unit target_unit dimension wave_from wave_to {_ESTIMATE} "
            "naive_change suppressed prob_positive",
            "variance_shares": f"analysis dimension component quantity {_ESTIMATE}",
            "reliability": f"analysis dimension comparison scale quantity n_respondents {_ESTIMATE}",
            "item_profiles": f"{_IDS} rater_unit target_unit item {_ESTIMATE} naive_mean suppressed",
            "item_distributions": "analysis item dimension category observed predicted_mean predicted_lower "
            "predicted_upper suppressed",
            "checks": "analysis check subject value threshold passed message",
            "agreement": "analysis quantity n mean_difference p95_difference max_difference median_sd_ratio "
            "share_sd_ratio",
            "effect_agreement": "analysis effect difference sd_ratio",
            "predictive_fit": "analysis instrument elpd se p_loo n_kfold n_unreliable elpd_diff se_diff",
            **PSYCHOMETRICS,
            **LINKS,
            **PROGRAMMES,
            "intake": "instrument read answers dont_know missing blank",
        }.items()
    }
)
"""The columns that the report needs, per table. A table may hold more; a table may be absent."""

# Counts stay text: disclosure control may have banded them ("5–9").
_TEXT = frozenset(
    {
        *("analysis", "wave", "rater_unit", "target_unit", "dimension", "unit", "role", "unit_a", "unit_b"),
        *(
            "level",
            "wave_from",
            "wave_to",
            "component",
            "quantity",
            "comparison",
            "scale",
            "item",
            "category",
        ),
        *("check", "subject", "value", "threshold", "message", "ci_kind", "instrument", "effect"),
        *("split", "group", "groups", "across", "coefficient", "parameter", "topic", "detail"),
        *("reference", "items"),
        *("n_rater_units", "n_staff", "n_raters"),
        *("method", "source", "predictor", "mediator", "outcome", "path", "note"),
        *("question", "term"),
        *("rater_type", "target_type"),
        *(
            "programme",
            "assignment",
            "exposure",
            "design",
            "assigned",
            "refused",
            "first_start",
            "last_start",
        ),
        *("cohort_rater", "cohort_target", "kind", "estimand", "aggregate", "time", "threat", "variant"),
        *("n_clusters_treated", "n_clusters_comparison", "n_units_treated", "n_units_comparison"),
        *("n_units_always", "n_relations_left_out"),
        *("read", "answers", "dont_know", "missing", "blank", "n_ratings", "n_ratings_a", "n_ratings_b"),
        *("n_respondents", "n_respondents_a", "n_respondents_b", "n_respondents_from", "n_respondents_to"),
    }
)
_FIGURES = frozenset({("programme_threats", "value")})
"""Figures under a name that elsewhere stands for text."""
_FLAGS = frozenset({"suppressed", "passed", "asynchronous", "held", "adjusted"})
_TRUE, _FALSE = frozenset({"true", "1", "1.0"}), frozenset({"false", "0", "0.0", ""})


@dataclass(frozen=True)
class Results:
    """What the report may show.

    tables : one frame per name of `COLUMNS`, empty where the file is absent. Ids and counts are text, figures
        float (NaN where blank), flags bool (blank is False).
    context : `restricted/context.json`; metadata of the study, its units, instruments and analyses.
    """

    folder: Path
    tables: Mapping[str, pd.DataFrame]
    context: Mapping[str, Any]


def read_results(folder: Path) -> Results:
    """Read the controlled tables and the metadata of a results folder.

    Raises
    ------
    DataError
        With every problem: no metadata, a table without a required column, text where a figure belongs.
    """
    problems: list[Problem] = []
    context: Mapping[str, Any] = {}
    path = folder / "restricted" / "context.json"
    try:
        context = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(
            Problem(
                "restricted/context.json",
                f"is missing in {folder}",
                "Give the folder that `relcap run` wrote, or run the study again",
            )
        )
    except ValueError as error:
        problems.append(Problem("restricted/context.json", f"cannot be read: {error}", "Run the study again"))
    tables = {name: _read_table(folder, name, problems) for name in COLUMNS}
    if problems:
        raise DataError("The results folder cannot be reported.", problems=problems)
    return Results(folder, MappingProxyType(tables), context)


def _read_table(folder: Path, name: str, problems: list[Problem]) -> pd.DataFrame:
    file = f"public/tables/{name}.csv"
    path = folder / file
    if not path.exists():
        return pd.DataFrame(
            {column: _converted(pd.Series([], dtype=object), name, column) for column in COLUMNS[name]}
        )
    raw = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    for column in COLUMNS[name]:
        if column not in raw.columns:
            problems.append(Problem(file, "has no such column", "Run the study again", column=column))
    converted = {}
    for column in raw.columns:
        try:
            converted[column] = _converted(raw[column], name, column)
        except ValueError as error:
            problems.append(Problem(file, str(error), "Run the study again", column=column))
    return pd.DataFrame(converted)


def _converted(values: pd.Series, table: str, column: str) -> pd.Series:
    if column in _FLAGS:
        lowered = values.str.strip().str.lower() if len(values) else values
        unknown = sorted(set(lowered) - _TRUE - _FALSE)
        if unknown:
            raise ValueError(f"has neither true nor false: {unknown[0]!r}")
        return lowered.isin(_TRUE)
    if column in _TEXT and (table, column) not in _FIGURES:
        return values.astype(object)
    figures = pd.to_numeric(values.replace("", None), errors="coerce")
    bad = figures.isna() & ~values.isin(["", "nan", "NaN"])
    # A column of a later version that this report does not know may hold text; those it uses may not.
    if bad.any():
        if not any(column in columns for columns in COLUMNS.values()):
            return values.astype(object)
        raise ValueError(f"has text where a figure belongs: {values[bad].iloc[0]!r}")
    return figures.astype(float)
