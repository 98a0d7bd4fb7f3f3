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
from relcap_models.models.small_matrices import factorise, solve_lower, solve_upper

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
def _shared(effects, factors, at, result):
    """What a rating gets of its respondent's whitened effects: `at` (G,) is where those that act begin."""
    for d in range(len(result)):
        result[d] = 0.0
        for g in range(len(factors)):
            for j in range(len(result)):
                result[d] += factors[g, d, j] * effects[at[g] + j]


@_compiled
def _taken_up(gain, h, W, shared, result):
    """ξ = gain·(h − W·shared): what a rating's own whitened effect takes up, given the shared ones."""
    for d in range(len(h)):
        result[d] = 0.0
        for e in range(len(h)):
            result[d] += gain[d, e] * (h[e] - W[e] * shared[e])


@_compiled
def _add_product(matrix, vector, result):
    for d in range(len(result)):
        for e in range(len(vector)):
            result[d] += matrix[d, e] * vector[e]


@_compiled
def _own_precision(inner, W, root, gain):
    """Root of the precision of a rating's own whitened effect, and gain, the inverse of that times innerᵀ."""
    size = len(inner)
    for i in range(size):
        for j in range(size):
            root[i, j] = 1.0 if i == j else 0.0
            for d in range(size):
                root[i, j] += inner[d, i] * W[d] * inner[d, j]
    factorise(root)
    column = np.empty(size)
    for j in range(size):
        for i in range(size):
            column[i] = inner[j, i]
        solve_lower(root, column)
        solve_upper(root, column)
        for i in range(size):
            gain[i, j] = column[i]


@_compiled
def _add_rating(factors, at, inner, W, h, gain, precision, pull):
    """Add one rating to the precision and pull of the shared effects, its own effect integrated out."""
    size = len(inner)
    rest, pulled = np.empty((size, size)), np.empty(size)
    for d in range(size):
        pulled[d] = h[d]
        for e in range(size):
            through = 0.0
            for k in range(size):
                through += inner[d, k] * gain[k, e]
            rest[d, e] = (W[d] if d == e else 0.0) - W[d] * through * W[e]
            pulled[d] -= W[d] * through * h[e]
    for g in range(len(factors)):
        for i in range(size):
            for d in range(size):
                pull[at[g] + i] += factors[g, d, i] * pulled[d]
            for e in range(size):
                across = 0.0
                for d in range(size):
                    across += factors[g, d, i] * rest[d, e]
                for f in range(len(factors)):
                    for j in range(size):
                        precision[at[g] + i, at[f] + j] += across * factors[f, e, j]


@_compiled
def _mode(ratings, base, at, factors, inner, responses, parameters, v, W, h, root, gain, precision, mode):
    """Newton steps to the most likely effects. Filled for each rating: its effects v, minus the second
    derivative W of its answers, h = slope + W·v, and of its own effect the precision's root and the gain."""
    n, size = v.shape
    shared, step, taken = np.empty(size), np.empty((n, size)), np.empty(size)
    for _ in range(25):
        for i in range(len(mode)):
            mode[i] = 0.0
            for j in range(len(mode)):
                precision[i, j] = 1.0 if i == j else 0.0
        for r in range(n):
            for d in range(size):
                _, slope, W[r, d] = _rating(
                    ratings[r], d, base[ratings[r], d] + v[r, d], responses, parameters
                )
                h[r, d] = slope + W[r, d] * v[r, d]
            _own_precision(inner, W[r], root[r], gain[r])
            _add_rating(factors, at[r], inner, W[r], h[r], gain[r], precision, mode)
        factorise(precision)
        solve_lower(precision, mode)
        solve_upper(precision, mode)
        change = 0.0
        for r in range(n):
            _shared(mode, factors, at[r], shared)
            _taken_up(gain[r], h[r], W[r], shared, taken)
            _add_product(inner, taken, shared)
            for d in range(size):
                step[r, d] = shared[d] - v[r, d]
                change = max(change, abs(step[r, d]))
        length = min(1.0, 2.0 / max(change, 1e-300))
        for r in range(n):
            for d in range(size):
                v[r, d] += length * step[r, d]
        # Steps converge quadratically, and nodes need not lie exactly at the mode.
        if change < 0.01:
            break


@_compiled
def _own_integral(
    rating, centre, middle, offsets, moves, nodes, weights, table, start, width, responses, parameters
):
    """Log of the integral over a rating's own effect, at nodes around `centre`, where it gives η = `middle`.

    table, start, width : (D, …) of the rating's log likelihoods on a grid
    """
    top, mass = -math.inf, 0.0
    for j in range(len(nodes)):
        value = weights[j]
        for d in range(len(centre)):
            xi = centre[d] + offsets[j, d]
            eta = middle[d] + moves[j, d]
            value += 0.5 * (nodes[j, d] * nodes[j, d] - xi * xi)
            if start[d] <= eta <= start[d] + width[d] * (_N_GRID - 1):
                value += _interpolate(table, d, start[d], width[d], eta)
            else:
                value += _rating(rating, d, eta, responses, parameters)[0]
        if value > top:
            mass = mass * math.exp(top - value) + 1.0
            top = value
        else:
            mass += math.exp(value - top)
    return top + math.log(mass)


@_compiled
def _fill_table(rating, base, v, W, factors, inner, responses, parameters, table, start, width):
    """Log likelihoods on a grid around the mode: an evaluation at a node costs an interpolation."""
    for d in range(len(v)):
        prior = 0.0
        for k in range(len(v)):
            prior += inner[d, k] * inner[d, k]
            for g in range(len(factors)):
                prior += factors[g, d, k] * factors[g, d, k]
        reach = 4.5 / math.sqrt(W[d] + 1.0 / max(prior, 1e-12))
        start[d], width[d] = base[rating, d] + v[d] - reach, 2.0 * reach / (_N_GRID - 1)
        for j in range(_N_GRID):
            table[d, 0, j], table[d, 1, j], _ = _rating(
                rating, d, start[d] + j * width[d], responses, parameters
            )


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
    n, size, n_shared = len(ratings), base.shape[1], outer_nodes.shape[1]
    at = np.empty((n, len(factors)), dtype=np.int64)
    for r in range(n):
        for g in range(len(factors)):
            at[r, g] = slots[g, ratings[r]] * size
    v, W, h = np.zeros((n, size)), np.empty((n, size)), np.empty((n, size))
    root, gain = np.empty((n, size, size)), np.empty((n, size, size))
    precision, mode = np.empty((n_shared, n_shared)), np.empty(n_shared)
    _mode(ratings, base, at, factors, inner, responses, parameters, v, W, h, root, gain, precision, mode)

    # Nodes of the shared effects, around the mode.
    zeta, terms = np.empty(outer_nodes.shape), outer_weights.copy()
    for q in range(len(terms)):
        for u in range(n_shared):
            zeta[q, u] = outer_nodes[q, u]
        solve_upper(precision, zeta[q])
        for u in range(n_shared):
            zeta[q, u] += mode[u]
            terms[q] += 0.5 * (outer_nodes[q, u] ** 2 - zeta[q, u] ** 2) - math.log(precision[u, u])

    table, start, width = np.empty((size, 2, _N_GRID)), np.empty(size), np.empty(size)
    offsets, moves = np.empty(nodes.shape), np.empty(nodes.shape)
    shared, centre, middle = np.empty(size), np.empty(size), np.empty(size)
    for r in range(n):
        _fill_table(ratings[r], base, v[r], W[r], factors, inner, responses, parameters, table, start, width)
        constant = 0.0
        for d in range(size):
            constant -= math.log(root[r, d, d])
        # Nodes of the rating's own effect, around a mean that is linear in the shared ones.
        for j in range(len(nodes)):
            for d in range(size):
                offsets[j, d], moves[j, d] = nodes[j, d], 0.0
            solve_upper(root[r], offsets[j])
            _add_product(inner, offsets[j], moves[j])
        for q in range(len(terms)):
            _shared(zeta[q], factors, at[r], shared)
            _taken_up(gain[r], h[r], W[r], shared, centre)
            for d in range(size):
                middle[d] = base[ratings[r], d] + shared[d]
            _add_product(inner, centre, middle)
            terms[q] += constant + _own_integral(
                ratings[r],
                centre,
                middle,
                offsets,
                moves,
                nodes,
                weights,
                table,
                start,
                width,
                responses,
                parameters,
            )
    top, mass = -math.inf, 0.0
    for term in terms:
        top = max(top, term)
    for term in terms:
        mass += math.exp(term - top)
    return top + math.log(mass)


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
