"""Leave-one-respondent-out cross-validation, with the left-out person's effects integrated out.

What is predicted is a new person in a known unit, rating known relations. The likelihood given that very
person's fitted effects would answer another question, and importance sampling fails for it (Merkle, Furr &
Rabe-Hesketh 2019).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import logsumexp, ndtri

from relcap_models.errors import FitError
from relcap_models.inference.fit import Fit, fit_frame
from relcap_models.inference.locations import rating_location, thinned
from relcap_models.inference.progress import fold_progress
from relcap_models.models.frame import Frame
from relcap_models.seeds import child_seed

MIN_DRAWS = 25
"""Fewer leave no tail that a Pareto distribution could be fitted to."""
_GRID = {1: 5, 2: 3, 3: 3}
_LOG2_POINTS = 6


@dataclass(frozen=True)
class LooResult:
    """Expected log predictive density of left-out respondents (Vehtari, Gelman & Gabry 2017).

    in_sample, elpd : (respondent) log predictive density of a respondent's answers, natural log, by a fit
    with and by one without them
    pareto_k, refitted : (respondent) of the weights, and whether the elpd comes from a fit without them
    (`refit_left_out`) in place of weights
    good_k : a larger Pareto k means that weights are unreliable (0.7, less with few draws)
    not_refitted : why there is no fit without the respondents who need one, in words; empty otherwise
    """

    in_sample: xr.DataArray
    elpd: xr.DataArray
    pareto_k: xr.DataArray
    refitted: xr.DataArray
    good_k: float
    n_draws: int
    not_refitted: str = ""

    @property
    def total(self) -> float:
        """Sum of `elpd` over respondents."""
        return float(self.elpd.sum())

    @property
    def se(self) -> float:
        """Standard error of `total`."""
        return float(np.sqrt(self.elpd.size * self.elpd.var()))

    @property
    def p_loo(self) -> float:
        """Effective number of parameters."""
        return float(self.in_sample.sum()) - self.total

    @property
    def bad(self) -> tuple[str, ...]:
        """Respondents whose Pareto k is too large, and who were not left out in a fit either."""
        unreliable = (self.pareto_k > self.good_k) & ~self.refitted
        return tuple(str(r) for r in self.pareto_k["respondent"].to_numpy()[unreliable])

    @property
    def n_bad(self) -> int:
        return len(self.bad)

    def save(self, folder: Path) -> None:
        """Write `loo.csv`: a row for each respondent."""
        columns = ("elpd", "in_sample", "pareto_k", "refitted")
        table = pd.DataFrame({name: getattr(self, name).to_numpy() for name in columns})
        table.insert(0, "respondent_id", self.elpd["respondent"].to_numpy())
        table.to_csv(folder / "loo.csv", index=False)


def loo(fit: Fit, *, n_draws: int = 500) -> LooResult:
    """Leave-one-respondent-out by Pareto-smoothed importance sampling.

    Parameters
    ----------
    n_draws : posterior draws that are used, evenly spread; the time is proportional to it

    Raises
    ------
    FitError
        If the fit has fewer than 25 draws in all, draws that are not finite, or several instruments at once.
    """
    from arviz_stats.base import array_stats

    if fit.n_chains * fit.n_draws < MIN_DRAWS:
        raise FitError(
            f"Leaving respondents out takes {MIN_DRAWS} draws, and there are {fit.n_chains * fit.n_draws}. "
            "Run more: inference.draws of the study, or `draws` of `fit`."
        )
    density = respondent_log_density(fit, n_draws=n_draws)
    n_used = len(density)
    infinite = ~np.isfinite(density)
    if infinite.any():
        raise FitError(
            f"{infinite.any(axis=1).sum()} of {n_used} draws give the answers of a respondent no finite "
            "density: the fit has broken down. Look at its R-hat and divergences, and fit again with tighter "
            "priors."
        )
    log_weights, k = array_stats.psislw(density.T, axis=-1)

    def of_respondents(values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values, {"respondent": list(fit.frame.respondents)}, "respondent")

    return LooResult(
        in_sample=of_respondents(logsumexp(density, axis=0) - np.log(n_used)),
        elpd=of_respondents(logsumexp(log_weights + density.T, axis=1)),
        pareto_k=of_respondents(np.where(np.isnan(k), np.inf, k)),
        refitted=of_respondents(np.zeros(len(k), dtype=bool)),
        good_k=float(min(1.0 - 1.0 / np.log10(n_used), 0.7)),
        n_draws=n_used,
    )


def cross_validate(fit: Fit, *, folds: int = 5, progress: bool = True) -> LooResult:
    """Leave-one-respondent-out, and K-fold cross-validation of those for whom its weights cannot be trusted.

    Where the fast engine, which makes the fits of the folds, does not take the design or breaks down, as with
    a handful of respondents, they stay `bad`, and `not_refitted` says why.

    Parameters
    ----------
    folds : how many fits are made at most; 0 makes none

    Raises
    ------
    FitError
        If the fit has fewer than 25 draws in all, or draws that are not finite.
    """
    found = loo(fit)
    if not (folds and found.n_bad):
        return found
    try:
        return refit_left_out(fit, found, folds=folds, progress=progress)
    except FitError as error:
        return replace(found, not_refitted=str(error))


def refit_left_out(fit: Fit, found: LooResult, *, folds: int = 5, progress: bool = True) -> LooResult:
    """K-fold cross-validation of the respondents for whom leave-one-out cannot be trusted.

    Those with a large Pareto k are shared out over the folds; for each fold the model is fitted again
    without their answers, and their part of the elpd comes from there. The fast engine makes these fits: its
    scores lie within a tenth of a posterior standard deviation of the sampler's on average.

    Parameters
    ----------
    found : of `loo` · folds : how many fits are made at most

    Raises
    ------
    FitError
        If the design is one that the fast engine does not take, or it breaks down without them.
    """
    people = fit.frame.respondents
    bad = np.array([people.index(name) for name in found.bad], dtype=np.int64)
    elpd, refitted = found.elpd.copy(), found.refitted.copy()
    # In the order of units, so that a fold takes few people from each.
    unit = np.zeros(len(people), dtype=np.int64)
    unit[fit.frame.respondent_of_rating] = fit.frame.rater_of_rating
    bad = bad[np.argsort(unit[bad], kind="stable")]
    n_folds = min(folds, len(bad))
    shape = {"engine": "fast", "chains": 1, "draws": found.n_draws}
    with fold_progress(total=n_folds, shown=progress) as done:
        for fold in range(n_folds):
            left_out = bad[fold::n_folds]
            seed = int(child_seed(int(fit.settings["seed"]), f"fold {fold}").generate_state(1)[0])
            others = fit.frame.without_answers_of(left_out)
            again = fit_frame(fit.model, others, {**fit.settings, **shape, "seed": seed}, progress=False)
            elpd[left_out] = _predicted(replace(again, frame=fit.frame), left_out, n_draws=found.n_draws)
            refitted[left_out] = True
            done(fold + 1)
    return replace(found, elpd=elpd, refitted=refitted)


def _predicted(fit: Fit, people: np.ndarray, *, n_draws: int) -> np.ndarray:
    """(P,) log predictive density of these respondents' answers, whom the fit has not seen."""
    try:
        density = respondent_log_density(fit, n_draws=n_draws, people=people)
    except np.linalg.LinAlgError:
        density = np.full((1, len(people)), np.nan)
    found = logsumexp(density, axis=0) - np.log(len(density))
    if not np.isfinite(found).all():
        raise FitError("The fast engine has no finite prediction for respondents who are left out")
    return found


def respondent_log_density(fit: Fit, *, n_draws: int, people: np.ndarray | None = None) -> np.ndarray:
    """(S, P) log probability of all answers of each respondent, their own effects integrated out.

    people : positions of the respondents that are asked for, in that order; None: all of them
    Respondents with up to three effects of their own are integrated by adaptive Gauss–Hermite quadrature,
    others by 64 quasi-random points around the Gaussian approximation of their effects.

    Raises
    ------
    FitError
        If ratings are about several facets, as in a leadership link.
    """
    if len(fit.frame.facets) > 1:
        raise FitError(
            f"Leaving respondents out is worked out for one instrument at a time, and '{fit.model.id}' has "
            f"several ({', '.join(fit.frame.facets)}). Compare it by its checks, or leave respondents out of "
            "an analysis of kind `relations` or `climate` of each instrument."
        )
    # Imported here: they load the compiler, which reading a study does not need.
    from relcap_models.inference.person_integral import log_marginals
    from relcap_models.models.kernels import FAMILY_CODES

    frame = fit.frame
    draws = thinned(fit, n_draws)
    location = rating_location(draws, fit)
    n_dimensions, n_people = location.shape[2], len(frame.respondents)
    people = np.arange(n_people) if people is None else people
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
    numbers = n_slots[people]
    alike = [(np.flatnonzero(numbers == n), *_nodes(n * n_dimensions)) for n in np.unique(numbers)]

    first_threshold, n_categories = frame.first_threshold, frame.n_categories

    def of_draws(chosen_draws: np.ndarray) -> np.ndarray:
        result = np.empty((len(chosen_draws), len(people)))
        for row, s in enumerate(chosen_draws):
            parameters = (family, loading[s], offset[s], residual_sd[s], first_threshold, n_categories)
            for chosen, outer_nodes, outer_weights in alike:
                result[row, chosen] = log_marginals(
                    people[chosen],
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

    # The first draw compiles it, once; threads then share it, since it does not hold the interpreter's lock.
    first, rest = np.split(np.arange(len(location)), [1])
    found = [of_draws(first)]
    parts = np.array_split(rest, joblib.cpu_count())
    found += joblib.Parallel(n_jobs=len(parts), backend="threading")(
        joblib.delayed(of_draws)(p) for p in parts
    )
    return np.concatenate(found)


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
    # Imported here: it takes a second, which reading a study does not need.
    from scipy.stats import qmc

    uniform = qmc.Sobol(n_dimensions, rng=np.random.default_rng(0)).random_base2(_LOG2_POINTS)
    return ndtri(np.clip(uniform, 1e-9, 1 - 1e-9)), np.full(len(uniform), -_LOG2_POINTS * np.log(2.0))
