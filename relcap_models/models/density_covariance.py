"""Covariances of effects in the log density, with their parameters, priors and derivatives.

`Scaled` is one covariance matrix; `BetweenWaves` says how an effect goes on from wave to wave. A unit's
effects have either `OneCovariance` in every wave, or, where a change within a unit may go with other things
than a difference between units does, `StableAndWithin`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from relcap_models.models import covariance as cov
from relcap_models.models.parameters import Parameter
from relcap_models.models.priors import Priors

Values = dict[str, np.ndarray]
_NONE = np.zeros(0)


class Scaled:
    """Cholesky factor diag(sd)·F of a covariance over role × dimension, with its reverse.

    Its correlations are LKJ around the reference of `Priors.dimension_correlation`; its parameters are
    partial correlations (on 0…1), none for a single variable.
    """

    def __init__(self, name: str, n_dimensions: int, priors: Priors, *, n_roles: int = 1) -> None:
        self.name, self.size = f"{name}_partial", n_roles * n_dimensions
        self.root = cov.reference_root(n_roles, n_dimensions, priors.dimension_correlation)
        self.parameters: tuple[Parameter, ...] = ()
        if self.size > 1:
            column = np.tril_indices(self.size, k=-1)[1]
            shape = priors.correlation + (self.size - 2 - column) / 2
            self.parameters += (Parameter(self.name, (len(column),), "beta", shape, shape),)
        self.factor, self.correlation, *self._parts = np.zeros((4, self.size, self.size))
        self._length = np.zeros(self.size)

    def forward(self, values: Values, sd: np.ndarray) -> np.ndarray:
        """(size, size) factor; the next call writes it anew."""
        self.sd, self.share = sd, values[self.name] if self.size > 1 else _NONE
        lkj, rows = self._parts
        cov.scaled_factor(sd, self.share, self.root, lkj, self._length, rows, self.correlation, self.factor)
        return self.factor

    def backward(self, d_factor: np.ndarray, d_values: Values, d_sd: np.ndarray) -> None:
        """Adds to `d_values` and to `d_sd`; what stands above the diagonal of `d_factor` does not count."""
        d_share = d_values[self.name] if self.size > 1 else _NONE
        lkj, rows = self._parts
        cov.scaled_factor_adjoint(
            self.sd,
            self.share,
            self.root,
            lkj,
            self._length,
            rows,
            self.correlation,
            d_factor,
            d_sd,
            d_share,
        )


class BetweenWaves:
    """Correlation of an effect between waves, from its stability s and its memory m.

    The answers of three waves or more know t = −log(1 − s) − log(1 − m), minus the logarithm of one less the
    correlation of neighbouring waves, far better than s and m: sampled are t and the share of s in it.
    """

    def __init__(self, name: str, n_waves: int, priors: Priors) -> None:
        self.name, self.n_waves = name, n_waves
        self.shape, self.memory_shape = priors.stability, priors.memory
        self.natural: tuple[Parameter, ...] = ()
        if n_waves > 1:
            self.natural += (
                Parameter(f"stability_{name}", (1,), "beta", priors.stability, priors.stability),
            )
        if n_waves > 2:
            self.natural += (Parameter(f"memory_{name}", (1,), "beta", 1.0, priors.memory),)
        self.parameters = self.natural
        if n_waves > 2:
            # With these priors alone s and m would be uniform, each apart.
            self.parameters = (
                Parameter(f"likeness_{name}", (1,), "gamma", 2.0),
                Parameter(f"stable_share_{name}", (1,), "beta", 1.0, 1.0),
            )
        self._factor, self._d_factor = np.ones((1, 1)), np.zeros((n_waves, n_waves))

    def forward(self, values: Values) -> np.ndarray:
        """(W, W) correlation; `values` holds what is sampled, or stability and memory themselves."""
        if self.n_waves == 1:
            return np.ones((1, 1))
        self.sampled = f"likeness_{self.name}" in values
        if self.sampled:
            self.likeness = float(values[f"likeness_{self.name}"][0])
            self.share = float(values[f"stable_share_{self.name}"][0])
            self.stability = -np.expm1(-self.likeness * self.share)
            self.memory = -np.expm1(-self.likeness * (1.0 - self.share))
        else:
            self.stability = float(values[f"stability_{self.name}"][0])
            self.memory = float(values[f"memory_{self.name}"][0]) if self.n_waves > 2 else 0.0
        return cov.wave_correlation(self.stability, self.memory, self.n_waves)

    def prepare(self, values: Values) -> None:
        """Factorise the correlation for `spread` and its reverse."""
        if self.n_waves > 1:
            self._factor = cov.cholesky(self.forward(values))
            self._d_factor.fill(0.0)

    def spread(self, factor: np.ndarray, whole: np.ndarray) -> np.ndarray:
        """(1, W·P, W·P) factor of the covariance over wave × what `factor` (P, P) is about; `whole` may be
        filled with it."""
        if self.n_waves == 1:
            return factor[None]
        cov.kron_factor(self._factor, factor, whole[0])
        return whole

    def spread_backward(self, factor: np.ndarray, d_whole: np.ndarray, d_factor: np.ndarray) -> None:
        """From the derivative with respect to `whole`, added to `d_factor`."""
        if self.n_waves == 1:
            d_factor += d_whole[0]
        else:
            cov.kron_factor_adjoint(self._factor, factor, d_whole[0], self._d_factor, d_factor)

    def log_density(self) -> float:
        """What the priors of stability and memory have beyond uniform ones."""
        if self.n_waves < 3:
            return 0.0
        left = -self.likeness * self.share
        of_stability = (self.shape - 1.0) * (np.log(self.stability) + left)
        of_memory = (self.memory_shape - 1.0) * self.likeness * (1.0 - self.share)
        return float(of_stability - of_memory)

    def backward(self, d_values: Values) -> None:
        """From what `spread_backward` has gathered; `log_density` included."""
        if self.n_waves == 1:
            return
        d_matrix = cov.cholesky_adjoint(self._factor, self._d_factor)
        d_stability, d_memory = cov.wave_correlation_adjoint(self.stability, self.memory, d_matrix)
        if self.n_waves == 2:
            d_values[f"stability_{self.name}"] += d_stability
            return
        left, right = 1.0 - self.stability, 1.0 - self.memory
        d_stability += (self.shape - 1.0) * (1.0 / self.stability - 1.0 / left)
        d_memory -= (self.memory_shape - 1.0) / right
        share = self.share
        d_values[f"likeness_{self.name}"] += d_stability * left * share + d_memory * right * (1.0 - share)
        d_values[f"stable_share_{self.name}"] += self.likeness * (d_stability * left - d_memory * right)

    def report(self, values: Values) -> Values:
        if self.n_waves == 1:
            return {}
        self.forward(values)
        named = {f"stability_{self.name}": np.asarray(self.stability)}
        return named | ({f"memory_{self.name}": np.asarray(self.memory)} if self.n_waves > 2 else {})


def unit_spreads(roles: Sequence[str], n_dimensions: int, priors: Priors, scale: float) -> np.ndarray:
    """(roles · D,) prior means of the units' standard deviations; facets are rated as others are."""
    spreads = [getattr(priors, f"sd_{role}", priors.sd_perceiver) for role in roles]
    return np.repeat(spreads, n_dimensions) * scale


class OneCovariance:
    """One covariance of a unit's effects, which a correlation between waves spreads over them."""

    def __init__(
        self, roles: Sequence[str], n_dimensions: int, n_waves: int, priors: Priors, scale: float
    ) -> None:
        self.roles, self.n_dimensions, size = roles, n_dimensions, len(roles) * n_dimensions
        self.scaled = Scaled("corr_unit", n_dimensions, priors, n_roles=len(roles))
        self.waves = BetweenWaves("unit", n_waves, priors)
        spread = unit_spreads(roles, n_dimensions, priors, scale)
        sd = Parameter("sd_unit", (size,), "gamma", spread, start=0.5 * spread)
        self.parameters = (sd, *self.scaled.parameters, *self.waves.parameters)
        self.natural = (sd, *self.scaled.parameters, *self.waves.natural)
        self._whole = np.zeros((1, n_waves * size, n_waves * size))
        self._d_factor = np.zeros((size, size))

    def forward(self, values: Values) -> np.ndarray:
        """(1, W·P, W·P) factor; the next call writes it anew."""
        self.factor = self.scaled.forward(values, values["sd_unit"])
        self.waves.prepare(values)
        return self.waves.spread(self.factor, self._whole)

    def log_density(self) -> float:
        return self.waves.log_density()

    def backward(self, d_whole: np.ndarray, d_values: Values) -> None:
        """From the derivative with respect to the factor, `log_density` included."""
        self._d_factor.fill(0.0)
        self.waves.spread_backward(self.factor, d_whole, self._d_factor)
        self.scaled.backward(self._d_factor, d_values, d_values["sd_unit"])
        self.waves.backward(d_values)

    def matrix(self, values: Values) -> np.ndarray:
        """(W·P, W·P) covariance."""
        factor = self.scaled.forward(values, values["sd_unit"])
        return np.kron(self.waves.forward(values), factor @ factor.T)

    def report(self, values: Values) -> Values:
        correlation = _correlation(self.scaled, values, "sd_unit")
        named = {"sd_unit": values["sd_unit"].copy(), "corr_unit": correlation}
        # With facets the target has another place, and reciprocity is one of the link's own figures.
        if "target" in self.roles and self.roles[2:] in ((), ("self",)):
            pair = np.arange(self.n_dimensions)
            named["generalised_reciprocity"] = correlation[pair, self.n_dimensions + pair]
        return named | self.waves.report(values)


def _correlation(scaled: Scaled, values: Values, sd: str) -> np.ndarray:
    scaled.forward(values, values[sd])
    correlation = scaled.correlation @ scaled.correlation.T
    np.fill_diagonal(correlation, 1.0)
    return correlation


class StableAndWithin:
    """Stable parts of a unit's effects and deviations from them, which each wave hands on to the next.

    ξ_w = s + δ_w, δ_w = A·δ_{w−1} + innovation: the random-intercept cross-lagged panel model (Hamaker,
    Kuiper & Grasman 2015, Psychological Methods 20, 102–116). Covariances of s, of δ in the first wave and of
    innovations are free; with two waves A is 0 and δ has one covariance in both.
    """

    def __init__(
        self, roles: Sequence[str], n_dimensions: int, n_waves: int, priors: Priors, scale: float
    ) -> None:
        self.roles, self.n_waves, self.size = roles, n_waves, len(roles) * n_dimensions
        self.names = ("stable", "wave", "innovation")[: min(n_waves, 3)]
        spread = np.sqrt(0.5) * unit_spreads(roles, n_dimensions, priors, scale)
        self.scaled = {
            name: Scaled(f"corr_unit_{name}", n_dimensions, priors, n_roles=len(roles)) for name in self.names
        }
        self.parameters: tuple[Parameter, ...] = ()
        for name, scaled in self.scaled.items():
            sd = Parameter(f"sd_unit_{name}", (self.size,), "gamma", spread, start=0.5 * spread)
            self.parameters += (sd, *scaled.parameters)
        if n_waves > 2:
            shape = (self.size, self.size)
            self.parameters += (Parameter("lagged", shape, "normal", priors.lagged, start=0.0),)
        self.natural = self.parameters

    def matrix(self, values: Values) -> np.ndarray:
        """(W·P, W·P) covariance."""
        P = self.size
        factors = {n: s.forward(values, values[f"sd_unit_{n}"]).copy() for n, s in self.scaled.items()}
        self.factors = factors
        parts = {name: factor @ factor.T for name, factor in factors.items()}
        self.lagged = values["lagged"] if self.n_waves > 2 else np.zeros((P, P))
        innovation = parts.get("innovation", parts["wave"])
        # within[v][w] : covariance of δ_v with δ_w, v ≥ w
        self.within = [[parts["wave"]]]
        for _ in range(1, self.n_waves):
            before = self.within[-1]
            row = [self.lagged @ block for block in before]
            row.append(self.lagged @ before[-1] @ self.lagged.T + innovation)
            self.within.append(row)
        whole = np.tile(parts["stable"], (self.n_waves, self.n_waves))
        for v, row in enumerate(self.within):
            for w, block in enumerate(row):
                whole[v * P : (v + 1) * P, w * P : (w + 1) * P] += block
                if v > w:
                    whole[w * P : (w + 1) * P, v * P : (v + 1) * P] += block.T
        return whole

    def forward(self, values: Values) -> np.ndarray:
        """(1, W·P, W·P) factor."""
        self.factor = cov.cholesky(self.matrix(values))
        return self.factor[None]

    def log_density(self) -> float:
        return 0.0

    def backward(self, d_whole: np.ndarray, d_values: Values) -> None:
        """From the derivative with respect to the factor."""
        P, W = self.size, self.n_waves
        d_matrix = cov.cholesky_adjoint(self.factor, d_whole[0]).reshape(W, P, W, P)
        d_stable = d_matrix.sum(axis=(0, 2))
        # Of blocks below the diagonal, which stand in the matrix twice.
        d_within = [[d_matrix[v, :, w] * (1.0 if v == w else 2.0) for w in range(v + 1)] for v in range(W)]
        d_lagged, d_innovation = np.zeros((2, P, P))
        for v in range(W - 1, 0, -1):
            before = self.within[v - 1]
            for w in range(v):
                d_lagged += d_within[v][w] @ before[w].T
                d_within[v - 1][w] = d_within[v - 1][w] + self.lagged.T @ d_within[v][w]
            last = d_within[v][v]
            d_innovation += last
            d_lagged += (last + last.T) @ self.lagged @ before[-1]
            d_within[v - 1][v - 1] = d_within[v - 1][v - 1] + self.lagged.T @ last @ self.lagged
        if W > 2:
            parts = {"stable": d_stable, "wave": d_within[0][0], "innovation": d_innovation}
            d_values["lagged"] += d_lagged
        else:
            parts = {"stable": d_stable, "wave": d_within[0][0] + d_innovation}
        for name, d_part in parts.items():
            sd = f"sd_unit_{name}"
            scaled = self.scaled[name]
            d_factor = np.ascontiguousarray((d_part + d_part.T) @ self.factors[name])
            scaled.backward(d_factor, d_values, d_values[sd])

    def report(self, values: Values) -> Values:
        named: Values = {}
        for name, scaled in self.scaled.items():
            named[f"sd_unit_{name}"] = values[f"sd_unit_{name}"].copy()
            named[f"corr_unit_{name}"] = _correlation(scaled, values, f"sd_unit_{name}")
        if self.n_waves > 2:
            named["lagged"] = values["lagged"].copy()
        return named
