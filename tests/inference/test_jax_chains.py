"""Chains that go together in JAX: what they learn, what they draw, and what is kept of it."""

import os
import sys
from functools import partial

import numpy as np
import pytest
import xarray as xr

from relcap_models.errors import FitError
from relcap_models.inference.kept import coordinates
from relcap_models.inference.kept_draws import KeptDraws


@pytest.fixture
def chains():
    """The sampler; the lock file has JAX on Linux alone."""
    if not sys.platform.startswith("linux"):
        pytest.importorskip("blackjax")
    from relcap_models.inference import jax_chains

    return jax_chains


@pytest.fixture
def known(chains):
    """Draws (chains, draws, D) of a density that is known, and the last state of the warm-up's metric."""
    import jax
    import jax.numpy as jnp
    from blackjax.mcmc import hmc

    def of(log_density, start, *, seed=1, tune=150, draws=500, target_accept=0.8):
        value_and_grad = jax.vmap(jax.value_and_grad(log_density))
        with jax.enable_x64(True):
            values, gradients = value_and_grad(jnp.asarray(start))
            state = hmc.HMCState(jnp.asarray(start), values, gradients)
            ones = np.ones(start.shape[1])
            blocks = list(chains._blocks(log_density, state, ones, ones, seed, tune, draws, target_accept))
            kept = [np.asarray(block.position) for _, tuning, block in blocks if not tuning]
        accepted = np.concatenate([np.asarray(b.acceptance) for _, tuning, b in blocks if not tuning])
        return np.concatenate(kept).swapaxes(0, 1), accepted, [done for done, _, _ in blocks]

    return of


def test_moments_of_a_density_whose_scales_differ_by_a_million(known):
    """Log variances of gamma distributions beside normals: means and spreads in Monte Carlo errors."""
    import jax.numpy as jnp
    from scipy.special import digamma, polygamma

    from relcap_models.estimands.estimate import summarise

    sd, shape = np.logspace(-4, 2, 12), np.array([1.5, 4.0, 30.0])

    def log_density(x):
        normal, log_gamma = x[:12], x[12:]
        return -0.5 * jnp.sum((normal / sd) ** 2) + jnp.sum(shape * log_gamma - jnp.exp(log_gamma))

    start = np.random.default_rng(3).normal(size=(16, 15)) * np.append(sd, [1.0, 1.0, 1.0])
    draws, accepted, _ = known(log_density, start)
    mean = np.append(np.zeros(12), digamma(shape))
    spread = np.append(sd, np.sqrt(polygamma(1, shape)))
    scaled = (draws - mean) / spread
    for moment, expected in ((scaled, 0.0), (scaled**2, 1.0)):
        found = summarise(moment, ci_prob=0.9)
        distance = (found["mean"] - expected) / found["mcse"]
        # Of thirty distances, one beyond 3.5 comes in a hundred runs.
        assert np.abs(distance).max() < 3.5
        assert found["ess"].min() > 1500
    assert accepted.mean() == pytest.approx(0.8, abs=0.06)


def test_a_correlation_that_no_diagonal_metric_removes(known):
    """Two coordinates at .95: the covariance of the draws in its Monte Carlo error."""
    import jax.numpy as jnp

    from relcap_models.estimands.estimate import summarise

    precision = np.linalg.inv([[1.0, 0.95], [0.95, 1.0]])
    draws, _, _ = known(lambda x: -0.5 * x @ jnp.asarray(precision) @ x, np.zeros((8, 2)), draws=1000)
    found = summarise(np.prod(draws, axis=-1)[..., None], ci_prob=0.9)
    assert abs(found["mean"][0] - 0.95) < 3.5 * found["mcse"][0]
    assert found["ess"][0] > 400


def test_a_seed_gives_its_draws_again_and_another_gives_others(known):
    def standard(x):
        return -0.5 * (x**2).sum()

    start = np.zeros((4, 3))
    first, again, other = (known(standard, start, seed=s, tune=40, draws=30)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.all(first[:, -1] != other[:, -1])


def test_every_draw_that_was_asked_for_and_no_more(known):
    """Warm-up and draws are no multiples of the blocks that go to the device."""
    draws, _, done = known(lambda x: -0.5 * (x**2).sum(), np.zeros((3, 2)), tune=25, draws=33)
    assert draws.shape == (3, 33, 2)
    assert done == [10, 20, 25, 35, 45, 55, 58]


def test_one_block_is_at_work_while_another_is_looked_at_and_none_is_lost(chains):
    begun = []

    def blocks():
        for number in range(4):
            begun.append(number)
            yield number

    looked_at = [(block, begun[-1]) for block in chains._ahead(blocks())]
    assert looked_at == [(0, 1), (1, 2), (2, 3), (3, 3)]


def test_no_random_number_of_the_warm_up_comes_again(known, monkeypatch, chains):
    """Numbers of draws make their seeds; the warm-up of 25 takes three blocks of ten."""
    numbers = []
    advance = chains._advance
    monkeypatch.setattr(chains.jax, "jit", lambda f: f)

    def watched(*arguments):
        numbers.append(int(arguments[-2]))
        return advance(*arguments)

    monkeypatch.setattr(chains, "_advance", watched)
    known(lambda x: -0.5 * (x**2).sum(), np.zeros((2, 2)), tune=25, draws=20)
    assert numbers == [0, 10, 20, 30, 40]


@pytest.fixture
def blocks_of(small_fit):
    """Labels of a fit, its density's maker, and blocks of positions (draws, chains, D)."""
    make = partial(small_fit.model.density, small_fit.frame)
    density, rng = make(), np.random.default_rng(4)
    blocks = [
        np.stack([[density.layout.start(rng) for _ in range(2)] for _ in range(n)]) for n in (10, 10, 3)
    ]
    return coordinates(small_fit.frame, small_fit.structure), make, blocks


def test_what_is_kept_is_what_the_density_reports_of_each_draw_in_order(blocks_of):
    labels, make, blocks = blocks_of
    with KeptDraws(make, labels, 2, None) as kept:
        for block in blocks:
            kept.take(block, {"n_steps": np.full((2, len(block)), len(block))})
        tree = kept.tree()
    density, positions = make(), np.concatenate(blocks)
    assert tree["sample_stats"]["n_steps"].to_numpy()[1].tolist() == [10] * 20 + [3] * 3
    assert tree["posterior"]["draw"].to_numpy().tolist() == list(range(23))
    for draw, chain in ((0, 0), (9, 1), (10, 0), (22, 1)):
        for name, value in density.report(positions[draw, chain]).items():
            found = tree["posterior"][name].isel(chain=chain, draw=draw).to_numpy()
            np.testing.assert_array_equal(found, value, err_msg=name)


def test_draws_are_streamed_in_the_order_in_which_they_come(blocks_of, tmp_path):
    labels, make, blocks = blocks_of
    with KeptDraws(make, labels, 2, tmp_path / "draws") as kept:
        for _ in range(21):
            kept.take(blocks[0], {"n_steps": np.zeros((2, 10))})
            kept.take(blocks[2], {"n_steps": np.ones((2, 3))})
        tree = kept.tree()
    streamed = xr.open_datatree(tmp_path / "draws", engine="zarr", consolidated=False)
    assert streamed["posterior"].sizes["draw"] == 20 * 13
    for group in ("posterior", "sample_stats"):
        xr.testing.assert_equal(
            streamed[group].to_dataset().load(), tree[group].to_dataset().isel(draw=slice(20 * 13))
        )


def test_a_process_that_is_ended_from_outside_is_told(blocks_of):
    labels, _, blocks = blocks_of
    with KeptDraws(partial(os._exit, 1), labels, 2, None) as kept:
        kept.take(blocks[0], {"n_steps": np.zeros((2, 10))})
        with pytest.raises(FitError, match="memory was full"):
            kept.tree()


def test_a_start_without_a_density_is_told(chains, small_fit):
    class Nowhere:
        layout = small_fit.model.density(small_fit.frame).layout

        def __call__(self, x):
            return -np.inf, np.zeros_like(x)

    options = {"chains": 2, "draws": 10, "tune": 10, "target_accept": 0.8, "seed": 1, "progress": False}
    with pytest.raises(FitError, match="no finite density"):
        chains.sample(Nowhere, {}, **options)


def test_what_is_no_effect_has_an_eighth_of_the_energys_error(chains, small_fit):
    """A coordinate's share grows with the square of its variance; of few effects nothing is taken."""
    layout = small_fit.model.density(small_fit.frame).layout
    effects = chains._effects(layout)
    assert effects.sum() == sum(np.prod(p.shape) for p in layout.parameters if p.name.endswith("_z"))
    stretch = chains._stretch(effects)
    assert np.all(stretch[effects] == 1.0)
    assert 1.0 < stretch[~effects].max() < 4.0, "neither limit is met here"
    assert np.sum(stretch[~effects] ** 2) == pytest.approx(layout.size / 8)
    assert np.all(chains._stretch(np.arange(40) < 10) == 1.0)
    assert chains._stretch(np.arange(100_000) > 1).max() == 4.0


def test_the_first_metric_is_the_curvature_of_what_is_no_effect(chains, small_fit):
    """Beside second differences of the log density."""
    density = small_fit.model.density(small_fit.frame)
    start, effects = density.layout.start(np.random.default_rng(1)), chains._effects(density.layout)
    metric = chains._first_metric(density, start, effects)
    assert np.all(metric[effects] == 1.0)
    for name in ("sd_rating", "threshold_5_categories", "mu_own"):
        place, step = density.layout.slices[name].start, np.zeros(len(start))
        step[place] = 1e-3
        bend = density(start + step)[0] - 2 * density(start)[0] + density(start - step)[0]
        assert metric[place] == pytest.approx(1e-6 / abs(bend), rel=0.02)
