"""Diagonally weighted least squares: the estimates of a model with ordinal items, their errors and tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag
from scipy.optimize import least_squares

from relcap_models.errors import FitError
from relcap_models.psychometrics.ordinal_statistics import OrdinalStatistics
from relcap_models.psychometrics.structural.clusters import is_clustered, stacked_products
from relcap_models.psychometrics.structural.constraints import Freedom
from relcap_models.psychometrics.structural.implied_moments import Block, Moments
from relcap_models.psychometrics.structural.ordinal_moments import (
    OrdinalBlock,
    OrdinalMoments,
    ordinal_implied,
    ordinal_jacobian,
    ordinal_vector,
)
from relcap_models.psychometrics.structural.sample import Sample

FAR = 1e3
TOLERANCE = 1e-7
MOST_STEPS = 50


@dataclass(frozen=True)
class OrdinalModel:
    """A model of ordinal items and its sample, group by group: the ordinal counterpart of `Model`."""

    parts_ordinal: tuple[OrdinalBlock, ...]
    samples: tuple[Sample, ...]
    statistics: tuple[OrdinalStatistics, ...]
    freedom: Freedom

    @property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(part.block for part in self.parts_ordinal)

    @property
    def n(self) -> int:
        return sum(sample.n for sample in self.samples)

    @property
    def shares(self) -> np.ndarray:
        """(group,) of the respondents."""
        return np.array([sample.n for sample in self.samples]) / self.n

    @property
    def n_errors(self) -> int:
        """What divides the covariance of the estimates: n − 1, summed over groups."""
        return self.n - len(self.samples)

    @property
    def n_free(self) -> int:
        """Parameters before constraints."""
        return len(self.freedom.origin)

    @property
    def n_estimated(self) -> int:
        return self.freedom.basis.shape[1]

    @property
    def n_statistics(self) -> int:
        return sum(len(s.statistics) for s in self.statistics)

    def implied(self, theta: np.ndarray) -> list[OrdinalMoments]:
        return [ordinal_implied(part, theta) for part in self.parts_ordinal]

    def moments(self, theta: np.ndarray) -> list[Moments]:
        """Moments of the variables beneath the items and of covariates, in the units of the parameters."""
        return [found.total for found in self.implied(theta)]

    def parts(self, theta: np.ndarray) -> Iterator[tuple[float, Block, Moments, Sample, np.ndarray]]:
        """As `Model.parts`, the moments in the units of the statistics."""
        for part, sample, found in zip(self.parts_ordinal, self.samples, self.implied(theta)):
            scaled = found.scaled
            yield sample.n / self.n, part.block, scaled, sample, scaled.mu


def residual(model: OrdinalModel, theta: np.ndarray) -> list[np.ndarray]:
    """(statistic,) of each group: sample minus implied."""
    return [
        s.statistics.to_numpy() - ordinal_vector(part, found)
        for part, s, found in zip(model.parts_ordinal, model.statistics, model.implied(theta))
    ]


def slopes(model: OrdinalModel, theta: np.ndarray) -> list[np.ndarray]:
    """(statistic, free parameter) of each group."""
    return [ordinal_jacobian(part, found) for part, found in zip(model.parts_ordinal, model.implied(theta))]


def weights(model: OrdinalModel) -> list[np.ndarray]:
    """(statistic,) of each group."""
    return [s.dwls_weight.to_numpy() for s in model.statistics]


def dwls_chisq(model: OrdinalModel, theta: np.ndarray) -> float:
    """The weighted sum of squares, times n − 1 in each group."""
    return sum(
        (sample.n - 1) * float(w @ off**2)
        for sample, w, off in zip(model.samples, weights(model), residual(model, theta))
    )


def dwls_gradient(model: OrdinalModel, theta: np.ndarray) -> np.ndarray:
    """(free parameter,) derivatives of half the weighted sum of squares, groups by n − 1."""
    parts = zip(model.samples, weights(model), slopes(model, theta), residual(model, theta))
    return -sum((sample.n - 1) / model.n * d.T @ (w * off) for sample, w, d, off in parts)


def dwls_information(model: OrdinalModel, slope: list[np.ndarray]) -> np.ndarray:
    """(free parameter, free parameter) Δ' W Δ, groups by their shares."""
    parts = zip(model.shares, weights(model), slope)
    return sum(share * (d.T * w) @ d for share, w, d in parts)


def estimate_dwls(model: OrdinalModel, start: np.ndarray) -> np.ndarray:
    """(free parameter,) estimates, by Levenberg-Marquardt steps and then Gauss-Newton steps.

    Raises
    ------
    FitError
        If no minimum is reached.
    """
    if model.n_estimated == 0:
        return start
    free = model.freedom
    scale = np.concatenate([np.sqrt((s.n - 1) / model.n * w) for s, w in zip(model.samples, weights(model))])

    def theta_of(x: np.ndarray) -> np.ndarray:
        return free.origin + free.basis @ x

    def off(x: np.ndarray) -> np.ndarray:
        try:
            return scale * np.concatenate(residual(model, theta_of(x)))
        except np.linalg.LinAlgError:
            return np.full(len(scale), FAR)

    def slope(x: np.ndarray) -> np.ndarray:
        return -scale[:, None] * np.vstack(slopes(model, theta_of(x))) @ free.basis

    x = least_squares(
        off, free.reduce(start), jac=slope, method="lm", x_scale="jac", xtol=1e-12, ftol=1e-12, gtol=1e-12
    ).x
    for _ in range(MOST_STEPS):
        e, j = off(x), slope(x)
        step = np.linalg.lstsq(j, e, rcond=1e-10)[0]
        if np.abs(step).max() < 1e-10 or (off(x - step) ** 2).sum() > (e**2).sum() * (1 + 1e-12):
            break
        x = x - step
    e, j = off(x), slope(x)
    unit = np.sqrt(np.maximum((j**2).sum(axis=0), 1e-300))
    if not np.abs(j.T @ e / unit).max() < TOLERANCE * max(1.0, np.sqrt((e**2).sum())):
        raise FitError(
            "The estimates did not converge: the model is probably not identified, or wrong for these data. "
            "Simplify it, fix a parameter, or give starting values with start()"
        )
    return theta_of(x)


def check_identified_ordinal(model: OrdinalModel, theta: np.ndarray, names: tuple[str, ...]) -> None:
    """Raise a FitError that names the parameters which the data cannot tell apart, if there are any."""
    if model.n_estimated == 0:
        return
    free = model.freedom
    whole = np.vstack([d * np.sqrt(w)[:, None] for d, w in zip(slopes(model, theta), weights(model))])
    reduced = whole @ free.basis
    unit = 1 / np.sqrt(np.maximum((reduced**2).sum(axis=0), 1e-300))
    _, values, vectors = np.linalg.svd(reduced * unit, full_matrices=True)
    if len(values) == model.n_estimated and values[-1] > 1e-6:
        return
    weight = np.abs(free.basis @ (unit * vectors[-1])) * np.sqrt((whole**2).sum(axis=0))
    loose = [names[i] for i in np.argsort(-weight) if weight[i] > 0.1 * weight.max()]
    raise FitError(
        f"The model is not identified: the data do not determine {', '.join(loose[:8])}"
        + (" and more" if len(loose) > 8 else "")
        + ". Fix one of them, set some equal, or add indicators"
    )


def sampling_covariance(model: OrdinalModel) -> np.ndarray:
    """(statistic, statistic) Γ: n times the covariance of all groups' statistics, group after group.

    With clusters, groups that share some depend on each other. Γ is then multiplied by (n − 1) / n besides
    G / (G − 1), so that it is the ordinary one where each respondent is a cluster, and the same, over n − 1,
    if everybody were counted twice.

    Source: Muthén & Satorra (1995), Sociological Methodology 25, 267-316.
    """
    if not is_clustered(model.samples):
        return block_diag(*(s.gamma.to_numpy() / share for share, s in zip(model.shares, model.statistics)))
    parts = [s.influence * np.sqrt((s.n - 1) / s.n) for s in model.statistics]
    return model.n * stacked_products(parts, model.samples)


def sandwich_dwls(model: OrdinalModel, slope: list[np.ndarray]) -> np.ndarray:
    """(free parameter, free parameter) covariance of the estimates, from the full Γ.

    Source: Muthén, du Toit & Spisic (1997), Robust inference using weighted least squares; Satorra & Bentler
    (1994), in von Eye & Clogg (eds), Latent Variables Analysis, 399-419.
    """
    inverse = model.freedom.invert(dwls_information(model, slope))
    weight = np.concatenate([share * w for share, w in zip(model.shares, weights(model))])
    weighted = np.vstack(slope) * weight[:, None]
    meat = weighted.T @ sampling_covariance(model) @ weighted
    return inverse @ meat @ inverse / model.n_errors


def scaled_shifted(model: OrdinalModel, slope: list[np.ndarray], df: int) -> tuple[float, float]:
    """(what divides the chi-square, what is then added) so that it has the mean and variance of a chi-square.

    Source: Asparouhov & Muthén (2010), Simple second order chi-square correction.
    """
    weight = np.concatenate([share * w for share, w in zip(model.shares, weights(model))])
    whole = np.vstack(slope) * weight[:, None]
    beyond = np.diag(weight)
    if model.n_estimated:
        beyond -= whole @ model.freedom.invert(dwls_information(model, slope)) @ whole.T
    product = beyond @ sampling_covariance(model)
    factor = np.sqrt(df / (product * product.T).sum())
    return 1 / factor, df - factor * np.trace(product)
