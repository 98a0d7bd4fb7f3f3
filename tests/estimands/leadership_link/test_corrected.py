"""The corrected leadership link finds true slopes, covers them, and says when it cannot."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from relcap_models.data import read_survey
from relcap_models.data.survey import Wave
from relcap_models.estimands.leadership_link.corrected import corrected_link, corrected_slopes
from relcap_models.estimands.leadership_link.mean_errors import error_covariances
from relcap_models.estimands.leadership_link.mixed import mixed_link
from relcap_models.estimands.leadership_link.naive import naive_link
from relcap_models.estimands.leadership_link.rating_scores import rating_scores
from relcap_models.estimands.leadership_link.unit_latents import UnitLatents
from relcap_models.estimands.leadership_link.unit_means import fitted_unit_means
from relcap_models.models.leadership_link import LeadershipLink
from relcap_models.psychometrics import cfa
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate
from tests.estimands.leadership_link.worlds import INSTRUMENTS, design, linked, scored

LEADERSHIP = "relational_leadership"


def replicate(world, n_units, n_waves, *, n, source="different"):
    """By level and adjustment: errors of slopes, whether intervals cover; the same per sd."""
    _, frame = design(n_units, 10, n_waves, source)
    rng = np.random.default_rng(9)
    none = np.zeros((n_units, 0))
    rows = []
    for _ in range(n):
        answered = world.answers(frame, rng)
        score = scored(answered)
        means = fitted_unit_means(answered, score)
        errors = error_covariances(means, score)
        for question, level, found in corrected_slopes(means, errors, LEADERSHIP, none):
            slope, sd = world.slope(level.name, frame, 1, adjusted=question.adjusted)
            half = t.ppf(0.975, found.freedom)
            rows.append(
                {
                    "level": level.name,
                    "adjusted": question.adjusted,
                    "error": found.slope - slope,
                    "covered": abs(found.slope - slope) < half * found.slope_se,
                    "sd_se": found.per_sd_se,
                    "sd_error": found.per_sd - slope * sd,
                    "sd_covered": abs(found.per_sd - slope * sd) < half * found.per_sd_se,
                }
            )
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("n_units", "n_waves", "source", "n"),
    [(40, 1, "different", 80), (40, 1, "same", 100), (80, 2, "different", 40)],
)
def test_true_slopes_are_found_and_covered(n_units, n_waves, source, n):
    """Between .5 and within −.5, where there are waves. Means within 3 Monte Carlo errors (and .025, for the
    bias of order 1/units); coverage above what 95 % gives 1 time in 1,000; errors as large as they are said
    to be, within 3 Monte Carlo errors and a tenth, by quartiles (a slope has long tails)."""
    world = linked(0.5, within=-0.5, stable=0.5) if n_waves > 1 else linked(0.5)
    table = replicate(world, n_units, n_waves, n=n, source=source)
    for _, part in table.groupby(["level", "adjusted"]):
        error = part[["error", "sd_error"]]
        bound = 3 * error.std() / np.sqrt(n) + [0.025, 0.0125]
        assert (error.mean().abs() < bound).all()
        least = 0.95 - 3.1 * np.sqrt(0.95 * 0.05 / n)
        assert (part[["covered", "sd_covered"]].mean() >= least).all()
        spread = np.subtract(*part["sd_error"].quantile([0.75, 0.25])) / 1.349
        # The logarithm of a spread by quartiles errs by 1.17/√n.
        assert abs(np.log(part["sd_se"].median() / spread)) < 3 * 1.17 / np.sqrt(n) + 0.1


def test_leniency_and_reciprocity_fake_a_link_that_holding_the_perceiver_constant_undoes():
    """Nothing acts on the target; unadjusted, the slope is not 0 but .3 · .4 · .35 · .4 / Var(leadership)."""
    world = linked(0.0)
    truth, _ = world.slope("between", design(40, 10, 1)[1], 1, adjusted=False)
    assert truth == pytest.approx(0.3 * 0.4 * 0.35 * 0.4 / (0.25 + 0.09 * 0.35**2))
    for _, part in replicate(world, 40, 1, n=60).groupby("adjusted"):
        assert abs(part["error"].mean()) < 3 * part["error"].std() / np.sqrt(60)


def test_leniency_that_respondents_share_fakes_no_link_where_they_rate_leaders_and_their_own_unit():
    """Correlated .95 between instruments it would add .95 · .36/8.5 to a covariance of 0: a slope of .16."""
    found = replicate(linked(0.0, common=0.95, leniency=0.0), 40, 1, n=100, source="same")["error"]
    assert abs(found.mean()) < 3 * found.std() / 10 < 0.1


def simulated(seed, **climate):
    """Forty units of twelve whose instruments have one dimension each, one wave."""
    instruments = {i: load_instrument(i) for i in INSTRUMENTS}
    one = {"dimension_correlation": 1.0}
    path = {"source": LEADERSHIP, "to": "target", "coefficient": 0.5}
    options = Simulation.model_validate(
        {
            "organisation": {"n_units": 40, "n_respondents": 480, "size_sd": 0.2},
            "relations": one,
            "climate": {**one, "paths": [path], **climate},
        }
    )
    waves = (Wave("w1"),)
    tables = simulate(options, instruments=instruments, waves=waves, seed=seed).tables
    model = LeadershipLink()
    return model, model.frame(read_survey(tables, instruments=instruments, waves=waves))


def test_ordinal_answers_of_simulated_organisations_give_the_true_path_on_the_latent_scale():
    found = []
    for seed in range(8):
        model, frame = simulated(seed)
        scores = {"latent": rating_scores(model, frame)["latent"]}
        for estimate in (naive_link, corrected_link):
            table = estimate(model, frame, scores, ci_prob=0.95)
            found.append(table[(table["predictor"] == LEADERSHIP) & ~table["adjusted"]].iloc[0])
    table = pd.DataFrame(found)
    mean = table.groupby("method")["mean"].agg(["mean", "sem"])
    corrected, naive = mean.loc["corrected"], mean.loc["naive"]
    assert abs(corrected["mean"] - 0.5) < 3 * corrected["sem"]
    assert corrected["sem"] < 0.07
    assert naive["mean"] < 0.5 - 2 * naive["sem"]


def test_slopes_of_latent_covariances_are_those_of_sam(reference):
    """Factors' covariances by each factor's own loadings and residual variances (ML mapping)."""
    data = pd.read_csv(reference / "lavaan_politicaldemocracy.csv")
    factors = {"ind60": "x1 x2 x3", "dem60": "y1 y2 y3 y4", "dem65": "y5 y6 y7 y8"}
    items = [item for names in factors.values() for item in names.split()]
    mapping = pd.DataFrame(0.0, index=list(factors), columns=items)
    residual = pd.Series(0.0, index=items)
    for factor, names in factors.items():
        table = cfa(f"{factor} =~ {' + '.join(names.split())}", data).parameters
        loading = table[table["op"] == "=~"].set_index("rhs")["est"]
        own = table[(table["op"] == "~~") & table["lhs"].isin(loading.index)].set_index("lhs")["est"]
        weight = loading / own
        mapping.loc[factor, loading.index] = weight / (weight * loading).sum()
        residual[own.index] = own
    covariance = mapping @ (data[items].cov(ddof=0) - np.diag(residual)) @ mapping.T
    values = pd.read_csv(reference / "values.csv")
    wanted = values[values["id"] == "poldem.sam"].set_index("quantity")["value"]
    # The joint model's slopes, of one draw of the covariance.
    latents = UnitLatents("between", tuple(factors), covariance.to_numpy()[None])
    for outcome, predictors in (("dem60", ("ind60",)), ("dem65", ("ind60", "dem60"))):
        found = latents.slopes(outcome, predictors)[0]
        expected = [wanted[f"est:{outcome}~{predictor}"] for predictor in predictors]
        np.testing.assert_allclose(found, expected, atol=1e-4)


def all_tables(model, frame):
    """Both tables of a frame, in which nothing is missing without a word."""
    scores = rating_scores(model, frame)
    tables = [estimate(model, frame, scores, ci_prob=0.9) for estimate in (naive_link, corrected_link)]
    tables.append(mixed_link(model, frame, scores, ci_prob=0.9))
    for table in tables:
        numbers = table[["mean", "sd", "lower", "upper", "prob_positive"]]
        assert (numbers.notna().all(axis=1) | (table["note"] != "")).all()
        assert (numbers.notna().all(axis=1) | numbers.isna().all(axis=1)).all()
    return tables[0], tables[1]


def test_one_wave_has_no_level_within():
    for table in all_tables(*design(16, 6, 1)):
        assert set(table["level"]) == {"between"}
        assert table["mean"].notna().any()


def test_units_that_nobody_rates_or_whose_staff_say_nothing_are_left_out():
    model, frame = design(16, 6, 1)
    unrated = (frame.facet_of_rating == 0) & (frame.target_of_rating == 3)
    silent = (frame.facet_of_rating == 1) & (frame.target_of_rating == 5)
    keep = ~(unrated | silent)[frame.rating_of_response]
    ugly = replace(
        frame,
        rating_of_response=frame.rating_of_response[keep],
        item_of_response=frame.item_of_response[keep],
        answer=frame.answer[keep],
    )
    for table in all_tables(model, ugly):
        by_predictor = table.groupby("predictor")["n_units"].unique()
        assert by_predictor[LEADERSHIP].tolist() == [14]
        assert by_predictor["psychological_safety"].tolist() == [15]


def test_with_a_single_respondent_in_each_unit_error_is_unknown():
    model, frame = design(16, 6, 1)
    first = pd.Series(frame.respondent_of_rating).groupby(frame.rater_of_rating).first()
    others = np.setdiff1d(np.arange(len(frame.respondents)), first)
    naive, corrected = all_tables(model, frame.without_answers_of(others))
    assert corrected["mean"].isna().all()
    assert corrected["note"].str.contains("nobody else in the unit rated").all()
    assert naive["mean"].notna().any()


def test_two_units_are_too_few():
    for table in all_tables(*design(2, 12, 1)):
        assert table["mean"].isna().all()
        assert table["note"].str.contains("too few units").all()


@pytest.mark.parametrize("facet", [0, 1])
def test_without_answers_there_is_a_note(facet):
    """Nobody answers about others, or about leaders; and nobody at all on one scale."""
    model, frame = design(16, 6, 2)
    score = np.random.default_rng(1).normal(size=frame.n_ratings)
    scores = {
        "points": np.where(frame.facet_of_rating == facet, np.nan, score),
        "latent": np.full(frame.n_ratings, np.nan),
    }
    for estimate in (naive_link, mixed_link, corrected_link):
        table = estimate(model, frame, scores, ci_prob=0.95)
        latent = table[table["scale"] == "latent"]
        assert latent["note"].tolist() == ["too few answers for the latent scale"] * 4
        points = table[(table["scale"] == "points") & (table["predictor"] == LEADERSHIP)]
        assert points["note"].str.contains("too few units").all()
        assert points["n_units"].eq(0).all()
        assert len(points) >= 2


def test_constant_leadership_has_no_link():
    model, frame = design(16, 6, 1)
    constant = frame.facet_of_item[frame.item_of_response] == 1
    frame = replace(frame, answer=np.where(constant, 3, frame.answer))
    for table in all_tables(model, frame):
        part = table[table["predictor"] == LEADERSHIP]
        assert part["mean"].isna().all()
        assert part["note"].str.contains("relational_leadership does not vary").all()


def test_leadership_without_variance_beyond_error_gets_a_note():
    """Units' staff are dealt out at random: their means vary no more than chance makes them."""
    model, frame = design(16, 6, 1)
    rng = np.random.default_rng(0)
    notes = set()
    for _ in range(10):
        score = rng.normal(size=frame.n_ratings)
        table = corrected_link(model, frame, {"points": score}, ci_prob=0.95)
        table = table[(table["predictor"] == LEADERSHIP) & ~table["adjusted"]]
        assert (table["note"] != "").all()
        notes |= set(table["note"][table["mean"].isna()])
    assert notes == {"relational_leadership: no variance between means beyond their error"}


def test_what_units_are_called_changes_nothing():
    """Units, respondents and ratings in reverse order."""
    model, frame = design(16, 6, 2)
    score = scored(linked(0.5).answers(frame, np.random.default_rng(4)))
    last = len(frame.units) - 1
    turned = replace(
        frame,
        units=frame.units[::-1],
        rater_of_rating=last - frame.rater_of_rating,
        target_of_rating=last - frame.target_of_rating,
        respondent_of_rating=len(frame.respondents) - 1 - frame.respondent_of_rating,
    )
    tables = [corrected_link(model, f, {"points": score}, ci_prob=0.95) for f in (frame, turned)]
    pd.testing.assert_frame_equal(*tables, rtol=1e-8)
