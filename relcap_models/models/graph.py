"""The PyMC graph of a rating model: from frame, structure and priors to a log density.

The parameterisation is the one that sampled best: all effects together centred at their mean over the ratings
of a level (a wave's ratings of others, or of the own unit), unit effects centred (their covariance stands in
the prior), everything with few answers per effect non-centred, and the two directions of a relation as sum
and difference of independent parts. Its `mu` and `threshold` are those of the ratings at hand;
`Density.report` turns them into those of an average unit and the population of respondents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from relcap_models.models import blocks
from relcap_models.models.answer_op import answer_log_likelihood
from relcap_models.models.covariance import reference_root
from relcap_models.models.density import loading_contrasts, starting_thresholds
from relcap_models.models.density_blocks import orthonormal_contrasts
from relcap_models.models.density_covariance import unit_spreads
from relcap_models.models.density_nested import find_nesting
from relcap_models.models.families import RESIDUAL_SD
from relcap_models.models.frame import Frame
from relcap_models.models.structure import Grouping, Structure, unit_rows

if TYPE_CHECKING:
    from relcap_models.models.priors import Priors


def build_graph(
    frame: Frame,
    structure: Structure,
    *,
    family: str,
    loadings: str,
    priors: Priors,
    scale: float,
    fused: bool = True,
) -> pm.Model:
    """PyMC model of one instrument's ratings.

    family : probit, logit, partial_credit or gaussian · scale : size of a latent unit relative to probit ·
    fused : see `RatingModel.build`
    """
    coords: Mapping[str, object] = {
        "wave": list(frame.waves),
        "unit": list(frame.units),
        "dimension": list(frame.dimensions),
        "dimension_b": list(frame.dimensions),
        "item": list(frame.items),
        "covariate": list(frame.covariates),
        "item_threshold": frame.threshold_labels,
        "relation": frame.relation_labels,
        "unit_effect": unit_effect_labels(frame, structure),
        "unit_effect_b": unit_effect_labels(frame, structure),
    }
    with pm.Model(coords=coords) as model:
        location = _location(frame, priors, scale)
        effects = _unit_effects(frame, structure, priors, scale)
        residual_sd = pm.HalfNormal("residual_sd", scale, dims="item") if family == "gaussian" else None
        if structure.relation != "none":
            residual = RESIDUAL_SD[family] if residual_sd is None else residual_sd[_only_item(frame)]
            effects += _relation_effects(frame, structure, priors, scale, residual)
        for groupings in (*structure.nested, *((district,) for district in structure.districts)):
            grouped = _grouped_effects if len(groupings) == 1 else _nested_effects
            effects += grouped(*groupings, frame, priors, scale)
        if frame.covariates:
            beta = pm.Normal("beta", 0.0, priors.covariate * scale, dims=("covariate", "dimension"))
            effects += pt.dot(frame.covariates_of_rating, beta)
        eta = location + blocks.centred(effects, frame.level_of_rating)
        loading = _loadings(frame, loadings, priors)
        location = _item_locations(frame, family, priors, scale)
        if fused and family != "gaussian":
            total = answer_log_likelihood(family, frame, eta, loading, location)
        else:
            total = plain_log_likelihood(family, frame, eta, loading, location, residual_sd)
        pm.Potential("log_likelihood", total)
    return model


def unit_effect_labels(frame: Frame, structure: Structure) -> list[str]:
    """Labels `role:dimension` of the unit effects that share a covariance, in its order."""
    return [f"{role}:{dimension}" for role in structure.roles for dimension in frame.dimensions]


def _location(frame: Frame, priors: Priors, scale: float) -> pt.TensorVariable:
    """μ per wave (0 in the reference wave) and μ of own-unit ratings: (N, D)."""
    n_waves, n_dimensions = len(frame.waves), len(frame.dimensions)
    n_facets = len(frame.facets)
    mu = pt.zeros((n_facets, n_dimensions))
    if n_waves > 1:
        shape = ((n_waves - 1) * n_facets, n_dimensions)
        mu = pt.concatenate([mu, pm.Normal("mu_later", 0.0, priors.mean * scale, shape=shape)])
    pm.Deterministic("mu", mu.reshape((n_waves, n_facets * n_dimensions)))
    location = mu[frame.wave_of_rating * n_facets + frame.facet_of_rating]
    if frame.mixed:
        mu_own = pm.Normal("mu_own", 0.0, priors.mean * scale, dims=("wave", "dimension"))
        location = pt.where(frame.own[:, None], mu_own[frame.wave_of_rating], location)
    return location


def _correlation(name: str, n_dimensions: int, priors: Priors, *, n_roles: int = 1) -> pt.TensorVariable:
    root = reference_root(n_roles, n_dimensions, priors.dimension_correlation)
    return blocks.correlation_cholesky(name, root, priors.correlation)


def _between_waves(name: str, n_waves: int, priors: Priors) -> pt.TensorVariable:
    """Cholesky factor of the correlation of an effect between waves."""
    stability = pm.Beta(f"stability_{name}", priors.stability, priors.stability)
    memory = pm.Beta(f"memory_{name}", 1.0, priors.memory) if n_waves > 2 else None
    return blocks.wave_correlation_cholesky(stability, memory, n_waves)


def _unit_effects(frame: Frame, structure: Structure, priors: Priors, scale: float) -> pt.TensorVariable:
    """Perceiver, target and self effects, one covariance. Returns (N, D).

    U − 1 contrasts between units: their sum over units is zero, their covariance is that of the units.
    """
    n_units, n_waves, n_dimensions = len(frame.units), len(frame.waves), len(frame.dimensions)
    roles = structure.roles
    size = len(roles) * n_dimensions
    spread = unit_spreads(roles, n_dimensions, priors, scale)
    if len(frame.facets) > 1 and n_waves > 1:
        chol = _stable_and_within(spread, n_waves, priors)
    else:
        sd = pm.Gamma("sd_unit", 2, 2 / spread, dims="unit_effect")
        factor = _correlation("corr_unit", n_dimensions, priors, n_roles=len(roles))
        corr = pm.Deterministic("corr_unit", factor @ factor.T, dims=("unit_effect", "unit_effect_b"))
        chol = sd[:, None] * factor
        if n_waves > 1:
            chol = pt.linalg.kron(_between_waves("unit", n_waves, priors), chol)
    raw = pm.MvNormal("unit_effects", 0.0, chol=chol, shape=(n_units - 1, n_waves * size))
    effects = pt.dot(orthonormal_contrasts(n_units), raw).reshape(
        (n_units, n_waves, len(roles), n_dimensions)
    )
    for position, role in enumerate(roles):
        pm.Deterministic(f"{role}_effect", effects[:, :, position], dims=("unit", "wave", "dimension"))
    if "target" in roles and len(frame.facets) == 1:
        pair = np.arange(n_dimensions)
        pm.Deterministic("generalised_reciprocity", corr[pair, n_dimensions + pair], dims="dimension")
    flat = effects.reshape((n_units * n_waves * len(roles), n_dimensions))
    flat = pt.concatenate([flat, pt.zeros((1, n_dimensions))])
    return sum(flat[row] for row in unit_rows(frame, structure))


def _stable_and_within(spread: np.ndarray, n_waves: int, priors: Priors) -> pt.TensorVariable:
    """Cholesky factor of the units' covariance over waves: stable parts, deviations, lagged effects."""
    P = len(spread)

    def covariance(name: str) -> pt.TensorVariable:
        sd = pm.Gamma(f"sd_unit_{name}", 2, 2 / (np.sqrt(0.5) * spread), dims="unit_effect")
        factor = sd[:, None] * _correlation(f"corr_unit_{name}", 1, priors, n_roles=P)
        return factor @ factor.T

    stable, within = covariance("stable"), covariance("wave")
    if n_waves > 2:
        innovation = covariance("innovation")
        lagged = pm.Normal("lagged", 0.0, priors.lagged, shape=(P, P))
    else:
        innovation, lagged = within, pt.zeros((P, P))
    columns: list[list[pt.TensorVariable]] = [[within]]
    for _ in range(1, n_waves):
        last = columns[-1]
        columns.append([*(lagged @ block for block in last), lagged @ last[-1] @ lagged.T + innovation])
    rows = [
        pt.concatenate([columns[v][w] if v >= w else columns[w][v].T for w in range(n_waves)], axis=1)
        for v in range(n_waves)
    ]
    return pt.linalg.cholesky(pt.concatenate(rows) + pt.tile(stable, (n_waves, n_waves)))


def _relation_effects(
    frame: Frame, structure: Structure, priors: Priors, scale: float, residual: pt.TensorVariable | float
) -> pt.TensorVariable:
    """Relation effects as p ± q of each pair, non-centred; one-sided relations alone. Returns (N, D)."""
    n_waves, n_dimensions = len(frame.waves), len(frame.dimensions)
    first = np.flatnonzero(
        (frame.partner_of_relation >= 0) & (frame.rater_of_relation < frame.target_of_relation)
    )
    second = frame.partner_of_relation[first]
    alone = np.flatnonzero(frame.partner_of_relation < 0)
    reciprocity = None
    if structure.reciprocal:
        unit_interval = pm.Beta(
            "dyadic_reciprocity_01", priors.reciprocity, priors.reciprocity, dims="dimension"
        )
        reciprocity = pm.Deterministic("dyadic_reciprocity", 2 * unit_interval - 1, dims="dimension")
    if structure.relation == "residual":
        sd = pm.Deterministic(
            "sd_relation", residual * pt.sqrt(abs(reciprocity) / (1 - abs(reciprocity))), dims="dimension"
        )
        share = None if reciprocity is None else (1 + pt.sign(reciprocity)) / 2
    else:
        sd = pm.HalfNormal("sd_relation", priors.sd_relation * scale, dims="dimension")
        share = None if reciprocity is None else (1 + reciprocity) / 2
    between = (
        _between_waves("relation", n_waves, priors) if structure.relation == "full" and n_waves > 1 else None
    )

    def effects(name: str, n: int, chol: pt.TensorVariable) -> pt.TensorVariable:
        if between is None:
            z = pm.Normal(f"{name}_z", shape=(n, 1, n_dimensions))
            return pt.repeat(pt.dot(z, chol.T), n_waves, axis=1)
        z = pm.Normal(f"{name}_z", shape=(n, n_waves, n_dimensions))
        return pt.einsum("vw,nwd->nvd", between, pt.dot(z, chol.T))

    if share is None:
        factor = sd[:, None] * _correlation("corr_relation", n_dimensions, priors)
        cov_alone = None
    else:
        sum_factor = (sd * pt.sqrt(share))[:, None] * _correlation("corr_pair_sum", n_dimensions, priors)
        difference_factor = (sd * pt.sqrt(1 - share))[:, None] * _correlation(
            "corr_pair_difference", n_dimensions, priors
        )
        cov_alone = sum_factor @ sum_factor.T + difference_factor @ difference_factor.T
    parts, order = [], []
    if len(first):
        both = effects("pair_sum", len(first), sum_factor)
        apart = effects("pair_difference", len(first), difference_factor)
        parts += [both, both]
        order += [first, second]
    if len(alone):
        factor = factor if cov_alone is None else pt.linalg.cholesky(cov_alone)
        parts.append(effects("one_sided", len(alone), factor))
        order.append(alone)
    # The sign of a difference depends on an arbitrary order of the two units: only sums are centred.
    stacked = blocks.centred(pt.concatenate(parts) if len(parts) > 1 else parts[0])
    if len(first):
        zeros = pt.zeros((len(alone), n_waves, n_dimensions))
        stacked += pt.concatenate([apart, -apart, zeros]) if len(alone) else pt.concatenate([apart, -apart])
    effect = stacked[np.argsort(np.concatenate(order))]
    covariance = factor @ factor.T if cov_alone is None else cov_alone
    pm.Deterministic("cov_relation", covariance, dims=("dimension", "dimension_b"))
    pm.Deterministic("relation_effect", effect, dims=("relation", "wave", "dimension"))
    flat = pt.concatenate(
        [effect.reshape((frame.n_relations * n_waves, n_dimensions)), pt.zeros((1, n_dimensions))]
    )
    row = frame.relation_of_rating * n_waves + frame.wave_of_rating
    return flat[np.where(frame.own, frame.n_relations * n_waves, row)]


def _only_item(frame: Frame) -> np.ndarray:
    """(D,) the first item of each dimension."""
    return np.array([np.flatnonzero(frame.dimension_of_item == d)[0] for d in range(len(frame.dimensions))])


def _grouped_covariance(grouping: Grouping, frame: Frame, priors: Priors, scale: float) -> pt.TensorVariable:
    """Cholesky factor of the covariance of an effect over facets × dimensions."""
    name, size = grouping.name, grouping.n_facets * len(frame.dimensions)
    spread = priors.sd_district if name.startswith("district") else getattr(priors, f"sd_{name}")
    sd = pm.HalfNormal(f"sd_{name}", spread * scale, shape=size)
    chol = sd[:, None] * _correlation(f"corr_{name}", size, priors)
    pm.Deterministic(f"cov_{name}", chol @ chol.T)
    return chol


def _of_ratings(effects: pt.TensorVariable, rows: np.ndarray, n_dimensions: int) -> pt.TensorVariable:
    """(N, D) from (G, F·D): what acts on each rating; rows of −1 are none."""
    flat = effects.reshape((-1, n_dimensions))
    return pt.concatenate([flat, pt.zeros((1, n_dimensions))])[rows]


def _grouped_effects(grouping: Grouping, frame: Frame, priors: Priors, scale: float) -> pt.TensorVariable:
    """Independent effects of respondents, ratings or district shocks: non-centred. Returns (N, D)."""
    size = grouping.n_facets * len(frame.dimensions)
    chol = _grouped_covariance(grouping, frame, priors, scale)
    z = pm.Normal(f"{grouping.name}_z", shape=(grouping.n_groups, size))
    effects = pt.dot(z, chol.T)
    if grouping.name.startswith("district"):
        effects = blocks.centred(effects, grouping.stratum_of_group)
    return _of_ratings(effects, grouping.rows(frame), len(frame.dimensions))


def _nested_effects(
    outer: Grouping, inner: Grouping, frame: Frame, priors: Priors, scale: float
) -> pt.TensorVariable:
    """Effects of two levels: the mean of an outer group and contrasts within it, non-centred. Returns (N, D).

    The mean over m inner groups has covariance outer + inner/m, the contrasts have that of the inner level.
    """
    nesting, size_of_row = find_nesting(outer, inner), inner.n_facets * len(frame.dimensions)
    above, within = (_grouped_covariance(g, frame, priors, scale) for g in (outer, inner))
    means = [pt.linalg.cholesky(above @ above.T + within @ within.T / m) for m in nesting.sizes]
    z = pm.Normal(f"{inner.name}_z", shape=(inner.n_groups, size_of_row))
    parts = pt.einsum("nde,ne->nd", pt.stack([within, *means])[nesting.kind], z)
    # Row o of `member` lists the rows of outer group o, padded with a row of zeros.
    first = np.flatnonzero(nesting.position == 0)
    size = np.diff(np.append(first, inner.n_groups))
    column = np.arange(size.max())
    member = np.where(column < size[:, None], first[:, None] + column, inner.n_groups)
    weights = np.zeros((len(first), size.max(), size.max()))
    for o, m in enumerate(size):
        weights[o, :m, :m] = np.column_stack([np.ones(m), orthonormal_contrasts(m)])
    padded = pt.concatenate([parts, pt.zeros((1, size_of_row))])[member]
    effects = pt.einsum("oij,ojd->oid", weights, padded)[member < inner.n_groups]
    group = inner.group_of_rating
    row = np.where(group >= 0, nesting.row_of_group[group], -1)
    return _of_ratings(effects, inner.rows(frame, row), len(frame.dimensions))


def _loadings(frame: Frame, loadings: str, priors: Priors) -> pt.TensorVariable:
    """(I,) positive loadings whose logarithms sum to zero within each dimension."""
    n_items = len(frame.items)
    contrasts = loading_contrasts(frame)
    if loadings == "equal" or not contrasts.shape[1]:
        return pm.Deterministic("loading", pt.ones(n_items), dims="item")
    raw = pm.Normal("log_loading", 0.0, priors.log_loading, shape=contrasts.shape[1])
    return pm.Deterministic("loading", pt.exp(pt.dot(contrasts, raw)), dims="item")


def _item_locations(frame: Frame, family: str, priors: Priors, scale: float) -> pt.TensorVariable:
    """Thresholds, flat and item by item, or the intercept of each item."""
    if family == "gaussian":
        mean = float(frame.answer.mean())
        return pm.Normal("intercept", mean, 2 * scale, dims="item", initval=np.full(len(frame.items), mean))
    sd = priors.threshold * scale
    if family == "partial_credit":
        return pm.Normal("threshold", 0.0, sd, dims="item_threshold")
    ordered = blocks.ordered_thresholds("threshold", starting_thresholds(frame, scale), sd)
    return pm.Deterministic("threshold", ordered, dims="item_threshold")


def plain_log_likelihood(
    family: str,
    frame: Frame,
    eta: pt.TensorVariable,
    loading: pt.TensorVariable,
    location: pt.TensorVariable,
    residual_sd: pt.TensorVariable | None = None,
) -> pt.TensorVariable:
    """Sum over responses of the log probability (density) of the answer, in plain expressions."""
    item = frame.item_of_response
    latent = loading[item] * eta[frame.rating_of_response, frame.dimension_of_item[item]]
    if family == "gaussian":
        return pm.logp(pm.Normal.dist(location[item] + latent, residual_sd[item]), frame.answer).sum()
    asked = {
        "item": item,
        "answer": frame.answer.astype(np.int64),
        "first_threshold": frame.first_threshold,
        "n_categories": frame.n_categories,
    }
    if family == "partial_credit":
        return blocks.partial_credit_log_likelihood(latent, location, **asked)
    return blocks.cumulative_log_likelihood(family, latent, location, **asked)
