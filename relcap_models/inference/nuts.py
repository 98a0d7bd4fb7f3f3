"""No-U-Turn sampling of a model's log density with nutpie."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import xarray as xr

from relcap_models.errors import FitError
from relcap_models.inference.kept import KEPT_DIMS
from relcap_models.inference.progress import sampling_progress
from relcap_models.models.density import Density


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
    """Posterior draws with groups `posterior` and `sample_stats`.

    Parameters
    ----------
    make_density : called once per chain, because a density owns its buffers
    store : folder to which the draws are streamed as Zarr while sampling; None keeps them in memory

    Raises
    ------
    KeyboardInterrupt
        If the user stops the run: the draws so far are thrown away.
    FitError
        If the sampler fails, for instance because no starting point has a finite density.
    """
    import nutpie
    from nutpie.compiled_pyfunc import from_pyfunc

    first = make_density()
    start = first.layout.start(np.random.default_rng(0))
    # One evaluation before the chains start, so that numba compiles once and not in every thread.
    first(start)
    example = first.report(start)

    def make_expand(_seed1: int, _seed2: int, _chain: int) -> Callable[..., dict[str, np.ndarray]]:
        density = make_density()

        def expand(x: np.ndarray, **_: object) -> dict[str, np.ndarray]:
            return {name: np.array(value, order="C") for name, value in density.report(x).items()}

        return expand

    compiled = from_pyfunc(
        first.layout.size,
        make_density,
        make_expand,
        [np.dtype("float64")] * len(example),
        [np.shape(value) for value in example.values()],
        list(example),
        coords=coords,
        dims={name: KEPT_DIMS[name] for name in example},
        make_initial_point_fn=lambda chain_seed: first.layout.start(np.random.default_rng(chain_seed)),
    )
    target = {} if store is None else {"zarr_store": nutpie.zarr_store.LocalStore(str(store))}
    with sampling_progress(total=chains * (tune + draws)) if progress else nullcontext() as report:
        sampler = nutpie.sample(
            compiled,
            chains=chains,
            draws=draws,
            tune=tune,
            seed=seed,
            target_accept=target_accept,
            save_warmup=False,
            progress_bar=False,
            progress_callback=report,
            blocking=False,
            **target,
        )
        try:
            # nutpie's blocking call swallows Ctrl-C and returns what it has: wait here instead.
            tree = sampler.wait()
        except KeyboardInterrupt:
            sampler.cancel()
            raise
        except (RuntimeError, ValueError) as error:
            raise FitError(f"The sampler stopped: {error}") from error
    if tree.posterior.sizes["draw"] < draws:
        raise KeyboardInterrupt
    return _with_plain_text(tree)


def _with_plain_text(tree: xr.DataTree) -> xr.DataTree:
    """Streamed draws come back with labels as NumPy's variable-length strings, which netCDF cannot hold."""
    groups = {name: tree[name].to_dataset() for name in ("posterior", "sample_stats")}
    for name, group in groups.items():
        texts = {
            label: (values.dims, values.to_numpy().astype(object).astype(str))
            for label, values in group.variables.items()
            if isinstance(values.dtype, np.dtypes.StringDType)
        }
        groups[name] = group.assign(texts)
    return xr.DataTree.from_dict(groups)
