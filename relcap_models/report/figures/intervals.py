"""Points with intervals, one row each: the form that most of the report's figures share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill, wrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.figures.names import drawable
from relcap_models.report.figures.theme import FULL_WIDTH, NARROW_WIDTH, Theme, format_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW = 0.235
_ROWS_WITH_ONE_AXIS = 25
_LABEL = 60
_LINE, _ROOM = 0.14, 0.12
"""Inches on a phone: a line of a label, and the room above it and below the mark."""
_WRAP, _WRAP_LABEL = 38, 46
"""Characters that fit on a phone, in a title and in a label."""
_ROWS_ON_A_PHONE = 400
"""Matplotlib can draw no picture of more than 65,000 pixels: beyond this, a phone gets the wide figure."""


@dataclass(frozen=True)
class Panel:
    """One column of points. `frame`: `mean, lower, upper` [, `naive`], a row per label, NaN where hidden."""

    title: str
    frame: pd.DataFrame
    colour: str = "accent"
    notes: Sequence[str] = ()
    """Text at the right end of each row, such as a probability."""
    notes_title: str = ""


def draw_intervals(
    theme: Theme,
    texts: Texts,
    *,
    labels: Sequence[str],
    panels: Sequence[Panel],
    axis_label: str,
    limits: tuple[float, float] | None = None,
    reference: float | None = None,
    band: tuple[float, float] | None = None,
    share: bool = False,
    missing: str = "",
    panel_labels: Sequence[Sequence[str]] | None = None,
) -> Figure:
    """Panels of points with intervals; a hollow diamond is the naive mean, `×` a hidden figure.

    Panels stand side by side and share `labels`, or on each other with `panel_labels` of their own; on a
    phone always on each other, each label above its interval. `reference` is a vertical line, `band` a shaded
    range (differences too small to matter), `missing` what a row without figures means (hidden, unless said
    otherwise).
    """
    from matplotlib.figure import Figure

    own = [_lines(of_panel) for of_panel in panel_labels or [labels] * len(panels)]
    narrow = theme.narrow and sum(map(len, own)) <= _ROWS_ON_A_PHONE
    stacked = narrow or panel_labels is not None
    if narrow:
        own = [[_wrapped(lines) for lines in rows] for rows in own]
        row = 2 * _ROOM + _LINE * max(len(lines) for rows in own for lines in rows)
        size = NARROW_WIDTH, sum(len(rows) * row + 0.8 for rows in own) + 1.0
    elif stacked:
        size = FULL_WIDTH, sum(len(rows) * _ROW + 0.55 for rows in own) + 0.75
    else:
        size = FULL_WIDTH, max(map(len, own)) * _ROW + 1.15
    figure = Figure(figsize=size, layout="constrained")
    heights = [len(rows) + (0 if narrow else 2) for rows in own] if stacked else None
    grid = figure.subplots(
        len(panels) if stacked else 1,
        1 if stacked else len(panels),
        sharex=True,
        sharey=not stacked,
        squeeze=False,
        height_ratios=heights,
    )
    for position, (ax, panel, rows) in enumerate(zip(grid.flat, panels, own, strict=True)):
        _draw_panel(ax, theme, panel)
        if narrow:
            _label_above(ax, theme, panel, rows, row=row)
        else:
            _label_beside(ax, theme, panel, rows, shown=stacked or position == 0)
        if reference is not None:
            ax.axvline(reference, color=theme.muted, linewidth=0.9, zorder=1)
        if band is not None:
            ax.axvspan(*band, color=theme.cell, zorder=0, linewidth=0)
        if limits:
            ax.set_xlim(*limits)
        format_axis(ax.xaxis, texts, share=share)
        if len(rows) > _ROWS_WITH_ONE_AXIS:
            ax.tick_params(axis="x", labeltop=True)
        if not narrow:
            ax.set_title(drawable(panel.title, 60 if stacked or len(panels) == 1 else 30))
        if position == len(panels) - 1 or not stacked:
            ax.set_xlabel(fill(axis_label, _WRAP) if narrow else axis_label)
    _add_key(figure, theme, texts, panels, missing or texts("key.hidden"), columns=1 if narrow else 3)
    return figure


def _lines(labels: Sequence[str]) -> list[list[str]]:
    return [[drawable(line, _LABEL) for line in label.split("\n")] for label in labels]


def _wrapped(lines: list[str]) -> list[str]:
    return [part for line in lines for part in wrap(line, _WRAP_LABEL) or [""]]


def _label_beside(ax: Axes, theme: Theme, panel: Panel, rows: list[list[str]], *, shown: bool) -> None:
    """Labels in a column on the left, notes in one on the right."""
    ax.set_yticks(range(len(rows)), [" ".join(lines) for lines in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0, labelleft=shown)
    right = {"transform": ax.get_yaxis_transform(), "ha": "left"}
    for row, note in enumerate(panel.notes):
        ax.text(1.02, row, note, **right, va="center", fontsize=8, color=theme.ink)
    if panel.notes_title:
        ax.text(1.02, -0.75, panel.notes_title, **right, va="bottom", fontsize=7.5, color=theme.muted)


def _label_above(ax: Axes, theme: Theme, panel: Panel, rows: list[list[str]], *, row: float) -> None:
    """Each label over its interval, from edge to edge, with its note on the right. `row` is in inches."""
    ax.set_title(fill(drawable(panel.title, 3 * _WRAP), _WRAP) + ("\n" if panel.notes_title else ""))
    ax.set_yticks([])
    ax.tick_params(axis="x", labelbottom=True)
    ax.set_ylim(len(rows) - 1 + _ROOM / row, _ROOM / row - 1)
    above = {
        "xycoords": ax.get_yaxis_transform(),
        "textcoords": "offset points",
        "va": "bottom",
        "annotation_clip": False,
    }
    for place, lines in enumerate(rows):
        ax.annotate("\n".join(lines), (0, place), (0, 5), **above, fontsize=8, color=theme.ink)
    for place, note in enumerate(panel.notes):
        ax.annotate(note, (1, place), (0, 5), **above, ha="right", fontsize=8, color=theme.ink)
    if panel.notes_title:
        ax.set_title(panel.notes_title, loc="right", fontsize=7.5, fontweight="normal", color=theme.muted)


def _draw_panel(ax: Axes, theme: Theme, panel: Panel) -> None:
    colour = getattr(theme, panel.colour)
    frame = panel.frame.reset_index(drop=True)
    y = np.arange(len(frame))
    shown = frame["mean"].notna().to_numpy()
    ax.grid(axis="x", color=theme.grid, linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.tick_params(axis="x", length=0)
    ax.hlines(y[shown], frame["lower"][shown], frame["upper"][shown], color=colour, linewidth=2.2, alpha=0.55)
    if "naive" in frame:
        ax.scatter(
            frame["naive"],
            y,
            marker="D",
            s=17,
            facecolor=theme.paper,
            edgecolor=theme.muted,
            linewidth=0.9,
            zorder=3,
        )
    ax.scatter(frame["mean"], y, s=26, color=colour, zorder=4, linewidth=0)
    transform = ax.get_yaxis_transform()
    hidden = y[~shown]
    ax.scatter(
        np.full(len(hidden), 0.015),
        hidden,
        marker="x",
        s=14,
        color=theme.muted,
        linewidth=1,
        transform=transform,
    )


def _add_key(
    figure: Figure, theme: Theme, texts: Texts, panels: Sequence[Panel], missing: str, *, columns: int
) -> None:
    from matplotlib.lines import Line2D

    colour = getattr(theme, panels[0].colour)
    entries = [
        Line2D(
            [],
            [],
            color=colour,
            alpha=0.55,
            linewidth=2.2,
            marker="o",
            markersize=5,
            label=texts("key.model"),
        )
    ]
    if any("naive" in panel.frame for panel in panels):
        entries.append(
            Line2D(
                [],
                [],
                color="none",
                marker="D",
                markersize=4.5,
                markerfacecolor=theme.paper,
                markeredgecolor=theme.muted,
                label=texts("key.naive"),
            )
        )
    if any(panel.frame["mean"].isna().any() for panel in panels):
        entries.append(
            Line2D(
                [], [], color="none", marker="x", markersize=4.5, markeredgecolor=theme.muted, label=missing
            )
        )
    figure.legend(handles=entries, loc="outside lower left", ncols=columns, labelcolor=theme.muted)
