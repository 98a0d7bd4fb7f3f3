"""Many tasks: spread over processes, kept as they come, gone on with, and not stopped by what is lost."""

import contextlib
import importlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from relcap_models.errors import ConfigError
from relcap_models.study.many import run_many

ABOUT = {"seed": 1}
HERE = Path(__file__).parent


@pytest.fixture
def cheap_tasks(monkeypatch):
    """The tasks as a module that workers can import too."""
    monkeypatch.syspath_prepend(HERE)
    return importlib.import_module("cheap_tasks")


def squares(n, **more):
    return {f"t{x:02d}": {"x": x, **more} for x in range(n)}


def run(work, tasks, folder, about=ABOUT, **options):
    return run_many(work, tasks, folder=folder, about=about, progress=False, **options)


def test_results_come_by_key_and_a_task_that_fails_stops_no_other(tmp_path, cheap_tasks):
    many = run(cheap_tasks.square_unless_odd, squares(6), tmp_path, workers=2)
    assert [table["square"].item() for table in many.tables.values()] == [0, 4, 16]
    assert many.failed == {f"t{x:02d}": f"ValueError: {x} is odd" for x in (1, 3, 5)}
    assert many.notes == ()


def test_a_run_beside_another_says_nothing_of_ports(tmp_path, cheap_tasks, recwarn):
    with socket.socket() as other:
        # Dask's own port; if somebody has it already, so much the better.
        with contextlib.suppress(OSError):
            other.bind(("", 8787))
            other.listen()
        run(cheap_tasks.square, squares(1), tmp_path, workers=1)
    assert not [str(warning.message) for warning in recwarn if "8787" in str(warning.message)]


def test_a_run_goes_on_where_it_was_stopped_and_mixes_no_other_settings_in(tmp_path, cheap_tasks):
    notes, results = tmp_path / "notes", tmp_path / "results"
    notes.mkdir()
    run(cheap_tasks.noted_square, squares(3, notes=str(notes)), results, workers=1)
    many = run(cheap_tasks.noted_square, squares(5, notes=str(notes)), results, workers=1)
    assert sorted(path.name.split("-")[0] for path in notes.iterdir()) == list("01234")
    assert list(many.tables) == [f"t{x:02d}" for x in range(5)]
    assert many.notes == ("3 of 5 results were there from an earlier run.",)
    with pytest.raises(ConfigError, match="results of other settings"):
        run(cheap_tasks.square, squares(6), results, about={"seed": 2}, workers=1)
    assert len(list(results.glob("*.parquet"))) == 5
    assert not list(results.glob("*.part"))


@pytest.mark.parametrize("workers", [0, -2])
def test_no_worker_at_all_is_refused_and_nothing_written(tmp_path, cheap_tasks, workers):
    with pytest.raises(ConfigError, match=f"--workers {workers}: at least one"):
        run(cheap_tasks.square, squares(1), tmp_path / "results", workers=workers)
    assert not (tmp_path / "results").exists()


def test_a_scheduler_that_does_not_answer_is_an_error_that_says_how_to_start_one(tmp_path, cheap_tasks):
    with pytest.raises(ConfigError, match="dask scheduler"):
        run(cheap_tasks.square, squares(1), tmp_path, scheduler="tcp://127.0.0.1:9")


@pytest.fixture
def cluster():
    """Address of a scheduler with two worker processes on loopback, and how to kill one of them."""
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    environment = os.environ | {"PYTHONPATH": str(HERE)}
    flags = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    scheduler = subprocess.Popen([*command, *flags], stderr=subprocess.PIPE, text=True, env=environment)
    address = ""
    while not address:
        line = scheduler.stderr.readline()
        assert line, "the scheduler did not start"
        found = re.search(r"Scheduler at:\s+(tcp://\S+)", line)
        address = found.group(1) if found else ""
    reader = threading.Thread(target=scheduler.stderr.read)
    reader.start()
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address]
    flags = ["--nthreads", "1", "--no-nanny", "--no-dashboard"]
    workers = [
        subprocess.Popen([*worker, *flags], stderr=subprocess.DEVNULL, env=environment) for _ in range(2)
    ]
    yield address, workers
    for process in (*workers, scheduler):
        process.kill()
        process.wait()
    reader.join()
    scheduler.stderr.close()


def test_a_worker_that_is_killed_half_way_is_said_and_its_tasks_are_done_by_the_other(
    tmp_path, cluster, cheap_tasks
):
    address, workers = cluster
    notes, results = tmp_path / "notes", tmp_path / "results"
    notes.mkdir()
    victim = workers[0]

    def kill_after_its_first_result():
        while len(list(notes.glob(f"*-{victim.pid}"))) < 2:
            time.sleep(0.02)
        victim.send_signal(signal.SIGKILL)

    killer = threading.Thread(target=kill_after_its_first_result)
    killer.start()
    many = run(cheap_tasks.slow_square, squares(12, notes=str(notes)), results, scheduler=address)
    killer.join()
    assert victim.wait() == -signal.SIGKILL
    assert [table["square"].item() for table in many.tables.values()] == [x * x for x in range(12)]
    assert many.failed == {}
    assert len(many.notes) == 1
    assert "went away" in many.notes[0]
