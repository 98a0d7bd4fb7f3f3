"""Where the differences between answers come from, per dimension, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.figures.intervals import Panel, draw_intervals
from relcap_models.report.figures.theme import Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_variance_shares(
    theme: Theme,
    texts: Texts,
    shares: pd.DataFrame,
    *,
    components: Sequence[tuple[str, str]],
    dimensions: Sequence[tuple[str, str]],
) -> Figure:
    """One panel per dimension, one row per component. `components` and `dimensions` are (id, label) pairs."""
    ids = [component for component, _ in components]
    panels = []
    for dimension, label in dimensions:
        rows = shares[shares["dimension"] == dimension].drop_duplicates("component").set_index("component")
        panels.append(Panel(label, rows[["mean", "lower", "upper"]].reindex(ids)))
    return draw_intervals(
        theme,
        texts,
        labels=[label for _, label in components],
        panels=panels,
        axis_label=texts("variance.axis"),
        limits=(0, min(1.0, 0.05 + float(shares["upper"].max()))),
        share=True,
        missing=texts("key.not_modelled"),
    )
