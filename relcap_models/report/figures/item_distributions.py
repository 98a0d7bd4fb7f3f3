"""Posterior predictive check: observed answers per item beside those that the model predicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.figures.names import drawable
from relcap_models.report.figures.theme import FULL_WIDTH, Theme, format_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 5


def draw_item_distributions(
    theme: Theme, texts: Texts, distributions: pd.DataFrame, *, items: Sequence[str]
) -> Figure:
    """Bars are observed shares, points with lines the predicted ones; one panel per item.

    `distributions` has `item, category, observed, predicted_mean, predicted_lower, predicted_upper` (shares).
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    columns = min(_COLUMNS, len(items)) if len(items) > 3 else 3
    columns = 4 if len(items) in (4, 7, 8) else 3 if len(items) in (6, 9) else columns
    rows = -(-len(items) // columns)
    figure = Figure(figsize=(FULL_WIDTH, 1.75 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for ax, item in zip(axes, items, strict=False):
        frame = distributions[distributions["item"] == item]
        x = np.arange(len(frame))
        ax.bar(x, frame["observed"], width=0.72, color=theme.grid, linewidth=0)
        ax.vlines(
            x,
            frame["predicted_lower"],
            frame["predicted_upper"],
            color=theme.accent,
            linewidth=2.2,
            alpha=0.6,
        )
        ax.plot(x, frame["predicted_mean"], "o", markersize=4, color=theme.accent)
        ax.set_xticks(x, [drawable(str(category), 6) for category in frame["category"]])
        ax.set_title(drawable(item, 24))
        ax.grid(axis="y", color=theme.grid, linewidth=0.5)
        ax.set_axisbelow(True)
        ax.tick_params(length=0)
        ax.spines["left"].set_visible(False)
        format_axis(ax.yaxis, texts, share=True)
    for ax in axes[len(items) :]:
        ax.set_axis_off()
    figure.legend(
        handles=[
            Patch(color=theme.grid, label=texts("items.key_observed")),
            Line2D(
                [],
                [],
                color=theme.accent,
                marker="o",
                markersize=4,
                linewidth=2.2,
                label=texts("items.key_predicted"),
            ),
        ],
        loc="outside lower left",
        ncols=2,
        labelcolor=theme.muted,
    )
    return figure
