"""A study's answers come from its tables, or from its simulation where there are none, never from both."""

import json

import pandas as pd
import pytest

from relcap_models.errors import ConfigError, DataError
from relcap_models.study import gather, read_study, write_simulation
from relcap_models.study.material import is_simulated, problems_of_study
from relcap_models.study.read import draft_study


def test_simulating_on_the_way_gives_the_same_answers_as_simulating_first(study_folder):
    on_the_way = gather(read_study(study_folder))
    write_simulation(read_study(study_folder), study_folder)
    first = gather(read_study(study_folder))
    assert on_the_way.simulated is not None
    assert first.simulated is None
    assert on_the_way.survey.responses.astype(object).equals(first.survey.responses.astype(object))


def test_simulated_tables_are_known_until_real_ones_take_their_place(study_folder):
    study = read_study(study_folder)
    write_simulation(study, study_folder)
    assert is_simulated(study, gather(study))
    responses = study_folder / "data" / "responses.csv"
    responses.write_text(responses.read_text(encoding="utf-8").rstrip("\n"), encoding="utf-8")
    assert not is_simulated(study, gather(study))


@pytest.mark.parametrize("made", ["[]", "3", "{}", '{"tables": []}', '{"tables": {"responses.csv": []}}'])
def test_a_note_of_a_simulation_that_no_simulation_wrote_vouches_for_no_table(study_folder, made):
    study = read_study(study_folder)
    write_simulation(study, study_folder)
    (study_folder / "truth" / "made.json").write_text(made, encoding="utf-8")
    assert not is_simulated(study, gather(study))


def test_simulating_again_replaces_simulated_tables_but_never_others(study_folder):
    study = read_study(study_folder)
    write_simulation(study, study_folder)
    write_simulation(study, study_folder)
    responses = study_folder / "data" / "responses.csv"
    responses.write_text("my answers", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"responses\.csv"):
        write_simulation(study, study_folder)
    assert responses.read_text(encoding="utf-8") == "my answers"


def test_some_tables_but_not_all_is_refused_rather_than_mixed(study_folder, study_text):
    text = study_text + "tables: {responses: data/responses.csv, units: data/unit.csv}\n"
    (study_folder / "study.yaml").write_text(text, encoding="utf-8")
    write_simulation(read_study(study_folder), study_folder)
    with pytest.raises(ConfigError, match=r"Did you mean 'data/units\.csv'"):
        gather(read_study(study_folder))


@pytest.mark.parametrize(
    "path", ["/nonexistent/responses.csv", "../up.csv", 5000 * "n" + ".csv", '"a\\0b.csv"']
)
def test_a_table_that_cannot_be_there_is_told_as_it_is_declared(study_folder, study_text, path):
    text = study_text.split("simulation:")[0] + f"tables: {{responses: {path}}}\n"
    (study_folder / "study.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        gather(read_study(study_folder))
    (problem,) = caught.value.problems
    assert problem.where == "tables.responses"
    assert path.strip('"').partition("\\0")[0][:100] in problem.message
    assert len(problem.message) < 250
    assert "\0" not in problem.message


@pytest.mark.parametrize("table", ["responses", "units"])
def test_a_table_that_is_absent_hides_no_problem_of_the_others(study_folder, study_text, table):
    write_simulation(read_study(study_folder), study_folder)
    with (study_folder / "data" / "nominations.csv").open("a", encoding="utf-8") as nominations:
        nominations.write("w9,u01,u02,3\n")
    (study_folder / "data" / f"{table}.csv").unlink()
    tables = ", ".join(f"{name}: data/{name}.csv" for name in ("responses", "units", "nominations"))
    text = f"{study_text}tables: {{{tables}}}\n"
    (study_folder / "study.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        gather(read_study(study_folder))
    found = {(problem.file, problem.where, problem.value) for problem in caught.value.problems}
    expected = {("study.yaml", f"tables.{table}", None), ("nominations.csv", None, "w9")}
    assert found == expected
    (study_folder / "study.yaml").write_text(f"{text}sed: 1\n", encoding="utf-8")
    problems = problems_of_study(draft_study(study_folder))
    assert {(p.file, p.where, p.value) for p in problems} == {*expected, ("study.yaml", "sed", None)}


def test_no_tables_and_no_simulation_is_refused(study_folder, study_text):
    (study_folder / "study.yaml").write_text(study_text.split("simulation:")[0], encoding="utf-8")
    with pytest.raises(ConfigError, match="no tables"):
        gather(read_study(study_folder))
    with pytest.raises(ConfigError, match="nothing to simulate from"):
        write_simulation(read_study(study_folder), study_folder)


def test_problems_of_file_and_tables_are_told_together(study_folder, study_text):
    write_simulation(read_study(study_folder), study_folder)
    responses = study_folder / "data" / "responses.csv"
    lines = responses.read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].rsplit(",", 1)[0] + ",77"
    responses.write_text("\n".join(lines), encoding="utf-8")
    (study_folder / "study.yaml").write_text(study_text + "sed: 1\n", encoding="utf-8")
    files = {problem.file for problem in problems_of_study(draft_study(study_folder))}
    assert files == {"study.yaml", "responses.csv"}


@pytest.mark.parametrize(
    ("wave", "files"),
    [
        ("{id: w1, date: yesterday}", ["study.yaml", "responses.csv"]),
        # Each row would be of a wave that is not declared.
        ("{id: 'w1 '}", ["study.yaml"]),
    ],
)
def test_a_wrong_wave_makes_no_noise_in_the_tables(study_folder, study_text, wave, files):
    write_simulation(read_study(study_folder), study_folder)
    with (study_folder / "data" / "responses.csv").open("a", encoding="utf-8") as responses:
        responses.write("w1,r01,nowhere,u01,relational_capacity,RC1,3\n")
    text = study_text.replace("{id: w1, date: 2025-03}", wave)
    (study_folder / "study.yaml").write_text(text, encoding="utf-8")
    found = [problem.file for problem in problems_of_study(draft_study(study_folder))]
    assert list(dict.fromkeys(found)) == files
    assert len(found) <= 3


def test_wrong_tables_raise_all_their_problems(study_folder):
    write_simulation(read_study(study_folder), study_folder)
    responses = study_folder / "data" / "responses.csv"
    lines = responses.read_text(encoding="utf-8").splitlines()
    for row, value in ((1, "77"), (2, "-3")):
        lines[row] = lines[row].rsplit(",", 1)[0] + f",{value}"
    responses.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        gather(read_study(study_folder))
    assert {problem.row for problem in caught.value.problems} == {2, 3}


def test_simulating_something_else_leaves_nothing_of_the_organisation_before(study_folder, study_text):
    more = study_text.rstrip("\n") + "\n  programmes: [{id: p, starts: [w1], on_target: 0.5}]\n"
    (study_folder / "study.yaml").write_text(more, encoding="utf-8")
    write_simulation(read_study(study_folder), study_folder)
    assert (study_folder / "data" / "programmes.csv").exists()
    assert (study_folder / "truth" / "programme_effects.csv").exists()
    (study_folder / "truth" / "notes.csv").write_text("mine", encoding="utf-8")
    (study_folder / "study.yaml").write_text(study_text, encoding="utf-8")
    for _ in range(2):
        write_simulation(read_study(study_folder), study_folder)
    assert not (study_folder / "data" / "programmes.csv").exists()
    assert not (study_folder / "truth" / "programme_effects.csv").exists()
    assert (study_folder / "truth" / "notes.csv").exists()
    made = json.loads((study_folder / "truth" / "made.json").read_text(encoding="utf-8"))
    assert made["simulation"]["organisation"]["n_units"] == 4
    assert made["simulation"]["departures"]["sd_occasion"] == 0


def test_two_files_of_one_table_and_misspelt_ones_are_told(study_folder):
    study = read_study(study_folder)
    write_simulation(study, study_folder)
    data = study_folder / "data"
    pd.read_csv(data / "units.csv", dtype=str).to_parquet(data / "units.parquet")
    (data / "nominations.csv").rename(data / "nomination.csv")
    with pytest.raises(DataError) as caught:
        gather(study)
    assert {problem.file for problem in caught.value.problems} == {"units.parquet", "nomination.csv"}
