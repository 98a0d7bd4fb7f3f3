"""A results folder that is either the last complete run or says that it is incomplete.

A run works in `incomplete/` inside the results folder and never outside it. Only when everything is there
do the new results take the place of the old ones. Whatever ends a run early, previous results stay as they
were, and what was done so far stays in `incomplete/`, the posteriors included.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from relcap_models.errors import ConfigError, Problem

INCOMPLETE = "incomplete"
MANIFEST = "manifest.json"
_PARTS = ("public", "restricted", MANIFEST)
_ASIDE = "previous-"

_RESTRICTED_NOTE = """\
RESTRICTED. Do not pass this folder on.

It holds posteriors of single respondents and units, tables without disclosure control and, where tables were
simulated on the way, those tables and their truth. What may be shown to others stands in public/. The
manifest.json beside this folder goes only to those who may see the data: what stands in a small file can be
found from its sha256 by trying. public/manifest.json tells the rest.
"""


def begin(out: Path) -> Path:
    """Make the empty folder in which a run works.

    Raises
    ------
    ConfigError
        If `out` holds something that is not a results folder, or cannot be written to.
    """
    if out.exists() and not out.is_dir():
        raise ConfigError(
            problems=[Problem(str(out), "is a file, so results cannot be written there", "Give a folder")]
        )
    taken = [part for part in ("public", "restricted") if (out / part).exists()]
    if taken and not (out / MANIFEST).is_file():
        message = f"has a folder '{taken[0]}' but no {MANIFEST}, so it does not come from a run"
        raise ConfigError(
            problems=[Problem(str(out), message, "Give another --out, or move that folder away")]
        )
    work = out / INCOMPLETE
    try:
        if work.exists():
            shutil.rmtree(work)
        for part in ("public/tables", "public/figures", "restricted/tables", "restricted/posteriors"):
            (work / part).mkdir(parents=True)
    except OSError as error:
        message = f"cannot be written to: {error.strerror}"
        raise ConfigError(problems=[Problem(str(out), message, "Give another --out")]) from None
    write_text(work / "restricted" / "README.txt", _RESTRICTED_NOTE)
    return work


def mark_incomplete(out: Path, manifest: Mapping[str, Any]) -> None:
    """Say that a run is under way or ended early: in `incomplete/`, and in `out` if it has no results."""
    write_json(out / INCOMPLETE / MANIFEST, manifest)
    if not has_results(out):
        write_json(out / MANIFEST, manifest)


def has_results(out: Path) -> bool:
    """True if the folder holds the results of a run that came to its end."""
    try:
        return json.loads((out / MANIFEST).read_text(encoding="utf-8")).get("status") != INCOMPLETE
    except (OSError, ValueError, AttributeError):
        return False


def finish(out: Path) -> None:
    """Put the finished run in the place of the previous results."""
    work = out / INCOMPLETE
    # The manifest goes first and comes last: results that lost power half-way through have none, and say so.
    for part in reversed(_PARTS):
        _remove(out / (_ASIDE + part))
        if (out / part).exists():
            os.replace(out / part, out / (_ASIDE + part))
    for part in _PARTS:
        os.replace(work / part, out / part)
    for part in _PARTS:
        _remove(out / (_ASIDE + part))
    _remove(work)


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    beside.write_text(text, encoding="utf-8", newline="\n")
    os.replace(beside, path)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a whole JSON file or nothing."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()
