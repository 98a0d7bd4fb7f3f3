"""Which items moved away from the others at the start, among exposed relations and among comparisons.

Four groups of ratings, exposed relations and comparisons before and after, are measured with everything
equal but one item's loading and intercept (all its thresholds together), which differ in each group. How that
item changed among the exposed is then set beside how it changed among the comparisons: what moved everywhere
is drift, and what moved more among the exposed is a shift. Levels of the two sides before the start, and
drift of other items, are in both and cancel out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.stats import f as fisher
from scipy.stats import t as student

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.structural.cfa import cfa
from relcap_models.psychometrics.structural.invariance import LEVELS
from relcap_models.psychometrics.structural.invariance_models import (
    freed_parameters,
    model_at,
    read_design,
)
from relcap_models.psychometrics.structural.result import CfaResult
from relcap_models.psychometrics.survey.answers import Answers, merge_rare
from relcap_models.psychometrics.survey.equality import SIGNIFICANT
from relcap_models.psychometrics.survey.measurement import FactorModel, factor_model

GROUPS = ("exposed before", "exposed after", "comparison before", "comparison after")
"""The first is the reference: latent means are in its standard deviations."""
SHIFT = (-1.0, 1.0, 1.0, -1.0)
"""The change of the exposed minus that of comparisons."""
DRIFT = (0.0, 0.0, -1.0, 1.0)
"""The change of comparisons."""
_ACTIVE = LEVELS[: LEVELS.index("intercepts") + 1]


@dataclass(frozen=True)
class Move:
    """How far an item moved from the others, in standard deviations of its residual before the start.

    intercept : of the answers for the same latent level · p : of intercept and loading together (F test)
    """

    item: str
    intercept: float
    lower: float
    upper: float
    p: float


@dataclass(frozen=True)
class FourGroups:
    """Ratings of `GROUPS`, measured.

    table : (rating, item) in the names of the model's syntax · group, cluster : (rating,)
    """

    model: FactorModel
    table: pd.DataFrame
    group: pd.Series
    cluster: pd.Series

    @cached_property
    def _fits(self) -> dict[frozenset[str], CfaResult]:
        return {}

    @property
    def df(self) -> int:
        """Degrees of freedom of t and F: clusters less one, since errors are theirs."""
        return int(self.cluster.nunique()) - 1

    def fit(self, free: Sequence[str] = ()) -> CfaResult:
        """All equal but the loadings and intercepts of some items, by their names in the syntax.

        Raises
        ------
        DataError, FitError
            As `cfa`.
        """
        key = frozenset(free)
        if key not in self._fits:
            syntax = self.model.syntax
            design = read_design(syntax, self.table, True, self.group, None, "listwise")
            freed = freed_parameters([line for code in free for line in self._lines(code)], design)
            self._fits[key] = cfa(
                model_at(design, _ACTIVE, freed),
                self.table,
                ordered=True,
                estimator="WLSMV",
                parameterization="theta",
                group=self.group,
                cluster=self.cluster,
            )
        return self._fits[key]

    def factor_of(self, code: str) -> str:
        item = self.model.items[code]
        return next(f for f, d in self.model.dimensions.items() if item in self.model.factors[d])

    def may(self, code: str, free: Iterable[str]) -> bool:
        """Whether this item may be freed as well: fewer than half of a dimension's are."""
        factor = self.factor_of(code)
        size = len(self.model.factors[self.model.dimensions[factor]])
        mine = [other for other in free if self.factor_of(other) == factor]
        return code not in free and 2 * (len(mine) + 1) < size

    def move(self, code: str, contrast: Sequence[float], free: Sequence[str], *, ci_prob: float) -> Move:
        """Of one item, freed beside the others that are free already."""
        fit = self.fit([*free, code])
        keys = [(code, "~1", ""), (self.factor_of(code), "=~", code)]
        value, covariance = contrasts(fit, [(key, contrast) for key in keys])
        half = student.ppf((1 + ci_prob) / 2, self.df) * np.sqrt(covariance[0, 0])
        statistic = float(value @ np.linalg.solve(covariance, value)) / len(keys)
        p = float(fisher.sf(statistic, len(keys), self.df))
        return Move(self.model.items[code], value[0], value[0] - half, value[0] + half, p)

    def moves(self, contrast: Sequence[float], *, ci_prob: float) -> tuple[list[Move], list[str]]:
        """Of the items, and the names in the syntax of those that moved.

        Items are freed one at a time, that with the smallest p as long as it is below .05 over the number of
        items. The others are measured beside those; where none of a dimension may be freed any more, those
        left are what the dimension is measured by, and have no row.
        """
        freed: dict[str, Move] = {}
        while True:
            candidates = [code for code in self.model.items if self.may(code, freed)]
            now = {code: self.move(code, contrast, [*freed], ci_prob=ci_prob) for code in candidates}
            first = min(now, key=lambda code: now[code].p, default=None)
            if first is None or now[first].p >= SIGNIFICANT / len(self.model.items):
                break
            freed[first] = now[first]
        found = freed | now
        return [found[code] for code in self.model.items if code in found], [*freed]

    def _lines(self, code: str) -> tuple[str, str]:
        return f"{self.factor_of(code)} =~ {code}", f"{code} ~ 1"


def four_groups(answers: Answers, split: str) -> FourGroups | None:
    """The ratings of `GROUPS`, which `split` of `about` names; None where one of them is too small."""
    model, _ = factor_model(answers.dimensions)
    if model is None or not set(GROUPS) <= set(answers.large_groups(split)):
        return None
    items, _ = merge_rare(answers.items, answers.about[split])
    return FourGroups(model, model.table(items), answers.about[split], answers.about["rater_unit"])


def contrasts(
    fit: CfaResult, asked: Sequence[tuple[tuple[str, str, str], Sequence[float]]]
) -> tuple[np.ndarray, np.ndarray]:
    """Sums over `GROUPS` of parameters with these weights, and their covariance."""
    table, order = fit.fit.table, [fit.groups.index(group) + 1 for group in GROUPS]
    value, weights = np.zeros(len(asked)), np.zeros((len(asked), len(fit.fit.theta)))
    for k, ((lhs, op, rhs), weight_of_group) in enumerate(asked):
        same = table[(table["lhs"] == lhs) & (table["op"] == op) & (table["rhs"] == rhs)].set_index("group")
        for group, weight in zip(order, weight_of_group):
            value[k] += weight * same.loc[group, "est"]
            if same.loc[group, "free"] > 0:
                weights[k, int(same.loc[group, "free"]) - 1] += weight
    return value, weights @ fit.fit.vcov @ weights.T


def tried(make: Callable[[], object]) -> object | None:
    """What cannot be estimated is None."""
    try:
        return make()
    except (DataError, FitError, np.linalg.LinAlgError):
        return None
