"""Whether an instrument measures what it is meant to: items, factors, reliability, invariance."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.blocks import (
    Block,
    Bullets,
    Cell,
    Column,
    Heading,
    Paragraph,
    Picture,
    Section,
    Table,
)
from relcap_models.report.figures.psychometrics import draw_answers, draw_information, draw_loadings
from relcap_models.report.material import Analysis, Material
from relcap_models.report.sections.cells import count_cell, interval_cell, number_cell, share_cell, text_cell

_MOST_NOTES = 12


def psychometrics_sections(material: Material) -> list[Section]:
    """A section for each instrument that was examined."""
    instruments = {str(i["id"]): i for i in material.context.get("instruments", ())}
    sections = []
    for declared in material.context.get("psychometrics", ()):
        for name in declared["instruments"]:
            about = Analysis(
                material, len(sections) + 1, {**declared, "instrument": name}, instruments.get(name, {})
            )
            sections.append(_section(_Examined(about, name)))
    return sections


class _Examined:
    """One examined instrument: its rows of the tables, and words."""

    def __init__(self, analysis: Analysis, name: str) -> None:
        self.analysis, self.name, self.texts = analysis, name, analysis.material.texts

    def table(self, name: str) -> pd.DataFrame:
        rows = self.analysis.table(f"psychometrics_{name}")
        return rows[rows["instrument"] == self.name]

    def everybody(self, name: str) -> pd.DataFrame:
        rows = self.table(name)
        return rows[rows["split"] == "survey"]

    def group(self, split: str, group: str) -> str:
        if split == "survey":
            return self.texts("psychometrics.everybody")
        return self.analysis.material.wave(group) if split == "wave" else group

    def picture(self, name: str) -> str:
        return f"psychometrics_{name}_{self.analysis.number}"


def _section(of: _Examined) -> Section:
    texts = of.texts
    blocks: list[Block] = [Paragraph(texts("psychometrics.how"))]
    items = of.everybody("items")
    if items.empty or items["mean"].isna().all():
        blocks.append(Paragraph(texts("psychometrics.nothing"), "note"))
    else:
        blocks += [*_answers(of), *_factors(of), *_information(of), *_reliability(of)]
    blocks += [*_invariance(of), *_notes(of)]
    title = texts("psychometrics.title", title=of.analysis.title)
    return Section(f"psychometrics-{of.analysis.number}", title, tuple(blocks), "quality")


def _answers(of: _Examined) -> list[Block]:
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


def _factors(of: _Examined) -> list[Block]:
    texts, fit = of.texts, of.table("fit")
    parameters = of.everybody("parameters")
    blocks: list[Block] = [Heading(texts("psychometrics.factors"))]
    if fit.empty or parameters.empty:
        return [*blocks, Paragraph(texts("psychometrics.no_factors"), "note")]
    blocks.append(Paragraph(texts("psychometrics.factors_how")))
    correlations = parameters[parameters["parameter"] == "correlation"]
    levels = of.everybody("levels").set_index(["dimension", "level"])["estimate"]
    for _, row in correlations.iterrows():
        within, between = (levels.get((row["dimension"], level), math.nan) for level in ("within", "between"))
        sentence = texts(
            "psychometrics.correlation",
            dimensions=of.analysis.dimension(row["dimension"]),
            value=texts.number(row["estimate"]),
            interval=texts.interval(row["lower"], row["upper"]),
        )
        if not (math.isnan(within) or math.isnan(between)):
            sentence += " " + texts(
                "psychometrics.correlation_levels",
                within=texts.number(within),
                between=texts.number(between),
            )
        blocks.append(Paragraph(sentence))
    items = [i for i in of.analysis.items if i in set(parameters["item"])]
    loadings = parameters[parameters["parameter"] == "loading"]
    low, high = loadings["estimate"].min(), loadings["estimate"].max()
    blocks.append(
        Picture(
            of.picture("loadings"),
            lambda theme: draw_loadings(theme, texts, parameters, items=items),
            alt=texts("psychometrics.loadings_alt", low=texts.number(low), high=texts.number(high)),
            caption=texts("psychometrics.loadings_caption", ci=of.analysis.ci(loadings)),
            narrow=True,
        )
    )
    rows = [
        (
            text_cell(of.group(row["split"], row["group"])),
            count_cell(texts, row["n_ratings"]),
            number_cell(texts, row["chisq"], digits=1),
            number_cell(texts, row["df"], digits=0),
            number_cell(texts, row["p"], digits=3),
            number_cell(texts, row["cfi"], digits=3),
            number_cell(texts, row["rmsea"], digits=3),
            interval_cell(texts, row["rmsea_lower"], row["rmsea_upper"], digits=3),
            number_cell(texts, row["srmr"], digits=3),
        )
        for _, row in fit.iterrows()
    ]
    names = ("chisq", "df", "p", "cfi", "rmsea", "rmsea_interval", "srmr")
    columns = (
        Column(texts("psychometrics.column_group"), figures=False),
        Column(texts("psychometrics.column_ratings")),
        *(Column(texts(f"psychometrics.column_{name}")) for name in names),
    )
    source = "tables/psychometrics_fit.csv"
    return [*blocks, Table(texts("psychometrics.fit_table"), columns, tuple(rows), source=source)]


def _information(of: _Examined) -> list[Block]:
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


def _reliability(of: _Examined) -> list[Block]:
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


def _reliability_of_everybody(of: _Examined, level: Callable[[str], str]) -> Table:
    """Coefficients down, dimensions across: each with its interval."""
    texts, table = of.texts, of.everybody("reliability")
    dimensions = of.analysis.dimension_order(set(table["dimension"]))
    rows = []
    for (coefficient, name), part in table.groupby(["coefficient", "level"], sort=False):
        by_dimension = part.set_index("dimension")
        cells = [_estimate_cell(texts, by_dimension, dimension) for dimension in dimensions]
        label = texts.known(f"psychometrics.coefficients.{coefficient}", coefficient)
        rows.append((text_cell(label), text_cell(level(name)), *cells))
    columns = (
        Column(texts("psychometrics.column_coefficient"), figures=False),
        Column(texts("psychometrics.column_level"), figures=False),
        *(Column(of.analysis.dimension(dimension)) for dimension in dimensions),
    )
    caption = texts("psychometrics.reliability_table", ci=of.analysis.ci(table))
    return Table(caption, columns, tuple(rows), source="tables/psychometrics_reliability.csv")


def _estimate_cell(texts: Texts, rows: pd.DataFrame, dimension: str) -> Cell:
    if dimension not in rows.index or math.isnan(rows.loc[dimension, "estimate"]):
        return Cell("–", muted=True)
    row = rows.loc[dimension]
    value = texts.number(row["estimate"])
    if not math.isnan(row["lower"]):
        value = texts("format.estimate", mean=value, interval=texts.interval(row["lower"], row["upper"]))
    return Cell(value, row["estimate"])


def _invariance(of: _Examined) -> list[Block]:
    texts, table = of.texts, of.table("invariance")
    blocks: list[Block] = [Heading(texts("psychometrics.invariance"))]
    if table.empty:
        return [*blocks, Paragraph(texts("psychometrics.no_invariance"), "note")]
    blocks.append(Paragraph(texts("psychometrics.invariance_how")))
    for across, rows in table.groupby("across", sort=False):
        blocks.append(Paragraph(_held(of, str(across), rows)))
    rows = [
        (
            text_cell(texts.known(f"psychometrics.across.{row['across']}", row["across"])),
            text_cell(texts.known(f"psychometrics.levels.{row['level']}", row["level"])),
            number_cell(texts, row["chisq"], digits=1),
            number_cell(texts, row["df"], digits=0),
            number_cell(texts, row["cfi"], digits=3),
            number_cell(texts, row["rmsea"], digits=3),
            number_cell(texts, row["diff_chisq"], digits=1),
            number_cell(texts, row["diff_df"], digits=0),
            number_cell(texts, row["diff_p"], digits=3),
            text_cell(texts("psychometrics.held" if row["held"] else "psychometrics.not_held")),
        )
        for _, row in table.iterrows()
    ]
    names = ("chisq", "df", "cfi", "rmsea", "diff_chisq", "diff_df", "diff_p", "held")
    columns = (
        Column(texts("psychometrics.column_across"), figures=False),
        Column(texts("psychometrics.column_equal"), figures=False),
        *(Column(texts(f"psychometrics.column_{name}")) for name in names),
    )
    source = "tables/psychometrics_invariance.csv"
    blocks.append(Table(texts("psychometrics.invariance_table"), columns, tuple(rows), source=source))
    return blocks


def _held(of: _Examined, across: str, rows: pd.DataFrame) -> str:
    texts = of.texts
    names = [texts.known(f"psychometrics.levels.{level}", level) for level in rows["level"]]
    held = [name for name, holds in zip(names, rows["held"], strict=True) if holds]
    over = texts.known(f"psychometrics.across.{across}", across)
    if len(held) == len(names):
        return texts("psychometrics.all_held", across=over, levels=texts.listing(held))
    if not held:
        return texts("psychometrics.none_held", across=over)
    failed = names[len(held)]
    return texts("psychometrics.some_held", across=over, levels=texts.listing(held), failed=failed)


def _notes(of: _Examined) -> list[Block]:
    texts, table = of.texts, of.table("notes")
    rows = table[table["topic"].isin(["few_units", "merged", "left_out", "too_few_items", "not_estimated"])]
    said = []
    for _, row in rows.iterrows():
        part = str(row["subject"]).partition(":")
        subject = texts.known(f"psychometrics.parts.{part[0]}", part[0])
        dimension = of.analysis.dimension(part[2]) if part[2] else ""
        if row["topic"] == "too_few_items":
            subject = of.analysis.dimension(str(row["subject"]))
        split = str(row["split"])
        group = of.group(split, str(row["group"])) if row["group"] or split == "survey" else ""
        said.append(
            texts(
                f"psychometrics.notes.{row['topic']}",
                subject=f"{subject} ({dimension})" if dimension else subject,
                group=group or texts.known(f"psychometrics.across.{split}", split),
                detail=str(row["detail"]),
            )
        )
    said = list(dict.fromkeys(said))
    if not said:
        return []
    if len(said) > _MOST_NOTES:
        left = texts.whole(len(said) - _MOST_NOTES)
        said = [*said[:_MOST_NOTES], texts("psychometrics.more_notes", n=left)]
    return [Heading(texts("psychometrics.notes_title")), Bullets(tuple(said))]
