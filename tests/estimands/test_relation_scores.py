"""Relation scores against the simulator's truth, brute force, and hand."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.data import read_survey
from relcap_models.estimands import relation_score_table, relation_scores
from relcap_models.models import Relation
from tests.estimands.factory import INSTRUMENT, case_fit, make_fit, simulated_survey, true_fit
from tests.models.conftest import make_instrument

FAMILIES = {
    "probit": {"family": "cumulative", "link": "probit"},
    "logit": {"family": "cumulative", "link": "logit"},
    "partial_credit": {"family": "partial_credit"},
    "gaussian": {"family": "gaussian"},
}
CELL = ["wave", "rater_unit", "target_unit", "dimension"]


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_at_the_true_effects_are_the_simulators_true_scores(family):
    options = FAMILIES[family]
    simulated, survey = simulated_survey({"relations": {**options, "sd_respondent": 0.8}}, n_waves=2)
    fit = true_fit(simulated, survey, Relation(instrument=INSTRUMENT, **options))
    table = relation_score_table(relation_scores(fit), survey, ci_prob=0.9, k=3)
    both = table.merge(simulated.truth["relation_scores"], on=CELL, validate="one_to_one")
    assert len(both) == len(table) > 0
    np.testing.assert_allclose(both["mean"], both["score"], atol=1e-6)
    np.testing.assert_allclose(both["mean_unit_adjusted"], both["score_unit_adjusted"], atol=1e-6)
    if family != "gaussian":  # there the simulator leaves rounding out and the model does not
        np.testing.assert_allclose(both["favourable_mean"], both["favourable"], atol=1e-6)
    assert (both["score"] - both["score_unit_adjusted"]).abs().max() > 0.05


@pytest.mark.parametrize("family", FAMILIES)
def test_a_score_is_the_mean_answer_of_many_imagined_respondents(family):
    """DESIGN.md's story told 200,000 times for one relation: 5 Monte Carlo standard errors."""
    options = FAMILIES[family]
    simulated, survey = simulated_survey({"relations": options})
    fit = true_fit(simulated, survey, Relation(instrument=INSTRUMENT, **options))
    found = relation_scores(fit)
    x, frame = 4, fit.frame
    relation, n = found.relation[x], 200_000
    rng = np.random.default_rng(3)
    rater, target = frame.rater_of_relation[relation], frame.target_of_relation[relation]
    eta = np.broadcast_to(
        fit.draws("mu")[0, 0]
        + fit.draws("perceiver_effect")[0, rater, 0]
        + fit.draws("target_effect")[0, target, 0]
        + fit.draws("relation_effect")[0, relation, 0],
        (n, len(frame.dimensions)),
    )
    for name in ("cov_respondent", "cov_rating"):
        eta = eta + rng.multivariate_normal(np.zeros(eta.shape[1]), fit.draws(name)[0], size=n)
    answers = np.empty((n, len(frame.items)))
    for i, d in enumerate(frame.dimension_of_item):
        linear = fit.draws("loading")[0, i] * eta[:, d]
        start = frame.first_threshold[i]
        if family == "gaussian":
            value = fit.draws("intercept")[0, i] + linear
            answers[:, i] = value + fit.draws("residual_sd")[0, i] * rng.standard_normal(n)
            continue
        cuts = fit.draws("threshold")[0, start : start + frame.n_categories[i] - 1]
        if family == "partial_credit":
            weight = np.exp(np.cumsum(linear[:, None] - cuts, axis=1))
            share = np.column_stack([np.ones(n), weight]) / (1 + weight.sum(axis=1, keepdims=True))
            answers[:, i] = (rng.random(n)[:, None] > np.cumsum(share, axis=1)).sum(axis=1)
        else:
            noise = rng.standard_normal(n) if family == "probit" else rng.logistic(size=n)
            answers[:, i] = ((linear + noise)[:, None] > cuts).sum(axis=1)
    points = answers + frame.minimum_of_item
    favourable = points > 3.5
    for q in range(len(frame.dimensions) + 1):
        items = np.flatnonzero(frame.dimension_of_item == q) if q < len(frame.dimensions) else slice(None)
        for values, score in (
            (points[:, items].mean(axis=1), found.scores.points[0, x, q]),
            (favourable[:, items].mean(axis=1), found.scores.favourable[0, x, q]),
        ):
            assert abs(values.mean() - score) < 5 * values.std() / np.sqrt(n)


def test_table_begins_as_the_contract_says():
    fit, survey = case_fit("one wave, own ratings")
    table = relation_score_table(relation_scores(fit), survey, ci_prob=0.9, k=2)
    head = (
        "analysis,wave,rater_unit,target_unit,dimension,mean,sd,lower,upper,ci_prob,naive_mean,"
        "n_respondents,n_ratings,suppressed"
    )
    assert ",".join(table.columns[:14]) == head
    assert not (table["rater_unit"] == table["target_unit"]).any()
    ranked = table["rank_lower"].notna()
    assert (ranked == (table["dimension"] == "overall")).all()


def by_hand(nominations: tuple = ()):
    """Three units; p rates q with two people, item a2 is reversed, a1 to a2 are dimension a, b1 is b."""
    instrument = make_instrument((("a1", "a", 5), ("a2", "a", 5), ("b1", "b", 5)), reversed_items=("a2",))
    rows = [
        ("w1", "p_1", "p", "q", "scale", "a1", 5),
        ("w1", "p_1", "p", "q", "scale", "a2", 1),
        ("w1", "p_2", "p", "q", "scale", "a1", 2),
        ("w1", "q_1", "q", "p", "scale", "a1", 3),
        ("w1", "q_1", "q", "p", "scale", "b1", 4),
        ("w1", "r_1", "r", "p", "scale", "a2", 4),
        ("w1", "r_2", "r", "p", "scale", "b1", 5),
    ]
    head = ["wave", "respondent_id", "rater_unit", "target_unit", "instrument", "item", "value"]
    units = pd.DataFrame({"unit_id": list("pqr"), "name": list("pqr")})
    tables = {"responses": pd.DataFrame(rows, columns=head), "units": units}
    if nominations:
        tables["nominations"] = pd.DataFrame(
            [(*row, 1.0) for row in nominations], columns=["wave", "rater_unit", "target_unit", "importance"]
        )
    survey = read_survey(tables, instruments=(instrument,))
    model = Relation(instrument="scale")
    frame = model.frame(survey)
    density = model.density(frame)
    world = density.report(np.zeros(density.layout.size))
    return make_fit(model, survey, [world, world]), survey


def test_naive_means_by_hand_with_a_reversed_item():
    """p→q, dimension a: 5, 6 − 1 = 5 and 2, mean 4, two of three favourable (5 and up); b has no answer.

    r→p, dimension a: 6 − 4 = 2 by one person; overall (2 + 5)/2 = 3.5 by two.
    """
    fit, survey = by_hand()
    table = relation_score_table(relation_scores(fit), survey, ci_prob=0.9, k=3)
    rows = table.set_index(["rater_unit", "target_unit", "dimension"])
    naive = ["naive_mean", "naive_favourable", "n_respondents", "n_ratings"]
    assert rows.loc[("p", "q", "a"), naive].tolist() == pytest.approx([4, 2 / 3, 2, 2])
    assert rows.loc[("r", "p", "a"), naive].tolist() == pytest.approx([2, 0, 1, 1])
    assert rows.loc[("r", "p", "overall"), naive].tolist() == pytest.approx([3.5, 0.5, 2, 2])
    empty = rows.loc[("p", "q", "b"), naive]
    assert empty[:2].isna().all()
    assert empty[2:].tolist() == [0, 0]
    assert np.isfinite(rows["mean"]).all()


def test_asynchronous_relations_are_those_that_one_side_nominates():
    fit, survey = by_hand((("w1", "p", "q"), ("w1", "r", "p"), ("w1", "p", "r")))
    table = relation_score_table(relation_scores(fit), survey, ci_prob=0.9, k=3)
    flags = table.drop_duplicates(["rater_unit", "target_unit"]).set_index(["rater_unit", "target_unit"])
    assert flags["asynchronous"].to_dict() == {("p", "q"): True, ("q", "p"): True, ("r", "p"): False}


def test_nominations_by_nobody_leave_asynchronous_blank():
    fit, survey = by_hand()
    table = relation_score_table(relation_scores(fit), survey, ci_prob=0.9, k=3)
    assert table["asynchronous"].isna().all()
