"""An estimate: a question, its unit, what it assumes, and draws; and the tidy table of draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

SUMMARY = ("mean", "sd", "lower", "upper", "ci_prob", "ci_kind", "median", "mcse", "ess", "ess_tail", "rhat")
"""Columns of a summary: equal-tailed interval; `ess` and `ess_tail` are the bulk and tail effective sizes.

Convergence is the worst of all quantities whose draws a row sums up: unit-adjusted scores and shares of
favourable answers count."""


@dataclass(frozen=True)
class Estimate:
    """Draws of a labelled quantity.

    question : what is asked, in words · unit : of the draws · assumptions : in words
    draws : (chain, draw, X) · labels : X rows that say which cell each column is
    also : (chain, draw, X) each, other quantities that the same rows report: convergence is theirs too
    """

    question: str
    unit: str
    assumptions: str
    draws: np.ndarray
    labels: pd.DataFrame
    also: Sequence[np.ndarray] = ()

    def table(self, *, ci_prob: float) -> pd.DataFrame:
        """Labels followed by the summary of every cell."""
        summary = summarise(self.draws, self.also, ci_prob=ci_prob)
        return pd.concat([self.labels.reset_index(drop=True), summary], axis=1)


def summarise(draws: np.ndarray, also: Sequence[np.ndarray] = (), *, ci_prob: float) -> pd.DataFrame:
    """Mean, sd, equal-tailed interval and convergence of each column of (chain, draw, X).

    `rhat`, `ess` and `ess_tail` are the worst of a row: of its draws and of those of the same column of every
    array in `also`, whose figures stand in the same row. `mcse` is that of the mean.
    A column that never varies is a constant, not an estimate: its sd and Monte Carlo error are 0 and its ESS
    and R-hat are blank, unless others of the row vary.
    """
    # Imported here: it loads the compiler, which reading a study does not need.
    from relcap_models.inference.convergence import convergence, is_constant

    flat = draws.reshape(-1, draws.shape[-1])
    lower, median, upper = np.quantile(flat, [(1 - ci_prob) / 2, 0.5, (1 + ci_prob) / 2], axis=0)
    constant = is_constant(flat, axis=0)
    # The mean of equal draws is rounded, so that they seem to vary around it.
    sd = np.where(constant, 0.0, flat.std(axis=0, ddof=1))
    judged = convergence(draws)
    every = [judged, *(convergence(other) for other in also)]
    return pd.DataFrame(
        {
            "mean": flat.mean(axis=0),
            "sd": sd,
            "lower": lower,
            "upper": upper,
            "ci_prob": ci_prob,
            "ci_kind": "eti",
            "median": median,
            "mcse": np.where(constant, 0.0, sd / np.sqrt(judged.ess_mean)),
            # fmin and fmax pass over what is blank.
            "ess": np.fmin.reduce([found.ess_bulk for found in every]),
            "ess_tail": np.fmin.reduce([found.ess_tail for found in every]),
            "rhat": np.fmax.reduce([found.rhat for found in every]),
        }
    )


def interval(draws: np.ndarray, *, ci_prob: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and equal-tailed limits over the first axis of (S, X)."""
    lower, upper = np.quantile(draws, [(1 - ci_prob) / 2, (1 + ci_prob) / 2], axis=0)
    return draws.mean(axis=0), lower, upper


def by_chain(draws: np.ndarray, n_chains: int) -> np.ndarray:
    """(S, X) draws, chain after chain, as (chain, draw, X)."""
    return draws.reshape(n_chains, -1, draws.shape[-1])


def columns(*names: str) -> list[str]:
    """The names of a table's columns, in order; several may stand in one string."""
    return " ".join(names).split()
