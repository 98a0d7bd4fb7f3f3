"""No-U-Turn sampling of a model's log density with nutpie."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

from relcap_models.errors import FitError
from relcap_models.models.density import Density

KEPT_DIMS: dict[str, tuple[str, ...]] = {
    "mu": ("wave", "dimension"), "mu_own": ("wave", "dimension"), "beta": ("covariate", "dimension"),
    "sd_unit": ("unit_effect",), "corr_unit": ("unit_effect", "unit_effect_b"),
    "generalised_reciprocity": ("dimension",),
    "perceiver_effect": ("unit", "wave", "dimension"), "target_effect": ("unit", "wave", "dimension"),
    "self_effect": ("unit", "wave", "dimension"), "relation_effect": ("relation", "wave", "dimension"),
    "sd_relation": ("dimension",), "dyadic_reciprocity": ("dimension",), "cov_relation": ("dimension", "dimension_b"),
    "loading": ("item",), "threshold": ("item_threshold",), "intercept": ("item",), "residual_sd": ("item",),
    **{f"sd_{name}": ("dimension",) for name in
       ("respondent", "respondent_wave", "respondent_target", "rating", "district_perceiver", "district_target")},
    **{f"cov_{name}": ("dimension", "dimension_b") for name in
       ("respondent", "respondent_wave", "respondent_target", "rating", "district_perceiver", "district_target")},
    "stability_unit": (), "memory_unit": (), "stability_relation": (), "memory_relation": (),
}
"""Dimensions of every quantity that is kept from each draw. Effects of respondents and ratings are not kept: nothing
that is reported needs a single person's."""


def sample(make_density: Callable[[], Density], coords: dict[str, list[str]], *, chains: int, draws: int, tune: int,
           target_accept: float, seed: int, progress: bool = True, store: Path | None = None) -> xr.DataTree:
    """Posterior draws as a DataTree with groups `posterior` and `sample_stats`.

    make_density : called once per chain, because a density owns its buffers.
    store : folder to which the draws are streamed as Zarr while sampling (kept in memory when None).

    Raises
    ------
    KeyboardInterrupt : if the user stops the run; nothing is returned then.
    FitError : if no starting point with a finite density is found.
    """
    import nutpie
    from nutpie.compiled_pyfunc import from_pyfunc

    first = make_density()
    example = first.report(first.layout.start(np.random.default_rng(0)))
    names = list(example)
    shapes = [np.shape(example[name]) for name in names]

    def make_logp() -> Callable:
        return make_density()

    def make_expand(seed1: int, seed2: int, chain: int) -> Callable:
        density = make_density()

        def expand(x: np.ndarray, **_: object) -> dict[str, np.ndarray]:
            return {name: np.ascontiguousarray(value, dtype=np.float64) for name, value in density.report(x).items()}

        return expand

    compiled = from_pyfunc(
        first.layout.size, make_logp, make_expand, [np.dtype("float64")] * len(names), shapes, names,
        coords=coords, dims={name: KEPT_DIMS[name] for name in names},
        make_initial_point_fn=lambda chain_seed: first.layout.start(np.random.default_rng(chain_seed)),
    )
    target = {"zarr_store": nutpie.zarr_store.LocalStore(str(store))} if store is not None else {}
    sampler = nutpie.sample(compiled, chains=chains, cores=min(chains, 2), draws=draws, tune=tune, seed=seed,
                            target_accept=target_accept, save_warmup=False, progress_bar=False, blocking=False, **target)
    return sampler
