"""The D-study: reliability by number of respondents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.figures.names import drawable
from relcap_models.report.figures.theme import FULL_WIDTH, Theme, format_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_d_study(
    theme: Theme,
    texts: Texts,
    curves: pd.DataFrame,
    *,
    comparisons: Sequence[tuple[str, str]],
    dimensions: Sequence[tuple[str, str]],
) -> Figure:
    """One panel per comparison, one line with its band per dimension; lines at .70 and .80.

    `curves` has `comparison, dimension, respondents, mean, lower, upper`.
    """
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(FULL_WIDTH if len(comparisons) > 1 else 0.6 * FULL_WIDTH, 3.5), layout="constrained"
    )
    axes = figure.subplots(1, len(comparisons), sharey=True, squeeze=False)[0]
    colours = (theme.accent, theme.second, theme.third, theme.muted)
    for ax, (comparison, title) in zip(axes, comparisons, strict=True):
        for target in (0.7, 0.8):
            ax.axhline(target, color=theme.muted, linewidth=0.8, linestyle=(0, (2, 2)))
            ax.text(
                0.015,
                target + 0.012,
                texts.number(target),
                fontsize=7,
                color=theme.muted,
                transform=ax.get_yaxis_transform(),
            )
        for number, (dimension, label) in enumerate(dimensions):
            rows = curves[(curves["comparison"] == comparison) & (curves["dimension"] == dimension)]
            rows = rows.sort_values("respondents")
            colour = colours[number % len(colours)]
            style = "solid" if number < len(colours) else (0, (4, 1.5))
            ax.plot(
                rows["respondents"],
                rows["mean"],
                color=colour,
                linewidth=1.9,
                linestyle=style,
                label=drawable(label, 30),
            )
            if number == 0:
                ax.fill_between(
                    rows["respondents"], rows["lower"], rows["upper"], color=colour, alpha=0.16, linewidth=0
                )
        ax.set_title(drawable(title, 38))
        ax.set_ylim(0, 1)
        ax.set_xlim(left=0)
        ax.grid(color=theme.grid, linewidth=0.6)
        ax.tick_params(length=0)
        ax.set_xlabel(texts("reliability.axis_respondents"))
        format_axis(ax.xaxis, texts)
        format_axis(ax.yaxis, texts)
    axes[0].set_ylabel(texts("reliability.axis"))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=4, labelcolor=theme.muted)
    return figure
