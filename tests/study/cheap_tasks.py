"""Tasks that cost nothing, for the tests of what spreads and keeps them."""

import os
import time
from pathlib import Path

import pandas as pd


def square(x: int) -> pd.DataFrame:
    return pd.DataFrame({"x": [x], "square": [x * x]})


def square_unless_odd(x: int) -> pd.DataFrame:
    if x % 2:
        raise ValueError(f"{x} is odd")
    return square(x)


def noted_square(x: int, notes: str) -> pd.DataFrame:
    """Leaves a file for each time it is called."""
    (Path(notes) / f"{x}-{time.time_ns()}").touch()
    return square(x)


def slow_square(x: int, notes: str) -> pd.DataFrame:
    """Says in which process it runs, and takes its time."""
    (Path(notes) / f"{x}-{os.getpid()}").touch()
    time.sleep(0.4)
    return square(x)
