"""Relation effects in the log density: each pair as a sum and a difference of independent parts."""

from __future__ import annotations

import numpy as np

from relcap_models.models import covariance as cov
from relcap_models.models import kernels
from relcap_models.models import pair_kernels as pairs
from relcap_models.models.density_covariance import BetweenWaves, Scaled, Values
from relcap_models.models.density_rows import Means, Rows, Shared
from relcap_models.models.families import RESIDUAL_SD
from relcap_models.models.frame import Frame
from relcap_models.models.information import Rough
from relcap_models.models.parameters import Parameter
from relcap_models.models.priors import Priors
from relcap_models.models.structure import Structure


class RelationEffects:
    """relation[u→t], relation[t→u] = p ± q; one-sided relations have one effect of the same variance."""

    follows = True

    def __init__(
        self,
        frame: Frame,
        structure: Structure,
        priors: Priors,
        scale: float,
        family: str,
        rough: Rough,
    ) -> None:
        self.mode, self.family, self.reciprocal = structure.relation, family, structure.reciprocal
        n_dimensions, n_waves = len(frame.dimensions), len(frame.waves)
        self.n_dimensions = n_dimensions
        partner = frame.partner_of_relation
        first = np.flatnonzero((partner >= 0) & (frame.rater_of_relation < frame.target_of_relation))
        alone = np.flatnonzero(partner < 0)
        self.n_pairs, self.n_alone, self.n_relations = len(first), len(alone), frame.n_relations
        self.rows = np.concatenate([first, partner[first], alone])
        self.n_waves = n_waves
        self.varying = self.mode == "full"
        self.n_z_waves = n_waves if self.varying else 1
        self.only_item = np.array(
            [np.flatnonzero(frame.dimension_of_item == d)[0] for d in range(n_dimensions)]
        )
        self.waves = BetweenWaves("relation", self.n_z_waves, priors)
        parameters: list[Parameter] = list(self.waves.parameters)
        if self.reciprocal:
            parameters.append(
                Parameter(
                    "dyadic_reciprocity_01", (n_dimensions,), "beta", priors.reciprocity, priors.reciprocity
                )
            )
            names = ("corr_pair_sum", "corr_pair_difference")
        else:
            names = ("corr_relation",)
        if self.mode != "residual":
            parameters.append(
                Parameter(
                    "sd_relation",
                    (n_dimensions,),
                    "half_normal",
                    priors.sd_relation * scale,
                    start=0.5 * priors.sd_relation * scale,
                )
            )
        self.factors = [Scaled(name, n_dimensions, priors) for name in names]
        for factor in self.factors:
            parameters += factor.parameters
        for name, n in (
            ("pair_sum", self.n_pairs),
            ("pair_difference", self.n_pairs),
            ("one_sided", self.n_alone),
        ):
            if n:
                parameters.append(Parameter(f"{name}_z", (n, self.n_z_waves, n_dimensions), "normal"))
        self.parameters = tuple(parameters)
        row = frame.relation_of_rating * n_waves + frame.wave_of_rating
        self.index = np.where(frame.relation_of_rating >= 0, row, -1)
        self._adapt(frame, rough)
        self._prepare()
        self.stratum, self.count = np.zeros(self.n_relations, dtype=np.int64), np.array([self.n_relations])

    def _adapt(self, frame: Frame, rough: Rough) -> None:
        """How well sums, differences and one-sided relations are known, and from which ratings."""
        place = frame.relation_of_rating * self.n_z_waves
        place += frame.wave_of_rating if self.varying else 0
        place = np.where(frame.relation_of_rating >= 0, place, -1)
        self.means = Means(rough, place, self.n_relations * self.n_z_waves, rough.noise["relation"])
        # Waves of a relation are seen one by one.
        W, D = self.n_z_waves, self.n_dimensions
        known = np.zeros((self.n_relations, W, D, W, D))
        for w in range(W):
            known[:, w, :, w] = self.means.precision[w::W]
        known = known.reshape(self.n_relations, W * D, W * D)
        forth, back, alone = np.split(self.rows, [self.n_pairs, 2 * self.n_pairs])
        each = np.diagonal(known, axis1=1, axis2=2)
        # Share of what is known of a pair that each of its directions has.
        self.share_of_pair = np.stack([each[forth], each[back]])
        self.share_of_pair = self.share_of_pair / np.maximum(self.share_of_pair.sum(axis=0), 1e-12)
        if self.mode == "residual":
            known = np.zeros_like(known)
        of_pair = known[forth] + known[back]
        rows = {"pair_sum": of_pair, "pair_difference": of_pair, "one_sided": known[alone]}
        rows = {name: those for name, those in rows.items() if len(those)}
        each = {name: np.diagonal(those, axis1=1, axis2=2) for name, those in rows.items()}
        prior = 2.0 / rough.relation_variance
        in_all = sum(those.sum(axis=0) for name, those in each.items() if name != "pair_difference")
        self.kinds = {}
        for name, those in each.items():
            group, shared = np.zeros(len(those), dtype=np.int64), []
            if name != "pair_difference":
                # Effects are centred: what some relations share meets the answers only against the others.
                share = len(those) * (2 if name == "pair_sum" else 1) / self.n_relations
                seen = (1.0 - 2.0 * share) * those.sum(axis=0) + share**2 * in_all
                shared = [Shared(group, prior + those, len(those) * prior + seen[None])]
            self.kinds[name] = Rows(group, rows[name], shared)

    def _prepare(self) -> None:
        """What is written at every evaluation."""
        D, width, n_relations = self.n_dimensions, self.n_z_waves * self.n_dimensions, self.n_relations
        lengths = {"pair_sum": self.n_pairs, "pair_difference": self.n_pairs, "one_sided": self.n_alone}
        shapes = [(n, width) for n in lengths.values()]
        # By the place of each kind in these lists: its parameter, its rows and the shape that those have.
        self._kinds = {
            k: (f"{name}_z", self.kinds[name], shape)
            for k, (name, shape) in enumerate(zip(lengths, shapes))
            if shape[0]
        }
        self._none = [np.zeros((0, width))] * 3
        self._estimates, self._d_estimates, self._d_parts = (
            [np.zeros(shape) for shape in shapes] for _ in range(3)
        )
        self._effects, self._d_effects, self._d_left = np.zeros((3, n_relations, width))
        self._whole, self._d_whole = np.zeros((2, 1, width, width))
        self._pooled, self._d_cholesky = np.zeros((D, D)), np.zeros((3, D, D))
        self._spreads, self._d_spreads = np.zeros((2, 2, D))

    def scale(self, values: Values) -> None:
        """Standard deviations of sum and difference (or of the relation alone)."""
        if self.reciprocal:
            self.share = values["dyadic_reciprocity_01"]
            self.reciprocity = 2.0 * self.share - 1.0
        if self.mode == "residual":
            size = np.abs(self.reciprocity)
            self.residual = (
                values["residual_sd"][self.only_item]
                if self.family == "gaussian"
                else np.full(self.n_dimensions, RESIDUAL_SD[self.family])
            )
            self.sd = self.residual * np.sqrt(size / (1.0 - size))
            positive = (self.reciprocity > 0).astype(float)
            self.spreads = [self.sd * positive, self.sd * (1.0 - positive)]
        else:
            self.sd = values["sd_relation"]
            if self.reciprocal:
                pairs.spreads_of_pairs(self.sd, self.share, self._spreads)
            self.spreads = self._spreads if self.reciprocal else [self.sd]

    def forward(self, values: Values, eta: np.ndarray) -> float:
        self.scale(values)
        self.cholesky = [f.forward(values, sd) for f, sd in zip(self.factors, self.spreads)]
        self.alone_factor = self.cholesky[0]
        if self.reciprocal and self.n_alone:
            self.alone_factor = self._pooled
            cov.pooled_factor(*self.cholesky, 1.0, self._pooled)
        self.waves.prepare(values)
        left = self.means.forward(eta).reshape(self.n_relations, -1)
        pairs.split_pairs(left, self.rows, self.share_of_pair, *self._estimates)
        factors = (self.cholesky[0], self.cholesky[-1], self.alone_factor)
        parts, total = list(self._none), self.waves.log_density()
        for k, (name, rows, shape) in self._kinds.items():
            whole = self.waves.spread(factors[k], self._whole)
            parts[k] = rows.forward(whole, values[name].reshape(shape), self._estimates[k])
            total += rows.log_density()
        pairs.join_pairs(*parts, self.rows, self._effects)
        kernels.gather_add(eta, self._effects.reshape(-1, self.n_dimensions), self.means.group)
        return total

    def backward(self, d_eta: np.ndarray, d_values: Values, values: Values) -> None:
        d_effects = self._d_effects
        d_effects.fill(0.0)
        kernels.scatter_add(d_eta, self.means.group, d_effects.reshape(-1, self.n_dimensions))
        pairs.join_pairs_adjoint(d_effects, self.rows, *self._d_parts)
        self._d_cholesky.fill(0.0)
        factors = (self.cholesky[0], self.cholesky[-1], self.alone_factor)
        d_first, d_second, d_pooled = self._d_cholesky
        pooled = self.reciprocal and self.n_alone
        d_factors = (d_first, d_second, d_pooled if pooled else d_first)
        for k, (name, rows, shape) in self._kinds.items():
            d_z = d_values[name].reshape(shape)
            rows.backward(self._d_parts[k], d_z, self._d_whole, self._d_estimates[k])
            self.waves.spread_backward(factors[k], self._d_whole, d_factors[k])
        if pooled:
            cov.pooled_factor_adjoint(*self.cholesky, 1.0, self._pooled, d_pooled, d_first, d_second)
        pairs.split_pairs_adjoint(*self._d_estimates, self.rows, self.share_of_pair, self._d_left)
        self.means.backward(self._d_left.reshape(-1, self.n_dimensions), d_eta)
        self.waves.backward(d_values)
        self._d_spreads.fill(0.0)
        for f, d_factor, d_sd in zip(self.factors, self._d_cholesky, self._d_spreads):
            f.backward(d_factor, d_values, d_sd)
        self._pull_scales(self._d_spreads, d_values)

    def _pull_scales(self, d_spreads: np.ndarray, d_values: Values) -> None:
        if self.mode == "residual":
            size = np.abs(self.reciprocity)
            positive = self.reciprocity > 0
            d_sd = np.where(positive, d_spreads[0], d_spreads[1])
            odds = np.maximum(size / (1.0 - size), 1e-300)
            d_values["dyadic_reciprocity_01"] += (
                d_sd
                * self.residual
                * 0.5
                / np.sqrt(odds)
                / (1.0 - size) ** 2
                * np.sign(self.reciprocity)
                * 2.0
            )
            if self.family == "gaussian":
                d_values["residual_sd"][self.only_item] += d_sd * np.sqrt(odds)
        elif self.reciprocal:
            d_share = d_values["dyadic_reciprocity_01"]
            pairs.spreads_of_pairs_adjoint(self.sd, self.share, d_spreads, d_values["sd_relation"], d_share)
        else:
            d_values["sd_relation"] += d_spreads[0]

    def report(self, values: Values) -> Values:
        effects = self._effects.reshape(self.n_relations, self.n_z_waves, self.n_dimensions).copy()
        if self.n_z_waves != self.n_waves:
            effects = np.repeat(effects, self.n_waves, axis=1)
        named = {
            "relation_effect": effects,
            "sd_relation": np.asarray(self.sd).copy(),
            "cov_relation": sum(c @ c.T for c in self.cholesky),
        }
        if self.reciprocal:
            named["dyadic_reciprocity"] = self.reciprocity.copy()
        return named | self.waves.report(values)
