"""Relations as pairs in compiled code: sums, differences and one-sided relations, and back.

`order` (R,) lists relations: the first of each of n pairs, then their partners, then those without one.
Arrays of relations are (R, k), those of sums and of differences (n, k), of one-sided relations (R − 2n, k).
"""

from __future__ import annotations

import math

from numba import njit

_compiled = njit(cache=True, no_cfunc_wrapper=True, error_model="numpy")


@_compiled
def spreads_of_pairs(sd, share, spreads):
    """Standard deviations (2, D) of sum and difference, from a relation's and the sum's share of variance."""
    for d in range(sd.shape[0]):
        spreads[0, d] = sd[d] * math.sqrt(share[d])
        spreads[1, d] = sd[d] * math.sqrt(1.0 - share[d])


@_compiled
def spreads_of_pairs_adjoint(sd, share, d_spreads, d_sd, d_share):
    """Add derivatives with respect to sd and share to d_sd and d_share."""
    for d in range(sd.shape[0]):
        root, other = math.sqrt(share[d]), math.sqrt(1.0 - share[d])
        d_sd[d] += d_spreads[0, d] * root + d_spreads[1, d] * other
        d_share[d] += 0.5 * sd[d] * (d_spreads[0, d] / root - d_spreads[1, d] / other)


@_compiled
def split_pairs(relations, order, share, together, apart, alone):
    """Weighted sums and differences of pairs, and one-sided relations as they are.

    share : (2, n, k) weight of each direction of a pair
    """
    n = together.shape[0]
    for p in range(n):
        for i in range(relations.shape[1]):
            first = share[0, p, i] * relations[order[p], i]
            second = share[1, p, i] * relations[order[n + p], i]
            together[p, i], apart[p, i] = first + second, first - second
    for p in range(alone.shape[0]):
        for i in range(relations.shape[1]):
            alone[p, i] = relations[order[2 * n + p], i]


@_compiled
def split_pairs_adjoint(d_together, d_apart, d_alone, order, share, d_relations):
    """Reverse of `split_pairs`."""
    n = d_together.shape[0]
    for p in range(n):
        for i in range(d_relations.shape[1]):
            d_relations[order[p], i] = share[0, p, i] * (d_together[p, i] + d_apart[p, i])
            d_relations[order[n + p], i] = share[1, p, i] * (d_together[p, i] - d_apart[p, i])
    for p in range(d_alone.shape[0]):
        for i in range(d_relations.shape[1]):
            d_relations[order[2 * n + p], i] = d_alone[p, i]


@_compiled
def join_pairs(together, apart, alone, order, relations):
    """Relations as together ± apart, or alone, less their mean."""
    n = together.shape[0]
    for i in range(relations.shape[1]):
        # The sign of a difference depends on an arbitrary order of the two units: only sums are centred.
        mean = 0.0
        for p in range(n):
            mean += 2.0 * together[p, i]
        for p in range(alone.shape[0]):
            mean += alone[p, i]
        mean /= order.shape[0]
        for p in range(n):
            relations[order[p], i] = together[p, i] - mean + apart[p, i]
            relations[order[n + p], i] = together[p, i] - mean - apart[p, i]
        for p in range(alone.shape[0]):
            relations[order[2 * n + p], i] = alone[p, i] - mean


@_compiled
def join_pairs_adjoint(d_relations, order, d_together, d_apart, d_alone):
    """Reverse of `join_pairs`."""
    n = d_together.shape[0]
    for i in range(d_relations.shape[1]):
        mean = 0.0
        for r in range(order.shape[0]):
            mean += d_relations[r, i]
        mean /= order.shape[0]
        for p in range(n):
            first, second = d_relations[order[p], i], d_relations[order[n + p], i]
            d_together[p, i], d_apart[p, i] = first + second - 2.0 * mean, first - second
        for p in range(d_alone.shape[0]):
            d_alone[p, i] = d_relations[order[2 * n + p], i] - mean
