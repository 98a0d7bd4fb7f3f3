"""Disclosure control of the tables `psychometrics_*`: figures of an instrument over many relations and units.

What an item's answers are on the whole, or in a wave, are sums over units that `decide` has in its system; so
an item shows them where its distribution may be shown. Sums over the units of a layer or the speakers of a
language are not in that system, and differ from the whole by few people where all others are known: of those
splits only what says little about sums of answers is public (reliability, fit, loadings, invariance). How
equal people of two layers answer an item (DIF) is public too, because how the layers differ on the whole is
not: both together would tell a layer's answers.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from relcap_models.report.disclosure.decide import Shown, Verdict

PREFIX = "psychometrics_"
_ABOUT = {
    *("analysis", "instrument", "split", "group", "groups", "across", "dimension", "item", "category"),
    *("parameter", "coefficient", "level", "theta", "topic", "subject", "reference", "items"),
}
"""Columns that stay in a hidden row: what it is about."""

_COUNTS = ("n_ratings", "n_respondents", "n_rater_units")
_SHARES = ("unanswered", "mean", "sd", "lowest", "highest", "share")
_MEANS = ("equal", "partial")
"""Means of a group; how far one is from the other (`impact`) tells neither."""

_IN_SYSTEM = ("survey", "wave")
_FREE_OF_COUNTS = ("merged", "left_out", "too_few_items")


def items_shown(tables: Mapping[str, pd.DataFrame], shown: dict[str, Shown]) -> None:
    """Add the items with answers in these tables to what is shown of each instrument."""
    table = tables.get(f"{PREFIX}items", pd.DataFrame(columns=["instrument", "item"]))
    for instrument, items in table.groupby("instrument")["item"]:
        shown.setdefault(str(instrument), Shown()).items.update(items.astype(str))


def hide_psychometrics(
    name: str, table: pd.DataFrame, verdicts: Mapping[str, Verdict], *, some_small: bool, step: float
) -> pd.DataFrame:
    """One table with what must stay hidden blank; see the module.

    some_small : a unit is so small that counts of all respondents would tell its own. step : to which means
    and shares of all are rounded then, see `step_of_shares`.
    """
    public = table.copy()
    figures = [column for column in public if column not in _ABOUT]
    verdict = [verdicts[instrument] for instrument in table["instrument"].astype(str)]
    hidden = np.array([v.whole for v in verdict], dtype=bool)
    if "item" in table:
        pairs = zip(verdict, table["item"].astype(str), strict=True)
        hidden |= np.array([bool(item) and item not in v.items for v, item in pairs], dtype=bool)
    if "split" in table:
        outside = ~table["split"].isin(_IN_SYSTEM).to_numpy(bool)
        if name in (f"{PREFIX}items", f"{PREFIX}shares"):
            hidden |= outside
        if "parameter" in table:
            hidden |= outside & table["parameter"].astype(str).str.startswith("threshold").to_numpy(bool)
    if name == f"{PREFIX}mean_impact":
        outside = ~table["across"].isin(_IN_SYSTEM).to_numpy(bool)
        for column in _MEANS:
            public[column] = public[column].mask(outside)
    if "detail" in table:
        told = table["topic"].isin(_FREE_OF_COUNTS).to_numpy(bool) & ~outside
        public["detail"] = public["detail"].where(told & ~hidden, "")
        return public
    for column in figures:
        if column in _COUNTS:
            public[column] = public[column].astype("Int64")
            public[column] = public[column].mask(hidden | some_small)
        elif column == "held":
            public[column] = public[column].astype("boolean").mask(hidden)
        else:
            if some_small and column in _SHARES:
                public[column] = (public[column].astype(float) / step).round() * step
            public[column] = public[column].mask(hidden)
    return public
