"""Many fits: tasks with keys, spread over processes or a cluster, the result of each a file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import pandas as pd
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from relcap_models.errors import ConfigError

if TYPE_CHECKING:
    from distributed import Client

Work = Callable[..., pd.DataFrame]


@dataclass(frozen=True)
class Many:
    """What came of many tasks.

    tables : result of each task by its key, in the order of the tasks · failed : key to error message
    notes : what the reader should know: results from an earlier run, workers that went away
    """

    tables: dict[str, pd.DataFrame]
    failed: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def run_many(
    work: Work,
    tasks: Mapping[str, Mapping[str, Any]],
    *,
    folder: Path,
    about: Mapping[str, Any],
    scheduler: str | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Many:
    """Run every task whose result is not there yet.

    A result is written when it is ready, so that a run that was stopped goes on where it was.

    Parameters
    ----------
    work : called with the values of a task; importable by name on every worker
    tasks : key, which names the result's file, to keyword arguments of `work`
    folder : of the results · about : what they depend on, as JSON: a folder of other results is refused
    scheduler : address of a running Dask scheduler; None for processes of this machine
    workers : how many processes of this machine; None for one per processor

    Raises
    ------
    ConfigError
        If the folder holds results of something else, no scheduler answers, or `workers` is below one.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"--workers {workers}: at least one process is needed")
    _claim(folder, about)
    there = {key for key in tasks if (folder / f"{key}.parquet").exists()}
    open_tasks = {key: task for key, task in tasks.items() if key not in there}
    notes = [f"{len(there):,} of {len(tasks):,} results were there from an earlier run."] if there else []
    failed: dict[str, str] = {}
    if open_tasks:
        with _client(scheduler, workers) as client, _bar(len(tasks), len(there), shown=progress) as step:
            lost: set[str] = set()
            for key, table, error in _finished(client, work, open_tasks, lost):
                if error is None:
                    _write(table, folder / f"{key}.parquet")
                else:
                    failed[key] = error
                step()
        notes += [f"The worker {name} went away; its tasks were done by others." for name in sorted(lost)]
    tables = {key: pd.read_parquet(folder / f"{key}.parquet") for key in tasks if key not in failed}
    return Many(tables, failed, tuple(notes))


def _claim(folder: Path, about: Mapping[str, Any]) -> None:
    note = folder / "about.json"
    written = json.dumps(about, indent=1, sort_keys=True, default=str)
    if note.exists():
        if note.read_text(encoding="utf-8") != written:
            raise ConfigError(
                f"{folder} holds results of other settings (see {note.name} there): give another --out, or "
                "delete it."
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(written, encoding="utf-8")


def _write(table: pd.DataFrame, path: Path) -> None:
    unfinished = path.with_suffix(".part")
    table.to_parquet(unfinished)
    unfinished.replace(path)


@contextmanager
def _client(scheduler: str | None, workers: int | None) -> Iterator[Client]:
    import logging

    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=5)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"--scheduler {scheduler}: no Dask scheduler answers there ({error}). Start one with "
                "`dask scheduler`, and workers with `dask worker ADDRESS --nthreads 1`."
            ) from None
        with client:
            yield client
        return
    count = workers or joblib.cpu_count()
    shape = {"n_workers": count, "threads_per_worker": 1, "dashboard_address": None}
    # Without a dashboard there is still a server, which two runs at once would want at the same port.
    shape["scheduler_kwargs"] = {"dashboard_address": ":0"}
    with LocalCluster(**shape) as cluster, Client(cluster) as client:
        yield client


def _finished(
    client: Client, work: Work, tasks: Mapping[str, Mapping[str, Any]], lost: set[str]
) -> Iterator[tuple[str, pd.DataFrame | None, str | None]]:
    """Key with table or error message of each task, as they are ready; workers that go away join `lost`."""
    from distributed import as_completed

    # What tasks share travels once to each worker, and again if that worker is lost.
    travelling: dict[int, Any] = {}

    def sent(value: Any) -> Any:
        if isinstance(value, str | int | float):
            return value
        if id(value) not in travelling:
            travelling[id(value)] = client.submit(_same, value, pure=False)
        return travelling[id(value)]

    key_of = {}
    for key, task in tasks.items():
        values = {name: sent(value) for name, value in task.items()}
        key_of[client.submit(alone, work, values, key=f"relcap-{key}", pure=False)] = key
    known = set(client.scheduler_info(n_workers=-1)["workers"])
    for future in as_completed(key_of):
        here = set(client.scheduler_info(n_workers=-1)["workers"])
        lost |= known - here
        known |= here
        # A result that goes away with its worker just now is waited for: another worker makes it again.
        try:
            table = future.result()
        except Exception as error:
            yield key_of[future], None, f"{type(error).__name__}: {error}"
        else:
            yield key_of[future], table, None
        future.release()


def _same(value: Any) -> Any:
    return value


def alone(work: Work, task: Mapping[str, Any]) -> pd.DataFrame:
    """Do a task on one processor: the others have tasks of their own."""
    from threadpoolctl import threadpool_limits

    # joblib starts no processes then, which a Dask worker could not have.
    os.environ["LOKY_MAX_CPU_COUNT"] = "1"
    with threadpool_limits(1):
        return work(**task)


@contextmanager
def _bar(total: int, done: int, *, shown: bool) -> Iterator[Callable[[], None]]:
    console = Console(stderr=True)
    if not shown:
        yield lambda: None
        return
    columns = (
        TextColumn("      fits"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    if console.is_terminal:
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("fits", total=total, completed=done)
            yield lambda: bar.advance(task)
        return
    count = [done]

    def say() -> None:
        count[0] += 1
        if (10 * count[0]) // total > (10 * (count[0] - 1)) // total:
            console.print(f"      {count[0]:,} of {total:,} fits", markup=False, highlight=False)

    yield say
