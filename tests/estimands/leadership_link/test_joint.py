"""Figures of the joint link against plain algebra on the same draws, and against refits."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.stats import multivariate_normal

import relcap_models as rc
from relcap_models.data import read_survey
from relcap_models.data.survey import Wave
from relcap_models.estimands.leadership_link.joint import _share, joint_link_table, rise
from relcap_models.estimands.leadership_link.paths import link_path_table
from relcap_models.estimands.leadership_link.sensitivity import (
    link_sensitivity_table,
    robustness_value,
    unit_log_densities,
    weights_without_each,
)
from relcap_models.estimands.leadership_link.unit_latents import (
    covariance_over_waves,
    rating_variance,
    stable_effects,
    unit_effects,
    unit_latents,
)
from relcap_models.estimands.leadership_link.units import link_unit_table
from relcap_models.inference.unit_model import Measured
from relcap_models.models import LeadershipLink
from relcap_models.models.story import _stable_and_within
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate

NAMES = ("relational_capacity", "psychological_safety", "relational_leadership")


@pytest.fixture(scope="module")
def survey():
    instruments = {name: load_instrument(name) for name in NAMES}
    waves = tuple(Wave(f"w{k}") for k in (1, 2, 3))
    options = Simulation.model_validate(
        {
            "organisation": {"n_units": 16, "n_respondents": 130, "n_districts": 2},
            "nominations": {"partners": 4},
            "climate": {"paths": [{"source": NAMES[2], "to": "target", "coefficient": 0.6}]},
        }
    )
    tables = simulate(options, instruments=instruments, waves=waves, seed=4).tables
    return read_survey(tables, instruments=instruments, waves=waves)


@pytest.fixture(scope="module")
def fit(survey):
    return rc.fit(LeadershipLink(), survey, engine="fast", seed=1, chains=2, draws=300, progress=False)


def test_slopes_are_those_of_least_squares_on_the_same_covariance(fit):
    """Regressing infinitely many units with that covariance: normal equations, draw by draw."""
    for latents in unit_latents(fit):
        found = latents.slopes("target", (NAMES[2], "perceiver"))
        places = [latents.names.index(name) for name in (NAMES[2], "perceiver", "target")]
        for s in (0, 7, 300):
            root = np.linalg.cholesky(latents.covariance[s][np.ix_(places, places)])
            units = np.sqrt(3) * root.T
            expected = np.linalg.lstsq(units[:, :2], units[:, 2], rcond=None)[0]
            np.testing.assert_allclose(found[s], expected, atol=1e-8)


def test_levels_are_the_parts_of_the_covariance_over_waves(fit):
    """The story's covariance of three waves: what waves share, and the mean of what each has beside it."""
    between, within = unit_latents(fit)
    P = len(between.names)
    s = 3
    values = {name: fit.draws(name)[s] for name in fit.posterior if name.startswith(("sd_unit", "lagged"))}
    drawn = {name: fit.draws(name)[s] for name in fit.posterior if name.startswith("corr_unit")}
    whole = _stable_and_within(values | drawn, 3)
    np.testing.assert_allclose(covariance_over_waves(fit)[s], whole, atol=1e-12)
    blocks = [whole[w * P : (w + 1) * P, w * P : (w + 1) * P] for w in range(3)]
    np.testing.assert_allclose(np.mean(blocks, axis=0), between.covariance[s] + within.covariance[s])
    sd = fit.draws("sd_unit_stable")[s]
    np.testing.assert_allclose(between.covariance[s], fit.draws("corr_unit_stable")[s] * np.outer(sd, sd))


def test_stable_parts_are_drawn_given_effects_in_all_waves(fit):
    """With the covariance of one draw, mean and spread are those that its inverse tells."""
    s, n = 11, 4000
    one = fit.tree["posterior"].to_dataset().isel(chain=[0], draw=[s])
    many = replace(fit, tree=xr.DataTree.from_dict({"posterior": one.isel(draw=np.zeros(n, dtype=int))}))
    found = stable_effects(many, np.random.default_rng(5))
    effects = unit_effects(fit)[s]
    stable = unit_latents(fit)[0].covariance[s]
    P, (U, W) = len(stable), effects.shape[:2]
    # Of (stable part, effects in all waves), one normal vector.
    whole = np.block([[stable, np.tile(stable, W)], [np.tile(stable, W).T, covariance_over_waves(fit)[s]]])
    precision = np.linalg.inv(whole)
    left = np.linalg.inv(precision[:P, :P])
    mean = -effects.reshape(U, -1) @ precision[:P, P:].T @ left
    sd = np.sqrt(np.diag(left))
    # 4,000 draws of 16 units: means to .016 sd each, the largest of 64 within four such errors.
    np.testing.assert_allclose((found.mean(axis=0) - mean) / sd, 0.0, atol=0.065)
    pooled = np.einsum("sui,suj->ij", found - mean, found - mean) / (n * U)
    np.testing.assert_allclose(pooled / np.outer(sd, sd), left / np.outer(sd, sd), atol=0.03)


def test_paths_add_up(fit):
    table = link_path_table(fit, ci_prob=0.9)
    latent = table[(table["scale"] == "latent") & (table["path"] != "lagged")]
    for _, rows in latent.groupby(["adjusted", "level"]):
        mean = rows.set_index("path")["mean"]
        assert mean["total"] == pytest.approx(mean["direct"] + mean["indirect"])
    # The indirect effect is a product in every draw.
    for latents in unit_latents(fit):
        total = latents.slopes("target", (NAMES[2],))[:, 0]
        both = latents.slopes("target", (NAMES[2], NAMES[1]))
        first = latents.slopes(NAMES[1], (NAMES[2],))[:, 0]
        np.testing.assert_allclose(total - both[:, 0], first * both[:, 1], atol=1e-10)


def test_lagged_effects_stand_in_the_row_of_what_they_act_on(fit):
    table = link_path_table(fit, ci_prob=0.9)
    lagged = table[table["path"] == "lagged"].set_index(["predictor", "outcome"])["mean"]
    roles = list(fit.structure.roles)
    mean = fit.draws("lagged").mean(axis=0)
    expected = mean[roles.index("target"), roles.index(NAMES[2])]
    assert lagged[NAMES[2], NAMES[0]] == pytest.approx(expected)
    assert len(lagged) == len(roles) ** 2


def test_a_rise_in_points_is_that_of_simulated_raters(fit):
    """Answers of many raters drawn from the model, on either side of the average."""
    rng = np.random.default_rng(2)
    change = np.full(fit.n_chains * fit.n_draws, 0.7)
    points, favourable = rise(fit, 0, change)
    s, n = 5, 400_000
    frame = fit.frame
    items = np.flatnonzero(frame.latent_of_item == 0)
    spread = np.sqrt(rating_variance(fit, 0)[s] - 0.49)
    weight = (
        np.bincount(frame.wave_of_rating[frame.facet_of_rating == 0]) / (frame.facet_of_rating == 0).sum()
    )
    centre = fit.draws("mu_facet")[s, :, 0] @ weight
    means = []
    for side in (-0.35, 0.35):
        eta = centre + side + spread * rng.standard_normal(n)
        answers = []
        for i in items:
            cuts = fit.draws("threshold")[s, frame.first_threshold[i] :][: frame.n_categories[i] - 1]
            latent = fit.draws("loading")[s, i] * eta + rng.standard_normal(n)
            answers.append((latent[:, None] > cuts).sum(axis=1))
        answers = np.array(answers)
        share = (answers >= frame.favourable_category[items][:, None]).mean()
        means.append((answers.mean(), share))
    # 400,000 raters of six items: standard error about .002 points and .0008.
    assert points[s] == pytest.approx(means[1][0] - means[0][0], abs=0.01)
    assert favourable[s] == pytest.approx(means[1][1] - means[0][1], abs=0.004)


def test_chances_are_shares_of_the_draws_in_points(fit):
    table = joint_link_table(fit, ci_prob=0.9, smallest=0.05, seed=1)
    points = table[(table["scale"] == "points") & ~table["adjusted"]]
    for latents in unit_latents(fit):
        slope = latents.slopes("target", (NAMES[2],))[:, 0]
        moved = rise(fit, 0, slope * latents.sd(NAMES[2]))[0]
        rows = points[(points["level"] == latents.level) & (points["predictor"] == NAMES[2])]
        assert rows["prob_smallest"].iloc[0] == pytest.approx((moved > 0.05).mean())
        assert rows["prob_rope"].iloc[0] == pytest.approx((np.abs(moved) < 0.05).mean())
        assert rows["mean"].iloc[0] == pytest.approx(moved.mean())


def test_the_priors_share_is_a_ratio_of_squared_widths():
    rng = np.random.default_rng(3)
    prior = rng.normal(size=100_000)
    assert _share(prior / 2, prior, 0.9) == pytest.approx(0.25, rel=1e-6)
    assert _share(3 * prior, prior, 0.9) == 1.0


def test_units_lie_where_their_effects_put_them(fit):
    table = link_unit_table(fit, ci_prob=0.9)
    rows = table[table["predictor"] == NAMES[2]].set_index("unit")
    effect = fit.draws("staff_effect")[:, :, :, 0].mean(axis=(0, 2))
    order = rows["predictor_mean"].reindex(list(fit.frame.units)).dropna()
    kept = [fit.frame.units.index(unit) for unit in order.index]
    assert np.corrcoef(order, effect[kept])[0, 1] > 0.99
    assert (rows["n_staff"] > 0).all()


def test_robustness_values_are_those_of_the_source():
    """Cinelli & Hazlett (2020), Darfur: a partial R² of 2.2 % has the robustness value 13.9 %."""
    assert robustness_value(np.array([0.0218]))[0] == pytest.approx(0.1388, abs=1e-3)
    assert robustness_value(np.array([0.0]))[0] == 0.0


def test_units_weigh_by_the_density_of_what_is_measured_of_them():
    """Up to a constant, scipy's normal density with the covariance of units plus that of their errors."""
    rng = np.random.default_rng(4)
    roots, errors = rng.normal(size=(5, 3, 3)), rng.normal(size=(6, 3, 3))
    covariance, noise = (x @ x.transpose(0, 2, 1) + 0.2 * np.eye(3) for x in (roots, errors))
    value = rng.normal(size=(6, 3))
    known = Measured(tuple("abcdef"), tuple("xyz"), value, np.linalg.inv(noise))
    found = unit_log_densities(covariance, known)
    expected = [[multivariate_normal(cov=c + e).logpdf(v) for v, e in zip(value, noise)] for c in covariance]
    difference = found - np.array(expected)
    np.testing.assert_allclose(difference, difference[0, 0], atol=1e-10)


def test_leaving_a_unit_out_by_weights_comes_near_to_leaving_it_out(survey):
    one_wave = replace(
        survey, responses=survey.responses[survey.responses["wave"] == "w1"].reset_index(drop=True)
    )
    model = LeadershipLink(safety=None)
    settings = {"engine": "fast", "seed": 1, "chains": 2, "draws": 1000, "progress": False}
    whole = rc.fit(model, one_wave, **settings)
    table = link_sensitivity_table(whole, {}, ci_prob=0.9)
    rows = table[(table["check"] == "unit_left_out") & ~table["adjusted"]]
    ends = rows.set_index("detail")["mean"]
    refitted = []
    answers = one_wave.responses
    for unit in whole.frame.units:
        gone = (answers["rater_unit"].astype(str) == unit) | (answers["target_unit"].astype(str) == unit)
        fitted = rc.fit(model, replace(one_wave, responses=answers[~gone].reset_index(drop=True)), **settings)
        refitted.append(unit_latents(fitted)[0].slopes("target", (NAMES[2],)).mean())
    sd = unit_latents(whole)[0].slopes("target", (NAMES[2],)).std()
    # The unit is gone as a rater too, and weights are noisy: half a posterior sd.
    assert ends["lowest"] == pytest.approx(min(refitted), abs=0.5 * sd)
    assert ends["highest"] == pytest.approx(max(refitted), abs=0.5 * sd)


def test_the_slope_within_hangs_on_a_unit_as_a_fit_without_it_says(fit, survey):
    """Of the unit on which it hangs most; all its answers are gone, of all waves."""
    weights = weights_without_each(fit)
    np.testing.assert_allclose(weights.sum(axis=0), 1.0)
    slope = unit_latents(fit)[1].slopes("target", (NAMES[2],))[:, 0]
    moved = slope @ weights - slope.mean()
    most = int(np.abs(moved).argmax())
    rows = link_sensitivity_table(fit, {}, ci_prob=0.9)
    rows = rows[(rows["check"] == "unit_left_out") & (rows["level"] == "within") & ~rows["adjusted"]]
    ends = rows.set_index("detail")["mean"]
    assert ends["lowest"] == pytest.approx(slope.mean() + moved.min())
    assert ends["highest"] == pytest.approx(slope.mean() + moved.max())
    answers, unit = survey.responses, fit.frame.units[most]
    gone = (answers["rater_unit"].astype(str) == unit) | (answers["target_unit"].astype(str) == unit)
    without = replace(survey, responses=answers[~gone].reset_index(drop=True))
    refitted = rc.fit(LeadershipLink(), without, engine="fast", seed=1, chains=2, draws=300, progress=False)
    expected = unit_latents(refitted)[1].slopes("target", (NAMES[2],)).mean()
    # A quarter of a posterior sd, of which 600 draws by weights and 600 of the fit leave a tenth open.
    assert slope.mean() + moved[most] == pytest.approx(expected, abs=0.25 * slope.std())
    assert abs(moved[most]) > 0.25 * slope.std()
