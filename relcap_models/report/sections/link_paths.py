"""By which way leadership goes with the outcome: through safety or not, and from one wave to the next."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from relcap_models.report.blocks import Block, Cell, Column, Heading, Paragraph, Picture, Table
from relcap_models.report.figures.leadership_link import Arrow, Diagram, draw_paths
from relcap_models.report.sections.cells import difference_with_interval, probability_cell, text_cell
from relcap_models.report.sections.link_rows import CONDITIONS, LEVELS, Condition, LinkRows

_ONE_WAY = ["first", "second", "direct"]
_EFFECTS = ("total", "direct", "indirect", "first", "second")


def path_blocks(link: LinkRows) -> Iterator[Block]:
    """Mediation, then lagged effects, each with what it takes to believe them."""
    paths = link.analysis.table("leadership_paths")
    mediated = paths[(paths["path"] != "lagged") & paths["mean"].notna()]
    if mediated["mediator"].ne("").any():
        yield from _mediation(link, mediated)
    lagged = paths[(paths["path"] == "lagged") & paths["mean"].notna()]
    if not lagged.empty:
        yield Heading(link.texts("links.lagged.title"))
        yield Paragraph(link.texts("links.lagged.how"))
        yield _lagged_table(link, lagged)


def _mediation(link: LinkRows, paths: pd.DataFrame) -> Iterator[Block]:
    texts = link.texts
    through = texts.listing([link.title(m) for m in paths.loc[paths["path"] == "first", "mediator"].unique()])
    yield Heading(texts("links.paths.title", mediator=through))
    found = {level: _shown(paths, level) for level in LEVELS}
    for level, part in found.items():
        if part is not None and not link.several:
            yield Paragraph(_in_points(link, level, part[1]))
    yield Paragraph(texts("links.paths.assumptions", mediator=through))
    diagrams = [
        _diagram(link, level, part[1])
        for level, part in found.items()
        if part is not None and _drawable(part[1])
    ]
    if diagrams:
        condition = next(part[0] for part in found.values() if part is not None)
        yield Picture(
            f"leadership_paths_{link.analysis.slug}",
            lambda theme: draw_paths(theme, diagrams),
            alt=" ".join(
                _in_points(link, level, part[1]) for level, part in found.items() if part is not None
            ),
            caption=texts(
                "links.paths.caption", ci=link.ci, condition=texts(f"links.conditions.{condition.key}")
            ),
            narrow=True,
        )
    for level in LEVELS:
        rows = paths[paths["level"] == level]
        if not rows.empty:
            yield _path_table(link, rows, level)


def _shown(paths: pd.DataFrame, level: str) -> tuple[Condition, pd.DataFrame] | None:
    """Paths at one level, of the comparison that is hardest to fake."""
    for condition in CONDITIONS:
        rows = paths[
            (paths["level"] == level)
            & (paths["source"] == condition.source)
            & (paths["adjusted"] == condition.adjusted)
        ]
        if not rows.empty:
            return condition, rows
    return None


def _drawable(rows: pd.DataFrame) -> bool:
    """One leadership, one mediator, one outcome: more would be a tangle."""
    latent = rows[rows["scale"] == "latent"]
    return sorted(latent.loc[latent["path"].isin(_ONE_WAY), "path"]) == sorted(_ONE_WAY)


def _diagram(link: LinkRows, level: str, rows: pd.DataFrame) -> Diagram:
    latent = rows[rows["scale"] == "latent"].set_index("path")
    first, second, direct = (_arrow(link, latent.loc[path]) for path in _ONE_WAY)
    return Diagram(
        link.texts(f"links.levels_title.{level}"),
        link.title(str(latent.loc["first", "predictor"])),
        link.title(str(latent.loc["first", "mediator"])),
        link.title(str(latent.loc["direct", "outcome"])),
        first,
        second,
        direct,
    )


def _arrow(link: LinkRows, row: pd.Series) -> Arrow:
    interval = link.texts.interval(row["lower"], row["upper"])
    certain = bool(row["lower"] > 0 or row["upper"] < 0)
    return Arrow(link.texts.signed(row["mean"]), f"({interval})", certain)


def _in_points(link: LinkRows, level: str, rows: pd.DataFrame) -> str:
    points = rows[rows["scale"] == "points"].set_index("path")
    estimates = {path: difference_with_interval(link.texts, points.loc[path]) for path in points.index}
    if not {"total", "direct", "indirect"} <= set(estimates):
        return ""
    mediator = link.titles(str(points.loc["indirect", "mediator"]))
    return link.texts(f"links.paths.sentence.{level}", mediator=mediator, **estimates)


def _path_table(link: LinkRows, paths: pd.DataFrame, level: str) -> Table:
    """Comparisons and paths down, latent and in points."""
    texts = link.texts
    if link.several:
        # Rows do not tell which leadership is held constant on the second leg.
        paths = paths[~paths["path"].isin(["first", "second"])]
    keys = ["source", "adjusted", "predictor", "outcome", "mediator", "path"]
    order = {path: place for place, path in enumerate(_EFFECTS)}
    rows = []
    for key, part in paths.groupby(keys, sort=False):
        of = dict(zip(keys, key, strict=True))
        scale = part.set_index("scale")
        shown = scale.loc["latent"] if "latent" in scale.index else scale.iloc[0]
        condition = Condition(str(of["source"]), bool(of["adjusted"]))
        place = CONDITIONS.index(condition), order.get(str(of["path"]), 9)
        cells = (
            text_cell(texts(f"links.conditions.{condition.key}")),
            text_cell(texts.known(f"links.paths.names.{of['path']}", str(of["path"]))),
            text_cell(f"{link.title(str(of['predictor']))} → {link.title(str(of['outcome']))}"),
            _estimate(link, scale, "latent"),
            _estimate(link, scale, "points"),
            probability_cell(texts, shown["prob_positive"]),
        )
        rows.append((place, cells))
    rows.sort(key=lambda row: row[0])
    columns = ("comparison", "path", "from_to")
    return Table(
        texts("links.paths.table", level=texts(f"links.levels_title.{level}"), ci=link.ci),
        (
            *(Column(texts(f"links.paths.column_{name}"), figures=False) for name in columns),
            Column(texts("links.paths.column_latent")),
            Column(texts("links.paths.column_points")),
            Column(texts("links.paths.column_positive")),
        ),
        tuple(cells for _, cells in rows),
        folded=texts.count("table.unfold", len(rows)),
        source="tables/leadership_paths.csv",
    )


def _estimate(link: LinkRows, by_scale: pd.DataFrame, scale: str) -> Cell:
    if scale not in by_scale.index or math.isnan(by_scale.loc[scale, "mean"]):
        return Cell("–", muted=True)
    row = by_scale.loc[scale]
    return Cell(difference_with_interval(link.texts, row), float(row["mean"]))


def _lagged_table(link: LinkRows, lagged: pd.DataFrame) -> Table:
    texts = link.texts
    rows = [
        (
            text_cell(texts(f"links.sources.{row['source']}")),
            text_cell(link.title(row["predictor"])),
            text_cell(link.title(row["outcome"])),
            Cell(difference_with_interval(texts, row), float(row["mean"])),
            probability_cell(texts, row["prob_positive"]),
        )
        for _, row in lagged.iterrows()
    ]
    return Table(
        texts("links.lagged.table", ci=link.ci),
        (
            Column(texts("links.paths.column_comparison"), figures=False),
            Column(texts("links.lagged.column_before"), figures=False),
            Column(texts("links.lagged.column_after"), figures=False),
            Column(texts("links.paths.column_latent")),
            Column(texts("links.paths.column_positive")),
        ),
        tuple(rows),
        folded=texts.count("table.unfold", len(rows)),
        source="tables/leadership_paths.csv",
    )
