"""Reliability against hand, brute force, and reason."""

import numpy as np
import pytest

from relcap_models.estimands import reliability_table
from relcap_models.estimands.components import item_residual_variance, variance_components
from relcap_models.estimands.score_variance import latent_covariance, latent_scale, response_scale
from relcap_models.models import Relation
from relcap_models.models.families import draw_answers
from tests.estimands.factory import case_fit, make_fit
from tests.models.conftest import make_survey, ring, who_rates

UNITS = list("pqrstu")
ITEMS = (("a1", "a", 5), ("a2", "a", 3), ("b1", "b", 4), ("b2", "b", 3))
FAMILIES = {
    "probit": {"link": "probit"},
    "logit": {"link": "logit"},
    "partial_credit": {"family": "partial_credit"},
    "gaussian": {"family": "gaussian"},
}
SD = {"perceiver": (0.6, 0.5), "target": (0.7, 0.9), "relation": (0.8, 0.4)}
NOISE = {"respondent": (0.9, 0.7), "rating": (0.5, 0.6)}
CORRELATION = np.array([[1.0, 0.5], [0.5, 1.0]])


def covariance(sd):
    return CORRELATION * np.outer(sd, sd)


def known_fit(family):
    """Spreads as above; two dimensions that correlate by .5 in every effect."""
    model = Relation(instrument="scale", **FAMILIES[family])
    survey = make_survey(who_rates(UNITS, ring(UNITS)), ITEMS)
    world = {
        "mu": [[0.3, -0.2]],
        "sd_unit": [*SD["perceiver"], *SD["target"]],
        "corr_unit": np.kron(np.array([[1.0, 0.4], [0.4, 1.0]]), CORRELATION),
        "sd_relation": SD["relation"],
        "cov_relation": covariance(SD["relation"]),
        "loading": [1.25, 0.8, 1.6, 0.625],
    }
    world |= {f"cov_{name}": covariance(sd) for name, sd in NOISE.items()}
    if family == "gaussian":
        world |= {"intercept": [2.0, 1.0, 1.5, 1.0], "residual_sd": [0.8, 0.5, 0.6, 0.9]}
    else:
        world["threshold"] = [-1.6, -0.7, 0.4, 1.5, -0.8, 0.9, -1.2, 0.0, 1.0, -0.5, 1.1]
    return make_fit(model, survey, [world, world])


def test_relations_of_one_rater_unit_are_compared_only_where_a_unit_has_several():
    one = reliability_table(case_fit("each unit rates one other, two waves")[0], ci_prob=0.9)
    assert set(one["comparison"]) == {"all_relations"}
    several = reliability_table(case_fit("one wave, own ratings")[0], ci_prob=0.9)
    assert set(several["comparison"]) == {"all_relations", "within_rater_unit"}


def row(table, **labels):
    for name, value in labels.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_latent_reliability_by_hand():
    """Dimension a: S = .36 + .49 + .64 = 1.49; V = .81 + .25 = 1.06; two items, Σλ = 2.05, ψ = 1.

    E = 1.06 + 2/2.05² = 1.535907; at n = 4: 1.49/(1.49 + .383977) = .795101; without perceiver S = 1.13.
    .70 takes .7/.3 · 1.535907/1.49 = 2.405224 respondents.
    Overall: Σλ = 2.05 and 2.225, so a = (.5125, .55625).
    S = .262656·1.49 + .309414·1.22 + 2·.285078·.5·(.30 + .63 + .32) = 1.125191,
    E = .262656·1.06 + .309414·.85 + 2·.285078·.5·(.63 + .30) + 4/16 = 1.056540; at n = 1: .515733.
    """
    table = reliability_table(known_fit("probit"), ci_prob=0.9)
    latent = {"scale": "latent", "comparison": "all_relations"}
    found = row(table, **latent, dimension="a", n_respondents=4)
    assert found["mean"] == pytest.approx(0.795101, abs=1e-6)
    within = row(table, scale="latent", comparison="within_rater_unit", dimension="a", n_respondents=4)
    assert within["mean"] == pytest.approx(1.13 / (1.13 + 1.535907 / 4), abs=1e-6)
    needed = row(table, **latent, dimension="a", quantity="respondents_for_0.70")
    assert needed["mean"] == pytest.approx(2.405224, abs=1e-5)
    overall = row(table, **latent, dimension="overall", n_respondents=1)
    assert overall["mean"] == pytest.approx(0.515733, abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_response_scale_equals_two_respondents_who_answer_independently(family):
    """200,000 rater units, two relations each, each rated by two people who answer all items.

    The covariance of two people's scores of a relation is true variance; of two relations of a unit, the part
    that is held within it. Standard errors of these covariances are about .3 % of the total variance: 1.5 %.
    """
    fit, n = known_fit(family), 200_000
    rng = np.random.default_rng(5)
    world = {name: fit.draws(name)[0] for name in fit.posterior}

    def normal(sd):
        return rng.multivariate_normal(np.zeros(2), covariance(sd), size=n)

    perceiver = normal(SD["perceiver"])
    relations = [perceiver + normal(SD["target"]) + normal(SD["relation"]) for _ in range(2)]
    totals = []
    for relation in (relations[0], relations[0], relations[1]):
        eta = world["mu"][0] + relation + normal(NOISE["respondent"]) + normal(NOISE["rating"])
        answers = np.empty((n, 4))
        for i, d in enumerate(fit.frame.dimension_of_item):
            location = world["loading"][i] * eta[:, d]
            if family == "gaussian":
                answers[:, i] = location + world["residual_sd"][i] * rng.standard_normal(n)
            else:
                start = fit.frame.first_threshold[i]
                cuts = world["threshold"][start : start + fit.frame.n_categories[i] - 1]
                answers[:, i] = draw_answers(family, location, cuts, rng)
        totals.append(
            np.column_stack([answers[:, :2].mean(axis=1), answers[:, 2:].mean(axis=1), answers.mean(axis=1)])
        )
    found = response_scale(fit, latent_covariance(fit))
    for q in range(3):
        one, two, other = (scores[:, q] for scores in totals)
        total = one.var()
        true, held = np.cov(one, two)[0, 1], np.cov(one, other)[0, 1]
        assert found.true["all_relations"][0, q] == pytest.approx(true, abs=0.015 * total)
        assert found.true["within_rater_unit"][0, q] == pytest.approx(true - held, abs=0.02 * total)
        assert found.error[0, q] == pytest.approx(total - true, abs=0.02 * total)


def test_gaussian_answers_are_as_reliable_as_their_latent_scores():
    fit = known_fit("gaussian")
    covariances = latent_covariance(fit)
    latent, response = latent_scale(fit, covariances), response_scale(fit, covariances)
    np.testing.assert_allclose(response.error, latent.error)
    for comparison, true in latent.true.items():
        np.testing.assert_allclose(response.true[comparison], true)


def test_a_partial_credit_answer_is_worth_a_normal_observation_with_its_information():
    """Information of an item about λη is Var(y | η), averaged here over 400,000 draws of η (± .3 %)."""
    fit = known_fit("partial_credit")
    rng = np.random.default_rng(4)
    total = sum(np.square(sd) for sd in (*SD.values(), *NOISE.values()))
    steps = [[-1.6, -0.7, 0.4, 1.5], [-0.8, 0.9], [-1.2, 0.0, 1.0], [-0.5, 1.1]]
    found = item_residual_variance(fit)[0]
    for i, (d, loading) in enumerate(zip((0, 0, 1, 1), (1.25, 0.8, 1.6, 0.625))):
        eta = (0.3, -0.2)[d] + np.sqrt(total[d]) * rng.standard_normal(400_000)
        logs = np.cumsum(loading * eta[:, None] - np.array(steps[i]), axis=1)
        weight = np.exp(np.column_stack([np.zeros(len(eta)), logs]))
        share = weight / weight.sum(axis=1, keepdims=True)
        k = np.arange(share.shape[1])
        variance = share @ k**2 - (share @ k) ** 2
        assert found[i] == pytest.approx(1.0 / variance.mean(), rel=0.01)


def test_few_categories_cost_reliability():
    table = reliability_table(known_fit("probit"), ci_prob=0.9)
    one = table[table["n_respondents"] == 1].pivot_table("mean", ["comparison", "dimension"], "scale")
    assert (one["response"] < one["latent"]).all()


@pytest.mark.parametrize("case", ["one wave, own ratings", "climate", "covariates"])
def test_d_study_rises_towards_one_and_agrees_with_the_respondents_needed(case):
    fit, _ = case_fit(case)
    table = reliability_table(fit, ci_prob=0.9)
    for _, rows in table.groupby(["comparison", "scale", "dimension"]):
        curve = rows[rows["quantity"] == "reliability"].sort_values("n_respondents")["mean"].to_numpy()
        assert len(curve) == 30
        assert (np.diff(curve) > 0).all()
        assert 0 < curve[0] < curve[-1] < 1
        needed = rows.set_index("quantity")["mean"]
        # .80 asks for (.8/.2)/(.7/.3) = 12/7 as many respondents as .70.
        ratio = needed["respondents_for_0.80"] / needed["respondents_for_0.70"]
        assert ratio == pytest.approx(12 / 7)


def test_climate_compares_units():
    fit, _ = case_fit("climate")
    assert set(reliability_table(fit, ci_prob=0.9)["comparison"]) == {"units"}


def test_persons_who_rate_persons_have_reliability_at_one_respondent_only():
    fit, _ = case_fit("persons rate persons")
    table = reliability_table(fit, ci_prob=0.9)
    assert set(table["n_respondents"]) == {1}
    assert set(table["quantity"]) == {"reliability"}


def test_one_answer_to_one_item_per_relation_has_no_reliability():
    fit, _ = case_fit("residual")
    assert reliability_table(fit, ci_prob=0.9).empty


def test_true_scores_differ_by_all_that_a_score_contains():
    """Districts' shocks at both ends too; within a rater unit what its end brings is the same for all."""
    fit, _ = case_fit("three waves, districts")
    parts, found = variance_components(fit), latent_covariance(fit)
    ends = parts["perceiver"] + parts["district_perceiver"]
    every = ends + parts["target"] + parts["district_target"] + parts["relation"]
    np.testing.assert_allclose(np.diagonal(found.true, axis1=1, axis2=2), every)
    np.testing.assert_allclose(np.diagonal(found.held["within_rater_unit"], axis1=1, axis2=2), ends)
