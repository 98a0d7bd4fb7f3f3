"""What ratings say of themselves before any sampling."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from relcap_models.inference import fit
from relcap_models.inference.fast import marginal
from relcap_models.inference.geometry import observe_ratings
from relcap_models.models.rating_model import RatingModel
from tests.models.conftest import open_case


@pytest.mark.parametrize("name", ["one wave, own ratings", "partial credit, items with 2 and 4 categories"])
def test_higher_answers_are_observed_higher_and_more_answers_more_precisely(name):
    case = open_case(name)
    frame, observed = case.frame, case.observed
    value = np.linalg.solve(observed.precision, observed.shift[:, :, None])[:, :, 0]
    dimension = frame.dimension_of_item[frame.item_of_response]
    for d in range(len(frame.dimensions)):
        here = dimension == d
        count = np.bincount(frame.rating_of_response[here], minlength=frame.n_ratings)
        total = np.bincount(frame.rating_of_response[here], frame.answer[here], minlength=frame.n_ratings)
        whole = count == count.max()
        assert spearmanr(total[whole], value[whole, d]).statistic > 0.9
        precision = observed.precision[:, d, d]
        if (count < count.max()).any():
            assert np.median(precision[count < count.max()]) < np.median(precision[whole])


def test_gaussian_answers_are_observed_as_they_are():
    """One precision for every rating with all answers, and the location that they are the mean of."""
    case = open_case("gaussian, two waves")
    frame, observed = case.frame, case.observed
    count = np.zeros((frame.n_ratings, len(frame.items)), dtype=int)
    answer = np.zeros(count.shape)
    np.add.at(count, (frame.rating_of_response, frame.item_of_response), 1)
    np.add.at(answer, (frame.rating_of_response, frame.item_of_response), frame.answer)
    whole = (count == 1).all(axis=1)
    assert whole.sum() > 5
    precision = observed.precision[whole]
    np.testing.assert_allclose(precision, np.broadcast_to(precision[0], precision.shape), atol=1e-9)
    # Shifts are one linear function of the answers.
    design = np.column_stack([answer[whole], np.ones(whole.sum())])
    fitted = design @ np.linalg.lstsq(design, observed.shift[whole])[0]
    np.testing.assert_allclose(fitted, observed.shift[whole], atol=1e-6)


def test_where_relations_and_answers_are_one_there_is_nothing_to_observe():
    case = open_case("residual")
    assert observe_ratings(case.model, case.frame) is None


def test_where_marginal_likelihood_breaks_down_normal_scores_do(monkeypatch):
    """The sampler then starts as it would without: a singular matrix is no reason to refuse a survey."""
    case = open_case("climate")

    def breaks_down(*_):
        raise np.linalg.LinAlgError

    monkeypatch.setattr(marginal, "fit_marginal", breaks_down)
    assert observe_ratings(case.model, case.frame) is None
    fitted = fit(case.model, case.survey, seed=1, chains=1, draws=5, tune=20, progress=False)
    assert np.isfinite(fitted.draws("threshold")).all()


def test_the_sampler_is_given_what_is_observed(monkeypatch):
    """Without it draws would be as right, and several times dearer: nothing else would tell."""
    case = open_case("climate")
    given = []

    def density(model, frame, observed=None):
        given.append(observed)
        raise InterruptedError

    monkeypatch.setattr(RatingModel, "density", density)
    with pytest.raises(InterruptedError):
        fit(case.model, case.survey, seed=1, chains=1, draws=1, tune=1, progress=False)
    np.testing.assert_allclose(given[0].precision, case.observed.precision)
    np.testing.assert_allclose(given[0].shift, case.observed.shift)
