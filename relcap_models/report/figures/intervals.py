"""Points with intervals, one row each: the form that most of the report's figures share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.figures.theme import FULL_WIDTH, Theme, drawable, format_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW = 0.235
_ROWS_WITH_ONE_AXIS = 25


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
    stacked: bool = False,
    label_length: int = 34,
    missing: str = "",
    panel_labels: Sequence[Sequence[str]] | None = None,
) -> Figure:
    """Panels of points with intervals; a hollow diamond is the naive mean, `×` a hidden figure.

    Panels stand side by side and share labels, or `stacked` on each other with `panel_labels` of their own.
    `reference` is a vertical line, `band` a shaded range (differences too small to matter), `missing` what a
    row without figures means (hidden, unless said otherwise).
    """
    from matplotlib.figure import Figure

    rows = [len(panel.frame) for panel in panels]
    if stacked:
        height = sum(n * _ROW + 0.55 for n in rows) + 0.75
        figure = Figure(figsize=(FULL_WIDTH, height), layout="constrained")
        grid = figure.subplots(
            len(panels), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": [n + 2 for n in rows]}
        )
        axes = list(grid[:, 0])
    else:
        height = max(rows) * _ROW + 1.15
        figure = Figure(figsize=(FULL_WIDTH, height), layout="constrained")
        grid = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)
        axes = list(grid[0])
    for position, (ax, panel) in enumerate(zip(axes, panels, strict=True)):
        _draw_panel(ax, theme, panel)
        own = panel_labels[position] if panel_labels else labels
        ax.set_yticks(range(len(own)), [drawable(label, label_length) for label in own])
        ax.set_ylim(len(own) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0, labelleft=stacked or position == 0)
        if reference is not None:
            ax.axvline(reference, color=theme.muted, linewidth=0.9, zorder=1)
        if band is not None:
            ax.axvspan(*band, color=theme.cell, zorder=0, linewidth=0)
        if limits:
            ax.set_xlim(*limits)
        format_axis(ax.xaxis, texts, share=share)
        if len(own) > _ROWS_WITH_ONE_AXIS:
            ax.tick_params(axis="x", labeltop=True)
        ax.set_title(drawable(panel.title, 60 if stacked or len(panels) == 1 else 30))
        if position == len(axes) - 1 or not stacked:
            ax.set_xlabel(axis_label)
    _add_key(figure, theme, texts, panels, missing or texts("key.hidden"))
    return figure


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
    for row, note in enumerate(panel.notes):
        ax.text(1.02, row, note, transform=transform, va="center", ha="left", fontsize=8, color=theme.ink)
    if panel.notes_title:
        ax.text(
            1.02, -0.75, panel.notes_title, transform=transform, va="bottom", fontsize=7.5, color=theme.muted
        )


def _add_key(figure: Figure, theme: Theme, texts: Texts, panels: Sequence[Panel], missing: str) -> None:
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
    figure.legend(handles=entries, loc="outside lower left", ncols=3, labelcolor=theme.muted)
