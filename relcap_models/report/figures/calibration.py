"""Simulation-based calibration: how far the ranks of true values are from uniform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from relcap_models.inference.calibration import Curve
from relcap_models.report.figures.names import drawable
from relcap_models.report.figures.theme import FULL_WIDTH, Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 4


def draw_calibration(theme: Theme, curves: Mapping[tuple[str, str], Curve], *, title: str) -> Figure:
    """A panel for each quantity: ECDF differences of its numbers over their simultaneous band.

    Curves that leave the band are coloured and named.
    """
    import numpy as np
    from matplotlib.figure import Figure

    quantities = list(dict.fromkeys(quantity for quantity, _ in curves))
    n_rows = -(-len(quantities) // _COLUMNS)
    figure = Figure(figsize=(FULL_WIDTH, 0.6 + 1.7 * n_rows), layout="constrained")
    panels = figure.subplots(n_rows, _COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    for ax, quantity in zip(panels, quantities):
        of_quantity = {label: curve for (name, label), curve in curves.items() if name == quantity}
        first = next(iter(of_quantity.values()))
        ax.fill_between(first.at, first.lower, first.upper, color=theme.cell, linewidth=0)
        ax.axhline(0.0, color=theme.grid, linewidth=0.8)
        for label, curve in of_quantity.items():
            off = curve.outside > 0.0
            ax.plot(
                curve.at,
                curve.difference,
                color=theme.second if off else theme.accent,
                linewidth=1.6 if off else 0.9,
                alpha=1.0 if off else 0.7,
            )
            if off:
                worst = int(np.abs(curve.difference).argmax())
                where = (curve.at[worst], curve.difference[worst])
                ax.annotate(drawable(label or quantity, 24), where, fontsize=7, color=theme.second)
        ax.set_title(drawable(quantity.replace("_", " "), 28), fontsize=8)
        ax.tick_params(length=0)
    for ax in panels[len(quantities) :]:
        ax.set_visible(False)
    figure.suptitle(drawable(title, 110), fontsize=9.5, x=0.01, ha="left")
    figure.supxlabel("Rank of the true value among posterior draws, as a share", fontsize=8)
    figure.supylabel("ECDF less uniform", fontsize=8)
    return figure
