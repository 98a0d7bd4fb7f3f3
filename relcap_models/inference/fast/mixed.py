"""The Gaussian mixed model behind a rating model, given a Gaussian pseudo-observation of each rating.

Effects of respondents and ratings are eliminated person by person, exactly; what is left is the posterior of
the effects of units, relations and districts. It gives the gradient of the marginal likelihood of the
covariances and its average information (Gilmour, Thompson & Cullis 1995, Biometrics 51, 1440–1450), and the
distribution of each rating given the others' answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relcap_models.inference.fast.covariances import Matrices
from relcap_models.inference.fast.effects_posterior import (
    LARGEST_DENSE,
    DensePosterior,
    Posterior,
    Precision,
    SparsePosterior,
)
from relcap_models.inference.fast.mixed_design import MixedDesign
from relcap_models.inference.fast.persons import Persons
from relcap_models.models.frame import Frame
from relcap_models.models.information import PseudoObservations
from relcap_models.models.priors import Priors
from relcap_models.models.structure import Structure


@dataclass(frozen=True)
class Solution:
    """What the covariances and pseudo-observations of one round give.

    posterior : of the effects · weights : Q of each person's pairs of ratings · rest : (N, D) P·y, sorted
    """

    matrices: Matrices
    posterior: Posterior
    weights: np.ndarray
    rest: np.ndarray


class MixedModel:
    """Design of one frame, and the normal distributions that follow from it."""

    def __init__(self, frame: Frame, structure: Structure, priors: Priors, scale: float) -> None:
        self.design = MixedDesign(frame, structure, priors, scale)
        self.persons = Persons(self.design)

    def solve(
        self, matrices: Matrices, pseudo: PseudoObservations, around: Solution | None = None
    ) -> Solution:
        """Posterior of all effects given covariances and pseudo-observations.

        around : a solution close by, from which searches may start
        """
        weights, value, precision, score = self._equations(matrices, pseudo)
        if self.design.n_effects <= LARGEST_DENSE:
            posterior = DensePosterior(precision, score)
        else:
            posterior = SparsePosterior(precision, score, around and around.posterior)
        rest = value - self.persons.weighted(weights, self.design.cells_of(posterior.mean))
        return Solution(matrices, posterior, weights, rest)

    def mean(self, matrices: Matrices, pseudo: PseudoObservations, around: Solution) -> np.ndarray:
        """(E,) the mean alone of what `solve` finds, in a fraction of the time; `around` as there."""
        _, _, precision, score = self._equations(matrices, pseudo)
        return around.posterior.mean_nearby(precision, score)

    def _equations(
        self, matrices: Matrices, pseudo: PseudoObservations
    ) -> tuple[np.ndarray, np.ndarray, Precision, np.ndarray]:
        """Persons' weights and weighted values; precision of the effects, and it times their mean."""
        order = self.design.order
        weights, value, among = self.persons.eliminate(matrices, pseudo.precision[order], pseudo.shift[order])
        precision = Precision.of(self.design, matrices, among)
        return weights, value, precision, self.design.effects_of(value)

    def slopes(self, found: Solution, derivatives: dict[str, np.ndarray]):
        """Gradient of the log marginal likelihood, its average information, and how effects move with θ.

        Returns
        -------
        (p,), (p, p), (p, E), and (N, D, D): the blocks of P of single ratings
        """
        design, persons, posterior = self.design, self.persons, found.posterior
        p = len(derivatives["unit"])
        blocks, sums = persons.moments(found.weights, posterior.among_cells(), found.rest)
        gradient = np.zeros(p)
        moved = np.zeros((*found.rest.shape, p))
        D = design.n_dimensions
        for name, row in zip(persons.names, persons.rows):
            dK = derivatives[name]
            gradient += 0.5 * np.einsum("pij,ij->p", dK, sums[name])
            acts = row >= 0
            n_facets = dK.shape[1] // D
            total = np.zeros(((row.max() // n_facets + 1) * n_facets, D))
            np.add.at(total, row[acts], found.rest[acts])
            by_group = np.einsum("pij,nj->nip", dK, total.reshape(-1, n_facets * D))
            moved[acts] += by_group.reshape(-1, D, p)[row[acts]]
        score = design.effects_of(found.rest)
        shifted = np.zeros((design.n_effects, p))
        for slots in design.slots:
            dK, K, where = derivatives[slots.matrix], found.matrices[slots.matrix], slots.where
            mean = posterior.mean[where]
            second = mean.T @ mean + posterior.summed(slots)
            inverse = np.linalg.inv(K)
            gradient += 0.5 * np.einsum("pij,ij->p", dK, inverse @ second @ inverse - len(where) * inverse)
            shifted[where] += np.einsum("pij,gj->gip", dK, score[where])
        moved += design.cells_of(shifted)
        weighted = persons.weighted(found.weights, moved)
        gain = posterior.solve(design.effects_of(weighted))
        projected = weighted - persons.weighted(found.weights, design.cells_of(gain))
        information = 0.5 * moved.reshape(-1, p).T @ projected.reshape(-1, p)
        in_order = np.empty_like(blocks)
        in_order[design.order] = blocks
        return gradient, (information + information.T) / 2, (shifted - gain).T, in_order

    def cavities(
        self, pseudo: PseudoObservations, found: Solution, blocks: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean (N, D) and covariance (N, D, D) of every rating given the other ratings."""
        spread = np.linalg.inv(pseudo.precision)
        value = np.einsum("nij,nj->ni", spread, pseudo.shift)
        rest = np.empty_like(found.rest)
        rest[self.design.order] = found.rest
        outer = np.linalg.inv(blocks)
        covariance = outer - spread
        return value - np.einsum("nij,nj->ni", outer, rest), (covariance + covariance.transpose(0, 2, 1)) / 2
