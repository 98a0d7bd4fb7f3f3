"""The report anew from saved tables, without sampling."""

from __future__ import annotations

import json
from pathlib import Path

from relcap_models.errors import ConfigError, Problem
from relcap_models.report.render import render_report
from relcap_models.study.folder import MANIFEST, has_results
from relcap_models.study.manifest import output_files, write_manifests

_RENDERED = ("public/report.html", "public/figures/")


def report_again(results: Path | str) -> Path:
    """Render figures and report of finished results, and enter them in the manifest.

    Only what is rendered is entered anew, so `relcap verify` still finds a table that was changed by hand.

    Raises
    ------
    ConfigError
        If the folder holds no finished results.
    """
    results = Path(results)
    if not has_results(results):
        message = "holds no finished results"
        raise ConfigError(problems=[Problem(str(results), message, "Give a results folder of `relcap run`")])
    rendered_to = render_report(results)
    manifest = json.loads((results / MANIFEST).read_text(encoding="utf-8"))
    kept = {name: digest for name, digest in manifest["outputs"].items() if not name.startswith(_RENDERED)}
    rendered = {
        name: digest
        for name, digest in output_files(results, parts=["public"]).items()
        if name.startswith(_RENDERED)
    }
    write_manifests(results, manifest | {"outputs": kept | rendered})
    return rendered_to
