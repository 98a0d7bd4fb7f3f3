"""Programme effects in a run: the model, the same with differences before the start, and their tables."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from relcap_models import inference
from relcap_models.errors import DataError, FitError
from relcap_models.estimands import programme_effect as estimands
from relcap_models.models import ProgrammeEffect
from relcap_models.models.exposure import SINGLE_GROUP
from relcap_models.models.exposure_columns import LEAD
from relcap_models.seeds import child_seed
from relcap_models.study.agreement import compare
from relcap_models.study.material import Material
from relcap_models.study.read import Study

EFFECTS = "programme_effects"


def programme(
    study: Study,
    analysis: ProgrammeEffect,
    material: Material,
    *,
    place: Path,
    progress: bool,
    said: Callable[[str], None],
) -> dict[str, pd.DataFrame]:
    """Fit the analysis and make its tables; the fit is kept in `place`.

    With one cluster on a side nothing is fitted: there is a table of the design, and none of effects.
    """
    survey, ci_prob = material.survey, study.config.report.ci_prob
    exposed = analysis.exposed(survey)
    tables = {
        "programme_designs": estimands.programme_design_table(analysis, exposed),
        "programme_exposure": estimands.programme_exposure_table(analysis, exposed),
    }
    if refused := estimands.refusal(exposed):
        side = "treated" if refused == "one_treated_cluster" else "comparison"
        said(
            f"{analysis.id}: one {side} {exposed.exposure.assigned}: its own ups and downs cannot be told "
            "from an effect, so none is inferred"
        )
        return tables
    said(f"{analysis.id}: {analysis.kind} of {analysis.instrument}")
    if exposed.design == SINGLE_GROUP:
        said(
            f"{analysis.id}: nobody to compare with: a change since before the start, which may be the "
            "programme's, anything else's, a trend's, or the passing of chance lows; no effect is told"
        )
    stream = place / "stream.zarr"
    stream.mkdir(parents=True)
    seed = int(child_seed(study.config.seed, "fit", analysis.id).generate_state(1)[0])
    settings, limits = study.config.inference.fit_settings(), study.config.inference
    fit = inference.fit(analysis, survey, **settings, seed=seed, progress=progress, store=stream)
    fit.save(place)
    goal = study.config.targets.change
    tables_of = partial(estimands.programme_effect_tables, survey=survey, ci_prob=ci_prob, goal=goal)
    found = tables_of(fit)
    if limits.engine == "both":
        tables |= compare(fit, survey, tables_of, name=analysis.id, progress=progress, said=said)
    tables["checks"] = inference.checks(
        fit, estimates=found, max_rhat=limits.max_rhat, min_ess=limits.min_ess
    )
    if exposed.design != SINGLE_GROUP:
        before = _before_the_start(study, analysis, material, seed=seed, goal=goal, said=said)
        found[EFFECTS] = pd.concat([found[EFFECTS], *before], ignore_index=True)
    shutil.rmtree(stream, ignore_errors=True)
    said(f"{analysis.id}: differences in differences beside it, and what could have faked it")
    how = {"ci_prob": ci_prob, "seed": seed}
    found["programme_comparisons"] = estimands.programme_comparison_table(analysis, survey, **how)
    weights = estimands.programme_weight_table(analysis, survey)
    if len(weights):
        found["programme_weights"] = weights
    found["programme_threats"] = estimands.programme_threat_table(analysis, survey, **how)
    return tables | found


def _before_the_start(
    study: Study,
    analysis: ProgrammeEffect,
    material: Material,
    *,
    seed: int,
    goal: float,
    said: Callable[[str], None],
) -> list[pd.DataFrame]:
    """Differences before the start, from a fit that has them, by the fast engine; a line where it cannot."""
    survey, version = material.survey, analysis.model_copy(update={"estimate": "event_study"})
    if not any(column.role == LEAD for column in version.exposed(survey).columns):
        return []
    shape = {name: study.config.inference.fit_settings()[name] for name in ("chains", "draws")}
    try:
        fit = inference.fit(version, survey, engine="fast", seed=seed, progress=False, **shape)
    except (FitError, DataError) as error:
        said(f"{analysis.id}: no differences before the start: {error}")
        return []
    ci_prob = study.config.report.ci_prob
    table = estimands.programme_effect_tables(fit, survey, ci_prob=ci_prob, goal=goal)[EFFECTS]
    before = (table["aggregate"] == "dynamic") & table["time"].str.startswith("-")
    return [table[before]]
