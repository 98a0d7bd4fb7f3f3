"""What else could be behind a programme's effect, in figures."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from relcap_models.report.blocks import Picture
from relcap_models.report.figures.intervals import Panel, draw_intervals
from relcap_models.report.figures.programme_effect import draw_tipping
from relcap_models.report.sections.programme_effect_checks import (
    effects_under,
    main_of,
    quantity_in_words,
    result_sentence,
    threat_name,
    variant_in_words,
)
from relcap_models.report.sections.programme_effect_rows import ProgrammeRows

_OTHER_FIGURE = ("pre_trends", "regression_to_the_mean")
"""Threats whose variants are not of the effect over all data, or are a bound on it."""


def threat_pictures(rows: ProgrammeRows, table: pd.DataFrame, threats: list[str]) -> Iterator[Picture]:
    """The effect under each check on one axis, and what there is to see of single threats."""
    yield from _variants(rows, table, [threat for threat in threats if threat not in _OTHER_FIGURE])
    yield from _trends(rows, table)
    yield from _shift(rows, table)
    yield from _tipping(rows, table)
    yield from _selection(rows, table)


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


def _shift(rows: ProgrammeRows, table: pd.DataFrame) -> Iterator[Picture]:
    """How far each item moved for comparisons, and how much further for exposed relations."""
    texts, part = rows.texts, table[(table["threat"] == "response_shift") & table["value"].notna()]
    moved = {
        quantity: of.set_index("variant").rename(columns={"value": "mean"})
        for quantity, of in part[part["quantity"].isin(["drift", "shift"])].groupby("quantity")
    }
    if set(moved) != {"drift", "shift"}:
        return
    items = list(moved["shift"].index)
    panels = [
        Panel(texts(f"programmes.threats.quantities.{name}"), moved[name].reindex(items), colour)
        for name, colour in (("drift", "muted"), ("shift", "accent"))
    ]
    yield Picture(
        f"programme_shift_{rows.analysis.slug}",
        lambda theme: draw_intervals(
            theme,
            texts,
            labels=items,
            panels=panels,
            axis_label=texts("programmes.threats.response_shift.axis"),
            reference=0.0,
        ),
        alt=result_sentence(rows, table, "response_shift"),
        caption=_with_assignment(rows, texts("programmes.threats.response_shift.figure", ci=rows.ci)),
        narrow=True,
    )


def _tipping(rows: ProgrammeRows, table: pd.DataFrame) -> Iterator[Picture]:
    """The effect if those who left would have rated ever lower (or higher) than the others."""
    texts, main = rows.texts, main_of(rows, table)
    wanted = table["quantity"].isin(["missing_share", "tipping_point"]) & (table["estimand"] == rows.lead)
    found = table[wanted].set_index("quantity")["value"].dropna()
    if main is None or pd.isna(main["lower"]) or len(found) < 2 or found["tipping_point"] == 0:
        return
    share, point = found["missing_share"], found["tipping_point"]
    title = rows.title(rows.lead)
    yield Picture(
        f"programme_tipping_{rows.analysis.slug}",
        lambda theme: draw_tipping(theme, texts, main, share=share, point=point, word=rows.word),
        alt=result_sentence(rows, table, "dropout"),
        caption=_with_assignment(rows, texts(f"programmes.threats.dropout.figure.{rows.word}", title=title)),
        narrow=True,
    )


def _selection(rows: ProgrammeRows, table: pd.DataFrame) -> Iterator[Picture]:
    """What choosing the lowest does by itself, beside what was seen."""
    part = table[(table["threat"] == "regression_to_the_mean") & table["value"].notna()]
    shown = part[part["quantity"].isin(["change", *([] if rows.single else ["difference"])])]
    found = [
        (f"{quantity_in_words(rows, row)}: {variant_in_words(rows, row)}", row)
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
        caption=_with_assignment(rows, caption),
        narrow=True,
    )


def _with_assignment(rows: ProgrammeRows, caption: str) -> str:
    return f"{caption} {rows.texts('programmes.assigned_so', assignment=rows.assignment)}"
