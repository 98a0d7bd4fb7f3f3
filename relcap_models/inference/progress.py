"""How far the sampler is: a bar on a terminal, a line for every tenth elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@dataclass(frozen=True)
class ChainState:
    """How far a chain is."""

    finished_draws: int
    divergences: int
    tuning: bool


RoundReport = Callable[[int, Mapping[str, float]], None]
"""Takes the number of a round and what it moved."""

Report = Callable[[Sequence[ChainState]], None]
"""Takes the state of each chain. Called from another thread."""


@contextmanager
def sampling_progress(*, total: int, console: Console | None = None) -> Iterator[Report]:
    """Show how many of `total` draws (all chains, warm-up included) are done."""
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(console, total)
        return
    columns = (
        TextColumn("      {task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} draws"),
        TextColumn("{task.fields[divergences]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("starting", total=total, divergences="")

        def report(chains: Sequence[ChainState]) -> None:
            done, divergences, tuning = _state(chains)
            progress.update(
                task,
                completed=done,
                description="warming up" if tuning else "sampling",
                divergences=f"{divergences:,} divergent" if divergences else "",
            )

        yield report


@contextmanager
def round_progress(*, shown: bool, console: Console | None = None) -> Iterator[RoundReport]:
    """Show the rounds of the fast engine: how many of them, and how far the effects still move."""
    console = console or Console(stderr=True)
    if not shown:
        yield lambda _number, _left: None
        return
    if not console.is_terminal:
        began = time.monotonic()
        yield lambda number, left: console.print(
            f"      round {number}{_moving(left)}, {time.monotonic() - began:.0f} s",
            markup=False,
            highlight=False,
        )
        return
    with console.status("      item parameters") as status:
        yield lambda number, left: status.update(f"      round {number}{_moving(left)}")


@contextmanager
def fold_progress(
    *, total: int, shown: bool, console: Console | None = None
) -> Iterator[Callable[[int], None]]:
    """Show how many of the fits without some respondents are done."""
    console = console or Console(stderr=True)
    if not shown:
        yield lambda _done: None
        return
    text = "      without respondents whom leave-one-out cannot leave out: {} of {} fits"
    if not console.is_terminal:
        yield lambda done: console.print(text.format(done, total), markup=False, highlight=False)
        return
    with console.status(text.format(0, total)) as status:
        yield lambda done: status.update(text.format(done, total))


def _moving(left: Mapping[str, float]) -> str:
    moved = left["effects"]
    return f": effects moved by up to {moved:.2g} posterior sd" if math.isfinite(moved) else ""


class _Lines:
    """One line for every tenth of the draws."""

    def __init__(self, console: Console, total: int) -> None:
        self.console, self.total, self.tenths = console, total, 0
        self.began = time.monotonic()

    def __call__(self, chains: Sequence[ChainState]) -> None:
        done, divergences, _ = _state(chains)
        tenths = 10 * done // self.total
        if tenths <= self.tenths:
            return
        self.tenths = tenths
        left = (time.monotonic() - self.began) * (self.total - done) / done
        self.console.print(
            f"      {done:,} of {self.total:,} draws, {divergences:,} divergent, about {left:.0f} s left",
            markup=False,
            highlight=False,
        )


def _state(chains: Sequence[ChainState]) -> tuple[int, int, bool]:
    done = sum(chain.finished_draws for chain in chains)
    return done, sum(chain.divergences for chain in chains), any(chain.tuning for chain in chains)
