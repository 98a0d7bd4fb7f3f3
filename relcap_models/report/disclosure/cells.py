"""What one wave of one instrument can publish, as sums over base cells.

A base cell is rater unit × target unit × item. Every published naive mean is a sum of answers over base cells
divided by a known count; every posterior mean that the package publishes is a weighted mean over the same
base cells. Weights do not matter for what an attacker can solve for as long as a relation enters the row and
the column of the matrix with proportional weights (scaling an unknown does not change whether it is
determined), so one 0/1 incidence matrix stands for the sums, the means and the posterior means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from relcap_models.report.disclosure.favourable import favourable_range
from relcap_models.report.disclosure.rules import Group

OVERALL = "overall"
LEAVES = ("relation", "within", "item")

FIGURES = ("n_answers", "total", "n_favourable", "lowest", "highest", "minimum", "maximum", "favourable_from")

Key = tuple[str, str, str, str]
"""(kind, rater unit, target unit, dimension or item). Kinds: `relation`, `within` (own unit, own staff),
`item`
(of a relation or own unit), `as_rater`, `seen_by`, `total` and `total_within` (organisation), `items` and
`items_within` (one item, organisation). Units that the kind sums over are empty strings."""


@dataclass(frozen=True)
class Family:
    """A row that is the sum of others. In a `nested` family hiding the parent hides the children."""

    parent: int
    children: np.ndarray
    nested: bool


@dataclass(frozen=True)
class Cells:
    """One wave of one instrument: rows that may be published, and the base cells they sum.

    keys : (row,) and `index` its inverse · incidence : (row, base), 0/1
    groups : the facts that decide whether each row is reportable, fields of shape (row,)
    base : `rater_unit, target_unit, item` of each base cell
    figures : (base,) each of `FIGURES`; `total` is the sum of answers, `minimum` and `maximum` are the ends
        of the response scale, `favourable_from` its lowest favourable answer
    scales : (scale, 3) the different minimum, maximum and favourable_from · scale_of : (base,) which of them
    respondents_of : (base,) arrays of respondent codes · lone : (base,) the rater unit has one respondent
    leaders_of : (base,) leaders of the unit, if the instrument is about leaders
    families_of : row → families it is a child of
    """

    keys: tuple[Key, ...]
    index: Mapping[Key, int]
    incidence: sparse.csr_array
    groups: Group
    base: pd.DataFrame
    figures: Mapping[str, np.ndarray]
    scales: np.ndarray
    scale_of: np.ndarray
    respondents_of: tuple[np.ndarray, ...]
    lone: np.ndarray
    leaders_of: np.ndarray | None
    families: tuple[Family, ...]
    families_of: Mapping[int, tuple[int, ...]]

    def columns(self, rows: Iterable[int]) -> np.ndarray:
        """The base cells that any of the rows sums."""
        pieces = [
            self.incidence.indices[self.incidence.indptr[r] : self.incidence.indptr[r + 1]] for r in rows
        ]
        return np.unique(np.concatenate(pieces)) if pieces else np.empty(0, dtype=int)

    def group(self, columns: np.ndarray) -> Group:
        """The facts about the answers of some base cells taken together."""
        people = np.concatenate([self.respondents_of[c] for c in columns])
        n_answers = self.figures["n_answers"][columns]
        leaders = np.inf
        if self.leaders_of is not None:
            units = self.base["target_unit"].to_numpy()[columns][n_answers > 0]
            leaders = float(
                self.leaders_of[columns][n_answers > 0][np.unique(units, return_index=True)[1]].sum()
            )
        scale = self.scale_of[columns]
        of_scale = np.bincount(scale, n_answers, minlength=len(self.scales))
        fewest, most = favourable_range(
            of_scale[None], self.figures["total"][columns].sum()[None], *self.scales.T
        )
        return Group(
            n_respondents=int(np.unique(people).size),
            lowest=float(self.figures["lowest"][columns].min()),
            highest=float(self.figures["highest"][columns].max()),
            n_answers=float(n_answers.sum()),
            n_favourable=float(self.figures["n_favourable"][columns].sum()),
            fewest_favourable=float(fewest[0]),
            most_favourable=float(most[0]),
            n_leaders=leaders,
        )
