"""The Gaussian mixed model against plain algebra with dense matrices, on every design."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from relcap_models.inference.fast.covariances import Covariances
from relcap_models.inference.fast.draws import kept
from relcap_models.inference.fast.items import Items
from relcap_models.inference.fast.mixed import MixedModel
from relcap_models.inference.fast.pseudo import PseudoObservations
from relcap_models.inference.fit import Fit
from relcap_models.inference.kept import KEPT_DIMS, coordinates
from relcap_models.inference.locations import rating_location
from tests.models.conftest import CASES, Case, open_case

TAKEN = [name for name in CASES if not name.startswith("residual")]


class Dense:
    """Everything of one design at one θ, written out."""

    def __init__(self, case: Case) -> None:
        self.case = case
        frame, structure, model = self.case.frame, self.case.structure, self.case.model
        self.scale = model.latent_scale(frame)
        self.covariances = Covariances(self.case.density)
        self.mixed = MixedModel(frame, structure, model.priors, self.scale)
        rng = np.random.default_rng(7)
        self.theta = self.covariances.start() + rng.normal(0, 0.3, self.covariances.size)
        n, D = frame.n_ratings, len(frame.dimensions)
        root = rng.normal(size=(n, D, D))
        precision = root @ root.transpose(0, 2, 1) + 0.2 * np.eye(D)
        self.y = rng.normal(size=(n, D))
        self.pseudo = PseudoObservations(precision, np.einsum("nij,nj->ni", precision, self.y))
        self.n, self.D = n, D
        rows = np.empty((n, D, self.mixed.design.n_effects))
        rows[self.mixed.design.order] = self.mixed.design.cells_of(np.eye(self.mixed.design.n_effects))
        self.whole = rows.reshape(n * D, -1)

    def matrices(self, theta):
        """Design (N·D, E), prior covariance (E, E) of the effects, and that of the noise (N·D, N·D)."""
        named = self.covariances.matrices(theta)
        design = self.whole
        prior = np.zeros((self.mixed.design.n_effects,) * 2)
        head = len(self.mixed.design.prior_sd)
        prior[:head, :head] = np.diag(np.square(self.mixed.design.prior_sd))
        for slots in self.mixed.design.slots:
            for where in slots.where:
                prior[np.ix_(where, where)] = named[slots.matrix]
        noise = np.zeros((self.n * self.D,) * 2)
        for grouping in self.case.structure.respondents:
            group, facet = grouping.group_of_rating, self.case.frame.facet_of_rating
            same = (group[:, None] == group[None, :]) & (group >= 0)
            if grouping.n_facets > 1:
                noise += same * named[grouping.name][np.ix_(facet, facet)]
            else:
                noise += np.kron(same, named[grouping.name])
        return design, prior, noise

    def total(self, theta):
        design, prior, noise = self.matrices(theta)
        error = np.zeros_like(noise)
        for r in range(self.n):
            block = slice(r * self.D, (r + 1) * self.D)
            error[block, block] = np.linalg.inv(self.pseudo.precision[r])
        latent = design @ prior @ design.T + noise
        return latent, latent + error

    def log_marginal(self, theta):
        y, (_, total) = self.y.ravel(), self.total(theta)
        return -0.5 * (np.linalg.slogdet(total)[1] + y @ np.linalg.solve(total, y))


@pytest.fixture(scope="module", params=TAKEN)
def dense(request):
    return Dense(open_case(request.param))


def test_effects_have_the_posterior_of_the_normal_equations(dense):
    found = dense.mixed.solve(dense.covariances.matrices(dense.theta), dense.pseudo)
    design, prior, _ = dense.matrices(dense.theta)
    inverse = np.linalg.inv(dense.total(dense.theta)[1])
    gain = prior @ design.T @ inverse
    np.testing.assert_allclose(found.posterior.mean, gain @ dense.y.ravel(), atol=1e-8)
    np.testing.assert_allclose(found.posterior.covariance, prior - gain @ design @ prior, atol=1e-8)
    np.testing.assert_allclose(
        found.rest.ravel(),
        (inverse @ dense.y.ravel()).reshape(dense.y.shape)[dense.mixed.design.order].ravel(),
        atol=1e-8,
    )


def test_the_marginal_likelihood_and_its_slopes_are_those_of_one_normal(dense):
    def solve(theta):
        return dense.mixed.solve(dense.covariances.matrices(theta), dense.pseudo)

    found = solve(dense.theta)
    gradient, information, follow, _ = dense.mixed.slopes(found, dense.covariances.derivatives(dense.theta))
    assert np.linalg.eigvalsh(information).min() > -1e-8
    step = 1e-4
    for k in range(dense.covariances.size):
        above, below = dense.theta.copy(), dense.theta.copy()
        above[k] += step
        below[k] -= step
        slope = (dense.log_marginal(above) - dense.log_marginal(below)) / (2 * step)
        assert gradient[k] == pytest.approx(slope, abs=1e-5)
        moved = (solve(above).posterior.mean - solve(below).posterior.mean) / (2 * step)
        np.testing.assert_allclose(follow[k], moved, atol=1e-5)


def test_a_person_who_answered_for_two_units_is_one_person():
    case = open_case("three waves, no relation from both sides")
    person, rater = case.frame.respondent_of_rating, case.frame.rater_of_rating
    first, other = person[rater == 0][0], person[rater == 1][0]
    left, merged = np.unique(np.where(person == other, first, person), return_inverse=True)
    names = tuple(np.array(case.frame.respondents)[left])
    frame = replace(case.frame, respondents=names, respondent_of_rating=merged)
    structure = case.model.structure(frame)
    density = case.model.density(frame, None)
    dense = Dense(replace(case, frame=frame, structure=structure, density=density))
    assert len(dense.mixed.design.blocks) == len(frame.units) + 1
    found = dense.mixed.solve(dense.covariances.matrices(dense.theta), dense.pseudo)
    design, prior, _ = dense.matrices(dense.theta)
    gain = prior @ design.T @ np.linalg.inv(dense.total(dense.theta)[1])
    np.testing.assert_allclose(found.posterior.mean, gain @ dense.y.ravel(), atol=1e-8)
    np.testing.assert_allclose(found.posterior.covariance, prior - gain @ design @ prior, atol=1e-8)


def test_a_cavity_is_what_the_other_ratings_say(dense):
    found = dense.mixed.solve(dense.covariances.matrices(dense.theta), dense.pseudo)
    blocks = dense.mixed.slopes(found, dense.covariances.derivatives(dense.theta))[-1]
    mean, covariance = dense.mixed.cavities(dense.pseudo, found, blocks)
    latent, total = dense.total(dense.theta)
    for r in (0, dense.n // 2, dense.n - 1):
        here = np.arange(r * dense.D, (r + 1) * dense.D)
        others = np.setdiff1d(np.arange(dense.n * dense.D), here)
        gain = latent[np.ix_(here, others)] @ np.linalg.inv(total[np.ix_(others, others)])
        np.testing.assert_allclose(mean[r], gain @ dense.y.ravel()[others], atol=1e-7)
        expected = latent[np.ix_(here, here)] - gain @ latent[np.ix_(others, here)]
        np.testing.assert_allclose(covariance[r], expected, atol=1e-7)


def test_what_is_kept_says_the_same_about_every_answer(dense):
    """Effects as deviations from their means, and thresholds that took the means up: the same predictions."""
    case, rng = dense.case, np.random.default_rng(3)
    frame, structure = case.frame, case.structure
    items = Items(frame, case.model.response, case.model.loadings, case.model.priors, dense.scale)
    S = 4
    effects = rng.normal(size=(S, dense.mixed.design.n_effects))
    vector = items.centred(items.start + rng.normal(0, 0.05, (S, len(items.start))))
    named = kept(
        dense.covariances,
        items,
        dense.mixed.design,
        frame,
        structure,
        theta=np.tile(dense.theta, (S, 1)),
        vector=vector,
        effects=effects,
    )
    # The same quantities, of the same shapes, as a sampled fit holds.
    assert set(named) == set(case.density.report(case.point(1)))
    data = {name: (("chain", "draw", *KEPT_DIMS[name]), value[None]) for name, value in named.items()}
    posterior = xr.Dataset(data, coords=coordinates(frame, structure))
    fit = Fit(case.model, frame, structure, xr.DataTree.from_dict({"posterior": posterior}), {"seed": 1})
    location = rating_location(fit.draws, fit)
    before = (effects @ dense.whole.T).reshape(S, dense.n, dense.D)
    loading, place, _ = items.values(vector)
    item = np.arange(len(frame.items)) if items.family == "gaussian" else frame.item_of_threshold
    sign = 1.0 if items.family == "gaussian" else -1.0
    after = named["intercept"] if items.family == "gaussian" else named["threshold"]
    for k, i in enumerate(item):
        d = frame.dimension_of_item[i]
        asked = frame.facet_of_rating == frame.latent_of_item[i] // dense.D
        np.testing.assert_allclose(
            loading[:, [i]] * before[:, asked, d] + sign * place[:, [k]],
            named["loading"][:, [i]] * location[:, asked, d] + sign * after[:, [k]],
            atol=1e-9,
        )
    of_units = {"perceiver_effect", "target_effect", "self_effect", "staff_effect"} & set(named)
    assert of_units
    for name in of_units:
        np.testing.assert_allclose(named[name].mean(axis=1), 0.0, atol=1e-9)
    mu = named["mu"] if "mu" in named else named["mu_facet"]
    np.testing.assert_allclose(mu[:, 0], 0.0, atol=1e-12)
