"""The network map: units on a circle by district, relations as arcs coloured by score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from relcap_models.report.figures.theme import FULL_WIDTH, Theme, drawable, format_axis, score_colours
from relcap_models.report.language import Texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ALL_UP_TO = 14
"""Units up to which every relation is coloured; above, the surely low or high ones stand out."""


def draw_network(
    theme: Theme,
    texts: Texts,
    relations: pd.DataFrame,
    *,
    groups: Mapping[str, Sequence[str]],
    names: Mapping[str, str],
    limits: tuple[float, float],
    small_multiples: bool = False,
) -> Figure:
    """Shown relations as arcs from rater to target; asynchronous ones dashed.

    Parameters
    ----------
    relations : `rater_unit, target_unit, mean, lower, upper, asynchronous, stands_out`
    groups : district to its units, in the order of the circle
    names : unit id to what is written
    small_multiples : one small circle per district with the relations inside it
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    norm = Normalize(*limits)
    if small_multiples:
        columns = min(3, len(groups))
        rows = -(-len(groups) // columns)
        figure = Figure(figsize=(FULL_WIDTH, 3.3 * rows + 0.7), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax, (district, units) in zip(axes, groups.items(), strict=False):
            _draw_circle(ax, theme, relations, {district: units}, names, norm, colour_all=True, size=6)
            ax.set_title(drawable(district, 34), loc="center")
        for ax in axes:
            ax.set_axis_off()
    else:
        n = sum(map(len, groups.values()))
        figure = Figure(figsize=(FULL_WIDTH, 7.6 if n <= _ALL_UP_TO else 9.2), layout="constrained")
        axes = [figure.subplots()]
        size = 8 if n <= _ALL_UP_TO else max(5.2, min(7.5, 420 / n))
        _draw_circle(axes[0], theme, relations, groups, names, norm, colour_all=n <= _ALL_UP_TO, size=size)
    bar = figure.colorbar(
        ScalarMappable(norm, score_colours(theme)),
        ax=list(axes),
        location="bottom",
        shrink=0.32,
        aspect=28,
        pad=0.02,
        anchor=(0.0, 0.5),
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    bar.set_label(texts("matrix.key_score"))
    format_axis(bar.ax.xaxis, texts)
    _add_key(figure, theme, texts, relations)
    return figure


def circle_positions(groups: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
    """Places on the unit circle, clockwise from the top, with a gap between districts."""
    import networkx as nx

    slots: list[str | None] = []
    for units in groups.values():
        slots += [*units, None] if len(groups) > 1 else list(units)
    circle = nx.circular_layout(nx.path_graph(len(slots)))
    turned = {
        slot: np.array([circle[i][1], circle[i][0]]) for i, slot in enumerate(slots) if slot is not None
    }
    return turned


def _draw_circle(
    ax: Axes,
    theme: Theme,
    relations: pd.DataFrame,
    groups: Mapping[str, Sequence[str]],
    names: Mapping[str, str],
    norm: object,
    *,
    colour_all: bool,
    size: float,
) -> None:
    places = circle_positions(groups)
    ax.set_axis_off()
    ax.set_aspect("equal")
    inside = relations[relations["rater_unit"].isin(places) & relations["target_unit"].isin(places)]
    bright = inside["stands_out"] | colour_all
    colours = score_colours(theme)
    for _, row in inside[~bright].iterrows():
        _draw_arc(ax, places, row, colour=theme.grid, width=0.35, arrow=False)
    for _, row in inside[bright].iterrows():
        strong = bool(row["stands_out"])
        _draw_arc(
            ax, places, row, colour=colours(norm(row["mean"])), width=2.0 if strong else 1.0, arrow=True
        )
    for unit, (x, y) in places.items():
        ax.plot(x, y, "o", markersize=5, color=theme.ink, zorder=5)
        angle = np.degrees(np.arctan2(y, x))
        left = x < -1e-9
        ax.text(
            x * 1.05,
            y * 1.05,
            drawable(names[unit], 24),
            rotation=angle + 180 if left else angle,
            rotation_mode="anchor",
            ha="right" if left else "left",
            va="center",
            fontsize=size,
        )
    if len(groups) > 1:
        _name_districts(ax, theme, groups, places)
    reach = 1.75
    ax.set_xlim(-reach, reach)
    ax.set_ylim(-reach, reach)


def _draw_arc(
    ax: Axes, places: Mapping[str, np.ndarray], row: pd.Series, *, colour: object, width: float, arrow: bool
) -> None:
    from matplotlib.patches import FancyArrowPatch

    start, end = places[row["rater_unit"]], places[row["target_unit"]]
    # Arcs bend the same way seen from their rater, so the two directions of a pair lie apart.
    ax.add_patch(
        FancyArrowPatch(
            tuple(start),
            tuple(end),
            connectionstyle="arc3,rad=0.16",
            arrowstyle="-|>,head_length=3.4,head_width=1.6" if arrow else "-",
            linestyle=(0, (3.5, 2.2)) if row["asynchronous"] else "solid",
            linewidth=width,
            color=colour,
            shrinkA=4,
            shrinkB=4,
            zorder=3 if arrow else 1,
            alpha=0.95,
        )
    )


def _name_districts(
    ax: Axes, theme: Theme, groups: Mapping[str, Sequence[str]], places: Mapping[str, np.ndarray]
) -> None:
    for units in groups.values():
        angles = np.unwrap([np.arctan2(*places[unit][::-1]) for unit in units])
        sweep = np.linspace(angles[0], angles[-1], 40)
        ax.plot(1.025 * np.cos(sweep), 1.025 * np.sin(sweep), color=theme.muted, linewidth=1.2, zorder=2)


def _add_key(figure: Figure, theme: Theme, texts: Texts, relations: pd.DataFrame) -> None:
    from matplotlib.lines import Line2D

    entries = [Line2D([], [], color=theme.muted, linewidth=1.2, label=texts("network.key_relation"))]
    if relations["asynchronous"].any():
        entries.append(
            Line2D(
                [],
                [],
                color=theme.muted,
                linewidth=1.2,
                linestyle=(0, (3.5, 2.2)),
                label=texts("network.key_asynchronous"),
            )
        )
    if relations["stands_out"].any():
        entries.append(
            Line2D([], [], color=theme.muted, linewidth=2.6, label=texts("network.key_stands_out"))
        )
    figure.legend(handles=entries, loc="outside lower right", ncols=1, labelcolor=theme.muted)
