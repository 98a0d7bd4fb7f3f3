"""Hamiltonian Monte Carlo of many chains at once, with the log density in JAX, for graphics processors.

A graphics processor takes hardly longer for sixteen points than for one, so all chains go together, each
trajectory of as many steps: no chain waits for another's longer tree, as it would with a No-U-Turn sampler.
What they have in common they learn together, which shortens the warm-up.

- Step: from the acceptance of all chains, by dual averaging (Hoffman & Gelman 2014).
- Metric: diagonal, the standard deviations of the positions over those of the gradients, which minimises the
  Fisher divergence from a standard normal (Seyboldt, Carlson & Carpenter 2026, arXiv:2603.18845).
- Trajectories: of half a period of the standard normal at most; lengths follow a Halton sequence, so that no
  direction keeps coming back to where it was (Hoffman, Radul & Sountsov 2021).
- What is no effect (spreads, correlations, thresholds) mixes slowest. These are few, add little to the energy
  error, and therefore go further in a trajectory than the metric says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from blackjax.mcmc import hmc
from blackjax.mcmc.dynamic_hmc import halton_sequence
from blackjax.optimizers.dual_averaging import DualAveragingState, dual_averaging

from relcap_models.errors import FitError
from relcap_models.inference.kept_draws import KeptDraws
from relcap_models.inference.progress import ChainState, sampling_progress
from relcap_models.models.density import Density
from relcap_models.models.density_jax import log_density
from relcap_models.models.parameters import Layout
from relcap_models.seeds import child_seed

Array = Any

_LONGEST = np.pi
_MOST_STEPS = 400
# Before the step is known it may be far too small.
_MOST_STEPS_OF_WARM_UP = 64
# So many draws of each chain go to the device and back together; the metric is learnt anew after each.
_BLOCK = 10
_FIRST_STEP = 0.05
# Distance of the two gradients that a curvature comes from.
_APART = 1e-3
_average_start, _average_update, _average_final = dual_averaging()


class Block(NamedTuple):
    """Some draws of all chains: (draws, chains, …)."""

    position: Array
    gradient: Array
    energy: Array
    acceptance: Array
    diverging: Array
    steps: Array


def sample(
    make_density: Callable[[], Density],
    coords: dict[str, list[str]],
    *,
    chains: int,
    draws: int,
    tune: int,
    target_accept: float,
    seed: int,
    progress: bool = True,
    store: Path | None = None,
) -> xr.DataTree:
    """Posterior draws with groups `posterior` and `sample_stats`, as `nuts.sample` gives them.

    make_density : called here and in each process beside it; must be picklable
    """
    density = make_density()
    rngs = [np.random.default_rng(child_seed(seed, "chain", str(chain))) for chain in range(chains)]
    starts = np.stack([density.layout.start(rng) for rng in rngs])
    values, gradients = zip(*[(value, gradient.copy()) for value, gradient in map(density, starts)])
    if not np.isfinite(values).all():
        raise FitError("The sampler stopped: a starting point has no finite density")
    key = int(child_seed(seed, "chains").generate_state(1)[0])
    shown = sampling_progress(total=chains * (tune + draws)) if progress else nullcontext()
    with jax.enable_x64(True), shown as report, KeptDraws(make_density, coords, chains, store) as kept:
        state = hmc.HMCState(*map(jnp.asarray, (starts, np.array(values), np.stack(gradients))))
        divergences = np.zeros(chains, dtype=int)
        effects = _effects(density.layout)
        blocks = _blocks(
            partial(log_density, density),
            state,
            _first_metric(density, starts[0], effects),
            _stretch(effects),
            key,
            tune,
            draws,
            target_accept,
        )
        for done, tuning, block in _ahead(blocks):
            if not tuning:
                divergences += np.asarray(block.diverging).sum(axis=0)
                kept.take(np.asarray(block.position), _statistics(block))
            if report:
                report([ChainState(done, int(apart), tuning) for apart in divergences])
        return kept.tree()


def _effects(layout: Layout) -> np.ndarray:
    """(D,) True for the standard normals from which effects are made."""
    effects = np.zeros(layout.size, dtype=bool)
    for name, where in layout.slices.items():
        effects[where] = name.endswith("_z")
    return effects


def _first_metric(density: Density, start: np.ndarray, effects: np.ndarray) -> np.ndarray:
    """(D,) variances to begin with: 1 for effects, by the curvature at the start for all else."""
    metric = np.ones(len(start))
    for place in np.flatnonzero(~effects):
        moved = start.copy()
        moved[place] = start[place] + 0.5 * _APART
        above = density(moved)[1][place]
        moved[place] = start[place] - 0.5 * _APART
        metric[place] = _APART / max(abs(above - density(moved)[1][place]), _APART)
    return metric


def _stretch(effects: np.ndarray) -> np.ndarray:
    """(D,) 1 for effects; for all else as much as makes it an eighth of the energy's error, or 4."""
    n_others = max(np.count_nonzero(~effects), 1)
    # A coordinate's energy error grows with the fourth power of its step: with the square of its variance.
    return np.where(effects, 1.0, np.clip(np.sqrt(len(effects) / (8 * n_others)), 1.0, 4.0))


def _statistics(block: Block) -> dict[str, np.ndarray]:
    """`sample_stats` by name, (chains, draws)."""
    named = {
        "energy": block.energy,
        "acceptance_rate": block.acceptance,
        "diverging": block.diverging,
        "n_steps": block.steps,
        "maxdepth_reached": block.steps >= _MOST_STEPS,
    }
    return {name: np.asarray(values).T for name, values in named.items()}


def _blocks(
    log_density: Callable[[Array], Array],
    state: hmc.HMCState,
    first_metric: np.ndarray,
    stretch: np.ndarray,
    seed: int,
    tune: int,
    draws: int,
    target_accept: float,
) -> Iterator[tuple[int, bool, Block]]:
    """How many draws of each chain are done, whether they are of the warm-up, and the last of them.

    first_metric : (D,) variances until the first draws are there
    stretch : (D,) by how much each coordinate's variance is taken for larger than the metric says
    """
    advance = jax.jit(partial(_advance, log_density, jax.random.key(seed), target_accept))
    # Arrays and not numbers of Python: it would be compiled once more for the types of what it returns.
    average = jax.tree.map(np.asarray, _average_start(_FIRST_STEP))
    metric, moments = jnp.asarray(stretch * first_metric), []
    # The last sixth of the warm-up is for the step alone, with the metric as it will be.
    learnt = tune - max(tune // 6, _BLOCK)
    for first in range(0, tune, _BLOCK):
        state, average, block = advance(state, average, metric, np.asarray(first), np.asarray(True))
        yield min(first + _BLOCK, tune), True, block
        if first < learnt:
            moments.append(_moments(block))
            metric = stretch * _metric(moments[len(moments) // 2 :])
    # The warm-up ends with a whole block: no number, and with it no random one, comes twice.
    begun = -(-tune // _BLOCK) * _BLOCK
    for first in range(0, draws, _BLOCK):
        state, average, block = advance(state, average, metric, np.asarray(begun + first), np.asarray(False))
        n = min(_BLOCK, draws - first)
        yield tune + first + n, False, Block(*(values[:n] for values in block))


def _ahead(blocks: Iterator[Any]) -> Iterator[Any]:
    """The same; while one is looked at, the device is at work on the next."""
    before = next(blocks)
    for block in blocks:
        yield before
        before = block
    yield before


def _advance(
    log_density: Callable[[Array], Array],
    key: Array,
    target_accept: float,
    state: hmc.HMCState,
    average: DualAveragingState,
    metric: Array,
    first: Array,
    tuning: Array,
) -> tuple[hmc.HMCState, DualAveragingState, Block]:
    """A block of draws of all chains, numbered from `first`."""
    kernel = hmc.build_kernel()
    chains = len(state.logdensity)

    def draw(carry: tuple[hmc.HMCState, DualAveragingState], number: Array) -> tuple[Any, Block]:
        state, average = carry
        step = jnp.where(tuning, jnp.exp(average.log_x), _average_final(average))
        length = _LONGEST * halton_sequence(number, 20)
        most = jnp.where(tuning, _MOST_STEPS_OF_WARM_UP, _MOST_STEPS)
        n_steps = jnp.clip(jnp.ceil(length / step).astype(int), 1, most)
        keys = jax.random.split(jax.random.fold_in(key, number), chains)
        before = state.logdensity
        state, info = jax.vmap(lambda key, state: kernel(key, state, log_density, step, metric, n_steps))(
            keys, state
        )
        energy = 0.5 * (info.momentum**2 @ metric) - before
        learnt = _average_update(average, target_accept - info.acceptance_rate.mean())
        average = jax.tree.map(partial(jnp.where, tuning), learnt, average)
        steps = jnp.full(chains, n_steps)
        block = Block(
            state.position, state.logdensity_grad, energy, info.acceptance_rate, info.is_divergent, steps
        )
        return (state, average), block

    (state, average), block = jax.lax.scan(draw, (state, average), first + jnp.arange(_BLOCK))
    return state, average, block


@jax.jit
def _moments(block: Block) -> tuple[Array, ...]:
    """Mean and variance of positions and of gradients over the draws of all chains."""
    return tuple(
        moment
        for part in (block.position, block.gradient)
        for moment in (part.mean((0, 1)), part.var((0, 1)))
    )


@jax.jit
def _metric(moments: list[tuple[Array, ...]]) -> Array:
    """Inverse mass matrix (D,) from the moments of blocks."""
    mean_x, var_x, mean_g, var_g = (jnp.stack(part) for part in zip(*moments))
    spread = var_x.mean(0) + mean_x.var(0)
    found = jnp.sqrt(spread / (var_g.mean(0) + mean_g.var(0)))
    return jnp.where(jnp.isfinite(found), jnp.clip(found, 1e-10, 1e10), 1.0)
