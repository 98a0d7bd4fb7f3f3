"""Shocks of district × wave in the log density."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from relcap_models.models import kernels
from relcap_models.models.density_blocks import AboveUnits
from relcap_models.models.density_covariance import Scaled, Values
from relcap_models.models.density_rows import Rows
from relcap_models.models.frame import Frame
from relcap_models.models.information import Rough
from relcap_models.models.parameters import Parameter
from relcap_models.models.priors import Priors
from relcap_models.models.structure import Grouping, Structure


class DistrictEffects:
    """Shocks at one end of a rating. Districts are a finite population: a wave's shocks have the mean 0.

    Unit effects are sampled around what the shocks leave of them: their derivatives come in by `follow`.
    """

    follows = False

    def __init__(
        self,
        grouping: Grouping,
        frame: Frame,
        structure: Structure,
        priors: Priors,
        scale: float,
        rough: Rough,
        above: Sequence[AboveUnits] = (),
    ) -> None:
        self.above, self.grouping, self.n_dimensions = above, grouping, len(frame.dimensions)
        name, size = grouping.name, (grouping.n_groups, self.n_dimensions)
        self.role = structure.roles.index(name.removeprefix("district_"))
        spread = priors.sd_district * scale
        self.covariance = Scaled(f"corr_{name}", self.n_dimensions, priors)
        self.parameters = (
            Parameter(f"sd_{name}", size[1:], "half_normal", spread, start=0.5 * spread),
            *self.covariance.parameters,
            Parameter(f"{name}_z", size, "normal"),
        )
        self.stratum = grouping.stratum_of_group
        self.count = np.maximum(np.bincount(self.stratum), 1)
        self.inside = np.flatnonzero(frame.district_of_unit >= 0)
        self.district = frame.district_of_unit[self.inside]
        self.shape = (len(frame.units), len(frame.waves), self.n_dimensions)
        n_districts = grouping.n_groups // self.shape[1]
        self.member = (np.arange(n_districts)[:, None] == self.district).astype(float)
        known = np.diagonal(rough.unit_information, axis1=1, axis2=2).reshape(rough.unit.shape)
        known = known[self.inside, :, self.role]
        precision, pull = np.zeros((2, n_districts, *self.shape[1:]))
        weight = known / (1.0 + known * rough.unit_variance)
        np.add.at(precision, self.district, np.broadcast_to(weight, (len(weight), *self.shape[1:])))
        np.add.at(pull, self.district, weight * rough.unit[self.inside, :, self.role])
        self.estimate = (pull / np.maximum(precision, 1e-12)).reshape(size)
        self.weight = np.broadcast_to(weight, (len(weight), *self.shape[1:]))
        self.weight = self.weight / np.maximum(precision, 1e-12)[self.district]
        self.all_roles = rough.unit.shape
        self.rows = Rows(np.zeros(grouping.n_groups, dtype=np.int64), precision.reshape(size))
        self._d_effects, self._d_estimate = np.zeros((2, *size))
        self._d_factor = np.zeros((1, self.n_dimensions, self.n_dimensions))

    def _effects(self, values: Values) -> np.ndarray:
        """(G, D) shocks."""
        name = self.grouping.name
        factor = self.covariance.forward(values, values[f"sd_{name}"])
        estimate = self.estimate
        for part in self.above:
            of_units = part.of_units()[self.inside, :, self.role]
            taken = np.tensordot(self.member, self.weight * of_units, axes=1)
            estimate = estimate - taken.reshape(estimate.shape)
        effects = self.rows.forward(factor[None], values[f"{name}_z"], estimate).copy()
        kernels.centre(effects, self.stratum, self.count)
        return effects

    def forward(self, values: Values, eta: np.ndarray) -> float:
        self.effects, self.d_followers = self._effects(values), 0.0
        kernels.gather_add(eta, self.effects, self.grouping.group_of_rating)
        return self.rows.log_density()

    def of_units(self) -> np.ndarray:
        """(U, W, roles, D) shock of each unit's district, 0 where it has none."""
        shocks = np.zeros(self.all_roles)
        shocks[self.inside, :, self.role] = self.effects.reshape(-1, *self.shape[1:])[self.district]
        return shocks

    def follow(self, d_units: np.ndarray) -> None:
        """Take in derivatives with respect to `of_units`."""
        total = np.tensordot(self.member, d_units[self.inside, :, self.role], axes=1)
        self.d_followers = self.d_followers + total.reshape(self.effects.shape)

    def backward(self, d_eta: np.ndarray, d_values: Values, values: Values) -> None:
        name = self.grouping.name
        d_effects = self._d_effects
        d_effects.fill(0.0)
        kernels.scatter_add(d_eta, self.grouping.group_of_rating, d_effects)
        d_effects += self.d_followers
        kernels.centre(d_effects, self.stratum, self.count)
        self.rows.backward(d_effects, d_values[f"{name}_z"], self._d_factor, self._d_estimate)
        for part in self.above:
            d_units = np.zeros(self.all_roles)
            d_estimate = self._d_estimate.reshape(-1, *self.shape[1:])[self.district]
            d_units[self.inside, :, self.role] = -self.weight * d_estimate
            part.follow(d_units)
        self.covariance.backward(self._d_factor[0], d_values, d_values[f"sd_{name}"])

    def report(self, values: Values) -> Values:
        name = self.grouping.name
        factor = self.covariance.forward(values, values[f"sd_{name}"])
        return {
            f"sd_{name}": values[f"sd_{name}"].copy(),
            f"cov_{name}": factor @ factor.T,
            f"{name}_effect": self._effects(values),
        }
