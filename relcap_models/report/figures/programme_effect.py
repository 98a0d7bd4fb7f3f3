"""Figures about a programme: effects by time since its start, which relations it reached, and who left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.figures.names import drawable
from relcap_models.report.figures.theme import FULL_WIDTH, NARROW_WIDTH, Theme, dark_text_on, format_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {
    "comparison": "faint",
    "target_end": "accent",
    "rater_end": "second",
    "both_ends": "third",
    "spillover": "muted",
}
"""Names of the theme's colours for how a relation is exposed."""
KINDS = tuple(_COLOURS)


@dataclass(frozen=True)
class Course:
    """An effect over time. `effects`: `event, mean, lower, upper`, with events below 0 before the start; the
    last wave before it, −1, is what all others are compared with."""

    title: str
    effects: pd.DataFrame


def draw_course(theme: Theme, texts: Texts, courses: Sequence[Course], *, goal: float, word: str) -> Figure:
    """A panel for each effect; hollow marks stand before the start, a dashed line at the goal.

    word : part of the texts' keys, `effect` or `change`
    """
    from matplotlib.figure import Figure

    n = len(courses)
    columns = 1 if theme.narrow else 2 if n == 4 else min(n, 3)
    lines = -(-n // columns)
    width = NARROW_WIDTH if theme.narrow else FULL_WIDTH * (0.62 if n == 1 else 1)
    figure = Figure(figsize=(width, 2.75 * lines + 0.6), layout="constrained")
    axes = figure.subplots(lines, columns, sharey=True, sharex=True, squeeze=False).ravel()
    letters = 30 if theme.narrow else 34 if n > 1 else 70
    events = [event for course in courses for event in course.effects["event"]]
    first, last = min([*events, -1]), max(events)
    axes[0].set_xlim(first - 0.5, last + 0.5)
    for ax, course in zip(axes, courses, strict=False):
        _draw_course(ax, theme, course, goal)
        ax.set_title(fill(drawable(course.title, 3 * letters), letters))
        ax.set_xlabel(texts("programmes.event.axis_time"))
        waves = range(first, last + 1, max(1, (last - first) // 8))
        ax.set_xticks(waves, [texts.signed(wave, 0) for wave in waves])
        ax.tick_params(length=0, labelbottom=True)
        format_axis(ax.yaxis, texts)
    for place in range(0, n, columns):
        axes[place].set_ylabel(texts(f"programmes.event.axis.{word}"))
    for ax in axes[n:]:
        ax.set_axis_off()
    _add_course_key(figure, theme, texts, courses, goal=goal)
    return figure


def _draw_course(ax: Axes, theme: Theme, course: Course, goal: float) -> None:
    effects = course.effects
    before, after = effects[effects["event"] < 0], effects[effects["event"] >= 0]
    ax.grid(axis="y", color=theme.grid, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.axhline(0, color=theme.muted, linewidth=0.9, zorder=1)
    ax.axhline(goal, color=theme.third, linewidth=1.1, linestyle=(0, (5, 3)), zorder=1)
    ax.axvline(-0.5, color=theme.faint, linewidth=0.9, zorder=1)
    ax.scatter([-1], [0], marker="s", s=26, facecolor=theme.paper, edgecolor=theme.muted, zorder=4)
    for part, colour, hollow in ((before, theme.muted, True), (after, theme.accent, False)):
        ax.vlines(part["event"], part["lower"], part["upper"], color=colour, linewidth=2.2, alpha=0.55)
        face = theme.paper if hollow else colour
        ax.scatter(
            part["event"], part["mean"], s=34, facecolor=face, edgecolor=colour, linewidth=1.3, zorder=4
        )


def _add_course_key(
    figure: Figure, theme: Theme, texts: Texts, courses: Sequence[Course], *, goal: float
) -> None:
    from matplotlib.lines import Line2D

    def mark(colour: str, face: str, shape: str, key: str) -> Line2D:
        look = {"markersize": 5.5, "markerfacecolor": face, "markeredgecolor": colour}
        return Line2D([], [], color=colour, alpha=0.8, linewidth=1.8, marker=shape, **look, label=texts(key))

    entries = [mark(theme.accent, theme.accent, "o", "key.model")]
    if any((course.effects["event"] < 0).any() for course in courses):
        entries.append(mark(theme.muted, theme.paper, "o", "programmes.event.key_before"))
    square = mark(theme.muted, theme.paper, "s", "programmes.event.key_reference")
    square.set_linestyle("none")
    entries.append(square)
    goal_text = texts("programmes.event.key_goal", goal=texts.number(goal))
    entries.append(Line2D([], [], color=theme.third, linewidth=1.1, linestyle=(0, (5, 3)), label=goal_text))
    figure.legend(
        handles=entries,
        loc="outside lower left",
        ncols=1 if theme.narrow else 2 if len(courses) == 1 else len(entries),
        labelcolor=theme.muted,
    )


def draw_tipping(
    theme: Theme, texts: Texts, effect: pd.Series, *, share: float, point: float, word: str
) -> Figure:
    """An effect with its interval, by how many points lower (or higher) those who left would rate.

    effect : `mean, lower, upper` · share : of it that one point takes away · point : where the interval
    reaches 0 · word : part of the texts' keys, `effect` or `change`
    """
    from matplotlib.figure import Figure

    width = NARROW_WIDTH if theme.narrow else 0.62 * FULL_WIDTH
    figure = Figure(figsize=(width, 2.9), layout="constrained")
    ax = figure.subplots()
    points = np.array([0.0, 1.6 * abs(point)])
    fall = np.sign(point) * share * points
    ax.axhline(0, color=theme.muted, linewidth=0.9, zorder=1)
    ax.fill_between(
        points, effect["lower"] - fall, effect["upper"] - fall, color=theme.accent, alpha=0.2, lw=0
    )
    ax.plot(points, effect["mean"] - fall, color=theme.accent, linewidth=2)
    ax.axvline(abs(point), color=theme.third, linewidth=1.1, linestyle=(0, (5, 3)))
    ax.annotate(
        texts("programmes.threats.dropout.tips", points=texts.number(abs(point))),
        (abs(point), 1.0),
        xycoords=ax.get_xaxis_transform(),
        xytext=(4, -4),
        textcoords="offset points",
        va="top",
        color=theme.muted,
    )
    ax.set_xlim(0, points[-1])
    ax.set_xlabel(texts("programmes.threats.dropout.axis." + ("lower" if point > 0 else "higher")))
    ax.set_ylabel(texts(f"programmes.event.axis.{word}"))
    ax.grid(axis="y", color=theme.grid, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(length=0)
    format_axis(ax.xaxis, texts)
    format_axis(ax.yaxis, texts)
    return figure


@dataclass(frozen=True)
class Grid:
    """Which relations are how exposed. `fields`: `row, column, kind, n`, a row for each part of a field."""

    title: str
    fields: pd.DataFrame


def draw_exposure(
    theme: Theme,
    texts: Texts,
    grids: Sequence[Grid],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    axes_labels: tuple[str, str],
    kinds: Mapping[str, str],
) -> Figure:
    """Grids of fields coloured by kind of exposure, with the number of relations in each.

    rows, columns : labels of the fields, in order · axes_labels : of the columns and of the rows
    kinds : what each kind of exposure is called
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    n = len(grids)
    across = min(n, 2) if theme.narrow else min(n, 4)
    down = -(-n // across)
    wide = 0.6 + across * max(1.7, 0.6 * len(columns) + 0.3)
    width = NARROW_WIDTH if theme.narrow else min(FULL_WIDTH, wide)
    height = (0.42 if theme.narrow else 0.5) * len(rows) + 0.9
    figure = Figure(figsize=(width, height * down + (1.2 if theme.narrow else 0.5)), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for place, (ax, grid) in enumerate(zip(axes, grids, strict=False)):
        _draw_grid(ax, theme, texts, grid, len(rows), len(columns))
        ax.set_title(fill(drawable(grid.title, 30), 14 if theme.narrow else 30))
        ax.set_xticks(range(len(columns)), columns)
        ax.set_yticks(range(len(rows)), rows if place % across == 0 else [""] * len(rows))
        ax.set_xlabel(fill(axes_labels[0], 18 if theme.narrow else 40))
        if place % across == 0:
            ax.set_ylabel(fill(axes_labels[1], 8 * len(rows) + 8))
    for ax in axes[n:]:
        ax.set_axis_off()
    found = {kind for grid in grids for kind in grid.fields["kind"]}
    entries = [
        Patch(facecolor=getattr(theme, colour), label=kinds[kind])
        for kind, colour in _COLOURS.items()
        if kind in found
    ]
    figure.legend(
        handles=entries,
        loc="outside lower left",
        ncols=max(1, min(len(entries), int(width // 1.9))),
        labelcolor=theme.muted,
    )
    return figure


def _draw_grid(ax: Axes, theme: Theme, texts: Texts, grid: Grid, n_rows: int, n_columns: int) -> None:
    """Fields that hold two kinds are divided from left to right."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Rectangle

    gap = 0.04
    for (row, column), parts in grid.fields.groupby(["row", "column"]):
        share = (1 - 2 * gap) / len(parts)
        for place, part in enumerate(
            parts.sort_values("kind", key=lambda k: k.map(KINDS.index)).itertuples()
        ):
            colour = getattr(theme, _COLOURS[part.kind])
            left = column - 0.5 + gap + place * share
            ax.add_patch(Rectangle((left, row - 0.5 + gap), share, 1 - 2 * gap, color=colour, linewidth=0))
            ink = "#101418" if dark_text_on(np.array(to_rgb(colour))) else "#ffffff"
            number = texts.whole(part.n)
            ax.text(left + share / 2, row, number, ha="center", va="center", fontsize=7.5, color=ink)
    ax.set_xlim(-0.5, n_columns - 0.5)
    ax.set_ylim(n_rows - 0.5, -0.5)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
