"""No-U-Turn sampling of a model's log density with nutpie.

Each chain has a process of its own: a density in Python holds the interpreter's lock, so that chains in
threads would wait for each other.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path

import joblib
import numpy as np
import xarray as xr
from joblib.externals.loky.process_executor import TerminatedWorkerError
from threadpoolctl import threadpool_limits

from relcap_models.errors import FitError
from relcap_models.inference.kept import KEPT_DIMS
from relcap_models.inference.kept_draws import ENDED_FROM_OUTSIDE
from relcap_models.inference.progress import ChainState, Report, sampling_progress
from relcap_models.models.density import Density
from relcap_models.seeds import child_seed

_GROUPS = ("posterior", "sample_stats")


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

    The draws depend on the seed and not on how many processors share the chains.

    Parameters
    ----------
    make_density : called once per chain, in the chain's process; must be picklable
    store : folder to which each chain streams its draws as Zarr; None keeps them in memory

    Raises
    ------
    KeyboardInterrupt
        If the user stops the run: the draws so far are thrown away.
    FitError
        If the sampler fails, for instance because no starting point has a finite density.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        state = Path(folder) / "state.npy"
        np.save(state, np.zeros((chains, 3), dtype=np.int64))
        tasks = [
            joblib.delayed(_sample_chain)(
                make_density,
                coords,
                run=os.getpid(),
                state=state,
                chain=chain,
                draws=draws,
                tune=tune,
                target_accept=target_accept,
                seed=int(child_seed(seed, "chain", str(chain)).generate_state(1)[0]),
                store=None if store is None else store / f"chain_{chain}",
            )
            for chain in range(chains)
        ]
        # Compiled once, here: the chains' processes then find it on disk.
        _evaluated(make_density())
        shown = sampling_progress(total=chains * (tune + draws)) if progress else nullcontext()
        with shown as report, _watched(state, report):
            try:
                # One task alone is done by this process.
                parts = joblib.Parallel(n_jobs=min(len(tasks), joblib.cpu_count()), backend="loky")(tasks)
            except TerminatedWorkerError:
                raise FitError(ENDED_FROM_OUTSIDE) from None
    return xr.DataTree.from_dict(
        {name: xr.concat([part[name] for part in parts], dim="chain") for name in _GROUPS}
    )


def _evaluated(density: Density) -> dict[str, np.ndarray]:
    """What a density keeps of a draw, after one evaluation with its gradient."""
    start = density.layout.start(np.random.default_rng(0))
    density(start)
    return density.report(start)


def _sample_chain(
    make_density: Callable[[], Density],
    coords: dict[str, list[str]],
    *,
    run: int,
    state: Path,
    chain: int,
    draws: int,
    tune: int,
    target_accept: float,
    seed: int,
    store: Path | None,
) -> dict[str, xr.Dataset]:
    """Draws of one chain; how far it is stands in its row of the array `state`. run : process that waits for
    it."""
    _end_with(run)
    import nutpie
    from nutpie.compiled_pyfunc import from_pyfunc

    first = make_density()
    # One evaluation before the limit on threads, which holds only for libraries that are loaded: sums over
    # other numbers of threads round differently, and the same seed would give other draws.
    example = _evaluated(first)

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
    target = {}
    if store is not None:
        store.mkdir(parents=True)
        target["zarr_store"] = nutpie.zarr_store.LocalStore(str(store))
    rows = np.load(state, mmap_mode="r+")[chain : chain + 1]

    def report(states: list[ChainState]) -> None:
        rows[:] = [(s.finished_draws, s.divergences, s.tuning) for s in states]

    with threadpool_limits(1):
        sampler = nutpie.sample(
            compiled,
            chains=1,
            cores=1,
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
    rows[:, 0] = tune + draws
    posterior, stats = (tree[name].to_dataset() for name in _GROUPS)
    # One number a draw: a stream has room for gradients and the like too, thirty times that of the draws.
    stats = stats[[name for name, values in stats.data_vars.items() if set(values.dims) <= {"chain", "draw"}]]
    return {name: _with_plain_text(group.load()) for name, group in zip(_GROUPS, (posterior, stats))}


@cache
def _end_with(parent: int) -> None:
    """Let this process end soon after its parent was killed: nobody is left to take the draws."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    if os.getppid() == parent:
        threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _watched(state: Path, report: Report | None) -> Iterator[None]:
    """Tell `report` every half second how far the chains are."""
    if report is None:
        yield
        return
    rows = np.load(state, mmap_mode="r")
    done = threading.Event()

    def tell() -> None:
        report([ChainState(int(draws), int(apart), bool(tuning)) for draws, apart, tuning in rows])

    def watch() -> None:
        while not done.wait(0.5):
            tell()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
        tell()
    finally:
        done.set()
        watcher.join()


def _with_plain_text(group: xr.Dataset) -> xr.Dataset:
    """Streamed draws come back with labels as NumPy's variable-length strings, which netCDF cannot hold."""
    texts = {
        label: (values.dims, values.to_numpy().astype(object).astype(str))
        for label, values in group.variables.items()
        if isinstance(values.dtype, np.dtypes.StringDType)
    }
    return group.assign(texts)
