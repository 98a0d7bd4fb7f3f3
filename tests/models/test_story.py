"""The story in plain NumPy, and what the priors imply."""

import numpy as np
import pytest

from relcap_models.models import Priors, covariance
from relcap_models.models.density_covariance import StableAndWithin
from relcap_models.models.prior_predictive import draw_correlation, draw_parameters, prior_predictive
from relcap_models.models.story import _stable_and_within


def test_every_design_can_be_told_from_its_priors(case):
    found = prior_predictive(case.model, case.frame, n=2, seed=1)
    for world in found.worlds:
        assert world.answer.shape == case.frame.answer.shape
        assert np.isfinite(world.eta).all()
        if case.model.family != "gaussian":
            assert (
                (world.answer >= 0) & (world.answer < case.frame.n_categories[case.frame.item_of_response])
            ).all()


def test_story_keeps_the_effects_that_a_fit_keeps(case):
    parameters = draw_parameters(case.model, case.frame, np.random.default_rng(1))
    world = case.model.simulate(parameters, case.frame, np.random.default_rng(2))
    kept = case.density.report(case.point(1))
    for name, value in kept.items():
        if name.endswith("_effect"):
            assert world.effects[name].shape == value.shape, name
    assert set(world.effects) == {name for name in kept if name.endswith("_effect")}


def test_effects_have_the_covariances_they_are_drawn_from(case_named):
    case = case_named("three waves, districts")
    rng = np.random.default_rng(3)
    parameters = draw_parameters(case.model, case.frame, rng)
    parameters |= {
        "sd_relation": np.array([1.0, 2.0]),
        "dyadic_reciprocity": np.array([0.6, -0.5]),
        "stability_relation": np.asarray(0.5),
        "memory_relation": np.asarray(0.4),
    }
    worlds = [case.model.simulate(parameters, case.frame, rng) for _ in range(400)]
    effect = np.stack([world.effects["relation_effect"] for world in worlds])
    first = np.flatnonzero(case.frame.partner_of_relation > np.arange(case.frame.n_relations))
    there, back = effect[:, first], effect[:, case.frame.partner_of_relation[first]]
    # 400 worlds × 9 pairs: standard errors of a correlation about 1/√3600 = 0.017; centring takes about 1/9.
    for d, reciprocity in enumerate((0.6, -0.5)):
        difference = (there - back)[..., d].std() ** 2 / 2
        assert difference == pytest.approx((1, 4)[d] * (1 - reciprocity), rel=0.15)
    # Over waves 1 and 3: stability + (1 − stability) · memory².
    apart = (there - back)[..., 0]
    lag = np.corrcoef(apart[:, :, 0].ravel(), apart[:, :, 2].ravel())[0, 1]
    assert lag == pytest.approx(0.5 + 0.5 * 0.4**2, abs=0.07)


def test_default_priors_expect_what_their_docstring_says(survey_of):
    from relcap_models.models import Relation

    units = [f"u{i:02d}" for i in range(15)]
    ratings = [
        ("w1", f"{unit}_{r}", unit, units[(i + step) % 15])
        for i, unit in enumerate(units)
        for r in range(6)
        for step in (0, 1, 2, 3, -1, -2, -3)
    ]
    items = [(f"{d}{i}", d, 5) for d in "ab" for i in range(3)]
    model = Relation(instrument="scale")
    summary = prior_predictive(model, model.frame(survey_of(ratings, items)), n=100, seed=2).summary
    median = summary.median()
    # 100 worlds: the median of each moves by about 5 % of its value between seeds.
    assert median["sd_unit_means"] == pytest.approx(0.36, rel=0.2)
    assert median["sd_scores"] == pytest.approx(0.57, rel=0.15)
    assert median["share_between"] == pytest.approx(0.36, rel=0.2)
    assert median["top"] == pytest.approx(0.24, rel=0.15)


def test_prior_draws_and_density_mean_the_same_correlations():
    """Two roles with three dimensions: dimensions of a role correlate around .5, roles around 0."""
    rng, priors, n, size = np.random.default_rng(4), Priors(), 3000, 6
    column = np.tril_indices(size, k=-1)[1]
    shape = priors.correlation + (size - 2 - column) / 2
    root = covariance.reference_root(2, 3, priors.dimension_correlation)
    sampled, drawn = np.empty((2, n, size, size))
    for s in range(n):
        lkj = covariance.correlation_factor(2 * rng.beta(shape, shape) - 1, size)
        factor = covariance.centred_correlation(root, lkj)[2]
        sampled[s] = factor @ factor.T
        drawn[s] = draw_correlation(2, 3, priors, rng)
    error = np.sqrt((sampled.var(axis=0) + drawn.var(axis=0)) / n)
    off = ~np.eye(size, dtype=bool)
    assert (np.abs(sampled.mean(axis=0) - drawn.mean(axis=0))[off] < 4 * error[off]).all()
    assert drawn.std(axis=0)[off] == pytest.approx(sampled.std(axis=0)[off], rel=0.06)
    within = np.kron(np.eye(2), np.ones((3, 3))).astype(bool) & off
    assert np.median(sampled, axis=0)[within] == pytest.approx(0.5, abs=0.03)
    assert sampled.mean(axis=0)[~within & off] == pytest.approx(0.0, abs=0.03)


@pytest.mark.parametrize("n_waves", [2, 3, 4])
def test_story_and_density_mean_the_same_stable_and_changing_parts(n_waves):
    """The covariance over waves, once from the recursion of the density, once from all innovations."""
    roles = ("perceiver", "target", "leaders")
    rng, priors = np.random.default_rng(6), Priors()
    ours = StableAndWithin(roles, 1, n_waves, priors, 1.0)
    values = {p.name: rng.uniform(0.2, 0.8, p.shape) for p in ours.parameters}
    if n_waves > 2:
        values["lagged"] = rng.normal(0.0, 0.4, (3, 3))
    told = ours.report(values)
    parts = ("stable", "wave", "innovation")[: min(n_waves, 3)]
    drawn = {name: told[name] for part in parts for name in (f"sd_unit_{part}", f"corr_unit_{part}")}
    drawn |= {"lagged": values["lagged"]} if n_waves > 2 else {}
    np.testing.assert_allclose(ours.matrix(values), _stable_and_within(drawn, n_waves), atol=1e-12)
