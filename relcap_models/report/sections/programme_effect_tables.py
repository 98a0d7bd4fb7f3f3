"""Tables of a programme: its design, effects on all scales, and effects by cohort and wave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from relcap_models.report.blocks import Block, Cell, Column, Definitions, Heading, Paragraph, Table
from relcap_models.report.sections.cells import (
    count_cell,
    difference_with_interval,
    probability_cell,
    text_cell,
)
from relcap_models.report.sections.programme_effect_rows import RELATIONS, ProgrammeRows

_SOURCE = "tables/programme_effects.csv"
_COUNTS = ("n_respondents", "n_relations", "n_units", "n_clusters")
_PARTS = ("group", "calendar", "cell")
_TIMES = ("aggregate", "group", "time")


def design_blocks(rows: ProgrammeRows) -> Iterator[Block]:
    """The design in words, who is on either side, and who is left out."""
    texts, design = rows.texts, rows.design
    if not design["design"]:
        return
    yield Heading(texts("programmes.design.title"))
    yield Paragraph(texts.known(f"programmes.designs.{design['design']}.about", str(design["design"])))
    clusters = texts.known(f"programmes.assigned.many.{design['assigned']}", str(design["assigned"]))
    counts = [(clusters, "n_clusters"), *([("", "n_units")] if design["assigned"] != "unit" else [])]
    yield Table(
        texts("programmes.design.table", programme=rows.programme, assignment=rows.assignment),
        (
            Column(texts("programmes.design.column_what"), figures=False),
            Column(texts("programmes.design.column_treated")),
            Column(texts("programmes.design.column_comparison")),
        ),
        tuple(
            (
                text_cell(label or texts("programmes.assigned.many.unit")),
                count_cell(texts, design[f"{name}_treated"]),
                count_cell(texts, design[f"{name}_comparison"]),
            )
            for label, name in counts
        ),
        source="tables/programme_designs.csv",
    )
    start = texts.listing(list(dict.fromkeys([str(design["first_start"]), str(design["last_start"])])))
    pairs = (
        ("design", texts.known(f"programmes.designs.{design['design']}.name", str(design["design"]))),
        ("assignment", rows.assignment),
        ("assigned", clusters),
        ("start", start),
        ("exposure", texts.known(f"programmes.exposures.{design['exposure']}", str(design["exposure"]))),
        ("always", count_cell(texts, design["n_units_always"]).text),
        ("left_out", count_cell(texts, design["n_relations_left_out"]).text),
    )
    yield Definitions(tuple((texts(f"programmes.design.{name}"), value) for name, value in pairs))


def simple_table(rows: ProgrammeRows) -> Table:
    """Each effect averaged over all relations so exposed, on every scale."""
    texts, table = rows.texts, rows.all_rows[rows.all_rows["aggregate"] == "simple"]
    several, parts = table["dimension"].nunique() > 1, (table["component"] != "").any()
    found = list(_by_scale(rows, table))
    counts = [name for name in _COUNTS if table[name].replace("", None).notna().any()]
    return Table(
        texts(f"programmes.table.simple.{rows.word}", ci=rows.ci, assignment=rows.assignment),
        (
            Column(texts("programmes.column_what"), figures=False),
            *((Column(texts("columns.component"), figures=False),) if parts else ()),
            *((Column(texts("columns.dimension"), figures=False),) if several else ()),
            *_scale_columns(rows),
            Column(texts("programmes.column_latent")),
            *(Column(texts(f"programmes.column_counts.{name}")) for name in counts),
        ),
        tuple(
            (
                text_cell(rows.title(row["estimand"])),
                *((text_cell(row["component"] or texts("programmes.whole")),) if parts else ()),
                *((text_cell(rows.analysis.dimension(row["dimension"])),) if several else ()),
                *_scale_cells(rows, row),
                _estimate(rows, row.get("latent")),
                *(count_cell(texts, row[name]) for name in counts),
            )
            for row in found
        ),
        source=_SOURCE,
    )


def parts_table(rows: ProgrammeRows) -> Table | None:
    """Effects by cohort, by wave, and by both."""
    table = rows.effects[rows.effects["aggregate"].isin(_PARTS)]
    labels = {"group": "column_cohort", "time": "column_wave"}
    return _table_of_parts(rows, table, "parts", labels, keys=_TIMES, source=_SOURCE)


def types_table(rows: ProgrammeRows) -> Table | None:
    """Effects by the types (or layers) of rating and rated units."""
    labels = {"rater_type": "column_rater_type", "target_type": "column_target_type"}
    source = "tables/programme_relation_types.csv"
    return _table_of_parts(rows, rows.types, "types", labels, keys=tuple(labels), source=source)


def _table_of_parts(
    rows: ProgrammeRows,
    table: pd.DataFrame,
    name: str,
    labels: Mapping[str, str],
    *,
    keys: tuple[str, ...],
    source: str,
) -> Table | None:
    """A folded row for each effect and part. labels : text of the column of each label of a part."""
    texts = rows.texts
    if table.empty:
        return None
    found = list(_by_scale(rows, table, keys))
    return Table(
        texts(f"programmes.table.{name}.{rows.word}", ci=rows.ci, assignment=rows.assignment),
        (
            Column(texts("programmes.column_what"), figures=False),
            *(Column(texts(f"programmes.{title}"), figures=False) for title in labels.values()),
            *_scale_columns(rows),
            Column(texts("programmes.column_counts.n_relations")),
        ),
        tuple(
            (
                text_cell(rows.title(row["estimand"])),
                *(text_cell(row[label] or texts("words.all_dimensions")) for label in labels),
                *_scale_cells(rows, row),
                count_cell(texts, row["n_relations"]),
            )
            for row in found
        ),
        folded=texts.count("table.unfold", len(found)),
        source=source,
    )


def _scale_columns(rows: ProgrammeRows) -> tuple[Column, ...]:
    texts = rows.texts
    return (
        Column(texts("programmes.column_points")),
        Column(texts("programmes.column_positive")),
        Column(texts("programmes.column_goal", goal=texts.number(rows.goal))),
        Column(texts("programmes.column_share")),
    )


def _scale_cells(rows: ProgrammeRows, row: dict) -> tuple[Cell, ...]:
    points = row.get("points")
    chances = ("prob_positive", "prob_goal")
    return (
        _estimate(rows, points),
        *(
            Cell("–", muted=True) if points is None else probability_cell(rows.texts, points[chance])
            for chance in chances
        ),
        _estimate(rows, row.get("probability"), factor=100, digits=1),
    )


def _by_scale(rows: ProgrammeRows, table: pd.DataFrame, parts: tuple[str, ...] = _TIMES) -> Iterator[dict]:
    """One for each effect and part, with its rows by scale; effects in order, dimensions too."""
    keys = ["estimand", "component", "dimension", *parts]
    order = {name: place for place, name in enumerate(RELATIONS)}
    dimensions = rows.analysis.dimension_order(set(table["dimension"]))
    groups = sorted(
        table.groupby(keys, sort=False),
        key=lambda one: (order.get(one[0][0], len(order)), one[0][1], dimensions.index(one[0][2])),
    )
    for about, part in groups:
        by_scale = {str(row["scale"]): row for _, row in part.iterrows()}
        counts = {name: part[name].iloc[0] for name in _COUNTS}
        yield dict(zip(keys, about, strict=True)) | counts | by_scale


def _estimate(rows: ProgrammeRows, row: pd.Series | None, *, factor: float = 1, digits: int = 2) -> Cell:
    if row is None:
        return Cell("–", muted=True)
    texts = rows.texts
    if factor == 1:
        return Cell(difference_with_interval(texts, row), float(row["mean"]))
    mean, lower, upper = (factor * float(row[name]) for name in ("mean", "lower", "upper"))
    interval = texts.interval(lower, upper, digits)
    return Cell(texts("format.estimate", mean=texts.signed(mean, digits), interval=interval), mean)
