"""Where differences come from (variance shares and reciprocities), in plain words."""

from __future__ import annotations

import pandas as pd

from relcap_models.report.blocks import Block, Bullets, Column, Paragraph, Picture, Section, Table
from relcap_models.report.figures.variance_shares import draw_variance_shares
from relcap_models.report.material import Analysis
from relcap_models.report.sections.cells import interval_cell, number_cell, text_cell

_ORDER = (
    "perceiver",
    "target",
    "relation",
    "self",
    "unit",
    "district_perceiver",
    "district_target",
    "respondent",
    "respondent_wave",
    "respondent_target",
    "rating",
    "residual",
)


def variance_section(analysis: Analysis) -> Section:
    texts = analysis.material.texts
    table = analysis.table("variance_shares")
    shares = table[(table["quantity"] == "share") & table["mean"].notna()]
    correlations = table[(table["quantity"] == "correlation") & table["mean"].notna()]
    blocks: list[Block] = []
    if shares.empty:
        blocks.append(Paragraph(texts("variance.nothing"), "note"))
    else:
        found = set(shares["component"])
        ids = [c for c in _ORDER if c in found] + sorted(found - set(_ORDER))
        components = [(c, _component(analysis, c)) for c in ids]
        dimensions = [(d, analysis.dimension(d)) for d in analysis.dimension_order(set(shares["dimension"]))]
        blocks += [
            Paragraph(texts("variance.how" if analysis.kind == "relations" else "variance.how_climate")),
            Picture(
                f"variance_shares_{analysis.slug}",
                lambda theme: draw_variance_shares(
                    theme, texts, shares, components=components, dimensions=dimensions
                ),
                alt=_finding(analysis, shares, dimensions[0]),
                caption=texts("variance.caption", ci=analysis.ci(shares)),
                narrow=True,
            ),
        ]
    reciprocities = tuple(
        _reciprocity(analysis, row, f"variance.{row['component']}")
        for _, row in correlations.sort_values("component", ascending=False, kind="stable").iterrows()
        if f"variance.{row['component']}.positive" in texts.strings
    )
    if reciprocities:
        blocks.append(Bullets(reciprocities))
    if not table.empty:
        blocks.append(_table(analysis, table))
    return Section(
        f"variance-{analysis.number}", _title(analysis), tuple(blocks), "quality", _subject(analysis)
    )


def _title(analysis: Analysis) -> str:
    texts = analysis.material.texts
    if analysis.kind == "climate":
        return texts("variance.climate_title", title=analysis.title)
    return texts("variance.title")


def _subject(analysis: Analysis) -> str:
    return "" if analysis.kind == "climate" else analysis.subject


def _finding(analysis: Analysis, shares: pd.DataFrame, dimension: tuple[str, str]) -> str:
    texts = analysis.material.texts
    rows = (
        shares[shares["dimension"] == dimension[0]]
        .sort_values("mean", ascending=False, kind="stable")
        .head(3)
    )
    named = [
        texts(
            "variance.named",
            component=texts.known(f"components.{row['component']}", row["component"]),
            share=texts.percent(row["mean"]),
            low=texts.percent(row["lower"]),
            high=texts.percent(row["upper"]),
        )
        for _, row in rows.iterrows()
    ]
    return texts("variance.alt", dimension=dimension[1], named=texts.listing(named))


def _component(analysis: Analysis, name: str) -> str:
    """In a climate analysis the perceiver effect is the unit's."""
    key = "unit" if name == "perceiver" and analysis.kind != "relations" else name
    return analysis.material.texts.known(f"components.{key}", name)


def _reciprocity(analysis: Analysis, row: pd.Series, key: str) -> str:
    texts = analysis.material.texts
    direction = "positive" if row["lower"] > 0 else "negative" if row["upper"] < 0 else "unclear"
    return texts(
        f"{key}.{direction}",
        dimension=analysis.dimension(row["dimension"]),
        value=texts.number(row["mean"]),
        interval=texts.interval(row["lower"], row["upper"]),
        ci=analysis.ci(pd.DataFrame([row])),
    )


def _table(analysis: Analysis, table: pd.DataFrame) -> Table:
    texts = analysis.material.texts
    rows = [
        (
            text_cell(analysis.dimension(row["dimension"])),
            text_cell(_component(analysis, row["component"])),
            text_cell(texts.known(f"quantities.{row['quantity']}", row["quantity"])),
            number_cell(texts, row["mean"]),
            interval_cell(texts, row["lower"], row["upper"]),
        )
        for _, row in table.iterrows()
    ]
    return Table(
        texts("variance.table"),
        (
            Column(texts("columns.dimension"), figures=False),
            Column(texts("columns.component"), figures=False),
            Column(texts("columns.quantity"), figures=False),
            Column(texts("columns.mean")),
            Column(texts("columns.interval", ci=analysis.ci(table))),
        ),
        tuple(rows),
        folded=texts.count("table.unfold", len(rows)),
        source="tables/variance_shares.csv",
    )
