"""Figures about an instrument: answers, loadings and thresholds, information."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.figures.names import drawable
from relcap_models.report.figures.theme import (
    FULL_WIDTH,
    NARROW_WIDTH,
    Theme,
    dark_text_on,
    format_axis,
    score_colours,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST_WRITTEN = 0.07
"""Shares below this have no room for their figure."""


def draw_answers(theme: Theme, texts: Texts, shares: pd.DataFrame, *, items: Sequence[str]) -> Figure:
    """One bar for each item, divided by the shares of its answers, lowest left.

    `shares` has `item, category, share`.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    width = NARROW_WIDTH if theme.narrow else FULL_WIDTH
    figure = Figure(figsize=(width, 0.36 * len(items) + 0.9), layout="constrained")
    ax = figure.subplots()
    table = shares.pivot(index="item", columns="category", values="share").loc[list(items)]
    # Shares may be rounded, so that their denominator cannot be told; bars are whole all the same.
    table = table.div(table.sum(axis=1), axis=0)
    categories = sorted(table.columns, key=float)
    colours = score_colours(theme)(np.linspace(0, 1, len(categories)))
    dark = dark_text_on(colours)
    left = np.zeros(len(items))
    for category, colour, is_dark in zip(categories, colours, dark):
        part = table[category].fillna(0.0).to_numpy()
        ax.barh(np.arange(len(items)), part, left=left, color=colour, height=0.72, linewidth=0)
        for row, value in enumerate(part):
            if value >= _LEAST_WRITTEN * (2.2 if theme.narrow else 1):
                ax.text(
                    left[row] + value / 2,
                    row,
                    texts.percent(float(value)),
                    ha="center",
                    va="center",
                    fontsize=7.5,
                    color="#1c2733" if is_dark else "#ffffff",
                )
        left += part
    ax.set_yticks(np.arange(len(items)), [drawable(item, 12) for item in items])
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.tick_params(length=0)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.set_xticks([])
    handles = [Patch(color=colour, label=str(category)) for category, colour in zip(categories, colours)]
    figure.legend(handles=handles, loc="outside lower left", ncols=len(categories), labelcolor=theme.muted)
    return figure


def draw_loadings(theme: Theme, texts: Texts, parameters: pd.DataFrame, *, items: Sequence[str]) -> Figure:
    """Loadings with intervals on the left, thresholds on the right: one line for each item.

    `parameters` has `item, parameter, estimate, lower, upper`.
    """
    from matplotlib.figure import Figure

    size = (NARROW_WIDTH, 0.6 * len(items) + 1.6) if theme.narrow else (FULL_WIDTH, 0.32 * len(items) + 0.9)
    figure = Figure(figsize=size, layout="constrained")
    loading_ax, threshold_ax = figure.subplots(2, 1) if theme.narrow else figure.subplots(1, 2, sharey=True)
    place = {item: row for row, item in enumerate(items)}
    rows = parameters[parameters["item"].isin(place)]
    loadings = rows[rows["parameter"] == "loading"]
    thresholds = rows[rows["parameter"].str.startswith("threshold")]
    for ax, part, title in (
        (loading_ax, loadings, texts("psychometrics.axis_loading")),
        (threshold_ax, thresholds, texts("psychometrics.axis_threshold")),
    ):
        y = part["item"].map(place).to_numpy()
        ax.hlines(y, part["lower"], part["upper"], color=theme.accent, linewidth=2.2, alpha=0.6)
        ax.plot(part["estimate"], y, "o" if part is loadings else "|", color=theme.accent, markersize=5.5)
        ax.set_title(title)
        _by_item(ax, theme, items)
        format_axis(ax.xaxis, texts)
    for item in items:
        row = thresholds[thresholds["item"] == item]
        if len(row) > 1:
            ends = row["estimate"].min(), row["estimate"].max()
            threshold_ax.hlines(place[item], *ends, color=theme.faint, linewidth=0.8, zorder=0)
    low = float(loadings["lower"].min()) if len(loadings) else 0.0
    loading_ax.set_xlim(min(0.0, low), 1.0)
    return figure


def _by_item(ax: Axes, theme: Theme, items: Sequence[str]) -> None:
    ax.set_yticks(np.arange(len(items)), [drawable(item, 12) for item in items])
    ax.set_ylim(len(items) - 0.5, -0.5)
    ax.grid(axis="x", color=theme.grid, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(length=0)
    ax.spines["left"].set_visible(False)


def draw_information(
    theme: Theme, texts: Texts, information: pd.DataFrame, *, dimensions: Sequence[tuple[str, str]]
) -> Figure:
    """One panel for each dimension: information of all its items together, and of each.

    `information` has `dimension, item, theta, information`; an empty item is the sum.
    """
    from matplotlib.figure import Figure

    n = len(dimensions)
    size = (NARROW_WIDTH, 2.3 * n + 0.2) if theme.narrow else (FULL_WIDTH if n > 1 else FULL_WIDTH * 0.6, 2.9)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(n if theme.narrow else 1, 1 if theme.narrow else n, sharey=True, squeeze=False)
    for ax, (dimension, title) in zip(axes.ravel(), dimensions, strict=True):
        rows = information[information["dimension"] == dimension]
        colours = (theme.accent, theme.second, theme.third, theme.muted)
        for number, item in enumerate(sorted(set(rows["item"]) - {""})):
            line = rows[rows["item"] == item]
            style = ("solid", (0, (4, 1.5)))[number // len(colours) % 2]
            colour = colours[number % len(colours)]
            ax.plot(
                line["theta"], line["information"], color=colour, linewidth=1.2, linestyle=style, label=item
            )
        total = rows[rows["item"] == ""]
        label = texts("psychometrics.key_all")
        ax.plot(total["theta"], total["information"], color=theme.ink, linewidth=2, label=label)
        ax.set_title(drawable(title, 30))
        ax.set_xlabel(texts("psychometrics.axis_theta"))
        ax.set_ylim(bottom=0)
        ax.grid(color=theme.grid, linewidth=0.6)
        ax.tick_params(length=0)
        ax.legend(fontsize=7, labelcolor=theme.muted, ncols=2)
        format_axis(ax.xaxis, texts)
        format_axis(ax.yaxis, texts)
    axes[0, 0].set_ylabel(texts("psychometrics.axis_information"))
    return figure
