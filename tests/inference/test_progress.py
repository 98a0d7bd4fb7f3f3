"""Progress is told where it can be read; Ctrl-C and a kill end a run."""

import io
import os
import signal
import subprocess
import sys
from contextlib import suppress

from rich.console import Console

from relcap_models.inference.progress import ChainState, sampling_progress

STOPPED = """
import sys, threading, time
import signal
import numpy as np
from relcap_models.inference.nuts import sample

# A shell's background jobs ignore Ctrl-C, and so would what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Slow:
    class layout:
        size = 2

        @staticmethod
        def start(rng):
            return rng.normal(size=2)

    def __call__(self, x):
        time.sleep(0.002)
        Slow.asked += 1
        # More often than it takes to have the density compiled: a chain has begun.
        if Slow.asked == 5:
            threading.Timer(1.0, lambda: print("sampling", flush=True)).start()
        return -0.5 * float(x @ x), -x

    asked = 0

    def report(self, x):
        return {"stability_unit": np.zeros(())}


try:
    sample(Slow, {}, chains=2, draws=100000, tune=100, target_accept=0.8, seed=1, progress=False)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
"""


def chain(done, divergences=0, tuning=False):
    return ChainState(finished_draws=done, divergences=divergences, tuning=tuning)


def test_without_a_terminal_every_tenth_is_one_line():
    out = io.StringIO()
    with sampling_progress(total=200, console=Console(file=out, force_terminal=False, width=100)) as report:
        for done in range(0, 101):
            report([chain(done), chain(done, divergences=1)])
    lines = out.getvalue().splitlines()
    assert len(lines) == 10
    assert "20 of 200 draws, 1 divergent" in lines[0]
    assert "200 of 200 draws, 1 divergent, about 0 s left" in lines[-1]


def test_a_terminal_shows_a_bar_with_divergences():
    out = io.StringIO()
    with sampling_progress(total=200, console=Console(file=out, force_terminal=True, width=120)) as report:
        report([chain(50, tuning=True), chain(30, divergences=3, tuning=True)])
    assert "80 of 200 draws" in out.getvalue()
    assert "3 divergent" in out.getvalue()
    assert "warming up" in out.getvalue()


def test_control_c_interrupts_the_sampler():
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "sampling\n"
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    # Either chain may have said that it samples in the meantime.
    assert said.splitlines()[-1] == "interrupted"
    assert process.returncode == 130


def test_chains_end_after_a_run_that_is_killed():
    """What waits for the draws is gone: nothing may sample on for hours and keep the processors busy."""
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout.readline() == "sampling\n"
        process.kill()
        process.communicate(timeout=30)  # the pipe is closed by whoever holds it last
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_chains_have_random_numbers_of_their_own(small_fit):
    draws = small_fit.posterior["sd_unit"].transpose("chain", "draw", ...).to_numpy()
    assert not (draws[0] == draws[1]).any()
