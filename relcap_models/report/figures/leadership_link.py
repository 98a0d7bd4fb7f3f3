"""Figures about a leadership link: where units lie, and by which way leadership goes with the outcome."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.figures.names import drawable
from relcap_models.report.figures.theme import FULL_WIDTH, NARROW_WIDTH, Theme, format_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WRAP, _WRAP_NARROW = 60, 34
_FONT = 7


@dataclass(frozen=True)
class Cloud:
    """Where units lie. `units`: `label, x, y, sd_x, sd_y, correlation`, in points, a row per shown unit.

    slope : change of y per point of x, with its interval; None where it is not known
    """

    x_label: str
    y_label: str
    units: pd.DataFrame
    slope: tuple[float, float, float] | None


def draw_units(theme: Theme, texts: Texts, clouds: Sequence[Cloud], *, ci_prob: float) -> Figure:
    """One panel for each predictor: units as points in ellipses that hold `ci_prob` of their posterior."""
    from matplotlib.figure import Figure

    n = len(clouds)
    if theme.narrow:
        size, grid = (NARROW_WIDTH, 3.0 * n), (n, 1)
    else:
        size, grid = (FULL_WIDTH if n > 1 else FULL_WIDTH * 0.72, 4.6 if n == 1 else 3.6), (1, n)
    figure = Figure(figsize=size, layout="constrained")
    radius = math.sqrt(-2 * math.log(1 - ci_prob))
    width = _WRAP if n == 1 and not theme.narrow else _WRAP_NARROW
    for position, (ax, cloud) in enumerate(
        zip(figure.subplots(*grid, squeeze=False).flat, clouds, strict=True)
    ):
        _draw_cloud(ax, theme, cloud, radius, named=not theme.narrow and n == 1)
        ax.set_xlabel(fill(drawable(cloud.x_label, 2 * _WRAP), width))
        if theme.narrow or position == 0:
            ax.set_ylabel(fill(drawable(cloud.y_label, 2 * _WRAP), width))
        format_axis(ax.xaxis, texts)
        format_axis(ax.yaxis, texts)
    return figure


def _draw_cloud(ax: Axes, theme: Theme, cloud: Cloud, radius: float, *, named: bool) -> None:
    from matplotlib.patches import Polygon

    units = cloud.units
    outlines = [_ellipse(row, radius) for row in units.itertuples()]
    for outline in outlines:
        ax.add_patch(Polygon(outline, facecolor=theme.accent, alpha=0.05, linewidth=0, zorder=1))
        ax.add_patch(
            Polygon(outline, fill=False, edgecolor=theme.accent, alpha=0.35, linewidth=0.7, zorder=2)
        )
    points = np.concatenate(outlines)
    (left, bottom), (right, top) = points.min(axis=0), points.max(axis=0)
    pad_x, pad_y = 0.04 * (right - left), 0.05 * (top - bottom)
    limits = (left - pad_x, right + pad_x), (bottom - pad_y, top + pad_y)
    if cloud.slope is not None:
        _draw_slope(ax, theme, cloud, np.linspace(*limits[0], 50))
    ax.scatter(units["x"], units["y"], s=20, color=theme.accent, linewidth=0, zorder=4)
    ax.set_xlim(*limits[0])
    ax.set_ylim(*limits[1])
    ax.grid(color=theme.grid, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(length=0)
    if named:
        _name_extremes(ax, theme, units)


def _ellipse(unit: tuple, radius: float) -> np.ndarray:
    """(60, 2) outline of the ellipse of a normal distribution with this unit's sds and correlation."""
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    r = float(np.clip(unit.correlation, -0.999, 0.999))
    x = unit.x + radius * unit.sd_x * np.cos(angle)
    y = unit.y + radius * unit.sd_y * (r * np.cos(angle) + math.sqrt(1 - r**2) * np.sin(angle))
    return np.column_stack([x, y])


def _draw_slope(ax: Axes, theme: Theme, cloud: Cloud, x: np.ndarray) -> None:
    """The line through the middle of the shown units, and the fan of slopes in the interval."""
    middle_x, middle_y = cloud.units["x"].mean(), cloud.units["y"].mean()
    mean, lower, upper = (middle_y + slope * (x - middle_x) for slope in cloud.slope or ())
    low, high = np.minimum(lower, upper), np.maximum(lower, upper)
    ax.fill_between(x, low, high, color=theme.second, alpha=0.12, linewidth=0, zorder=0)
    ax.plot(x, mean, color=theme.second, linewidth=1.6, zorder=3)


def _name_extremes(ax: Axes, theme: Theme, units: pd.DataFrame) -> None:
    """Names of the units at the ends of both axes, on the side that points outwards."""
    from matplotlib.patheffects import withStroke

    ends = [units[axis].agg(end) for axis in ("x", "y") for end in ("idxmin", "idxmax")]
    for place in dict.fromkeys(ends):
        unit = units.loc[place]
        right, up = unit["x"] > units["x"].median(), unit["y"] >= units["y"].median()
        ax.annotate(
            str(unit["label"]),
            (unit["x"], unit["y"]),
            (4 if right else -4, 4 if up else -4),
            textcoords="offset points",
            ha="left" if right else "right",
            va="bottom" if up else "top",
            fontsize=_FONT,
            color=theme.ink,
            path_effects=[withStroke(linewidth=2, foreground=theme.paper)],
            zorder=5,
        )


@dataclass(frozen=True)
class Arrow:
    """An effect on its arrow: `text` is the estimate, `interval` stands below; dashed if it holds zero."""

    text: str
    interval: str
    certain: bool


@dataclass(frozen=True)
class Diagram:
    """Leadership → safety → outcome, and leadership → outcome."""

    title: str
    leadership: str
    safety: str
    outcome: str
    first: Arrow
    second: Arrow
    direct: Arrow


def draw_paths(theme: Theme, diagrams: Sequence[Diagram]) -> Figure:
    """Diagrams side by side; on a phone on each other. Lengths are in inches, so that text fits its box."""
    from matplotlib.figure import Figure

    n = len(diagrams)
    width, height = (NARROW_WIDTH - 0.1, 2.55) if theme.narrow else (FULL_WIDTH / max(n, 2), 2.6)
    rows, columns = (n, 1) if theme.narrow else (1, n)
    figure = Figure(figsize=(width * columns, (height + 0.3) * rows))
    for position, diagram in enumerate(diagrams):
        row, column = (position, 0) if theme.narrow else (0, position)
        bottom = 1 - ((height + 0.3) * row + height + 0.28) / ((height + 0.3) * rows)
        ax = figure.add_axes((column / columns, bottom, 1 / columns, height / ((height + 0.3) * rows)))
        ax.set_xlim(0, width)
        ax.set_ylim(0, height)
        ax.set_axis_off()
        ax.set_title(diagram.title)
        _draw_diagram(ax, theme, diagram, width, height)
    return figure


def _draw_diagram(ax: Axes, theme: Theme, diagram: Diagram, width: float, height: float) -> None:
    box = np.array([1.04 if theme.narrow else 1.4, 0.62])
    edge = 0.06
    below = edge + box[1] / 2 + 0.05
    leadership = np.array([edge + box[0] / 2, below])
    outcome = np.array([width - edge - box[0] / 2, below])
    safety = np.array([width / 2, height - edge - box[1] / 2])
    letters = 14 if theme.narrow else 20
    for centre, name in (
        (leadership, diagram.leadership),
        (safety, diagram.safety),
        (outcome, diagram.outcome),
    ):
        _draw_box(ax, theme, centre, box, fill(drawable(name, 3 * letters), letters))
    up, right = np.array([0, box[1] / 2]), np.array([box[0] / 2, 0])
    ends = (
        (leadership + up, safety - right, diagram.first, (0.42, 0.0)),
        (safety + right, outcome + up, diagram.second, (0.58, 0.0)),
        (leadership + right, outcome - right, diagram.direct, (0.5, 0.22)),
    )
    for start, end, arrow, place in ends:
        _draw_arrow(ax, theme, start, end, arrow, place)


def _draw_box(ax: Axes, theme: Theme, centre: np.ndarray, box: np.ndarray, text: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    ax.add_patch(
        FancyBboxPatch(
            tuple(centre - box / 2),
            *box,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor=theme.cell,
            edgecolor=theme.muted,
            linewidth=0.9,
        )
    )
    ax.text(*centre, text, ha="center", va="center", fontsize=8, color=theme.ink, linespacing=1.15)


def _draw_arrow(
    ax: Axes, theme: Theme, start: np.ndarray, end: np.ndarray, arrow: Arrow, at: tuple[float, float]
) -> None:
    """`at`: where on the arrow its text stands, and how far above it."""
    from matplotlib.patches import FancyArrowPatch

    colour = theme.accent if arrow.certain else theme.muted
    ax.add_patch(
        FancyArrowPatch(
            tuple(start),
            tuple(end),
            arrowstyle="-|>",
            mutation_scale=11,
            shrinkA=1,
            shrinkB=1,
            linewidth=1.8 if arrow.certain else 1.3,
            linestyle="solid" if arrow.certain else (0, (4, 2)),
            color=colour,
        )
    )
    place = start + at[0] * (end - start) + [0, at[1]]
    paper = {"facecolor": theme.paper, "edgecolor": "none", "pad": 1.5}
    label = {"ha": "center", "color": theme.ink, "bbox": paper, "zorder": 5}
    ax.text(*place, f"{arrow.text}\n{arrow.interval}", va="center", fontsize=7.6, linespacing=1.2, **label)
