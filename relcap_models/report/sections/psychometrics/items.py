"""Answers to each item, and where along the dimension they inform."""

from __future__ import annotations

import math

from relcap_models.report.blocks import Block, Column, Heading, Picture, Table
from relcap_models.report.figures.psychometrics import draw_answers, draw_information
from relcap_models.report.sections.cells import number_cell, share_cell, text_cell
from relcap_models.report.sections.psychometrics.examined import Examined


def answer_blocks(of: Examined) -> list[Block]:
    texts, items = of.texts, of.everybody("items").set_index("item", drop=False)
    shares = of.everybody("shares")
    shown = [item for item in items["item"] if shares.loc[shares["item"] == item, "share"].notna().all()]
    loadings = of.everybody("parameters")
    loading = loadings[loadings["parameter"] == "loading"].set_index("item")["estimate"]
    top = items["highest"].idxmax()
    alt = texts(
        "psychometrics.answers_alt", item=str(top), share=texts.percent(float(items.loc[top, "highest"]))
    )
    rows = [
        (
            text_cell(row["item"]),
            text_cell(of.analysis.dimension(row["dimension"])),
            number_cell(texts, row["mean"]),
            number_cell(texts, row["sd"]),
            share_cell(texts, row["unanswered"]),
            share_cell(texts, row["lowest"]),
            share_cell(texts, row["highest"]),
            number_cell(texts, row["item_rest"]),
            number_cell(texts, float(loading.get(row["item"], math.nan))),
        )
        for _, row in items.iterrows()
    ]
    columns = ("mean", "sd", "no_answer", "lowest", "highest", "item_rest", "loading")
    table = Table(
        texts("psychometrics.items_table"),
        (
            Column(texts("columns.item"), figures=False),
            Column(texts("columns.dimension"), figures=False),
            *(Column(texts(f"psychometrics.column_{name}")) for name in columns),
        ),
        tuple(rows),
        source="tables/psychometrics_items.csv",
    )
    if not shown:
        return [Heading(texts("psychometrics.answers")), table]
    picture = Picture(
        of.picture("answers"),
        lambda theme: draw_answers(theme, texts, shares, items=shown),
        alt=alt,
        caption=texts("psychometrics.answers_caption"),
        narrow=True,
    )
    return [Heading(texts("psychometrics.answers")), picture, table]


def information_blocks(of: Examined) -> list[Block]:
    texts, rows = of.texts, of.everybody("information")
    rows = rows[rows["information"].notna()]
    if rows.empty:
        return []
    found = of.analysis.dimension_order(set(rows["dimension"]))
    dimensions = [(d, of.analysis.dimension(d)) for d in found]
    total = rows[rows["item"] == ""]
    best = total.loc[total["information"].idxmax()]
    where = of.analysis.dimension(best["dimension"])
    picture = Picture(
        of.picture("information"),
        lambda theme: draw_information(theme, texts, rows, dimensions=dimensions),
        alt=texts("psychometrics.information_alt", dimension=where, theta=texts.number(best["theta"])),
        caption=texts("psychometrics.information_caption"),
        narrow=True,
    )
    return [Heading(texts("psychometrics.information")), picture]
