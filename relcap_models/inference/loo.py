"""Leave-one-respondent-out cross-validation, with the left-out person's effects integrated out.

What is predicted is a new person in a known unit, rating known relations. The likelihood given that very
person's fitted effects would answer another question, and importance sampling fails for it (Merkle, Furr &
Rabe-Hesketh 2019).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import joblib
import numpy as np
import xarray as xr
from scipy.special import logsumexp, ndtri
from scipy.stats import qmc

from relcap_models.errors import FitError
from relcap_models.inference.fit import Fit, refit
from relcap_models.inference.locations import rating_location, thinned
from relcap_models.models.frame import Frame

MIN_DRAWS = 25
"""Fewer leave no tail that a Pareto distribution could be fitted to."""
_GRID = {1: 5, 2: 3, 3: 3}
_LOG2_POINTS = 6
_DRAWS_OF_A_PART = 20


@dataclass(frozen=True)
class LooResult:
    """Expected log predictive density of left-out respondents (Vehtari, Gelman & Gabry 2017).

    elpd, se : sum over respondents, natural log, and its standard error
    p_loo : effective number of parameters
    elpd_respondent, pareto_k : (respondent)
    good_k : a larger Pareto k means that the respondent's part is unreliable (0.7, less with few draws)
    """

    elpd: float
    se: float
    p_loo: float
    elpd_respondent: xr.DataArray
    pareto_k: xr.DataArray
    good_k: float
    n_draws: int

    @property
    def bad(self) -> tuple[str, ...]:
        """Respondents whose Pareto k is too large."""
        return tuple(str(r) for r in self.pareto_k["respondent"].to_numpy()[self.pareto_k > self.good_k])

    @property
    def n_bad(self) -> int:
        return len(self.bad)


def loo(fit: Fit, *, n_draws: int = 500) -> LooResult:
    """Leave-one-respondent-out by Pareto-smoothed importance sampling.

    Parameters
    ----------
    n_draws : posterior draws that are used, evenly spread; the time is proportional to it

    Raises
    ------
    FitError
        If the fit has fewer than 25 draws in all.
    """
    from arviz_stats.base import array_stats

    if fit.n_chains * fit.n_draws < MIN_DRAWS:
        raise FitError(
            f"Leaving respondents out takes {MIN_DRAWS} draws, and there are {fit.n_chains * fit.n_draws}. "
            "Run more: inference.draws of the study, or `draws` of `fit`."
        )
    density = respondent_log_density(fit, n_draws=n_draws)
    n_used = len(density)
    log_weights, k = array_stats.psislw(density.T, axis=-1)
    pointwise = logsumexp(log_weights + density.T, axis=1)
    in_sample = logsumexp(density, axis=0) - np.log(n_used)
    people = {"respondent": list(fit.frame.respondents)}
    return LooResult(
        elpd=float(pointwise.sum()),
        se=float(np.sqrt(len(pointwise) * pointwise.var())),
        p_loo=float((in_sample - pointwise).sum()),
        elpd_respondent=xr.DataArray(pointwise, coords=people, dims="respondent"),
        pareto_k=xr.DataArray(np.where(np.isnan(k), np.inf, k), coords=people, dims="respondent"),
        good_k=float(min(1.0 - 1.0 / np.log10(n_used), 0.7)),
        n_draws=n_used,
    )


def refit_left_out(fit: Fit, found: LooResult, *, folds: int = 10, progress: bool = True) -> LooResult:
    """K-fold cross-validation of the respondents for whom leave-one-out cannot be trusted.

    Those with a large Pareto k are shared out over the folds; for each fold the model is fitted again
    without their answers, as long as the first time, and their part of the elpd comes from there.

    Parameters
    ----------
    found : of `loo` · folds : how many fits are made at most

    Returns
    -------
    LooResult in which the Pareto k of those respondents is 0: nothing is weighted any more.
    """
    people = fit.frame.respondents
    bad = np.array([people.index(name) for name in found.bad], dtype=np.int64)
    pointwise, k = found.elpd_respondent.to_numpy().copy(), found.pareto_k.to_numpy().copy()
    in_sample = pointwise.sum() + found.p_loo
    # In the order of units, so that a fold takes few people from each.
    unit = np.zeros(len(people), dtype=np.int64)
    unit[fit.frame.respondent_of_rating] = fit.frame.rater_of_rating
    bad = bad[np.argsort(unit[bad], kind="stable")]
    n_folds = min(folds, len(bad))
    for fold in range(n_folds):
        left_out = bad[fold::n_folds]
        again = refit(fit, fit.frame.without_answers_of(left_out), stage=f"fold {fold}", progress=progress)
        density = respondent_log_density(replace(again, frame=fit.frame), n_draws=found.n_draws)
        pointwise[left_out] = logsumexp(density[:, left_out], axis=0) - np.log(len(density))
        k[left_out] = 0.0
    return replace(
        found,
        elpd=float(pointwise.sum()),
        se=float(np.sqrt(len(pointwise) * pointwise.var())),
        p_loo=float(in_sample - pointwise.sum()),
        elpd_respondent=found.elpd_respondent.copy(data=pointwise),
        pareto_k=found.pareto_k.copy(data=k),
    )


def respondent_log_density(fit: Fit, *, n_draws: int) -> np.ndarray:
    """(S, P) log probability of all answers of each respondent, their own effects integrated out.

    Respondents with up to three effects of their own are integrated by adaptive Gauss–Hermite quadrature,
    others by 64 quasi-random points around the Gaussian approximation of their effects.
    """
    # Imported here: they load the compiler, which reading a study does not need.
    from relcap_models.inference.person_integral import log_marginals
    from relcap_models.models.kernels import FAMILY_CODES

    frame = fit.frame
    draws = thinned(fit, n_draws)
    location = rating_location(draws, fit)
    n_dimensions, n_people = location.shape[2], len(frame.respondents)
    outer = [g for g in fit.structure.respondents if g.name != "rating"]
    slots, n_slots = _slots(frame, [g.group_of_rating for g in outer])
    factors = np.stack([_roots(draws(f"cov_{g.name}")) for g in outer], axis=1) if outer else None
    if factors is None:
        factors = np.zeros((len(location), 0, n_dimensions, n_dimensions))
    has_rating = "rating" in fit.structure.within
    inner = (
        _roots(draws("cov_rating")) if has_rating else np.zeros((len(location), n_dimensions, n_dimensions))
    )
    nodes, weights = _nodes(n_dimensions if has_rating else 0)
    if not has_rating:
        nodes = np.zeros((1, n_dimensions))
    order = np.argsort(frame.respondent_of_rating, kind="stable")
    begin = np.concatenate([[0], np.cumsum(np.bincount(frame.respondent_of_rating, minlength=n_people))])
    counts = np.bincount(frame.rating_of_response, minlength=frame.n_ratings)
    responses = (
        np.concatenate([[0], np.cumsum(counts)]),
        frame.item_of_response,
        frame.answer.astype(float),
        frame.dimension_of_item,
    )
    family = FAMILY_CODES[fit.model.response]
    loading = draws("loading")
    gaussian = fit.model.response == "gaussian"
    offset = draws("intercept" if gaussian else "threshold")
    residual_sd = draws("residual_sd") if gaussian else np.ones_like(loading)
    alike = [(np.flatnonzero(n_slots == n), *_nodes(n * n_dimensions)) for n in np.unique(n_slots)]

    first_threshold, n_categories = frame.first_threshold, frame.n_categories

    def of_draws(chosen_draws: np.ndarray) -> np.ndarray:
        result = np.empty((len(chosen_draws), n_people))
        for row, s in enumerate(chosen_draws):
            parameters = (family, loading[s], offset[s], residual_sd[s], first_threshold, n_categories)
            for chosen, outer_nodes, outer_weights in alike:
                result[row, chosen] = log_marginals(
                    chosen,
                    begin,
                    order,
                    np.ascontiguousarray(location[s]),
                    slots,
                    factors[s],
                    inner[s],
                    outer_nodes,
                    outer_weights,
                    nodes,
                    weights,
                    responses,
                    parameters,
                )
        return result

    # Processes, because the small linear algebra inside holds the interpreter's lock.
    n_parts = min(joblib.cpu_count(), -(-len(location) // _DRAWS_OF_A_PART))
    parts = np.array_split(np.arange(len(location)), n_parts)
    return np.concatenate(joblib.Parallel(n_jobs=n_parts)(joblib.delayed(of_draws)(part) for part in parts))


def _slots(frame: Frame, groups: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(G, N) position of each rating's effects among all effects of its respondent, and (P,) their number."""
    n_people = len(frame.respondents)
    taken = np.zeros(n_people, dtype=np.int64)
    slots = np.zeros((len(groups), frame.n_ratings), dtype=np.int64)
    for g, group in enumerate(groups):
        ids, first, inverse = np.unique(group, return_index=True, return_inverse=True)
        person = frame.respondent_of_rating[first]
        order = np.argsort(person, kind="stable")
        counts = np.bincount(person, minlength=n_people)
        rank = np.empty(len(ids), dtype=np.int64)
        rank[order] = np.arange(len(ids)) - np.repeat(np.cumsum(counts) - counts, counts)
        slots[g] = (taken[person] + rank)[inverse]
        taken += counts
    return slots, taken


def _roots(covariance: np.ndarray) -> np.ndarray:
    """(S, D, D) factors F with F Fᵀ the covariance; a correlation of one does no harm."""
    size, axes = np.linalg.eigh(covariance)
    return np.ascontiguousarray(axes * np.sqrt(np.maximum(size, 0.0))[:, None, :])


def _nodes(n_dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """(K, n) standard normal positions and (K,) log weights: a Gauss–Hermite grid, or quasi-random points."""
    if n_dimensions == 0:
        return np.zeros((1, 0)), np.zeros(1)
    if n_dimensions in _GRID:
        position, weight = np.polynomial.hermite_e.hermegauss(_GRID[n_dimensions])
        grid = np.meshgrid(*[position] * n_dimensions, indexing="ij")
        logs = np.meshgrid(*[np.log(weight / weight.sum())] * n_dimensions, indexing="ij")
        return np.column_stack([g.ravel() for g in grid]), np.sum([w.ravel() for w in logs], axis=0)
    uniform = qmc.Sobol(n_dimensions, rng=np.random.default_rng(0)).random_base2(_LOG2_POINTS)
    return ndtri(np.clip(uniform, 1e-9, 1 - 1e-9)), np.full(len(uniform), -_LOG2_POINTS * np.log(2.0))
