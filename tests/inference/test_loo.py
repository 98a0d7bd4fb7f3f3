"""The integral over a person's own effects, against closed form and brute force."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from relcap_models.data import read_survey
from relcap_models.data.survey import Survey, Wave
from relcap_models.inference.fit import Fit
from relcap_models.inference.kept import KEPT_DIMS, coordinates
from relcap_models.inference.locations import rating_location, thinned
from relcap_models.inference.loo import loo, refit_left_out, respondent_log_density
from relcap_models.models.families import log_likelihood
from relcap_models.models.relation import Relation
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate


@pytest.fixture(scope="module")
def two_waves() -> Survey:
    """People who rate the same units twice: effects of respondent, wave, target and rating, which cross."""
    instrument = load_instrument("relational_capacity")
    options = Simulation.model_validate(
        {
            "organisation": {"n_units": 5, "n_respondents": 20, "n_districts": 1, "strategic_units": 0},
            "nominations": {"partners": 2},
        }
    )
    waves = (Wave("w1"), Wave("w2"))
    tables = simulate(options, instruments={instrument.id: instrument}, waves=waves, seed=5).tables
    return read_survey(tables, instruments=[instrument], waves=waves)


def anywhere(model: Relation, survey: Survey, *, n_draws: int = 2) -> Fit:
    """A fit whose draws are arbitrary points: what is tested holds for any of them."""
    frame = model.frame(survey)
    structure = model.structure(frame)
    density = model.density(frame)
    rng = np.random.default_rng(1)
    start = density.layout.start(rng)
    points = [density.report(start + rng.normal(0, 0.3, len(start))) for _ in range(n_draws)]
    posterior = xr.Dataset(
        {name: (("chain", "draw", *KEPT_DIMS[name]), [[p[name] for p in points]]) for name in points[0]},
        coords=coordinates(frame, structure),
    )
    tree = xr.DataTree.from_dict({"posterior": posterior})
    return Fit(model, frame, structure, tree, {"seed": 1})


def person_covariance(fit: Fit, ratings: np.ndarray, s: int) -> np.ndarray:
    """(n·D, n·D) covariance of the latent ratings of one respondent, written out."""
    n_dimensions = len(fit.frame.dimensions)
    total = np.zeros((len(ratings) * n_dimensions,) * 2)
    for grouping in fit.structure.respondents:
        group = grouping.group_of_rating[ratings]
        total += np.kron(group[:, None] == group[None, :], fit.draws(f"cov_{grouping.name}")[s])
    return total


def test_gaussian_equals_the_multivariate_normal(two_waves):
    fit = anywhere(Relation(instrument="relational_capacity", family="gaussian"), two_waves)
    frame = fit.frame
    assert {"respondent", "respondent_wave", "respondent_target", "rating"} == set(fit.structure.within)
    found = respondent_log_density(fit, n_draws=2)
    location = rating_location(fit.draws, fit)
    for s in range(2):
        for person in range(len(frame.respondents)):
            ratings = np.flatnonzero(frame.respondent_of_rating == person)
            answers = np.flatnonzero(np.isin(frame.rating_of_response, ratings))
            item = frame.item_of_response[answers]
            at = np.searchsorted(ratings, frame.rating_of_response[answers])
            slot = at * 2 + frame.dimension_of_item[item]
            loading = fit.draws("loading")[s, item]
            eta = location[s, ratings].ravel()[slot]
            covariance = person_covariance(fit, ratings, s)[np.ix_(slot, slot)] * np.outer(loading, loading)
            covariance += np.diag(fit.draws("residual_sd")[s, item] ** 2)
            mean = fit.draws("intercept")[s, item] + loading * eta
            exact = multivariate_normal(mean, covariance).logpdf(frame.answer[answers])
            assert found[s, person] == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize(
    "options",
    [{"link": "probit"}, {"link": "logit"}, {"family": "partial_credit"}],
    ids=["probit", "logit", "partial_credit"],
)
@pytest.mark.parametrize("waves", [1, 2])
def test_ordinal_families_equal_brute_force(survey, two_waves, options, waves):
    fit = anywhere(
        Relation(instrument="relational_capacity", **options), (survey, two_waves)[waves - 1], n_draws=1
    )
    frame = fit.frame
    found = respondent_log_density(fit, n_draws=1)[0]
    location = rating_location(thinned(fit, 1), fit)[0]
    rng = np.random.default_rng(2)
    n = 20_000
    compared = 0
    # Few ratings first; where the plain average has no useful error, the next person is taken.
    for person in np.argsort(np.bincount(frame.respondent_of_rating), kind="stable"):
        ratings = np.flatnonzero(frame.respondent_of_rating == person)
        noise = rng.multivariate_normal(
            np.zeros(2 * len(ratings)), person_covariance(fit, ratings, 0), size=n
        )
        total = np.zeros(n)
        for k, rating in enumerate(ratings):
            for m in np.flatnonzero(frame.rating_of_response == rating):
                i = frame.item_of_response[m]
                d = frame.dimension_of_item[i]
                steps = np.tile(fit.draws("threshold")[0, frame.item_of_threshold == i], (n, 1))
                eta = location[rating, d] + noise[:, 2 * k + d]
                answer = np.full(n, frame.answer[m])
                total += log_likelihood(fit.model.response, answer, fit.draws("loading")[0, i] * eta, steps)
        weight = np.exp(total - total.max())
        error = weight.std() / weight.mean() / np.sqrt(n)
        if error > 0.15:
            continue
        assert found[person] == pytest.approx(logsumexp(total) - np.log(n), abs=4 * error + 0.002)
        compared += 1
        if compared == 3:
            break
    assert compared == 3


def test_the_sum_and_its_parts_belong_together(small_fit):
    result = loo(small_fit, n_draws=100)
    assert result.n_draws == 100
    assert result.good_k == pytest.approx(0.5)  # 1 − 1/log10(100)
    assert result.elpd == pytest.approx(float(result.elpd_respondent.sum()))
    assert list(result.pareto_k["respondent"].to_numpy()) == list(small_fit.frame.respondents)
    assert result.n_bad == int((result.pareto_k > result.good_k).sum())
    # Predicting people who were in the fit is easier than predicting them left out.
    in_sample = logsumexp(respondent_log_density(small_fit, n_draws=100), axis=0).sum()
    assert result.elpd < in_sample - len(small_fit.frame.respondents) * np.log(100)
    assert result.p_loo > 0


@pytest.mark.recovery
def test_refitting_without_a_respondent_replaces_what_weighting_cannot_give(small_fit):
    """Where weighting can be trusted, a fit without the respondents predicts them as leave-one-out says."""
    found = loo(small_fit)
    order = np.argsort(found.pareto_k.to_numpy())
    trusted = sorted(order[:6])
    doubted = found.pareto_k.copy(data=np.where(np.isin(np.arange(len(order)), trusted), 2.0, 0.0))
    again = refit_left_out(small_fit, replace(found, pareto_k=doubted), folds=2, progress=False)
    assert again.n_bad == 0
    others = np.setdiff1d(np.arange(len(order)), trusted)
    ours, theirs = again.elpd_respondent.to_numpy(), found.elpd_respondent.to_numpy()
    np.testing.assert_array_equal(ours[others], theirs[others])
    assert np.all(ours[trusted] != theirs[trusted])
    # Two other people are missing from a fold, and 200 draws of either fit have errors of their own.
    spread = respondent_log_density(small_fit, n_draws=200).std(axis=0)[trusted]
    assert np.all(np.abs(ours[trusted] - theirs[trusted]) < 0.3 + spread)
    assert again.elpd == pytest.approx(ours.sum())
    in_sample = found.elpd + found.p_loo
    assert again.elpd + again.p_loo == pytest.approx(in_sample)


@pytest.mark.recovery
def test_a_refit_has_not_seen_whom_it_predicts(small_fit):
    """The respondents who pull hardest are predicted worse by a fit without them than by one with them."""
    found = loo(small_fit)
    seen = respondent_log_density(small_fit, n_draws=found.n_draws)
    in_sample = logsumexp(seen, axis=0) - np.log(len(seen))
    gain = in_sample - found.elpd_respondent.to_numpy()
    hardest = np.argsort(gain)[-6:]
    doubted = found.pareto_k.copy(data=np.where(np.isin(np.arange(len(gain)), hardest), 2.0, 0.0))
    again = refit_left_out(small_fit, replace(found, pareto_k=doubted), folds=1, progress=False)
    lost = (in_sample - again.elpd_respondent.to_numpy())[hardest].sum()
    assert lost > gain[hardest].sum() / 2
