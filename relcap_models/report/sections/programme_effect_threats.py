"""What else could be behind a programme's effect: each threat with its check, in figures and tables."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from relcap_models.report.blocks import Block, Cell, Column, Heading, Paragraph, Table
from relcap_models.report.sections.cells import difference_with_interval, probability_cell, text_cell
from relcap_models.report.sections.programme_effect_checks import (
    EFFECT,
    THREATS,
    notes_in_words,
    quantity_in_words,
    result_sentence,
    threat_name,
    variant_in_words,
)
from relcap_models.report.sections.programme_effect_rows import ProgrammeRows
from relcap_models.report.sections.programme_effect_threat_figures import threat_pictures

_SIGNED = (EFFECT, "difference", "change", "gap_at_start", "tipping_point", "mean_impact")
_SHARES = ("share", "missing_share", "comparison_share", "stability")


def threat_blocks(rows: ProgrammeRows) -> Iterator[Block]:
    """A sentence for each threat, the effect under each variant, and the table of all checks."""
    texts, table = rows.texts, rows.table("programme_threats")
    yield Heading(texts(f"programmes.threats.title.{rows.word}"))
    if table.empty:
        yield Paragraph(texts("programmes.threats.absent"), "note")
        return
    yield Paragraph(texts(f"programmes.threats.how.{rows.word}"))
    if hidden := int(table["suppressed"].sum()):
        yield Paragraph(texts.count("programmes.threats.hidden", hidden), "note")
    table = table[~table["suppressed"]]
    found = [t for t in THREATS if t in set(table["threat"])] + sorted(set(table["threat"]) - set(THREATS))
    yield _told(rows, table, [threat for threat in found if threat != "none"])
    yield from threat_pictures(rows, table, [threat for threat in found if threat != "none"])
    yield _all_checks(rows, table, found)


def _told(rows: ProgrammeRows, table: pd.DataFrame, threats: list[str]) -> Table:
    """What could be behind the effect, and what its check came to."""
    texts = rows.texts
    return Table(
        texts(f"programmes.threats.told.{rows.word}", ci=rows.ci, assignment=rows.assignment),
        tuple(
            Column(texts(f"programmes.threats.column_{name}"), figures=False) for name in ("threat", "result")
        ),
        tuple(
            (
                text_cell(texts.known(f"programmes.threats.{threat}.{rows.word}", threat_name(rows, threat))),
                text_cell(result_sentence(rows, table, threat)),
            )
            for threat in threats
        ),
        source="tables/programme_threats.csv",
    )


def _all_checks(rows: ProgrammeRows, table: pd.DataFrame, threats: list[str]) -> Table:
    texts, cells = rows.texts, []
    for threat in threats:
        for _, row in table[table["threat"] == threat].rename(columns={"value": "mean"}).iterrows():
            cells.append(
                (
                    text_cell(threat_name(rows, threat)),
                    text_cell(variant_in_words(rows, row) if row["variant"] else ""),
                    text_cell(rows.title(row["estimand"]) if row["estimand"] else ""),
                    text_cell(quantity_in_words(rows, row)),
                    _figure(rows, row),
                    probability_cell(texts, row["p"]),
                    text_cell(_note(rows, row)),
                )
            )
    names = ("threat", "variant")
    return Table(
        texts(f"programmes.threats.table.{rows.word}", ci=rows.ci, assignment=rows.assignment),
        (
            *(Column(texts(f"programmes.threats.column_{name}"), figures=False) for name in names),
            Column(texts("programmes.column_what"), figures=False),
            Column(texts("columns.quantity"), figures=False),
            Column(texts("columns.value")),
            Column(texts("programmes.column_p")),
            Column(texts("programmes.column_note"), figures=False),
        ),
        tuple(cells),
        folded=texts.count("table.unfold", len(cells)),
        source="tables/programme_threats.csv",
    )


def _note(rows: ProgrammeRows, row: pd.Series) -> str:
    """Its codes in words; a row without any figure first says that it could not be checked."""
    note = notes_in_words(rows, str(row["note"]))
    blank = row[["mean", "lower", "upper", "p"]].isna().all()
    # A breakdown that nothing reaches is blank, and no failure.
    if blank and "no_breakdown" not in str(row["note"]):
        return f"{rows.texts('programmes.threats.unknown')} {note}".strip()
    return note


def _figure(rows: ProgrammeRows, row: pd.Series) -> Cell:
    texts, quantity = rows.texts, row["quantity"]
    if pd.isna(row["mean"]):
        return Cell("–", muted=True)
    if quantity in _SHARES:
        return Cell(texts.percent(row["mean"]), float(row["mean"]))
    if pd.notna(row["lower"]):
        return Cell(difference_with_interval(texts, row), float(row["mean"]))
    write = texts.signed if quantity in _SIGNED else texts.number
    return Cell(write(row["mean"]), float(row["mean"]))
