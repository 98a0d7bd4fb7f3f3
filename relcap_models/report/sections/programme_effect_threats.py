"""What else could have made a programme's effect, each with its check and what came of it."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from relcap_models.report.blocks import Block, Bullets, Cell, Column, Heading, Paragraph, Picture, Table
from relcap_models.report.figures.intervals import Panel, draw_intervals
from relcap_models.report.sections.cells import difference_with_interval, probability_cell, text_cell
from relcap_models.report.sections.programme_effect_comparisons import notes_in_words
from relcap_models.report.sections.programme_effect_rows import ProgrammeRows

THREATS = (
    "none",
    "pre_trends",
    "placebo_start",
    "placebo_outcome",
    "anticipation",
    "response_shift",
    "dropout",
    "contamination",
    "leave_one_out",
    "regression_to_the_mean",
)
EFFECTS = ("effect", "points")
"""Quantities that are an effect in points, which can stand beside the main estimate."""
_PLACEBO = ("placebo_start", "placebo_outcome")
_OWN_FIGURE = ("pre_trends", "regression_to_the_mean")
_FIGURES = ["value", "lower", "upper", "p"]


def threat_blocks(rows: ProgrammeRows) -> Iterator[Block]:
    """A sentence for each threat, the effect under each variant, and the table of all checks."""
    texts = rows.texts
    table = rows.table("programme_threats")
    yield Heading(texts(f"programmes.threats.title.{rows.word}"))
    if table.empty:
        yield Paragraph(texts("programmes.threats.absent"), "note")
        return
    if hidden := int(table["suppressed"].sum()):
        yield Paragraph(texts.count("programmes.threats.hidden", hidden), "note")
    table = table[~table["suppressed"]]
    found = [t for t in THREATS if t in set(table["threat"])]
    found += sorted(set(table["threat"]) - set(THREATS))
    yield Bullets(tuple(_sentence(rows, table, threat) for threat in found if threat != "none"))
    many = [threat for threat in found if threat not in ("none", *_OWN_FIGURE)]
    for name, threats in (("all", many), *((threat, [threat]) for threat in _OWN_FIGURE)):
        yield from _pictures(rows, table, name, threats)
    yield _table(rows, table, found)


def _name(rows: ProgrammeRows, threat: str) -> str:
    return rows.texts.known(f"programmes.threats.{threat}.name", threat)


def _about(rows: ProgrammeRows, row: pd.Series) -> str:
    """The variant of a check in words: a bound of trends, a unit left out, or a code."""
    texts, variant = rows.texts, str(row["variant"])
    try:
        return texts("programmes.threats.bound", bound=texts.number(float(variant), 1))
    except ValueError:
        code, _, rest = variant.partition(":")
        known = texts.known(f"programmes.threats.variants.{code}", "")
        if known:
            return f"{known}: {rest}" if rest else known
        instruments = {str(i["id"]): texts.of(i.get("title")) for i in rows.material.context["instruments"]}
        return instruments.get(variant) or rows.material.unit(variant)


def _effects(rows: ProgrammeRows, table: pd.DataFrame, threat: str, estimand: str) -> pd.DataFrame:
    return table[
        (table["threat"] == threat)
        & (table["estimand"] == estimand)
        & table["quantity"].isin(EFFECTS)
        & table["value"].notna()
    ].rename(columns={"value": "mean"})


def _sentence(rows: ProgrammeRows, table: pd.DataFrame, threat: str) -> str:
    """What the threat is, and what its check came to for the effect that is the answer."""
    texts, part = rows.texts, table[table["threat"] == threat]
    about = texts.known(f"programmes.threats.{threat}.{rows.word}", "")
    if part[_FIGURES].isna().all(axis=None):
        notes = dict.fromkeys(filter(None, (notes_in_words(texts, str(note)) for note in part["note"])))
        result = " ".join([texts("programmes.threats.unknown"), *notes])
    else:
        result = " ".join(_results(rows, table, threat))
    name = _name(rows, threat)
    return texts("programmes.threats.line", name=name, about=about, result=result).strip()


def _results(rows: ProgrammeRows, table: pd.DataFrame, threat: str) -> Iterator[str]:
    texts, main = rows.texts, rows.simple(rows.lead)
    part = table[(table["threat"] == threat) & (table["estimand"].isin(["", rows.lead]))]
    effects = _effects(rows, table, threat, rows.lead)
    if threat in _PLACEBO:
        for _, row in effects[effects["lower"].notna()].iterrows():
            holds = row["lower"] <= 0 <= row["upper"]
            yield texts(
                f"programmes.threats.placebo.{'holds' if holds else 'off'}.{rows.word}",
                variant=_about(rows, row),
                estimate=difference_with_interval(texts, row),
                assignment=rows.assignment,
            )
    elif threat == "regression_to_the_mean":
        for _, row in effects[effects["lower"].notna()].iterrows():
            yield texts(
                "programmes.threats.null",
                estimate=difference_with_interval(texts, row),
                variant=_about(rows, row),
            )
    elif main is not None and len(effects) and threat not in _OWN_FIGURE:
        yield _moves(rows, effects, main)
    for _, row in part[
        part["quantity"].isin(["breakdown", "tipping_point"]) & part["value"].notna()
    ].iterrows():
        key = f"programmes.threats.{row['quantity']}.{rows.word}"
        yield texts(key, value=texts.number(row["value"]), variant=_about(rows, row))
    tests = part[part["p"].notna() & ~part["quantity"].isin(EFFECTS)]
    for _, row in tests.iterrows():
        yield texts("programmes.threats.test", p=texts.probability(row["p"]), variant=_about(rows, row))


def _moves(rows: ProgrammeRows, effects: pd.DataFrame, main: pd.Series) -> str:
    """Whether the effect stays inside the main interval whatever the variant."""
    texts = rows.texts
    off = effects[(effects["mean"] < main["lower"]) | (effects["mean"] > main["upper"])]
    values = {
        "main": difference_with_interval(texts, main),
        "low": texts.signed(effects["mean"].min()),
        "high": texts.signed(effects["mean"].max()),
        "assignment": rows.assignment,
        "variants": texts.listing(list(dict.fromkeys(_about(rows, row) for _, row in off.iterrows()))),
    }
    return texts(f"programmes.threats.{'moves' if len(off) else 'stays'}.{rows.word}", **values)


def _pictures(rows: ProgrammeRows, table: pd.DataFrame, name: str, threats: list[str]) -> Iterator[Picture]:
    """The main estimate, and below it the effect under each variant; of trends, intervals alone."""
    texts, main = rows.texts, rows.simple(rows.lead)
    if main is None:
        return
    labels, found = [texts("programmes.threats.none.name")], [main[["mean", "lower", "upper"]]]
    for threat in threats:
        part = table[(table["threat"] == threat) & (table["estimand"] == rows.lead)]
        shown = part[part["quantity"].isin(EFFECTS) & (part["value"].notna() | part["lower"].notna())]
        for _, row in shown.rename(columns={"value": "mean"}).iterrows():
            about = _about(rows, row) if str(row["variant"]) else ""
            labels.append(": ".join(filter(None, [_name(rows, threat) if name == "all" else "", about])))
            # Intervals under differing trends have no point of their own.
            found.append(row[["mean", "lower", "upper"]].fillna({"mean": main["mean"]}))
    if len(found) == 1:
        return
    frame = pd.DataFrame(found).astype(float)
    key = "all" if name == "all" else f"{name}.figure"
    yield Picture(
        f"programme_threats_{name}_{rows.analysis.slug}",
        lambda theme: draw_intervals(
            theme,
            texts,
            labels=labels,
            panels=[Panel(rows.title(rows.lead), frame)],
            axis_label=texts(f"programmes.event.axis.{rows.word}"),
            reference=0.0,
            band=(float(main["lower"]), float(main["upper"])),
        ),
        alt=" ".join(
            _sentence(rows, table, threat) for threat in threats if (table["threat"] == threat).any()
        ),
        caption=texts(
            f"programmes.threats.{key}.{rows.word}" if name == "all" else f"programmes.threats.{key}"
        )
        + " "
        + texts("programmes.assigned_so", assignment=rows.assignment),
        narrow=True,
    )


def _table(rows: ProgrammeRows, table: pd.DataFrame, threats: list[str]) -> Table:
    texts, cells = rows.texts, []
    for threat in threats:
        for _, row in table[table["threat"] == threat].rename(columns={"value": "mean"}).iterrows():
            blank = row[["mean", "lower", "upper", "p"]].isna().all()
            note = notes_in_words(texts, str(row["note"]))
            cells.append(
                (
                    text_cell(_name(rows, threat)),
                    text_cell(_about(rows, row) if str(row["variant"]) else ""),
                    text_cell(rows.title(row["estimand"]) if row["estimand"] else ""),
                    text_cell(
                        texts.known(f"programmes.threats.quantities.{row['quantity']}", row["quantity"])
                    ),
                    _figure(rows, row),
                    probability_cell(texts, row["p"]),
                    text_cell(f"{texts('programmes.threats.unknown')} {note}".strip() if blank else note),
                )
            )
    return Table(
        texts(f"programmes.threats.table.{rows.word}", ci=rows.ci, assignment=rows.assignment),
        (
            *(
                Column(texts(f"programmes.threats.column_{name}"), figures=False)
                for name in ("threat", "variant")
            ),
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


def _figure(rows: ProgrammeRows, row: pd.Series) -> Cell:
    texts = rows.texts
    if pd.isna(row["mean"]) and pd.isna(row["lower"]):
        return Cell("–", muted=True)
    if pd.isna(row["lower"]):
        return Cell(texts.number(row["mean"]), float(row["mean"]))
    if pd.isna(row["mean"]):
        return Cell(texts.interval(row["lower"], row["upper"]), float(row["lower"]))
    return Cell(difference_with_interval(texts, row), float(row["mean"]))
