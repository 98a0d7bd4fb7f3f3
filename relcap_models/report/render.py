"""The report: controlled tables and metadata in, one self-contained HTML page out."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from relcap_models.language import Texts, load_texts
from relcap_models.report.assembly import sections_of
from relcap_models.report.blocks import Picture, Section
from relcap_models.report.material import Material
from relcap_models.report.results import read_results
from relcap_models.report.sections.cells import count_cell
from relcap_models.report.sections.checks import failed_checks

_GROUPS = ("results", "climate", "quality", "method")


@dataclass(frozen=True)
class Images:
    """A figure on light and on dark paper, as data URIs, with its size in screen pixels; and for a phone."""

    light: str
    dark: str
    width: int
    height: int
    narrow: Images | None = None


def render_report(results: Path) -> Path:
    """Write `public/report.html` and `public/figures/*.png` from the controlled tables of a results folder.

    Reads `public/tables/*.csv` and the metadata in `restricted/context.json`, nothing else, so the report
    cannot show what disclosure control has hidden. Files appear whole or not at all.

    Parameters
    ----------
    results : the folder that a run wrote

    Returns
    -------
    Path of the report.

    Raises
    ------
    DataError
        If the tables or the metadata are missing or malformed; every problem at once.
    ConfigError
        If the report's language is unknown.
    """
    read = read_results(Path(results))
    material = Material(read, load_texts(str(read.context.get("report", {}).get("language", "en"))))
    warning = failed_checks(material)
    sections = sections_of(material)
    images, files_to_write = _draw(sections)
    page = _page(material, warning, sections, images)
    public = read.folder / "public"
    for name, content in files_to_write.items():
        _write(public / "figures" / name, content)
    _remove_stale(public / "figures", keep=set(files_to_write))
    report = public / "report.html"
    _write(report, page.encode("utf-8"))
    return report


def _draw(sections: tuple[Section, ...]) -> tuple[dict[str, Images], dict[str, bytes]]:
    images, content = {}, {}
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Picture):
                light, images[block.name] = _drawn(block, narrow=False)
                if block.narrow:
                    _, narrow = _drawn(block, narrow=True)
                    images[block.name] = replace(images[block.name], narrow=narrow)
                content[f"{block.name}.png"] = light
    return images, content


def _drawn(picture: Picture, *, narrow: bool) -> tuple[bytes, Images]:
    from relcap_models.report.figures.theme import DARK, LIGHT, png, screen_size

    light, dark = (png(picture.draw, replace(theme, narrow=narrow)) for theme in (LIGHT, DARK))
    return light, Images(_data_uri(light), _data_uri(dark), *screen_size(light))


def _data_uri(image: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(image).decode("ascii")


def _page(
    material: Material, warning: Section | None, sections: tuple[Section, ...], images: Mapping[str, Images]
) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("relcap_models.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    folder = files("relcap_models.report").joinpath("templates")
    style = folder.joinpath("report.css").read_text(encoding="utf-8")
    script = folder.joinpath("report.js").read_text(encoding="utf-8").strip()
    texts, study = material.texts, material.study
    waves = texts.listing([material.wave(wave) for wave in material.wave_ids])
    groups = [(group, [section for section in sections if section.group == group]) for group in _GROUPS]
    return environment.get_template("report.html.j2").render(
        texts=texts,
        title=str(study.get("title") or study.get("name") or ""),
        study=study,
        approximate=is_approximate(material),
        waves=waves,
        n_waves=len(material.wave_ids),
        facts=_facts(material),
        checks=_checks_line(material),
        warning=warning,
        sections=sections,
        groups=[(texts(f"groups.{group}"), inside) for group, inside in groups if inside],
        images=images,
        version=str(material.context.get("package_version", "")),
        style=Markup(style),
        script=Markup(script),
        script_hash=_hash(script),
    )


def _hash(script: str) -> str:
    """The script's hash for the content security policy: no other script runs, whatever a name may hold."""
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")


def _checks_line(material: Material) -> str:
    checks = material.results.tables["checks"]
    if checks.empty:
        return material.texts("checks.nothing")
    if checks["passed"].all():
        return material.texts.count("checks.all_passed", len(checks))
    return ""


def is_approximate(material: Material) -> bool:
    """Whether any figure comes from the fast engine."""
    beside = (one for kind in ("links", "programmes") for one in material.context.get(kind, ()))
    declared = [*(a.declared for a in material.analyses), *beside]
    return any(one.get("engine", {}).get("name") == "fast" for one in declared)


def _facts(material: Material) -> list[tuple[str, str]]:
    """The counts under the title: those of the largest analysis, for the same people answer several."""
    texts: Texts = material.texts
    facts = []
    names = ("n_units", "n_relations", "n_respondents", "n_ratings", "n_responses")
    label = {name: texts(f"methods.{name}") for name in names}
    if any(a.declared.get("small_units_not_counted") for a in material.analyses):
        least = str(material.study.get("disclosure", {}).get("min_respondents_mean", 5))
        label["n_respondents"] = texts("methods.counted", threshold=least)
    for name in names:
        known = [a.declared[name] for a in material.analyses if a.declared.get(name) is not None]
        if known:
            largest = max(known, key=lambda count: count_cell(texts, count).sort or 0.0)
            facts.append((label[name], count_cell(texts, largest).text))
    return facts


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _remove_stale(folder: Path, *, keep: set[str]) -> None:
    """Figures of an earlier rendering would otherwise contradict the report beside them."""
    for path in folder.glob("*.png"):
        if path.name not in keep:
            path.unlink()
