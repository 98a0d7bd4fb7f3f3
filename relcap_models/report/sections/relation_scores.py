"""Scores of relations: the lowest and highest with their probability, and all of them as a table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.report.blocks import Block, Column, Paragraph, Picture, Section, Table
from relcap_models.report.figures.intervals import Panel, draw_intervals
from relcap_models.report.material import Analysis
from relcap_models.report.sections.cells import (
    count_cell,
    interval_cell,
    number_cell,
    probability_cell,
    share_cell,
    text_cell,
)
from relcap_models.report.sections.summary import extreme_sentences
from relcap_models.report.sections.unit_scores import hidden_cell, lowest_and_highest

_SHOWN = 10


def relation_section(analysis: Analysis) -> Section:
    material, texts = analysis.material, analysis.material.texts
    scores = analysis.latest(analysis.headline("relation_scores"))
    shown = scores[scores["mean"].notna()]
    blocks: list[Block] = [Paragraph(texts("relations.how"))]
    if shown.empty:
        blocks.append(Paragraph(texts("matrix.all_hidden", n=texts.whole(len(scores))), "note"))
    else:
        lowest, highest = lowest_and_highest(scores, min(_SHOWN, max(1, len(shown) // 2)))
        if len(lowest) and len(highest):
            blocks.append(_picture(analysis, scores, lowest, highest))
        shift = (shown["mean"] - shown["naive_mean"]).abs()
        if shift.notna().any():
            most = shown.loc[shift.idxmax()]
            blocks.append(
                Paragraph(
                    texts(
                        "relations.shrinkage",
                        typical=texts.number(float(shift.median())),
                        largest=texts.number(float(shift.max())),
                        relation=material.relation(most["rater_unit"], most["target_unit"]),
                        n=count_cell(texts, most["n_respondents"]).text,
                        naive=texts.number(most["naive_mean"]),
                        model=texts.number(most["mean"]),
                    )
                )
            )
    if not scores.empty:
        blocks.append(_table(analysis, scores))
    return Section(
        f"relations-{analysis.number}", texts("relations.title"), tuple(blocks), "results", analysis.subject
    )


def _picture(
    analysis: Analysis, scores: pd.DataFrame, lowest: pd.DataFrame, highest: pd.DataFrame
) -> Picture:
    material, texts = analysis.material, analysis.material.texts
    k = texts.whole(float(scores["k"].dropna().max()))
    panels, labels = [], []
    for side, rows, colour in (("lowest", lowest, "low"), ("highest", highest, "high")):
        panels.append(
            Panel(
                texts.count(f"relations.{side}", len(rows)),
                rows[["mean", "lower", "upper"]].assign(naive=rows["naive_mean"]),
                colour=colour,
                notes=[texts.probability(p) for p in rows[f"prob_{side}_k"]],
                notes_title=texts(f"relations.note_{side}", k=k),
            )
        )
        labels.append(
            [
                material.relation_label(rater, target)
                for rater, target in zip(rows["rater_unit"], rows["target_unit"], strict=True)
            ]
        )
    middle = float(scores["mean"].median())
    return Picture(
        f"relation_scores_{analysis.slug}",
        lambda theme: draw_intervals(
            theme,
            texts,
            labels=(),
            panels=panels,
            panel_labels=labels,
            axis_label=texts("units.axis"),
            reference=middle,
        ),
        alt=" ".join(extreme_sentences(analysis, scores)),
        caption=texts(
            "relations.caption",
            wave=material.wave(str(scores["wave"].iloc[0])),
            ci=analysis.ci(scores),
            middle=texts.number(middle),
        ),
        narrow=True,
    )


def _table(analysis: Analysis, scores: pd.DataFrame) -> Table:
    material, texts = analysis.material, analysis.material.texts
    k = scores["k"].dropna().max()
    nominated = scores["asynchronous"].any()
    rows = []
    for _, row in scores.iterrows():
        cells = [
            text_cell(material.unit(row["rater_unit"])),
            text_cell(material.unit(row["target_unit"])),
            number_cell(texts, row["mean"]),
            interval_cell(texts, row["lower"], row["upper"]),
            number_cell(texts, row["naive_mean"]),
            number_cell(texts, row["mean_unit_adjusted"]),
            share_cell(texts, row["favourable_mean"]),
            hidden_cell(analysis) if row["suppressed"] else count_cell(texts, row["n_respondents"]),
            probability_cell(texts, row["prob_lowest_k"]),
            probability_cell(texts, row["prob_highest_k"]),
        ]
        if nominated:
            cells.append(text_cell(texts("words.yes") if row["asynchronous"] else ""))
        rows.append(tuple(cells))
    named = texts.whole(k) if not np.isnan(k) else "k"
    columns = [
        Column(texts("columns.rater"), figures=False),
        Column(texts("columns.target"), figures=False),
        Column(texts("columns.score")),
        Column(texts("columns.interval", ci=analysis.ci(scores))),
        Column(texts("columns.naive")),
        Column(texts("columns.unit_adjusted")),
        Column(texts("columns.favourable")),
        Column(texts("columns.respondents")),
        Column(texts("columns.lowest_k", k=named)),
        Column(texts("columns.highest_k", k=named)),
    ]
    if nominated:
        columns.append(Column(texts("columns.asynchronous"), figures=False))
    return Table(
        texts("relations.table", wave=material.wave(str(scores["wave"].iloc[0]))),
        tuple(columns),
        tuple(rows),
        folded=texts.count("table.unfold", len(rows)),
        source="tables/relation_scores.csv",
    )
