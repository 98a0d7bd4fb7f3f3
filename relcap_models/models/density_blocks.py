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

from relcap_models.models import kernels
from relcap_models.models.density_colleagues import Colleagues
from relcap_models.models.density_covariance import OneCovariance, Scaled, StableAndWithin, Values
from relcap_models.models.density_rows import Means, Rows, Shared
from relcap_models.models.frame import Frame
from relcap_models.models.information import Rough
from relcap_models.models.parameters import Parameter
from relcap_models.models.priors import Priors
from relcap_models.models.structure import Grouping, Structure, unit_rows


class Location:
    """μ per wave and facet (0 in the reference wave), μ of own-unit ratings."""

    def __init__(self, frame: Frame, priors: Priors, scale: float) -> None:
        self.frame, self.n_dimensions = frame, len(frame.dimensions)
        self.mixed = frame.mixed
        n_waves, n_facets = len(frame.waves), len(frame.facets)
        wave = frame.wave_of_rating
        later = np.where(wave > 0, (wave - 1) * n_facets + frame.facet_of_rating, -1)
        self.later = np.where(frame.own, -1, later) if self.mixed else later
        self.own = np.where(frame.own, wave, -1)
        self.parameters: tuple[Parameter, ...] = ()
        if n_waves > 1:
            self.parameters += (
                Parameter(
                    "mu_later", ((n_waves - 1) * n_facets, self.n_dimensions), "normal", priors.mean * scale
                ),
            )
        if self.mixed:
            self.parameters += (
                Parameter("mu_own", (n_waves, self.n_dimensions), "normal", priors.mean * scale),
            )

    def forward(self, values: Values, eta: np.ndarray) -> None:
        if "mu_later" in values:
            kernels.gather_add(eta, values["mu_later"], self.later)
        if self.mixed:
            kernels.gather_add(eta, values["mu_own"], self.own)

    def backward(self, d_eta: np.ndarray, d_values: Values) -> None:
        if "mu_later" in d_values:
            kernels.scatter_add(d_eta, self.later, d_values["mu_later"])
        if self.mixed:
            kernels.scatter_add(d_eta, self.own, d_values["mu_own"])

    def population(self, values: Values, taken: np.ndarray) -> tuple[Values, np.ndarray]:
        """Locations when effects have not been centred, and what was taken off in the reference wave.

        taken : (levels, D) mean of the effects over the ratings of each level

        Returns
        -------
        Named locations, and (facets · D,) in the order of `Frame.latent_of_item`
        """
        frame = self.frame
        n_waves, n_facets, D = len(frame.waves), len(frame.facets), self.n_dimensions
        by_wave = np.zeros((n_waves, max(n_facets, 2), D))
        by_wave[frame.wave_of_level, frame.kind_of_level] = taken
        later = values.get("mu_later", np.zeros((0, D))).reshape(-1, n_facets * D)
        mu = np.concatenate([np.zeros((1, n_facets * D)), later])
        if n_facets > 1:
            others = by_wave.reshape(n_waves, -1)
        else:
            others = by_wave[:, 0] if self.mixed else by_wave.sum(axis=1)
        named = {"mu_facet" if n_facets > 1 else "mu": mu - others + others[0]}
        if self.mixed:
            named["mu_own"] = values["mu_own"] - by_wave[:, 1] + others[0]
        return named, others[0]


def orthonormal_contrasts(n: int) -> np.ndarray:
    """(n, n − 1) orthonormal contrasts between n numbers."""
    return helmert(n).T if n > 1 else np.zeros((n, 0))


class AboveUnits(Protocol):
    """What unit effects are sampled around: they follow what is taken off their estimates."""

    def of_units(self) -> np.ndarray:
        """(U, W, roles, D) what of each unit's estimated effects it accounts for."""
        ...

    def follow(self, d_units: np.ndarray) -> None:
        """Take in derivatives with respect to `of_units`."""
        ...


class Covariates:
    """Linear effects of covariates.

    Effects of units and districts are estimated from answers that hold those of covariates, too: their
    estimates follow the coefficients.
    """

    follows = False

    def __init__(self, frame: Frame, priors: Priors, scale: float, rough: Rough) -> None:
        self.columns, self.units = frame.covariates_of_rating, rough.unit_of_covariates
        shape = (len(frame.covariates), len(frame.dimensions))
        self.parameters = (Parameter("beta", shape, "normal", priors.covariate * scale),)
        self._flat = self.units.reshape(-1, shape[0])

    def forward(self, values: Values, eta: np.ndarray) -> float:
        self.beta, self.d_followers = values["beta"], np.zeros_like(values["beta"])
        eta += self.columns @ self.beta
        return 0.0

    def of_units(self) -> np.ndarray:
        return self.units @ self.beta

    def follow(self, d_units: np.ndarray) -> None:
        self.d_followers += self._flat.T @ d_units.reshape(len(self._flat), -1)

    def backward(self, d_eta: np.ndarray, d_values: Values, values: Values) -> None:
        d_values["beta"] += self.columns.T @ d_eta + self.d_followers

    def report(self, values: Values) -> Values:
        return {"beta": values["beta"].copy()}


class UnitEffects:
    """Perceiver, target and self effects, and what a unit's own staff rate: one covariance.

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
        above: Sequence[AboveUnits] = (),
    ) -> None:
        self.roles, self.n_dimensions = structure.roles, len(frame.dimensions)
        self.shape = (len(frame.units), len(frame.waves), len(self.roles) * self.n_dimensions)
        n_waves, size = len(frame.waves), self.shape[2]
        several = len(frame.facets) > 1 and n_waves > 1
        kind = StableAndWithin if several else OneCovariance
        self.covariance = kind(self.roles, self.n_dimensions, n_waves, priors, scale)
        self.above, self.estimate = above, rough.unit
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
            *self.covariance.parameters,
            Parameter("unit_z", (self.shape[0], self.shape[1] * size), "normal"),
        )
        self.indices = unit_rows(frame, structure)
        n_units, width = self.shape[0], self.shape[1] * size
        self._one_stratum = np.zeros(n_units, dtype=np.int64), np.array([n_units])
        self._effects, self._d_effects, self._left, self._d_estimate = np.zeros((4, n_units, width))
        self._d_whole = np.zeros((1, width, width))

    def effects(self, values: Values) -> np.ndarray:
        """(U, W, P) effects, with mean zero over units; the next call writes them anew."""
        whole = self.covariance.forward(values)
        estimate = self.estimate
        if self.above:
            estimate = self._left.reshape(estimate.shape)
            np.copyto(estimate, self.estimate)
            for part in self.above:
                estimate -= part.of_units()
        rows = self.rows.forward(whole, values["unit_z"], estimate.reshape(self._left.shape))
        np.copyto(self._effects, rows)
        kernels.centre(self._effects, *self._one_stratum)
        return self._effects.reshape(self.shape)

    def forward(self, values: Values, eta: np.ndarray) -> float:
        by_role = self.effects(values).reshape(-1, self.n_dimensions)
        for index in self.indices:
            kernels.gather_add(eta, by_role, index)
        return self.rows.log_density() + self.covariance.log_density()

    def backward(self, d_eta: np.ndarray, d_values: Values, values: Values) -> None:
        d_effects = self._d_effects
        d_effects.fill(0.0)
        by_role = d_effects.reshape(-1, self.n_dimensions)
        for index in self.indices:
            kernels.scatter_add(d_eta, index, by_role)
        kernels.centre(d_effects, *self._one_stratum)
        self.rows.backward(d_effects, d_values["unit_z"], self._d_whole, self._d_estimate)
        for part in self.above:
            part.follow(-self._d_estimate.reshape(self.estimate.shape))
        self.covariance.backward(self._d_whole, d_values)

    def report(self, values: Values) -> Values:
        effects = self.effects(values).reshape(*self.shape[:2], len(self.roles), self.n_dimensions).copy()
        return self.covariance.report(values) | named_unit_effects(effects, self.roles)


def named_unit_effects(effects: np.ndarray, roles: Sequence[str]) -> Values:
    """(…, roles, D) unit effects by what they are kept as: what own staff rate stands together, by facet."""
    ends = ("perceiver", "target", "self")
    named = {f"{role}_effect": effects[..., k, :] for k, role in enumerate(roles) if role in ends}
    facets = [k for k, role in enumerate(roles) if role not in ends]
    return named | ({"staff_effect": effects[..., facets, 0]} if facets else {})


class GroupedEffects:
    """Independent effects of respondents or ratings."""

    follows = True

    def __init__(self, grouping: Grouping, frame: Frame, priors: Priors, scale: float, rough: Rough) -> None:
        self.grouping, self.size = grouping, grouping.n_facets * len(frame.dimensions)
        name, n_groups = grouping.name, grouping.n_groups
        spread = getattr(priors, f"sd_{name}") * scale
        self.covariance = Scaled(f"corr_{name}", self.size, priors)
        self.parameters = (
            Parameter(f"sd_{name}", (self.size,), "half_normal", spread, start=0.5 * spread),
            *self.covariance.parameters,
            Parameter(f"{name}_z", (n_groups, self.size), "normal"),
        )
        self.index = grouping.rows(frame)
        self.means = Means(rough, self.index, n_groups * grouping.n_facets, rough.noise[name])
        known = by_group(self.means.precision, n_groups)
        self.colleagues = None
        if name in ("respondent", "respondent_wave") and grouping.n_facets == 1:
            outer = np.ones(n_groups, dtype=bool)
            self.colleagues = Colleagues(frame, rough, grouping.group_of_rating, outer, known)
        shared = self.colleagues.shared if self.colleagues else ()
        self.rows = Rows(np.zeros(n_groups, dtype=np.int64), known, shared)
        if grouping.n_facets == 1:
            self.means.shrink(self.rows)
        self._d_effects, self._d_estimate = np.zeros((2, n_groups, self.size))
        self._d_factor = np.zeros((1, self.size, self.size))

    def forward(self, values: Values, eta: np.ndarray) -> float:
        name = self.grouping.name
        factor = self.covariance.forward(values, values[f"sd_{name}"])
        estimate = self.means.forward(eta).reshape(self._d_estimate.shape)
        if self.colleagues:
            self.colleagues.forward(eta, estimate)
        effects = self.rows.forward(factor[None], values[f"{name}_z"], estimate)
        kernels.gather_add(eta, effects.reshape(-1, eta.shape[1]), self.index)
        return self.rows.log_density()

    def backward(self, d_eta: np.ndarray, d_values: Values, values: Values) -> None:
        name, D = self.grouping.name, d_eta.shape[1]
        self._d_effects.fill(0.0)
        kernels.scatter_add(d_eta, self.index, self._d_effects.reshape(-1, D))
        self.rows.backward(self._d_effects, d_values[f"{name}_z"], self._d_factor, self._d_estimate)
        self.means.backward(self._d_estimate.reshape(-1, D), d_eta)
        if self.colleagues:
            self.colleagues.backward(self._d_estimate, d_eta)
        self.covariance.backward(self._d_factor[0], d_values, d_values[f"sd_{name}"])

    def report(self, values: Values) -> Values:
        name = self.grouping.name
        factor = self.covariance.forward(values, values[f"sd_{name}"])
        suffix = self.grouping.suffix
        return {f"sd_{name}{suffix}": values[f"sd_{name}"].copy(), f"cov_{name}{suffix}": factor @ factor.T}


def by_group(precision: np.ndarray, n_groups: int) -> np.ndarray:
    """(G, F·D, F·D) block-diagonal matrices from those of each group's facets, (G·F, D, D) in order."""
    D = precision.shape[1]
    n_facets = len(precision) // max(n_groups, 1)
    if n_facets == 1:
        return precision
    whole = np.zeros((n_groups, n_facets, D, n_facets, D))
    for f in range(n_facets):
        whole[:, f, :, f] = precision[f::n_facets]
    return whole.reshape(n_groups, n_facets * D, n_facets * D)
