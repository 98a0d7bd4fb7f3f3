"""Reliability of single ratings, and of what is rated."""

from __future__ import annotations

from collections.abc import Callable

from relcap_models.report.blocks import Block, Column, Heading, Paragraph, Table
from relcap_models.report.sections.cells import interval_cell, number_cell, text_cell
from relcap_models.report.sections.psychometrics.examined import Examined, estimate_cell


def reliability_blocks(of: Examined) -> list[Block]:
    texts, table = of.texts, of.table("reliability")
    if table.empty:
        return []
    about_targets = of.analysis.instrument.get("referent") not in ("own_team", "own_leaders")
    subject = texts(f"psychometrics.subject_{'relation' if about_targets else 'unit'}")

    def level(name: str) -> str:
        return subject if name == "subject" else texts("psychometrics.level_rating")

    rows = [
        (
            text_cell(of.group(row["split"], row["group"])),
            text_cell(of.analysis.dimension(row["dimension"])),
            text_cell(texts.known(f"psychometrics.coefficients.{row['coefficient']}", row["coefficient"])),
            text_cell(level(row["level"])),
            number_cell(texts, row["estimate"]),
            interval_cell(texts, row["lower"], row["upper"]),
        )
        for _, row in table.iterrows()
    ]
    columns = (
        Column(texts("psychometrics.column_group"), figures=False),
        Column(texts("columns.dimension"), figures=False),
        Column(texts("psychometrics.column_coefficient"), figures=False),
        Column(texts("psychometrics.column_level"), figures=False),
        Column(texts("columns.value")),
        Column(texts("columns.interval", ci=of.analysis.ci(table))),
    )
    source = "tables/psychometrics_reliability.csv"
    blocks: list[Block] = [
        Heading(texts("psychometrics.reliability")),
        Paragraph(texts("psychometrics.reliability_how")),
        _reliability_of_everybody(of, level),
    ]
    others = [row for row, split in zip(rows, table["split"], strict=True) if split != "survey"]
    if others:
        unfold = texts.count("table.unfold", len(others))
        caption = texts("psychometrics.reliability_groups")
        blocks.append(Table(caption, columns, tuple(others), folded=unfold, source=source))
    return blocks


def _reliability_of_everybody(of: Examined, level: Callable[[str], str]) -> Table:
    """Coefficients down, dimensions across: each with its interval."""
    texts, table = of.texts, of.everybody("reliability")
    dimensions = of.analysis.dimension_order(set(table["dimension"]))
    rows = []
    for (coefficient, name), part in table.groupby(["coefficient", "level"], sort=False):
        by_dimension = part.set_index("dimension")
        cells = [estimate_cell(texts, by_dimension, dimension) for dimension in dimensions]
        label = texts.known(f"psychometrics.coefficients.{coefficient}", coefficient)
        rows.append((text_cell(label), text_cell(level(name)), *cells))
    columns = (
        Column(texts("psychometrics.column_coefficient"), figures=False),
        Column(texts("psychometrics.column_level"), figures=False),
        *(Column(of.analysis.dimension(dimension)) for dimension in dimensions),
    )
    caption = texts("psychometrics.reliability_table", ci=of.analysis.ci(table))
    return Table(caption, columns, tuple(rows), source="tables/psychometrics_reliability.csv")
