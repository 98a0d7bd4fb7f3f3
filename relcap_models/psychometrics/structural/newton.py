"""The maximum of a likelihood whose first two derivatives are known, and whether there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from relcap_models.errors import FitError
from relcap_models.psychometrics.structural.constraints import Freedom

TOLERANCE = 1e-6
MOST_STEPS = 300


@dataclass(frozen=True)
class Surface:
    """A loss (minus a log-likelihood per respondent) as a function of all free parameters.

    loss : infinite where there is no likelihood. gradient, hessian, expected : first and second derivatives,
    and expected second derivatives. freedom : what constraints leave.
    """

    freedom: Freedom
    loss: Callable[[np.ndarray], float]
    gradient: Callable[[np.ndarray], np.ndarray]
    hessian: Callable[[np.ndarray], np.ndarray]
    expected: Callable[[np.ndarray], np.ndarray]


def maximum(surface: Surface, starts: Iterable[np.ndarray]) -> np.ndarray:
    """(free parameter,) maximum-likelihood estimates from the first of `starts` that leads to some.

    Newton's method in a trust region with exact derivatives, parameters in units of their standard errors at
    the start, and then Newton steps until the slopes are rounding.

    Raises
    ------
    FitError
        If no maximum is reached.
    """
    for start in starts:
        if surface.freedom.basis.shape[1] == 0:
            return start
        if np.isfinite(surface.loss(start)):
            theta, converged = climb(surface, start)
            if converged:
                return theta
    raise FitError(
        "The estimates did not converge: the model is probably not identified, or wrong for these data. "
        "Simplify it, fix a parameter, or give starting values with start()"
    )


def climb(surface: Surface, start: np.ndarray, *, most_steps: int = MOST_STEPS) -> tuple[np.ndarray, bool]:
    """(free parameter,) where Newton's method leads from `start`, and whether that is a maximum."""
    free = surface.freedom
    begin = free.reduce(start)
    information = free.basis.T @ surface.expected(free.origin + free.basis @ begin) @ free.basis
    unit = 1 / np.sqrt(np.maximum(np.diag(information), 1e-12))

    def theta_of(x: np.ndarray) -> np.ndarray:
        return free.origin + free.basis @ (unit * x)

    def gradient(x: np.ndarray) -> np.ndarray:
        return unit * (free.basis.T @ surface.gradient(theta_of(x)))

    def hessian(x: np.ndarray) -> np.ndarray:
        return np.outer(unit, unit) * (free.basis.T @ surface.hessian(theta_of(x)) @ free.basis)

    found = minimize(
        lambda x: surface.loss(theta_of(x)),
        begin / unit,
        jac=gradient,
        hess=hessian,
        method="trust-exact",
        options={"gtol": 1e-5, "maxiter": most_steps, "initial_trust_radius": 1.0, "max_trust_radius": 100.0},
    )
    x = found.x
    for _ in range(5):
        slope = gradient(x)
        if np.abs(slope).max() < 1e-11:
            break
        step = np.linalg.lstsq(hessian(x), slope, rcond=1e-12)[0]
        if not np.isfinite(surface.loss(theta_of(x - step))):
            break
        if np.abs(gradient(x - step)).max() >= np.abs(slope).max():
            break
        x = x - step
    return theta_of(x), bool(np.abs(gradient(x)).max() < TOLERANCE)


def check_identified(surface: Surface, theta: np.ndarray, names: tuple[str, ...]) -> None:
    """Raise a FitError that names the parameters which the data cannot tell apart, if there are any."""
    if surface.freedom.basis.shape[1] == 0:
        return
    free = surface.freedom
    information = free.basis.T @ surface.expected(theta) @ free.basis
    unit = 1 / np.sqrt(np.maximum(np.diag(information), 1e-300))
    values, vectors = np.linalg.eigh(np.outer(unit, unit) * information)
    if values[0] > 1e-9:
        return
    weight = np.abs(free.basis @ (unit * vectors[:, 0])) * np.sqrt(np.diag(surface.expected(theta)))
    loose = [names[i] for i in np.argsort(-weight) if weight[i] > 0.1 * weight.max()]
    raise FitError(
        f"The model is not identified: the data do not determine {', '.join(loose[:8])}"
        + (" and more" if len(loose) > 8 else "")
        + ". Fix one of them, set some equal, or add indicators"
    )
