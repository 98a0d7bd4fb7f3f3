"""The posterior of effects without a matrix of their pairs, against the one with it, on every design."""

import numpy as np
import pytest

from relcap_models.data import Wave, read_survey
from relcap_models.inference.fast import effects_posterior, mixed, mixed_design
from relcap_models.inference.fast.covariances import Covariances
from relcap_models.inference.fast.effects_posterior import DensePosterior, SparsePosterior
from relcap_models.inference.fast.mixed import MixedModel
from relcap_models.inference.geometry import observe_ratings
from relcap_models.models import Relation
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate
from tests.inference.fast.test_mixed import TAKEN, Dense
from tests.models.conftest import open_case

DRAWS = 6000


@pytest.fixture(scope="module", params=TAKEN)
def both(request):
    """A model, its solution with all pairs, and without them from so many draws that chance is small."""
    dense = Dense(open_case(request.param))
    model = dense.mixed
    matrices = dense.covariances.matrices(dense.theta)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixed, "LARGEST_DENSE", 0)
        patch.setattr(effects_posterior, "_DRAWS", DRAWS)
        sparse = model.solve(matrices, dense.pseudo)
    assert isinstance(sparse.posterior, SparsePosterior)
    return dense, model.solve, matrices, sparse


def exact(both):
    dense, solve, matrices, _ = both
    found = solve(matrices, dense.pseudo)
    assert isinstance(found.posterior, DensePosterior)
    return found.posterior


def test_means_are_as_close_as_is_asked(both):
    theirs = exact(both)
    ours = both[-1].posterior
    assert (np.abs(ours.mean - theirs.mean) / theirs.spread).max() < effects_posterior._CLOSE["mean"]


def test_variances_are_those_of_the_inverse_up_to_chance(both):
    theirs = exact(both)
    # A variance from n draws alone has the relative error √(2/n); here chance has but a part of it.
    limit = 4.5 * np.sqrt(2 / DRAWS)
    np.testing.assert_allclose(both[-1].posterior.spread ** 2 / theirs.spread**2, 1.0, atol=limit)
    deviations = both[-1].posterior.deviations
    np.testing.assert_allclose((deviations**2).mean(axis=1) / theirs.spread**2, 1.0, atol=limit)


def test_sums_over_groups_and_cells_are_those_of_the_inverse(both):
    theirs = exact(both)
    ours = both[-1].posterior
    for slots in ours.design.slots:
        expected, found = theirs.summed(slots), ours.summed(slots)
        sd = np.sqrt(np.diag(expected))
        np.testing.assert_allclose(found / np.outer(sd, sd), expected / np.outer(sd, sd), atol=0.06)
    expected, found = theirs.among_cells(), ours.among_cells()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=0.06 * expected.max())


def test_directions_are_those_of_the_inverse(both):
    theirs = exact(both)
    right = np.random.default_rng(1).normal(size=(len(theirs.mean), 3))
    right[:, 1] = 0.0
    expected, found = theirs.solve(right), both[-1].posterior.solve(right)
    energy = np.sqrt((right * expected).sum(axis=0))
    error = np.abs(found - expected) / theirs.spread[:, None]
    # Measured by the preconditioner: it may be off by a factor of a few.
    assert (error <= 4 * effects_posterior._DIRECTIONS * energy + 1e-9).all()
    np.testing.assert_array_equal(found[:, 1], 0.0)


def test_what_lies_near_leaves_less_to_chance(both, monkeypatch):
    """Covariances within people's cells from 64 draws: closer than from the draws alone.

    With a handful of units location, which is left to chance, is much of the variance; with many it is not.
    """
    theirs = exact(both)
    model, (dense, solve, matrices, _) = both[0].mixed, both
    monkeypatch.setattr(mixed, "LARGEST_DENSE", 0)
    monkeypatch.setattr(effects_posterior, "_DRAWS", 64)
    few = solve(matrices, dense.pseudo).posterior
    expected, found = theirs.among_cells(), few.among_cells()
    alone = np.concatenate(
        [
            (s @ s.T / 64).ravel()
            for s in (block.design @ few.deviations[block.effects] for block in model.design.blocks)
        ]
    )
    assert np.square(found - expected).sum() < 0.7 * np.square(alone - expected).sum()


def test_draws_have_the_posteriors_covariance(both, monkeypatch):
    theirs = exact(both)
    for largest in (0, 10**6):
        monkeypatch.setattr(effects_posterior, "_LARGEST_FACTOR", largest)
        draws = both[-1].posterior.draw(DRAWS, np.random.default_rng(3))
        assert draws.shape == (DRAWS, len(theirs.mean))
        scaled = draws / theirs.spread
        expected = theirs.covariance / np.outer(theirs.spread, theirs.spread)
        error = np.abs(scaled.T @ scaled / DRAWS - expected)
        assert error.max() < 6 * np.sqrt(2 / DRAWS)


def test_a_search_that_starts_at_its_end_stays_there(both, monkeypatch):
    dense, solve, matrices, first = both
    monkeypatch.setattr(mixed, "LARGEST_DENSE", 0)
    monkeypatch.setattr(effects_posterior, "_DRAWS", DRAWS)
    again = solve(matrices, dense.pseudo, around=first)
    np.testing.assert_allclose(again.posterior.mean, first.posterior.mean, atol=1e-12)


@pytest.mark.parametrize("dense", [True, False])
def test_mean_alone_under_other_covariances(both, dense):
    of_truth, solve, matrices, sparse = both
    around = solve(matrices, of_truth.pseudo) if dense else sparse
    others = of_truth.covariances.matrices(of_truth.theta + 0.2)
    expected = solve(others, of_truth.pseudo).posterior
    found = of_truth.mixed.mean(others, of_truth.pseudo, around=around)
    error = np.abs(found - expected.mean) / expected.spread
    assert error.max() < (1e-8 if dense else effects_posterior._CLOSE["mean"])
    assert (np.abs(around.posterior.mean - expected.mean) / expected.spread).max() > 0.02


def test_slopes_without_all_pairs_come_close(both):
    dense, solve, matrices, sparse = both
    derivatives = dense.covariances.derivatives(dense.theta)
    ours = dense.mixed.slopes(sparse, derivatives)
    theirs = dense.mixed.slopes(solve(matrices, dense.pseudo), derivatives)
    # In units of the standard error of θ that the information alone would give.
    error = (ours[0] - theirs[0]) / np.sqrt(np.diag(theirs[1]) + 1.0)
    assert np.abs(error).max() < 0.1
    # Off by as much as the means that it is made of.
    np.testing.assert_allclose(ours[1], theirs[1], atol=0.01 * np.diag(theirs[1]).max())


def test_people_taken_one_by_one_give_the_same(monkeypatch):
    """A unit whose people rate very many others, and people who answered for several units."""
    whole = Dense(open_case("three waves, no relation from both sides"))
    matrices = whole.covariances.matrices(whole.theta)
    expected = whole.mixed.solve(matrices, whole.pseudo)
    monkeypatch.setattr(mixed_design, "_WIDEST_BLOCK", 3)
    case = whole.case
    model = MixedModel(case.frame, case.structure, case.model.priors, whole.scale)
    assert len(model.design.blocks) > len(whole.mixed.design.blocks)
    found = model.solve(matrices, whole.pseudo)
    np.testing.assert_allclose(found.posterior.mean, expected.posterior.mean, atol=1e-9)
    derivatives = whole.covariances.derivatives(whole.theta)
    for ours, theirs in zip(model.slopes(found, derivatives), whole.mixed.slopes(expected, derivatives)):
        np.testing.assert_allclose(ours, theirs, atol=1e-7)


def test_half_of_a_waves_districts_is_held_against_the_other():
    stratum = np.array([0, 1, 0, 1, 0, 0, 0, 1])
    basis = mixed_design._contrasts(stratum).toarray()
    assert basis.shape == (8, 6)
    same = (stratum[:, None] == stratum).astype(float)
    # Independent effects of the contrasts are groups' effects less the mean of their stratum.
    np.testing.assert_allclose(basis @ basis.T, np.eye(8) - same / same.sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(basis.T @ basis, np.eye(6), atol=1e-12)


@pytest.fixture(scope="module")
def many_districts():
    """Twelve districts of five units: sums over a district's units and relations go with its shock."""
    organisation = {"n_respondents": 240, "n_units": 60, "n_districts": 12}
    options = Simulation.model_validate({"organisation": organisation, "ratings": {"own_unit": False}})
    waves = [Wave("w1"), Wave("w2")]
    scale = load_instrument("relational_capacity")
    tables = simulate(options, instruments={scale.id: scale}, waves=waves, seed=1).tables
    survey = read_survey(tables, instruments=[scale], waves=waves)
    model = Relation(instrument=scale.id)
    frame = model.frame(survey)
    structure = model.structure(frame)
    mixed = MixedModel(frame, structure, model.priors, model.latent_scale(frame))
    observed = observe_ratings(model, frame)
    covariances = Covariances(model.density(frame, observed))
    return mixed, covariances.matrices(covariances.start()), observed


def test_districts_are_hardly_left_to_chance(many_districts, monkeypatch):
    """From 64 draws alone a variance would be off by 18 %."""
    model, matrices, observed = many_districts
    monkeypatch.setattr(mixed, "LARGEST_DENSE", 10**6)
    expected = model.solve(matrices, observed).posterior
    monkeypatch.setattr(mixed, "LARGEST_DENSE", 0)
    found = model.solve(matrices, observed).posterior
    assert isinstance(found, SparsePosterior)
    slots = [slots for slots in model.design.slots if slots.matrix in model.design.districts]
    assert slots
    for of in slots:
        np.testing.assert_allclose(np.diag(found.summed(of)), np.diag(expected.summed(of)), rtol=0.005)
