"""Unit scores, gaps, changes, shares and items: what holds whatever the draws."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from relcap_models.data import Wave, read_survey
from relcap_models.estimands import (
    perception_gap_table,
    relation_score_table,
    relation_scores,
    tables,
    unit_score_table,
    unit_scores,
    variance_share_table,
)
from relcap_models.estimands.changes import change_table
from relcap_models.estimands.components import variance_components
from relcap_models.inference.fit import Fit
from relcap_models.models import Climate, Relation, describe_design
from relcap_models.models.latent import item_expectation
from relcap_models.simulate import Simulated
from tests.estimands.factory import INSTRUMENT, case_fit, random_fit, simulated_survey, true_fit
from tests.models.conftest import CASES, build_case, make_survey, ring, who_rates

OPTIONS = {"ci_prob": 0.9, "gap": 0.5, "goal": 0.25, "k": 3}
SKIPPED = {
    "k": "rank_lower rank_upper prob_lowest_k prob_highest_k k",
    "naive": "naive_mean naive_favourable naive_gap naive_change",
    "constants": "ess ess_tail rhat",
    "others": "asynchronous n_respondents",
}
COLUMNS = {
    "relation_scores": "analysis,wave,rater_unit,target_unit,dimension,mean,sd,lower,upper,ci_prob,"
    "naive_mean,n_respondents,n_ratings,suppressed,ci_kind,median,mean_unit_adjusted,lower_unit_adjusted,"
    "upper_unit_adjusted,favourable_mean,favourable_lower,favourable_upper,naive_favourable,rank_lower,"
    "rank_upper,prob_lowest_k,prob_highest_k,k,asynchronous",
    "unit_scores": "analysis,wave,unit,role,dimension,mean,sd,lower,upper,ci_prob,naive_mean,n_respondents,"
    "n_ratings,suppressed,ci_kind,median,favourable_mean,favourable_lower,favourable_upper,naive_favourable,"
    "rank_lower,rank_upper,prob_lowest_k,prob_highest_k,k",
    "perception_gaps": "analysis,wave,unit_a,unit_b,dimension,mean,sd,lower,upper,ci_prob,naive_gap,"
    "n_respondents_a,n_respondents_b,n_ratings_a,n_ratings_b,suppressed,ci_kind,median,delta,"
    "prob_gap_above_delta,mean_unit_adjusted,lower_unit_adjusted,upper_unit_adjusted,"
    "prob_gap_above_delta_unit_adjusted",
    "changes": "analysis,level,role,rater_unit,target_unit,dimension,wave_from,wave_to,mean,sd,lower,upper,"
    "ci_prob,naive_change,n_respondents_from,n_respondents_to,suppressed,ci_kind,median,goal,prob_positive,"
    "prob_above_goal",
    "variance_shares": "analysis,dimension,component,quantity,mean,sd,lower,upper,ci_prob,ci_kind,median",
    "reliability": "analysis,dimension,comparison,scale,quantity,n_respondents,mean,sd,lower,upper,ci_prob,"
    "ci_kind,median",
    "item_profiles": "analysis,wave,rater_unit,target_unit,item,dimension,mean,sd,lower,upper,ci_prob,"
    "naive_mean,n_respondents,n_ratings,suppressed,ci_kind,median",
    "item_parameters": "analysis,item,dimension,parameter,mean,sd,lower,upper,ci_prob,ci_kind,median",
}


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("link")])
def test_every_design_gives_tables_with_the_agreed_columns_and_no_stray_blank(case):
    fit, survey = case_fit(case, n_draws=4, n_chains=2)
    blank_allowed = " ".join(SKIPPED.values()).split()
    for name, table in tables(fit, survey, **OPTIONS).items():
        assert ",".join(table.columns) == f"{COLUMNS[name]},mcse,ess,ess_tail,rhat"
        assert not table.drop(columns=blank_allowed, errors="ignore").isna().any(axis=None), name
        numbers = table.select_dtypes("float").drop(columns=blank_allowed, errors="ignore")
        assert np.isfinite(numbers.to_numpy()).all(), name
        keys = list(table.columns[: list(table.columns).index("mean")])
        assert not table.duplicated(keys).any()
        if "n_respondents" in table and "naive_mean" in table:
            assert (table["naive_mean"].isna() == (table["n_respondents"] == 0)).all()


@pytest.mark.parametrize(("role", "rest"), [("seen_by_others", "perceiver"), ("as_rater", "target")])
@pytest.mark.parametrize("case", ["two waves, some relations from one side", "three waves, districts"])
def test_a_unit_score_is_the_mean_over_random_other_units(case, role, rest):
    """200,000 other units, relations, districts and respondents drawn anew, first draw: 5 standard errors."""
    fit, _ = case_fit(case)
    for name in fit.posterior:
        if name.startswith("cov_district"):  # large enough to be missed if it were left out
            fit.tree["posterior"][name][:] = np.eye(2)
        if name.startswith("district"):  # as if most units were in the higher districts
            fit.tree["posterior"][name][:] += 0.4
    found = next(u for u in unit_scores(fit) if u.role == role)
    frame, n, first = fit.frame, 200_000, 0
    unit, wave = found.unit[1], found.wave[1]
    mine = "target" if rest == "perceiver" else "perceiver"
    rng = np.random.default_rng(2)
    d_range = range(len(frame.dimensions))
    at = {role: k for k, role in enumerate(fit.structure.roles)}
    block = [at[rest] * len(frame.dimensions) + d for d in d_range]
    sd = fit.draws("sd_unit")[first][block]
    eta = fit.draws("mu")[first, wave] + fit.draws(f"{mine}_effect")[first, unit, wave]
    covariances = [fit.draws("corr_unit")[first][np.ix_(block, block)] * np.outer(sd, sd)]
    names = ["relation", *fit.structure.within]
    if fit.structure.districts:
        names.append(f"district_{rest}")
        district = frame.district_of_unit[unit] * len(frame.waves) + wave
        eta = eta + fit.draws(f"district_{mine}_effect")[first, district]
        others = frame.district_of_unit * len(frame.waves) + wave
        shocks = fit.draws(f"district_{rest}_effect")[first, others]
        eta = eta + np.where((frame.district_of_unit >= 0)[:, None], shocks, 0.0).mean(axis=0)
    covariances += [fit.draws(f"cov_{name}")[first] for name in names]
    eta = eta + sum(rng.multivariate_normal(np.zeros(len(sd)), c, size=n) for c in covariances)
    expected, _ = item_expectation(
        lambda name: fit.draws(name)[[first]], frame, fit.model.response, eta[None], np.zeros((1, len(sd)))
    )
    overall = expected[0].mean(axis=1)
    assert abs(overall.mean() - found.scores.points[first, 1, -1]) < 5 * overall.std() / np.sqrt(n)


@pytest.mark.parametrize("n_waves", [1, 2])
@pytest.mark.parametrize(
    ("model", "role", "truth"),
    [
        (Relation(instrument=INSTRUMENT), "within_unit", "within_unit_scores"),
        (Relation(instrument=INSTRUMENT), "seen_by_others", "unit_scores"),
        (Relation(instrument=INSTRUMENT), "as_rater", "unit_scores"),
        (Climate(instrument="psychological_safety"), "own_staff", "climate_scores"),
    ],
)
def test_scores_of_units_are_the_simulators_truth(model, role, truth, n_waves):
    lasting = {"nominations": {"partners": 3, "persistence": 1}}
    simulated, survey = simulated_survey(lasting, model.instrument, n_waves=n_waves)
    found = next(u for u in unit_scores(true_fit(simulated, survey, model)) if u.role == role)
    table = unit_score_table(found, ci_prob=0.9, k=2)
    true = simulated.truth[truth]
    true = true[true["role"] == role].drop(columns="role") if "role" in true else true
    both = table.merge(true, on=["wave", "unit", "dimension"], validate="one_to_one")
    assert len(both) == len(table) > 0
    np.testing.assert_allclose(both["mean"], both["score"], atol=1e-9)


def test_covariates_of_the_unit_stay_and_those_of_others_are_averaged():
    """as_rater keeps rater.layer; target.size and importance are means over rated relations."""
    fit, _ = case_fit("covariates")
    scores = {u.role: u for u in unit_scores(fit)}
    assert set(scores) == {"seen_by_others", "as_rater", "within_unit"}
    columns = dict(zip(fit.frame.covariates, range(len(fit.frame.covariates))))
    assert [name.split(".")[0] for name in columns] == ["rater", "target", "relation"]
    without = {}
    for k in range(3):
        silent = fit.tree.copy(deep=True)
        silent["posterior"]["beta"][{"covariate": k}] = 0.0
        other = type(fit)(fit.model, fit.frame, fit.structure, silent, fit.settings)
        without[k] = {u.role: u.scores.points for u in unit_scores(other)}
    layer = dict(zip(fit.frame.rater_of_rating, fit.frame.covariates_of_rating[:, 0]))
    led = np.array([layer[u] != 0 for u in scores["as_rater"].unit])
    moved = np.abs(scores["as_rater"].scores.points - without[0]["as_rater"]).max(axis=(0, 2))
    assert (moved[led] > 1e-3).all()
    assert (moved[~led] < 1e-12).all()
    for k in range(3):
        assert np.abs(scores["seen_by_others"].scores.points - without[k]["seen_by_others"]).max() > 1e-3
    led = np.array([layer[u] != 0 for u in scores["within_unit"].unit])
    moved = np.abs(scores["within_unit"].scores.points - without[0]["within_unit"]).max(axis=(0, 2))
    assert (moved[led] > 1e-3).all()
    assert (moved[~led] < 1e-12).all()


def importance_rises(family: str) -> tuple[Fit, np.ndarray]:
    """Three draws on a survey in which every relation gains 1.5 points of importance; (R, W) standardised.

    All six relations of three units are nominated and rated in both waves, with importance 1 … 6, then
    2.5 … 7.5.
    """
    units = list("pqr")
    ratings = who_rates(units, ring(units), waves=2)
    raw = {pair: 1.0 + k for k, pair in enumerate((u, t) for u in units for t in units if u != t)}
    nominations = [(f"w{w + 1}", *pair, value + 1.5 * w) for pair, value in raw.items() for w in (0, 1)]
    survey = make_survey(ratings, nominations=nominations)
    model = Relation(instrument="scale", family=family, covariates=("relation.importance",))
    fit = random_fit(model, survey)
    values = np.array([[raw[u, t] + 1.5 * w for w in (0, 1)] for u, t in relation_ends(fit)])
    return fit, (values - values.mean()) / values.std(ddof=1)


def relation_ends(fit: Fit) -> list[tuple[str, str]]:
    return [tuple(label.split("→")) for label in fit.frame.relation_labels]


def test_a_covariate_that_rises_everywhere_changes_units_as_it_changes_relations():
    """Gaussian answers: over β = 0 every change gains the mean over items of λ·β·step, levels half of that.

    Importance is standardised, so the organisation's mean lies half a step below 0 in the first wave.
    """
    fit, importance = importance_rises("gaussian")
    silent = fit.tree.copy(deep=True)
    silent["posterior"]["beta"][:] = 0.0
    without = type(fit)(fit.model, fit.frame, fit.structure, silent, fit.settings)
    step = importance[0, 1] - importance[0, 0]
    slope = fit.draws("loading") * fit.draws("beta")[:, 0, fit.frame.dimension_of_item]
    slope = slope.mean(axis=1)
    for with_beta, beside in zip(unit_scores(fit), unit_scores(without), strict=True):
        moved = (with_beta.scores.points - beside.scores.points)[:, :, -1]
        side = np.where(with_beta.wave == 1, 0.5, -0.5) * step
        np.testing.assert_allclose(moved, slope[:, None] * side, atol=1e-12)
    tables_of = [
        change_table(relation_scores(f), unit_scores(f), ci_prob=0.9, goal=0.1) for f in (fit, without)
    ]
    gained = (tables_of[0]["mean"] - tables_of[1]["mean"])[tables_of[0]["dimension"] == "overall"]
    assert {"relation", "unit"} <= set(tables_of[0]["level"])
    np.testing.assert_allclose(gained, slope.mean() * step, atol=1e-12)


def test_a_covariates_trend_is_not_spread_over_other_units():
    """E[1 + Σ 1(answer > k)] under a normal of which importance brings β² × its variance within a wave."""
    fit, importance = importance_rises("cumulative")
    found = next(u for u in unit_scores(fit) if u.role == "seen_by_others")
    draw, frame = 1, fit.frame
    value = {name: fit.draws(name)[draw] for name in fit.posterior}
    assert fit.structure.roles == ("perceiver", "target")
    within = importance.var(axis=0)
    assert within[0] == pytest.approx(within[1])
    assert importance.var() > 1.1 * within[0]
    beta = value["beta"][0]
    covariances = [value[f"cov_{name}"] for name in ("relation", *fit.structure.within)]
    # `sd_unit` holds the perceiver's two dimensions first.
    spread = value["sd_unit"][:2] ** 2 + sum(np.diag(c) for c in covariances) + beta**2 * within[0]
    for x, (unit, wave) in enumerate(zip(found.unit, found.wave)):
        eta = value["mu"][wave] + value["target_effect"][unit, wave] + beta * importance[:, wave].mean()
        answers = []
        for i, d in enumerate(frame.dimension_of_item):
            tau, lam = value["threshold"].reshape(4, 4)[i], value["loading"][i]
            answers.append(1 + norm.cdf((lam * eta[d] - tau) / np.sqrt(1 + lam**2 * spread[d])).sum())
        assert found.scores.points[draw, x, -1] == pytest.approx(np.mean(answers), abs=1e-9)


def test_a_gap_is_one_score_minus_the_other():
    fit, survey = case_fit("two waves, some relations from one side", n_draws=25)
    found = relation_scores(fit)
    scores = relation_score_table(found, survey, ci_prob=0.9, k=2).set_index(
        ["wave", "rater_unit", "target_unit", "dimension"]
    )
    gaps = perception_gap_table(found, ci_prob=0.9, delta=0.1)
    assert (gaps["unit_a"] < gaps["unit_b"]).all()
    assert len(gaps) == 2 * 2 * 3  # p–q and r–s, two waves, two dimensions and overall
    for gap in gaps.itertuples():
        one = scores.loc[(gap.wave, gap.unit_a, gap.unit_b, gap.dimension)]
        other = scores.loc[(gap.wave, gap.unit_b, gap.unit_a, gap.dimension)]
        assert gap.mean == pytest.approx(one["mean"] - other["mean"])
        adjusted = one["mean_unit_adjusted"] - other["mean_unit_adjusted"]
        assert gap.mean_unit_adjusted == pytest.approx(adjusted)
        assert gap.naive_gap == pytest.approx(one["naive_mean"] - other["naive_mean"])
        assert (gap.n_respondents_a, gap.n_ratings_b) == (one["n_respondents"], other["n_ratings"])
        assert gap.lower <= gap.mean <= gap.upper
    x = {(r, w): k for k, (r, w) in enumerate(zip(found.relation, found.wave))}
    relation = fit.frame.relation_labels.index("p→q")
    there, back = x[relation, 0], x[fit.frame.partner_of_relation[relation], 0]
    overall = (gaps["unit_a"] == "p") & (gaps["wave"] == "w1") & (gaps["dimension"] == "overall")
    own, adjusted = (
        np.abs(points[:, there, -1] - points[:, back, -1])
        for points in (found.scores.points, found.unit_adjusted)
    )
    # 12 of 25 adjusted gaps are larger than their median.
    delta = float(np.median(adjusted))
    row = perception_gap_table(found, ci_prob=0.9, delta=delta)[overall].iloc[0]
    assert row["prob_gap_above_delta_unit_adjusted"] == pytest.approx(12 / 25)
    assert row["prob_gap_above_delta"] == pytest.approx((own > delta).mean())
    assert (own > delta).sum() != 12


def test_checks_see_all_quantities_of_a_row():
    """Where chains part in unit-adjusted scores or shares of favourable answers alone, their rows say so."""
    fit, survey = case_fit("two waves, some relations from one side", n_draws=200, n_chains=2)
    options = {"ci_prob": 0.9, "k": 2}
    relations, (units, *_) = relation_scores(fit), unit_scores(fit)

    def parted(draws: np.ndarray) -> np.ndarray:
        far = draws.copy()
        far[:200, 0] += 5.0
        return far

    adjusted = replace(relations, unit_adjusted=parted(relations.unit_adjusted))
    shares = replace(
        relations, scores=replace(relations.scores, favourable=parted(relations.scores.favourable))
    )
    of_units = replace(units, scores=replace(units.scores, favourable=parted(units.scores.favourable)))
    for table, n_parted in (
        (relation_score_table(adjusted, survey, **options), 1),
        (relation_score_table(shares, survey, **options), 1),
        (unit_score_table(of_units, **options), 1),
        (perception_gap_table(adjusted, ci_prob=0.9, delta=0.1), 1),
        (relation_score_table(relations, survey, **options), 0),
        (perception_gap_table(shares, ci_prob=0.9, delta=0.1), 0),
    ):
        # Two dimensions and overall of the one cell. Ranks of two chains that never meet have R-hat 1.8.
        assert (table["rhat"] > 1.5).sum() == 3 * n_parted


def test_changes_are_differences_and_the_organisations_is_their_mean():
    fit, survey = case_fit("three waves, no relation from both sides", n_draws=5)
    relations, units = relation_scores(fit), unit_scores(fit)
    changes = change_table(relations, units, ci_prob=0.9, goal=0.1)
    steps = set(zip(changes["wave_from"], changes["wave_to"]))
    assert steps == {("w1", "w2"), ("w2", "w3"), ("w1", "w3")}
    scores = relation_score_table(relations, survey, ci_prob=0.9, k=2)
    wide = scores.pivot_table(["mean", "naive_mean"], ["rater_unit", "target_unit", "dimension"], "wave")
    of_relations = changes[changes["level"] == "relation"]
    for change in of_relations.itertuples():
        key = (change.rater_unit, change.target_unit, change.dimension)
        for value, column in ((change.mean, "mean"), (change.naive_change, "naive_mean")):
            expected = wide.loc[key, (column, change.wave_to)] - wide.loc[key, (column, change.wave_from)]
            assert value == pytest.approx(expected)
    organisation = changes[changes["level"] == "organisation"].set_index(
        ["dimension", "wave_from", "wave_to"]
    )
    mean = of_relations.groupby(["dimension", "wave_from", "wave_to"])["mean"].mean()
    assert organisation["mean"].to_dict() == pytest.approx(mean.to_dict())
    by_unit = unit_score_table(units[0], ci_prob=0.9, k=2).set_index(["wave", "unit", "dimension"])["mean"]
    seen = changes[changes["role"] == "seen_by_others"]
    assert (seen["rater_unit"] == "").all()
    for change in seen.itertuples():
        later = by_unit[change.wave_to, change.target_unit, change.dimension]
        assert change.mean == pytest.approx(
            later - by_unit[change.wave_from, change.target_unit, change.dimension]
        )


def test_the_organisations_naive_change_is_of_relations_rated_in_both_waves():
    simulated, _ = simulated_survey({}, n_waves=2)
    responses = simulated.tables["responses"]
    pair = responses.loc[
        responses["rater_unit"] != responses["target_unit"], ["rater_unit", "target_unit"]
    ].iloc[0]
    gone = (responses["rater_unit"] == pair.iloc[0]) & (responses["target_unit"] == pair.iloc[1])
    kept = responses[~(gone & (responses["wave"] == "w2"))]
    waves = [Wave("w1"), Wave("w2")]
    survey = read_survey({**simulated.tables, "responses": kept}, instruments=[INSTRUMENT], waves=waves)
    fit = true_fit(simulated, survey, Relation(instrument=INSTRUMENT))
    changes = change_table(relation_scores(fit), (), ci_prob=0.9, goal=0.1)
    found = changes[(changes["level"] == "organisation") & (changes["dimension"] == "overall")]
    answers = survey.responses.astype({"rater_unit": str, "target_unit": str, "wave": str})
    answers = answers[answers["rater_unit"] != answers["target_unit"]]
    both = answers.groupby(["rater_unit", "target_unit"])["wave"].transform("nunique") == 2
    mean = answers[both].groupby("wave")["value"].mean()
    assert not both.all()
    assert found["naive_change"].item() == pytest.approx(mean["w2"] - mean["w1"])
    people = answers[both & (answers["wave"] == "w1")]["respondent_id"].nunique()
    assert found["n_respondents_from"].item() == people


@pytest.mark.parametrize("case", ["three waves, districts", "residual", "stable", "climate", "half-block"])
def test_variance_shares_sum_to_one(case):
    fit, _ = case_fit(case)
    table = variance_share_table(fit, ci_prob=0.9)
    shares = table[table["quantity"] == "share"].groupby("dimension")["mean"].sum()
    assert shares.tolist() == pytest.approx([1.0] * len(fit.frame.dimensions))
    assert "self" not in set(table.loc[table["quantity"] == "share", "component"])
    assert set(table.loc[table["quantity"] == "variance", "component"]) == set(variance_components(fit))


def test_intercepts_of_gaussian_items_are_in_points():
    """An answer of 0-based mean m on a scale from 1 is m + 1 points."""
    fit, survey = case_fit("gaussian, two waves")
    table = tables(fit, survey, **OPTIONS)["item_parameters"]
    points = table[table["parameter"] == "intercept"]["mean"].to_numpy()
    np.testing.assert_allclose(points, fit.draws("intercept").mean(axis=0) + 1)


@pytest.mark.parametrize(
    ("case", "mixed"), [("items with 2, 3 and 7 categories", True), ("half-block", False)]
)
def test_scores_over_items_of_different_scales_come_with_a_warning(case, mixed):
    said = [m for m in describe_design(*build_case(case)).messages if "different scales" in m]
    assert len(said) == mixed
    assert not mixed or "(1 to 2, 1 to 3 and 1 to 7)" in said[0]


def renamed(simulated: Simulated, names: dict[str, str]) -> Simulated:
    """The same organisation under other unit ids."""

    def of(table: pd.DataFrame) -> pd.DataFrame:
        ends = [c for c in ("unit", "unit_id", "rater_unit", "target_unit") if c in table]
        return table.assign(**{c: table[c].map(names) for c in ends})

    return Simulated(
        {name: of(table) for name, table in simulated.tables.items()},
        {name: of(table) for name, table in simulated.truth.items()},
    )


def test_relabelling_units_changes_no_score_and_turns_gaps_around():
    """Names in reverse order: unit_a becomes unit_b, so a gap changes its sign."""
    simulated, survey = simulated_survey(
        {"relations": {"sd_respondent_wave": 0.3, "sd_respondent_target": 0.2}}, n_waves=2
    )
    units = sorted(simulated.tables["units"]["unit_id"])
    names = {unit: f"x{len(units) - k}" for k, unit in enumerate(units)}
    back = {new: old for old, new in names.items()}
    other = renamed(simulated, names)
    model = Relation(instrument=INSTRUMENT)
    again = read_survey(other.tables, instruments=[INSTRUMENT], waves=[Wave("w1"), Wave("w2")])
    before = tables(true_fit(simulated, survey, model), survey, **OPTIONS)
    after = tables(true_fit(other, again, model), again, **OPTIONS)
    for name, keys in {
        "relation_scores": ["wave", "rater_unit", "target_unit", "dimension"],
        "unit_scores": ["wave", "unit", "role", "dimension"],
        "item_profiles": ["wave", "rater_unit", "target_unit", "item"],
    }.items():
        ends = [c for c in keys if "unit" in c]
        mapped = after[name].assign(**{c: after[name][c].map(back) for c in ends})
        one, two = (t.sort_values(keys, ignore_index=True) for t in (before[name], mapped))
        pd.testing.assert_frame_equal(one, two, check_exact=False, atol=1e-9, check_dtype=False)
    gaps = after["perception_gaps"]
    turned = gaps.assign(unit_a=gaps["unit_b"].map(back), unit_b=gaps["unit_a"].map(back))
    keys = ["wave", "unit_a", "unit_b", "dimension"]
    one, two = (t.sort_values(keys, ignore_index=True) for t in (before["perception_gaps"], turned))
    assert one[keys].equals(two[keys])
    np.testing.assert_allclose(one["mean"], -two["mean"], atol=1e-9)
    np.testing.assert_allclose(one["naive_gap"], -two["naive_gap"], atol=1e-9)
    assert one["n_respondents_a"].equals(two["n_respondents_b"])


def test_the_average_unit_is_one_that_stands_in_the_role():
    """Three units rate, five are rated: perceiver effects of those that only are rated are the prior's."""
    fit, _ = case_fit("half-block")
    frame = fit.frame
    only_rated = np.setdiff1d(np.arange(len(frame.units)), frame.rater_of_relation)
    assert len(only_rated) > 0
    before = [relation_scores(fit).unit_adjusted, *(u.scores.points for u in unit_scores(fit))]
    # As the sampler would: with the mean over all units kept at 0.
    moved = fit.tree["posterior"]["perceiver_effect"].to_numpy().copy()
    moved[:, :, only_rated] += 3.0
    shift = moved.mean(axis=2, keepdims=True)
    fit.tree["posterior"]["perceiver_effect"][:] = moved - shift
    fit.tree["posterior"]["mu"][:] = fit.tree["posterior"]["mu"].to_numpy() + shift[:, :, 0]
    after = [relation_scores(fit).unit_adjusted, *(u.scores.points for u in unit_scores(fit))]
    for one, other in zip(before, after):
        np.testing.assert_allclose(one, other, atol=1e-9)
