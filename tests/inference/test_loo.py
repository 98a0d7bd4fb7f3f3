"""The integral over a person's own effects, against closed form and brute force."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from relcap_models.data import read_survey
from relcap_models.data.survey import Survey, Wave
from relcap_models.errors import FitError
from relcap_models.inference.fit import Fit
from relcap_models.inference.kept import KEPT_DIMS, coordinates
from relcap_models.inference.locations import rating_location, thinned
from relcap_models.inference.loo import LooResult, cross_validate, loo, refit_left_out, respondent_log_density
from relcap_models.inference.predictive_fit import predictive_fit
from relcap_models.models.families import log_likelihood
from relcap_models.models.relation import Relation
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate
from tests.models.conftest import make_survey, who_rates


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
    assert result.total == pytest.approx(float(result.elpd.sum()))
    assert result.se == pytest.approx(np.sqrt(result.elpd.size) * result.elpd.to_numpy().std())
    assert list(result.pareto_k["respondent"].to_numpy()) == list(small_fit.frame.respondents)
    assert result.n_bad == int((result.pareto_k > result.good_k).sum())
    # Predicting people who were in the fit is easier than predicting them left out.
    in_sample = logsumexp(respondent_log_density(small_fit, n_draws=100), axis=0).sum()
    assert result.total < in_sample - len(small_fit.frame.respondents) * np.log(100)
    assert result.p_loo > 0


def doubting(found: LooResult, positions: np.ndarray) -> LooResult:
    """As if leave-one-out had failed for these respondents and for no others."""
    large = np.where(np.isin(np.arange(found.elpd.size), positions), 2.0, 0.0)
    return replace(found, pareto_k=found.pareto_k.copy(data=large))


@pytest.mark.recovery
def test_refitting_without_a_respondent_replaces_what_weighting_cannot_give(small_fit):
    """Where weighting can be trusted, a fit without the respondents predicts them as leave-one-out says."""
    found = loo(small_fit)
    order = np.argsort(found.pareto_k.to_numpy())
    trusted = np.sort(order[:6])
    doubted = doubting(found, trusted)
    again = refit_left_out(small_fit, doubted, folds=2, progress=False)
    assert doubted.n_bad == 6
    assert again.n_bad == 0
    np.testing.assert_array_equal(np.flatnonzero(again.refitted), trusted)
    np.testing.assert_array_equal(again.pareto_k, doubted.pareto_k)
    others = np.setdiff1d(np.arange(len(order)), trusted)
    ours, theirs = again.elpd.to_numpy(), found.elpd.to_numpy()
    np.testing.assert_array_equal(ours[others], theirs[others])
    assert np.all(ours[trusted] != theirs[trusted])
    # Two other people are missing from a fold, and 300 draws of either fit have errors of their own.
    spread = respondent_log_density(small_fit, n_draws=300).std(axis=0)[trusted]
    assert np.all(np.abs(ours[trusted] - theirs[trusted]) < 0.3 + spread)
    assert again.p_loo == pytest.approx(found.p_loo + found.total - again.total)


def test_a_refit_has_not_seen_whom_it_predicts(small_fit):
    """The respondents who pull hardest are predicted worse by a fit without them than by one with them."""
    found = loo(small_fit)
    gain = (found.in_sample - found.elpd).to_numpy()
    hardest = np.argsort(gain)[-6:]
    again = refit_left_out(small_fit, doubting(found, hardest), folds=1, progress=False)
    lost = (found.in_sample - again.elpd).to_numpy()[hardest].sum()
    assert lost > gain[hardest].sum() / 2


def test_some_respondents_have_the_density_that_they_have_among_all(small_fit):
    asked = np.array([7, 2, 31])
    everybody = respondent_log_density(small_fit, n_draws=5)
    np.testing.assert_array_equal(
        respondent_log_density(small_fit, n_draws=5, people=asked), everybody[:, asked]
    )


def test_a_design_that_the_fast_engine_does_not_take_keeps_unreliable_weights():
    """Persons rate persons on one item: a relation's variance is the residual's."""
    people = [f"p{n}" for n in range(6)]
    others = {person: [other for other in people if other != person] for person in people}
    survey = make_survey(who_rates(people, others, respondents=1), (("a1", "a", 5),))
    fit = anywhere(Relation(instrument="scale"), survey, n_draws=30)
    assert fit.structure.relation == "residual"
    found = cross_validate(fit, progress=False)
    assert found.n_bad > 0
    assert not found.refitted.any()
    assert "fast engine" in found.not_refitted


def test_draws_that_are_not_finite_are_an_error(small_fit):
    broken = small_fit.posterior.copy(deep=True)
    broken["loading"][1, 3] = np.nan
    tree = xr.DataTree.from_dict({"posterior": broken})
    with pytest.raises(FitError, match=r"^1 of \d+ draws"):
        loo(replace(small_fit, tree=tree), n_draws=10**6)


def test_analyses_of_the_same_answers_are_compared_respondent_by_respondent(small_fit, tmp_path):
    people = {"respondent": ["a", "b", "c"]}

    def made(*elpd: float, refitted: tuple[bool, ...] = (False,) * 3, k: float = 0.1) -> LooResult:
        def of(values):
            return xr.DataArray(np.array(values), people, "respondent")

        return LooResult(of([0.0] * 3), of(elpd), of([k] * 3), of(refitted), good_k=0.7, n_draws=500)

    relation = Relation(instrument="relational_capacity")
    models = {
        "equal": relation.model_copy(update={"loadings": "equal"}),
        "free": relation,
        "numbers": Relation(instrument="relational_capacity", family="gaussian"),
    }
    left_out = {
        "equal": made(-4.0, -6.0, -8.0),
        "free": made(-3.0, -6.0, -7.5, refitted=(True, False, True), k=0.9),
        "numbers": made(-1.0, -1.0, -1.0),
    }
    table = predictive_fit(models, left_out).set_index("analysis")
    assert table.loc["equal", ["elpd", "p_loo"]].tolist() == [-18.0, 18.0]
    assert table.loc["free", ["n_kfold", "n_unreliable", "elpd_diff", "se_diff"]].tolist() == [2, 1, 0, 0]
    assert table.loc["equal", "elpd_diff"] == -1.5
    # Differences -1, 0, -.5 have the variance 1/6; three of them, √.5.
    assert table.loc["equal", "se_diff"] == pytest.approx(np.sqrt(0.5))
    assert np.isnan(table.loc["numbers", ["elpd_diff", "se_diff"]].astype(float)).all()
    left_out["free"].save(tmp_path)
    assert (tmp_path / "loo.csv").read_text(encoding="utf-8").splitlines()[1] == "a,-3.0,0.0,0.9,True"


def test_a_link_of_several_instruments_is_refused_with_their_names(small_fit):
    frame = replace(small_fit.frame, facets=("capacity", "leadership"))
    with pytest.raises(FitError, match=r"one instrument at a time.*capacity, leadership"):
        loo(replace(small_fit, frame=frame))
