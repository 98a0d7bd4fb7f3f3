"""Item parameters by marginal likelihood, each rating integrated over its cavity.

Steps follow the scores of single ratings (Berndt, Hall, Hall & Hausman 1974): their outer product is the
information that the ratings hold about the items.
"""

from __future__ import annotations

import numpy as np

from relcap_models.inference.fast.pseudo import Tilted
from relcap_models.models.density import starting_thresholds
from relcap_models.models.frame import Frame
from relcap_models.models.priors import Priors

_FURTHEST = 0.5
FIRST_LENGTH = 0.7


def next_length(
    length: float, last: np.ndarray | None, step: np.ndarray, metric: np.ndarray, longest: float
) -> float:
    """Share of `step` to take, from what `length` times the `last` one has left of it (secant).

    The outer product of scores is too small a curvature where ratings are few, and too large a one where
    covariances follow the items.
    """
    if last is None:
        return length
    done = last @ metric @ (last - step) / (last @ metric @ last)
    return float(np.clip(length / max(done, 0.1), 0.1, longest))


class Items:
    """Log loadings, and thresholds (or intercepts and log residual sds if gaussian), as one vector."""

    def __init__(self, frame: Frame, family: str, loadings: str, priors: Priors, scale: float) -> None:
        self.frame, self.family = frame, family
        self.options = (family, loadings, priors, scale)
        n_items = len(frame.items)
        counts = np.bincount(frame.latent_of_item)
        self.free = loadings == "free" and counts.max() > 1
        self.n_items = n_items
        if family == "gaussian":
            mean = np.bincount(frame.item_of_response, frame.answer, minlength=n_items)
            n = np.maximum(np.bincount(frame.item_of_response, minlength=n_items), 1)
            rest = np.concatenate([mean / n, np.full(n_items, np.log(0.7 * scale))])
            self.prior_mean = np.concatenate([np.full(n_items, frame.answer.mean()), np.zeros(n_items)])
            self.prior_precision = np.repeat([1 / (2 * scale) ** 2, 0.0], n_items)
        else:
            rest = np.concatenate(starting_thresholds(frame, scale))
            self.prior_mean = np.zeros(len(rest))
            self.prior_precision = np.full(len(rest), 1 / (priors.threshold * scale) ** 2)
        self.prior_mean = np.concatenate([np.zeros(n_items), self.prior_mean])
        self.prior_precision = np.concatenate(
            [np.full(n_items, 1 / priors.log_loading**2), self.prior_precision]
        )
        self.scale = scale
        self.start = np.concatenate([np.zeros(n_items), rest])
        # Directions that other parameters take up: a common factor of the loadings of a dimension, and a
        # shift of the latent dimension.
        self.member = np.eye(frame.n_latents)[frame.latent_of_item]
        self.item_of = frame.item_of_threshold if family != "gaussian" else np.arange(n_items)

    def values(self, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Loadings, thresholds or intercepts, residual sds. `vector` may have leading axes."""
        n = self.n_items
        loading = np.exp(vector[..., :n])
        if self.family == "gaussian":
            return loading, vector[..., n : 2 * n].copy(), np.exp(vector[..., 2 * n :])
        return loading, vector[..., n:].copy(), np.ones(n)

    def places(self, facet: int) -> np.ndarray:
        """Where the parameters of one facet's items stand in the vector, in the order they have alone."""
        items = np.flatnonzero(self.frame.latent_of_item // len(self.frame.dimensions) == facet)
        rest = self.n_items + np.flatnonzero(np.isin(self.item_of, items))
        residual = 2 * self.n_items + items if self.family == "gaussian" else []
        return np.concatenate([items, rest, residual]).astype(np.int64)

    def bent(self, vector: np.ndarray, moves: np.ndarray) -> np.ndarray:
        """(S, size) vectors that have moved from `vector` by about `moves`, their thresholds in order.

        Gaps between thresholds move on the scale of their logarithms, outwards from each item's threshold
        nearest to 0, which most answers lie around.
        """
        result = vector + moves
        below, above, gap = self._gaps(vector)
        if not len(gap):
            return result
        gaps = gap * np.exp((moves[:, above] - moves[:, below]) / gap)
        for item in np.unique(self.item_of):
            places = self.n_items + np.flatnonzero(self.item_of == item)
            mine = gaps[:, np.isin(below, places)]
            anchor = int(np.abs(vector[places]).argmin())
            middle = result[:, places[anchor], None]
            result[:, places[anchor + 1 :]] = middle + np.cumsum(mine[:, anchor:], axis=1)
            result[:, places[:anchor]] = middle - np.cumsum(mine[:, :anchor][:, ::-1], axis=1)[:, ::-1]
        return result

    def centred(self, vector: np.ndarray) -> np.ndarray:
        """The vector with log loadings that sum to zero within each dimension."""
        result = vector.copy()
        log_loading = vector[..., : self.n_items]
        mean = log_loading @ self.member / self.member.sum(axis=0)
        result[..., : self.n_items] = (log_loading - mean @ self.member.T) if self.free else 0.0
        return result

    def scores(self, vector: np.ndarray, tilted: Tilted) -> np.ndarray:
        """(N, size) derivative of the log mass of each rating with respect to the vector."""
        n, frame = self.n_items, self.frame
        table = tilted.score.reshape(len(tilted.score), n, -1)
        loading, _, residual = self.values(vector)
        of_loading = table[:, :, 0] * loading
        of_loading -= (of_loading @ self.member / self.member.sum(axis=0))[:, frame.latent_of_item]
        if not self.free:
            of_loading[:] = 0.0
        if self.family == "gaussian":
            return np.concatenate([of_loading, table[:, :, 1], table[:, :, 2] * residual], axis=1)
        k = 1 + np.arange(len(frame.item_of_threshold)) - frame.first_threshold[frame.item_of_threshold]
        return np.concatenate([of_loading, table[:, frame.item_of_threshold, k]], axis=1)

    def prior_information(self, vector: np.ndarray) -> np.ndarray:
        """(size, size) minus the second derivatives of the log prior."""
        information = np.diag(self.prior_precision)
        below, above, gap = self._gaps(vector)
        for sign, rows, columns in (
            (1, below, below),
            (1, above, above),
            (-1, below, above),
            (-1, above, below),
        ):
            information[rows, columns] += sign / gap**2
        return information

    def _gaps(self, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Positions of the thresholds below and above each gap, and the gaps; none without an order."""
        if self.family not in ("probit", "logit"):
            return np.zeros(0, dtype=int), np.zeros(0, dtype=int), np.zeros(0)
        below = self.n_items + np.flatnonzero(np.diff(self.item_of) == 0)
        return below, below + 1, vector[below + 1] - vector[below]

    def prior_gradient(self, vector: np.ndarray) -> np.ndarray:
        """Slope of the log prior; that of thresholds on the scale of log gaps, as they are sampled.

        A category that nobody chose would otherwise have thresholds on top of each other.
        """
        gradient = -(vector - self.prior_mean) * self.prior_precision
        below, above, gap = self._gaps(vector)
        gradient[below] -= 1.0 / gap
        gradient[above] += 1.0 / gap
        if self.family == "gaussian":
            sd = np.exp(vector[2 * self.n_items :])
            gradient[2 * self.n_items :] = 1.0 - (sd / self.scale) ** 2
        return gradient

    def ties(self, vector: np.ndarray) -> np.ndarray:
        """(size, facets · D) directions of a shift of each latent variable."""
        loading = np.exp(vector[: self.n_items])
        result = np.zeros((len(vector), self.member.shape[1]))
        of_location = slice(self.n_items, self.n_items + len(self.item_of))
        result[of_location] = (self.member * loading[:, None])[self.item_of]
        return result

    def moved(self, vector: np.ndarray, step: np.ndarray) -> np.ndarray:
        """The vector after a step that is shortened until thresholds keep their order."""
        step = step * min(1.0, _FURTHEST / max(np.abs(step).max(), 1e-12))
        for _ in range(30):
            after = self.centred(vector + step)
            if self._ordered(after):
                return after
            step = step / 2
        return vector

    def _ordered(self, vector: np.ndarray) -> bool:
        if self.family not in ("probit", "logit"):
            return True
        gaps = np.diff(vector[self.n_items :])
        return bool(np.all(gaps[np.diff(self.item_of) == 0] > 1e-3))
