"""Answers on a fixed design whose truth is normal and linear, drawn without the package's simulator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from relcap_models.data import read_survey
from relcap_models.data.survey import Wave
from relcap_models.models.frame import Frame
from relcap_models.models.leadership_link import LeadershipLink
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate

INSTRUMENTS = ("relational_capacity", "psychological_safety", "relational_leadership")


@lru_cache
def design(
    n_units: int, per_unit: int, n_waves: int, source: str = "different", covariates: tuple[str, ...] = ()
) -> tuple[LeadershipLink, Frame]:
    """A model and the frame of a simulated organisation."""
    instruments = {i: load_instrument(i) for i in INSTRUMENTS}
    waves = tuple(Wave(f"w{w + 1}") for w in range(n_waves))
    size = {"n_units": n_units, "n_respondents": n_units * per_unit, "n_districts": 2 if n_units > 4 else 1}
    options = Simulation.model_validate({"organisation": size})
    tables = simulate(options, instruments=instruments, waves=waves, seed=5).tables
    model = LeadershipLink(source=source, covariates=covariates)
    return model, model.frame(read_survey(tables, instruments=instruments, waves=waves))


def scored(frame: Frame) -> np.ndarray:
    """(N,) mean answer of each rating."""
    count = np.bincount(frame.rating_of_response, minlength=frame.n_ratings)
    return np.bincount(frame.rating_of_response, frame.answer, minlength=frame.n_ratings) / count


def _root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric root: unlike NumPy's own draws with a covariance, the same on every processor."""
    value, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(value, 0.0)) @ vectors.T


@dataclass(frozen=True)
class World:
    """Covariances of target, leadership, safety and perceiver effects, stable and of waves; and of errors.

    Leniency of respondents is of ratings of others, of leaders and of the team. `relation` is the variance of
    relations, half of it stable over waves, `reciprocity` their correlation in a pair.
    """

    stable: np.ndarray
    waves: np.ndarray
    leniency: np.ndarray
    relation: float = 0.2
    reciprocity: float = 0.4
    rating: float = 0.4

    def answers(self, frame: Frame, rng: np.random.Generator) -> Frame:
        """The frame with these answers: every item of a rating has the same."""
        return self.answers_and_truth(frame, rng)[0]

    def answers_and_truth(self, frame: Frame, rng: np.random.Generator) -> tuple[Frame, np.ndarray]:
        """With answers, and the (U, W, 4) effects of units."""
        n, n_waves = len(frame.units), len(frame.waves)
        unit = rng.normal(size=(n, 1, 4)) @ _root(self.stable)
        unit = unit + rng.normal(size=(n, n_waves, 4)) @ _root(self.waves)
        leniency = rng.normal(size=(len(frame.respondents), 3)) @ _root(self.leniency)
        rater, target, wave = frame.rater_of_rating, frame.target_of_rating, frame.wave_of_rating
        facet, person = frame.facet_of_rating, frame.respondent_of_rating
        value = leniency[person, facet] + rng.normal(0, np.sqrt(self.rating), frame.n_ratings)
        value += np.where(facet > 0, unit[target, wave, facet], 0.0)
        if not frame.own.all():
            relation = self._relations(n, n_waves, rng)
            others = unit[target, wave, 0] + unit[rater, wave, 3] + relation[wave, rater, target]
            value += np.where(facet == 0, others, 0.0)
        else:
            value += np.where(facet == 0, unit[target, wave, 0], 0.0)
        return replace(frame, answer=value[frame.rating_of_response]), unit

    def _relations(self, n: int, n_waves: int, rng: np.random.Generator) -> np.ndarray:
        """(wave, rater, target)"""
        parts = np.sqrt(self.relation / 2) * rng.normal(size=(n_waves + 1, n, n))
        low, high = np.tril_indices(n, -1)
        first, second = parts[:, low, high], parts[:, high, low]
        parts[:, high, low] = self.reciprocity * first + np.sqrt(1 - self.reciprocity**2) * second
        return parts[0] + parts[1:]

    def slope(self, level: str, frame: Frame, predictor: int, *, adjusted: bool) -> tuple[float, float]:
        """True slope of the target effect, and the true standard deviation of the predictor."""
        covariance = self.waves if level == "within" else self.stable
        if len(frame.waves) == 1:
            covariance = self.stable + self.waves
        x = [predictor, 3] if adjusted else [predictor]
        slope = np.linalg.solve(covariance[np.ix_(x, x)], covariance[x, 0])[0]
        return float(slope), float(np.sqrt(covariance[predictor, predictor]))


def linked(
    effect: float,
    *,
    within: float | None = None,
    stable: float = 0.7,
    common: float = 0.4,
    leniency: float = 0.3,
) -> World:
    """Leadership acts on the target effect; lenient staff rate leaders kindly, and reciprocity is general.

    within : the effect of waves' parts, where it is another · stable : share of variances that is not
    waves' · common : correlation of a respondent's leniency between instruments · leniency : of units, by how
    much perceiver effects add to ratings of leaders
    """
    variance = np.array([0.4, 0.5, 0.5, 0.35]) ** 2
    raw = np.diag(variance)
    raw[0, 3] = raw[3, 0] = 0.4 * np.sqrt(variance[0] * variance[3])
    parts = []
    for share, of_part in ((stable, effect), (1 - stable, effect if within is None else within)):
        path = np.eye(4)
        path[0, 1] = of_part
        # Leniency is a bias of measurement that all staff share: it does not travel along the path.
        path[1, 3] = path[2, 3] = leniency
        parts.append(share * path @ raw @ path.T)
    shared = 0.36 * (common + (1 - common) * np.eye(3))
    return World(*parts, shared)
