"""Invented estimates: what all tables share, see results_factory."""

from __future__ import annotations

import numpy as np
import pandas as pd

K = 5


def estimates(mean: np.ndarray, sd: np.ndarray) -> dict[str, object]:
    return {
        "mean": mean,
        "sd": sd,
        "lower": mean - 1.645 * sd,
        "upper": mean + 1.645 * sd,
        "ci_prob": 0.9,
        "ci_kind": "eti",
        "median": mean,
        "mcse": sd / 40,
        "ess": 1600.0,
        "rhat": 1.002,
    }


def blanked(frame: pd.DataFrame, hidden: np.ndarray, keep: tuple[str, ...]) -> pd.DataFrame:
    frame = frame.astype(object)
    frame.loc[hidden, [column for column in frame if column not in keep]] = np.nan
    return frame.assign(suppressed=hidden)


def probabilities(
    rng: np.random.Generator, mean: np.ndarray, sd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    draws = mean + sd * rng.normal(size=(400, len(mean)))
    rank = draws.argsort(axis=1).argsort(axis=1)
    return (rank < K).mean(axis=0), (rank >= len(mean) - K).mean(axis=0)


def dimensions(analysis: str) -> tuple[str, ...]:
    return (
        ("overall", "safety", "synergy") if analysis == "safety" else ("overall", "orientation", "behaviour")
    )


def variance(analysis: str, components: tuple[str, ...]) -> pd.DataFrame:
    rows = []
    for dimension in dimensions(analysis):
        shares = np.linspace(0.05, 0.3, len(components))
        for component, share in zip(components, shares / shares.sum()):
            for quantity, value in (("variance", share * 2.2), ("share", share)):
                rows.append((dimension, component, quantity, value, 0.15 * value))
        if "relation" in components:
            rows.append((dimension, "generalised_reciprocity", "correlation", 0.32, 0.12))
            rows.append((dimension, "dyadic_reciprocity", "correlation", 0.18, 0.16))
    frame = pd.DataFrame(rows, columns=["dimension", "component", "quantity", "mean", "sd"])
    return frame.assign(analysis=analysis, **estimates(frame["mean"].to_numpy(), frame["sd"].to_numpy()))


def reliability(analysis: str, comparisons: tuple[str, ...]) -> pd.DataFrame:
    rows = []
    for comparison, ratio in zip(comparisons, (3.0, 5.5, 2.0)):
        for dimension, factor in zip(dimensions(analysis), (1.0, 1.3, 1.2)):
            for n in range(1, 31):
                value = n / (n + ratio * factor)
                rows.append((comparison, dimension, "reliability", str(n), value, 0.08 * (1 - value)))
            for target in (0.7, 0.8):
                needed = ratio * factor * target / (1 - target)
                rows.append(
                    (comparison, dimension, f"respondents_for_{target:.2f}", "", needed, 0.15 * needed)
                )
    frame = pd.DataFrame(rows, columns=["comparison", "dimension", "quantity", "n_respondents", "mean", "sd"])
    return frame.assign(
        analysis=analysis, scale="response", **estimates(frame["mean"].to_numpy(), frame["sd"].to_numpy())
    )
