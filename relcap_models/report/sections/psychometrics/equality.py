"""Whether questions mean the same to everybody."""

from __future__ import annotations

import pandas as pd

from relcap_models.report.blocks import Block, Column, Heading, Paragraph, Table
from relcap_models.report.sections.cells import interval_cell, number_cell, text_cell
from relcap_models.report.sections.psychometrics.examined import Examined

_SIGNIFICANT = 0.05


def invariance_blocks(of: Examined) -> list[Block]:
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


def _held(of: Examined, across: str, rows: pd.DataFrame) -> str:
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


def impact_blocks(of: Examined) -> list[Block]:
    """By how much groups' means change where unequal questions are free; nothing where they are equal."""
    texts, table = of.texts, of.table("mean_impact")
    table = table[table["impact"].notna()]
    if table.empty:
        return []
    # Means of languages and layers are never public: a table of those alone has no column for them.
    figures = ["impact"] if table["equal"].isna().all() else ["equal", "partial", "impact"]
    rows = [
        (
            text_cell(_compared(of, row)),
            text_cell(of.analysis.dimension(row["dimension"])),
            text_cell(row["items"] or texts("psychometrics.no_freed")),
            *(number_cell(texts, row[name], signed=True) for name in figures),
        )
        for _, row in table.iterrows()
    ]
    columns = (
        Column(texts("psychometrics.column_compared"), figures=False),
        Column(texts("columns.dimension"), figures=False),
        Column(texts("psychometrics.column_freed"), figures=False),
        *(Column(texts(f"psychometrics.column_mean_{name}")) for name in figures),
    )
    source = "tables/psychometrics_mean_impact.csv"
    caption = texts("psychometrics.impact_table")
    how = Paragraph(texts("psychometrics.impact_how"))
    return [how, Table(caption, columns, tuple(rows), source=source)]


def bias_blocks(of: Examined) -> list[Block]:
    """Questions that a language or layer answers in its own way."""
    texts, table = of.texts, of.table("dif")
    table = table[table["difference"].notna()]
    if table.empty:
        return []
    found = [Paragraph(_standing_out(of, str(across), rows)) for across, rows in table.groupby("across")]
    rows = [
        (
            text_cell(
                f"{of.group(row['across'], row['group'])} – {of.group(row['across'], row['reference'])}"
            ),
            text_cell(row["item"]),
            number_cell(texts, row["difference"], signed=True),
            interval_cell(texts, row["lower"], row["upper"]),
            number_cell(texts, row["p_uniform_adjusted"], digits=3),
            number_cell(texts, row["p_nonuniform_adjusted"], digits=3),
            number_cell(texts, row["r2"], digits=3),
        )
        for _, row in table.iterrows()
    ]
    columns = (
        Column(texts("psychometrics.column_compared"), figures=False),
        Column(texts("columns.item"), figures=False),
        Column(texts("psychometrics.column_points")),
        Column(texts("columns.interval", ci=of.analysis.ci(table))),
        *(Column(texts(f"psychometrics.column_{name}")) for name in ("p_uniform", "p_nonuniform", "r2")),
    )
    source = "tables/psychometrics_dif.csv"
    caption = texts("psychometrics.dif_table")
    blocks: list[Block] = [Heading(texts("psychometrics.dif")), Paragraph(texts("psychometrics.dif_how"))]
    return [*blocks, *found, Table(caption, columns, tuple(rows), source=source)]


def _compared(of: Examined, row: pd.Series) -> str:
    """`employees – leaders`: a group and the one that it is compared with."""
    group, reference = (of.group(row["across"], row[name]) for name in ("group", "reference"))
    return f"{group} – {reference}"


def _standing_out(of: Examined, across: str, rows: pd.DataFrame) -> str:
    texts = of.texts
    over = texts.known(f"psychometrics.across.{across}", across)
    p = rows[["p_uniform_adjusted", "p_nonuniform_adjusted"]].min(axis=1)
    out = rows[p < _SIGNIFICANT]
    if out.empty:
        return texts("psychometrics.dif_none", across=over)
    items = [f"{row['item']} ({of.group(across, row['group'])})" for _, row in out.iterrows()]
    return texts("psychometrics.dif_some", across=over, items=texts.listing(items))
