"""All that is examined of a survey's instruments, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd

from relcap_models.data.survey import Survey
from relcap_models.errors import ConfigError
from relcap_models.psychometrics.survey import notes as noted
from relcap_models.psychometrics.survey.answers import answers_to
from relcap_models.psychometrics.survey.declaration import Psychometrics
from relcap_models.psychometrics.survey.equality import equalities
from relcap_models.psychometrics.survey.information import information_rows
from relcap_models.psychometrics.survey.item_bias import bias_rows
from relcap_models.psychometrics.survey.item_statistics import item_rows, share_rows
from relcap_models.psychometrics.survey.levels import level_rows
from relcap_models.psychometrics.survey.mean_impact import impact_rows
from relcap_models.psychometrics.survey.measurement import FIT, measure
from relcap_models.psychometrics.survey.notes import Notes
from relcap_models.psychometrics.survey.reliability_levels import reliability_rows
from relcap_models.psychometrics.survey.scopes import Scope, scopes_of
from relcap_models.seeds import child_seed

_OF = ("analysis", "instrument", "split", "group")
_INTERVAL = ("estimate", "lower", "upper", "ci_prob")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "psychometrics_items": (
        *_OF,
        *("dimension", "item", "n_ratings", "n_respondents", "unanswered", "mean", "sd"),
        *("lowest", "highest", "item_rest"),
    ),
    "psychometrics_shares": (*_OF, "dimension", "item", "category", "share"),
    "psychometrics_fit": (*_OF, "n_ratings", "n_rater_units", *FIT),
    "psychometrics_parameters": (
        *_OF,
        *("dimension", "item", "parameter", "estimate", "se", "lower", "upper", "ci_prob"),
    ),
    "psychometrics_reliability": (*_OF, "dimension", "coefficient", "level", *_INTERVAL),
    "psychometrics_levels": (*_OF, "dimension", "level", *_INTERVAL),
    "psychometrics_invariance": (
        *("analysis", "instrument", "across", "groups", "level", "chisq", "df", "cfi", "rmsea", "srmr"),
        *("diff_chisq", "diff_df", "diff_p", "held"),
    ),
    "psychometrics_mean_impact": (
        *("analysis", "instrument", "across", "reference", "group", "dimension", "items"),
        *("equal", "partial", "impact"),
    ),
    "psychometrics_dif": (
        *("analysis", "instrument", "across", "reference", "group", "dimension", "item"),
        *("difference", "lower", "upper", "ci_prob"),
        *("p_uniform", "p_uniform_adjusted", "p_nonuniform", "p_nonuniform_adjusted", "r2"),
    ),
    "psychometrics_information": (*_OF, "dimension", "item", "theta", "information"),
    "psychometrics_notes": ("analysis", *noted.COLUMNS),
}
"""The tables and their columns. `split` is `survey`, `wave`, `language` or `layer`, and `group` which one."""


def examine(
    analysis: Psychometrics,
    survey: Survey,
    *,
    ci_prob: float = 0.9,
    seed: int = 0,
    said: Callable[[str], None] = lambda text: None,
) -> dict[str, pd.DataFrame]:
    """Whether the instruments of a survey measure what they are meant to.

    Items and factors by wave, language and layer (of the rater unit); the factor model has a factor for each
    dimension, ordinal items (WLSMV), and standard errors and tests that respect rater units as clusters.
    Reliability of ratings, and of what is rated (a relation or unit in a wave) by several people. Invariance
    over waves, languages and layers, with its impact on means, and items that a language or layer answers in
    its own way (DIF). Groups of fewer than 50 respondents or 100 ratings are not examined.

    Parameters
    ----------
    ci_prob : probability of the intervals
    seed : of the cluster bootstrap
    said : is told what is being examined

    Returns
    -------
    Tables by name, see `COLUMNS`. What could not be estimated is a row of `psychometrics_notes`.

    Raises
    ------
    ConfigError
        If the survey has no such instrument.
    """
    names = analysis.instruments or tuple(survey.instruments)
    if unknown := [name for name in names if name not in survey.instruments]:
        raise ConfigError(f"{analysis.id}: the survey has no instrument {', '.join(unknown)}")
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in COLUMNS}
    for name in names:
        answers = answers_to(survey, survey.instruments[name])
        if answers.items.empty:
            continue
        notes = Notes(name)

        def add(table: str, scope: Scope, found: Iterable[dict[str, object]], name: str = name) -> None:
            of = {"instrument": name, "split": scope.split, "group": scope.group}
            rows[f"psychometrics_{table}"] += [of | row for row in found]

        for scope in scopes_of(answers):
            said(f"{name}: {scope.group or 'everybody'}")
            key = int(child_seed(seed, "bootstrap", name, scope.split, scope.group).generate_state(1)[0])
            add("items", scope, item_rows(scope))
            add("shares", scope, share_rows(scope))
            measured = measure(scope, notes, ci_prob=ci_prob)
            add("fit", scope, measured.fit)
            add("parameters", scope, measured.parameters)
            add("reliability", scope, measured.reliability)
            add("reliability", scope, reliability_rows(scope, notes, ci_prob=ci_prob, seed=key))
            add("levels", scope, level_rows(scope, notes, ci_prob=ci_prob))
            add("information", scope, information_rows(scope, notes))
        said(f"{name}: invariance")
        of = {"instrument": name}
        for equality in equalities(answers, notes):
            rows["psychometrics_invariance"] += [of | row for row in equality.rows]
            rows["psychometrics_mean_impact"] += [of | row for row in impact_rows(equality, notes)]
        said(f"{name}: differential item functioning")
        rows["psychometrics_dif"] += [of | row for row in bias_rows(answers, notes, ci_prob=ci_prob)]
        rows["psychometrics_notes"] += [dict(zip(noted.COLUMNS, row)) for row in notes.rows]
    return {table: _frame(found, table, analysis.id) for table, found in rows.items()}


def _frame(rows: list[dict[str, object]], table: str, analysis: str) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(COLUMNS[table]))
    frame["analysis"] = analysis
    return frame.replace([np.inf, -np.inf], np.nan)
