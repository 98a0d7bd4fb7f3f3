"""Commands measured from outside."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd


@dataclass(frozen=True)
class Cost:
    """Wall-clock seconds and peak resident memory in MiB of a process and the largest of its children."""

    seconds: float
    mib: float


# What a process is said to have used at most counts what it was forked from: a small one stands between.
LAUNCH = """
import json, os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
said = process.stderr.read()
_, status, usage = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
seconds = time.perf_counter() - began
print(json.dumps({"code": process.returncode, "said": said, "seconds": seconds, "peak": usage.ru_maxrss}))
"""


def cost_of(*command: object, allowed: tuple[int, ...] = (0,)) -> Cost:
    """Run a command of this Python to its end; another exit code than those allowed is an error."""
    launched = [sys.executable, "-I", "-S", "-c", LAUNCH, sys.executable, *map(str, command)]
    found = json.loads(subprocess.run(launched, stdout=subprocess.PIPE, check=True, text=True).stdout)
    assert found["code"] in allowed, found["said"]
    return Cost(found["seconds"], found["peak"] / (2**20 if sys.platform == "darwin" else 2**10))


def relcap(*arguments: object, allowed: tuple[int, ...] = (0,)) -> Cost:
    """Cost of a `relcap` command in a process of its own."""
    return cost_of("-c", "from relcap_models.cli import main; main()", *arguments, allowed=allowed)


def keep(rows: pd.DataFrame, path: Path, *, by: Sequence[str], environment: str) -> None:
    """Put rows into a table of what was measured, in the place of those with the same `by`.

    environment : machine and versions, a column of the rows
    """
    rows = rows.assign(machine=environment)
    path.parent.mkdir(exist_ok=True)
    if path.exists():
        before = pd.read_csv(path)
        again = pd.MultiIndex.from_frame(before[by]).isin(pd.MultiIndex.from_frame(rows[by]))
        rows = pd.concat([before[~again], rows])
    written = rows.sort_values(list(by), kind="stable").to_csv(index=False, float_format="%.4g")
    path.write_text(written, encoding="utf-8")
