"""Are results what their manifest says, and can they be reproduced?"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from relcap_models.errors import ConfigError, Problem
from relcap_models.study.folder import INCOMPLETE, MANIFEST, sha256
from relcap_models.study.manifest import environment, input_file, output_files
from relcap_models.study.read import Study, study_of
from relcap_models.study.run import run_study

_MAX_Z = 5.0
"""Two runs' means further apart than this, in Monte Carlo standard errors of their difference, do not agree:
over 10,000 figures chance alone exceeds it less than once in a hundred comparisons."""


_NEEDED = {"status": str, "study": str, "config": dict, "inputs": dict, "outputs": dict, "environment": dict}
"""What must stand in the manifest of a run that came to its end."""


@dataclass(frozen=True)
class Verdict:
    """What was compared and found, in lines; `holds` is true if nothing contradicts the manifest."""

    holds: bool
    lines: tuple[str, ...]


def verify_results(results: Path | str, *, rerun: bool = False, progress: bool = True) -> Verdict:
    """Compare every input and output with the manifest, and with `rerun` the tables with those of a new run.

    The new run works in a temporary folder and takes its settings from the manifest, overrides included.
    Tables that are the same figure by figure are reproduced; on another machine, where the last digits of a
    sampler differ, figures with a Monte Carlo error may differ within it, and the verdict says so.

    Raises
    ------
    ConfigError
        If the folder has no manifest that can be read.
    """
    results = Path(results)
    manifest = _read_manifest(results)
    if manifest.get("status") == INCOMPLETE:
        how = f"{manifest.get('how', 'not finished')} in stage '{manifest.get('stage')}'"
        return Verdict(False, (f"This run is incomplete: {how}. There are no results to verify.",))
    study_folder = (results / manifest["study"]).resolve()
    inputs = {name: input_file(name, study_folder) for name in manifest["inputs"]}
    found = {name: sha256(path) for name, path in inputs.items() if path.is_file()}
    inputs_differ = _differences(manifest["inputs"], found, what="input")
    outputs_differ = _differences(manifest["outputs"], output_files(results), what="output")
    lines = [
        f"{len(manifest['inputs'])} inputs, {len(manifest['outputs'])} outputs: "
        + (
            "all as the manifest says."
            if not inputs_differ + outputs_differ
            else "not all as the manifest says."
        ),
        *inputs_differ,
        *outputs_differ,
        f"The run {'passed its checks' if manifest['status'] == 'passed' else 'FAILED its checks'}.",
    ]
    holds = not (inputs_differ or outputs_differ)
    if rerun:
        study = study_of(manifest["config"], folder=study_folder)
        reproduced, of_tables = _rerun(study, results, progress=progress)
        holds = holds and reproduced
        lines += [*_other_environment(manifest["environment"]), *of_tables]
    return Verdict(holds, tuple(lines))


def compare_tables(before: Path, after: Path) -> tuple[bool, list[str]]:
    """Do two folders hold the same tables?

    Returns
    -------
    reproduced : every table is there and equal, or differs in figures within Monte Carlo error only
    lines : one for each table that is not equal, with the largest difference
    """
    names = sorted({path.name for folder in (before, after) for path in folder.glob("*.csv")})
    reproduced, lines = True, []
    for name in names:
        if not (before / name).is_file() or not (after / name).is_file():
            reproduced = False
            lines.append(f"{name}: only in {'the new run' if (after / name).is_file() else 'these results'}.")
        elif (before / name).read_bytes() != (after / name).read_bytes():
            agrees, line = _compare(_read(before / name), _read(after / name))
            reproduced = reproduced and agrees
            lines.append(f"{name}: {line}")
    return reproduced, lines


def _rerun(study: Study, results: Path, *, progress: bool) -> tuple[bool, list[str]]:
    with tempfile.TemporaryDirectory(prefix="relcap-verify-") as place:
        run_study(study, Path(place) / "results", progress=progress)
        same = True
        lines: list[str] = []
        for part in ("public", "restricted"):
            reproduced, found = compare_tables(
                results / part / "tables", Path(place) / "results" / part / "tables"
            )
            same = same and reproduced
            lines += [f"{part}/tables/{line}" for line in found]
    if not lines:
        return True, ["Run again: every table is the same, figure by figure."]
    verdict = "reproduced within Monte Carlo error" if same else "NOT reproduced"
    return same, [f"Run again: the tables are {verdict}.", *lines]


def _compare(before: pd.DataFrame, after: pd.DataFrame) -> tuple[bool, str]:
    if list(before.columns) != list(after.columns) or len(before) != len(after):
        return False, "has other rows or columns."
    if "mcse" not in before:
        changed = [column for column in before if not before[column].equals(after[column])]
        return _is_diagnostic(changed), f"differs in {', '.join(changed)}, which belong to the draws."
    labels = list(before.columns[: before.columns.get_loc("mean")])
    if not before[labels].equals(after[labels]) or not _same_shown(before, after):
        return False, "has other labels or suppresses other rows."
    mean = (pd.to_numeric(before["mean"]) - pd.to_numeric(after["mean"])).abs()
    error = np.hypot(pd.to_numeric(before["mcse"]), pd.to_numeric(after["mcse"]))
    z = (mean / error.where(error > 0)).max()
    agrees = not bool((mean > _MAX_Z * error).any())
    return agrees, f"means differ by up to {mean.max():.3g}, {z:.1f} Monte Carlo standard errors."


def _same_shown(before: pd.DataFrame, after: pd.DataFrame) -> bool:
    """Are the same cells blank, and the same rows suppressed?"""
    flags = [column for column in before if column == "suppressed"]
    return before.eq("").equals(after.eq("")) and before[flags].equals(after[flags])


def _is_diagnostic(changed: list[str]) -> bool:
    return set(changed) <= {"value", "message", "predicted_mean", "predicted_lower", "predicted_upper"}


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")


def _differences(stated: Mapping[str, str], found: Mapping[str, str], *, what: str) -> list[str]:
    lines = [f"{what} {name}: is not there any more" for name in stated if name not in found]
    lines += [
        f"{what} {name}: was changed" for name in stated if name in found and found[name] != stated[name]
    ]
    return lines + [f"{what} {name}: is not in the manifest" for name in found if name not in stated]


def _other_environment(stated: Mapping[str, Any]) -> list[str]:
    here = environment()
    packages = [
        f"{name} {version} → {here['packages'].get(name)}"
        for name, version in stated["packages"].items()
        if here["packages"].get(name) != version
    ]
    other = [
        f"{key} {stated[key]} → {here[key]}"
        for key in ("relcap_models", "python", "platform")
        if stated[key] != here[key]
    ]
    return [f"The environment differs: {', '.join(other + packages)}."] if other + packages else []


def _read_manifest(results: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((results / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _no_results(results, f"has no {MANIFEST} that can be read") from error
    if not isinstance(manifest, dict):
        raise _no_results(results, f"has a {MANIFEST} that no run wrote")
    missing = [key for key, kind in _NEEDED.items() if not isinstance(manifest.get(key), kind)]
    if missing and manifest.get("status") != INCOMPLETE:
        what = f"has a {MANIFEST} that no run wrote: {', '.join(missing)} missing or of another kind"
        raise _no_results(results, what)
    return manifest


def _no_results(results: Path, message: str) -> ConfigError:
    return ConfigError(problems=[Problem(str(results), message, "Give a results folder of `relcap run`")])
