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
_FAR, _FAR_LOGISTIC = 37.0, 700.0
_compiled = njit(cache=True, no_cfunc_wrapper=True, error_model="numpy")
_vectorised = njit(
    cache=True, no_cfunc_wrapper=True, error_model="numpy", fastmath={"contract", "nsz", "arcp"}
)


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


@_vectorised
def exponentials(x, scratch, out):
    """exp(x) of each −700 ≤ x ≤ 0, to about 1e-16 relative; `out` may be `x`; `scratch` is as long.

    Loops without branches, calls and table look-ups: the compiler turns them into vector instructions.
    """
    n = x.shape[0]
    for j in range(n):
        # Adding 1.5·2⁵² rounds to a whole number, which then stands in the lowest bits.
        scratch[j] = x[j] * 1.4426950408889634 + 6755399441055744.0
    for j in range(n):
        power = scratch[j] - 6755399441055744.0
        rest = x[j] - power * 0.6931471803691238 - power * 1.9082149292705877e-10
        value = _EXP[12]
        for k in range(11, -1, -1):
            value = _EXP[k] + rest * value
        out[j] = value
    bits = scratch.view(np.int64)
    for j in range(n):
        bits[j] = (bits[j] + 1023) << 52
    for j in range(n):
        out[j] *= scratch[j]


@_vectorised
def normal_tails(x, scratch, tail, density):
    """1 − Φ(x) and φ(x) of each 0 ≤ x ≤ 37, to about 1e-14 relative."""
    n = x.shape[0]
    for j in range(n):
        density[j] = -0.5 * x[j] * x[j]
    exponentials(density, scratch, density)
    for j in range(n):
        inverse = 1.0 / (x[j] * _SQRT_HALF + 3.0)
        s = 1.0 - 6.0 * inverse
        value = _ERFCX[20]
        for k in range(19, -1, -1):
            value = _ERFCX[k] + s * value
        tail[j] = 0.5 * value * inverse * density[j]
        density[j] *= _DENSITY


@_vectorised
def logistic_tails(x, scratch, tail, density):
    """1 − F(x) and f(x) of the logistic distribution, of each 0 ≤ x ≤ 700."""
    n = x.shape[0]
    for j in range(n):
        density[j] = -x[j]
    exponentials(density, scratch, density)
    for j in range(n):
        inverse = 1.0 / (1.0 + density[j])
        tail[j] = density[j] * inverse
        density[j] = tail[j] * inverse


@_vectorised
def distances(x, furthest, size):
    """|x|, at most `furthest`."""
    for j in range(x.shape[0]):
        size[j] = min(abs(x[j]), furthest)


@_vectorised
def masses(a, b, left, right, below, above, mass):
    """F(b) − F(a) from the tails beyond |a| and |b|; densities at a and b become their ratios to it."""
    for j in range(a.shape[0]):
        of_left = 1.0 if a[j] >= 0.0 else -1.0
        of_right = 1.0 if b[j] <= 0.0 else -1.0
        whole = 1.0 if of_left + of_right < -1.5 else 0.0
        mass[j] = whole + of_left * left[j] + of_right * right[j]
        inverse = 1.0 / mass[j]
        below[j] *= inverse
        above[j] *= inverse


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
def cumulative(
    probit, eta, slot, item, answer, loading, threshold, first, n_categories, d_eta, d_loading, d_threshold
):
    """Cumulative model: P(y ≤ k) = F(τ_k − λη), F normal if `probit`, else logistic."""
    total, product = 0.0, 1.0
    cuts = np.empty((loading.shape[0], n_categories.max() + 1))
    d_cuts = np.zeros_like(cuts)
    for i in range(loading.shape[0]):
        cuts[i, 0] = -math.inf
        for k in range(n_categories[i] - 1):
            cuts[i, k + 1] = threshold[first[i] + k]
        cuts[i, n_categories[i]] = math.inf
    scratch = np.empty((9, _BLOCK))
    for begin in range(0, slot.shape[0], _BLOCK):
        n = min(_BLOCK, slot.shape[0] - begin)
        a, b, size, shifted, left = (
            scratch[0, :n],
            scratch[1, :n],
            scratch[2, :n],
            scratch[3, :n],
            scratch[4, :n],
        )
        right, below, above, mass = scratch[5, :n], scratch[6, :n], scratch[7, :n], scratch[8, :n]
        for j in range(n):
            i, y = item[begin + j], answer[begin + j]
            location = loading[i] * eta[slot[begin + j]]
            a[j], b[j] = cuts[i, y] - location, cuts[i, y + 1] - location
        if probit:
            distances(a, _FAR, size)
            normal_tails(size, shifted, left, below)
            distances(b, _FAR, size)
            normal_tails(size, shifted, right, above)
        else:
            distances(a, _FAR_LOGISTIC, size)
            logistic_tails(size, shifted, left, below)
            distances(b, _FAR_LOGISTIC, size)
            logistic_tails(size, shifted, right, above)
        masses(a, b, left, right, below, above, mass)
        for j in range(n):
            i, y, place = item[begin + j], answer[begin + j], slot[begin + j]
            if mass[j] > 1e-200:
                # The logarithm of a product of several masses, taken before it can underflow.
                product *= mass[j]
                if product < 1e-80:
                    total += math.log(product)
                    product = 1.0
            else:
                cell = probit_cell(a[j], b[j]) if probit else logit_cell(a[j], b[j])
                total += cell[0]
                below[j], above[j] = cell[1], cell[2]
            slope = below[j] - above[j]
            d_eta[place] += slope * loading[i]
            d_loading[i] += slope * eta[place]
            d_cuts[i, y] -= below[j]
            d_cuts[i, y + 1] += above[j]
    for i in range(loading.shape[0]):
        for k in range(n_categories[i] - 1):
            d_threshold[first[i] + k] += d_cuts[i, k + 1]
    return total + math.log(product)


@_compiled
def partial_credit(eta, slot, item, answer, loading, step, first, n_categories, d_eta, d_loading, d_step):
    """Partial credit: log odds of category k against k − 1 are λη − step_k."""
    total, product, most = 0.0, 1.0, n_categories.max()
    steps = np.full((loading.shape[0], most), 1e6)
    d_steps = np.zeros_like(steps)
    for i in range(loading.shape[0]):
        for k in range(1, n_categories[i]):
            steps[i, k] = step[first[i] + k - 1]
    score, shifted, top = np.empty((most, _BLOCK)), np.empty(_BLOCK), np.empty(_BLOCK)
    for begin in range(0, slot.shape[0], _BLOCK):
        n = min(_BLOCK, slot.shape[0] - begin)
        for j in range(n):
            i = item[begin + j]
            location = loading[i] * eta[slot[begin + j]]
            score[0, j], top[j] = 0.0, 0.0
            for k in range(1, most):
                score[k, j] = score[k - 1, j] + location - steps[i, k]
                top[j] = max(top[j], score[k, j])
            total += score[answer[begin + j], j] - top[j]
        for k in range(most):
            for j in range(n):
                score[k, j] = max(score[k, j] - top[j], -_FAR_LOGISTIC)
            exponentials(score[k, :n], shifted[:n], score[k, :n])
        for j in range(n):
            i, y, place = item[begin + j], answer[begin + j], slot[begin + j]
            mass = 0.0
            for k in range(most):
                mass += score[k, j]
            product *= mass
            if product > 1e80:
                total -= math.log(product)
                product = 1.0
            inverse, mean, above = 1.0 / mass, 0.0, 0.0
            for k in range(most - 1, 0, -1):
                share = score[k, j] * inverse
                mean += k * share
                above += share
                d_steps[i, k] += above - (1.0 if y >= k else 0.0)
            d_eta[place] += (y - mean) * loading[i]
            d_loading[i] += (y - mean) * eta[place]
    for i in range(loading.shape[0]):
        for k in range(1, n_categories[i]):
            d_step[first[i] + k - 1] += d_steps[i, k]
    return total - math.log(product)


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
def gather_matrix(total, weight, effects, index):
    """total[n] += weight[n]ᵀ·effects[index[n]]; negative indices are skipped. Weights (N, D, D)."""
    for n in range(index.shape[0]):
        g = index[n]
        if g >= 0:
            for e in range(total.shape[1]):
                value = 0.0
                for d in range(total.shape[1]):
                    value += weight[n, d, e] * effects[g, d]
                total[n, e] += value


@_compiled
def scatter_matrix(total, weight, index, effects):
    """The reverse of `gather_matrix`: effects[index[n]] += weight[n]·total[n]."""
    for n in range(index.shape[0]):
        g = index[n]
        if g >= 0:
            for d in range(total.shape[1]):
                value = 0.0
                for e in range(total.shape[1]):
                    value += weight[n, d, e] * total[n, e]
                effects[g, d] += value


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


@_compiled
def centre_runs(effects, first, stratum, count):
    """`centre` where a stratum's rows stand together in runs: (G, D), (R + 1,), (R,), (S,)

    A sum in one variable would wait for each addition; four of them do not.
    """
    mean = np.zeros((count.shape[0], effects.shape[1]))
    for r in range(stratum.shape[0]):
        begin, end = first[r], first[r + 1]
        whole = begin + (end - begin) // 4 * 4
        for d in range(effects.shape[1]):
            a = b = c = e = 0.0
            for g in range(begin, whole, 4):
                a += effects[g, d]
                b += effects[g + 1, d]
                c += effects[g + 2, d]
                e += effects[g + 3, d]
            for g in range(whole, end):
                a += effects[g, d]
            mean[stratum[r], d] += a + b + (c + e)
    for s in range(count.shape[0]):
        for d in range(effects.shape[1]):
            mean[s, d] /= count[s]
    for r in range(stratum.shape[0]):
        for d in range(effects.shape[1]):
            taken = mean[stratum[r], d]
            for g in range(first[r], first[r + 1]):
                effects[g, d] -= taken
