"""The relation matrix: who rates whom, how high, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.figures.theme import (
    FULL_WIDTH,
    Theme,
    dark_text_on,
    format_axis,
    score_colours,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

_LARGEST, _SMALLEST = 0.94, 0.36
_VALUES_UP_TO = 14
_KEY_HEIGHT = 0.7


def draw_relation_matrix(
    theme: Theme,
    texts: Texts,
    cells: pd.DataFrame,
    *,
    units: Sequence[str],
    names: Sequence[str],
    breaks: Sequence[int],
    limits: tuple[float, float],
) -> Figure:
    """Squares coloured by score and sized by precision; hidden relations are hatched.

    Parameters
    ----------
    cells : `rater_unit, target_unit, mean, lower, upper, suppressed`; rows with equal units are the diagonal
    units, names : ids in the order of rows and columns, and their labels
    breaks : positions where a new district begins
    limits : ends of the colour bar, in points of the response scale
    """
    from matplotlib.figure import Figure

    n = len(units)
    small = n <= _VALUES_UP_TO
    side = min(0.62, 7.4 / n)
    figure = Figure(figsize=(FULL_WIDTH, n * side + 2.0 + _KEY_HEIGHT), layout="constrained")
    ax, key = figure.subplots(2, 1, gridspec_kw={"height_ratios": [n * side + 2.0, _KEY_HEIGHT]})
    place = {unit: position for position, unit in enumerate(units)}
    frame = cells.assign(x=cells["target_unit"].map(place), y=cells["rater_unit"].map(place))
    shown = frame[frame["mean"].notna()]
    widths = shown["upper"] - shown["lower"]
    _draw_cells(ax, theme, texts, frame, shown, _sides(widths, widths), limits, write=small)
    size = 8 if small else max(4.6, min(7.5, 390 / n))
    ax.set_xticks(range(n), names, rotation=90, fontsize=size, color=theme.ink)
    ax.set_yticks(range(n), names, fontsize=size)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xlabel(texts("matrix.targets"), labelpad=8)
    ax.set_ylabel(texts("matrix.raters"), labelpad=8)
    ax.tick_params(length=0)
    ax.set_xlim(-0.5, n - 0.5)
    ax.set_ylim(n - 0.5, -0.5)
    ax.set_aspect("equal", anchor="NW")
    for spine in ax.spines.values():
        spine.set_visible(False)
    for position in breaks:
        ax.axhline(position - 0.5, color=theme.muted, linewidth=0.7)
        ax.axvline(position - 0.5, color=theme.muted, linewidth=0.7)
    _draw_key(figure, key, theme, texts, widths, limits, hidden=bool(frame["suppressed"].any()))
    return figure


def _sides(widths: pd.Series, of: pd.Series) -> np.ndarray:
    """Side of each square: the narrowest interval fills its cell, the widest shrinks to a third."""
    low, high = (float(of.min()), float(of.max())) if len(of) else (0.0, 1.0)
    if high - low < 1e-9:
        return np.full(len(widths), _LARGEST)
    return _LARGEST - (_LARGEST - _SMALLEST) * ((widths.to_numpy() - low) / (high - low)).clip(0, 1)


def _squares(x: np.ndarray, y: np.ndarray, side: np.ndarray | float) -> np.ndarray:
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    centre = np.column_stack([x, y])[:, None, :]
    return centre + corners[None] * np.broadcast_to(side, len(x))[:, None, None]


def _draw_cells(
    ax: Axes,
    theme: Theme,
    texts: Texts,
    frame: pd.DataFrame,
    shown: pd.DataFrame,
    sides: np.ndarray,
    limits: tuple[float, float],
    *,
    write: bool,
) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import Normalize

    colours = score_colours(theme)(Normalize(*limits)(shown["mean"].to_numpy()))
    asked = _squares(frame["x"].to_numpy(), frame["y"].to_numpy(), 1.0)
    ax.add_collection(PolyCollection(asked, facecolor=theme.cell, edgecolor=theme.paper, linewidth=0.5))
    gone = frame[frame["suppressed"]]
    if len(gone):
        hatched = _squares(gone["x"].to_numpy(), gone["y"].to_numpy(), 0.94)
        ax.add_collection(_hatched(hatched, theme))
    squares = _squares(shown["x"].to_numpy(), shown["y"].to_numpy(), sides)
    ax.add_collection(PolyCollection(squares, facecolor=colours, edgecolor="none"))
    own = shown[shown["x"] == shown["y"]]
    if len(own):
        frames = _squares(own["x"].to_numpy(), own["y"].to_numpy(), 0.97)
        ax.add_collection(
            PolyCollection(frames, facecolor="none", edgecolor=theme.ink, linewidth=1.0 if write else 0.6)
        )
    if write:
        light = dark_text_on(colours)
        for (_, row), bright, side in zip(shown.iterrows(), light, sides, strict=True):
            inside = side > 0.56
            colour = ("#10161c" if bright else "#ffffff") if inside else theme.ink
            y = row["y"] if inside else row["y"] + 0.49
            ax.text(
                row["x"],
                y,
                texts.number(row["mean"], 1),
                ha="center",
                va="center" if inside else "bottom",
                fontsize=7 if inside else 6,
                color=colour,
            )


def _draw_key(
    figure: Figure,
    key: Axes,
    theme: Theme,
    texts: Texts,
    widths: pd.Series,
    limits: tuple[float, float],
    *,
    hidden: bool,
) -> None:
    """One line below the matrix: colour bar, square sizes, hatching. The key's axes are in inches."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import Normalize

    key.set_axis_off()
    key.set_xlim(0, FULL_WIDTH)
    key.set_ylim(0, _KEY_HEIGHT)
    bar_at = key.inset_axes([0.1, 0.26, 2.3, 0.13], transform=key.transData)
    bar = figure.colorbar(
        ScalarMappable(Normalize(*limits), score_colours(theme)), cax=bar_at, orientation="horizontal"
    )
    bar.outline.set_visible(False)
    format_axis(bar.ax.xaxis, texts)
    bar.ax.tick_params(length=0)
    key.text(0.1, 0.48, texts("matrix.key_score"), fontsize=8, color=theme.muted)
    key.text(3.1, 0.48, texts("matrix.key_width"), fontsize=8, color=theme.muted)
    examples = (
        pd.Series(widths.quantile([0.0, 0.5, 1.0]).to_numpy()) if len(widths) else pd.Series(dtype=float)
    )
    for number, (width, side) in enumerate(zip(examples, _sides(examples, widths), strict=True)):
        x = np.array([3.22 + 0.68 * number])
        for size, colour in ((1.0, theme.cell), (side, theme.muted)):
            square = _squares(x, np.array([0.29]), 0.24 * size)
            key.add_collection(PolyCollection(square, facecolor=colour, edgecolor="none"))
        key.text(x[0] + 0.18, 0.29, texts.number(width, 1), va="center", fontsize=8, color=theme.muted)
    if hidden:
        square = _squares(np.array([5.6]), np.array([0.29]), 0.24)
        key.add_collection(_hatched(square, theme))
        key.text(5.8, 0.29, texts("key.hidden"), va="center", fontsize=8, color=theme.muted)


def _hatched(squares: np.ndarray, theme: Theme) -> PolyCollection:
    from matplotlib.collections import PolyCollection

    return PolyCollection(squares, facecolor=theme.cell, edgecolor=theme.muted, linewidth=0, hatch="//////")
