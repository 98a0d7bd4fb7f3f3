"""Relation effects in the log density: each pair as a sum and a difference of independent parts."""

from __future__ import annotations

import numpy as np

from relcap_models.models import covariance as cov
from relcap_models.models import kernels
from relcap_models.models.density_blocks import BetweenWaves, Scaled, Values
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

    def _estimates(self, eta: np.ndarray) -> dict[str, np.ndarray]:
        """(n, W·D) what the answers say of sums, differences and one-sided relations."""
        mean = self.means.forward(eta).reshape(self.n_relations, -1)
        forth, back, alone = np.split(self.rows, [self.n_pairs, 2 * self.n_pairs])
        first, second = self.share_of_pair[0] * mean[forth], self.share_of_pair[1] * mean[back]
        return {"pair_sum": first + second, "pair_difference": first - second, "one_sided": mean[alone]}

    def _estimates_backward(self, d_estimates: dict[str, np.ndarray], d_eta: np.ndarray) -> None:
        d_mean = np.zeros((self.n_relations, self.n_z_waves * self.n_dimensions))
        forth, back, alone = np.split(self.rows, [self.n_pairs, 2 * self.n_pairs])
        if "pair_sum" in d_estimates:
            both, apart = d_estimates["pair_sum"], d_estimates["pair_difference"]
            d_mean[forth] = self.share_of_pair[0] * (both + apart)
            d_mean[back] = self.share_of_pair[1] * (both - apart)
        if "one_sided" in d_estimates:
            d_mean[alone] = d_estimates["one_sided"]
        self.means.backward(d_mean.reshape(-1, self.n_dimensions), d_eta)

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
            self.spreads = (
                [self.sd * np.sqrt(self.share), self.sd * np.sqrt(1.0 - self.share)]
                if self.reciprocal
                else [self.sd]
            )

    def _effects(self, values: Values, eta: np.ndarray) -> np.ndarray:
        """(R, W, D) relation effects, centred over relations; eta holds the effects further up."""
        self.scale(values)
        self.cholesky = [f.forward(values, s) for f, s in zip(self.factors, self.spreads)]
        total = sum(c @ c.T for c in self.cholesky)
        self.alone_factor = (
            np.linalg.cholesky(total) if self.reciprocal and self.n_alone else self.cholesky[0]
        )
        self.wave_factor = self.waves.factor(values)
        self.estimates = self._estimates(eta)
        stacked = np.zeros((self.n_relations, self.n_z_waves, self.n_dimensions))
        if self.n_pairs:
            together = self._part("pair_sum", self.cholesky[0], values)
            stacked[: self.n_pairs] = together
            stacked[self.n_pairs : 2 * self.n_pairs] = together
        if self.n_alone:
            stacked[2 * self.n_pairs :] = self._part("one_sided", self.alone_factor, values)
        # The sign of a difference depends on an arbitrary order of the two units: only sums are centred.
        stacked = self._centred(stacked)
        if self.n_pairs:
            apart = self._part("pair_difference", self.cholesky[1], values)
            stacked[: self.n_pairs] += apart
            stacked[self.n_pairs : 2 * self.n_pairs] -= apart
        effects = np.empty_like(stacked)
        effects[self.rows] = stacked
        return effects

    def _part(self, name: str, factor: np.ndarray, values: Values) -> np.ndarray:
        """(n, W, D) effects of one kind."""
        z = values[f"{name}_z"]
        whole = cov.kron_factor(self.wave_factor, factor)
        flat = z.reshape(len(z), -1)
        return self.kinds[name].forward(whole[None], flat, self.estimates[name]).reshape(z.shape)

    def _centred(self, effects: np.ndarray) -> np.ndarray:
        flat = effects.reshape(self.n_relations, -1).copy()
        kernels.centre(flat, self.stratum, self.count)
        return flat.reshape(effects.shape)

    def forward(self, values: Values, eta: np.ndarray) -> float:
        effects = self.current = self._effects(values, eta)
        if self.n_z_waves != self.n_waves:
            effects = np.repeat(effects, self.n_waves, axis=1)
        kernels.gather_add(eta, np.ascontiguousarray(effects).reshape(-1, self.n_dimensions), self.index)
        return self.waves.log_density() + sum(rows.log_density() for rows in self.kinds.values())

    def backward(self, d_eta: np.ndarray, d_values: Values, values: Values) -> None:
        d_effects = np.zeros((self.n_relations * self.n_waves, self.n_dimensions))
        kernels.scatter_add(d_eta, self.index, d_effects)
        d_effects = d_effects.reshape(self.n_relations, self.n_waves, self.n_dimensions)
        if self.n_z_waves != self.n_waves:
            d_effects = d_effects.sum(axis=1, keepdims=True)
        d_apart_and_sum = d_effects[self.rows]
        d_stacked = self._centred(d_apart_and_sum)
        n = self.n_pairs
        d_wave_factor = np.zeros_like(self.wave_factor)
        d_cholesky = [np.zeros_like(c) for c in self.cholesky]

        d_estimates: dict[str, np.ndarray] = {}

        def pull(name: str, factor: np.ndarray, d_part: np.ndarray) -> np.ndarray:
            """Reverse of `_part`."""
            z = d_values[f"{name}_z"]
            d_z, d_whole, d_estimate = self.kinds[name].backward(d_part.reshape(len(z), -1), 1)
            if d_estimate is not None:
                d_estimates[name] = d_estimate
            d_waves, d_factor = cov.kron_factor_adjoint(self.wave_factor, factor, d_whole[0])
            z += d_z.reshape(z.shape)
            d_wave_factor[:] += d_waves
            return d_factor

        if n:
            d_cholesky[0] += pull("pair_sum", self.cholesky[0], d_stacked[:n] + d_stacked[n : 2 * n])
            d_apart = d_apart_and_sum[:n] - d_apart_and_sum[n : 2 * n]
            d_cholesky[1] += pull("pair_difference", self.cholesky[1], d_apart)
        if self.n_alone:
            d_alone = pull("one_sided", self.alone_factor, d_stacked[2 * n :])
            if self.reciprocal:
                d_total = cov.cholesky_adjoint(self.alone_factor, d_alone)
                for d, c in zip(d_cholesky, self.cholesky):
                    d += 2.0 * d_total @ c
            else:
                d_cholesky[0] += d_alone
        self._estimates_backward(d_estimates, d_eta)
        self.waves.backward_factor(self.wave_factor, d_wave_factor, d_values)
        d_spreads = [f.backward(d, d_values) for f, d in zip(self.factors, d_cholesky)]
        self._pull_scales(d_spreads, d_values)

    def _pull_scales(self, d_spreads: list[np.ndarray], d_values: Values) -> None:
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
            root, other = np.sqrt(self.share), np.sqrt(1.0 - self.share)
            d_values["sd_relation"] += d_spreads[0] * root + d_spreads[1] * other
            d_values["dyadic_reciprocity_01"] += 0.5 * self.sd * (d_spreads[0] / root - d_spreads[1] / other)
        else:
            d_values["sd_relation"] += d_spreads[0]

    def report(self, values: Values) -> Values:
        effects = self.current
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
