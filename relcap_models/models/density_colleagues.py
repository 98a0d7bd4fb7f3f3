"""What the respondents of a unit have in common, in the sampler's coordinates.

Beside each other respondents are known from their own ratings. Their mean is known far worse: whether they or
the unit's relations are high, only ratings of the own unit tell.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from relcap_models.models import kernels
from relcap_models.models.density_rows import Means, Shared
from relcap_models.models.frame import Frame
from relcap_models.models.information import Rough, with_noise


class Colleagues:
    """Corrects the means of respondents' ratings, and how far the respondents of a unit move together.

    Taken alone, the mean of a respondent's ratings says of the respondents of a unit together as much as of
    each beside the others. Here it is replaced by a mean in which ratings of other units weigh no more than
    the unknown mean of the unit's relations lets them.

    row_of_rating : (N,) row of effects of each rating's respondent · outer : (n,) True for respondents, False
    for contrasts between their waves · information : (n, D) of each row
    """

    def __init__(
        self,
        frame: Frame,
        rough: Rough,
        row_of_rating: np.ndarray,
        outer: np.ndarray,
        information: np.ndarray,
    ) -> None:
        n_units, D = len(frame.units), information.shape[1]
        information = np.diagonal(information, axis1=1, axis2=2)
        of_rating = rough.noise["rating_of_respondent"]
        unit = np.full(len(outer), -1)
        unit[row_of_rating] = frame.rater_of_rating
        self.unit = np.where(outer, unit, -1)
        n_people = np.bincount(self.unit[outer], minlength=n_units)[:, None]
        others = np.where(frame.own, -1, frame.rater_of_rating)
        self.plain = Means(rough, frame.rater_of_rating, n_units, of_rating)
        answered = (np.diagonal(rough.precision, axis1=1, axis2=2) > 0).astype(float)
        n_all, n_others = np.zeros((2, n_units, D))
        kernels.scatter_add(answered, frame.rater_of_rating, n_all)
        kernels.scatter_add(answered, others, n_others)
        n_own = n_all - n_others
        mean_known = np.diagonal(with_noise(rough.precision, of_rating), axis1=1, axis2=2)
        # How well the mean of a unit's respondents is known from ratings of the own unit and of others.
        n_relations = np.bincount(frame.rater_of_relation, minlength=n_units)[:, None]
        noise, spread = 1.0 / mean_known[answered > 0].mean(), rough.sd_respondent**2
        by_own = n_own / noise
        seen = n_others > 0
        by_others = np.divide(
            1.0,
            noise / np.maximum(n_others, 1.0) + rough.relation_variance / np.maximum(n_relations, 1),
            out=np.zeros_like(n_others),
            where=seen,
        )
        prior = np.maximum(n_people, 1) / spread
        precision = prior + by_own + by_others
        of_row = 1.0 / spread + information
        within = Shared(self.unit, of_row, precision)
        together = np.where((self.unit >= 0)[:, None], precision[self.unit] * within.direction**2, 0.0)
        whole = Shared(np.where(outer, 0, -1), together, np.full((1, D), outer.sum() / spread))
        self.shared = (whole, within)
        weight = np.where(
            frame.own,
            1.0 / noise,
            (by_others / np.maximum(n_others, 1.0)).mean(axis=1)[frame.rater_of_rating],
        )
        self.informed = Means(rough, frame.rater_of_rating, n_units, of_rating, weight)
        # Rows shrink what they are given by what is known of each; together it should shrink by `precision`.
        known = np.maximum(within.total - prior, 1e-12) / np.maximum(within.total, 1e-12)
        self.part = (by_own + by_others) / precision / known

        # The correction is linear in what is left of the scores: both means at once.
        rater = frame.rater_of_rating
        self._rater = rater
        self._weight = self.part[rater][:, :, None] * self.informed.weight - self.plain.weight
        self._shift = np.empty_like(self.part)

    def forward(self, eta: np.ndarray, estimate: np.ndarray) -> None:
        """Correct the rows' means, (n, D), in place."""
        _correct(
            eta,
            self._weight,
            self._rater,
            self.part,
            self.informed.score,
            self.plain.score,
            self.unit,
            self._shift,
            estimate,
        )

    def backward(self, d_rows: np.ndarray, d_eta: np.ndarray) -> None:
        """Derivatives are added to `d_eta`."""
        self._shift.fill(0.0)
        kernels.scatter_add(d_rows, self.unit, self._shift)
        kernels.gather_matrix(d_eta, self._weight, self._shift, self._rater)


@njit(cache=True, no_cfunc_wrapper=True, error_model="numpy")
def _correct(eta, weight, rater, part, informed, plain, unit, shift, estimate):
    """Add to each row's estimate the informed mean of its unit, times its part, less the plain one."""
    for g in range(shift.shape[0]):
        for d in range(shift.shape[1]):
            shift[g, d] = part[g, d] * informed[g, d] - plain[g, d]
    kernels.scatter_matrix(eta, weight, rater, shift)
    kernels.gather_add(estimate, shift, unit)
