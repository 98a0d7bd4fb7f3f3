"""Change between waves: the organisation, its units, and the relations that surely moved."""

from __future__ import annotations

import pandas as pd

from relcap_models.report.blocks import Block, Column, Paragraph, Picture, Section, Table
from relcap_models.report.figures.intervals import Panel, draw_intervals
from relcap_models.report.material import Analysis
from relcap_models.report.sections.cells import (
    difference_with_interval,
    interval_cell,
    number_cell,
    probability_cell,
    text_cell,
)
from relcap_models.report.sections.summary import change_sentences
from relcap_models.report.sections.unit_scores import ROLES, first_role

_CERTAIN = 0.95


def change_section(analysis: Analysis) -> Section:
    texts = analysis.material.texts
    changes = analysis.table("changes")
    blocks: list[Block] = []
    if changes["mean"].notna().any():
        blocks.append(Paragraph(texts("changes.how")))
        whole = changes[changes["level"] == "organisation"]
        if whole["mean"].notna().any():
            blocks.append(_organisation(analysis, whole))
        units = _longest(analysis, analysis.headline("changes"), "unit")
        if units["mean"].notna().any():
            blocks.append(_units(analysis, units))
        blocks += _relations(analysis)
    else:
        blocks.append(Paragraph(texts("changes.one_wave" if changes.empty else "changes.all_hidden"), "note"))
    group = "climate" if analysis.kind == "climate" else "results"
    title = (
        texts("changes.climate_title", title=analysis.title) if group == "climate" else texts("changes.title")
    )
    subject = "" if group == "climate" else analysis.subject
    return Section(f"changes-{analysis.number}", title, tuple(blocks), group, subject)


def _span(analysis: Analysis, row: pd.Series) -> str:
    return analysis.material.texts(
        "changes.span", wave_from=str(row["wave_from"]), wave_to=str(row["wave_to"])
    )


def _longest(analysis: Analysis, changes: pd.DataFrame, level: str) -> pd.DataFrame:
    """Rows of a level about the longest span of waves, so that every unit appears once per role."""
    rows = changes[changes["level"] == level]
    order = {wave: n for n, wave in enumerate(analysis.material.wave_ids)}
    span = rows["wave_to"].map(order).fillna(0) - rows["wave_from"].map(order).fillna(0)
    return rows[span == span.max()] if len(rows) else rows


def _organisation(analysis: Analysis, whole: pd.DataFrame) -> Picture:
    texts = analysis.material.texts
    order = {d: n for n, d in enumerate(analysis.dimension_order(set(whole["dimension"])))}
    whole = whole.assign(d=whole["dimension"].map(order)).sort_values("d", kind="stable")
    labels = [
        texts("changes.label", what=analysis.dimension(row["dimension"]), span=_span(analysis, row))
        for _, row in whole.iterrows()
    ]
    panel = Panel(
        texts("changes.organisation"),
        whole[["mean", "lower", "upper"]].assign(naive=whole["naive_change"]),
        notes=[texts.probability(p) for p in whole["prob_positive"]],
        notes_title=texts("changes.note"),
    )
    return Picture(
        f"change_organisation_{analysis.slug}",
        lambda theme: draw_intervals(
            theme,
            texts,
            labels=labels,
            panels=[panel],
            axis_label=texts("changes.axis"),
            reference=0.0,
        ),
        alt=" ".join(change_sentences(analysis)),
        caption=texts("changes.caption_organisation", ci=analysis.ci(whole)),
        narrow=True,
    )


def _units(analysis: Analysis, units: pd.DataFrame) -> Picture:
    material, texts = analysis.material, analysis.material.texts
    roles = [role for role in ROLES if role in set(units["role"])]
    unit = units["target_unit"].where(units["target_unit"] != "", units["rater_unit"])
    units = units.assign(unit=unit)
    first = units[units["role"] == roles[0]].drop_duplicates("unit").set_index("unit")["mean"]
    order = list(first.sort_values(ascending=False, kind="stable", na_position="last").index)
    order += [u for u in dict.fromkeys(units["unit"]) if u not in set(order)]
    panels = []
    for number, role in enumerate(roles):
        rows = units[units["role"] == role].drop_duplicates("unit").set_index("unit").reindex(order)
        frame = rows[["mean", "lower", "upper"]].assign(naive=rows["naive_change"])
        panels.append(Panel(texts(f"roles.{role}"), frame, colour=("accent", "second", "third")[number % 3]))
    names = [material.label(u) for u in order]
    role, lead = first_role(units)
    return Picture(
        f"change_units_{analysis.slug}",
        lambda theme: draw_intervals(
            theme,
            texts,
            labels=names,
            panels=panels,
            axis_label=texts("changes.axis"),
            reference=0.0,
        ),
        alt=texts.count(
            "changes.alt_units",
            len(lead),
            role=texts(f"roles.{role}"),
            unit=material.unit(lead["unit"].iloc[0]),
            change=difference_with_interval(texts, lead.iloc[0]),
            up=texts.whole(int((lead["lower"] > 0).sum())),
            down=texts.whole(int((lead["upper"] < 0).sum())),
        ),
        caption=texts("changes.caption_units", span=_span(analysis, units.iloc[0]), ci=analysis.ci(units)),
        narrow=True,
    )


def _relations(analysis: Analysis) -> list[Block]:
    material, texts = analysis.material, analysis.material.texts
    relations = _longest(analysis, analysis.headline("changes"), "relation")
    known = relations[relations["mean"].notna()]
    if known.empty:
        return []
    moved = known[(known["prob_positive"] >= _CERTAIN) | (known["prob_positive"] <= 1 - _CERTAIN)]
    values = {"total": texts.whole(len(known)), "certain": texts.number(_CERTAIN)}
    if moved.empty:
        return [Paragraph(texts("changes.relations_none", **values))]
    moved = moved.sort_values("mean", kind="stable")
    rows = [
        (
            text_cell(material.unit(row["rater_unit"])),
            text_cell(material.unit(row["target_unit"])),
            text_cell(_span(analysis, row)),
            number_cell(texts, row["mean"], signed=True),
            interval_cell(texts, row["lower"], row["upper"]),
            number_cell(texts, row["naive_change"], signed=True),
            probability_cell(texts, row["prob_positive"]),
        )
        for _, row in moved.iterrows()
    ]
    table = Table(
        texts("changes.table", certain=texts.number(_CERTAIN)),
        (
            Column(texts("columns.rater"), figures=False),
            Column(texts("columns.target"), figures=False),
            Column(texts("columns.waves"), figures=False),
            Column(texts("columns.change")),
            Column(texts("columns.interval", ci=analysis.ci(known))),
            Column(texts("columns.naive")),
            Column(texts("columns.prob_positive")),
        ),
        tuple(rows),
        folded=texts.count("table.unfold", len(rows)),
        source="tables/changes.csv",
    )
    return [Paragraph(texts.count("changes.relations", len(moved), **values)), table]
