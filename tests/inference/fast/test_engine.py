"""The fast engine as a whole: what it refuses, what it says of itself, and what it keeps."""

from dataclasses import replace

import numpy as np
import pytest

from relcap_models.data import read_survey
from relcap_models.data.survey import Wave
from relcap_models.errors import FitError
from relcap_models.inference import checks, fit
from relcap_models.inference.fast import engine
from relcap_models.inference.fast.trust import trust
from relcap_models.models import Relation
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate
from tests.models.conftest import build_case


def rows(found):
    return {check: passed for check, _, _, _, passed, _ in trust(found)}


def test_relations_that_are_their_residual_are_refused():
    model, survey = build_case("residual")
    with pytest.raises(FitError, match="--engine nuts"):
        fit(model, survey, engine="fast", seed=1, progress=False)


def test_an_engine_that_does_not_exist_is_refused():
    model, survey = build_case("climate")
    with pytest.raises(FitError, match="nuts, fast"):
        fit(model, survey, engine="faster", seed=1, progress=False)


@pytest.fixture(scope="module")
def fast_fit(survey):
    model = Relation(instrument="relational_capacity")
    return fit(model, survey, engine="fast", seed=1, chains=2, draws=500, progress=False)


def test_it_keeps_what_the_sampler_keeps(fast_fit, small_fit):
    ours, theirs = fast_fit.posterior, small_fit.posterior
    assert set(ours.data_vars) == set(theirs.data_vars)
    for name in ours.data_vars:
        assert ours[name].shape[2:] == theirs[name].shape[2:], name
        assert np.isfinite(ours[name]).all(), name


def test_a_seed_gives_the_same_draws(fast_fit, survey):
    again = fit(fast_fit.model, survey, engine="fast", seed=1, chains=2, draws=500, progress=False)
    np.testing.assert_array_equal(again.draws("relation_effect"), fast_fit.draws("relation_effect"))
    other = fit(fast_fit.model, survey, engine="fast", seed=2, chains=2, draws=500, progress=False)
    assert np.all(other.draws("relation_effect") != fast_fit.draws("relation_effect"))


def test_it_can_be_saved_and_loaded(fast_fit, survey, tmp_path):
    fast_fit.save(tmp_path / "fit")
    loaded = type(fast_fit).load(tmp_path / "fit", survey)
    np.testing.assert_array_equal(loaded.draws("sd_relation"), fast_fit.draws("sd_relation"))
    assert rows(loaded) == rows(fast_fit)


def test_its_checks_are_its_own_and_the_predictive_ones(fast_fit):
    table = checks(fast_fit, estimates={})
    assert {"fast_settled", "fast_spreads", "fast_respondents", "fast_extremes"} < set(table["check"])
    assert table["check"].str.contains("predictive").sum() == 2
    assert not table["check"].isin(["rhat", "divergences", "pareto_k"]).any()
    assert rows(fast_fit)["fast_settled"]
    assert rows(fast_fit)["fast_respondents"]


def test_persons_who_rate_persons_are_not_trusted():
    model, survey = build_case("persons rate persons")
    found = fit(model, survey, engine="fast", seed=1, chains=1, draws=100, progress=False)
    assert not rows(found)["fast_respondents"]
    assert not rows(found)["fast_spreads"], "twelve answers tell nothing of a standard deviation"


def test_an_engine_that_has_not_settled_says_so(fast_fit):
    tree = fast_fit.tree.copy(deep=True)
    tree["approximation"]["left"].to_numpy()[:] = [0.01, 0.2, 0.01]
    found = next(row for row in trust(replace(fast_fit, tree=tree)) if row[0] == "fast_settled")
    assert found[1] == "items"
    assert found[2] == pytest.approx(0.2 / engine.CLOSE["items"])
    assert not found[4]


def test_answers_at_one_end_of_the_scale_are_not_trusted(fast_fit):
    """Six of ten ratings with nothing but the highest answer; the rest with nothing but the second."""
    frame = fast_fit.frame
    high = frame.rating_of_response % 10 < 6
    answer = np.where(high, frame.n_categories[frame.item_of_response] - 1, 1)
    found = next(
        row
        for row in trust(replace(fast_fit, frame=replace(frame, answer=answer)))
        if row[0] == "fast_extremes"
    )
    assert found[2] == pytest.approx(np.mean(np.unique(frame.rating_of_response) % 10 < 6))
    assert not found[4]
    assert rows(fast_fit)["fast_extremes"]


def test_what_cannot_be_computed_is_an_error_in_words(fast_fit, survey, monkeypatch):
    def singular(*_):
        raise np.linalg.LinAlgError("a matrix is singular")

    monkeypatch.setattr(engine.MixedModel, "slopes", singular)
    with pytest.raises(FitError, match="broke down"):
        fit(fast_fit.model, survey, engine="fast", seed=1, chains=1, draws=10, progress=False)


@pytest.fixture(scope="module")
def approximation(survey):
    model = Relation(instrument="relational_capacity")
    frame = model.frame(survey)
    return engine.approximate(model, frame, model.structure(frame))


def test_effects_carry_the_uncertainty_of_their_covariances(approximation):
    """Var(effects) = their conditional variance + follow'·Var(θ)·follow, where the second part is large.

    Without item uncertainty and with well-known θ, so that nothing is curved: the sum is exact.
    """
    small = 1e-4 * approximation.theta_covariance
    follow = 100.0 * approximation.follow
    quiet = replace(
        approximation,
        theta_covariance=small,
        follow=follow,
        vector_covariance=1e-12 * np.eye(len(approximation.vector)),
    )
    _, _, effects = engine.draw(quiet, 20_000, np.random.default_rng(1))
    given = np.square(approximation.solution.posterior.spread)
    moved = np.einsum("pe,pq,qe->e", follow, small, follow)
    largest = np.argsort(moved / given)[-20:]
    assert (moved / given)[largest].min() > 0.02
    # 20,000 draws: a variance is known to 1 %.
    np.testing.assert_allclose(effects.var(axis=0)[largest], (given + moved)[largest], rtol=0.05)
    without = effects.var(axis=0)[largest] / given[largest]
    assert without.mean() > 1 + (moved / given)[largest].mean() / 2


def test_effects_means_are_those_over_all_that_their_covariances_may_be(approximation):
    """Beside means solved for at 300 other draws of θ, where the spread of six units is hardly known."""
    quiet = replace(approximation, vector_covariance=1e-12 * np.eye(len(approximation.vector)))
    _, _, effects = engine.draw(quiet, 20_000, np.random.default_rng(1))
    covariances, spread = approximation.covariances, approximation.solution.posterior.spread
    drawn = covariances.draw(
        approximation.theta, approximation.theta_covariance, 300, np.random.default_rng(2)
    )
    exact, first_order = [], []
    for theta, moved in zip(*drawn):
        solved = approximation.mixed.solve(covariances.matrices(theta), approximation.pseudo)
        exact.append(solved.posterior.mean)
        first_order.append(approximation.solution.posterior.mean + moved @ approximation.follow)
    # The exact ones beside these draws, less what their own first order part happens to be.
    beyond = np.array(exact) - first_order
    expected = approximation.solution.posterior.mean + beyond.mean(axis=0)
    error = np.sqrt(beyond.var(axis=0) * (1 / 300 + 1 / 64) + effects.var(axis=0) / 20_000)
    distance = (effects.mean(axis=0) - expected) / error
    assert np.sqrt(np.mean(distance**2)) < 1.5
    left_out = np.abs(beyond.mean(axis=0)) / spread
    assert np.quantile(left_out, 0.95) > 0.1, "to first order alone they would be further off than that"


def test_a_larger_unit_of_the_thresholds_goes_with_larger_effects(approximation):
    """Growth of the latent scale with the item parameters: the regression of log sd on them."""
    q = len(approximation.vector)
    loud = replace(
        approximation,
        theta_covariance=1e-12 * np.eye(len(approximation.theta)),
        vector_covariance=1e-4 * np.eye(q),
    )
    theta, vector, _ = engine.draw(loud, 4_000, np.random.default_rng(2))
    where = approximation.covariances.layout.slices["sd_rating"]
    moved = vector - approximation.vector
    found = np.linalg.lstsq(moved, theta[:, where] - approximation.theta[where], rcond=None)[0].T
    np.testing.assert_allclose(found, approximation.marginal.growth, atol=1e-3)
    # Thresholds that all lie 1 % further from where they are centred are a unit 1 % larger.
    location = approximation.items.values(approximation.vector)[1]
    item = approximation.items.item_of
    frame = approximation.mixed.design.frame
    for d in range(len(frame.dimensions)):
        stretch = np.zeros(q)
        here = frame.dimension_of_item[item] == d
        stretch[approximation.items.n_items :] = np.where(
            here, 0.01 * (location - location[here].mean()), 0.0
        )
        assert (approximation.marginal.growth @ stretch)[d] == pytest.approx(0.01, rel=0.5)


def test_spreads_near_nothing_do_not_go_round_in_circles():
    """Without secants this organisation's correlations swing between two places for ever."""
    instrument, waves = load_instrument("relational_capacity"), (Wave("w1"),)
    options = Simulation.model_validate(
        {
            "organisation": {"n_units": 12, "n_respondents": 150, "n_districts": 2},
            "nominations": {"partners": 5},
        }
    )
    tables = simulate(options, instruments={instrument.id: instrument}, waves=waves, seed=4).tables
    survey = read_survey(tables, instruments=[instrument], waves=waves)
    model = Relation(instrument="relational_capacity")
    found = fit(model, survey, engine="fast", seed=1, chains=2, draws=50, progress=False)
    assert rows(found)["fast_settled"]
