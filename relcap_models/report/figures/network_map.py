"""The network map: units on a circle by district, relations as arcs coloured by score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.figures.names import drawable
from relcap_models.report.figures.theme import FULL_WIDTH, Theme, format_axis, score_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.typing import ColorType

_ALL_UP_TO = 14
"""Units up to which every relation is coloured and names stand level."""
_LEVEL_HEIGHT = 1.2
"""Half the height of a circle of level names, in radii."""


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
    relations : `rater_unit, target_unit, mean, asynchronous, chosen, stands_out`; in large maps only those
        chosen are coloured; those that stand out are wide
    groups : district to its units, in the order of the circle
    names : unit id to its label
    small_multiples : one small circle per district with the relations inside it
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    norm = Normalize(*limits)
    if small_multiples:
        columns, reach = (2, 1.75) if len(groups) <= 6 else (3, 2.2)
        rows = -(-len(groups) // columns)
        height = FULL_WIDTH / columns * _LEVEL_HEIGHT / reach + 0.3
        figure = Figure(figsize=(FULL_WIDTH, rows * height + 0.9), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax, (district, units) in zip(axes, groups.items(), strict=False):
            _draw_circle(
                ax,
                theme,
                relations,
                {district: units},
                names,
                norm,
                colour_all=True,
                size=6.5 if columns == 2 else 6,
                thin=0.65,
                reach=reach,
            )
            ax.set_title(drawable(district, 34), loc="center")
        for ax in axes:
            ax.set_axis_off()
    else:
        n = sum(map(len, groups.values()))
        figure = Figure(figsize=(FULL_WIDTH, 7.2 if n <= _ALL_UP_TO else 9.8), layout="constrained")
        axes = [figure.subplots()]
        size = 8 if n <= _ALL_UP_TO else max(5.2, min(7.5, 420 / n))
        _draw_circle(axes[0], theme, relations, groups, names, norm, colour_all=n <= _ALL_UP_TO, size=size)
    bar = figure.colorbar(
        ScalarMappable(norm, score_colours(theme)),
        ax=list(axes),
        location="bottom",
        shrink=0.25,
        aspect=18,
        pad=0.02,
        anchor=(0.0, 0.5),
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    bar.ax.set_title(texts("matrix.key_score"), fontsize=8, fontweight="normal", color=theme.muted, pad=3)
    format_axis(bar.ax.xaxis, texts)
    _add_key(bar.ax, theme, texts, relations)
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
    norm: Normalize,
    *,
    colour_all: bool,
    size: float,
    thin: float = 1.0,
    reach: float = 1.75,
) -> None:
    """reach : half the width of a circle of level names, in radii"""
    places = circle_positions(groups)
    ax.set_axis_off()
    ax.set_aspect("equal")
    inside = relations[relations["rater_unit"].isin(places) & relations["target_unit"].isin(places)]
    bright = inside["chosen"] | colour_all
    colours = score_colours(theme)
    for _, row in inside[~bright].iterrows():
        _draw_arc(ax, places, row, colour=theme.faint, width=0.5, arrow=False)
    # Those that stand out come last, on top.
    for _, row in inside[bright].sort_values("stands_out", kind="stable").iterrows():
        width = thin * (2.4 if row["stands_out"] else 1.0)
        _draw_arc(ax, places, row, colour=colours(norm(row["mean"])), width=width, arrow=True)
    level = len(places) <= _ALL_UP_TO
    for unit, place in places.items():
        ax.plot(*place, "o", markersize=4 * thin + 1, color=theme.ink, zorder=5)
        _name_unit(ax, names[unit], place, size=size, level=level)
    if len(groups) > 1:
        _name_districts(ax, theme, groups, places)
    width, height = (reach, _LEVEL_HEIGHT) if level else (1.55, 1.55)
    ax.set_xlim(-width, width)
    ax.set_ylim(-height, height)


def _name_unit(ax: Axes, name: str, place: np.ndarray, *, size: float, level: bool) -> None:
    """A name outside the circle: level where there is room, otherwise along the radius."""
    x, y = place
    if level:
        middle = abs(x) < 0.2
        ha = "center" if middle else "left" if x > 0 else "right"
        va = "center" if not middle else "bottom" if y > 0 else "top"
        ax.text(x * 1.07, y * 1.07, name, ha=ha, va=va, fontsize=size)
        return
    left = x < -1e-9
    angle = np.degrees(np.arctan2(y, x)) + (180 if left else 0)
    ax.text(
        x * 1.05,
        y * 1.05,
        name,
        rotation=angle,
        rotation_mode="anchor",
        ha="right" if left else "left",
        va="center",
        fontsize=size,
    )


def _draw_arc(
    ax: Axes,
    places: Mapping[str, np.ndarray],
    row: pd.Series,
    *,
    colour: ColorType,
    width: float,
    arrow: bool,
) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    start, end = places[row["rater_unit"]], places[row["target_unit"]]
    # Pulled towards the centre, and to the rater's right, so that the two directions of a
    # pair lie apart.
    along = end - start
    pull = 0.16 + 0.2 * float(np.hypot(*along))
    control = (1 - pull) * (start + end) / 2 + 0.07 * np.array([along[1], -along[0]])
    ax.add_patch(
        FancyArrowPatch(
            path=Path([start, control, end], [Path.MOVETO, Path.CURVE3, Path.CURVE3]),
            arrowstyle="-|>,head_length=3.4,head_width=1.5" if arrow else "-",
            linestyle=(0, (3.5, 2.0)) if row["asynchronous"] else "solid",
            linewidth=width,
            color=colour,
            shrinkA=4,
            shrinkB=4,
            zorder=3 if arrow else 1,
        )
    )


def _name_districts(
    ax: Axes, theme: Theme, groups: Mapping[str, Sequence[str]], places: Mapping[str, np.ndarray]
) -> None:
    for units in groups.values():
        angles = np.unwrap([np.arctan2(*places[unit][::-1]) for unit in units])
        sweep = np.linspace(angles[0], angles[-1], 40)
        ax.plot(
            np.cos(sweep), np.sin(sweep), color=theme.faint, linewidth=5, zorder=0, solid_capstyle="round"
        )


def _add_key(beside: Axes, theme: Theme, texts: Texts, relations: pd.DataFrame) -> None:
    from matplotlib.lines import Line2D

    def line(label: str, **style: object) -> Line2D:
        return Line2D([], [], color=theme.muted, label=texts(label), **{"linewidth": 1.2, **style})

    entries = [line("network.key_relation")]
    if relations["asynchronous"].any():
        entries.append(line("network.key_asynchronous", linestyle=(0, (3.5, 2.0))))
    if relations["stands_out"].any():
        entries.append(line("network.key_stands_out", linewidth=2.8))
    beside.legend(
        handles=entries, loc="center left", bbox_to_anchor=(1.12, 0.5), ncols=3, labelcolor=theme.muted
    )
