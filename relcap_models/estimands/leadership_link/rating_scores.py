"""One number for each rating, on each scale: what unit means of the leadership link are means of."""

from __future__ import annotations

import numpy as np

from relcap_models.inference.geometry import observe_ratings
from relcap_models.models.frame import Frame
from relcap_models.models.information import PseudoObservations
from relcap_models.models.leadership_link import LeadershipLink

_MAX_ROUNDS = 500
_CLOSE = 1e-8


def rating_scores(model: LeadershipLink, frame: Frame) -> dict[str, np.ndarray]:
    """What each rating says, (N,) by scale; NaN without answers, or where they are too few for `latent`.

    points : mean of the answers, in points of the response scale
    probability : the outcome's share of favourable answers; climates stay in points, for their effect is told
        per point
    latent : see `latent_scores`
    """
    count = np.bincount(frame.rating_of_response, minlength=frame.n_ratings)
    answered = np.maximum(count, 1)
    points = np.bincount(
        frame.rating_of_response,
        frame.answer + frame.minimum_of_item[frame.item_of_response],
        minlength=frame.n_ratings,
    )
    favourable = np.bincount(
        frame.rating_of_response,
        frame.answer >= frame.favourable_category[frame.item_of_response],
        minlength=frame.n_ratings,
    )
    points = np.where(count > 0, points / answered, np.nan)
    share = np.where(count > 0, favourable / answered, np.nan)
    observed = observe_ratings(model, frame)
    latent = np.full(frame.n_ratings, np.nan) if observed is None else latent_scores(frame, observed)
    return {
        "latent": np.where(count > 0, latent, np.nan),
        "points": points,
        "probability": np.where(frame.facet_of_rating == 0, share, points),
    }


def latent_scores(frame: Frame, observed: PseudoObservations) -> np.ndarray:
    """(N,) expected latent rating given its answers, stretched to go one to one with the latent one.

    An expectation given answers shrinks towards the mean, more so for answers that say little, such as the
    highest category throughout. Divided by its reliability, its regression on the latent rating has slope 1,
    and where latent variables are normal its covariance with any of them is that of the latent rating
    (Stein's lemma), so that only variances need correction for error. Croon (2002) corrects covariances of
    factor scores by the same factor.
    """
    score = np.zeros(frame.n_ratings)
    for facet in range(len(frame.facets)):
        here = np.flatnonzero(frame.facet_of_rating == facet)
        # Where everybody answers alike there is nothing to stretch.
        if _answers_differ(frame, facet):
            score[here] = _of_one_facet(
                observed.shift[here, 0], observed.precision[here, 0, 0], frame.wave_of_rating[here]
            )
    return score


def _answers_differ(frame: Frame, facet: int) -> bool:
    """True if any item of the facet has two different answers."""
    about = frame.facet_of_rating[frame.rating_of_response] == facet
    pairs = np.unique(np.column_stack([frame.item_of_response, frame.answer])[about], axis=0)
    return len(pairs) > len(np.unique(pairs[:, 0]))


def _of_one_facet(shift: np.ndarray, precision: np.ndarray, wave: np.ndarray) -> np.ndarray:
    """Means of waves and the variance of ratings by maximum likelihood (EM), then the scores."""
    group = np.unique(wave, return_inverse=True)[1]
    value = shift / precision
    total = 1.0
    for _ in range(_MAX_ROUNDS):
        weight = 1 / (total + 1 / precision)
        mean = (np.bincount(group, weight * value) / np.bincount(group, weight))[group]
        deviation = (value - mean) * weight * total
        before, total = total, float(np.mean(total * (1 - weight * total) + deviation**2))
        if abs(total - before) < _CLOSE * before:
            break
    reliability = np.mean(deviation**2) / total
    return mean + deviation / reliability if reliability > 0 else mean
