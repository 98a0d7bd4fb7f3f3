"""Disclosure control of the tables `programme_*`.

An effect is an average over the relations of a cohort, and a cohort can be small. Averages of parts and
of the whole tell each other, so where a part of an estimand rests on too few respondents only the whole is
shown.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.report.disclosure.rules import Disclosure

PREFIX = "programme_"
_EFFECTS = "programme_effects"
_PARTS = ["analysis", "estimand", "component"]
_LABELS = [
    *("analysis", "estimand", "aggregate", "group", "time", "scale", "component", "dimension"),
    *("assignment", "design", "goal", "ci_prob", "ci_kind"),
]


def hide_programmes(name: str, table: pd.DataFrame, rules: Disclosure, *, some_small: bool) -> pd.DataFrame:
    """One table with what must stay hidden blank.

    some_small : numbers of everybody would tell a small unit's
    """
    public = table.copy()
    if name == _EFFECTS:
        few = (table["n_respondents"] < rules.min_respondents_mean).to_numpy()
        touched = table.assign(few=few).groupby(_PARTS)["few"].transform("any").to_numpy()
        hidden = few | (touched & (table["aggregate"] != "simple").to_numpy())
        public["suppressed"] = hidden
        for column in public.columns.difference([*_LABELS, "suppressed"]):
            values = public[column].astype("Int64") if column.startswith("n_") else public[column]
            public[column] = values.mask(hidden)
    if "n_respondents" in public:
        counts = public["n_respondents"].astype("Int64")
        hidden = np.full(len(public), some_small) | (counts < rules.min_respondents_mean).fillna(
            True
        ).to_numpy(bool)
        public["n_respondents"] = counts.mask(hidden)
    return public
