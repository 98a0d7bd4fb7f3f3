"""Log probability of each respondent's answers with the person's own effects integrated out, compiled.

The effects of one respondent are u (respondent, respondent × wave, respondent × target: shared by several
ratings) and one e for each rating. Given u the ratings are independent: small integrals inside a small one,

    p(y) = ∫ N(u) Π_n [ ∫ N(e) L_n(b_n + u_n + e) de ] du

Both are taken at nodes that are moved and scaled to the Gaussian approximation of their integrand (adaptive
quadrature: Naylor & Smith 1982; Rabe-Hesketh, Skrondal & Pickles 2005), found by Newton steps on all effects
together. Nodes are a Gauss–Hermite grid or, in many dimensions, quasi-random points; both come as standard
normal positions with log weights.
Whitened effects, u = Fζ with ζ standard normal, keep this stable where a standard deviation is close to 0.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from relcap_models.models.kernels import GAUSSIAN, PARTIAL_CREDIT, PROBIT, logit_cell, probit_cell

_compiled = njit(cache=True, nogil=True, error_model="numpy")
_N_GRID = 25
_LOG_2PI = math.log(2.0 * math.pi)


@_compiled
def _response(family, i, y, eta, loading, location, residual_sd, first, n_categories):
    """Log probability of one answer and minus its second derivative, with the slope between them."""
    load = loading[i]
    if family == GAUSSIAN:
        error = (y - location[i] - load * eta) / residual_sd[i]
        step = load / residual_sd[i]
        return -0.5 * (error * error + _LOG_2PI) - math.log(residual_sd[i]), step * error, step * step
    n, k = n_categories[i], int(y)
    if family == PARTIAL_CREDIT:
        score, top, chosen = 0.0, 0.0, 0.0
        for j in range(1, n):
            score += load * eta - location[first[i] + j - 1]
            top = max(top, score)
            if j == k:
                chosen = score
        mass, mean, square, score = math.exp(-top), 0.0, 0.0, 0.0
        for j in range(1, n):
            score += load * eta - location[first[i] + j - 1]
            p = math.exp(score - top)
            mass += p
            mean += j * p
            square += j * j * p
        mean /= mass
        variance = square / mass - mean * mean
        return chosen - top - math.log(mass), load * (k - mean), load * load * variance
    a = location[first[i] + k - 1] - load * eta if k > 0 else -math.inf
    b = location[first[i] + k] - load * eta if k < n - 1 else math.inf
    if family == PROBIT:
        value, below, above = probit_cell(a, b)
        slope = below - above
        curvature = slope * slope - (a * below if k > 0 else 0.0) + (b * above if k < n - 1 else 0.0)
    else:
        value, below, above = logit_cell(a, b)
        slope = below - above
        f, g = 1.0 / (1.0 + math.exp(-a)), 1.0 / (1.0 + math.exp(-b))
        curvature = f * (1.0 - f) + g * (1.0 - g)
    return value, load * slope, load * load * max(curvature, 0.0)


@_compiled
def _rating(n, d, eta, responses, parameters):
    """Sum of `_response` over the answers of rating n to the items of dimension d."""
    begin, item, answer, dimension = responses
    family, loading, location, residual_sd, first, n_categories = parameters
    value, slope, curvature = 0.0, 0.0, 0.0
    for m in range(begin[n], begin[n + 1]):
        i = item[m]
        if dimension[i] == d:
            v, s, c = _response(
                family, i, answer[m], eta, loading, location, residual_sd, first, n_categories
            )
            value += v
            slope += s
            curvature += c
    return value, slope, curvature


@_compiled
def _interpolate(table, k, start, width, eta):
    """Cubic Hermite interpolation of values and slopes on a grid: table (…, 2, grid)."""
    position = (eta - start) / width
    j = min(max(int(position), 0), _N_GRID - 2)
    t = position - j
    y0, y1 = table[k, 0, j], table[k, 0, j + 1]
    s0, s1 = table[k, 1, j] * width, table[k, 1, j + 1] * width
    return y0 + t * (s0 + t * (3 * (y1 - y0) - 2 * s0 - s1 + t * (2 * (y0 - y1) + s0 + s1)))


@_compiled
def _marginal(
    ratings, base, slots, factors, inner, outer_nodes, outer_weights, nodes, weights, responses, parameters
):
    """Log probability of one respondent's answers.

    ratings : (n,) the respondent's ratings · base : (N, D) everything but personal effects
    slots : (G, N) which of the respondent's own effects acts
    factors : (G, D, D), inner : (D, D) factors of covariances
    outer_nodes : (K, U), nodes : (J, D) standard normal positions, with log weights
    """
    n, n_dimensions = len(ratings), base.shape[1]
    size = outer_nodes.shape[1]
    v = np.zeros((n, n_dimensions))
    W, h = np.empty((n, n_dimensions)), np.empty((n, n_dimensions))
    load = np.zeros((n, n_dimensions, size))
    for r in range(n):
        for g in range(len(factors)):
            at = slots[g, ratings[r]] * n_dimensions
            load[r, :, at : at + n_dimensions] = factors[g]
    own, gain = np.empty((n, n_dimensions, n_dimensions)), np.empty((n, n_dimensions, n_dimensions))
    precision, mode = np.eye(size), np.zeros(size)
    for _ in range(25):
        precision[:] = np.eye(size)
        pull = np.zeros(size)
        for r in range(n):
            for d in range(n_dimensions):
                _, slope, W[r, d] = _rating(
                    ratings[r], d, base[ratings[r], d] + v[r, d], responses, parameters
                )
                h[r, d] = slope + W[r, d] * v[r, d]
            weighted = W[r].reshape(-1, 1) * inner
            own[r] = np.eye(n_dimensions) + inner.T @ weighted
            # ξ given u is gain·(h − W u_n): what the rating's own effect takes up.
            gain[r] = np.linalg.solve(own[r], inner.T)
            rest = np.diag(W[r]) - weighted @ gain[r] * W[r]
            precision += load[r].T @ rest @ load[r]
            pull += load[r].T @ (h[r] - weighted @ (gain[r] @ h[r]))
        mode = np.linalg.solve(precision, pull)
        change, step = 0.0, np.empty((n, n_dimensions))
        for r in range(n):
            shared = load[r] @ mode
            step[r] = shared + inner @ (gain[r] @ (h[r] - W[r] * shared)) - v[r]
            change = max(change, np.abs(step[r]).max())
        v += step * min(1.0, 2.0 / max(change, 1e-300))
        # Steps converge quadratically, and nodes need not lie exactly at the mode.
        if change < 0.01:
            break
    # Log likelihoods on a grid around the mode: an evaluation at a node costs an interpolation.
    table = np.empty((n * n_dimensions, 2, _N_GRID))
    start, width = np.empty(n * n_dimensions), np.empty(n * n_dimensions)
    for r in range(n):
        prior = load[r] @ load[r].T + inner @ inner.T
        for d in range(n_dimensions):
            k = r * n_dimensions + d
            reach = 4.5 / math.sqrt(W[r, d] + 1.0 / max(prior[d, d], 1e-12))
            start[k], width[k] = base[ratings[r], d] + v[r, d] - reach, 2.0 * reach / (_N_GRID - 1)
            for j in range(_N_GRID):
                table[k, 0, j], table[k, 1, j], _ = _rating(
                    ratings[r], d, start[k] + j * width[k], responses, parameters
                )
    # Nodes of each rating's own effect, around a mean that is linear in u.
    offsets = np.empty((n, len(nodes), n_dimensions))
    moves = np.empty((n, len(nodes), n_dimensions))
    constant = np.empty(n)
    for r in range(n):
        root = np.linalg.cholesky(own[r])
        constant[r] = -np.log(np.diag(root)).sum()
        offsets[r] = np.linalg.solve(root.T, np.ascontiguousarray(nodes.T)).T
        moves[r] = offsets[r] @ inner.T
    node_square = 0.5 * (nodes**2).sum(axis=1)
    root = np.linalg.cholesky(precision)
    shifts = np.linalg.solve(root.T, np.ascontiguousarray(outer_nodes.T)).T
    base_constant = -np.log(np.diag(root)).sum()
    zeta = mode + shifts
    terms = outer_weights + base_constant + 0.5 * ((outer_nodes**2).sum(axis=1) - (zeta**2).sum(axis=1))
    zeta = np.ascontiguousarray(zeta.T)
    for r in range(n):
        shared = load[r] @ zeta
        centre = gain[r] @ (h[r].reshape(-1, 1) - W[r].reshape(-1, 1) * shared)
        middle = base[ratings[r]].reshape(-1, 1) + shared + inner @ centre
        for q in range(len(terms)):
            top, mass = -math.inf, 0.0
            for j in range(len(nodes)):
                value = weights[j] + node_square[j]
                for d in range(n_dimensions):
                    xi = centre[d, q] + offsets[r, j, d]
                    eta = middle[d, q] + moves[r, j, d]
                    k = r * n_dimensions + d
                    value -= 0.5 * xi * xi
                    if start[k] <= eta <= start[k] + width[k] * (_N_GRID - 1):
                        value += _interpolate(table, k, start[k], width[k], eta)
                    else:
                        value += _rating(ratings[r], d, eta, responses, parameters)[0]
                if value > top:
                    mass = mass * math.exp(top - value) + 1.0
                    top = value
                else:
                    mass += math.exp(value - top)
            terms[q] += constant[r] + top + math.log(mass)
    top = terms.max()
    return top + math.log(np.exp(terms - top).sum())


@_compiled
def log_marginals(
    chosen,
    begin,
    order,
    base,
    slots,
    factors,
    inner,
    outer_nodes,
    outer_weights,
    nodes,
    weights,
    responses,
    parameters,
):
    """Log probabilities of the answers of the respondents `chosen`, who have equally many own effects.

    begin, order : the ratings of respondent p are order[begin[p]:begin[p + 1]]; see `_marginal` for the rest.
    """
    result = np.empty(len(chosen))
    for c in range(len(chosen)):
        p = chosen[c]
        result[c] = _marginal(
            order[begin[p] : begin[p + 1]],
            base,
            slots,
            factors,
            inner,
            outer_nodes,
            outer_weights,
            nodes,
            weights,
            responses,
            parameters,
        )
    return result
