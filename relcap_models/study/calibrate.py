"""Calibration of a study's models: posteriors of answers that were drawn from the priors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import relcap_models
from relcap_models.data import Survey
from relcap_models.errors import ConfigError, FitError
from relcap_models.inference.calibration import check_calibratable, judge, ranks
from relcap_models.models import LeadershipLink
from relcap_models.models.design import check_design
from relcap_models.models.frame import Frame
from relcap_models.study.config import StudyConfig
from relcap_models.study.many import run_many
from relcap_models.study.material import gather
from relcap_models.study.read import read_study, require_models


@dataclass(frozen=True)
class Calibration:
    """Where a calibration is, and what it found.

    table : a row for each number that was ranked: see `inference.calibration.judge`
    failed_fits : analysis and replicate to error message · notes : see `study.many.Many`
    """

    folder: Path
    table: pd.DataFrame
    failed_fits: dict[str, str]
    notes: tuple[str, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """What is not calibrated, and which fits ended with an error."""
        off = self.table[~self.table["passed"]]
        lines = [
            f"{row.analysis}: ranks of {row.quantity}{f'[{row.label}]' if row.label else ''} are not uniform "
            f"(mean {row.mean_rank:.2f}, expected 0.50; spread {row.spread:.2f}, expected 1.00)"
            for row in off.itertuples()
        ]
        return (*lines, *(f"{key} could not be fitted: {error}" for key, error in self.failed_fits.items()))


def calibrate_study(
    study: Path | str,
    out: Path | str | None = None,
    *,
    engine: str | None = None,
    overrides: Sequence[str] = (),
    replicates: int = 100,
    scheduler: str | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Calibration:
    """Draw worlds from the priors on the study's design, fit each, and judge the ranks of what is true.

    Parameters
    ----------
    study : a study folder · out : default `calibration` in it; results there are kept and added to
    engine, overrides : replace settings of the study file, as in `run_study`
    replicates : worlds of each analysis · scheduler, workers : see `study.many.run_many`

    Returns
    -------
    Calibration, whose table and figures stand in the folder.

    Raises
    ------
    ConfigError, DataError
        With every problem of the study or its tables.
    FitError
        If a model cannot be fitted to the design, or has no priors to draw from.
    """
    engines = [f"inference.engine={engine}"] if engine else []
    read = read_study(study, overrides=[*overrides, *engines])
    if not read.config.links:
        require_models(read)
    if replicates < 10:
        raise ConfigError(f"--replicates {replicates}: fewer than 10 say nothing about calibration")
    out = Path(out) if out is not None else read.folder / "calibration"
    material = gather(read)
    settings = read.config.inference.fit_settings()
    tasks: dict[str, dict[str, Any]] = {}
    designs = {}
    analyses = (*read.config.models, *_versions(read.config, material.survey), *read.config.programmes)
    for analysis in analyses:
        check_calibratable(analysis)
        frame = analysis.frame(material.survey)
        check_design(analysis, frame)
        designs[analysis.id] = _fingerprint(frame)
        for replicate in range(replicates):
            tasks[f"{analysis.id}-{replicate:05d}"] = {
                "model": analysis,
                "frame": frame,
                "settings": settings,
                "seed": read.config.seed,
                "replicate": replicate,
            }
    about = {
        "version": relcap_models.__version__,
        "seed": read.config.seed,
        "settings": settings,
        "analyses": [analysis.model_dump(mode="json") for analysis in analyses],
        "designs": designs,
    }
    many = run_many(
        ranks,
        tasks,
        folder=out / "replicates",
        about=about,
        scheduler=scheduler,
        workers=workers,
        progress=progress,
    )
    tables = []
    for analysis in analyses:
        found = [many.tables[key] for key in many.tables if tasks[key]["model"] is analysis]
        if found:
            table, curves = judge(pd.concat(found, ignore_index=True))
            tables.append(table.assign(analysis=analysis.id))
            _draw(curves, out / f"{analysis.id}.png", f"{analysis.id}: {len(found)} worlds from the priors")
    if not tables:
        key, error = next(iter(many.failed.items()))
        raise FitError(f"not one of {len(tasks):,} worlds could be fitted; the first, {key}: {error}")
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "analysis", table.pop("analysis"))
    table.to_csv(out / "calibration.csv", index=False)
    return Calibration(out, table, many.failed, many.notes)


def _versions(config: StudyConfig, survey: Survey) -> tuple[LeadershipLink, ...]:
    """The models that make up leadership links, each by a name of its own."""
    return tuple(
        version.model_copy(update={"id": f"{version.id}-{version.version}"})
        for link in config.links
        for version in link.versions(survey)
    )


def _fingerprint(frame: Frame) -> str:
    """The same for the same design, whatever was answered."""
    digest = sha256()
    for field in fields(frame):
        value = getattr(frame, field.name)
        if field.name != "answer":
            digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return digest.hexdigest()


def _draw(curves: dict, path: Path, title: str) -> None:
    from relcap_models.report.figures.calibration import draw_calibration
    from relcap_models.report.figures.theme import LIGHT, png

    path.write_bytes(png(lambda theme: draw_calibration(theme, curves, title=title), LIGHT))
