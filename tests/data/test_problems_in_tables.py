"""Each kind of bad input is told with file, row, column, value and what to do, and all of them at once."""

from __future__ import annotations

import pyarrow as pa
import pytest
from pyarrow import parquet

ONE_PROBLEM = {
    "unknown target": (
        "responses", "w1,r1,u1,u03,relational_capacity,RC2,4",
        (11, "target_unit", "u03"), "this unit is not in units.csv", "Did you mean 'u3'? Add it to units.csv",
    ),
    "unknown respondent": (
        "responses", "w1,r33,u1,u2,relational_capacity,RC2,4",
        (11, "respondent_id", "r33"), "this respondent is not in respondents.csv", "Did you mean 'r3'?",
    ),
    "duplicate": (
        "responses", "w1,r1,u1,u2,relational_capacity,RC2,4",
        (11, "value", "4"), "already answered this item about this target in this wave", "Keep one",
    ),
    "off the scale": (
        "responses", "w1,r1,u1,u3,relational_capacity,RC2,0",
        (11, "value", "0"), "outside the response scale 1 to 5", "Correct it",
    ),
    "half point": (
        "responses", 'w1,r1,u1,u3,relational_capacity,RC2,"4,5"',
        (11, "value", "4,5"), "between two answers of the response scale 1 to 5", "whole numbers",
    ),
    "word": (
        "responses", "w1,r1,u1,u3,relational_capacity,RC2,good",
        (11, "value", "good"), "neither a number nor a code of relational_capacity", "`dont_know`",
    ),
    "undeclared wave": (
        "responses", "W2,r2,u2,u3,relational_capacity,RC2,4",
        (11, "wave", "W2"), "this wave is not declared", "Did you mean 'w2'? Declare it under `waves`",
    ),
    "unknown item": (
        "responses", "w1,r1,u1,u3,relational_capacity,RC7,4",
        (11, "item", "RC7"), "the instrument relational_capacity has no such item", "Items: RC1, RC2",
    ),
    "unknown instrument": (
        "responses", "w1,r1,u1,u3,relational_capacitty,RC2,4",
        (11, "instrument", "relational_capacitty"), "no such instrument", "mean 'relational_capacity'?",
    ),
    "instrument not in the study": (
        "responses", "w1,r1,u1,u1,relational_leadership,RL1,4",
        (11, "instrument", "relational_leadership"), "no such instrument", "Add 'relational_leadership' to",
    ),
    "own-team item about others": (
        "responses", "w1,r1,u1,u2,psychological_safety,PS2,4",
        (11, "target_unit", "u2"), "about the respondent's own unit", "target_unit the same as rater_unit",
    ),
    "two units in a wave": (
        "responses", "w1,r1,u3,u2,relational_capacity,RC3,4",
        (11, "rater_unit", "u3"), "belongs to another unit elsewhere in this wave", "row 2 'r1' is in 'u1'",
    ),
    "blank id": (
        "responses", "w1,,u3,u2,relational_capacity,RC3,4",
        (11, "respondent_id", None), "nothing is given here", "Give the respondent_id",
    ),
    "ragged row": (
        "responses", "w1,r1,u1,u3,relational_capacity,RC2,4,5",
        (11, None, "8"), "the row does not have 7 values", "quotation marks",
    ),
    "unit twice": (
        "units", "u2,Again,1,1",
        (5, "unit_id", "u2"), "a row with the same unit_id stands above", "the one in row 3",
    ),
    "negative size": ("units", "u4,X,-1,1", (5, "size", "-1"), "this is below 0", "Correct it"),
    "half a leader": ("units", "u4,X,1,1.5", (5, "n_leaders", "1.5"), "not a whole number", "decimals"),
    "size in words": ("units", "u4,X,many,1", (5, "size", "many"), "this is not a number", "Correct it"),
    "unit without name": ("units", "u4,,1,1", (5, "name", None), "nothing is given here", "Give the name"),
    "nomination of nobody": (
        "nominations", "w1,u1,u9,3", (4, "target_unit", "u9"), "this unit is not in units.csv", "Add it",
    ),
    "self-nomination": ("nominations", "w1,u1,u1,3", (4, "target_unit", "u1"), "nominates itself", "Remove"),
    "programme wave": ("programmes", "u2,P1,w3", (3, "start_wave", "w3"), "not declared", "Known: w1, w2"),
    "programme unit": ("programmes", "u7,P1,w2", (3, "unit_id", "u7"), "not in units.csv", "Add it"),
    "outcome without value": ("outcomes", "w2,u1,absence,", (3, "value", None), "nothing is given", "Give"),
    "outcome twice": (
        "outcomes", "w1,u1,absence,5", (3, "wave", "w1, u1, absence"), "same wave, unit_id, outcome", "row 2",
    ),
    "unclear thousands": (
        "outcomes", 'w2,u1,absence,"1,234"',
        (3, "value", "1,234"), "can be read in two ways", "decimals with a point",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ONE_PROBLEM)
def test_a_bad_row_is_told_with_its_place_and_remedy(study, places, kind):
    table, line, (row, column, value), message, remedy = ONE_PROBLEM[kind]
    study.append(table, line)
    problems = study.problems()
    assert places(problems) == [(f"{table}.csv", row, column, value)]
    assert message in problems[0].message
    assert remedy in problems[0].remedy


def test_all_kinds_in_one_study_are_told_at_once(study, places):
    """Rows are added in one go; each problem keeps its own line."""
    expected: set[tuple] = set()
    for table in ("responses", "units", "nominations", "programmes", "outcomes"):
        cases = [case for case in ONE_PROBLEM.values() if case[0] == table]
        lines_before = study.text(table).count("\n")
        study.append(table, *(line for _, line, *_ in cases))
        for i, (_, _, (_, column, value), *_) in enumerate(cases):
            expected.add((f"{table}.csv", lines_before + 1 + i, column, value))
    found = set(places(study.problems()))
    assert expected <= found
    # Beside each other some bad rows also repeat a key: u4 in units, RC2 of r1 about u3, an outcome of w2.
    again = {
        (p.file, p.row) for p in study.problems() if "stands above" in p.message or "already" in p.message
    }
    assert {(file, row) for file, row, *_ in found - expected} <= again


def test_problems_come_in_the_order_of_tables_and_rows(study):
    study.append("outcomes", "w9,u1,absence,5")
    study.append(
        "responses", "w1,r1,u1,u3,relational_capacity,RC2,0", "w9,r1,u1,u3,relational_capacity,RC2,3"
    )
    assert [(p.file, p.row) for p in study.problems()] == [
        ("responses.csv", 11),
        ("responses.csv", 12),
        ("outcomes.csv", 3),
    ]


def test_missing_columns_name_the_nearest_column(study, places):
    study.replace("responses", "respondent_id", "respondent")
    study.replace("units", "unit_id,name", "unit_id,navn")
    problems = study.problems()
    assert places(problems)[:2] == [
        ("responses.csv", None, "respondent_id", None),
        ("units.csv", None, "name", None),
    ]
    assert "Is it 'respondent'? Rename that column" in problems[0].remedy
    assert "Columns there: unit_id, navn, size, n_leaders" in problems[1].remedy


def test_columns_given_twice_are_told(study):
    study.replace("units", "unit_id,name,size,n_leaders", "unit_id,name,size,size")
    (problem,) = study.problems()
    assert str(problem) == (
        "units.csv, row 1, column 'size': the column name is given twice (columns 3 and 4). "
        "Rename or remove one of them."
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "the file is empty"), (b"\xef\xbb\xbf\n\n", "is empty"), (b"unit_id,name\n", "no rows")],
)
def test_empty_files_are_told(study, content, said):
    study.write("units", content)
    assert said in next(p.message for p in study.problems() if p.file == "units.csv")


def test_line_breaks_within_ids_are_told(study, places):
    """A quotation mark that is closed rows later swallows them without making the row ragged."""
    study.append(
        "responses", 'w1,r1,"u1,u3,relational_capacity,RC2,4', 'w1,r1,u1",u3,relational_capacity,RC2,4'
    )
    problems = [p for p in study.problems() if "line break" in p.message]
    assert [(p.row, p.column) for p in problems] == [(11, "rater_unit")]
    assert "closed in a later row" in problems[0].remedy


def test_an_unreadable_units_table_hides_nothing_else_and_makes_no_noise(study, places):
    study.write("units", "id,name\nu1,A\n")
    study.append("responses", "w3,r1,u1,u3,relational_capacity,RC2,4")
    assert places(study.problems()) == [
        ("responses.csv", 11, "wave", "w3"),
        ("units.csv", None, "unit_id", None),
    ]


@pytest.mark.parametrize("table", ["units", "respondents"])
def test_a_ragged_row_does_not_make_its_id_unknown_elsewhere(study, places, table):
    study.replace(table, "u3,PPR" if table == "units" else "r3,", "u3,,PPR" if table == "units" else "r3,,")
    found = "5" if table == "units" else "3"
    assert places(study.problems()) == [(f"{table}.csv", 4, None, found)]


@pytest.mark.parametrize("rows", ["u1,A,1,1,1\n", 'u1,"A,1\n'])
def test_a_table_whose_only_rows_cannot_be_read_is_not_called_empty(study, rows):
    study.write("units", "unit_id,name,size,n_leaders\n" + rows)
    assert [p.row for p in study.problems()] == [2]


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04\xff\xfe", "unit_id,name\nu1,A\n".encode("utf-16-le"), bytes(range(256))]
)
def test_files_that_are_no_text_are_refused(study, content):
    study.write("units", content)
    (problem,) = study.problems()
    assert problem.file == "units.csv"
    assert "CSV UTF-8" in problem.remedy


def test_a_survey_without_a_single_answer_is_refused(study):
    study.write(
        "responses", study.text("responses").splitlines()[0] + "\nw1,r1,u1,u2,relational_capacity,RC1,DK\n"
    )
    (problem,) = study.problems()
    assert problem.message == "there is not a single answer"


def test_an_open_quotation_mark_is_told_with_its_line(study):
    study.append("units", 'u4,"Skole', "u5,PPR,1,1")
    (problem,) = [p for p in study.problems() if "quotation" in p.message]
    assert (problem.file, problem.row) == ("units.csv", 5)


def test_a_header_that_leaves_a_quotation_mark_open_is_told(study):
    study.replace("units", "unit_id,name", 'unit_id,"name')
    (problem,) = [p for p in study.problems() if p.file == "units.csv"]
    assert (problem.row, problem.message) == (1, "a quotation mark in the header is not closed")


def test_a_carriage_return_in_the_header_ends_it(study, places):
    study.replace("units", "unit_id,na", "unit_id,na\r")
    assert ("units.csv", 1, None, None) not in places(study.problems())
    assert ("units.csv", None, "name", None) in places(study.problems())
    assert ("units.csv", 2, None, "3") in places(study.problems())


@pytest.mark.parametrize("first", [200_000 * "x", "[" + 40_000 * "1,22,333,", '"' + 200_000 * "x"])
def test_a_first_line_without_end_is_no_header(study, first):
    study.write("units", first)
    problems = [p for p in study.problems() if p.file == "units.csv"]
    assert problems
    assert len(str(problems[0])) < 1000


def test_a_long_cell_does_not_move_the_lines_of_other_problems(study, places):
    """Beyond 131,072 signs Python's own reader of CSV gives up."""
    study.append("units", f"u4,{140_000 * 'x'},1,1", "u5,A,1", "u6,B,-1,1")
    assert places(study.problems()) == [("units.csv", 6, None, "3"), ("units.csv", 7, "size", "-1")]


def test_a_column_given_twice_in_a_parquet_file_is_told(study, places):
    names = ["unit_id", "name", "name"]
    table = pa.Table.from_arrays([pa.array(["u1", "u2", "u3"])] * 3, names=names)
    parquet.write_table(table, study.folder / "units.parquet")
    (study.folder / "units.csv").unlink()
    (problem,) = study.problems()
    assert (problem.file, problem.column) == ("units.parquet", "name")
    assert "given twice (columns 2 and 3)" in problem.message


def test_text_of_another_encoding_in_a_parquet_file_is_told(study):
    latin = pa.array(["Bø".encode("latin-1"), b"B", b"C"]).view(pa.string())
    table = pa.table({"unit_id": ["u1", "u2", "u3"], "name": latin})
    parquet.write_table(table, study.folder / "units.parquet")
    (study.folder / "units.csv").unlink()
    (problem,) = study.problems()
    assert (problem.file, problem.column) == ("units.parquet", "name")
    assert "not UTF-8" in problem.message


def test_ids_that_lost_their_zeros_are_recognised(study):
    study.write("units", "unit_id,name\n007,A\nu1,B\nu2,C\nu3,D\n")
    study.append("responses", "w1,r1,u1,7,relational_capacity,RC2,4")
    (problem,) = study.problems()
    assert (problem.row, problem.column, problem.value) == (11, "target_unit", "7")
    assert "There is '007': ids are text, and spreadsheets drop leading zeros" in problem.remedy


def test_rows_are_lines_of_the_editor_whatever_the_file_holds(study, places):
    """Line breaks in quotes, empty lines, blank rows, Windows line ends and skipped rows move the count."""
    study.write(
        "units",
        '\r\nunit_id,name,size\r\nu1,"Two\r\nlines",1\r\n\r\n,,\r\nu2,B\r\nu3,C,x\r\n',
    )
    in_units = [place for place in places(study.problems()) if place[0] == "units.csv"]
    assert in_units == [("units.csv", 7, None, "2"), ("units.csv", 8, "size", "x")]


def test_unknown_tables_and_missing_files_are_told(study):
    problems = study.problems(
        {"responce": study.folder / "responses.csv", "units": study.folder / "unit.csv"}
    )
    assert [(p.file, p.message) for p in problems] == [
        ("responce", "there is no table of this name"),
        ("unit.csv", "there is no such file"),
    ]
    assert "Did you mean 'responses'?" in problems[0].remedy


def test_a_folder_without_responses_says_what_is_there(study):
    (study.folder / "responses.csv").rename(study.folder / "answers.csv")
    (problem,) = study.problems()
    assert "there is no responses.csv or responses.parquet" in problem.message
    assert "answers.csv" in problem.remedy


def test_many_problems_are_all_kept_and_printed_short(study):
    bad = [f"w1,r1,u1,u3,relational_capacity,RC2,{value}" for value in range(100, 204)]
    study.append("responses", *bad)
    problems = [p for p in study.problems() if "outside" in p.message]
    assert [p.row for p in problems] == list(range(11, 115))
    with pytest.raises(Exception, match="and 84 more like this"):
        study.read()
