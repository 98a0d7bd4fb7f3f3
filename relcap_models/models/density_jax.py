"""The log density of `density` in JAX, for graphics processors.

The blocks of `density.Density` say what is sampled and hold the constants; here are their forward passes
once more, and JAX derives the gradient. A test holds the two equal, and with them the gradients that are
written by hand.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr

from relcap_models.models.answers_jax import log_likelihood
from relcap_models.models.density import Density
from relcap_models.models.density_blocks import Covariates, GroupedEffects, Location, UnitEffects
from relcap_models.models.density_colleagues import Colleagues
from relcap_models.models.density_covariance import BetweenWaves, OneCovariance, Scaled, StableAndWithin
from relcap_models.models.density_district import DistrictEffects
from relcap_models.models.density_nested import NestedEffects
from relcap_models.models.density_relation import RelationEffects
from relcap_models.models.density_rows import Means, Rows, Shared
from relcap_models.models.families import RESIDUAL_SD
from relcap_models.models.jax_algebra import (
    cholesky,
    factored,
    gathered,
    product,
    summed,
    times,
    transposed,
)
from relcap_models.models.parameters import Layout, Parameter

Array = Any
Values = dict[str, Array]


def log_density(density: Density, x: Array) -> Array:
    """log p(x, answers), up to a constant, as a function that JAX can differentiate."""
    values, total = _constrained(density.layout, x)
    frame = density.frame
    eta = jnp.zeros((frame.n_ratings, len(frame.dimensions)))

    def centred(effects: Array) -> Array:
        return _centred(effects, frame.level_of_rating, frame.n_ratings_of_level)

    taken: dict[str, Array] = {}
    for block in density.effects:
        if block.follows:
            eta = centred(eta)
        added, own = _effects(block, values, eta, taken)
        eta, total = eta + added, total + own
    eta = centred(eta) + _location(density.location, values)
    return total + log_likelihood(density.responses, values, eta)


def _constrained(layout: Layout, x: Array) -> tuple[Values, Array]:
    """Named values, and log prior with Jacobian."""
    values, total = {}, 0.0
    for parameter in layout.parameters:
        here = x[layout.slices[parameter.name]].reshape(parameter.shape)
        values[parameter.name], log_prior = _of_prior(parameter, here)
        total = total + jnp.sum(log_prior)
    return values, total


def _of_prior(parameter: Parameter, x: Array) -> tuple[Array, Array]:
    first, second = parameter.first, parameter.second
    match parameter.prior:
        case "normal":
            return x, -0.5 * ((x - second) / first) ** 2
        case "half_normal":
            z = -log_ndtr(-x)
            return first * z, z - 0.5 * (x**2 + z**2)
        case "log_half_normal":
            return jnp.exp(x), x - 0.5 * (jnp.exp(x) / first) ** 2
        case "gamma":
            return jnp.exp(x), 2.0 * x - 2.0 / first * jnp.exp(x)
        case "beta":
            return jax.nn.sigmoid(x), -first * jax.nn.softplus(-x) - second * jax.nn.softplus(x)
    if parameter.prior != "ordered":
        raise ValueError(f"no prior '{parameter.prior}'")
    k, anchor = np.arange(x.shape[-1]), np.broadcast_to(second, (*x.shape[:-1], 1))
    gap = jnp.exp(jnp.where(k == anchor, 0.0, x))
    above = jnp.cumsum(jnp.where(k > anchor, gap, 0.0), axis=-1)
    below = jnp.cumsum(jnp.where(k < anchor, gap, 0.0)[..., ::-1], axis=-1)[..., ::-1]
    middle = jnp.sum(jnp.where(k == anchor, x, 0.0), axis=-1, keepdims=True)
    value = middle + above - below
    return value, jnp.where(k == anchor, 0.0, x) - 0.5 * (value / first) ** 2


def _centred(effects: Array, stratum: np.ndarray, count: np.ndarray) -> Array:
    # A few strata of many rows: as sums by place, thousands of rows would queue for each place.
    member = (stratum[:, None] == np.arange(len(count))).astype(float)
    return effects - member @ (member.T @ effects / count[:, None])


def _scaled(covariance: Scaled, values: Values, sd: Array) -> Array:
    """Cholesky factor of a covariance over role × dimension."""
    size = covariance.size
    if size == 1:
        return sd[:, None]
    i, j = np.tril_indices(size, k=-1)
    partial = jnp.zeros((size, size)).at[i, j].set(2.0 * values[covariance.name] - 1.0)
    # What the partial correlations before each leave of a row's length.
    left = jnp.exp(0.5 * jnp.log1p(-(partial**2)) @ np.triu(np.ones((size, size)), k=1))
    lkj = left * (partial + np.eye(size))
    rows = times(covariance.root, lkj)
    rows = rows / jnp.sqrt(jnp.sum(rows**2, axis=1, keepdims=True))
    return sd[:, None] * cholesky(times(rows, rows.T))


def _between_waves(waves: BetweenWaves, values: Values) -> tuple[Array, Array]:
    """Cholesky factor of the correlation between waves, and what its priors have beyond uniform ones."""
    if waves.n_waves == 1:
        return jnp.ones((1, 1)), 0.0
    if waves.n_waves == 2:
        stability, memory, own = values[f"stability_{waves.name}"][0], 0.0, 0.0
    else:
        likeness = values[f"likeness_{waves.name}"][0]
        share = values[f"stable_share_{waves.name}"][0]
        stability = -jnp.expm1(-likeness * share)
        memory = -jnp.expm1(-likeness * (1.0 - share))
        own = (waves.shape - 1.0) * (jnp.log(stability) - likeness * share)
        own = own - (waves.memory_shape - 1.0) * likeness * (1.0 - share)
    lag = np.abs(np.subtract.outer(np.arange(waves.n_waves), np.arange(waves.n_waves)))
    # Powers one by one: the derivative of 0⁰ is not needed.
    power = sum(np.where(lag == k, 1.0, 0.0) * memory**k for k in range(1, waves.n_waves))
    matrix = jnp.where(lag == 0, 1.0, stability + (1.0 - stability) * power)
    return cholesky(matrix), own


@singledispatch
def _of_units(covariance: Any, values: Values) -> tuple[Array, Array]:
    """Cholesky factor (W·P, W·P) of a unit's effects, and what its priors have beyond those of parameters."""
    raise TypeError(type(covariance).__name__)


@_of_units.register
def _(covariance: OneCovariance, values: Values) -> tuple[Array, Array]:
    wave_factor, own = _between_waves(covariance.waves, values)
    return jnp.kron(wave_factor, _scaled(covariance.scaled, values, values["sd_unit"])), own


@_of_units.register
def _(covariance: StableAndWithin, values: Values) -> tuple[Array, Array]:
    factors = {n: _scaled(s, values, values[f"sd_unit_{n}"]) for n, s in covariance.scaled.items()}
    parts = {name: factor @ factor.T for name, factor in factors.items()}
    lagged = values.get("lagged", jnp.zeros((covariance.size, covariance.size)))
    innovation = parts.get("innovation", parts["wave"])
    # within[v][w] : covariance of the deviations in waves v ≥ w
    within = [[parts["wave"]]]
    for _ in range(1, covariance.n_waves):
        before = within[-1]
        within.append([lagged @ block for block in before] + [lagged @ before[-1] @ lagged.T + innovation])
    waves = range(covariance.n_waves)
    blocks = [[parts["stable"] + (within[v][w] if v >= w else within[w][v].T) for w in waves] for v in waves]
    return cholesky(jnp.block(blocks)), jnp.zeros(())


def _stretched(shared: Shared, z: Array) -> Array:
    along = summed(z * shared.direction, shared.group, len(shared.further))
    return z + shared.direction * gathered(shared.further * along, shared.group)


def _rows(rows: Rows, factors: Array, z: Array, estimate: Array) -> tuple[Array, Array]:
    """Rows of effects and what their density has beyond the standard normals of z."""
    free = z
    for shared in rows.shared:
        z = _stretched(shared, z)
    if not rows.adapted:
        return product(gathered(factors, rows.kind), z), 0.0
    factors, information = factors[rows.factor_of_kind], rows.information
    eye = np.eye(factors.shape[-1])
    inner, inverse = factored(eye + times(times(transposed(factors), information), factors))
    root = times(factors, transposed(inverse))
    adapted = cholesky(times(root, transposed(root)))
    of_row = gathered(adapted, rows.kind)
    known = information[rows.kind]
    moved = z + product(transposed(of_row), product(known, estimate))
    found = product(of_row, moved)
    quadratic = jnp.sum(found * product(known, found))
    logs = jnp.log(jnp.diagonal(inner, axis1=1, axis2=2)).sum(axis=1)
    return found, 0.5 * (quadratic + jnp.sum(free**2) - jnp.sum(moved**2)) - rows.count @ logs


def _means(means: Means, eta: Array) -> Array:
    return means.score + summed(product(means.weight, eta), means.group, len(means.score))


def _colleagues(colleagues: Colleagues | None, eta: Array) -> Array:
    if colleagues is None:
        return 0.0
    shift = colleagues.part * _means(colleagues.informed, eta) - _means(colleagues.plain, eta)
    return gathered(shift, colleagues.unit)


@singledispatch
def _effects(block: Any, values: Values, eta: Array, taken: dict[str, Array]) -> tuple[Array, Array]:
    """(N, D) what a block adds to the ratings, and its own terms of the log density.

    eta : of the blocks before it · taken : what of units' estimates, (U, W, roles, D), each block before it
    accounts for, by name
    """
    raise TypeError(type(block).__name__)


@_effects.register
def _(block: Covariates, values: Values, eta: Array, taken: dict[str, Array]) -> tuple[Array, Array]:
    taken["covariates"] = block.units @ values["beta"]
    return block.columns @ values["beta"], jnp.zeros(())


@_effects.register
def _(block: DistrictEffects, values: Values, eta: Array, taken: dict[str, Array]) -> tuple[Array, Array]:
    name = block.grouping.name
    factor = _scaled(block.covariance, values, values[f"sd_{name}"])
    estimate = jnp.asarray(block.estimate)
    if "covariates" in taken:
        of_units = block.weight * taken["covariates"][block.inside, :, block.role]
        estimate = estimate - jnp.tensordot(block.member, of_units, axes=1).reshape(estimate.shape)
    effects, own = _rows(block.rows, factor[None], values[f"{name}_z"], estimate)
    effects = _centred(effects, block.stratum, block.count)
    of_units = effects.reshape(-1, *block.shape[1:])[block.district]
    taken[name] = jnp.zeros(block.all_roles).at[block.inside, :, block.role].set(of_units)
    return gathered(effects, block.grouping.group_of_rating), own


@_effects.register
def _(block: UnitEffects, values: Values, eta: Array, taken: dict[str, Array]) -> tuple[Array, Array]:
    whole, own = _of_units(block.covariance, values)
    estimate = block.estimate - sum(taken.values(), jnp.zeros(()))
    flat = estimate.reshape(block.shape[0], -1)
    effects, of_rows = _rows(block.rows, whole[None], values["unit_z"], flat)
    by_role = (effects - effects.mean(axis=0)).reshape(-1, block.n_dimensions)
    return sum(gathered(by_role, index) for index in block.indices), own + of_rows


@_effects.register
def _(block: GroupedEffects, values: Values, eta: Array, taken: dict[str, Array]) -> tuple[Array, Array]:
    name = block.grouping.name
    factor = _scaled(block.covariance, values, values[f"sd_{name}"])
    estimate = _means(block.means, eta).reshape(-1, block.size) + _colleagues(block.colleagues, eta)
    effects, own = _rows(block.rows, factor[None], values[f"{name}_z"], estimate)
    return gathered(effects.reshape(-1, eta.shape[1]), block.index), own


@_effects.register
def _(block: NestedEffects, values: Values, eta: Array, taken: dict[str, Array]) -> tuple[Array, Array]:
    outer, inner = (
        _scaled(c, values, values[f"sd_{name}"]) for c, name in zip(block.covariances, block.names)
    )
    means = [cholesky(times(outer, outer.T) + times(inner, inner.T) / m) for m in block.nesting.sizes]
    position = block.nesting.position
    inner_means = _means(block.means, eta).reshape(-1, block.size)
    estimate = _means_and_contrasts(inner_means, block.weight, position)
    estimate = estimate + _colleagues(block.colleagues, eta)
    factors = jnp.stack([inner, *means])
    rows, own = _rows(block.rows, factors, values[f"{block.names[1]}_z"], estimate)
    return gathered(_combined(rows, position).reshape(-1, eta.shape[1]), block.row_of_rating), own


def _helmert(position: np.ndarray) -> np.ndarray:
    """(G, 1) 1/√(j(j + 1)) of the rows at position j > 0 of their outer group, 0 at the first."""
    j = position.astype(float)
    return np.where(position > 0, 1.0 / np.sqrt(np.maximum(j * (j + 1.0), 1.0)), 0.0)[:, None]


def _combined(rows: Array, position: np.ndarray) -> Array:
    """Effects of inner groups: the mean of their outer group plus Helmert contrasts."""
    contrast = _helmert(position) * rows
    effects = rows[np.arange(len(position)) - position] - position[:, None] * contrast
    for step in range(1, int(position.max(initial=0)) + 1):
        later = np.zeros(len(position), dtype=bool)
        later[:-step] = position[step:] == position[:-step] + step
        effects = effects + jnp.where(later[:, None], jnp.roll(contrast, -step, axis=0), 0.0)
    return effects


def _means_and_contrasts(inner: Array, weight: np.ndarray, position: np.ndarray) -> Array:
    """Weighted mean of each outer group at its first row, Helmert contrasts at the others."""
    outer = np.cumsum(position == 0) - 1
    mean = summed(weight * inner, outer, int(outer[-1]) + 1)[outer]
    before = jnp.zeros_like(inner)
    for step in range(1, int(position.max(initial=0)) + 1):
        earlier = (position >= step)[:, None]
        before = before + jnp.where(earlier, jnp.roll(inner, step, axis=0), 0.0)
    contrasts = _helmert(position) * (before - position[:, None] * inner)
    return jnp.where((position == 0)[:, None], mean, contrasts)


@_effects.register
def _(block: RelationEffects, values: Values, eta: Array, taken: dict[str, Array]) -> tuple[Array, Array]:
    spreads = _spreads(block, values)
    factors = [_scaled(f, values, spread) for f, spread in zip(block.factors, spreads)]
    wave_factor, own = _between_waves(block.waves, values)
    estimates = _pair_estimates(block, eta)

    def part(name: str, factor: Array) -> tuple[Array, Array]:
        z = values[f"{name}_z"]
        whole = jnp.kron(wave_factor, factor)
        return _rows(block.kinds[name], whole[None], z.reshape(len(z), -1), estimates[name])

    n, parts = block.n_pairs, []
    if n:
        together, of_sum = part("pair_sum", factors[0])
        parts += [together, together]
        own = own + of_sum
    if block.n_alone:
        covariance = sum(times(f, f.T) for f in factors)
        alone = cholesky(covariance) if block.reciprocal else factors[0]
        one_sided, of_alone = part("one_sided", alone)
        parts.append(one_sided)
        own = own + of_alone
    stacked = _centred(jnp.concatenate(parts), block.stratum, block.count)
    if n:
        apart, of_difference = part("pair_difference", factors[1])
        stacked = stacked.at[:n].add(apart).at[n : 2 * n].add(-apart)
        own = own + of_difference
    effects = jnp.zeros_like(stacked).at[block.rows].set(stacked)
    effects = effects.reshape(block.n_relations, block.n_z_waves, block.n_dimensions)
    if block.n_z_waves != block.n_waves:
        effects = jnp.repeat(effects, block.n_waves, axis=1)
    return gathered(effects.reshape(-1, block.n_dimensions), block.index), own


def _spreads(block: RelationEffects, values: Values) -> list[Array]:
    """Standard deviations of sum and difference (or of the relation alone)."""
    if block.mode == "residual":
        reciprocity = 2.0 * values["dyadic_reciprocity_01"] - 1.0
        size = jnp.abs(reciprocity)
        residual = (
            values["residual_sd"][block.only_item]
            if block.family == "gaussian"
            else RESIDUAL_SD[block.family]
        )
        sd = residual * jnp.sqrt(size / (1.0 - size))
        positive = jnp.where(reciprocity > 0, 1.0, 0.0)
        return [sd * positive, sd * (1.0 - positive)]
    sd = values["sd_relation"]
    if not block.reciprocal:
        return [sd]
    share = values["dyadic_reciprocity_01"]
    return [sd * jnp.sqrt(share), sd * jnp.sqrt(1.0 - share)]


def _pair_estimates(block: RelationEffects, eta: Array) -> Values:
    """What the answers say of sums, differences and one-sided relations."""
    mean = _means(block.means, eta).reshape(block.n_relations, -1)
    forth, back, alone = np.split(block.rows, [block.n_pairs, 2 * block.n_pairs])
    first, second = block.share_of_pair[0] * mean[forth], block.share_of_pair[1] * mean[back]
    return {"pair_sum": first + second, "pair_difference": first - second, "one_sided": mean[alone]}


def _location(location: Location, values: Values) -> Array:
    total = 0.0
    if "mu_later" in values:
        total = total + gathered(values["mu_later"], location.later)
    if location.mixed:
        total = total + gathered(values["mu_own"], location.own)
    return total
