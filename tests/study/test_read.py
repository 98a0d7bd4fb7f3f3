"""A study file is read as it was meant, or refused with every reason."""

import pytest

from relcap_models.errors import ConfigError
from relcap_models.study import read_study


def problems(folder, text, *overrides):
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_study(folder, overrides=overrides)
    return {problem.where: problem for problem in caught.value.problems}


def test_defaults_are_those_of_the_contract(study_folder):
    config = read_study(study_folder).config
    assert (config.inference.engine, config.inference.chains, config.inference.draws) == ("nuts", 4, 1000)
    assert (config.inference.max_rhat, config.inference.min_ess) == (1.01, 400)
    assert (config.disclosure.min_respondents_mean, config.disclosure.min_respondents_distribution) == (5, 8)
    assert (config.report.audience, config.report.language, config.report.ci_prob) == (
        "researcher",
        "en",
        0.9,
    )


def test_a_prior_of_effects_that_an_analysis_does_not_have_is_refused(study_folder, study_text):
    wrong = study_text.replace(
        "kind: climate, id: safety", "kind: climate, id: safety, priors: {lagged: 0.1}"
    )
    found = problems(study_folder, wrong)
    assert list(found) == ["analyses[1].priors"]
    assert "leadership_link alone" in found["analyses[1].priors"].message
    # The default says nothing that could be in vain: saved fits hold it.
    read_text = study_text.replace(
        "kind: climate, id: safety", "kind: climate, id: safety, priors: {lagged: 0.3}"
    )
    (study_folder / "study.yaml").write_text(read_text, encoding="utf-8")
    read_study(study_folder)


def test_a_study_is_found_by_its_folder_and_by_its_file(study_folder):
    assert read_study(study_folder).config == read_study(study_folder / "study.yaml").config


def test_every_problem_is_told_at_once_with_its_place_and_the_nearest_word(study_folder, study_text):
    wrong = (
        study_text.replace("name: small", "name: sm all")
        .replace("seed: 7", "seed: -1\nreprot: {language: dk}")
        .replace("relational_capacity, psych", "relational_capasity, psych")
        .replace("kind: climate, id: safety", "kind: climate, id: con, familly: gaussian")
    )
    found = problems(study_folder, wrong)
    assert set(found) == {
        "name",
        "seed",
        "reprot",
        "instruments[0]",
        "analyses[1].id",
        "analyses[1].familly",
    }
    assert "'report'" in found["reprot"].remedy
    assert "'family'" in found["analyses[1].familly"].remedy
    assert "'relational_capacity'" in found["instruments[0]"].remedy


@pytest.mark.parametrize("kind", ["prioritisation"])
def test_a_planned_analysis_is_refused_as_not_built_yet(study_folder, study_text, kind):
    found = problems(study_folder, study_text.replace("kind: climate", f"kind: {kind}"))
    assert "not built yet" in found["analyses[1].kind"].message


def test_an_unknown_analysis_is_not_called_planned(study_folder, study_text):
    found = problems(study_folder, study_text.replace("kind: climate", "kind: climat"))
    assert "not built" not in str(found["analyses[1].kind"])
    assert "'climate'" in found["analyses[1].kind"].remedy


@pytest.mark.parametrize(
    ("change", "to", "where"),
    [
        ("kind: climate, id: safety", "kind: climate, id: Relations", "analyses[1].id"),
        ("[{id: w1, date: 2025-03}]", "[{id: w1}, {id: w1}]", "waves[1].id"),
        (
            "capacity, psychological_safety]",
            "capacity, psychological_safety, psychological_safety]",
            "instruments[2]",
        ),
    ],
)
def test_ids_are_unique_and_those_of_analyses_even_without_regard_to_case(
    study_folder, study_text, change, to, where
):
    assert change in study_text
    assert where in problems(study_folder, study_text.replace(change, to))


def test_a_kind_must_suit_what_its_instrument_asks_about(study_folder, study_text):
    swapped = study_text.replace("kind: relations", "kind: X").replace("kind: climate", "kind: relations")
    found = problems(study_folder, swapped.replace("kind: X", "kind: climate"))
    assert "kind: relations" in found["analyses[0].kind"].remedy
    assert "kind: climate" in found["analyses[1].kind"].remedy


def test_an_analysis_uses_an_instrument_of_the_study(study_folder, study_text):
    found = problems(
        study_folder,
        study_text.replace("[relational_capacity, psychological_safety]", "[psychological_safety]"),
    )
    assert set(found) == {"analyses[0].instrument"}


@pytest.mark.parametrize("name", ["a/b", "..", "x y", "", "nul", "-x", "ærø"])
def test_an_id_that_cannot_name_a_file_everywhere_is_refused(study_folder, study_text, name):
    assert "name" in problems(study_folder, study_text.replace("name: small", f"name: '{name}'"))


def test_a_number_as_a_wave_id_is_told_to_be_quoted(study_folder, study_text):
    found = problems(study_folder, study_text.replace("id: w1", "id: 1"))
    assert "'1'" in found["waves[0].id"].remedy


@pytest.mark.parametrize("wrong", ["title: \x07", "title: !!int abc", "title: " + 500 * "["])
def test_what_is_no_yaml_is_a_problem_of_the_study_file_or_of_the_setting(study_folder, study_text, wrong):
    (found,) = problems(study_folder, f"{study_text}\n{wrong}").values()
    assert found.file == "study.yaml"
    setting = wrong.replace(": ", "=")
    (found,) = problems(study_folder, study_text, setting).values()
    assert found.file == f"--set {setting}"


def test_an_id_that_is_a_list_is_a_problem_of_its_place(study_folder, study_text):
    found = problems(study_folder, study_text.replace("id: w1", "id: [w1]").replace("id: safety", "id: {}"))
    assert {"waves[0].id", "analyses[1].id"} <= set(found)
    assert problems(study_folder, study_text, "waves.0.id=[a]")[None].file == "--set waves.0.id=[a]"


def test_every_problem_of_simulation_and_plan_is_told_at_once(study_folder, study_text):
    more = """
  programmes: [{id: p, starts: [w9]}]
  relations: {sd_target: [0.1, 0.2, 0.3], sd_relation: [0.1, 0.2, 0.3]}
  climate: {sd_rating: [1, 1, 1], paths: [{source: safety, to: target, coefficient: 1}]}
power: {partners: [9], respondents: [2, 10], units: [4, 12]}
"""
    found = problems(study_folder, study_text + more.lstrip("\n"))
    assert set(found) == {
        "simulation.programmes[0].starts",
        "simulation.relations.sd_target",
        "simulation.relations.sd_relation",
        "simulation.climate.sd_rating",
        "simulation.climate.paths[0].source",
        "power",
    }
    with pytest.raises(ConfigError) as caught:
        read_study(study_folder)
    # 4 units cannot have 9 partners; 12 units of 2 are too small for the 3 that `min_size` asks.
    of_plan = [problem.message for problem in caught.value.problems if problem.where == "power"]
    assert len(of_plan) == 2
    assert "9 partners among 4 units" in of_plan[0]
    assert "u12-n2-p9-w1-d1 cannot be: n_respondents (24) cannot fill 12 units" in of_plan[1]


def test_a_block_of_the_simulation_that_cannot_be_hides_no_other(study_folder, study_text):
    wrong = study_text.replace("n_respondents: 30", "n_respondents: 3, strategic_units: 9")
    found = problems(study_folder, f"{wrong}  programmes: [{{id: p, starts: [w9]}}]\n")
    assert set(found) == {"simulation.organisation", "simulation.programmes[0].starts"}
    assert "min_size" in found["simulation.organisation"].message
    assert "strategic_units" in found["simulation.organisation"].message


def test_a_plan_that_is_left_out_is_not_judged(study_folder, study_text):
    """`relcap power` asks 5 to 40 people by default, too few for units of 7; nobody asked for it here."""
    text = study_text.replace("n_respondents: 30,", "n_respondents: 30, min_size: 7,")
    (study_folder / "study.yaml").write_text(text, encoding="utf-8")
    assert read_study(study_folder).config.power is None
    found = problems(study_folder, text, "power.respondents=[5]")
    assert found[None].file == "--set power.respondents=[5]"


def test_a_folder_without_a_study_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"no study\.yaml"):
        read_study(tmp_path)
    with pytest.raises(ConfigError, match="no such folder"):
        read_study(tmp_path / "absent")


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("smal", "Did you mean 'small'? Here: small."),
        ("small/x", "`relcap new NAME` makes one."),
        ("a/b/c", "There is no {0}/a/b either: of that path only {0} is there."),
    ],
)
def test_of_a_folder_that_is_not_there_the_nearest_is_told(study_folder, path, remedy):
    above = study_folder.parent
    with pytest.raises(ConfigError) as caught:
        read_study(above / path)
    assert str(caught.value) == f"{above / path}: there is no such folder. {remedy.format(above)}"


def test_wave_ids_with_blanks_around_them_and_wrong_dates_are_told_of_the_study_file(
    study_folder, study_text
):
    waves = "[{id: 'w1 ', date: 2025-13}, {id: w2, date: ''}, {id: w3, date: 2025-03-15}]"
    found = problems(study_folder, study_text.replace("[{id: w1, date: 2025-03}]", waves))
    assert {where: (p.file, p.value) for where, p in found.items()} == {
        "waves[0].id": ("study.yaml", "w1 "),
        "waves[0].date": ("study.yaml", "2025-13"),
    }


def test_an_own_instrument_file_is_found_in_the_study_folder(study_folder, study_text):
    own = """
    id: my_scale
    title: {en: Mine}
    referent: own_team
    dimensions: [{id: d, title: {en: D}}]
    items: [{id: m1, dimension: d, text: {en: How}}]
    source: mine
    original_language: en
    translation_status: {en: original}
    """
    (study_folder / "my_scale.yaml").write_text(own, encoding="utf-8")
    text = study_text.replace("psychological_safety]", "my_scale.yaml]").replace(
        "instrument: psychological_safety", "instrument: my_scale"
    )
    (study_folder / "study.yaml").write_text(text, encoding="utf-8")
    assert read_study(study_folder).sources["my_scale"] == "my_scale.yaml"


def test_a_leadership_link_needs_instruments_about_the_right_things(study_folder, study_text):
    link = "{kind: leadership_link, instrument: psychological_safety, leadership: relational_leadreship}"
    text = study_text.replace("analyses:\n", f"analyses:\n  - {link}\n")
    found = problems(study_folder, text)
    assert "partner units" in found["analyses[0].instrument"].message
    assert "relational_capacity" in found["analyses[0].instrument"].remedy
    assert "not one of the study's" in found["analyses[0].leadership"].message
