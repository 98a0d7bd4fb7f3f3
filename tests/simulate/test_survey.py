"""The tables of a simulated survey: who is asked, who answers, who comes and goes."""

import inspect
import textwrap

import numpy as np
import pandas as pd
import pytest
import yaml

from relcap_models.data import Wave, read_survey
from relcap_models.errors import ConfigError
from relcap_models.simulate import Simulated, Simulation, simulate

RC, RL = "relational_capacity", "relational_leadership"
Z = 4.5


@pytest.fixture(scope="module")
def run(instruments, waves):
    def build(
        n_waves: int = 1, *, seed: int = 13, names: tuple[str, ...] = (RC,), **options: object
    ) -> Simulated:
        chosen = {name: instruments[name] for name in names}
        return simulate(
            Simulation.model_validate(options), instruments=chosen, waves=waves[:n_waves], seed=seed
        )

    return build


def rate_is(share: float, asked: float, n: int) -> bool:
    return abs(share - asked) < Z * np.sqrt(asked * (1 - asked) / n)


LARGE = {"n_respondents": 4000, "n_units": 80, "n_districts": 4}


def test_unit_nonresponse_has_the_rate_asked_for_and_keeps_people_in_the_table(run):
    nonresponse = {"unit": 0.25, "item": 0, "dont_know": 0, "dont_know_asynchronous": 0}
    tables = run(organisation=LARGE, nonresponse=nonresponse).tables
    answered = tables["respondents"]["respondent_id"].isin(tables["responses"]["respondent_id"])
    assert len(answered) == 4000
    assert rate_is(1 - answered.mean(), 0.25, 4000)


def test_people_who_did_not_answer_are_likelier_not_to_answer_again(run):
    options = {"organisation": LARGE | {"turnover": 0, "moves": 0}}
    nonresponse = {"unit": 0.3, "persistence": 0.8}
    responses = run(2, nonresponse=nonresponse, **options).tables["responses"]
    answered = pd.crosstab(responses["respondent_id"], responses["wave"]) > 0
    everybody = run(2, nonresponse=nonresponse, **options).tables["respondents"]["respondent_id"].unique()
    answered = answered.reindex(everybody, fill_value=False)
    again = 1 - answered.loc[~answered["w1"], "w2"].mean()
    assert again > 0.5
    assert rate_is(1 - answered["w2"].mean(), 0.3, 4000)


def test_dont_know_is_likelier_where_only_the_other_side_nominated(run):
    nonresponse = {"unit": 0, "item": 0.05, "dont_know": 0.03, "dont_know_asynchronous": 0.2}
    tables = run(organisation=LARGE, nonresponse=nonresponse).tables
    responses = tables["responses"]
    ratings = (
        responses.groupby(["respondent_id", "rater_unit", "target_unit"])["value"].agg(list).reset_index()
    )
    unknown = ratings["value"].map(lambda values: "DK" in values)
    assert (ratings.loc[unknown, "value"].map(set) == {"DK"}).all()
    own = ratings["rater_unit"] == ratings["target_unit"]
    assert not unknown[own].any()
    nominated = set(zip(tables["nominations"]["rater_unit"], tables["nominations"]["target_unit"]))
    ours = pd.Series([pair in nominated for pair in zip(ratings["rater_unit"], ratings["target_unit"])])
    for share, chosen in ((0.03, ours & ~own), (0.2, ~ours & ~own)):
        assert rate_is(unknown[chosen].mean(), share, chosen.sum())
    asked = responses["value"] != "DK"
    assert rate_is((responses.loc[asked, "value"] == "").mean(), 0.05, asked.sum())


def test_everybody_rates_partners_of_the_own_unit_and_the_own_unit(run):
    tables = run(nonresponse={"unit": 0}, ratings={"max_targets": 4}).tables
    nominations = tables["nominations"]
    pairs = set(zip(nominations["rater_unit"], nominations["target_unit"]))
    partners = pairs | {(b, a) for a, b in pairs}
    ratings = tables["responses"].drop_duplicates(["respondent_id", "target_unit"])
    assert all(a == b or (a, b) in partners for a, b in zip(ratings["rater_unit"], ratings["target_unit"]))
    degree = pd.Series([a for a, _ in partners]).value_counts()
    per_person = ratings.groupby("respondent_id")["rater_unit"].agg(["first", "size"])
    assert (per_person["size"] == 1 + per_person["first"].map(degree).clip(upper=4)).all()


def test_nominations_are_mutual_and_near_as_asked(run):
    def shares(**options: float) -> tuple[float, float]:
        tables = run(organisation=LARGE, nominations=options).tables
        nominations = tables["nominations"]
        pairs = set(zip(nominations["rater_unit"], nominations["target_unit"]))
        assert abs(len(pairs) / 80 - 9) < 1
        district = tables["units"].set_index("unit_id")["district"]
        near = district.loc[nominations["rater_unit"]].to_numpy() == district.loc[nominations["target_unit"]]
        return float(np.mean([(b, a) in pairs for a, b in pairs])), float(near.mean())

    near = {"same_district": 2.0, "same_layer": 0.0}
    apart = {"same_district": 0.0, "same_layer": 0.0}
    # A unit without partners above the bar nominates one all the same: that can be one-sided.
    assert shares(mutuality=1.0, **apart)[0] > 0.97
    assert shares(mutuality=0.0, **apart)[0] < 0.25
    assert shares(mutuality=0.5, **near)[1] > 2 * shares(mutuality=0.5, **apart)[1]


def test_turnover_and_moves_keep_ids_units_and_sizes_consistent(run):
    organisation = LARGE | {"turnover": 0.2, "moves": 0.1}
    tables = run(3, organisation=organisation, nonresponse={"unit": 0.1}).tables
    staff = tables["respondents"].pivot(index="respondent_id", columns="wave", values="unit_id")
    here = staff.notna()
    assert (here.sum() == 4000).all()
    # Nobody comes back: who is away after having been there stays away.
    assert not (here["w1"] & ~here["w2"] & here["w3"]).any()
    sizes = tables["respondents"].groupby(["wave", "unit_id"]).size().unstack()
    assert (sizes == tables["units"].set_index("unit_id")["size"]).all().all()
    left = 1 - here.loc[here["w1"], "w2"].mean()
    assert rate_is(left, 0.2, 4000)
    stayed = staff[here["w1"] & here["w2"]]
    moved = (stayed["w1"] != stayed["w2"]).mean()
    # Swapping leaves a few in the unit they were in: about one in 80.
    assert 0.1 * 0.95 - Z * np.sqrt(0.09 / len(stayed)) < moved < 0.1 + Z * np.sqrt(0.09 / len(stayed))
    answers = tables["responses"].drop_duplicates(["wave", "respondent_id"])
    unit_then = staff.stack().rename("unit").reset_index()
    joined = answers.merge(unit_then, on=["wave", "respondent_id"], how="left")
    assert (joined["rater_unit"] == joined["unit"]).all()


def test_units_are_uneven_have_layers_and_names_of_their_own(run):
    units = run(organisation=LARGE).tables["units"]
    assert units["size"].sum() == 4000
    assert units["size"].max() > 3 * units["size"].median()
    assert units["name"].is_unique
    assert list(units["layer"].value_counts().sort_values()) == [1, 4, 75]
    assert units["n_leaders"].ge(1).all()


def test_tables_pass_the_checks_of_real_data(run, instruments, waves):
    names = (RC, RL)
    tables = run(
        3,
        names=names,
        programmes=[{"id": "training", "starts": ["w2"], "on_target": 0.3}],
        outcomes=[{"id": "quality"}],
    ).tables
    assert set(tables) == {"responses", "units", "respondents", "nominations", "programmes", "outcomes"}
    survey = read_survey(tables, instruments=[instruments[name] for name in names], waves=waves)
    value = tables["responses"]["value"]
    assert len(survey.responses) == (~value.isin(["DK", ""])).sum()
    assert len(survey.dont_know) == (value == "DK").sum() > 0
    for name in ("units", "respondents", "nominations", "programmes", "outcomes"):
        assert len(getattr(survey, name)) == len(tables[name])


def test_the_same_seed_gives_the_same_tables_and_another_seed_others(run):
    one, same, other = run(2), run(2), run(2, seed=14)
    for name, table in one.tables.items():
        pd.testing.assert_frame_equal(table, same.tables[name])
    for name, table in one.truth.items():
        pd.testing.assert_frame_equal(table, same.truth[name])
    assert not one.tables["responses"].equals(other.tables["responses"])


def test_stages_are_independent(run):
    """Another programme, instrument, wave or effect size does not change who works where or is asked whom."""
    plain = run(2)
    programme = {"id": "training", "starts": ["w2"], "on_target": 0.5}
    others = [
        run(2, programmes=[programme]),
        run(2, names=(RC, RL)),
        run(2, relations={"sd_target": 1.0, "family": "partial_credit"}),
    ]
    asked = ["wave", "respondent_id", "rater_unit", "target_unit", "item"]

    def design(simulated: Simulated) -> pd.DataFrame:
        responses = simulated.tables["responses"]
        return responses.loc[responses["instrument"] == RC, asked]

    for other in others:
        for name in ("units", "respondents", "nominations"):
            pd.testing.assert_frame_equal(plain.tables[name], other.tables[name])
        pd.testing.assert_frame_equal(design(plain), design(other))
    shorter = run(1)
    first = plain.tables["respondents"].query("wave == 'w1'").reset_index(drop=True)
    pd.testing.assert_frame_equal(shorter.tables["respondents"], first)
    truth = plain.truth["relation_effects"].query("wave == 'w1'").reset_index(drop=True)
    pd.testing.assert_frame_equal(shorter.truth["relation_effects"], truth)


def test_a_single_unit_and_persons_rating_persons_run(run):
    alone = {"n_units": 1, "n_respondents": 5, "n_districts": 1, "strategic_units": 0}
    lonely = run(organisation=alone | {"leader_units_per_district": 0}, nonresponse={"unit": 0})
    assert lonely.truth["relation_scores"].empty
    assert set(lonely.tables["responses"]["target_unit"]) == {"u01"}
    persons = {"n_units": 40, "n_respondents": 40, "min_size": 1, "n_districts": 1, "strategic_units": 0}
    round_robin = run(
        organisation=persons | {"leader_units_per_district": 0},
        nominations={"partners": 39},
        ratings={"max_targets": 39, "own_unit": False},
        nonresponse={"unit": 0},
    )
    ratings = round_robin.tables["responses"].drop_duplicates(["rater_unit", "target_unit"])
    assert len(ratings) == 40 * 39


def documented() -> list[dict]:
    """The `simulation:` examples in the docstring of `Simulation`."""
    text = inspect.cleandoc(Simulation.__doc__ or "")
    blocks = [block for block in text.split("\n\n") if block.startswith("    simulation:")]
    return [yaml.safe_load(textwrap.dedent(block))["simulation"] for block in blocks]


def test_documented_examples_have_the_size_that_they_claim(instruments, waves):
    small, case = documented()
    for block, n_waves, people, units, answers in (
        (small, 1, 300, 25, 1770 * 6),
        (case, 3, 1300, 60, 140_000),
    ):
        options = Simulation.model_validate(block)
        tables = simulate(options, instruments=instruments, waves=waves[:n_waves], seed=20260101).tables
        assert (tables["respondents"].groupby("wave").size() == people).all()
        assert len(tables["units"]) == units
        about_relations = (tables["responses"]["instrument"] == RC).sum()
        assert abs(about_relations - answers) < 0.05 * answers


def test_impossible_settings_are_refused_in_plain_words(instruments):
    with pytest.raises(ValueError, match="cannot fill 25 units"):
        Simulation.model_validate({"organisation": {"n_respondents": 20}})
    with pytest.raises(ValueError, match="negative eigenvalue"):
        Simulation.model_validate(
            {"relations": {"generalised_reciprocity": 0.9, "perceiver_self": 0.9, "target_self": -0.9}}
        )
    with pytest.raises(ConfigError, match="no wave"):
        simulate(Simulation(), instruments=instruments, waves=[], seed=1)
    programme = {"id": "P1", "starts": ["w9"]}
    with pytest.raises(ConfigError, match=r"programmes\[0\]\.starts: 'w9' is not a wave"):
        simulate(
            Simulation.model_validate({"programmes": [programme]}),
            instruments=instruments,
            waves=[Wave("w1")],
            seed=1,
        )
