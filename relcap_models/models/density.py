"""The log density of a rating model and its gradient, without a compiled graph.

The same density as `graph.build_graph` (a test holds the two together), written out block by block so
that the first draw comes in seconds and a gradient costs about as much as one pass over the responses. The
sampler takes this function as it is: a graph around it would be compiled anew for every shape of data, which
takes longer than many a run. PyMC graphs have its likelihood as one operation (`answer_op`).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import block_diag
from scipy.special import logit, ndtri

from relcap_models.models import kernels
from relcap_models.models.density_blocks import (
    Covariates,
    GroupedEffects,
    Location,
    UnitEffects,
    orthonormal_contrasts,
)
from relcap_models.models.density_covariance import Values
from relcap_models.models.density_district import DistrictEffects
from relcap_models.models.density_nested import NestedEffects
from relcap_models.models.density_relation import RelationEffects
from relcap_models.models.frame import Frame
from relcap_models.models.information import PseudoObservations, Rough, rough_estimates
from relcap_models.models.parameters import Layout, Parameter
from relcap_models.models.priors import Priors
from relcap_models.models.structure import Grouping, Structure


class Responses:
    """Item parameters and the likelihood of every answer."""

    def __init__(self, frame: Frame, family: str, loadings: str, priors: Priors, scale: float) -> None:
        self.family, self.frame = family, frame
        n_items, n_dimensions = len(frame.items), len(frame.dimensions)
        self.contrasts = loading_contrasts(frame)
        self.free = loadings == "free" and self.contrasts.shape[1] > 0
        self.slot = frame.rating_of_response * n_dimensions + frame.dimension_of_item[frame.item_of_response]
        self._equal, self._d_loading = np.ones(n_items), np.zeros(n_items)
        self.parameters: tuple[Parameter, ...] = ()
        if self.free:
            n_free = self.contrasts.shape[1]
            self.parameters += (Parameter("log_loading", (n_free,), "normal", priors.log_loading),)
        sd = priors.threshold * scale
        if family == "gaussian":
            mean = float(frame.answer.mean())
            self.answer = frame.answer.astype(float)
            self.parameters += (
                Parameter("intercept", (n_items,), "normal", 2 * scale, mean, start=mean),
                Parameter("residual_sd", (n_items,), "half_normal", scale, start=0.7 * scale),
            )
            return
        self.answer = frame.answer.astype(np.int64)
        starts = starting_thresholds(frame, scale)
        if family == "partial_credit":
            self.parameters += (
                Parameter(
                    "threshold", (len(frame.item_of_threshold),), "normal", sd, start=np.concatenate(starts)
                ),
            )
            return
        self.groups = []
        for n in np.unique(frame.n_categories):
            items = np.flatnonzero(frame.n_categories == n)
            begin = np.stack([starts[i] for i in items])
            anchor = np.abs(begin).argmin(axis=1)
            gaps = np.log(np.diff(begin, axis=1))
            before = np.arange(n - 1) < anchor[:, None]
            padded = np.pad(gaps, ((0, 0), (1, 1)))
            start = np.where(before, padded[:, 1:], padded[:, :-1])
            start[np.arange(len(items)), anchor] = begin[np.arange(len(items)), anchor]
            name = f"threshold_{n}_categories"
            self.parameters += (Parameter(name, start.shape, "ordered", sd, anchor[:, None], start=start),)
            where = frame.first_threshold[items][:, None] + np.arange(n - 1)
            self.groups.append((name, where))

    def item_parameters(self, values: Values) -> tuple[np.ndarray, np.ndarray]:
        """Loadings (I,), and thresholds (flat) or intercepts (I,)."""
        frame = self.frame
        loading = np.exp(self.contrasts @ values["log_loading"]) if self.free else self._equal
        if self.family == "gaussian":
            return loading, values["intercept"]
        if self.family == "partial_credit":
            return loading, values["threshold"]
        if len(self.groups) == 1:
            return loading, values[self.groups[0][0]].reshape(-1)
        flat = np.empty(len(frame.item_of_threshold))
        for name, where in self.groups:
            flat[where] = values[name]
        return loading, flat

    def forward_backward(self, values: Values, eta: np.ndarray, d_eta: np.ndarray, d_values: Values) -> float:
        """Log likelihood; derivatives are added to `d_eta` and `d_values`."""
        frame = self.frame
        loading, location = self.item_parameters(values)
        d_loading, d_location = self._d_loading, self._d_location(d_values)
        d_loading.fill(0.0)
        flat, d_flat = eta.reshape(-1), d_eta.reshape(-1)
        index = (self.slot, frame.item_of_response, self.answer, loading)
        if self.family == "gaussian":
            total = kernels.gaussian(
                flat,
                *index,
                location,
                values["residual_sd"],
                d_flat,
                d_loading,
                d_location,
                d_values["residual_sd"],
            )
        elif self.family == "partial_credit":
            total = kernels.partial_credit(
                flat,
                *index,
                location,
                frame.first_threshold,
                frame.n_categories,
                d_flat,
                d_loading,
                d_location,
            )
        else:
            total = kernels.cumulative(
                self.family == "probit",
                flat,
                *index,
                location,
                frame.first_threshold,
                frame.n_categories,
                d_flat,
                d_loading,
                d_location,
            )
            if len(self.groups) > 1:
                for name, where in self.groups:
                    d_values[name] += d_location[where]
        if self.free:
            d_values["log_loading"] += self.contrasts.T @ (d_loading * loading)
        return total

    def _d_location(self, d_values: Values) -> np.ndarray:
        """Where derivatives go; with several numbers of categories to an array of their own."""
        if self.family == "gaussian":
            return d_values["intercept"]
        if self.family == "partial_credit":
            return d_values["threshold"]
        if len(self.groups) == 1:
            return d_values[self.groups[0][0]].reshape(-1)
        return np.zeros(len(self.frame.item_of_threshold))

    def report(self, values: Values) -> Values:
        loading, location = self.item_parameters(values)
        loading = loading.copy()
        if self.family == "gaussian":
            return {
                "loading": loading,
                "intercept": location.copy(),
                "residual_sd": values["residual_sd"].copy(),
            }
        return {"loading": loading, "threshold": location.copy()}


class Density:
    """log p(x, answers) of the unconstrained vector x, up to a constant, with its gradient.

    Calling it returns (value, gradient). Each instance owns its buffers: give every chain its own.
    observed : what each rating's answers say, where it is known better than by their normal scores; effects
    are sampled around it. It changes the geometry, not the model.
    """

    def __init__(
        self,
        frame: Frame,
        structure: Structure,
        *,
        family: str,
        loadings: str,
        priors: Priors,
        scale: float,
        observed: PseudoObservations | None = None,
    ) -> None:
        self.frame, self.structure = frame, structure
        self.responses = Responses(frame, family, loadings, priors, scale)
        self.location = Location(frame, priors, scale)
        rough = rough_estimates(frame, structure, scale, observed)
        # From the top down: what lies further down is sampled around what the effects above it leave.
        covariates = [Covariates(frame, priors, scale, rough)] if frame.covariates else []
        districts = [
            DistrictEffects(district, frame, structure, priors, scale, rough, covariates)
            for district in structure.districts
        ]
        above = [*covariates, *districts]
        self.effects = [*above, UnitEffects(frame, structure, priors, scale, rough, above)]
        people = ("respondent", "respondent_wave")
        self._add_groups([g for g in structure.nested if g[0].name in people], priors, scale, rough)
        if structure.relation != "none":
            self.effects.append(RelationEffects(frame, structure, priors, scale, family, rough))
        self._add_groups([g for g in structure.nested if g[0].name not in people], priors, scale, rough)
        self.blocks = [self.location, *self.effects]
        self.layout = Layout(tuple(p for part in (*self.blocks, self.responses) for p in part.parameters))
        size = self.layout.size
        self._values, self._gradient, self._slope, self._d_values = np.empty((4, size))
        self._views, self._d_views = self.layout.views(self._values), self.layout.views(self._d_values)
        self._eta = np.empty((frame.n_ratings, len(frame.dimensions)))
        self._d_eta = np.empty_like(self._eta)

    def _add_groups(
        self, nested: list[tuple[Grouping, ...]], priors: Priors, scale: float, rough: Rough
    ) -> None:
        for groupings in nested:
            effects = GroupedEffects if len(groupings) == 1 else NestedEffects
            self.effects.append(effects(*groupings, self.frame, priors, scale, rough))

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = self._evaluate(x)
        if np.isfinite(value) and np.isfinite(gradient).all():
            return value, gradient
        # So far out that a covariance is singular to rounding: the sampler counts it as a divergence.
        return -np.inf, np.zeros_like(x)

    def _evaluate(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        total = self.layout.constrain(x, self._values, self._gradient, self._slope)
        self._d_values[:] = 0.0
        self._eta[:] = 0.0
        self._d_eta[:] = 0.0
        for block in self.effects:
            if block.follows:
                self._centre(self._eta)
            total += block.forward(self._views, self._eta)
        self._centre(self._eta)
        self.location.forward(self._views, self._eta)
        total += self.responses.forward_backward(self._views, self._eta, self._d_eta, self._d_views)
        if not np.isfinite(total):
            return total, self._gradient
        self.location.backward(self._d_eta, self._d_views)
        self._centre(self._d_eta)
        for block in reversed(self.effects):
            block.backward(self._d_eta, self._d_views, self._views)
            if block.follows:
                self._centre(self._d_eta)
        return total, self.layout.pull_back(self._values, self._d_values, self._gradient, self._slope)

    def values(self, x: np.ndarray) -> Values:
        """Named parameter values on their own scale, at x."""
        self.layout.constrain(x, self._values, self._gradient, self._slope)
        return self._views

    def _centre(self, eta: np.ndarray) -> None:
        """Take each level's mean over ratings off: locations are those of the ratings at hand while sampling,
        since they would otherwise move against the mean of every kind of effect."""
        kernels.centre_runs(eta, *self.frame.level_runs, self.frame.n_ratings_of_level)

    def report(self, x: np.ndarray) -> Values:
        """Quantities kept from each draw: see `kept.KEPT_DIMS`.

        Locations are those of an average unit and relation and of a respondent drawn from the population:
        what was taken off while sampling is given back.
        """
        values, frame = self.values(x), self.frame
        self._eta[:] = 0.0
        totals = np.zeros((len(frame.n_ratings_of_level), len(frame.dimensions)))
        for block in self.effects:
            if block.follows:
                kernels.scatter_add(self._eta, frame.level_of_rating, totals)
                self._centre(self._eta)
            block.forward(values, self._eta)
        kernels.scatter_add(self._eta, frame.level_of_rating, totals)
        taken = totals / frame.n_ratings_of_level[:, None]
        named: Values = {}
        for part in (*self.effects, self.responses):
            named |= part.report(values)
        locations, reference = self.location.population(values, taken)
        named |= locations
        shift = named["loading"] * reference[frame.latent_of_item]
        if "threshold" in named:
            named["threshold"] = named["threshold"] + shift[frame.item_of_threshold]
        else:
            named["intercept"] = named["intercept"] - shift
        return named


def loading_contrasts(frame: Frame) -> np.ndarray:
    """Orthonormal contrasts (I, …) between the log loadings of the items of each facet and dimension."""
    blocks = [
        orthonormal_contrasts(np.count_nonzero(frame.latent_of_item == d)) for d in range(frame.n_latents)
    ]
    order = np.argsort(frame.latent_of_item, kind="stable")
    return block_diag(*blocks)[np.argsort(order)]


def starting_thresholds(frame: Frame, scale: float) -> list[np.ndarray]:
    """Per item, thresholds that reproduce the observed proportions: where the sampler starts."""
    answer = frame.answer.astype(np.int64)
    starts = []
    for i, n in enumerate(frame.n_categories):
        counts = np.bincount(answer[frame.item_of_response == i], minlength=n) + 0.5
        below = np.cumsum(counts)[:-1] / counts.sum()
        starts.append(1.4 * (ndtri(below) if scale == 1.0 else logit(below)))
    return starts
