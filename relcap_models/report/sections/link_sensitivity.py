"""How easily a leadership link would come out otherwise: confounders, single units, priors, who answered."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.blocks import Block, Bullets, Cell, Column, Heading, Paragraph, Table
from relcap_models.report.sections.cells import difference_with_interval, text_cell
from relcap_models.report.sections.link_rows import CONDITIONS, LEVELS, Condition, LinkRows, Pair

_CONDITIONS = tuple(c for c in CONDITIONS if c.source == "different")
"""Checks are of the estimate from different people alone."""


def sensitivity_blocks(link: LinkRows) -> Iterator[Block]:
    """Sentences on confounders and single units, and all checks beside the estimate, level by level."""
    texts, table = link.texts, link.analysis.table("leadership_sensitivity")
    table = table[table["mean"].notna()]
    if table.empty:
        return
    yield Heading(texts("links.sensitivity.title"))
    yield Paragraph(texts("links.sensitivity.how"))
    yield Bullets(tuple(_sentences(link, table)))
    refitted = table["check"].isin(["priors", "leaders_left_out", "least_raters"]).any()
    if refitted and link.analysis.declared.get("engine", {}).get("name") == "nuts":
        yield Paragraph(texts("links.sensitivity.fast"), "note")
    slopes = table[table["quantity"] == "slope"]
    for level in (level for level in LEVELS if slopes["level"].eq(level).any()):
        yield _check_table(link, slopes[slopes["level"] == level], level)


def _pairs(table: pd.DataFrame) -> list[Pair]:
    return list(table[["predictor", "outcome"]].drop_duplicates().itertuples(index=False, name=None))


def _sentences(link: LinkRows, table: pd.DataFrame) -> Iterator[str]:
    """A line for each link, level and adjustment that was checked."""
    for pair in _pairs(table):
        of_pair = table[(table["predictor"] == pair[0]) & (table["outcome"] == pair[1])]
        for level in LEVELS:
            for condition in _CONDITIONS:
                rows = of_pair[(of_pair["level"] == level) & (of_pair["adjusted"] == condition.adjusted)]
                by_check = {(row["check"], row["detail"]): row for _, row in rows.iterrows()}
                parts = [*_confounder(link, by_check), *_single_units(link, by_check)]
                if parts:
                    about = f"{link.label(pair)}. " if link.several else ""
                    yield about + _placed(link.texts, level, condition, " ".join(parts))


def _placed(texts: Texts, level: str, condition: Condition, sentence: str) -> str:
    return texts(
        "links.sensitivity.place",
        level=texts(f"links.levels_title.{level}"),
        adjusted=texts(f"links.sensitivity.{'adjusted' if condition.adjusted else 'unadjusted'}"),
        sentence=sentence,
    )


def _confounder(link: LinkRows, rows: dict[tuple[str, str], pd.Series]) -> Iterator[str]:
    texts = link.texts
    needed, estimate = rows.get(("robustness", "")), rows.get(("estimate", ""))
    if needed is None or estimate is None:
        return
    yield texts(
        "links.sensitivity.robustness",
        share=texts.percent(needed["mean"]),
        interval=texts(
            "format.range", lower=texts.percent(needed["lower"]), upper=texts.percent(needed["upper"])
        ),
        ci=link.ci,
        estimate=difference_with_interval(texts, estimate),
    )
    if needed["lower"] <= 0:
        yield texts("links.sensitivity.open")


def _single_units(link: LinkRows, rows: dict[tuple[str, str], pd.Series]) -> Iterator[str]:
    texts = link.texts
    lowest, highest = (rows.get(("unit_left_out", which)) for which in ("lowest", "highest"))
    if lowest is None or highest is None:
        return
    means = {"lowest": texts.signed(lowest["mean"]), "highest": texts.signed(highest["mean"])}
    yield texts("links.sensitivity.left_out", **means)
    if lowest["mean"] < 0 < highest["mean"]:
        yield texts("links.sensitivity.turns")


def _check_table(link: LinkRows, slopes: pd.DataFrame, level: str) -> Table:
    """Checks down, adjusted and not across."""
    texts = link.texts
    shown = [c for c in _CONDITIONS if slopes["adjusted"].eq(c.adjusted).any()]
    rows = []
    for (predictor, outcome, check, detail), part in slopes.groupby(
        ["predictor", "outcome", "check", "detail"], sort=False
    ):
        by_adjusted = {bool(row["adjusted"]): row for _, row in part.iterrows()}
        rows.append(
            (
                *((text_cell(link.label((str(predictor), str(outcome)))),) if link.several else ()),
                text_cell(_check(texts, str(check), str(detail))),
                *(_slope(texts, by_adjusted.get(c.adjusted)) for c in shown),
            )
        )
    return Table(
        texts("links.sensitivity.table", level=texts(f"links.levels_title.{level}"), ci=link.ci),
        (
            *((Column(texts("links.column_link"), figures=False),) if link.several else ()),
            Column(texts("links.sensitivity.column_check"), figures=False),
            *(Column(texts(f"links.conditions.{c.key}")) for c in shown),
        ),
        tuple(rows),
        folded=texts.count("table.unfold", len(rows)) if link.several else "",
        source="tables/leadership_sensitivity.csv",
    )


def _check(texts: Texts, check: str, detail: str) -> str:
    if check == "least_raters":
        return texts("links.sensitivity.checks.least_raters", least=detail)
    name = "_".join(filter(None, [check, detail]))
    return texts.known(f"links.sensitivity.checks.{name}", f"{check} {detail}".strip())


def _slope(texts: Texts, row: pd.Series | None) -> Cell:
    if row is None:
        return Cell("–", muted=True)
    return Cell(difference_with_interval(texts, row), float(row["mean"]))
