"""Tables of a leadership link: the estimates side by side, and where units lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from relcap_models.report.blocks import Cell, Column, Table
from relcap_models.report.sections.cells import (
    count_cell,
    difference_with_interval,
    interval_cell,
    number_cell,
    text_cell,
)
from relcap_models.report.sections.link_rows import LinkRows, Pair


def estimate_tables(link: LinkRows, level: str) -> Iterator[Table]:
    """Of one leadership a table that stands open, and one of what else was linked; of several all in one."""
    if link.several:
        yield _estimate_table(link, level, link.pairs)
        return
    for pair in link.pairs if link.material.for_researchers else link.leadership_pairs:
        yield _estimate_table(link, level, (pair,))


def _estimate_table(link: LinkRows, level: str, pairs: Sequence[Pair]) -> Table:
    """Methods down, comparisons across: points per standard deviation, at one level."""
    texts, conditions = link.texts, link.conditions(level)
    several = len(pairs) > 1
    rows = [
        (
            *((text_cell(link.label(pair)),) if several else ()),
            text_cell(link.method(method)),
            *(_effect_cell(link, link.effect(pair, level, c, method=method)) for c in conditions),
        )
        for pair in pairs
        for method in link.methods
    ]
    about = texts("links.table.all") if several else link.label(pairs[0])
    stands_open = not several and link.is_leadership(pairs[0][0])
    return Table(
        texts(f"links.table.{level}", about=about, ci=link.ci),
        (
            *((Column(texts("links.column_link"), figures=False),) if several else ()),
            Column(texts("links.column_method"), figures=False),
            *(Column(texts(f"links.conditions.{condition.key}")) for condition in conditions),
        ),
        tuple(rows),
        folded="" if stands_open else texts.count("table.unfold", len(rows)),
        source=", ".join(f"tables/{name}.csv" for name in _tables_of(link)),
    )


def _tables_of(link: LinkRows) -> tuple[str, ...]:
    return ("leadership_link", "leadership_mixed") if "mixed" in link.methods else ("leadership_link",)


def _effect_cell(link: LinkRows, row: pd.Series | None) -> Cell:
    if row is None:
        return Cell("–", muted=True)
    return Cell(difference_with_interval(link.texts, row), float(row["mean"]))


def unit_table(link: LinkRows, rows: pd.DataFrame) -> Table:
    """Both figures of each unit; hidden ones are dashes, and stand last."""
    texts, several = link.texts, rows["predictor"].nunique() > 1
    shown = rows[["predictor_mean", "outcome_mean"]].notna().any(axis=1)
    cells = []
    for _, row in pd.concat([rows[shown], rows[~shown]]).iterrows():
        about = (text_cell(link.title(row["predictor"])),) if several else ()
        cells.append(
            (
                text_cell(link.material.unit(row["unit"])),
                *about,
                number_cell(texts, row["predictor_mean"]),
                interval_cell(texts, row["predictor_lower"], row["predictor_upper"]),
                count_cell(texts, row["n_staff"]),
                number_cell(texts, row["outcome_mean"]),
                interval_cell(texts, row["outcome_lower"], row["outcome_upper"]),
                count_cell(texts, row["n_raters"]),
            )
        )
    interval = Column(texts("columns.interval", ci=link.ci))
    predictor = link.title(rows["predictor"].iloc[0])
    return Table(
        texts("links.units.table"),
        (
            Column(texts("columns.unit"), figures=False),
            *((Column(texts("links.column_leadership"), figures=False),) if several else ()),
            Column(texts("links.column_leadership") if several else predictor),
            interval,
            Column(texts("links.units.column_staff")),
            Column(link.title(rows["outcome"].iloc[0])),
            interval,
            Column(texts("links.units.column_raters")),
        ),
        tuple(cells),
        folded=texts.count("table.unfold", len(cells)),
        source="tables/leadership_units.csv",
    )
