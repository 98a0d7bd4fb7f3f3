"""Disclosure control of the tables `leadership_*`.

Links are regressions over all units and say nothing of a single one. Where each unit lies is told as its
scores are: a unit's leadership and how others see it are figures of the same rows as in `unit_scores`, of
every wave, and are hidden where any of those is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from relcap_models.report.disclosure.cells import OVERALL
from relcap_models.report.disclosure.decide import Shown, Verdict
from relcap_models.report.disclosure.layout import Place

PREFIX = "leadership_"
UNITS = "leadership_units"
_ABOUT = ("analysis", "unit", "predictor", "outcome")
_HEADCOUNTS = ("n_units", "n_respondents")


def instrument_and_dimension(facet: str, instruments: Sequence[str]) -> tuple[str, str]:
    """`relational_leadership.framing` is a dimension of an instrument, its id alone all items of it."""
    if facet in instruments:
        return facet, OVERALL
    instrument = max((i for i in instruments if facet.startswith(f"{i}.")), key=len)
    return instrument, facet.removeprefix(f"{instrument}.")


def links_shown(
    tables: Mapping[str, pd.DataFrame],
    shown: dict[str, Shown],
    instruments: Sequence[str],
    waves: Sequence[str],
) -> None:
    """Add the instruments of every link, and the rows that tell where units lie, to what is shown."""
    table = tables.get("leadership_link")
    if table is not None:
        for facet in {*table["predictor"].astype(str), *table["outcome"].astype(str)}:
            shown.setdefault(instrument_and_dimension(facet, instruments)[0], Shown())
    for row in _rows(tables):
        for instrument, places in _places(row, instruments, waves).items():
            shown[instrument].rows.update(places)


def verdicts_of_links(
    tables: Mapping[str, pd.DataFrame], verdicts: Mapping[str, Verdict]
) -> dict[str, Verdict]:
    """What messages of each link must not tell: what those about any of its instruments must not.

    Items are named after their instrument, as in the link's model. The table of checks names a link with its
    version, `leadership_link (same)`: what must not be told is the same of all of them.
    """
    found: dict[str, Verdict] = {}
    checks = tables.get("checks", pd.DataFrame(columns=["analysis"]))
    labels = checks["analysis"].astype(str).unique()
    table = tables.get("leadership_link", pd.DataFrame(columns=["analysis", "predictor", "outcome"]))
    for analysis, rows in table.groupby(table["analysis"].astype(str)):
        whole = Verdict()
        found |= {label: whole for label in labels if label.partition(" (")[0] == analysis}
        facets = {*rows["predictor"].astype(str), *rows["outcome"].astype(str)}
        for instrument in {instrument_and_dimension(facet, list(verdicts))[0] for facet in facets}:
            about = verdicts[instrument]
            whole.hidden_items |= {f"{instrument}.{item}" for item in about.hidden_items}
            whole.small_units |= about.small_units
            whole.hidden_pairs |= about.hidden_pairs
    return found


def hide_links(
    name: str,
    table: pd.DataFrame,
    verdicts: Mapping[str, Verdict],
    waves: Sequence[str],
    *,
    some_small: bool,
) -> pd.DataFrame:
    """One table with what must stay hidden blank.

    some_small : numbers of everybody would tell a small unit's
    """
    public = table.copy()
    if name != UNITS:
        for column in _HEADCOUNTS:
            if column in public:
                public[column] = public[column].astype("Int64").mask(np.full(len(public), some_small))
        return public
    hidden = table["suppressed"].to_numpy(bool) | np.array(
        [
            any(
                not verdicts[instrument].means.isdisjoint(places)
                for instrument, places in _places(row, list(verdicts), waves).items()
            )
            for row in _rows({UNITS: table})
        ],
        dtype=bool,
    )
    public["suppressed"] = hidden
    for column in public.columns.difference([*_ABOUT, "suppressed"]):
        values = public[column].astype("Int64") if column.startswith("n_") else public[column]
        public[column] = values.mask(hidden)
    return public


def _rows(tables: Mapping[str, pd.DataFrame]) -> Iterator[Mapping[str, str]]:
    table = tables.get(UNITS)
    if table is not None:
        yield from table[["unit", "predictor", "outcome"]].astype(str).to_dict("records")


def _places(
    row: Mapping[str, str], instruments: Sequence[str], waves: Sequence[str]
) -> dict[str, set[Place]]:
    """By instrument, the rows of `Cells` that one row of the table shows."""
    unit = row["unit"]
    predictor, dimension = instrument_and_dimension(row["predictor"], instruments)
    outcome, of_outcome = instrument_and_dimension(row["outcome"], instruments)
    return {
        predictor: {(wave, ("within", unit, unit, dimension)) for wave in waves},
        outcome: {(wave, ("seen_by", "", unit, of_outcome)) for wave in waves},
    }
