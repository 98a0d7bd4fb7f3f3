"""What is kept of a sampler's draws, computed by processes beside it.

Nothing of JAX is imported here: its processes would each ask for the graphics processor.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import numpy as np
import xarray as xr
from joblib.externals.loky import ProcessPoolExecutor
from threadpoolctl import threadpool_limits

from relcap_models.errors import FitError
from relcap_models.inference.kept import KEPT_DIMS
from relcap_models.models.density import Density

Named = dict[str, np.ndarray]

ENDED_FROM_OUTSIDE = (
    "The process of a chain was ended from outside, most often because the memory was full: "
    "close other programs, or keep fewer draws (inference.draws)"
)

# Blocks of draws in the hands of the processes.
_WAITING = 3
# Blocks that are written to disk together.
_STREAMED = 10


class KeptDraws:
    """What is kept of draws, computed by processes beside the device.

    store : folder to which it is streamed as Zarr; None keeps it in memory alone
    """

    def __init__(
        self,
        make_density: Callable[[], Density],
        coords: dict[str, list[str]],
        chains: int,
        store: Path | None,
    ) -> None:
        self._chains, self._coords, self._store = chains, coords, store
        self._folder = TemporaryDirectory(ignore_cleanup_errors=True)
        # By a file: what is sent to a process as it starts keeps the next one waiting until it has been read.
        maker = Path(self._folder.name) / "make_density"
        maker.write_bytes(pickle.dumps(make_density))
        workers = min(joblib.cpu_count(), chains)
        self._pool = ProcessPoolExecutor(workers, initializer=_receive, initargs=(maker,))
        # The processes start with the first task; there is time for it before the first draws come.
        self._pool.submit(int)
        self._waiting: deque[tuple[list[Future[Named]], Named]] = deque()
        self._parts: dict[str, list[xr.Dataset]] = {"posterior": [], "sample_stats": []}

    def __enter__(self) -> KeptDraws:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, kill_workers=True)
        self._folder.cleanup()

    def take(self, positions: np.ndarray, stats: Named) -> None:
        """positions : (draws, chains, D) unconstrained · stats : (chains, draws) by name."""
        with _told():
            reports = [self._pool.submit(_report, positions[:, chain]) for chain in range(self._chains)]
        self._waiting.append((reports, stats))
        # Positions are large: no more of them wait than keep the processes busy.
        while len(self._waiting) > _WAITING:
            self._collect()

    def tree(self) -> xr.DataTree:
        while self._waiting:
            self._collect()
        return xr.DataTree.from_dict(
            {name: xr.concat(parts, dim="draw") for name, parts in self._parts.items()}
        )

    def _collect(self) -> None:
        reports, stats = self._waiting.popleft()
        with _told():
            found = [report.result() for report in reports]
        posterior = {
            name: (("chain", "draw", *KEPT_DIMS[name]), np.stack([kept[name] for kept in found]))
            for name in found[0]
        }
        done = sum(part.sizes["draw"] for part in self._parts["posterior"])
        numbered = {"chain": np.arange(self._chains), "draw": done + np.arange(stats["n_steps"].shape[1])}
        used = {dim for dims, _ in posterior.values() for dim in dims}
        labels = {dim: names for dim, names in self._coords.items() if dim in used}
        groups = {
            "posterior": xr.Dataset(posterior, coords=numbered | labels),
            "sample_stats": xr.Dataset(
                {name: (("chain", "draw"), values) for name, values in stats.items()}, coords=numbered
            ),
        }
        for name, group in groups.items():
            self._parts[name].append(group)
        if self._store is not None and len(self._parts["posterior"]) % _STREAMED == 0:
            self._stream(self._store)

    def _stream(self, store: Path) -> None:
        """Append the last blocks to what was streamed before them."""
        for name, parts in self._parts.items():
            further = {"append_dim": "draw"} if len(parts) > _STREAMED else {"mode": "w"}
            part = xr.concat(parts[-_STREAMED:], dim="draw")
            part.to_zarr(store, group=name, consolidated=False, **further)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool:
        raise FitError(ENDED_FROM_OUTSIDE) from None


_density: Density


def _receive(maker: Path) -> None:
    """Make this process's density, and compile what it takes."""
    global _density
    _density = pickle.loads(maker.read_bytes())()
    _density.report(_density.layout.start(np.random.default_rng(0)))
    # As many processes as processors: their libraries' threads would wait for each other.
    threadpool_limits(1)


def _report(position: np.ndarray) -> Named:
    """What is kept of each of these draws (n, D), of one chain: (n, …) by name."""
    reports = [{name: np.array(v) for name, v in _density.report(x).items()} for x in position]
    return {name: np.stack([report[name] for report in reports]) for name in reports[0]}
