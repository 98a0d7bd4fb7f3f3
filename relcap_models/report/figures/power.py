"""Precision of planned designs: widths, ranks, respondents needed, and changes seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from relcap_models.report.figures.names import drawable
from relcap_models.report.figures.theme import FULL_WIDTH, Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROWS = (
    ("interval_width", "Width of intervals, in points"),
    ("rank_width", "Width of rank intervals, as a share of all that are ranked"),
    ("respondents_for_0.70", "Respondents needed for reliability .70"),
    ("prob_seen", "Probability of seeing a change from the first to the last wave, or an effect"),
)
_DESIGN = {
    "respondents": "asked in a unit",
    "units": "units",
    "partners": "partners",
    "waves": "waves",
    "districts": "districts",
}
_OF = {
    "relation": "Relations",
    "gap": "Perception gaps",
    "seen_by_others": "Units as seen by others",
    "as_rater": "Units as raters",
    "within_unit": "Units by their own staff",
    "own_staff": "Units by their own staff",
    "all_relations": "All relations",
    "within_rater_unit": "Relations of one unit",
    "units": "Units",
    "organisation": "The organisation",
    "target_end": "How others see the trained",
    "rater_end": "How the trained see others",
    "both_ends": "Both ends trained",
    "interaction": "What both ends add",
    "spillover": "Spillover",
    "change": "Change of the group",
}
_LINES = ("solid", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1, 1, 1)))


def draw_power(theme: Theme, table: pd.DataFrame, *, title: str) -> Figure:
    """A row of panels for each quantity, a panel for each level, a line for each design.

    Bars are two Monte Carlo standard errors to either side. `table` is of one analysis, as
    `study.precision.precision` gives it.
    """
    from matplotlib.figure import Figure

    varied = [name for name in _DESIGN if table[name].nunique() > 1]
    along = varied[0] if varied else "respondents"
    rows = [(name, label) for name, label in _ROWS if (table["quantity"] == name).any()]
    n_columns = max(3, *(table.loc[table["quantity"] == name, "of"].nunique() for name, _ in rows))
    figure = Figure(figsize=(FULL_WIDTH, 0.5 + 2.6 * len(rows)), layout="constrained")
    figure.suptitle(drawable(title, 90), x=0.01, ha="left", fontsize=11, fontweight="bold")
    for part, (quantity, label) in zip(figure.subfigures(len(rows), 1, squeeze=False).ravel(), rows):
        part.suptitle(label, x=0.01, ha="left", fontsize=9.5, color=theme.ink)
        chosen = table[table["quantity"] == quantity]
        panels = part.subplots(1, n_columns, sharex=True, sharey=True, squeeze=False)[0]
        levels = [of for of in _OF if (chosen["of"] == of).any()]
        for ax, of in zip(panels, levels):
            _draw_panel(theme, ax, chosen[chosen["of"] == of], along, varied, of=of)
        for ax in panels[len(levels) :]:
            ax.set_visible(False)
        panels[0].set_ylim(bottom=0.0, top=1.0 if quantity == "prob_seen" else None)
        handles, labels = panels[0].get_legend_handles_labels()
        if any(labels):
            part.legend(handles, labels, loc="outside lower left", ncols=4, labelcolor=theme.muted)
    return figure


def _draw_panel(
    theme: Theme, ax: Axes, rows: pd.DataFrame, along: str, varied: Sequence[str], *, of: str
) -> None:
    by_change = rows["change"].notna().all()
    told_apart = list(varied) if by_change else [name for name in varied if name != along]
    x = "change" if by_change else along
    colours = (theme.accent, theme.second, theme.third, theme.muted)
    groups = list(rows.groupby(told_apart, sort=True)) if told_apart else [((), rows)]
    for number, (key, line) in enumerate(groups):
        line = line.sort_values(x)
        ax.errorbar(
            line[x],
            line["value"],
            yerr=2.0 * line["mc_error"],
            label=", ".join(f"{value:g} {_DESIGN[name]}" for name, value in zip(told_apart, key)),
            color=colours[number % len(colours)],
            linestyle=_LINES[number // len(colours) % len(_LINES)],
            linewidth=1.5,
            marker="o",
            markersize=2.5,
            elinewidth=0.8,
        )
    ax.set_title(_OF[of], fontsize=8.5)
    ax.set_xlabel("in points" if by_change else _DESIGN[along])
    ax.grid(color=theme.grid, linewidth=0.6)
    ax.tick_params(length=0)
