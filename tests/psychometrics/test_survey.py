"""The instruments of a survey examined."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.data import Wave, read_survey
from relcap_models.errors import ConfigError
from relcap_models.psychometrics import Psychometrics, cfa, cronbach_alpha, examine, icc, invariance
from relcap_models.psychometrics.survey.answers import FEW, answers_to, merge_rare
from relcap_models.psychometrics.survey.examination import COLUMNS
from relcap_models.psychometrics.survey.levels import _MODEL, correlations
from relcap_models.psychometrics.survey.measurement import factor_model
from relcap_models.psychometrics.survey.reliability_levels import _alpha, _intraclass
from relcap_models.schema import load_instrument
from relcap_models.schema.instrument import Instrument
from relcap_models.simulate import Simulation, simulate

WAVES = [Wave("w1"), Wave("w2")]


def simulated():
    instruments = {name: load_instrument(name) for name in ("relational_capacity", "psychological_safety")}
    organisation = {"n_respondents": 300, "n_units": 20, "n_districts": 2}
    options = Simulation.model_validate({"organisation": organisation})
    return instruments, simulate(options, instruments=instruments, waves=WAVES, seed=5).tables


@pytest.fixture(scope="module")
def survey():
    instruments, tables = simulated()
    return read_survey(tables, instruments=list(instruments.values()), waves=WAVES)


@pytest.fixture(scope="module")
def examined(survey):
    return examine(Psychometrics(), survey, seed=1)


def test_every_table_has_its_columns_and_no_figure_is_infinite(examined):
    assert set(examined) == set(COLUMNS)
    for name, table in examined.items():
        assert tuple(table.columns) == COLUMNS[name]
        # There are no languages, one large layer, and nothing that is not equal over waves.
        empty = ("psychometrics_notes", "psychometrics_mean_impact", "psychometrics_dif")
        assert len(table) or name in empty, name
        assert not np.isinf(table.select_dtypes("number")).any().any(), name
        assert set(table["analysis"]) <= {"psychometrics"}


def test_a_row_is_a_rating_and_reversed_items_are_turned(survey):
    whole = load_instrument("psychological_safety").model_dump(mode="json")
    whole["items"][1]["reversed"] = True
    instrument = Instrument.model_validate(whole)
    answers = answers_to(survey, instrument)
    responses = survey.of_instrument(instrument.id)
    ratings = responses[["wave", "respondent_id", "rater_unit", "target_unit"]].drop_duplicates()
    assert len(answers.items) == len(ratings)
    assert int(answers.items.notna().sum().sum()) == len(responses)
    turned = instrument.item_ids[1]
    as_given = responses.loc[responses["item"] == turned, "value"]
    scale = instrument.scale
    assert answers.items[turned].mean() == pytest.approx(scale.minimum + scale.maximum - as_given.mean())


def test_language_goes_by_respondent_and_wave_and_layer_by_the_unit_that_rates():
    instruments, tables = simulated()
    respondents = tables["respondents"].copy()
    respondents["language"] = np.where(respondents["wave"] == "w1", "da", "en")
    tables = {**tables, "respondents": respondents}
    survey = read_survey(tables, instruments=list(instruments.values()), waves=WAVES)
    answers = answers_to(survey, instruments["psychological_safety"])
    assert set(answers.about.loc[answers.about["wave"] == "w1", "language"]) == {"da"}
    assert set(answers.about.loc[answers.about["wave"] == "w2", "language"]) == {"en"}
    layers = survey.units.set_index("unit_id")["layer"]
    assert (answers.about["layer"] == answers.about["rater_unit"].map(layers)).all()


def test_rare_categories_join_their_neighbours_in_every_group():
    rng = np.random.default_rng(0)
    group = pd.Series(np.repeat(["a", "b"], 300))
    answers = pd.Series(rng.integers(1, 6, 600).astype(float))
    answers[(group == "b") & (answers == 1)] = 2.0
    answers[:3] = np.nan
    merged, told = merge_rare(pd.DataFrame({"q": answers}), group)
    assert told == {"q": ["1–2"]}
    counts = pd.crosstab(merged["q"], group)
    assert counts.to_numpy().min() >= FEW
    assert merged["q"].isna().sum() == 3
    # Order stays, and nothing else changes.
    np.testing.assert_array_equal(merged["q"].dropna(), answers.dropna().replace({2.0: 1.0}))


def test_two_categories_remain_however_rare():
    answers = pd.DataFrame({"q": [1.0] * 40 + [2.0, 5.0]})
    merged, told = merge_rare(answers)
    assert merged["q"].nunique() == 2
    assert told == {"q": ["2–5"]}


def test_point_values_are_those_of_the_plain_functions(survey, examined):
    answers = answers_to(survey, survey.instruments["relational_capacity"])
    items = answers.items[answers.dimensions["orientation"]].dropna()
    subject = answers.subject.loc[items.index]
    rows = examined["psychometrics_reliability"].query(
        "instrument == 'relational_capacity' and split == 'survey' and dimension == 'orientation'"
    )
    found = rows.set_index("coefficient")["estimate"]
    assert found["alpha"] == pytest.approx(cronbach_alpha(items).value)
    plain = icc(items, subject)
    assert found["icc1"] == pytest.approx(plain.icc1)
    assert found["icc2"] == pytest.approx(plain.icc2)


def test_the_bootstrap_draws_whole_units(monkeypatch):
    """Each draw's coefficient is that of the ratings of the units drawn, taken as often as they are."""
    rng = np.random.default_rng(2)
    unit = np.repeat(np.arange(8), 30)
    subject = np.repeat(np.arange(40), 6)
    items = rng.normal(size=(240, 3)) + rng.normal(size=(240, 1)) + rng.normal(size=8)[unit][:, None]
    weights = np.random.default_rng(9).multinomial(8, np.full(8, 1 / 8), size=5)
    every = np.vstack([np.ones(8), weights])
    monkeypatch.setattr(
        "relcap_models.psychometrics.survey.reliability_levels._weights", lambda n, rng: every
    )
    _, alphas = _alpha(items, unit, rng)
    _, correlations = _intraclass(items.mean(axis=1), subject, unit, rng)
    for drawn, alpha, icc1, icc2 in zip(weights, alphas, *correlations, strict=True):
        rows, labels = [], []
        for u in np.flatnonzero(drawn):
            for copy in range(drawn[u]):
                mine = np.flatnonzero(unit == u)
                rows.append(mine)
                labels += [f"{copy}-{s}" for s in subject[mine]]
        taken = items[np.concatenate(rows)]
        variances = taken.var(axis=0).sum() / taken.sum(axis=1).var()
        assert alpha == pytest.approx(1.5 * (1 - variances))
        slow = icc(taken, labels)
        assert (icc1, icc2) == (pytest.approx(slow.icc1), pytest.approx(slow.icc2))


def test_errors_and_tests_take_rater_units_as_clusters(survey, examined):
    answers = answers_to(survey, survey.instruments["relational_capacity"])
    model, _ = factor_model(answers.dimensions)
    data = model.table(merge_rare(answers.items)[0])
    options = {"ordered": True, "std_lv": True, "missing": "pairwise"}
    plain = cfa(model.syntax, data, **options)
    clustered = cfa(model.syntax, data, cluster=answers.about["rater_unit"], **options)
    of = "instrument == 'relational_capacity' and split == 'survey'"
    found = examined["psychometrics_parameters"].query(of)
    for op, parameter in (("=~", "loading"), ("|", "threshold")):
        mine = found.loc[found["parameter"].str.startswith(parameter), "se"].to_numpy()
        theirs, independent = (
            r.parameters.loc[r.parameters["op"] == op, "se"].to_numpy() for r in (clustered, plain)
        )
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)
        assert not np.allclose(mine, independent, rtol=0.05)
    # Ratings of one unit are alike: shares of answers are known far less well than from as many people.
    assert np.median(mine / independent) > 1.5
    (fit,) = examined["psychometrics_fit"].query(of).itertuples()
    assert fit.chisq == pytest.approx(clustered.fit_measures["chisq.scaled"])
    wave = answers.about["wave"]
    items = model.table(merge_rare(answers.items, wave)[0])
    levels = ("configural", "thresholds", "loadings", "intercepts", "residuals")
    by_hand = invariance(
        model.syntax, items, ordered=True, group=wave, cluster=answers.about["rater_unit"], levels=levels
    )
    rows = examined["psychometrics_invariance"].query(
        "instrument == 'relational_capacity' and across == 'wave'"
    )
    np.testing.assert_allclose(rows["diff_p"], by_hand.table["diff.pvalue"], rtol=1e-5)


def test_intervals_hold_their_estimates_and_the_bootstrap_follows_its_seed(survey, examined):
    table = examined["psychometrics_reliability"].dropna(subset=["lower"])
    assert (table["lower"] < table["estimate"]).mean() > 0.95
    assert (table["estimate"] < table["upper"]).mean() > 0.95
    only = Psychometrics(instruments=("psychological_safety",))
    again, other = (examine(only, survey, seed=seed)["psychometrics_reliability"] for seed in (1, 2))
    mine = examined["psychometrics_reliability"].query("instrument == 'psychological_safety'")
    pd.testing.assert_frame_equal(again, mine.reset_index(drop=True))
    assert not again.equals(other)


def test_an_instrument_that_does_not_drift_measures_the_same_in_both_waves(examined):
    table = examined["psychometrics_invariance"].query("across == 'wave'")
    assert set(table["instrument"]) == {"relational_capacity", "psychological_safety"}
    assert table["held"].all()


def test_a_question_that_became_easier_is_found_at_the_level_of_intercepts():
    """One item's answers rise by a category in the second wave in half of the ratings."""
    instruments, tables = simulated()
    responses = tables["responses"].copy()
    mine = (responses["instrument"] == "relational_capacity") & (responses["item"] == "RC2")
    rows = responses.index[mine & (responses["wave"] == "w2")]
    answered = rows[pd.to_numeric(responses.loc[rows, "value"], errors="coerce").notna()]
    raised = np.random.default_rng(1).choice(answered, len(answered) // 2, replace=False)
    higher = (responses.loc[raised, "value"].astype(int) + 1).clip(upper=5)
    responses.loc[raised, "value"] = higher.astype(str)
    survey = read_survey(
        {**tables, "responses": responses}, instruments=list(instruments.values()), waves=WAVES
    )
    found = examine(Psychometrics(instruments=("relational_capacity",)), survey)
    held = found["psychometrics_invariance"].query("across == 'wave'").set_index("level")["held"]
    assert held["configural"]
    assert not held["intercepts"]
    assert not held["residuals"]


def test_an_item_that_one_language_answers_higher_is_in_the_tables():
    instruments, tables = simulated()
    respondents, responses = tables["respondents"].copy(), tables["responses"].copy()
    english = respondents["respondent_id"].unique()[::2]
    respondents["language"] = np.where(respondents["respondent_id"].isin(english), "en", "da")
    value = pd.to_numeric(responses["value"], errors="coerce")
    mine = (responses["item"] == "PS5") & responses["respondent_id"].isin(english) & value.notna()
    responses.loc[mine, "value"] = (value[mine] + 1).clip(upper=5).astype(int).astype(str)
    survey = read_survey(
        {**tables, "respondents": respondents, "responses": responses},
        instruments=list(instruments.values()),
        waves=WAVES,
    )
    found = examine(Psychometrics(instruments=("psychological_safety",)), survey)
    for name in ("dif", "mean_impact"):
        assert tuple(found[f"psychometrics_{name}"].columns) == COLUMNS[f"psychometrics_{name}"]
    bias = found["psychometrics_dif"].query("across == 'language'").set_index("item")
    sign = 1 if bias.loc["PS5", "group"] == "en" else -1
    assert bias["difference"].abs().idxmax() == "PS5"
    assert sign * bias.loc["PS5", "difference"] > 0.4
    assert bias.loc["PS5", "p_uniform_adjusted"] < 0.001
    assert "PS5" in set(found["psychometrics_mean_impact"].query("across == 'language'")["items"])


def test_the_factors_are_the_dimensions_and_small_ones_are_left_out():
    model, left = factor_model({"trust": ["a 1", "a-2"], "alone": ["b"], "respect": ["c", "d", "e"]})
    assert model.factors == {"trust": ["a 1", "a-2"], "respect": ["c", "d", "e"]}
    assert left == ["b"]
    assert model.syntax == "f1 =~ y1 + y2\nf2 =~ y3 + y4 + y5"
    assert factor_model({"pair": ["a", "b"]}) == (None, ["a", "b"])


def test_within_is_what_people_who_rate_the_same_differ_in(survey, examined):
    answers = answers_to(survey, survey.instruments["relational_capacity"])
    means = pd.DataFrame(
        {d: answers.items[i].mean(axis=1, skipna=False) for d, i in answers.dimensions.items()}
    )
    means = means.dropna()
    inside = means - means.groupby(answers.subject.loc[means.index]).transform("mean")
    found = examined["psychometrics_levels"].query(
        "instrument == 'relational_capacity' and split == 'survey'"
    )
    found = found.set_index("level")["estimate"]
    # Two-level estimates are those of deviations from the mean but for the weight of unequal groups.
    assert found["within"] == pytest.approx(inside.corr().iloc[0, 1], abs=0.02)
    assert found["between"] > means.corr().iloc[0, 1] > found["within"]


def test_a_wave_is_examined_as_a_survey_of_that_wave_alone(examined):
    instruments, tables = simulated()
    ratings, people = (tables[name] for name in ("responses", "respondents"))
    only = {
        **tables,
        "responses": ratings[ratings["wave"] == "w2"],
        "respondents": people[people["wave"] == "w2"],
    }
    survey = read_survey(only, instruments=list(instruments.values()), waves=WAVES)
    alone = examine(Psychometrics(instruments=("relational_capacity",)), survey, seed=1)
    for table, drawn in (("levels", False), ("information", False), ("reliability", True)):
        name, of = f"psychometrics_{table}", "instrument == 'relational_capacity'"
        rows = (
            examined[name]
            .query(f"{of} and split == 'wave' and group == 'w2'")
            .drop(columns=["split", "group"])
        )
        again = alone[name].query("split == 'survey'").drop(columns=["split", "group"])
        assert len(rows)
        # Bootstrap draws of a group have a seed of their own.
        left_out = ["lower", "upper"] if drawn else []
        pd.testing.assert_frame_equal(
            rows.drop(columns=left_out).reset_index(drop=True),
            again.drop(columns=left_out).reset_index(drop=True),
            rtol=1e-6,
        )
    assert {"omega_within", "omega_between"} <= set(
        examined["psychometrics_reliability"].query("split == 'wave'")["coefficient"]
    )


def test_intervals_of_correlations_take_rater_units_as_independent(survey):
    """The same ratings once more, by the same units of other targets, tell no more than the first time."""
    answers = answers_to(survey, survey.instruments["relational_capacity"])
    first, second = answers.dimensions.values()
    data = pd.DataFrame(
        {
            "a": answers.items[first].mean(axis=1, skipna=False),
            "b": answers.items[second].mean(axis=1, skipna=False),
            "subject": answers.subject,
            "unit": answers.about["rater_unit"],
        }
    ).dropna()
    twice = pd.concat([data, data.assign(subject=data["subject"] + 10_000)])
    once, again = (correlations(d).set_index("lhs").loc[["within", "between"]] for d in (data, twice))
    np.testing.assert_allclose(again["est"], once["est"], rtol=1e-4)
    np.testing.assert_allclose(again["se"], once["se"], rtol=1e-3)
    # A unit of its own for each subject: the sandwich of clusters, which lavaan calls MLR.
    apart = correlations(data.assign(unit=data["subject"])).set_index("lhs")["se"]
    sandwich = cfa(_MODEL, data, cluster="subject", estimator="MLR").parameters.set_index("lhs")["se"]
    n = data["subject"].nunique()
    levels = ["within", "between"]
    np.testing.assert_allclose(apart[levels], sandwich[levels] * np.sqrt(n / (n - 1)), rtol=1e-3)


def test_items_go_with_the_rest_of_their_dimension_and_their_information_adds_up(survey, examined):
    answers = answers_to(survey, survey.instruments["psychological_safety"])
    of = "instrument == 'psychological_safety' and split == 'survey' and dimension == 'safety'"
    whole = answers.items[answers.dimensions["safety"]].dropna()
    rows = examined["psychometrics_items"].query(of).set_index("item")
    for name in whole:
        rest = whole.drop(columns=name).mean(axis=1)
        assert rows.loc[name, "item_rest"] == pytest.approx(np.corrcoef(whole[name], rest)[0, 1])
        assert rows.loc[name, "highest"] == pytest.approx((answers.items[name].dropna() == 5).mean())
        assert rows.loc[name, "unanswered"] == pytest.approx(answers.items[name].isna().mean())
    table = (
        examined["psychometrics_information"]
        .query(of)
        .pivot(index="theta", columns="item", values="information")
    )
    np.testing.assert_allclose(table[""], table.drop(columns="").sum(axis=1))
    assert table.to_numpy().min() > 0


def test_few_rater_units_are_noted(examined):
    fit = examined["psychometrics_fit"]
    keys = ["instrument", "split", "group"]
    few = fit.loc[fit["n_rater_units"] < 20, keys]
    assert 0 < len(few) < len(fit)
    noted = examined["psychometrics_notes"].query("topic == 'few_units'")
    assert set(few.itertuples(index=False, name=None)) <= set(noted[keys].itertuples(index=False, name=None))
    many = fit.loc[fit["n_rater_units"] >= 20, keys]
    assert not set(many.itertuples(index=False, name=None)) & set(
        noted[keys].itertuples(index=False, name=None)
    )


def test_what_cannot_be_estimated_is_noted_and_the_rest_is_there():
    instruments, tables = simulated()
    responses = tables["responses"].copy()
    mine = responses["instrument"] == "psychological_safety"
    twin = mine & (responses["item"] == "PS2")
    keys = ["wave", "respondent_id", "rater_unit", "target_unit"]
    first = responses[mine & (responses["item"] == "PS1")].set_index(keys)["value"]
    copied = responses.loc[twin].set_index(keys).index.map(first)
    responses.loc[twin, "value"] = np.where(pd.isna(copied), responses.loc[twin, "value"], copied)
    survey = read_survey(
        {**tables, "responses": responses}, instruments=list(instruments.values()), waves=WAVES
    )
    found = examine(Psychometrics(instruments=("psychological_safety",)), survey)
    notes = found["psychometrics_notes"].query("topic == 'not_estimated'")
    assert "PS1" in " ".join(notes["detail"])
    assert len(found["psychometrics_items"].query("split == 'survey'")) == 6


def test_small_groups_are_not_examined():
    instruments, tables = simulated()
    respondents = tables["respondents"].copy()
    few = respondents["respondent_id"].isin(respondents["respondent_id"].unique()[:30])
    respondents["language"] = np.where(few, "en", "da")
    survey = read_survey(
        {**tables, "respondents": respondents}, instruments=list(instruments.values()), waves=WAVES
    )
    found = examine(Psychometrics(instruments=("psychological_safety",)), survey)
    languages = found["psychometrics_items"].query("split == 'language'")["group"]
    assert set(languages) == {"da"}
    assert "language" not in set(found["psychometrics_invariance"]["across"])


def test_an_unknown_instrument_is_refused(survey):
    with pytest.raises(ConfigError, match="no instrument trust"):
        examine(Psychometrics(instruments=("trust",)), survey)
