"""Item profiles: relations as rows, items as columns, one coloured figure each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.figures.names import drawable
from relcap_models.report.figures.theme import (
    FULL_WIDTH,
    Theme,
    dark_text_on,
    format_axis,
    score_colours,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_item_profiles(
    theme: Theme,
    texts: Texts,
    scores: pd.DataFrame,
    *,
    labels: Sequence[str],
    limits: tuple[float, float],
) -> Figure:
    """A grid of scores. `scores` has one row per label and one column per item, NaN where hidden."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    n_rows, n_items = scores.shape
    figure = Figure(figsize=(FULL_WIDTH, 0.29 * n_rows + 1.5), layout="constrained")
    ax = figure.subplots()
    norm, colours = Normalize(*limits), score_colours(theme)
    image = colours(norm(np.nan_to_num(scores.to_numpy(float), nan=limits[0])))
    hidden = scores.isna().to_numpy()
    image[hidden] = (*_rgb(theme.cell), 1.0)
    ax.imshow(image, aspect="auto")
    bright = dark_text_on(image)
    for row in range(n_rows):
        for column in range(n_items):
            value = scores.iat[row, column]
            colour = theme.muted if hidden[row, column] else ("#10161c" if bright[row, column] else "#ffffff")
            text = "×" if hidden[row, column] else texts.number(value, 1)
            ax.text(column, row, text, ha="center", va="center", fontsize=7.5, color=colour)
    ax.set_xticks(range(n_items), [drawable(str(item), 10) for item in scores.columns])
    ax.set_yticks(range(n_rows), [drawable(label, 60) for label in labels])
    ax.set_xticks(np.arange(n_items + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(n_rows + 1) - 0.5, minor=True)
    ax.grid(which="minor", color=theme.paper, linewidth=1.5)
    ax.tick_params(which="both", length=0)
    ax.xaxis.tick_top()
    for spine in ax.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(
        ScalarMappable(norm, colours),
        ax=ax,
        location="bottom",
        shrink=0.35,
        aspect=26,
        pad=0.03,
        anchor=(0.0, 0.5),
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    bar.set_label(texts("matrix.key_score"))
    format_axis(bar.ax.xaxis, texts)
    return figure


def _rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)
