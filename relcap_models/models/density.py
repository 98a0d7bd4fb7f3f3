"""The log density of a rating model and its gradient, without a compiled graph.

The same density as `graph.build_graph` (a test holds the two together), written out block by block so
that the first draw comes in seconds and a gradient costs about as much as one pass over the responses.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logit, ndtri

from relcap_models.models import kernels
from relcap_models.models.density_blocks import GroupedEffects, Location, UnitEffects, Values
from relcap_models.models.density_nested import NestedEffects
from relcap_models.models.density_relation import RelationEffects
from relcap_models.models.frame import Frame
from relcap_models.models.parameters import Layout, Parameter
from relcap_models.models.priors import Priors
from relcap_models.models.structure import Structure


class Responses:
    """Item parameters and the likelihood of every answer."""

    def __init__(self, frame: Frame, family: str, loadings: str, priors: Priors, scale: float) -> None:
        self.family, self.frame = family, frame
        n_items, n_dimensions = len(frame.items), len(frame.dimensions)
        self.items_of_dimension = np.bincount(frame.dimension_of_item, minlength=n_dimensions)
        self.free = loadings == "free" and self.items_of_dimension.max() > 1
        self.slot = frame.rating_of_response * n_dimensions + frame.dimension_of_item[frame.item_of_response]
        self.parameters: tuple[Parameter, ...] = ()
        if self.free:
            self.parameters += (Parameter("log_loading", (n_items,), "normal", priors.log_loading),)
        sd = priors.threshold * scale
        if family == "gaussian":
            mean = float(frame.answer.mean())
            self.answer = frame.answer.astype(float)
            self.parameters += (
                Parameter("intercept", (n_items,), "normal", 2 * scale, mean, start=mean),
                Parameter("residual_sd", (n_items,), "half_normal", scale, start=np.log(0.7 * scale)),
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
        if self.free:
            mean = np.bincount(frame.dimension_of_item, values["log_loading"]) / self.items_of_dimension
            loading = np.exp(values["log_loading"] - mean[frame.dimension_of_item])
        else:
            loading = np.ones(len(frame.items))
        if self.family == "gaussian":
            return loading, values["intercept"]
        if self.family == "partial_credit":
            return loading, values["threshold"]
        flat = np.empty(len(frame.item_of_threshold))
        for name, where in self.groups:
            flat[where] = values[name]
        return loading, flat

    def forward_backward(self, values: Values, eta: np.ndarray, d_eta: np.ndarray, d_values: Values) -> float:
        """Log likelihood; derivatives are added to `d_eta` and `d_values`."""
        frame = self.frame
        loading, location = self.item_parameters(values)
        d_loading, d_location = np.zeros_like(loading), np.zeros_like(location)
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
            d_values["intercept"] += d_location
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
            d_values["threshold"] += d_location
        else:
            cumulative = kernels.cumulative_probit if self.family == "probit" else kernels.cumulative_logit
            total = cumulative(
                flat,
                *index,
                location,
                frame.first_threshold,
                frame.n_categories,
                d_flat,
                d_loading,
                d_location,
            )
            for name, where in self.groups:
                d_values[name] += d_location[where]
        if self.free:
            d_log = d_loading * loading
            mean = np.bincount(frame.dimension_of_item, d_log) / self.items_of_dimension
            d_values["log_loading"] += d_log - mean[frame.dimension_of_item]
        return total

    def report(self, values: Values) -> Values:
        loading, location = self.item_parameters(values)
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
    """

    def __init__(
        self, frame: Frame, structure: Structure, *, family: str, loadings: str, priors: Priors, scale: float
    ) -> None:
        self.frame, self.structure = frame, structure
        self.responses = Responses(frame, family, loadings, priors, scale)
        self.blocks = [Location(frame, priors, scale), UnitEffects(frame, structure, priors, scale)]
        if structure.relation != "none":
            self.blocks.append(RelationEffects(frame, structure, priors, scale, family))
        for groupings in (*structure.nested, *((district,) for district in structure.districts)):
            effects = GroupedEffects if len(groupings) == 1 else NestedEffects
            self.blocks.append(effects(*groupings, frame, priors, scale))
        self.layout = Layout(tuple(p for part in (*self.blocks, self.responses) for p in part.parameters))
        size = self.layout.size
        self._values, self._gradient, self._slope, self._d_values = np.empty((4, size))
        self._views, self._d_views = self.layout.views(self._values), self.layout.views(self._d_values)
        self._eta = np.empty((frame.n_ratings, len(frame.dimensions)))
        self._d_eta = np.empty_like(self._eta)

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        try:
            return self._evaluate(x)
        except np.linalg.LinAlgError:
            # So far out that a covariance is singular to rounding: the sampler counts it as a divergence.
            return -np.inf, np.zeros_like(x)

    def _evaluate(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        total = self.layout.constrain(x, self._values, self._gradient, self._slope)
        self._d_values[:] = 0.0
        self._eta[:] = 0.0
        self._d_eta[:] = 0.0
        for block in self.blocks:
            total += block.forward(self._views, self._eta)
        total += self.responses.forward_backward(self._views, self._eta, self._d_eta, self._d_views)
        for block in self.blocks:
            block.backward(self._d_eta, self._d_views, self._views)
        return total, self.layout.pull_back(self._values, self._d_values, self._gradient, self._slope)

    def values(self, x: np.ndarray) -> Values:
        """Named parameter values on their own scale, at x."""
        self.layout.constrain(x, self._values, self._gradient, self._slope)
        return self._views

    def report(self, x: np.ndarray) -> Values:
        """Quantities kept from each draw: see `kept.KEPT_DIMS`.

        Locations are those of a respondent drawn from the population. While sampling, effects of respondents
        are less their sample mean, which each draw holds like any other number: here it is given back.
        """
        values, frame = self.values(x), self.frame
        named: Values = {}
        for part in (*self.blocks, self.responses):
            named |= part.report(values)
        n_waves = len(frame.waves)
        mean = sum(
            (b.mean(values, n_waves) for b in self.blocks if isinstance(b, (GroupedEffects, NestedEffects))),
            np.zeros((n_waves, len(frame.dimensions))),
        )
        for name in ("mu", "mu_own"):
            if name in named:
                named[name] = named[name] - mean + mean[0]
        shift = named["loading"] * mean[0, frame.dimension_of_item]
        if "threshold" in named:
            named["threshold"] = named["threshold"] + shift[frame.item_of_threshold]
        else:
            named["intercept"] = named["intercept"] - shift
        return named


def starting_thresholds(frame: Frame, scale: float) -> list[np.ndarray]:
    """Per item, thresholds that reproduce the observed proportions: where the sampler starts."""
    answer = frame.answer.astype(np.int64)
    starts = []
    for i, n in enumerate(frame.n_categories):
        counts = np.bincount(answer[frame.item_of_response == i], minlength=n) + 0.5
        below = np.cumsum(counts)[:-1] / counts.sum()
        starts.append(1.4 * (ndtri(below) if scale == 1.0 else logit(below)))
    return starts
