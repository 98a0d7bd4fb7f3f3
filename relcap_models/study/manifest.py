"""What a run was made from and what it made, so that a reviewer can check both."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import relcap_models
from relcap_models.schema import is_file, schema_folder, shipped_instruments
from relcap_models.study.folder import MANIFEST, sha256, write_json
from relcap_models.study.material import table_paths
from relcap_models.study.read import STUDY_FILE, Study

_PUBLIC_MANIFEST = f"public/{MANIFEST}"
_SHIPPED = "relcap_models:"
_PACKAGES = (
    "arviz",
    "numba",
    "numpy",
    "nutpie",
    "pandas",
    "pyarrow",
    "pydantic",
    "pymc",
    "pytensor",
    "scipy",
    "xarray",
    "zarr",
)


def input_names(study: Study) -> list[str]:
    """Every file that decides the results: paths in the study folder, shipped instruments with a prefix."""
    shipped = shipped_instruments()
    instruments = [_SHIPPED + source if source in shipped else source for source in study.sources.values()]
    tables = table_paths(study.folder, study.config.tables).values()
    present = [Path(os.path.relpath(path, study.folder)).as_posix() for path in tables if is_file(path)]
    return sorted([STUDY_FILE, *instruments, *present])


def input_file(name: str, study_folder: Path) -> Path:
    """Where the input stands that a manifest lists under this name."""
    if name.startswith(_SHIPPED):
        return schema_folder() / "instruments" / f"{name.removeprefix(_SHIPPED)}.yaml"
    return study_folder / name


def output_files(results: Path, *, parts: Iterable[str] = ("public", "restricted")) -> dict[str, str]:
    """sha256 of every file below the given parts of a results folder, by its path in it."""
    files = sorted(path for part in parts for path in (results / part).rglob("*") if path.is_file())
    return {path.relative_to(results).as_posix(): sha256(path) for path in files}


def write_manifests(results: Path, record: Mapping[str, Any]) -> None:
    """Write the manifest of everything, and into `public/` the one that may be passed on.

    The public one has no hash of an input or of a restricted file: whoever has the hash of a small file can
    try what may stand in it until the hash is right.

    record : the manifest, with `outputs` as `output_files` finds them.
    """
    outputs = {name: digest for name, digest in record["outputs"].items() if name != _PUBLIC_MANIFEST}
    public = {name: digest for name, digest in outputs.items() if name.startswith("public/")}
    told = {key: value for key, value in record.items() if key != "inputs"}
    write_json(results / _PUBLIC_MANIFEST, told | {"outputs": public})
    outputs[_PUBLIC_MANIFEST] = sha256(results / _PUBLIC_MANIFEST)
    write_json(results / MANIFEST, {**record, "outputs": dict(sorted(outputs.items()))})


def environment() -> dict[str, Any]:
    """Versions of Python, of this package and of those that decide figures, and the platform."""
    return {
        "relcap_models": relcap_models.__version__,
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES}
        | _where_installed("jax")
        | _where_installed("blackjax"),
        "platform": f"{platform.system()} {platform.machine()}",
        "byteorder": sys.byteorder,
    }


def _where_installed(name: str) -> dict[str, str]:
    try:
        return {name: importlib.metadata.version(name)}
    except importlib.metadata.PackageNotFoundError:
        return {}


def opening(study: Study, *, out: Path) -> dict[str, Any]:
    """The manifest as it stands when a run begins."""
    try:
        folder = Path(os.path.relpath(study.folder.resolve(), out.resolve())).as_posix()
    except ValueError:  # another drive on Windows
        folder = study.folder.resolve().as_posix()
    return {
        "manifest": 1,
        "name": study.config.name,
        "study": folder,
        "seed": study.config.seed,
        "config": study.config.model_dump(mode="json", exclude_none=True),
        "environment": environment(),
        "inputs": {name: sha256(input_file(name, study.folder)) for name in input_names(study)},
    }
