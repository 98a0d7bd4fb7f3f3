"""What readers of a trial or an observational study look for: told from the study, or said to be missing.

Items follow CONSORT's extension to stepped-wedge and cluster trials (Hemming et al. 2018; Campbell et al.
2012) where units were assigned by lot, else STROBE (von Elm et al. 2007), in words of our own.
"""

from __future__ import annotations

from collections.abc import Iterator

from relcap_models.report.blocks import Block, Cell, Column, Heading, Paragraph, Table
from relcap_models.report.sections.cells import count_cell, text_cell
from relcap_models.report.sections.programme_effect_checks import THREATS
from relcap_models.report.sections.programme_effect_rows import ProgrammeRows

_COMMON_START = ("title", "rationale", "design", "setting", "participants", "programme", "outcomes")
_TRIAL = ("size", "sequence", "concealment", "blinding")
_OBSERVED = ("confounding", "size")
_COMMON_END = ("missing", "methods", "goal", "flow", "baseline", "estimates", "sensitivity", "limitations")
_LAST = {"consort": ("harms", "registration", "funding"), "strobe": ("generalisability", "funding")}


def checklist_blocks(rows: ProgrammeRows) -> Iterator[Block]:
    """The checklist of the kind of study that this is."""
    texts = rows.texts
    kind = "consort" if rows.randomised else "strobe"
    items = (*_COMMON_START, *(_TRIAL if rows.randomised else _OBSERVED), *_COMMON_END, *_LAST[kind])
    told = _told(rows)
    yield Heading(texts(f"programmes.checklist.title.{kind}"))
    yield Paragraph(texts(f"programmes.checklist.how.{kind}"))
    yield Table(
        texts("programmes.checklist.table"),
        (
            Column(texts("programmes.checklist.column_item"), figures=False),
            Column(texts("programmes.checklist.column_told"), figures=False),
        ),
        tuple(
            (
                text_cell(texts(f"programmes.checklist.items.{item}")),
                text_cell(told[item])
                if told.get(item)
                else Cell(texts("programmes.checklist.not_reported"), muted=True),
            )
            for item in items
        ),
        folded=texts.count("table.unfold", len(items)),
    )


def _told(rows: ProgrammeRows) -> dict[str, str]:
    """What the study file and the tables say of each item; an item without words is not reported."""
    texts, design, declared = rows.texts, rows.design, rows.analysis.declared
    material = rows.material
    designs = "programmes.designs"
    name = texts.known(f"{designs}.{design['design']}.name", str(design["design"]))
    clusters = texts.known(f"programmes.assigned.many.{design['assigned']}", str(design["assigned"]))
    dates = texts.listing([material.wave(wave) for wave in material.wave_ids])
    told = {
        "title": str(material.study.get("title") or ""),
        "design": texts("programmes.checklist.told.design", design=name, assignment=rows.assignment),
        "setting": texts("programmes.checklist.told.setting", waves=dates),
        "programme": texts(
            "programmes.checklist.told.programme",
            programme=rows.programme,
            first=str(design["first_start"]),
            last=str(design["last_start"]),
        ),
        "outcomes": texts("programmes.checklist.told.outcomes", instrument=rows.analysis.title),
        "flow": texts(
            "programmes.checklist.told.flow",
            clusters=clusters,
            treated=count_cell(texts, design["n_clusters_treated"]).text,
            comparison=count_cell(texts, design["n_clusters_comparison"]).text,
            units_treated=count_cell(texts, design["n_units_treated"]).text,
            units_comparison=count_cell(texts, design["n_units_comparison"]).text,
            always=count_cell(texts, design["n_units_always"]).text,
            left_out=count_cell(texts, design["n_relations_left_out"]).text,
        ),
        "missing": _missing(rows),
        "methods": texts(f"programmes.checklist.told.methods.{_engine(rows)}"),
        "limitations": texts(f"programmes.checklist.told.limitations.{rows.word}"),
    }
    if rows.goal == rows.goal:
        told["goal"] = texts("programmes.checklist.told.goal", goal=texts.number(rows.goal))
    if rows.lead:
        told["estimates"] = texts("programmes.checklist.told.estimates")
    if covariates := declared.get("covariates"):
        told["confounding"] = texts(
            "programmes.checklist.told.covariates", covariates=texts.listing(list(map(str, covariates)))
        )
    if checked := _checked(rows):
        told["sensitivity"] = texts("programmes.checklist.told.sensitivity", threats=texts.listing(checked))
    return told


def _engine(rows: ProgrammeRows) -> str:
    """How it was estimated; not at all, where nothing can be inferred."""
    if not rows.lead:
        return "none"
    return "fast" if rows.analysis.declared.get("engine", {}).get("name") == "fast" else "nuts"


def _missing(rows: ProgrammeRows) -> str:
    """What became of the instrument's answers."""
    texts, intake = rows.texts, rows.material.results.tables["intake"]
    found = intake[intake["instrument"] == rows.analysis.declared.get("instrument")]
    counts = {}
    for name in ("dont_know", "missing", "blank"):
        counts[name] = count_cell(texts, found[name].iloc[0]).text if len(found) else "–"
    key = "counted" if all(text != "–" for text in counts.values()) else "plain"
    return texts(f"programmes.checklist.told.missing.{key}", **counts)


def _checked(rows: ProgrammeRows) -> list[str]:
    """Names of the threats that came to a figure."""
    table = rows.table("programme_threats")
    shown = table[table[["value", "lower", "p"]].notna().any(axis=1) & ~table["suppressed"]]
    names = [t for t in THREATS if t in set(shown["threat"]) and t != "none"]
    return [rows.texts(f"programmes.threats.{name}.name") for name in names]
