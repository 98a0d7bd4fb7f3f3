"""Perception gaps: two units that see their collaboration differently."""

from __future__ import annotations

import pandas as pd

from relcap_models.report.blocks import Block, Column, Paragraph, Picture, Section, Table
from relcap_models.report.figures.intervals import Panel, draw_intervals
from relcap_models.report.material import Analysis
from relcap_models.report.sections.cells import (
    interval_cell,
    number_cell,
    probability_cell,
    text_cell,
    top_by,
)
from relcap_models.report.sections.summary import gap_sentences

_SHOWN = 12


def gap_section(analysis: Analysis) -> Section:
    material, texts = analysis.material, analysis.material.texts
    gaps = analysis.latest(analysis.headline("perception_gaps"))
    known = gaps[gaps["mean"].notna()]
    if known.empty:
        blocks: list[Block] = [Paragraph(texts("gaps.nothing" if gaps.empty else "gaps.all_hidden"), "note")]
    else:
        delta = float(known["delta"].max())
        top = top_by(known, "prob_gap_above_delta", _SHOWN)
        labels = [
            material.relation_label(a, b, sign="↔") for a, b in zip(top["unit_a"], top["unit_b"], strict=True)
        ]
        panel = Panel(
            texts("gaps.panel"),
            top[["mean", "lower", "upper"]].assign(naive=top["naive_gap"]),
            notes=[texts.probability(p) for p in top["prob_gap_above_delta"]],
            notes_title=texts("gaps.note", delta=texts.number(delta)),
        )
        blocks = [
            Paragraph(texts("gaps.how", delta=texts.number(delta))),
            Picture(
                f"perception_gaps_{analysis.slug}",
                lambda theme: draw_intervals(
                    theme,
                    texts,
                    labels=labels,
                    panels=[panel],
                    axis_label=texts("gaps.axis"),
                    reference=0.0,
                    band=(-delta, delta),
                ),
                alt=" ".join(gap_sentences(analysis)),
                caption=texts(
                    "gaps.caption",
                    n=texts.whole(len(top)),
                    total=texts.whole(len(known)),
                    wave=material.wave(str(gaps["wave"].iloc[0])),
                    ci=analysis.ci(gaps),
                    delta=texts.number(delta),
                ),
                narrow=True,
            ),
            _table(analysis, gaps),
        ]
    return Section(f"gaps-{analysis.number}", texts("gaps.title"), tuple(blocks), "results", analysis.subject)


def _table(analysis: Analysis, gaps: pd.DataFrame) -> Table:
    material, texts = analysis.material, analysis.material.texts
    delta = texts.number(float(gaps["delta"].max()))
    rows = [
        (
            text_cell(material.unit(row["unit_a"])),
            text_cell(material.unit(row["unit_b"])),
            number_cell(texts, row["mean"], signed=True),
            interval_cell(texts, row["lower"], row["upper"]),
            number_cell(texts, row["naive_gap"], signed=True),
            probability_cell(texts, row["prob_gap_above_delta"]),
            number_cell(texts, row["mean_unit_adjusted"], signed=True),
            probability_cell(texts, row["prob_gap_above_delta_unit_adjusted"]),
        )
        for _, row in gaps.iterrows()
    ]
    return Table(
        texts("gaps.table", wave=material.wave(str(gaps["wave"].iloc[0]))),
        (
            Column(texts("columns.unit_a"), figures=False),
            Column(texts("columns.unit_b"), figures=False),
            Column(texts("columns.gap")),
            Column(texts("columns.interval", ci=analysis.ci(gaps))),
            Column(texts("columns.naive")),
            Column(texts("columns.prob_gap", delta=delta)),
            Column(texts("columns.unit_adjusted")),
            Column(texts("columns.prob_gap_unit_adjusted", delta=delta)),
        ),
        tuple(rows),
        folded=texts.count("table.unfold", len(rows)),
        source="tables/perception_gaps.csv",
    )
