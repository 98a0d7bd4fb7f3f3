"""Scores of units: as seen by others, as raters, within the unit; and a climate as its own staff see it."""

from __future__ import annotations

import pandas as pd

from relcap_models.report.blocks import Block, Cell, Column, Paragraph, Picture, Section, Table
from relcap_models.report.figures.intervals import Panel, draw_intervals
from relcap_models.report.material import Analysis
from relcap_models.report.sections.cells import (
    count_cell,
    interval_cell,
    number_cell,
    probability_cell,
    score_with_interval,
    share_cell,
    text_cell,
    top_by,
)

ROLES = ("seen_by_others", "as_rater", "within_unit", "own_staff")


def unit_section(analysis: Analysis) -> Section:
    """All units of one analysis with intervals, the naive means beside them."""
    texts = analysis.material.texts
    scores = analysis.latest(analysis.headline("unit_scores"))
    climate = analysis.kind == "climate"
    title = texts("units.climate_title", title=analysis.title) if climate else texts("units.title")
    roles = [role for role in ROLES if role in set(scores["role"])]
    blocks: list[Block] = [Paragraph(texts("units.how_climate" if climate else "units.how"))]
    if scores["mean"].notna().any():
        blocks.append(_picture(analysis, scores, roles))
    else:
        blocks.append(Paragraph(texts("units.all_hidden", n=texts.whole(scores["unit"].nunique())), "note"))
    if not scores.empty:
        blocks.append(_table(analysis, analysis.latest(analysis.table("unit_scores"))))
    group = "climate" if climate else "results"
    subject = "" if climate else analysis.subject
    return Section(f"units-{analysis.number}", title, tuple(blocks), group, subject)


def _picture(analysis: Analysis, scores: pd.DataFrame, roles: list[str]) -> Picture:
    material, texts = analysis.material, analysis.material.texts
    first = scores[scores["role"] == roles[0]].set_index("unit")["mean"]
    order = list(first.sort_values(ascending=False, kind="stable", na_position="last").index)
    order += [unit for unit in dict.fromkeys(scores["unit"]) if unit not in set(order)]
    panels = []
    for number, role in enumerate(roles):
        rows = scores[scores["role"] == role].drop_duplicates("unit").set_index("unit").reindex(order)
        frame = rows[["mean", "lower", "upper"]].assign(naive=rows["naive_mean"])
        panels.append(Panel(texts(f"roles.{role}"), frame, colour=("accent", "second", "third")[number % 3]))
    names = [material.label(unit) for unit in order]
    return Picture(
        f"unit_scores_{analysis.slug}",
        lambda theme: draw_intervals(
            theme, texts, labels=names, panels=panels, axis_label=texts("units.axis")
        ),
        alt=_finding(analysis, scores),
        caption=texts(
            "units.caption", wave=material.wave(str(scores["wave"].iloc[0])), ci=analysis.ci(scores)
        ),
        narrow=True,
    )


def _finding(analysis: Analysis, scores: pd.DataFrame) -> str:
    texts = analysis.material.texts
    role, shown = first_role(scores)
    low, high = shown.loc[shown["mean"].idxmin()], shown.loc[shown["mean"].idxmax()]
    form = "one" if len(shown) == 1 else "separate" if low["upper"] < high["lower"] else "overlap"
    return texts(
        f"units.alt_{form}",
        role=texts(f"roles.{role}"),
        low_unit=analysis.material.unit(low["unit"]),
        low=score_with_interval(texts, low),
        high_unit=analysis.material.unit(high["unit"]),
        high=score_with_interval(texts, high),
    )


def _table(analysis: Analysis, scores: pd.DataFrame) -> Table:
    material, texts = analysis.material, analysis.material.texts
    ranked = scores["prob_lowest_k"].notna().any()
    dimensions = {d: n for n, d in enumerate(analysis.dimension_order(set(scores["dimension"])))}
    scores = scores.assign(d=scores["dimension"].map(dimensions), r=scores["role"].map(ROLES.index))
    scores = scores.sort_values(["r", "d"], kind="stable")
    rows = []
    for _, row in scores.iterrows():
        cells = [
            text_cell(material.unit(row["unit"])),
            text_cell(texts(f"roles.{row['role']}")),
            text_cell(analysis.dimension(row["dimension"])),
            number_cell(texts, row["mean"]),
            interval_cell(texts, row["lower"], row["upper"]),
            number_cell(texts, row["naive_mean"]),
            share_cell(texts, row["favourable_mean"]),
            count_cell(texts, row["n_respondents"]) if not row["suppressed"] else hidden_cell(analysis),
        ]
        if ranked:
            cells += [
                probability_cell(texts, row["prob_lowest_k"]),
                probability_cell(texts, row["prob_highest_k"]),
            ]
        rows.append(tuple(cells))
    columns = [
        Column(texts("columns.unit"), figures=False),
        Column(texts("columns.role"), figures=False),
        Column(texts("columns.dimension"), figures=False),
        Column(texts("columns.score")),
        Column(texts("columns.interval", ci=analysis.ci(scores))),
        Column(texts("columns.naive")),
        Column(texts("columns.favourable")),
        Column(texts("columns.respondents")),
    ]
    if ranked:
        k = texts.whole(float(scores["k"].dropna().max()))
        columns += [Column(texts("columns.lowest_k", k=k)), Column(texts("columns.highest_k", k=k))]
    return Table(
        texts("units.table", wave=material.wave(str(scores["wave"].iloc[0]))),
        tuple(columns),
        tuple(rows),
        folded=texts.count("table.unfold", len(rows)),
        source="tables/unit_scores.csv",
    )


def first_role(scores: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """The first role in which a unit is shown, with its shown rows: of one unit alone, others see nothing."""
    shown = scores[scores["mean"].notna()]
    role = next(role for role in ROLES if role in set(shown["role"]))
    return role, shown[shown["role"] == role]


def hidden_cell(analysis: Analysis) -> Cell:
    return Cell(analysis.material.texts("words.hidden"), muted=True)


def lowest_and_highest(scores: pd.DataFrame, n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows that most probably are among the k lowest, and those among the k highest."""
    known = scores[scores["mean"].notna()]
    return top_by(known, "prob_lowest_k", n), top_by(known, "prob_highest_k", n)
