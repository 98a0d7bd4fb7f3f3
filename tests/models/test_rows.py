"""What the sampler's coordinates promise: standard normals whatever the spreads, if the guess is right."""

from dataclasses import replace

import numpy as np
import pytest

from relcap_models.data import read_survey
from relcap_models.data.survey import Wave
from relcap_models.models import Relation
from relcap_models.models import covariance as cov
from relcap_models.models.density_nested import _combine, _means_and_contrasts
from relcap_models.models.density_rows import Means, Rows, Shared
from relcap_models.models.information import rough_estimates
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate


def factors_of(rng, n_kinds, size):
    roots = rng.normal(size=(n_kinds, size, size))
    return np.linalg.cholesky(roots @ roots.transpose(0, 2, 1) / size + 0.2 * np.eye(size))


def posterior(rows, factors, z, information, estimate):
    """log p(z) + log likelihood, when the answers say exactly `information` around `estimate`."""
    effects = rows.forward(factors, z, estimate)
    error = effects - estimate
    return rows.log_density() - 0.5 * (z**2).sum() - 0.5 * np.einsum("ni,nij,nj->", error, information, error)


@pytest.mark.parametrize("size", [1, 2, 6])
def test_rows_are_standard_normals_in_the_posterior_whatever_their_covariance(size):
    rng = np.random.default_rng(size)
    kind = np.repeat([0, 1], 5)
    matrices = np.linalg.inv(factors_of(rng, 2, size))
    information = (matrices @ matrices.transpose(0, 2, 1))[kind]
    estimate = rng.normal(size=(10, size))
    rows = Rows(kind, information)
    for _ in range(3):
        factors = factors_of(rng, 2, size)
        points = rng.normal(size=(4, 10, size))
        values = [posterior(rows, factors, z, information, estimate) + 0.5 * (z**2).sum() for z in points]
        np.testing.assert_allclose(np.diff(values), 0.0, atol=1e-9)


def test_without_information_rows_are_scaled_normals():
    rng = np.random.default_rng(3)
    factors, z = factors_of(rng, 2, 3), rng.normal(size=(6, 3))
    kind = np.array([0, 1, 0, 1, 1, 0])
    rows = Rows(kind)
    np.testing.assert_allclose(rows.forward(factors, z), np.einsum("nij,nj->ni", factors[kind], z))
    assert rows.log_density() == 0.0


def test_a_common_shift_that_the_answers_do_not_see_has_the_reach_of_a_standard_normal():
    """Locations take up what all rows share, so that only differences between rows meet the answers."""
    rng = np.random.default_rng(4)
    n, sd = 40, 0.6
    information = rng.uniform(5.0, 30.0, size=(n, 1))
    factors = np.full((1, 1, 1), sd)
    weight = information / information.sum()

    def log_density(rows, z):
        effects = rows.forward(factors, z, np.zeros((n, 1)))
        centred = effects - (weight * effects).sum()
        likelihood = -0.5 * (information * centred**2).sum()
        return rows.log_density() - 0.5 * (z**2).sum() + likelihood

    def smallest_curvature(rows):
        step, point = 1e-3, np.zeros((n, 1))
        shifts = np.eye(n)[:, :, None] * step
        curvature = np.empty((n, n))
        for i in range(n):
            for j in range(n):
                ahead = log_density(rows, point + shifts[i] + shifts[j])
                behind = log_density(rows, point + shifts[i] - shifts[j])
                curvature[i, j] = -(ahead - behind) / (2 * step)
        slope = np.array([(log_density(rows, s) - log_density(rows, -s)) / (2 * step) for s in shifts])
        return np.linalg.eigvalsh((curvature + slope[None]) / step)[0]

    kind = np.zeros(n, dtype=np.int64)
    assert smallest_curvature(Rows(kind, information)) < 0.3
    shared = Shared(kind, 1 / sd**2 + information, np.array([[n / sd**2]]))
    assert smallest_curvature(Rows(kind, information, [shared])) > 0.7


def test_where_the_answers_say_much_the_root_keeps_still_when_correlations_change():
    """Otherwise rows would turn with the correlations, and whatever is not exact in the guess with them."""
    turned = np.array([[1.0, 0.0], [-0.8, 0.6]]), np.array([[1.0, 0.0], [0.8, 0.6]])
    known = np.array([[[60.0, 20.0], [20.0, 40.0]]])

    def root_of(factor, information):
        # Whatever stood there before.
        inner, adapted, towards = np.full((3, 1, 2, 2), np.nan)
        cov.adapted_factors(factor[None], information, inner, adapted, towards)
        np.testing.assert_allclose(towards[0], adapted[0].T @ information[0], rtol=1e-12)
        return adapted[0]

    roots = [root_of(factor, known) for factor in turned]
    expected = np.linalg.cholesky(np.linalg.inv(known[0]))
    for root in roots:
        np.testing.assert_allclose(root, expected, atol=0.1 * expected.max())
    little = root_of(turned[0], 1e-9 * known)
    np.testing.assert_allclose(little, turned[0], atol=1e-6)


def density_of_an_organisation(**options):
    """Of eight units in two districts, in one wave."""
    instrument = load_instrument("relational_capacity")
    organisation = {"n_units": 8, "n_respondents": 60, "n_districts": 2}
    simulation = Simulation.model_validate({"organisation": organisation, "nominations": {"partners": 5}})
    tables = simulate(
        simulation, instruments={instrument.id: instrument}, waves=(Wave("w1"),), seed=11
    ).tables
    model = Relation(instrument=instrument.id, **options)
    return model.density(model.frame(read_survey(tables, instruments=[instrument], waves=(Wave("w1"),))))


def places_of(layout, *, starts=(), ends=()):
    """Places in the vector of parameters with such names."""
    names = [p.name for p in layout.parameters if p.name.startswith(starts) or p.name.endswith(ends)]
    return np.concatenate([np.arange(layout.slices[name].start, layout.slices[name].stop) for name in names])


def curvature_at_the_mode(density, places):
    """(k, k) negative second derivatives in these places, where they are best and all else is typical."""
    x, step = density.layout.typical(), 1e-4
    for _ in range(3):
        curvature = np.empty((len(places), len(places)))
        for row, place in enumerate(places):
            ahead, behind = x.copy(), x.copy()
            ahead[place] += step
            behind[place] -= step
            curvature[row] = (density(behind)[1] - density(ahead)[1])[places] / (2 * step)
        x[places] += np.linalg.solve(curvature, density(x)[1][places])
    return curvature


EFFECTS = {"starts": ("pair", "one_sided"), "ends": ("_z",)}


def test_effects_of_an_organisation_are_near_standard_normals_in_every_direction():
    """The curvature of the log density in all effects at once, at typical spreads: nothing moves against
    anything else, though a unit, its respondents and its relations share their ratings."""
    density = density_of_an_organisation()
    curvature = curvature_at_the_mode(density, places_of(density.layout, **EFFECTS))
    sd = 1.0 / np.sqrt(np.linalg.eigvalsh(curvature))
    assert sd.min() > 0.6
    assert sd.max() < 1.5


def test_coefficients_of_covariates_hardly_move_against_effects_and_thresholds():
    """Of attributes of units, which tell apart what effects of units and districts could be, too."""
    density = density_of_an_organisation(covariates=("rater.layer", "target.layer", "target.size"))
    coefficients = places_of(density.layout, starts=("beta",))
    others = places_of(density.layout, starts=(*EFFECTS["starts"], "threshold"), ends=EFFECTS["ends"])
    curvature = curvature_at_the_mode(density, np.concatenate([coefficients, others]))
    # How far each may go with all others held, of how far it may go when they follow.
    share = 1.0 / np.sqrt(np.diag(curvature) * np.diag(np.linalg.inv(curvature)))
    assert share[: len(coefficients)].min() > 0.6


def test_what_is_known_of_units_is_generalised_least_squares(case_named):
    """Against dense covariances of all ratings at once: respondents and relations of known variance."""
    case = case_named("three waves, districts")
    frame, structure = case.frame, case.structure
    rough = rough_estimates(frame, structure, 1.0)
    n_waves, n_roles, D = len(frame.waves), len(structure.roles), len(frame.dimensions)
    noise = 0.25 + 1.2 * D / len(frame.items)
    unit = 4
    size = n_waves * n_roles
    expected = np.zeros((size, size))
    for target in (False, True):
        end = frame.target_of_rating if target else frame.rater_of_rating
        here = np.flatnonzero((end == unit) & ~(frame.own & target))
        covariance = noise * np.eye(len(here))
        if structure.within:
            person = frame.respondent_of_rating[here]
            covariance += 0.36 * (person[:, None] == person)
        relation = frame.relation_of_rating[here]
        covariance += 0.2 * ((relation[:, None] == relation) & (relation >= 0)[:, None])
        design = np.zeros((len(here), size))
        for row, rating in enumerate(here):
            first = frame.wave_of_rating[rating] * n_roles
            design[row, first + int(target)] = 1.0
            if frame.own[rating]:
                design[row, first + 2] = 1.0
        expected += design.T @ np.linalg.solve(covariance, design)
    alike = np.array([[1.0, 0.5], [0.5, 1.0]])
    np.testing.assert_allclose(
        rough.unit_information[unit], np.kron(expected, np.linalg.inv(alike)), atol=1e-9
    )


def test_means_are_of_what_effects_further_up_leave_of_the_scores(case_named):
    case = case_named("three waves, districts")
    frame = case.frame
    rough = rough_estimates(frame, case.structure, 1.0)
    rng = np.random.default_rng(1)
    roots = rng.normal(size=(frame.n_ratings, 2, 2))
    precision = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(2)
    rough = replace(rough, precision=precision)
    noise = np.array([[0.4, 0.1], [0.1, 0.3]])
    means = Means(rough, frame.rater_of_rating, len(frame.units), noise)
    above = rng.normal(size=rough.score.shape)
    for unit in range(len(frame.units)):
        here = frame.rater_of_rating == unit
        weight = np.linalg.inv(np.linalg.inv(precision[here]) + noise)
        total = weight.sum(axis=0)
        pull = np.einsum("nij,nj->i", weight, (rough.score - above)[here])
        np.testing.assert_allclose(means.precision[unit], total, rtol=1e-9)
        np.testing.assert_allclose(means.forward(above)[unit], np.linalg.solve(total, pull), rtol=1e-8)


def test_means_and_contrasts_of_what_is_known_give_it_back():
    inner = np.random.default_rng(2).normal(size=(6, 2))
    position = np.array([0, 1, 2, 0, 0, 1])
    weight = np.repeat([1 / 3, 1.0, 1 / 2], [3, 1, 2])[:, None] * np.ones(2)
    np.testing.assert_allclose(_combine(_means_and_contrasts(inner, weight, position), position), inner)
