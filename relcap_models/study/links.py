"""The leadership link in a run: its models fitted one after another, and its tables."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from relcap_models import estimands, inference
from relcap_models.data import Survey
from relcap_models.errors import DataError, FitError
from relcap_models.models import LeadershipLink, check_design
from relcap_models.seeds import child_seed
from relcap_models.study.agreement import compare
from relcap_models.study.config import StudyConfig
from relcap_models.study.material import Material
from relcap_models.study.read import Study
from relcap_models.study.tables import stack_tables


def check_links(config: StudyConfig, survey: Survey) -> None:
    """Refuse links that the tables cannot carry, before anything is fitted.

    Raises
    ------
    DataError, FitError
        If answers, attributes, layers or outcomes are absent, or too few units have both ends of a link.
    """
    for analysis in config.links:
        for version in analysis.versions(survey):
            frame = version.frame(survey)
            check_design(version, frame)
            estimands.unit_facts(version, frame.units, survey)


def link(
    study: Study,
    analysis: LeadershipLink,
    material: Material,
    *,
    place: Path,
    progress: bool,
    said: Callable[[str], None],
) -> dict[str, pd.DataFrame]:
    """Fit every version of the analysis and stack their tables; fits are kept in `place`."""
    return stack_tables(
        [
            _version(study, version, material, place=place / version.version, progress=progress, said=said)
            for version in analysis.versions(material.survey)
        ]
    )


def _version(
    study: Study,
    version: LeadershipLink,
    material: Material,
    *,
    place: Path,
    progress: bool,
    said: Callable[[str], None],
) -> dict[str, pd.DataFrame]:
    said(f"{version.id}: {version.version} source{'s' if version.source == 'different' else ''}")
    stream = place / "stream.zarr"
    stream.mkdir(parents=True)
    seed = int(child_seed(study.config.seed, "fit", version.id, version.version).generate_state(1)[0])
    fit = inference.fit(
        version,
        material.survey,
        **study.config.inference.fit_settings(),
        seed=seed,
        progress=progress,
        store=stream,
    )
    fit.save(place)
    tables_of = partial(
        estimands.link_tables, ci_prob=study.config.report.ci_prob, smallest=version.smallest, seed=seed
    )
    tables = tables_of(fit)
    limits = study.config.inference
    if version.source == "different":
        tables["leadership_sensitivity"] = estimands.link_sensitivity_table(
            fit,
            _otherwise(study, version, material, seed=seed, said=said),
            ci_prob=study.config.report.ci_prob,
        )
        asked = estimands.link_regression_table(
            fit, material.survey, ci_prob=study.config.report.ci_prob, seed=seed
        )
        if len(asked):
            tables["leadership_regressions"] = asked
    tables["checks"] = inference.checks(
        fit, estimates=tables, max_rhat=limits.max_rhat, min_ess=limits.min_ess
    ).assign(analysis=version.label)
    if limits.engine == "both":
        tables |= compare(fit, material.survey, tables_of, name=version.label, progress=progress, said=said)
    shutil.rmtree(stream, ignore_errors=True)
    return tables


def _otherwise(
    study: Study,
    version: LeadershipLink,
    material: Material,
    *,
    seed: int,
    said: Callable[[str], None],
) -> dict[tuple[str, str], inference.Fit]:
    """The analysis with other priors and with fewer answers, by the fast engine; a line where it cannot."""
    survey = material.survey
    shape = {name: study.config.inference.fit_settings()[name] for name in ("chains", "draws")}
    asked: dict[tuple[str, str], tuple[LeadershipLink, Survey]] = {}
    for factor, detail in ((0.5, "halved"), (2.0, "doubled")):
        asked["priors", detail] = (version.with_spreads(factor), survey)
    leaders = without_leaders(survey, version.leadership)
    if leaders is not None:
        asked["leaders_left_out", ""] = (version, leaders)
    least = study.config.disclosure.min_respondents_mean
    large = with_raters(survey, version.climates, least)
    if large is not None:
        asked["least_raters", str(least)] = (version, large)
    found = {}
    for (check, detail), (model, answers) in asked.items():
        try:
            found[check, detail] = inference.fit(
                model, answers, engine="fast", seed=seed, progress=False, **shape
            )
        except (FitError, DataError) as error:
            said(f"{version.id}: no check '{check}': {error}")
    return found


def without_leaders(survey: Survey, leadership: str) -> Survey | None:
    """The survey without what leaders say of their own leaders; None where no leader is known or none said.

    Leaders are respondents with the role `leader`.
    """
    people = survey.respondents
    if "role" not in people:
        return None
    who = set(people.loc[people["role"].astype(str) == "leader", "respondent_id"].astype(str))
    answers = survey.responses
    theirs = answers["respondent_id"].astype(str).isin(who) & (answers["instrument"] == leadership)
    if not theirs.any():
        return None
    return replace(survey, responses=answers[~theirs].reset_index(drop=True))


def with_raters(survey: Survey, climates: Sequence[str], least: int) -> Survey | None:
    """The survey without units of which fewer people than `least` rate leaders and team; None if that is all
    of them or none."""
    answers = survey.responses
    own = answers[answers["instrument"].isin(climates)]
    heads = own.groupby(own["rater_unit"].astype(str))["respondent_id"].nunique()
    small = set(survey.units["unit_id"].astype(str)) - set(heads.index[heads >= least])
    touched = answers["rater_unit"].astype(str).isin(small) | answers["target_unit"].astype(str).isin(small)
    if not touched.any() or touched.all():
        return None
    return replace(survey, responses=answers[~touched].reset_index(drop=True))
