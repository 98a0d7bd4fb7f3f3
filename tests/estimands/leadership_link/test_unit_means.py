"""Unit means of the leadership link: by hand, and how far they are off against simulated truth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from relcap_models.estimands.leadership_link.mean_errors import error_covariances
from relcap_models.estimands.leadership_link.rating_scores import latent_scores, rating_scores
from relcap_models.estimands.leadership_link.unit_means import (
    PERCEIVER,
    fitted_unit_means,
    plain_unit_means,
    unit_covariates,
)
from relcap_models.models.information import PseudoObservations
from tests.estimands.leadership_link.worlds import design, linked, scored

CLIMATES = ("relational_leadership", "psychological_safety")


def ratings_of(frame, score):
    """The frame's ratings as a table."""
    return pd.DataFrame(
        {
            "facet": frame.facet_of_rating,
            "rater": frame.rater_of_rating,
            "target": frame.target_of_rating,
            "wave": frame.wave_of_rating,
            "respondent": frame.respondent_of_rating,
            "score": score,
        }
    )


@pytest.fixture(scope="module")
def case():
    """Random scores of ratings on a design of two waves."""
    _, frame = design(12, 6, 2)
    return frame, np.random.default_rng(3).normal(size=frame.n_ratings)


def test_scores_are_means_of_items_in_points_and_shares_of_favourable_answers():
    model, frame = design(8, 4, 1)
    scores = rating_scores(model, frame)
    answers = pd.DataFrame({"rating": frame.rating_of_response, "points": frame.answer + 1})
    points = answers.groupby("rating")["points"].mean()
    np.testing.assert_allclose(scores["points"], points)
    # The instruments' answers run from 1 to 5; 4 and 5 are favourable.
    share = (answers["points"] >= 4).groupby(answers["rating"]).mean()
    outcome = frame.facet_of_rating == 0
    np.testing.assert_allclose(scores["probability"][outcome], share[outcome])
    np.testing.assert_allclose(scores["probability"][~outcome], points[~outcome])
    assert list(scores) == ["latent", "points", "probability"]


def test_latent_scores_have_the_covariances_of_latent_ratings():
    """Half the observations say little: their weight is less, and covariances stay right."""
    _, frame = design(12, 6, 1)
    n = frame.n_ratings
    frame = replace(frame, facet_of_item=np.zeros(len(frame.items), dtype=int))
    rng = np.random.default_rng(8)
    slopes, shares = [], []
    for _ in range(50):
        unit = rng.normal(size=n)
        latent = 0.3 + unit + rng.normal(size=n)
        precision = np.where(np.arange(n) % 2, 4.0, 0.3)
        value = latent + rng.normal(size=n) / np.sqrt(precision)
        observed = PseudoObservations(precision[:, None, None], (precision * value)[:, None])
        score = latent_scores(frame, observed)
        slopes.append([np.cov(score, v)[0, 1] / np.var(v) for v in (latent, unit)])
        shares.append(np.corrcoef(score, latent)[0, 1] ** 2)
    error = np.std(slopes, axis=0) / np.sqrt(len(slopes))
    assert (np.abs(np.mean(slopes, axis=0) - 1) < 3 * error + 1e-3).all()
    # Reliabilities of the two halves with variance 2 are 8/9 and .375; unweighted values would have .53.
    best = (8 / 9 + 0.375) / 2
    assert np.mean(shares) == pytest.approx(best, abs=3 * np.std(shares) / np.sqrt(50) + 1e-3)


def test_plain_means_average_respondents_first_and_rater_units_then(case):
    frame, score = case
    means = plain_unit_means(frame, score)
    assert means.names == ("relational_capacity", *CLIMATES, PERCEIVER)
    table = ratings_of(frame, score)
    relations = table[table["facet"] == 0].groupby(["rater", "target", "wave"])["score"].mean()
    expected = {
        "relational_capacity": relations.groupby(["target", "wave"]).mean(),
        PERCEIVER: relations.groupby(["rater", "wave"]).mean(),
    }
    for facet, name in enumerate(CLIMATES, start=1):
        expected[name] = table[table["facet"] == facet].groupby(["target", "wave"])["score"].mean()
    for name, wanted in expected.items():
        found = pd.Series(means.value[:, means.names.index(name)], index=[means.unit, means.wave])
        pd.testing.assert_series_equal(found.dropna(), wanted, check_names=False, check_index_type=False)


def test_fitted_means_do_not_depend_on_who_rates_whom(case):
    """Where every rating is the sum of its ends, the ends come back, though each is rated by others."""
    frame, _ = case
    rng = np.random.default_rng(1)
    rater, target = rng.normal(size=(2, len(frame.units), 2))
    score = rater[frame.rater_of_rating, frame.wave_of_rating]
    score = score + target[frame.target_of_rating, frame.wave_of_rating]
    means = fitted_unit_means(frame, score)
    for name, truth in (("relational_capacity", target), (PERCEIVER, rater)):
        off = means.value[:, means.names.index(name)] - truth[means.unit, means.wave]
        for wave in range(2):
            assert np.nanstd(off[means.wave == wave]) < 1e-9
    assert means.notes == ()
    plain = plain_unit_means(frame, score).value[:, 0] - target[means.unit, means.wave]
    assert np.nanstd(plain) > 0.05


def test_units_that_no_relation_connects_are_left_out_and_counted(case):
    """Units 0 to 2 and all others keep to themselves."""
    frame, score = case
    few = np.arange(len(frame.units)) < 3
    crossing = few[frame.rater_of_rating] != few[frame.target_of_rating]
    means = fitted_unit_means(frame, np.where(crossing, np.nan, score))
    table = ratings_of(frame, score)[(frame.facet_of_rating == 0) & ~crossing]
    inside = table[few[table["rater"]]].drop_duplicates(["rater", "target", "wave"])
    assert means.notes == (f"{len(inside)} relations are not connected with the others and are left out",)
    assert np.isnan(means.value[few[means.unit]][:, [0, 3]]).all()
    assert np.isfinite(means.value[few[means.unit]][:, 1:3]).any()


@pytest.mark.parametrize("source", ["different", "same"])
def test_errors_of_unit_means_have_their_true_covariance(source):
    """100 surveys of the same kind: what means are off by, and what is estimated, agree on average.

    Of errors only deviations from their mean in a wave are looked at, for sides of relations have no zero;
    errors that units share count in both.
    """
    _, frame = design(12, 6, 2, source)
    world = linked(0.0)
    rng = np.random.default_rng(5)
    difference, shared = [], []
    for _ in range(100):
        answered, truth = world.answers_and_truth(frame, rng)
        score = scored(answered)
        means = fitted_unit_means(answered, score)
        rows = np.flatnonzero(np.isfinite(means.value).all(axis=1))
        alike = means.wave[rows][:, None] == means.wave[rows]
        centre = np.eye(len(rows)) - alike / alike.sum(axis=1)
        names = means.names
        error = centre @ (means.value - truth[means.unit, means.wave, : len(names)])[rows]
        maps = [centre @ means.maps[name][rows].toarray() for name in names]
        total = error_covariances(means, score).total
        estimate = [[((a @ total) * b).sum() for b in maps] for a in maps]
        shared.append(estimate[1][2] / len(rows))
        difference.append((error.T @ error - np.array(estimate)) / len(rows))
    spread = np.std(difference, axis=0) / np.sqrt(len(difference))
    assert (np.abs(np.mean(difference, axis=0)) < 3.5 * spread).all()
    assert np.mean(shared) > 5 * spread[1, 2]


def test_a_single_respondent_has_the_error_of_others_elsewhere(case):
    """Unit 0 keeps one respondent: its leadership mean is off by the spread of single ratings."""
    frame, score = case
    own = (frame.facet_of_rating == 1) & (frame.target_of_rating == 0)
    keep = np.flatnonzero(own)[:1]
    alone = np.where(own & ~np.isin(np.arange(len(own)), keep), np.nan, score)
    means = fitted_unit_means(frame, alone)
    total = error_covariances(means, alone).total
    table = ratings_of(frame, alone)
    table = table[table["facet"] == 1].dropna()
    cells = table.groupby(["target", "wave"])["score"]
    pooled = (cells.transform(lambda s: s - s.mean()) ** 2).sum() / (cells.count() - 1).sum()
    row = frame.wave_of_rating[keep[0]]
    weights = means.maps["relational_leadership"][[row]].toarray()[0]
    assert weights @ (total @ weights) == pytest.approx(pooled)


def test_what_own_staff_say_is_the_same_plain_and_fitted(case):
    frame, score = case
    plain, fitted = plain_unit_means(frame, score), fitted_unit_means(frame, score)
    assert plain.names == fitted.names
    np.testing.assert_array_equal(plain.value[:, 1:3], fitted.value[:, 1:3])


def test_attributes_of_units_are_found_whatever_facet_they_act_on():
    _, frame = design(8, 4, 1, covariates=("size",))
    found = unit_covariates(frame)
    assert found.shape == (8, 1)
    assert found.std(ddof=1) == pytest.approx(1.0, abs=1e-9)
    assert unit_covariates(design(8, 4, 1)[1]).shape == (8, 0)
