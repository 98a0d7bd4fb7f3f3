"""Items: profiles of the relations to start with, and observed answers beside predicted ones."""

from __future__ import annotations

import pandas as pd

from relcap_models.report.blocks import Block, Column, Paragraph, Picture, Section, Table
from relcap_models.report.figures.item_distributions import draw_item_distributions
from relcap_models.report.figures.item_profiles import draw_item_profiles
from relcap_models.report.material import Analysis
from relcap_models.report.sections.cells import (
    colour_limits,
    interval_cell,
    number_cell,
    share_cell,
    text_cell,
)
from relcap_models.report.sections.unit_scores import lowest_and_highest

_SHOWN = 12


def profile_section(analysis: Analysis) -> Section:
    """What exactly is low in the relations that most probably are among the lowest."""
    material, texts = analysis.material, analysis.material.texts
    profiles = analysis.latest(analysis.table("item_profiles"))
    profiles = profiles[profiles["rater_unit"] != profiles["target_unit"]]
    scores = analysis.latest(analysis.headline("relation_scores"))
    lowest, _ = lowest_and_highest(scores, _SHOWN)
    if lowest.empty:
        # One relation alone has no rank.
        lowest = scores[scores["mean"].notna()].head(_SHOWN)
    pairs = list(zip(lowest["rater_unit"], lowest["target_unit"], strict=True))
    rows = profiles.set_index(["rater_unit", "target_unit"])
    found = [pair for pair in pairs if pair in rows.index]
    chosen = pd.concat([profiles[_is_pair(profiles, pair)] for pair in found]) if found else profiles
    hidden = int(chosen["mean"].isna().sum())
    threshold = str(material.study.get("disclosure", {}).get("min_respondents_mean", 5))
    blocks: list[Block] = []
    if profiles.empty:
        blocks.append(Paragraph(texts("profiles.nothing"), "note"))
    elif not found or hidden == len(chosen):
        all_hidden = texts("profiles.all_hidden", n=texts.whole(hidden), threshold=threshold)
        blocks.append(Paragraph(all_hidden, "note"))
    else:
        items = [item for item in analysis.items if item in set(chosen["item"])]
        items += sorted(set(chosen["item"]) - set(items))
        grid = pd.DataFrame(
            [
                chosen[_is_pair(chosen, pair)]
                .drop_duplicates("item")
                .set_index("item")["mean"]
                .reindex(items)
                for pair in found
            ]
        )
        labels = [material.relation_label(*pair) for pair in found]
        limits = colour_limits(analysis, chosen["mean"])
        by_item = grid.mean()
        blocks += [
            Paragraph(texts.count("profiles.how", len(found))),
            Picture(
                f"item_profiles_{analysis.slug}",
                lambda theme: draw_item_profiles(theme, texts, grid, labels=labels, limits=limits),
                alt=texts.count(
                    "profiles.alt",
                    len(found),
                    low=str(by_item.idxmin()),
                    low_score=texts.number(float(by_item.min())),
                    high=str(by_item.idxmax()),
                    high_score=texts.number(float(by_item.max())),
                ),
                caption=texts("profiles.caption", wave=material.wave(str(profiles["wave"].iloc[0]))),
            ),
            _profile_table(analysis, chosen),
        ]
        if hidden:
            total = texts.whole(len(chosen))
            why = texts.count("profiles.hidden", hidden, total=total, threshold=threshold)
            blocks.insert(2, Paragraph(why))
    return Section(
        f"profiles-{analysis.number}", texts("profiles.title"), tuple(blocks), "results", analysis.subject
    )


def _is_pair(profiles: pd.DataFrame, pair: tuple[str, str]) -> pd.Series:
    return (profiles["rater_unit"] == pair[0]) & (profiles["target_unit"] == pair[1])


def _profile_table(analysis: Analysis, chosen: pd.DataFrame) -> Table:
    material, texts = analysis.material, analysis.material.texts
    rows = [
        (
            text_cell(material.relation(row["rater_unit"], row["target_unit"])),
            text_cell(row["item"]),
            text_cell(analysis.item_text(row["item"])),
            number_cell(texts, row["mean"]),
            interval_cell(texts, row["lower"], row["upper"]),
            number_cell(texts, row["naive_mean"]),
        )
        for _, row in chosen.iterrows()
    ]
    return Table(
        texts("profiles.table"),
        (
            Column(texts("columns.relation"), figures=False),
            Column(texts("columns.item"), figures=False),
            Column(texts("columns.wording"), figures=False),
            Column(texts("columns.score")),
            Column(texts("columns.interval", ci=analysis.ci(chosen))),
            Column(texts("columns.naive")),
        ),
        tuple(rows),
        folded=texts.count("table.unfold", len(rows)),
        source="tables/item_profiles.csv",
    )


def distribution_section(analysis: Analysis) -> Section:
    """The posterior predictive check per item."""
    texts = analysis.material.texts
    table = analysis.table("item_distributions")
    shown = table[table["observed"].notna()]
    if shown.empty:
        blocks: list[Block] = [
            Paragraph(texts("items.nothing" if table.empty else "items.all_hidden"), "note")
        ]
    else:
        items = [item for item in analysis.items if item in set(shown["item"])]
        items += sorted(set(shown["item"]) - set(items))
        known = shown[shown["predicted_lower"].notna()]
        outside = (known["observed"] < known["predicted_lower"]) | (
            known["observed"] > known["predicted_upper"]
        )
        finding = texts(
            "items.finding", outside=texts.whole(int(outside.sum())), total=texts.whole(len(known))
        )
        blocks = [
            Paragraph(texts("items.how")),
            Paragraph(finding),
            Picture(
                f"item_distributions_{analysis.slug}",
                lambda theme: draw_item_distributions(theme, texts, shown, items=items),
                alt=finding,
                caption=texts("items.caption"),
            ),
            _distribution_table(analysis, table),
        ]
    title = texts("items.title", title=analysis.title)
    return Section(f"items-{analysis.number}", title, tuple(blocks), "quality", analysis.subject)


def _distribution_table(analysis: Analysis, table: pd.DataFrame) -> Table:
    texts = analysis.material.texts
    rows = [
        (
            text_cell(row["item"]),
            text_cell(row["category"]),
            share_cell(texts, row["observed"]),
            share_cell(texts, row["predicted_mean"]),
            interval_cell(texts, 100 * row["predicted_lower"], 100 * row["predicted_upper"], digits=1),
        )
        for _, row in table.iterrows()
    ]
    return Table(
        texts("items.table"),
        (
            Column(texts("columns.item"), figures=False),
            Column(texts("columns.category")),
            Column(texts("columns.observed")),
            Column(texts("columns.predicted")),
            Column(texts("columns.predicted_interval")),
        ),
        tuple(rows),
        folded=texts.count("table.unfold", len(rows)),
        source="tables/item_distributions.csv",
    )
