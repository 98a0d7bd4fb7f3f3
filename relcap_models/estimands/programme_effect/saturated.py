"""Regression of relation means with a coefficient for each exposure of each pair of cohorts in each wave.

Relations keep their level, waves have theirs, and no coefficient is shared by exposures that could differ: so
whatever is exposed is compared only with relations that are not (Wooldridge 2021, *Two-way fixed effects, the
two-way Mundlak regression, and difference-in-differences estimators*). Errors go together wherever relations
share a unit, or a district where districts were assigned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import t as student

from relcap_models.differences import dyadic_ols
from relcap_models.estimands.programme_effect.relation_waves import BASE, CHANGE

PARTS = ["estimand", "cohort_rater", "cohort_target", "group", "event", "wave"]
ENDS = ("cluster_rater", "cluster_target")
LEAST_CLUSTERS = 3
ROUNDING = 1e-16
"""A variance below this share of the outcome's own is rounding."""


@dataclass(frozen=True)
class Saturated:
    """Coefficients of the regression.

    parts : a row for each, with `PARTS` and n, the relation-waves it stands for
    estimate : (part,) in points · covariance : (part, part), blank where clusters are too few to know it
    rows : what it was estimated from, with `part` (−1 for rows that are not exposed)
    n_clusters : at either end · scale : sd of the outcome
    """

    parts: pd.DataFrame
    estimate: np.ndarray
    covariance: np.ndarray
    rows: pd.DataFrame
    n_clusters: int
    scale: float

    def average(self, weights: np.ndarray, *, ci_prob: float) -> pd.DataFrame:
        """`estimate, se, lower, upper, p` of weighted sums of coefficients. weights : (part, sum)."""
        estimate = weights.T @ self.estimate
        variance = np.einsum("ps,pq,qs->s", weights, self.covariance, weights)
        if (variance < 0).any():
            other = np.einsum("ps,pq,qs->s", weights, positive(self.covariance), weights)
            variance = np.where(variance < 0, other, variance)
        # Relations that change exactly alike leave rounding, of which nothing can be said.
        se = np.sqrt(np.where(variance > ROUNDING * self.scale**2, variance, np.nan))
        free = max(self.n_clusters - 1, 1)
        half = student.ppf((1 + ci_prob) / 2, free) * se
        p = 2 * student.sf(np.abs(estimate) / se, free)
        return pd.DataFrame(
            {"estimate": estimate, "se": se, "lower": estimate - half, "upper": estimate + half, "p": p}
        )

    def of(self, parts: np.ndarray) -> Saturated:
        """Some of the coefficients."""
        return replace(
            self,
            parts=self.parts.iloc[parts].reset_index(drop=True),
            estimate=self.estimate[parts],
            covariance=self.covariance[np.ix_(parts, parts)],
        )


def positive(covariance: np.ndarray) -> np.ndarray:
    """The positive part of a covariance: with few units a dyadic variance can come out negative.

    Source: Cameron, Gelbach & Miller (2011), J. Business & Economic Statistics 29, 238-249, section 2.3.
    """
    roots, vectors = np.linalg.eigh(covariance)
    return (vectors * roots.clip(0)) @ vectors.T


def saturated(rows: pd.DataFrame, *, outcome: str, ci_prob: float, errors: bool = True) -> Saturated:
    """Estimate what each exposure of each pair of cohorts did in each wave.

    rows : of `relation_waves`; those whose `estimand` is empty say what would have been without the programme
    errors : False leaves the covariance out, which is faster

    Exposed rows are left out where their relation or their wave is not tied to others by rows that are not
    exposed: nothing says what they would have been. A single group has no wave effects.
    """
    rows = _identified(rows[rows[outcome].notna()])
    exposed = (rows["estimand"] != BASE).to_numpy()
    parts = rows[exposed].groupby(PARTS, sort=True).size().rename("n").reset_index()
    position = pd.Series(np.arange(len(parts)), index=pd.MultiIndex.from_frame(parts[PARTS]))
    part = np.full(len(rows), -1)
    if len(parts):
        part[exposed] = position.reindex(pd.MultiIndex.from_frame(rows.loc[exposed, PARTS])).to_numpy()
    rows = rows.assign(part=part)
    n_clusters, scale = len(np.unique(rows[list(ENDS)])), float(np.std(rows[outcome]))
    unknown = np.full((len(parts), len(parts)), np.nan)
    if parts.empty:
        return Saturated(parts, np.zeros(0), unknown, rows, n_clusters, scale)
    waves = np.unique(rows["wave"])[1:] if not (rows["estimand"] == CHANGE).any() else []
    design = np.column_stack(
        [
            *(rows["wave"].to_numpy() == wave for wave in waves),
            *(part == one for one in range(len(parts))),
        ]
    ).astype(float)
    if not errors or n_clusters < LEAST_CLUSTERS:
        estimate = _least_squares(rows[outcome].to_numpy(), design, rows["relation"].to_numpy())
        return Saturated(parts, estimate[len(waves) :], unknown, rows, n_clusters, scale)
    names = [str(k) for k in range(design.shape[1])]
    table = pd.DataFrame(design, columns=names).assign(
        y=rows[outcome].to_numpy(), **{name: rows[name].to_numpy() for name in (*ENDS, "relation")}
    )
    found = dyadic_ols(table, outcome="y", regressors=names, units=ENDS, absorb="relation", ci_prob=ci_prob)
    mine = names[len(waves) :]
    return Saturated(
        parts,
        found.table.set_index("term").loc[mine, "estimate"].to_numpy(),
        found.covariance.loc[mine, mine].to_numpy(),
        rows,
        n_clusters,
        scale,
    )


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


def _least_squares(y: np.ndarray, design: np.ndarray, relation: np.ndarray) -> np.ndarray:
    code, _ = pd.factorize(relation)
    values = np.column_stack([y, design])
    count = np.bincount(code)
    means = np.column_stack([np.bincount(code, column) / count for column in values.T])
    deviations = values - means[code]
    return np.linalg.lstsq(deviations[:, 1:], deviations[:, 0], rcond=None)[0]
