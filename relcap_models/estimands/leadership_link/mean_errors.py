"""How far means of cells are off: by which respondents answered, and by what is particular to relations.

Every error covariance is a sum of patterns, each times one covariance that is pooled over all units: how two
ratings of one respondent covary around their cells' means, and how effects of one relation, or of the two
relations of a pair, covary around what the units at both ends explain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.sparse import coo_array, csr_array, vstack

from relcap_models.estimands.leadership_link.unit_means import PERCEIVER, Cells, UnitMeans
from relcap_models.models.frame import Frame


@dataclass(frozen=True)
class Errors:
    """Error covariance of cell means: Σ covariance[k] · patterns[k].

    patterns : K sparse (C, C) · covariance : (K,) · by_unit : (K, U) by how much each unit's answers move
    each pooled covariance (they sum to 0) · pooled_over : by facet, respondents beyond one in
    each cell, 0 where no cell has two
    """

    patterns: tuple[csr_array, ...]
    covariance: np.ndarray
    by_unit: np.ndarray
    pooled_over: np.ndarray

    @cached_property
    def total(self) -> csr_array:
        """(C, C) error covariance of all cell means."""
        return sum(v * p for v, p in zip(self.covariance, self.patterns)).tocsr()


def error_covariances(means: UnitMeans, score: np.ndarray) -> Errors:
    """Errors of respondents, and of relations where units rate others."""
    errors = _of_respondents(means.frame, means.cells, score)
    return _with_relations(means, errors) if len(means.cells.relations) else errors


def _of_respondents(frame: Frame, cells: Cells, score: np.ndarray) -> Errors:
    """Covariances of two ratings by one respondent: by facets, in one wave or two, of one target or two.

    Deviations from cell means have a known share of the covariance around the true means, so that sums of
    products divided by sums of shares are unbiased, whatever the numbers of respondents.
    """
    one, two = _pairs_of_respondents(frame, cells)
    c, d = cells.of_rating[one], cells.of_rating[two]
    deviation = score - cells.mean[cells.of_rating]
    # Hashing: there may be millions of pairs, which sorting would take long for.
    pair = pd.factorize(c * len(cells.n) + d)[0]
    n_both = np.bincount(pair)[pair]
    share = 1 - 1 / cells.n[c] - 1 / cells.n[d] + n_both / (cells.n[c] * cells.n[d])
    # Who moves takes the same leniency along: ratings of two own units are as of one.
    own = cells.rater == cells.target
    apart = (cells.target[c] != cells.target[d]) & ~(own[c] & own[d])
    low, high = np.minimum(cells.facet[c], cells.facet[d]), np.maximum(cells.facet[c], cells.facet[d])
    label = 4 * (low * len(frame.facets) + high) + 2 * (cells.wave[c] != cells.wave[d]) + apart
    kind, labels = pd.factorize(label)
    product = deviation[one] * deviation[two]
    totals = np.bincount(kind, share)
    covariance = np.where(totals > 1e-9, np.bincount(kind, product) / np.maximum(totals, 1e-9), 0.0)
    by_unit = np.zeros((len(labels), len(frame.units)))
    moved = (product - covariance[kind] * share) / np.maximum(totals, 1e-9)[kind]
    np.add.at(by_unit, (kind, cells.rater[c]), moved)
    weight = 1 / (cells.n[c] * cells.n[d])
    shape = (len(cells.n), len(cells.n))
    patterns = tuple(
        coo_array((weight[here], (c[here], d[here])), shape=shape).tocsr()
        for here in (np.flatnonzero(kind == k) for k in range(len(labels)))
    )
    freedom = np.bincount(cells.facet, cells.n - 1, minlength=len(frame.facets))
    return Errors(patterns, covariance, by_unit, freedom)


def _pairs_of_respondents(frame: Frame, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """All ordered pairs of scored ratings by one respondent, each with itself included."""
    scored = np.flatnonzero(cells.of_rating >= 0)
    order = scored[np.argsort(frame.respondent_of_rating[scored], kind="stable")]
    _, first, count = np.unique(frame.respondent_of_rating[order], return_index=True, return_counts=True)
    each, start = np.repeat(count, count), np.repeat(first, count)
    one = np.repeat(np.arange(len(order)), each)
    begin = np.cumsum(each) - each
    two = np.arange(len(one)) - np.repeat(begin, each) + np.repeat(start, each)
    return order[one], order[two]


def _with_relations(means: UnitMeans, errors: Errors) -> Errors:
    """Add what is particular to relations, from what units at both ends and respondents leave unexplained.

    The sums of products of residuals over each pattern equal their expectations, which are linear in the
    covariances: the social relations model's analysis of variance (Warner, Kenny & Stoto 1979) for designs
    in which not everybody rates everybody.
    """
    cells = means.cells
    patterns = _relation_patterns(cells)
    fit, design, at = _least_squares(means)
    parts = [p[at][:, at] for p in patterns]
    mean = cells.mean[at]
    residual = mean - design @ (fit @ mean)
    noise = errors.total[at][:, at]
    inner = [_inner(fit, p, design) for p in (*parts, noise)]

    def expected(k: int, other: int) -> float:
        """Sum of products over pattern k of residuals of errors with the other pattern's covariance."""
        a, b = parts[k], (*parts, noise)[other]
        product = a @ b
        whole = product.trace() - 2 * (fit @ product).multiply(design.T).sum()
        return float(whole + (inner[k] * inner[other].T).sum())

    every = range(len(parts))
    system = np.array([[expected(k, other) for other in every] for k in every])
    right = np.array([residual @ (parts[k] @ residual) - expected(k, len(parts)) for k in every])
    # Without degrees of freedom beyond the units' own nothing is particular to relations.
    found = np.linalg.lstsq(system, right, rcond=1e-9)[0]
    nothing = np.zeros((len(patterns), errors.by_unit.shape[1]))
    return Errors(
        (*errors.patterns, *patterns),
        np.concatenate([errors.covariance, found]),
        np.vstack([errors.by_unit, nothing]),
        errors.pooled_over,
    )


def _relation_patterns(cells: Cells) -> tuple[csr_array, ...]:
    """Cells of one relation and of the two relations of a pair, in one wave and in two."""
    at = cells.relations
    low, high = np.minimum(cells.rater, cells.target)[at], np.maximum(cells.rater, cells.target)[at]
    pair = np.unique(np.column_stack([low, high]), axis=0, return_inverse=True)[1]
    member = coo_array((np.ones(len(at)), (pair, at)), shape=(pair.max() + 1, len(cells.n))).tocsr()
    alike = (member.T @ member).tocoo()
    row, column = alike.coords
    kind = 2 * (cells.wave[row] != cells.wave[column]) + (cells.rater[row] != cells.rater[column])
    parts = (np.flatnonzero(kind == k) for k in range(4))
    return tuple(
        coo_array((np.ones(len(p)), (row[p], column[p])), shape=alike.shape).tocsr() for p in parts if len(p)
    )


def _least_squares(means: UnitMeans) -> tuple[csr_array, csr_array, np.ndarray]:
    """Weights (end, relation) of the units' sides, the design (relation, end), and the relations fitted."""
    cells, n_rows, n_waves = means.cells, len(means.value), len(means.frame.waves)
    weights = vstack([means.maps[means.frame.facets[0]], means.maps[PERCEIVER]]).tocsr()
    fitted = np.diff(means.maps[PERCEIVER].indptr) > 0
    at = cells.relations
    at = at[fitted[cells.rater[at] * n_waves + cells.wave[at]]]
    ends = np.column_stack([cells.target[at], cells.rater[at]]) * n_waves
    ends += cells.wave[at][:, None] + [0, n_rows]
    row = np.repeat(np.arange(len(at)), 2)
    design = coo_array((np.ones(2 * len(at)), (row, ends.ravel())), shape=(len(at), 2 * n_rows)).tocsr()
    return weights[:, at], design, at


def _inner(fit: csr_array, pattern: csr_array, design: csr_array) -> np.ndarray:
    return ((fit @ pattern) @ design).toarray()
