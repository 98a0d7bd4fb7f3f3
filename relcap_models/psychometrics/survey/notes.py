"""What a reader should know about a part of an examination."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pandas as pd

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.structural.clusters import FEW

COLUMNS = ("instrument", "split", "group", "topic", "subject", "detail")


@dataclass
class Notes:
    """Notes on one instrument, as rows of a table.

    topic : `not_estimated`, `merged` (categories taken together), `left_out` (items in no factor),
    `few_units` (too few rater units to know how they differ), `too_few_items` (for information), or `said`
    (what a function of this package had to say). subject : the part or item concerned. detail : in English,
    for analysts; it may count respondents.
    """

    instrument: str
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, split: str, group: str, topic: str, subject: str, detail: str) -> None:
        self.rows.append((self.instrument, split, group, topic, subject, detail))

    def count_units(self, split: str, group: str, rater_units: pd.Series) -> None:
        """Note where errors and tests, which take rater units as clusters, rest on few of them."""
        n = int(rater_units.nunique())
        if n < FEW:
            self.add(split, group, "few_units", "", str(n))

    @contextmanager
    def estimating(self, split: str, group: str, subject: str) -> Iterator[None]:
        """What cannot be estimated inside is noted, and the examination goes on without it."""
        try:
            yield
        except (DataError, FitError) as error:
            self.add(split, group, "not_estimated", subject, str(error))
