"""Regression of relation means with a coefficient for each exposure of each pair of cohorts in each wave.

Relations keep their level, waves have theirs, and no coefficient is shared by exposures that could differ: so
whatever is exposed is compared only with relations that are not (Wooldridge 2021, *Two-way fixed effects, the
two-way Mundlak regression, and difference-in-differences estimators*). Errors go together wherever relations
share a unit, or a district where districts were assigned (Aronow, Samii & Assenova 2015).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import t as student

from relcap_models.estimands.programme_effect.comparisons.relation_regression import (
    ENDS,
    largest_variance,
    regress,
)
from relcap_models.estimands.programme_effect.comparisons.relation_waves import BASE, CHANGE

PARTS = ["estimand", "cohort_rater", "cohort_target", "group", "event", "wave"]
ROUNDING = 1e-8
"""A standard error below this share of the outcome's spread is rounding."""


@dataclass(frozen=True)
class Saturated:
    """Coefficients of the regression.

    parts : a row for each, with `PARTS` and n, the relation-waves it stands for
    estimate : (part,) in points · covariances : (kind, part, part), see `RelationRegression`
    rows : what it was estimated from, with `part` (−1 for rows that are not exposed)
    n_clusters : at either end · scale : sd of the outcome
    """

    parts: pd.DataFrame
    estimate: np.ndarray
    covariances: np.ndarray
    rows: pd.DataFrame
    n_clusters: int
    scale: float

    @property
    def df(self) -> int:
        """Degrees of freedom of t and F."""
        return max(self.n_clusters - 1, 1)

    def average(self, weights: np.ndarray, *, ci_prob: float) -> pd.DataFrame:
        """`estimate, se, lower, upper, p` of weighted sums of coefficients. weights : (part, sum)."""
        estimate, se = weights.T @ self.estimate, np.sqrt(largest_variance(self.covariances, weights))
        # Relations that change exactly alike leave rounding, of which nothing can be said.
        se = np.where(se > ROUNDING * self.scale, se, np.nan)
        half = student.ppf((1 + ci_prob) / 2, self.df) * se
        p = 2 * student.sf(np.abs(estimate) / se, self.df)
        return pd.DataFrame(
            {"estimate": estimate, "se": se, "lower": estimate - half, "upper": estimate + half, "p": p}
        )

    def covariance(self, weights: np.ndarray) -> np.ndarray:
        """(sum, sum) covariance of weighted sums: dyadic correlations, and the variances of `average`."""
        dyadic = _positive(weights.T @ self.covariances[0] @ weights)
        spread = np.sqrt(np.diag(dyadic))
        correlation = dyadic / np.where(np.outer(spread, spread) > 0, np.outer(spread, spread), 1)
        # What is left of a dyadic variance can be nothing, which correlates with nothing.
        np.fill_diagonal(correlation, 1)
        se = np.sqrt(largest_variance(self.covariances, weights))
        return correlation * np.outer(se, se)

    def of(self, parts: np.ndarray) -> Saturated:
        """Some of the coefficients."""
        return replace(
            self,
            parts=self.parts.iloc[parts].reset_index(drop=True),
            estimate=self.estimate[parts],
            covariances=self.covariances[:, parts][:, :, parts],
        )


def saturated(rows: pd.DataFrame, *, outcome: str, errors: bool = True) -> Saturated:
    """Estimate what each exposure of each pair of cohorts did in each wave.

    rows : of `relation_waves`; those whose `estimand` is empty say what would have been without the programme
    errors : False leaves the covariances out, which is faster

    Exposed rows are left out where their relation or their wave is not tied to others by rows that are not
    exposed: nothing says what they would have been. A single group has no wave effects.
    """
    rows = _identified(rows[rows[outcome].notna()])
    exposed = (rows["estimand"] != BASE).to_numpy()
    parts = rows[exposed].groupby(PARTS, sort=True).size().rename("n").reset_index()
    part = np.full(len(rows), -1)
    if len(parts):
        part[exposed] = rows[exposed].groupby(PARTS, sort=True).ngroup()
    rows = rows.assign(part=part)
    waves = np.unique(rows["wave"])[1:] if not (rows["estimand"] == CHANGE).any() else []
    n_clusters, mine = len(np.unique(rows[list(ENDS)])), slice(len(waves), None)
    if parts.empty:
        return Saturated(parts, np.zeros(0), np.zeros((1, 0, 0)), rows, n_clusters, 0.0)
    design = np.column_stack(
        [
            *(rows["wave"].to_numpy() == wave for wave in waves),
            *(part == one for one in range(len(parts))),
        ]
    ).astype(float)
    found = regress(rows, design, outcome=outcome, errors=errors)
    covariances = found.covariances[:, mine, mine]
    scale = float(np.std(rows[outcome]))
    return Saturated(parts, found.estimate[mine], covariances, rows, n_clusters, scale)


def _positive(covariance: np.ndarray) -> np.ndarray:
    """Its positive part (Cameron, Gelbach & Miller 2011): a dyadic variance can come out negative."""
    if np.isnan(covariance).any():
        return covariance
    roots, vectors = np.linalg.eigh(covariance)
    return (vectors * roots.clip(0)) @ vectors.T


def _identified(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows that unexposed rows tie together: the largest set of relations and waves joined by these.

    In it an unexposed outcome is known of every relation in every wave, up to error; and a relation with one
    row says nothing.
    """
    base = rows[rows["estimand"] == BASE]
    if base.empty:
        return base
    relations, relation = np.unique(base["relation"], return_inverse=True)
    waves, wave = np.unique(base["wave"], return_inverse=True)
    n = len(relations) + len(waves)
    if (rows["estimand"] == CHANGE).any():
        kept_relations, kept_waves = set(relations), set(rows["wave"])
    else:
        ties = coo_array((np.ones(len(base)), (relation, len(relations) + wave)), shape=(n, n))
        _, member = connected_components(ties, directed=False)
        largest = np.bincount(member[relation]).argmax()
        kept_relations = set(relations[member[: len(relations)] == largest])
        kept_waves = set(waves[member[len(relations) :] == largest])
    kept = rows[rows["relation"].isin(kept_relations) & rows["wave"].isin(kept_waves)]
    several = kept.groupby("relation")["wave"].transform("size") > 1
    return kept[several].reset_index(drop=True)
