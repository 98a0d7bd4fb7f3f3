"""The parts of a log density: each adds its effects to the latent ratings and pulls derivatives back.

A block has `parameters` (what it adds to the vector), `forward(values, eta)` (adds to η, returns log density
terms of its own), `backward(d_eta, d_values, values)` (the reverse) and `report(values)` (named quantities a
reader may want). Where it `follows`, it looks at η: its effects are sampled around what those already in it
leave of the answers. η is (N, D). `values` and `d_values` are named views into one vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from scipy.linalg import helmert

from relcap_models.models import covariance as cov
from relcap_models.models import kernels
from relcap_models.models.density_colleagues import Colleagues
from relcap_models.models.density_rows import Means, Rows, Shared
from relcap_models.models.frame import Frame
from relcap_models.models.information import Rough
from relcap_models.models.parameters import Parameter
from relcap_models.models.priors import Priors
from relcap_models.models.structure import Grouping, Structure

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


class Location:
    """μ per wave (0 in the reference wave), μ of own-unit ratings, covariates."""

    def __init__(self, frame: Frame, priors: Priors, scale: float) -> None:
        self.frame, self.n_dimensions = frame, len(frame.dimensions)
        self.mixed = bool(frame.own.any() and not frame.own.all())
        n_waves = len(frame.waves)
        wave = frame.wave_of_rating
        self.later = np.where(frame.own, -1, wave - 1) if self.mixed else wave - 1
        self.own = np.where(frame.own, wave, -1)
        self.parameters: tuple[Parameter, ...] = ()
        if n_waves > 1:
            self.parameters += (
                Parameter("mu_later", (n_waves - 1, self.n_dimensions), "normal", priors.mean * scale),
            )
        if self.mixed:
            self.parameters += (
                Parameter("mu_own", (n_waves, self.n_dimensions), "normal", priors.mean * scale),
            )
        if frame.covariates:
            self.parameters += (
                Parameter(
                    "beta", (len(frame.covariates), self.n_dimensions), "normal", priors.covariate * scale
                ),
            )

    def forward(self, values: Values, eta: np.ndarray) -> None:
        if "mu_later" in values:
            kernels.gather_add(eta, values["mu_later"], self.later)
        if self.mixed:
            kernels.gather_add(eta, values["mu_own"], self.own)
        if self.frame.covariates:
            eta += self.frame.covariates_of_rating @ values["beta"]

    def backward(self, d_eta: np.ndarray, d_values: Values) -> None:
        if "mu_later" in d_values:
            kernels.scatter_add(d_eta, self.later, d_values["mu_later"])
        if self.mixed:
            kernels.scatter_add(d_eta, self.own, d_values["mu_own"])
        if self.frame.covariates:
            d_values["beta"] += self.frame.covariates_of_rating.T @ d_eta

    def population(self, values: Values, taken: np.ndarray) -> tuple[Values, np.ndarray]:
        """Locations when effects have not been centred, and (D,) what was taken off in the reference wave.

        taken : (levels, D) mean of the effects over the ratings of each level
        """
        n_waves = len(self.frame.waves)
        by_wave = np.zeros((n_waves, 2, self.n_dimensions))
        by_wave[self.frame.wave_of_level, self.frame.own_of_level.astype(int)] = taken
        others = by_wave[:, 0] if self.mixed else by_wave.sum(axis=1)
        later = values.get("mu_later", np.zeros((0, self.n_dimensions)))
        mu = np.concatenate([np.zeros((1, self.n_dimensions)), later])
        named = {"mu": mu - others + others[0]}
        if self.mixed:
            named["mu_own"] = values["mu_own"] - by_wave[:, 1] + others[0]
        if self.frame.covariates:
            named["beta"] = values["beta"].copy()
        return named, others[0]


def orthonormal_contrasts(n: int) -> np.ndarray:
    """(n, n − 1) orthonormal contrasts between n numbers."""
    return helmert(n).T if n > 1 else np.zeros((n, 0))


class District(Protocol):
    """Shocks of districts at one end of a rating."""

    role: int

    def of_units(self) -> np.ndarray: ...

    def follow(self, d_units: np.ndarray) -> None: ...


class UnitEffects:
    """Perceiver, target and self effects: one covariance.

    Units are a finite population: their mean is taken off. What is sampled of it follows its prior alone.
    """

    follows = False

    def __init__(
        self,
        frame: Frame,
        structure: Structure,
        priors: Priors,
        scale: float,
        rough: Rough,
        districts: Sequence[District] = (),
    ) -> None:
        self.roles, self.n_dimensions = structure.roles, len(frame.dimensions)
        self.shape = (len(frame.units), len(frame.waves), len(self.roles) * self.n_dimensions)
        spread = np.repeat([getattr(priors, f"sd_{role}") for role in self.roles], self.n_dimensions) * scale
        size = self.shape[2]
        self.covariance = Scaled("corr_unit", self.n_dimensions, priors, n_roles=len(self.roles))
        self.waves = BetweenWaves("unit", len(frame.waves), priors)
        self.districts, self.estimate = districts, rough.unit
        self.rows = Rows(
            np.zeros(self.shape[0], dtype=np.int64),
            rough.unit_information,
            [
                Shared(
                    np.zeros(self.shape[0], dtype=np.int64),
                    1.0 / rough.unit_variance + np.diagonal(rough.unit_information, axis1=1, axis2=2),
                    np.full((1, self.shape[1] * size), self.shape[0] / rough.unit_variance),
                )
            ],
        )
        self.parameters = (
            Parameter("sd_unit", (size,), "gamma", spread, start=0.5 * spread),
            *self.covariance.parameters,
            *self.waves.parameters,
            Parameter("unit_z", (self.shape[0], self.shape[1] * size), "normal"),
        )
        row = (frame.rater_of_rating * len(frame.waves) + frame.wave_of_rating) * len(self.roles)
        other = (frame.target_of_rating * len(frame.waves) + frame.wave_of_rating) * len(self.roles) + 1
        self.indices = [row]
        if "target" in self.roles:
            self.indices.append(np.where(frame.own, row + 2, other) if "self" in self.roles else other)
        n_units, width = self.shape[0], self.shape[1] * size
        self._one_stratum = np.zeros(n_units, dtype=np.int64), np.array([n_units])
        self._effects, self._d_effects, self._left, self._d_estimate = np.zeros((4, n_units, width))
        self._whole, self._d_whole = np.zeros((2, 1, width, width))
        self._d_factor = np.zeros((size, size))

    def effects(self, values: Values) -> np.ndarray:
        """(U, W, P) effects, with mean zero over units; the next call writes them anew."""
        self.factor = self.covariance.forward(values, values["sd_unit"])
        self.waves.prepare(values)
        whole = self.waves.spread(self.factor, self._whole)
        estimate = self.estimate
        if self.districts:
            estimate = self._left.reshape(estimate.shape)
            np.copyto(estimate, self.estimate)
            for district in self.districts:
                estimate[:, :, district.role] -= district.of_units()
        rows = self.rows.forward(whole, values["unit_z"], estimate.reshape(self._left.shape))
        np.copyto(self._effects, rows)
        kernels.centre(self._effects, *self._one_stratum)
        return self._effects.reshape(self.shape)

    def forward(self, values: Values, eta: np.ndarray) -> float:
        by_role = self.effects(values).reshape(-1, self.n_dimensions)
        for index in self.indices:
            kernels.gather_add(eta, by_role, index)
        return self.rows.log_density() + self.waves.log_density()

    def backward(self, d_eta: np.ndarray, d_values: Values, values: Values) -> None:
        d_effects = self._d_effects
        d_effects.fill(0.0)
        by_role = d_effects.reshape(-1, self.n_dimensions)
        for index in self.indices:
            kernels.scatter_add(d_eta, index, by_role)
        kernels.centre(d_effects, *self._one_stratum)
        self.rows.backward(d_effects, d_values["unit_z"], self._d_whole, self._d_estimate)
        if self.districts:
            d_estimate = self._d_estimate.reshape(self.estimate.shape)
            for district in self.districts:
                district.follow(-d_estimate[:, :, district.role])
        self._d_factor.fill(0.0)
        self.waves.spread_backward(self.factor, self._d_whole, self._d_factor)
        self.covariance.backward(self._d_factor, d_values, d_values["sd_unit"])
        self.waves.backward(d_values)

    def report(self, values: Values) -> Values:
        effects = self.effects(values).reshape(*self.shape[:2], len(self.roles), self.n_dimensions).copy()
        correlation = self.covariance.correlation @ self.covariance.correlation.T
        np.fill_diagonal(correlation, 1.0)
        named = {"sd_unit": values["sd_unit"].copy(), "corr_unit": correlation}
        named |= {f"{role}_effect": effects[:, :, k] for k, role in enumerate(self.roles)}
        if "target" in self.roles:
            pair = np.arange(self.n_dimensions)
            named["generalised_reciprocity"] = correlation[pair, self.n_dimensions + pair]
        return named | self.waves.report(values)


class GroupedEffects:
    """Independent effects of respondents or ratings."""

    follows = True

    def __init__(self, grouping: Grouping, frame: Frame, priors: Priors, scale: float, rough: Rough) -> None:
        self.grouping, self.n_dimensions = grouping, len(frame.dimensions)
        name = grouping.name
        spread = getattr(priors, f"sd_{name}") * scale
        self.covariance = Scaled(f"corr_{name}", self.n_dimensions, priors)
        self.parameters = (
            Parameter(f"sd_{name}", (self.n_dimensions,), "half_normal", spread, start=0.5 * spread),
            *self.covariance.parameters,
            Parameter(f"{name}_z", (grouping.n_groups, self.n_dimensions), "normal"),
        )
        self.means = Means(rough, grouping.group_of_rating, grouping.n_groups, rough.noise[name])
        known = self.means.precision
        self.colleagues = None
        if name in ("respondent", "respondent_wave"):
            outer = np.ones(grouping.n_groups, dtype=bool)
            self.colleagues = Colleagues(frame, rough, grouping.group_of_rating, outer, known)
        shared = self.colleagues.shared if self.colleagues else ()
        self.rows = Rows(np.zeros(grouping.n_groups, dtype=np.int64), known, shared)
        self.means.shrink(self.rows)
        self._d_effects, self._d_estimate = np.zeros((2, grouping.n_groups, self.n_dimensions))
        self._d_factor = np.zeros((1, self.n_dimensions, self.n_dimensions))

    def forward(self, values: Values, eta: np.ndarray) -> float:
        name = self.grouping.name
        factor = self.covariance.forward(values, values[f"sd_{name}"])
        estimate = self.means.forward(eta)
        if self.colleagues:
            self.colleagues.forward(eta, estimate)
        effects = self.rows.forward(factor[None], values[f"{name}_z"], estimate)
        kernels.gather_add(eta, effects, self.grouping.group_of_rating)
        return self.rows.log_density()

    def backward(self, d_eta: np.ndarray, d_values: Values, values: Values) -> None:
        name = self.grouping.name
        self._d_effects.fill(0.0)
        kernels.scatter_add(d_eta, self.grouping.group_of_rating, self._d_effects)
        self.rows.backward(self._d_effects, d_values[f"{name}_z"], self._d_factor, self._d_estimate)
        self.means.backward(self._d_estimate, d_eta)
        if self.colleagues:
            self.colleagues.backward(self._d_estimate, d_eta)
        self.covariance.backward(self._d_factor[0], d_values, d_values[f"sd_{name}"])

    def report(self, values: Values) -> Values:
        name = self.grouping.name
        factor = self.covariance.forward(values, values[f"sd_{name}"])
        return {f"sd_{name}": values[f"sd_{name}"].copy(), f"cov_{name}": factor @ factor.T}
