"""Several studies, each run as if alone, spread over processes or a cluster."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from relcap_models.errors import ConfigError, Problem
from relcap_models.study.folder import INCOMPLETE, MANIFEST
from relcap_models.study.manifest import opening
from relcap_models.study.many import run_many
from relcap_models.study.read import STUDY_FILE, Study, read_study
from relcap_models.study.run import RunResult, run_study

_DONE = ".runs"
"""Which studies have run; no study can have that name."""


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
    done = out / _DONE
    tasks, name_of = {}, {}
    for study in _read(studies, settings):
        name = study.config.name
        decisive = _decisive(opening(study, out=out / name))
        key = f"{name}-{hashlib.sha256(decisive.encode()).hexdigest()[:12]}"
        if not _holds(out / name, decisive):
            (done / f"{key}.parquet").unlink(missing_ok=True)
        tasks[key] = {"study": str(study.folder.resolve()), "out": str(out / name), "settings": settings}
        name_of[key] = name
    many = run_many(
        checks_of_run, tasks, folder=done, about={}, scheduler=scheduler, workers=workers, progress=progress
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
    # Some systems take North and north for one folder.
    names = [study.config.name.lower() for study in read]
    for name in dict.fromkeys(n for n in names if names.count(n) > 1):
        folders = ", ".join(str(study.folder) for study in read if study.config.name.lower() == name)
        message = f"{folders} have the same name, which names their results"
        remedy = "Give each study once, and a name of its own"
        problems.append(Problem(STUDY_FILE, message, remedy, where="name", value=name))
    if problems:
        raise ConfigError(problems=problems)
    return read


def _decisive(record: Mapping[str, Any]) -> str:
    """What in a manifest decides the results, the machine apart."""
    version = record["environment"]["relcap_models"]
    return json.dumps([record["config"], record["inputs"], version], sort_keys=True)


def _holds(results: Path, decisive: str) -> bool:
    """Whether a folder holds the complete results of these inputs and settings."""
    try:
        record = json.loads((results / MANIFEST).read_text(encoding="utf-8"))
        return record["status"] != INCOMPLETE and _decisive(record) == decisive
    except (OSError, ValueError, KeyError):
        return False
