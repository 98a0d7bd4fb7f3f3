"""Several studies, each run as if alone, spread over processes or a cluster."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

import relcap_models
from relcap_models.errors import ConfigError, Problem
from relcap_models.study.folder import MANIFEST
from relcap_models.study.manifest import opening
from relcap_models.study.many import run_many
from relcap_models.study.read import Study, read_study
from relcap_models.study.run import RunResult, run_study


@dataclass(frozen=True)
class Runs:
    """What came of several studies.

    results : by name of the study, in their order · failed : name to error message, of those without results
    notes : see `study.many.Many`
    """

    results: dict[str, RunResult]
    failed: dict[str, str]
    notes: tuple[str, ...]


def run_studies(
    studies: Sequence[Path | str],
    out: Path | str,
    *,
    engine: str | None = None,
    overrides: Sequence[str] = (),
    scheduler: str | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Runs:
    """Run every study, each on one processor, into a folder of its name.

    A study whose results are there, from the same inputs and settings, is not run again.

    Parameters
    ----------
    studies : study folders; workers of a scheduler must see them, and `out`, under the same paths
    out : gets a results folder for each study · engine, overrides : of all studies, as in `run_study`
    scheduler, workers : see `study.many.run_many`

    Raises
    ------
    ConfigError
        Before anything is run: with every problem of every study file, or if two studies have one name.
    """
    out = Path(out).resolve()
    settings = [*overrides, *([f"inference.engine={engine}"] if engine else [])]
    read = _read(studies, settings)
    done = out / "runs"
    tasks, name_of = {}, {}
    for study in read:
        name = study.config.name
        key = f"{name}-{_fingerprint(study, out / name)}"
        if not (out / name / MANIFEST).exists():
            (done / f"{key}.parquet").unlink(missing_ok=True)
        tasks[key] = {"study": str(study.folder.resolve()), "out": str(out / name), "settings": settings}
        name_of[key] = name
    about = {"version": relcap_models.__version__}
    many = run_many(
        checks_of_run,
        tasks,
        folder=done,
        about=about,
        scheduler=scheduler,
        workers=workers,
        progress=progress,
    )
    results = {name_of[key]: RunResult(out / name_of[key], checks) for key, checks in many.tables.items()}
    return Runs(results, {name_of[key]: error for key, error in many.failed.items()}, many.notes)


def checks_of_run(study: str, out: str, settings: Sequence[str]) -> pd.DataFrame:
    """Run a study and give its table of checks."""
    return run_study(study, out, overrides=settings, progress=False).checks


def _read(studies: Sequence[Path | str], settings: Sequence[str]) -> list[Study]:
    read, problems = [], []
    for path in studies:
        try:
            read.append(read_study(path, overrides=settings))
        except ConfigError as error:
            problems += [
                p if p.file == str(path) else replace(p, file=f"{path}/{p.file}") for p in error.problems
            ]
    names = [study.config.name for study in read]
    for name in dict.fromkeys(n for n in names if names.count(n) > 1):
        folders = ", ".join(str(study.folder) for study in read if study.config.name == name)
        message = f"{folders} have the same name, which names their results"
        problems.append(Problem("study.yaml", message, "Rename all but one", where="name", value=name))
    if problems:
        raise ConfigError(problems=problems)
    return read


def _fingerprint(study: Study, out: Path) -> str:
    """Of everything that decides the results, code apart."""
    record = opening(study, out=out)
    decisive = json.dumps([record["config"], record["inputs"]], sort_keys=True)
    return hashlib.sha256(decisive.encode()).hexdigest()[:12]
