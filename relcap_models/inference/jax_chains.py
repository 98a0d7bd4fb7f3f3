"""The log density in JAX as chains ask for it: one by one on a processor, together on a graphics card."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from threading import Condition, Lock

import jax
import jax.numpy as jnp
import numpy as np

from relcap_models.models.density import Density
from relcap_models.models.density_jax import log_density

Evaluate = Callable[[np.ndarray], tuple[float, np.ndarray]]

# Seconds without a further chain asking, after which those who have asked are answered.
_PATIENCE = 1e-3


class JaxDensity:
    """As `Density`: called with x it returns (log density, gradient). Chains in threads can share one.

    Everything that is kept from a draw comes from the `Density` itself.
    """

    def __init__(self, density: Density, chains: int = 1) -> None:
        """chains : how many ask at a time; on a processor they are answered one by one, as fast there."""
        self.layout, self._density, self._lock = density.layout, density, Lock()
        together = chains > 1 and jax.default_backend() != "cpu"
        self._evaluate = Together(density, chains) if together else _alone(density)

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = self._evaluate(x)
        # A covariance that is singular to rounding gives NaN: the sampler counts it as a divergence.
        if np.isfinite(value) and np.isfinite(gradient).all():
            return value, gradient
        return -np.inf, np.zeros_like(x)

    def report(self, x: np.ndarray) -> dict[str, np.ndarray]:
        with self._lock:
            return {name: np.array(value) for name, value in self._density.report(x).items()}


def _alone(density: Density) -> Evaluate:
    compiled = jax.jit(jax.value_and_grad(partial(log_density, density)))

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        with jax.enable_x64(True):
            value, gradient = compiled(jnp.asarray(x))
            return float(value), np.asarray(gradient)

    return evaluate


class Together:
    """Evaluates what chains in several threads ask for at a time in one pass.

    A graphics processor takes hardly longer for sixteen points than for one. Whoever asks first waits until
    the device is free and nobody has come for a moment, and then evaluates the points of all who have come.
    """

    def __init__(self, density: Density, chains: int) -> None:
        self._compiled = jax.jit(jax.vmap(jax.value_and_grad(partial(log_density, density))))
        self._chains, self._asked = chains, []
        self._device, self._came = Lock(), Condition()

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        answer: Future[tuple[float, np.ndarray]] = Future()
        with self._came:
            self._asked.append((x, answer))
            self._came.notify()
            first = len(self._asked) == 1
        if first:
            with self._device:
                self._answer(self._all_who_come())
        return answer.result()

    def _all_who_come(self) -> list[tuple[np.ndarray, Future[tuple[float, np.ndarray]]]]:
        with self._came:
            while len(self._asked) < self._chains and self._came.wait(_PATIENCE):
                pass
            those, self._asked = self._asked, []
        return those

    def _answer(self, those: list[tuple[np.ndarray, Future[tuple[float, np.ndarray]]]]) -> None:
        # Always as many points, so that it is compiled once.
        points = [x for x, _ in those]
        points += [points[0]] * (self._chains - len(points))
        try:
            with jax.enable_x64(True):
                values, gradients = (np.asarray(a) for a in self._compiled(jnp.asarray(np.stack(points))))
        except Exception as error:
            for _, answer in those:
                answer.set_exception(error)
            return
        for (_, answer), value, gradient in zip(those, values, gradients):
            answer.set_result((float(value), gradient))
