"""What else could be behind a programme's effect: each threat with its check, in figures and tables."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from relcap_models.report.blocks import Block, Cell, Column, Heading, Paragraph, Picture, Table
from relcap_models.report.figures.intervals import Panel, draw_intervals
from relcap_models.report.sections.cells import difference_with_interval, probability_cell, text_cell
from relcap_models.report.sections.programme_effect_checks import (
    EFFECT,
    THREATS,
    effects_under,
    main_of,
    notes_in_words,
    result_sentence,
    threat_name,
    variant_in_words,
)
from relcap_models.report.sections.programme_effect_rows import ProgrammeRows

_OWN_FIGURE = ("pre_trends", "regression_to_the_mean")
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
    yield from _variants(rows, table, [t for t in found if t not in ("none", *_OWN_FIGURE)])
    yield from _trends(rows, table)
    yield from _selection(rows, table)
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


def _variants(rows: ProgrammeRows, table: pd.DataFrame, threats: list[str]) -> Iterator[Picture]:
    """The effect that is varied, and below it the effect under each variant."""
    found = []
    for threat in threats:
        for _, row in effects_under(table, threat, rows.lead).iterrows():
            about = variant_in_words(rows, row) if row["variant"] else ""
            found.append((": ".join(filter(None, [threat_name(rows, threat), about])), row))
    key = f"programmes.threats.caption.{rows.word}"
    yield from _intervals(rows, table, found, name="threats", caption=rows.texts(key))


def _trends(rows: ProgrammeRows, table: pd.DataFrame) -> Iterator[Picture]:
    """The effect's interval under ever larger violations of parallel trends."""
    effects = effects_under(table, "pre_trends", rows.lead)
    found = [(variant_in_words(rows, row), row) for _, row in effects.iterrows()]
    caption = rows.texts("programmes.threats.pre_trends.figure")
    yield from _intervals(rows, table, found, name="trends", caption=caption)


def _selection(rows: ProgrammeRows, table: pd.DataFrame) -> Iterator[Picture]:
    """What choosing the lowest does by itself, beside what was seen."""
    part = table[(table["threat"] == "regression_to_the_mean") & table["value"].notna()]
    shown = part[part["quantity"].isin(["change", *([] if rows.single else ["difference"])])]
    found = [
        (f"{_quantity(rows, row)}: {variant_in_words(rows, row)}", row)
        for _, row in shown.rename(columns={"value": "mean"}).iterrows()
    ]
    caption = rows.texts("programmes.threats.regression_to_the_mean.figure")
    yield from _intervals(rows, table, found, name="selection", caption=caption, beside_main=False)


def _intervals(
    rows: ProgrammeRows,
    table: pd.DataFrame,
    found: list[tuple[str, pd.Series]],
    *,
    name: str,
    caption: str,
    beside_main: bool = True,
) -> Iterator[Picture]:
    texts, main = rows.texts, main_of(rows, table)
    if not found or main is None:
        return
    shown = [(texts("programmes.threats.none.name"), main)] if beside_main else []
    shown += found
    labels = [label for label, _ in shown]
    frame = pd.DataFrame([row[["mean", "lower", "upper"]] for _, row in shown]).astype(float)
    sure = beside_main and pd.notna(main["lower"])
    band = (float(main["lower"]), float(main["upper"])) if sure else None
    word = rows.word if beside_main else "change"
    threats = list(dict.fromkeys(str(row["threat"]) for _, row in found))
    yield Picture(
        f"programme_{name}_{rows.analysis.slug}",
        lambda theme: draw_intervals(
            theme,
            texts,
            labels=[],
            panels=[Panel(rows.title(rows.lead), frame)],
            panel_labels=[labels],
            axis_label=texts(f"programmes.event.axis.{word}"),
            reference=0.0,
            band=band,
        ),
        alt=" ".join(result_sentence(rows, table, threat) for threat in threats),
        caption=f"{caption} {texts('programmes.assigned_so', assignment=rows.assignment)}",
        narrow=True,
    )


def _quantity(rows: ProgrammeRows, row: pd.Series) -> str:
    key = "change" if rows.single and row["quantity"] == EFFECT else str(row["quantity"])
    return rows.texts.known(f"programmes.threats.quantities.{key}", key)


def _all_checks(rows: ProgrammeRows, table: pd.DataFrame, threats: list[str]) -> Table:
    texts, cells = rows.texts, []
    for threat in threats:
        for _, row in table[table["threat"] == threat].rename(columns={"value": "mean"}).iterrows():
            cells.append(
                (
                    text_cell(threat_name(rows, threat)),
                    text_cell(variant_in_words(rows, row) if row["variant"] else ""),
                    text_cell(rows.title(row["estimand"]) if row["estimand"] else ""),
                    text_cell(_quantity(rows, row)),
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
