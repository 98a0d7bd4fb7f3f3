"""The leadership link in a run: its models fitted one after another, and its tables."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from relcap_models import estimands, inference
from relcap_models.models import LeadershipLink
from relcap_models.seeds import child_seed
from relcap_models.study.material import Material
from relcap_models.study.read import Study
from relcap_models.study.tables import stack_tables


def name_of(version: LeadershipLink) -> str:
    """Folder of a fit, and key of its seed: `different`, `same-orientation` …"""
    return version.source if version.outcome is None else f"{version.source}-{version.outcome}"


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
            _version(study, version, material, place=place / name_of(version), progress=progress, said=said)
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
    said(f"{version.id}: {name_of(version)} source{'s' if version.source == 'different' else ''}")
    stream = place / "stream.zarr"
    stream.mkdir(parents=True)
    seed = int(child_seed(study.config.seed, "fit", version.id, name_of(version)).generate_state(1)[0])
    fit = inference.fit(
        version,
        material.survey,
        **study.config.inference.fit_settings(),
        seed=seed,
        progress=progress,
        store=stream,
    )
    fit.save(place)
    tables = estimands.link_tables(
        fit, ci_prob=study.config.report.ci_prob, smallest=version.smallest, seed=seed
    )
    limits = study.config.inference
    if version.source == "different":
        asked = estimands.link_regression_table(
            fit, material.survey, ci_prob=study.config.report.ci_prob, seed=seed
        )
        if len(asked):
            tables["leadership_regressions"] = asked
    tables["checks"] = inference.checks(
        fit, estimates=tables, max_rhat=limits.max_rhat, min_ess=limits.min_ess
    )
    shutil.rmtree(stream, ignore_errors=True)
    return tables
