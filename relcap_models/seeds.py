"""Randomness from one seed, by name: every stage of a run has its own stream, whatever else runs.

A stage's name, not its turn, decides its numbers. So adding a programme to a simulation does not change who
works where, and fitting a second model does not change the draws of the first.
"""

from __future__ import annotations

import hashlib

import numpy as np


def child_seed(seed: int, *stage: str) -> np.random.SeedSequence:
    """The child of `seed` that belongs to the stage with this name.

    Parameters
    ----------
    seed : the study's seed, 0 or above
    stage : the stage's name, from the general to the particular: `"simulate", "organisation", "sizes"`

    Returns
    -------
    SeedSequence, the same on every machine and in every process (sha256; Python's `hash` is salted).
    """
    # The lengths keep ("ab", "c") and ("a", "bc") apart.
    name = "".join(f"{len(part)}:{part}" for part in stage)
    words = np.frombuffer(hashlib.sha256(name.encode()).digest(), dtype="<u4")
    return np.random.SeedSequence(seed, spawn_key=tuple(int(word) for word in words[:4]))


def generator(seed: int, *stage: str) -> np.random.Generator:
    """A fresh random generator for the stage with this name; see `child_seed`."""
    return np.random.default_rng(child_seed(seed, *stage))
