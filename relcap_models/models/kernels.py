"""Log likelihood of all responses and its gradient in one pass, compiled by numba and cached on disk.

Every function returns the log likelihood and adds its derivatives to the arrays it is given. Families are
coded as PROBIT, LOGIT, PARTIAL_CREDIT, GAUSSIAN. Responses index a flat latent array: `slot[m]` is the
position of response m's latent value η in the (N·D,) array of ratings × dimensions.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from scipy.special import erfcx

PROBIT, LOGIT, PARTIAL_CREDIT, GAUSSIAN = 0, 1, 2, 3
FAMILY_CODES = {"probit": PROBIT, "logit": LOGIT, "partial_credit": PARTIAL_CREDIT, "gaussian": GAUSSIAN}

_SQRT_HALF = math.sqrt(0.5)
_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)
_compiled = njit(cache=True, error_model="numpy")
# Chains are threads. Only the long pass over the responses lets go of the interpreter's lock: handing it
# over costs more than a short kernel takes.
_long = njit(cache=True, nogil=True, error_model="numpy")


def _scaled_erfc_pieces() -> np.ndarray:
    """(interval, power) polynomials of exp(x²)·erfc(x) in u = x/(x + 2) on [0, 1), from Chebyshev points."""
    degree = 7
    local = 0.5 - 0.5 * np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    u = (np.arange(_INTERVALS)[:, None] + local) / _INTERVALS
    values = erfcx(2.0 * u / (1.0 - u))
    return np.linalg.solve(np.vander(local, increasing=True), values.T).T.copy()


_INTERVALS = 64
_PIECES = _scaled_erfc_pieces()


@_compiled
def scaled_erfc(x):
    """exp(x²)·erfc(x) for x ≥ 0, to about 1e-14 relative where it is not small, 1e-12 out to x = 100."""
    u = x / (x + 2.0) * _INTERVALS
    interval = min(int(u), _INTERVALS - 1)
    local = u - interval
    c = _PIECES[interval]
    low = c[0] + local * (c[1] + local * (c[2] + local * c[3]))
    high = c[4] + local * (c[5] + local * (c[6] + local * c[7]))
    square = local * local
    return low + square * square * high


@_compiled
def probit_cell(a, b):
    """log(Φ(b) − Φ(a)) and the ratios φ(a)/P, φ(b)/P, for a < b (either may be infinite)."""
    flipped = a + b > 0.0
    if flipped:
        a, b = -b, -a
    if b <= 0.0:
        # Everything relative to φ(b): no underflow however far out the cell lies.
        near = 0.5 * scaled_erfc(-b * _SQRT_HALF)
        shrink, far = 0.0, 0.0
        if a > -math.inf:
            shrink = math.exp(0.5 * (b - a) * (b + a))
            far = 0.5 * scaled_erfc(-a * _SQRT_HALF) * shrink
        mass = max(near - far, 1e-300)
        log_p = math.log(mass) - 0.5 * b * b
        ratio_b = _DENSITY / mass
        ratio_a = ratio_b * shrink
    else:
        above = math.exp(-0.5 * b * b)
        below = math.exp(-0.5 * a * a)
        far = 0.5 * scaled_erfc(-a * _SQRT_HALF) * below if a > -math.inf else 0.0
        mass = 1.0 - 0.5 * scaled_erfc(b * _SQRT_HALF) * above - far
        log_p = math.log(mass)
        ratio_b = _DENSITY * above / mass
        ratio_a = _DENSITY * below / mass
    if flipped:
        return log_p, ratio_b, ratio_a
    return log_p, ratio_a, ratio_b


@_compiled
def _log_logistic(x):
    return -math.log1p(math.exp(-x)) if x > 0.0 else x - math.log1p(math.exp(x))


@_compiled
def _logistic(x):
    return 1.0 / (1.0 + math.exp(-x)) if x > 0.0 else math.exp(x) / (1.0 + math.exp(x))


@_compiled
def logit_cell(a, b):
    """log(F(b) − F(a)) and its derivatives −∂/∂a, ∂/∂b for the logistic F, a < b (either may be infinite)."""
    if a == -math.inf:
        return _log_logistic(b), 0.0, _logistic(-b)
    if b == math.inf:
        return _log_logistic(-a), _logistic(a), 0.0
    gap = b - a
    odds = 1.0 / math.expm1(gap) if gap < 700.0 else 0.0
    log_p = _log_logistic(b) + _log_logistic(-a) + math.log(-math.expm1(-gap))
    return log_p, _logistic(a) + odds, _logistic(-b) + odds


@_long
def cumulative(
    family, eta, slot, item, answer, loading, threshold, first, n_categories, d_eta, d_loading, d_threshold
):
    """Cumulative probit or logit: P(y ≤ k) = F(τ_k − λη)."""
    total = 0.0
    for m in range(slot.shape[0]):
        i, y = item[m], answer[m]
        value = eta[slot[m]]
        location = loading[i] * value
        top = first[i] + y
        a = threshold[top - 1] - location if y > 0 else -math.inf
        b = threshold[top] - location if y < n_categories[i] - 1 else math.inf
        log_p, below, above = probit_cell(a, b) if family == PROBIT else logit_cell(a, b)
        total += log_p
        slope = below - above
        d_eta[slot[m]] += slope * loading[i]
        d_loading[i] += slope * value
        if y > 0:
            d_threshold[top - 1] -= below
        if y < n_categories[i] - 1:
            d_threshold[top] += above
    return total


@_long
def partial_credit(eta, slot, item, answer, loading, step, first, n_categories, d_eta, d_loading, d_step):
    """Partial credit: log odds of category k against k − 1 are λη − step_k."""
    total = 0.0
    probability = np.empty(n_categories.max())
    for m in range(slot.shape[0]):
        i, y = item[m], answer[m]
        n = n_categories[i]
        value = eta[slot[m]]
        location = loading[i] * value
        score, top, chosen = 0.0, 0.0, 0.0
        probability[0] = 0.0
        for k in range(1, n):
            score += location - step[first[i] + k - 1]
            probability[k] = score
            top = max(top, score)
            if k == y:
                chosen = score
        mass = 0.0
        for k in range(n):
            probability[k] = math.exp(probability[k] - top)
            mass += probability[k]
        total += chosen - top - math.log(mass)
        mean, above = 0.0, 0.0
        for k in range(n - 1, 0, -1):
            share = probability[k] / mass
            mean += k * share
            above += share
            d_step[first[i] + k - 1] += above - (1.0 if y >= k else 0.0)
        d_eta[slot[m]] += (y - mean) * loading[i]
        d_loading[i] += (y - mean) * value
    return total


@_long
def gaussian(
    eta, slot, item, answer, loading, intercept, residual_sd, d_eta, d_loading, d_intercept, d_residual_sd
):
    """Normal answers with mean ν + λη and standard deviation ψ."""
    total = 0.0
    for m in range(slot.shape[0]):
        i = item[m]
        value = eta[slot[m]]
        error = (answer[m] - intercept[i] - loading[i] * value) / residual_sd[i]
        total -= 0.5 * error * error + math.log(residual_sd[i])
        slope = error / residual_sd[i]
        d_eta[slot[m]] += slope * loading[i]
        d_loading[i] += slope * value
        d_intercept[i] += slope
        d_residual_sd[i] += (error * error - 1.0) / residual_sd[i]
    return total + slot.shape[0] * math.log(_DENSITY)


@_compiled
def gather_add(total, effects, index):
    """total[n] += effects[index[n]]; negative indices are skipped. (N, D), (G, D), (N,)"""
    for n in range(index.shape[0]):
        g = index[n]
        if g >= 0:
            for d in range(total.shape[1]):
                total[n, d] += effects[g, d]


@_compiled
def scatter_add(d_total, index, d_effects):
    """The reverse of `gather_add`: d_effects[index[n]] += d_total[n]."""
    for n in range(index.shape[0]):
        g = index[n]
        if g >= 0:
            for d in range(d_total.shape[1]):
                d_effects[g, d] += d_total[n, d]


@_compiled
def centre(effects, stratum, count):
    """Subtract the mean of each stratum, in place. Its own adjoint. (G, D), (G,), (S,)"""
    mean = np.zeros((count.shape[0], effects.shape[1]))
    for g in range(effects.shape[0]):
        for d in range(effects.shape[1]):
            mean[stratum[g], d] += effects[g, d]
    for s in range(count.shape[0]):
        for d in range(effects.shape[1]):
            mean[s, d] /= count[s]
    for g in range(effects.shape[0]):
        for d in range(effects.shape[1]):
            effects[g, d] -= mean[stratum[g], d]
