"""Correlated normal effects: the building blocks that every effect of the simulation is drawn with."""

from __future__ import annotations

import numpy as np

from relcap_models.errors import ConfigError, Problem


def equicorrelation(n: int, correlation: float) -> np.ndarray:
    """(n, n) correlation matrix whose off-diagonal elements are all `correlation`."""
    return np.full((n, n), correlation) + (1 - correlation) * np.eye(n)


def square_root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric square root of a covariance matrix, singular ones included.

    A Cholesky factor does not exist for reciprocities of exactly ±1.
    """
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def over_waves(
    rng: np.random.Generator,
    n_waves: int,
    shape: tuple[int, ...],
    *,
    stability: float,
    autocorrelation: float,
) -> np.ndarray:
    """Standard normal effects that are partly stable: a stable part plus a stationary AR(1).

    Returns ------- (wave, *shape), correlation between waves stability + (1 − stability) ·
    autocorrelation^lag. A further wave leaves the earlier ones as they are.
    """
    stable = np.sqrt(stability) * rng.standard_normal(shape)
    state = rng.standard_normal(shape)
    effects = np.empty((n_waves, *shape))
    for wave in range(n_waves):
        if wave:
            innovation = rng.standard_normal(shape)
            state = autocorrelation * state + np.sqrt(1 - autocorrelation**2) * innovation
        effects[wave] = stable + np.sqrt(1 - stability) * state
    return effects


def wave_correlation(n_waves: int, stability: float, autocorrelation: float) -> np.ndarray:
    """(wave, wave) correlations of what `over_waves` draws."""
    lag = np.abs(np.subtract.outer(np.arange(n_waves), np.arange(n_waves)))
    return stability + (1 - stability) * float(autocorrelation) ** lag


def tail_scale(rng: np.random.Generator, n: int, tail_df: float | None) -> np.ndarray:
    """(n,) factors that turn normal vectors into multivariate t vectors of the same covariance."""
    if tail_df is None:
        return np.ones(n)
    return np.sqrt((tail_df - 2) / rng.chisquare(tail_df, n))


def per_dimension(
    value: float | tuple[float, ...], n_dimensions: int, where: str, instrument: str
) -> np.ndarray:
    """(dimension,) a setting that is one number for all dimensions or a number for each.

    Raises
    ------
    ConfigError
        If there are more or fewer numbers than the instrument has dimensions.
    """
    if isinstance(value, tuple) and len(value) != n_dimensions:
        raise ConfigError(
            problems=[
                Problem(
                    file="study.yaml",
                    where=f"simulation.{where}",
                    message=f"{len(value)} numbers, but '{instrument}' has {n_dimensions} dimensions",
                    remedy="Give one number, or one for each dimension.",
                )
            ]
        )
    return np.broadcast_to(np.asarray(value, dtype=float), (n_dimensions,)).copy()
