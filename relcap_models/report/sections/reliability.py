"""Reliability by number of respondents, and how many respondents .70 and .80 take."""

from __future__ import annotations

import math

import pandas as pd

from relcap_models.report.blocks import Block, Cell, Column, Paragraph, Picture, Section, Table
from relcap_models.report.figures.d_study import draw_d_study
from relcap_models.report.material import Analysis
from relcap_models.report.sections.cells import text_cell

_COMPARISONS = ("all_relations", "within_rater_unit", "units")
_TARGETS = ("0.70", "0.80")


def reliability_section(analysis: Analysis) -> Section:
    texts = analysis.material.texts
    table = analysis.table("reliability")
    climate = analysis.kind == "climate"
    title = (
        texts("reliability.climate_title", title=analysis.title) if climate else texts("reliability.title")
    )
    subject = "" if climate else analysis.subject
    scale = "response" if "response" in set(table["scale"]) else "latent"
    rows = table[(table["scale"] == scale) & table["mean"].notna()]
    respondents = pd.to_numeric(rows["n_respondents"].replace("", None), errors="coerce")
    curves = rows.assign(respondents=respondents)[(rows["quantity"] == "reliability") & respondents.notna()]
    blocks: list[Block] = []
    if curves.empty:
        blocks.append(Paragraph(texts("reliability.nothing"), "note"))
    else:
        found = set(curves["comparison"])
        ids = [c for c in _COMPARISONS if c in found] + sorted(found - set(_COMPARISONS))
        comparisons = [(c, texts.known(f"comparisons.{c}", c)) for c in ids]
        dimensions = [(d, analysis.dimension(d)) for d in analysis.dimension_order(set(curves["dimension"]))]
        sentences = _needed(analysis, table, scale, ids[0], dimensions[0][0])
        blocks += [
            Paragraph(texts("reliability.how")),
            *([Paragraph(texts("reliability.how_relations"))] if "within_rater_unit" in found else []),
            *[Paragraph(sentence) for sentence in sentences],
            Picture(
                f"d_study_{analysis.slug}",
                lambda theme: draw_d_study(
                    theme, texts, curves, comparisons=comparisons, dimensions=dimensions
                ),
                alt=" ".join(sentences) or texts("reliability.alt"),
                caption=texts(
                    "reliability.caption",
                    scale=texts(f"scales.{scale}"),
                    dimension=dimensions[0][1],
                    ci=analysis.ci(curves),
                ),
            ),
        ]
    needed = table[table["quantity"].str.startswith("respondents_for_")]
    if not needed.empty:
        blocks.append(_table(analysis, needed))
    return Section(f"reliability-{analysis.number}", title, tuple(blocks), "quality", subject)


def _respondents(analysis: Analysis, value: float) -> str:
    """A needed number of respondents, rounded up: a fraction of a person answers nothing."""
    texts = analysis.material.texts
    return texts("reliability.unreachable") if math.isinf(value) else texts.whole(math.ceil(value - 1e-9))


def _needed(
    analysis: Analysis, table: pd.DataFrame, scale: str, comparison: str, dimension: str
) -> list[str]:
    texts = analysis.material.texts
    rows = table[
        (table["scale"] == scale) & (table["comparison"] == comparison) & (table["dimension"] == dimension)
    ].set_index("quantity")
    sentences = []
    for target in _TARGETS:
        quantity = f"respondents_for_{target}"
        if quantity not in rows.index or math.isnan(rows.loc[quantity, "median"]):
            continue
        row = rows.loc[quantity]
        sentences.append(
            texts(
                "reliability.needed",
                target=texts.number(float(target)),
                n=_respondents(analysis, row["median"]),
                low=_respondents(analysis, row["lower"]),
                high=_respondents(analysis, row["upper"]),
                ci=analysis.ci(table),
            )
        )
    return sentences


def _table(analysis: Analysis, needed: pd.DataFrame) -> Table:
    texts = analysis.material.texts

    def persons(value: float) -> Cell:
        missing = math.isnan(value)
        return Cell(
            "–" if missing else _respondents(analysis, value), None if missing else value, muted=missing
        )

    rows = [
        (
            text_cell(texts.known(f"comparisons.{row['comparison']}", row["comparison"])),
            text_cell(analysis.dimension(row["dimension"])),
            text_cell(texts.known(f"scales.{row['scale']}", row["scale"])),
            text_cell(texts.number(float(row["quantity"].removeprefix("respondents_for_")))),
            persons(row["median"]),
            persons(row["lower"]),
            persons(row["upper"]),
        )
        for _, row in needed.iterrows()
    ]
    return Table(
        texts("reliability.table"),
        (
            Column(texts("columns.comparison"), figures=False),
            Column(texts("columns.dimension"), figures=False),
            Column(texts("columns.scale"), figures=False),
            Column(texts("columns.target_reliability")),
            Column(texts("columns.respondents_needed")),
            Column(texts("columns.lower", ci=analysis.ci(needed))),
            Column(texts("columns.upper", ci=analysis.ci(needed))),
        ),
        tuple(rows),
        folded=texts.count("table.unfold", len(rows)),
        source="tables/reliability.csv",
    )
