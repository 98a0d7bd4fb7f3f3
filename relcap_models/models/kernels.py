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
_BLOCK = 256
_FAR = 37.0
_compiled = njit(cache=True, error_model="numpy")


def _erfcx_polynomial(degree: int = 20) -> np.ndarray:
    """Powers of s = (x − 3)/(x + 3) in (x + 3)·exp(x²)·erfc(x) on x ≥ 0: smooth out to infinity."""

    def scaled(s):
        x = 3.0 * (1.0 + s) / (1.0 - s)
        return erfcx(x) * (x + 3.0)

    return np.polynomial.chebyshev.cheb2poly(np.polynomial.chebyshev.chebinterpolate(scaled, degree))


_ERFCX = _erfcx_polynomial()
_EXP = np.array([1.0 / math.factorial(k) for k in range(13)])


@_compiled
def scaled_erfc(x):
    """exp(x²)·erfc(x) for x ≥ 0, to about 1e-14 relative."""
    inverse = 1.0 / (x + 3.0)
    s = 1.0 - 6.0 * inverse
    value = _ERFCX[20]
    for k in range(19, -1, -1):
        value = _ERFCX[k] + s * value
    return value * inverse


@njit(cache=True, error_model="numpy", fastmath={"contract", "nsz", "arcp"})
def normal_tails(x, shifted, tail, density):
    """1 − Φ(x) and φ(x) of each 0 ≤ x ≤ 37, to about 1e-14 relative; `shifted` is scratch of the same length.

    Loops without branches, calls and table look-ups: the compiler turns them into vector instructions.
    """
    n = x.shape[0]
    for j in range(n):
        # Adding 1.5·2⁵² rounds to a whole number, which then stands in the lowest bits.
        shifted[j] = -0.5 * x[j] * x[j] * 1.4426950408889634 + 6755399441055744.0
    for j in range(n):
        power = shifted[j] - 6755399441055744.0
        rest = -0.5 * x[j] * x[j] - power * 0.6931471803691238 - power * 1.9082149292705877e-10
        value = _EXP[12]
        for k in range(11, -1, -1):
            value = _EXP[k] + rest * value
        density[j] = value
    bits = shifted.view(np.int64)
    for j in range(n):
        bits[j] = (bits[j] + 1023) << 52
    for j in range(n):
        density[j] *= shifted[j]
    for j in range(n):
        inverse = 1.0 / (x[j] * _SQRT_HALF + 3.0)
        s = 1.0 - 6.0 * inverse
        value = _ERFCX[20]
        for k in range(19, -1, -1):
            value = _ERFCX[k] + s * value
        tail[j] = 0.5 * value * inverse * density[j]
        density[j] *= _DENSITY


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


@_compiled
def cumulative_probit(
    eta, slot, item, answer, loading, threshold, first, n_categories, d_eta, d_loading, d_threshold
):
    """Cumulative probit: P(y ≤ k) = Φ(τ_k − λη)."""
    total, product = 0.0, 1.0
    below_at, above_at, size = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(2 * _BLOCK)
    shifted, tail, density = np.empty(2 * _BLOCK), np.empty(2 * _BLOCK), np.empty(2 * _BLOCK)
    for begin in range(0, slot.shape[0], _BLOCK):
        n = min(_BLOCK, slot.shape[0] - begin)
        for j in range(n):
            i, y = item[begin + j], answer[begin + j]
            location = loading[i] * eta[slot[begin + j]]
            top = first[i] + y
            a = threshold[top - 1] - location if y > 0 else -math.inf
            b = threshold[top] - location if y < n_categories[i] - 1 else math.inf
            below_at[j], above_at[j] = a, b
            size[2 * j], size[2 * j + 1] = min(abs(a), _FAR), min(abs(b), _FAR)
        normal_tails(size[: 2 * n], shifted[: 2 * n], tail[: 2 * n], density[: 2 * n])
        for j in range(n):
            i, y, place = item[begin + j], answer[begin + j], slot[begin + j]
            a, b = below_at[j], above_at[j]
            left, right = tail[2 * j], tail[2 * j + 1]
            if a >= 0.0:
                mass = left - right
            elif b <= 0.0:
                mass = right - left
            else:
                mass = 1.0 - left - right
            if mass > 1e-200:
                # The logarithm of a product of several masses, taken before it can underflow.
                product *= mass
                if product < 1e-80:
                    total += math.log(product)
                    product = 1.0
                below, above = density[2 * j] / mass, density[2 * j + 1] / mass
            else:
                log_p, below, above = probit_cell(a, b)
                total += log_p
            slope = below - above
            d_eta[place] += slope * loading[i]
            d_loading[i] += slope * eta[place]
            top = first[i] + y
            if y > 0:
                d_threshold[top - 1] -= below
            if y < n_categories[i] - 1:
                d_threshold[top] += above
    return total + math.log(product)


@_compiled
def cumulative_logit(
    eta, slot, item, answer, loading, threshold, first, n_categories, d_eta, d_loading, d_threshold
):
    """Cumulative logit: P(y ≤ k) = 1/(1 + exp(λη − τ_k))."""
    total = 0.0
    for m in range(slot.shape[0]):
        i, y = item[m], answer[m]
        value = eta[slot[m]]
        location = loading[i] * value
        top = first[i] + y
        a = threshold[top - 1] - location if y > 0 else -math.inf
        b = threshold[top] - location if y < n_categories[i] - 1 else math.inf
        log_p, below, above = logit_cell(a, b)
        total += log_p
        slope = below - above
        d_eta[slot[m]] += slope * loading[i]
        d_loading[i] += slope * value
        if y > 0:
            d_threshold[top - 1] -= below
        if y < n_categories[i] - 1:
            d_threshold[top] += above
    return total


@_compiled
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


@_compiled
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
def gather_weighted(total, weight, effects, index):
    """total[n] += weight[n]·effects[index[n]]; negative indices are skipped. Weights (N, D)."""
    for n in range(index.shape[0]):
        g = index[n]
        if g >= 0:
            for d in range(total.shape[1]):
                total[n, d] += weight[n, d] * effects[g, d]


@_compiled
def scatter_weighted(total, weight, index, effects):
    """The reverse of `gather_weighted`: effects[index[n]] += weight[n]·total[n]."""
    for n in range(index.shape[0]):
        g = index[n]
        if g >= 0:
            for d in range(total.shape[1]):
                effects[g, d] += weight[n, d] * total[n, d]


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
