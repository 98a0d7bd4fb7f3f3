"""What a survey is once it has been read, whatever form and encoding its tables had."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from relcap_models.data import Wave
from relcap_models.errors import DataError, InstrumentError
from relcap_models.language import load_texts
from relcap_models.schema import load_instrument

IDS = ["wave", "respondent_id", "rater_unit", "target_unit", "instrument", "item"]


def assert_same(one, other):
    """The same survey: every table, and what became of the cells."""
    for name in ("responses", "dont_know", "units", "respondents", "nominations", "programmes", "outcomes"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), obj=name)
    pd.testing.assert_frame_equal(one.intake.by_instrument, other.intake.by_instrument)
    assert one.waves == other.waves


def widened(study) -> pd.DataFrame:
    """The study's responses with a column for each item."""
    long = pd.read_csv(study.folder / "responses.csv", dtype=str, keep_default_na=False)
    wide = long.pivot(index=[c for c in IDS if c != "item"], columns="item", values="value")
    return wide.fillna("").reset_index()


def test_answers_dont_know_missing_and_blank_are_kept_apart(study):
    survey = study.read()
    counts = survey.intake.by_instrument.loc["relational_capacity"]
    assert counts.to_dict() == {"read": 8, "answers": 5, "dont_know": 1, "missing": 1, "blank": 1}
    assert survey.intake.by_instrument.loc["psychological_safety", "answers"] == 1
    assert survey.responses["value"].tolist() == [3, 4, 5, 2, 3, 1]
    assert survey.dont_know[IDS].astype(str).values.tolist() == [
        ["w1", "r1", "u1", "u3", "relational_capacity", "RC1"]
    ]
    assert "value" not in survey.dont_know


def test_ids_are_categories_in_the_order_of_their_tables(study):
    responses = study.read().responses
    assert list(responses.columns) == [*IDS, "value"]
    assert all(isinstance(responses[column].dtype, pd.CategoricalDtype) for column in IDS)
    assert list(responses["target_unit"].cat.categories) == ["u1", "u2", "u3"]
    assert list(responses["wave"].cat.categories) == ["w1", "w2"]
    assert list(responses["item"].cat.categories)[:7] == ["RC1", "RC2", "RC3", "RC4", "RC5", "RC6", "PS1"]
    assert isinstance(responses.index, pd.RangeIndex)
    assert responses["value"].dtype == float


def test_optional_tables_may_be_absent(study):
    survey = study.read({"responses": study.folder / "responses.csv", "units": study.folder / "units.csv"})
    assert list(survey.programmes.columns) == ["unit_id", "programme", "start_wave"]
    assert len(survey.respondents) == len(survey.nominations) == len(survey.outcomes) == 0
    assert survey.units["n_leaders"].tolist()[0::2] == [1, 2]
    assert np.isnan(survey.units["n_leaders"][1])


def test_without_a_units_table_the_units_are_those_named_and_a_note_says_so(study):
    survey = study.read({"responses": study.folder / "responses.csv"})
    assert survey.units["unit_id"].tolist() == ["u1", "u2", "u3"]
    assert any(note.startswith("units: there is no such table") for note in survey.intake.notes)


@pytest.mark.parametrize("name", ["5²", "٣", "②"])
def test_a_sign_that_only_looks_like_a_number_may_stand_in_an_id(study, name):
    study.write("responses", study.text("responses").replace("u1", name))
    units = study.read({"responses": study.folder / "responses.csv"}).units
    assert sorted(units["unit_id"]) == sorted([name, "u2", "u3"])


@pytest.mark.parametrize("last", ["\r", "\n", "\r\n"])
def test_line_ends_of_old_macs_are_read_even_if_another_program_added_a_line(study, last):
    before = study.read()
    for path in study.folder.glob("*.csv"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r").removesuffix(b"\r") + last.encode())
    assert_same(before, study.read())


def test_line_ends_of_old_macs_are_read_in_files_of_more_than_one_block(study):
    rows = [f"w1,r1,u1,u2,relational_capacity,RC1,4,{i},{'x' * 900}" for i in range(3000)]
    study.write("responses", "\r".join([study.text("responses").splitlines()[0] + ",n,note", *rows]))
    problems = study.problems()
    assert [p.row for p in problems] == list(range(3, 3002))


def test_a_column_name_may_hold_a_line_break_in_quotation_marks(study):
    """As Excel writes it after Alt+Enter; rows are still counted as an editor counts lines."""
    before = study.read()
    study.replace(
        "units", "unit_id,name,size,n_leaders", 'unit_id,"name\n",size,n_leaders,"head\r\nof ""x"""'
    )
    study.replace("units", "12,1\n", "12,1,A\n")
    study.replace("units", "8,\n", "8,,\n")
    study.replace("units", "5,2\n", "5,2,\n")
    units = study.read().units
    assert list(units.columns) == ["unit_id", "name", "size", "n_leaders", 'head of "x"']
    pd.testing.assert_frame_equal(units.iloc[:, :4], before.units)
    study.append("units", "u4,X,-1,1,")
    (problem,) = study.problems()
    assert (problem.row, problem.column) == (7, "size")


def test_waves_as_found_are_sorted_as_people_count(study):
    study.replace("responses", "w2", "w10")
    study.replace("responses", "w1,", "w9,")
    study.write("programmes", "unit_id,programme,start_wave\nu1,P1,w10\n")
    study.write("outcomes", "wave,unit_id,outcome,value\nw9,u1,absence,1\n")
    study.write("nominations", "wave,rater_unit,target_unit,importance\nw9,u1,u2,1\n")
    assert study.read(waves=None).waves == (Wave("w9"), Wave("w10"))


def test_order_of_rows_changes_nothing(study):
    before = study.read()
    header, *rows = study.text("responses").splitlines()
    study.write("responses", "\n".join([header, *reversed(rows)]) + "\n")
    assert_same(before, study.read())


@pytest.mark.parametrize("with_instrument", [True, False])
def test_wide_and_long_give_the_same_survey(study, with_instrument):
    """Only the instrument's blank cells differ: long tables need not have a row for each."""
    long = study.read()
    wide = widened(study)
    if not with_instrument:
        wide = wide.drop(columns="instrument")
    wide.to_csv(study.folder / "responses.csv", index=False)
    from_wide = study.read()
    shown = ["read", "blank"]
    from_wide.intake.by_instrument[shown] = long.intake.by_instrument[shown]
    assert_same(long, from_wide)


def test_blank_cells_of_wide_tables_are_counted_where_the_instrument_was_asked(study):
    wide = widened(study).drop(columns="instrument")
    wide.to_csv(study.folder / "responses.csv", index=False)
    counts = study.read().intake.by_instrument
    # Five ratings on RC1-RC4; the own-team row has no RC cells and the others no PS cells.
    assert counts.loc["relational_capacity"].tolist() == [20, 5, 1, 1, 13]
    assert counts.loc["psychological_safety"].tolist() == [1, 1, 0, 0, 0]


def test_parquet_csv_and_frames_give_the_same_survey(study, tmp_path):
    from_csv = study.read()
    frames = {
        path.stem: pd.read_csv(path, dtype=str, keep_default_na=False) for path in study.folder.glob("*.csv")
    }
    for name, frame in frames.items():
        frame.to_parquet(tmp_path / f"{name}.parquet")
    paths = {name: tmp_path / f"{name}.parquet" for name in frames}
    assert_same(from_csv, study.read(frames))
    assert_same(from_csv, study.read(paths))


def test_typed_columns_read_as_their_text(study):
    """Whole floats and integers are ids without decimals; categories and nullable columns work."""
    study.write("units", "unit_id,name\n1,A\n2,B\n")
    frame = pd.DataFrame(
        {
            "wave": pd.Categorical(["w1", "w1", "w2"]),
            "respondent_id": [10, 10, 11],
            "rater_unit": [1.0, 1.0, 2.0],
            "target_unit": pd.array([2, 2, 1], dtype="Int64"),
            "instrument": "relational_capacity",
            "item": ["RC1", "RC2", "RC1"],
            "value": [4.0, np.nan, 5],
        }
    )
    frame.to_parquet(study.folder / "r.parquet")
    units = study.folder / "units.csv"
    survey = study.read({"responses": frame, "units": units})
    assert survey.responses[IDS[:4]].astype(str).values.tolist() == [
        ["w1", "10", "1", "2"],
        ["w2", "11", "2", "1"],
    ]
    assert_same(survey, study.read({"responses": study.folder / "r.parquet", "units": units}))


def test_problems_of_frames_name_the_table_and_the_position(study, places):
    frame = pd.read_csv(study.folder / "responses.csv", dtype=str)
    frame.loc[3, "value"] = "9"
    assert places(study.problems({"responses": frame, "units": study.folder / "units.csv"})) == [
        ("responses", 4, "value", "9")
    ]


def test_mixed_types_in_an_id_column_are_told(study, places):
    frame = pd.read_csv(study.folder / "responses.csv", dtype=str)
    frame["respondent_id"] = frame["respondent_id"].astype(object)
    frame.loc[3, "respondent_id"] = 1
    (problem,) = study.problems({"responses": frame, "units": study.folder / "units.csv"})
    assert (problem.file, problem.row, problem.column, problem.value) == (
        "responses",
        4,
        "respondent_id",
        "1",
    )
    assert "a number in a column that otherwise holds text" in problem.message


def test_excel_in_danish_is_read_and_noted(study):
    """Byte-order mark, semicolons, decimal commas, `sep=` line, blank rows and Windows line ends."""
    before = study.read()
    for name in ("responses", "units", "respondents", "nominations", "programmes"):
        text = study.text(name).replace(",", ";").replace("\n", "\r\n")
        study.write(name, b"\xef\xbb\xbf" + text.encode())
    study.replace("responses", "RC1;4", "RC1; 4,0 ")
    study.write("outcomes", "sep=;\r\nwave;unit_id;outcome;value\r\nw1;u1;absence;4,5\r\n;;;\r\n")
    after = study.read()
    assert_same(before, after)
    notes = "\n".join(after.intake.notes)
    assert "responses.csv: begins with a byte-order mark" in notes
    assert "responses.csv: values are separated by semicolons" in notes
    assert "responses.csv: decimal commas in answers are read as decimal points" in notes
    assert "outcomes.csv: decimal commas in column 'value'" in notes
    assert "outcomes.csv: 1 row without any value is left out" in notes
    assert "blanks around values were taken off (columns value)" in notes


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "latin-1", "utf-16"])
def test_danish_letters_survive_every_encoding_that_is_read(study, encoding):
    study.write(
        "units", "unit_id,name\nu1,Børnehuset Ærø\nu2,Åløkke\nu3,Sør-Trøndelag «nord»\n".encode(encoding)
    )
    survey = study.read()
    assert survey.units["name"].tolist() == ["Børnehuset Ærø", "Åløkke", "Sør-Trøndelag «nord»"]
    assert any("Windows-1252" in note for note in survey.intake.notes) == (encoding in ("cp1252", "latin-1"))


@pytest.mark.parametrize("name", ["Børn på lærerværelset", "Lærerne"])
@pytest.mark.parametrize("encoding", ["mac_roman", "cp850"])
def test_encodings_that_would_mangle_letters_are_refused(study, encoding, name):
    """In cp850 æ has the byte of Windows' ‘: only its place between letters gives it away."""
    study.write("units", f"unit_id,name\nu1,A\nu2,{name}\nu3,C\n".encode(encoding))
    (problem,) = [p for p in study.problems() if p.file == "units.csv"]
    assert (problem.row, problem.message) == (3, "this line has letters in an unknown encoding")
    assert "Save the file again as UTF-8" in problem.remedy


@pytest.mark.parametrize("name", ["Sø", "Århus"])
def test_a_file_in_two_encodings_is_refused(study, name):
    """The UTF-8 bytes of Å are two signs that people do write in Windows-1252: Ã and an ellipsis."""
    study.write("units", f"unit_id,name\nu1,{name}\n".encode() + "u2,Å\nu3,Ærø\n".encode("cp1252"))
    (problem,) = [p for p in study.problems() if p.file == "units.csv"]
    assert problem.row == 3


def test_names_survive_unchanged(study):
    names = ["<script>alert('x')</script>", 'Børn, "unge" & familier', "Sundhed 🩺 – Årø; nord"]
    frame = pd.DataFrame({"unit_id": ["u1", "u2", "u3"], "name": names})
    frame.to_csv(study.folder / "units.csv", index=False)
    assert study.read().units["name"].tolist() == names


def test_leading_zeros_are_kept(study):
    for name in ("responses", "units", "nominations", "programmes", "outcomes"):
        text = study.text(name)
        study.write(name, text.replace("u1", "007").replace("u2", "07").replace("u3", "7"))
    survey = study.read()
    assert survey.units["unit_id"].tolist() == ["007", "07", "7"]
    assert set(survey.responses["target_unit"]) == {"007", "07"}


def test_two_separators_in_the_header_are_ambiguous(study):
    study.write("units", "unit_id,x;name\n")
    problems = [p for p in study.problems() if p.file == "units.csv"]
    assert "separated by comma or by semicolon" in problems[0].message


@pytest.mark.parametrize(
    ("written", "read"), [("4.0", 4), ("4,0", 4), ("04", 4), ("+4", 4), (" 4 ", 4), ("4.", 4), ("4e0", 4)]
)
def test_numbers_as_people_write_them(study, written, read):
    study.append("responses", f'w1,r1,u1,u3,relational_capacity,RC2,"{written}"')
    assert study.read().responses.query("item == 'RC2' and target_unit == 'u3'")["value"].tolist() == [read]


@pytest.mark.parametrize("code", ["DK", "dk", " Ved ikke", "DON’T KNOW"])
def test_codes_are_known_in_any_case(study, code):
    study.append("responses", f"w1,r1,u1,u3,relational_capacity,RC2,{code}")
    assert len(study.read().dont_know) == 2


def test_numeric_codes_are_the_same_number_in_any_spelling(study):
    codes = load_instrument("relational_capacity").model_copy(
        update={"dont_know": ("99",), "missing": ("-9",)}
    )
    study.write("responses", study.text("responses").replace(",DK", ",99.0").replace(",NA", ',"-9,0"'))
    counts = study.read(instruments=(codes, "psychological_safety")).intake.by_instrument
    assert counts.loc["relational_capacity", ["dont_know", "missing"]].tolist() == [1, 1]


def test_tasks_keep_ratings_apart(study):
    study.replace("responses", "item,value", "item,value,task")
    text = (study.folder / "responses.csv").read_text()
    rows = text.splitlines()[1:]
    study.write(
        "responses", "\n".join([text.splitlines()[0], *(f"{r},{t}" for r in rows for t in "ab")]) + "\n"
    )
    responses = study.read().responses
    assert len(responses) == 12
    assert responses["task"].value_counts().to_dict() == {"a": 6, "b": 6}


def test_more_columns_are_kept_as_attributes(study):
    study.replace("units", "n_leaders\n", "n_leaders,caseload,area,code\n")
    study.replace("units", "12,1\n", "12,1,2.5,north,01\n")
    study.replace("units", "8,\n", "8,,,south,02\n")
    study.replace("units", "5,2\n", "5,2,4,north,03\n")
    units = study.read().units
    assert units["caseload"].fillna(-1).tolist() == [2.5, -1, 4]
    assert units["area"].tolist() == ["north", "south", "north"]
    assert units["code"].tolist() == ["01", "02", "03"]


def test_wide_columns_that_look_like_items_are_told(study):
    wide = widened(study).rename(columns={"RC4": "RC7"})
    wide["comment"] = "fine"
    wide.to_csv(study.folder / "responses.csv", index=False)
    (problem,) = study.problems()
    assert (problem.column, problem.file) == ("RC7", "responses.csv")
    assert "looks like an item" in problem.message


def test_wide_answers_to_items_of_another_instrument_are_told(study, places):
    wide = widened(study)
    wide.loc[wide["instrument"] == "psychological_safety", "RC1"] = "4"
    wide.to_csv(study.folder / "responses.csv", index=False)
    (problem,) = study.problems()
    row = int(wide.index[wide["instrument"] == "psychological_safety"][0]) + 2
    assert (problem.row, problem.column, problem.value) == (row, "RC1", "4")


def test_waves_and_items_without_answers_are_noted(study):
    notes = study.read(waves=("w1", "w2", "w3")).intake.notes
    assert "wave w3 has no answers" in notes
    assert "relational_capacity: no answers to RC3, RC5 and RC6" in notes


def test_wrong_dates_of_waves_are_told(study):
    (problem,) = study.problems(waves=(Wave("w1", "2024-03"), Wave("w2", "2024-13")))
    assert (problem.file, problem.value) == ("waves", "2024-13")


def test_all_unknown_instruments_are_told_at_once(study):
    with pytest.raises(InstrumentError) as caught:
        study.read(instruments=("relational_capasity", "psychological_savety"))
    assert [p.file for p in caught.value.problems] == ["relational_capasity", "psychological_savety"]


def test_a_column_that_is_nearly_one_of_the_contract_is_named(study):
    study.replace("units", "n_leaders", "n_leader")
    study.replace("respondents", "role", "rolle")
    notes = " ".join(study.read().intake.notes)
    assert "units.csv: column 'n_leader' is kept as an attribute; if it is 'n_leaders'" in notes
    assert "respondents.csv: column 'rolle' is kept as an attribute; if it is 'role'" in notes


def test_one_instrument_may_be_given_by_its_name_alone(study):
    study.instruments = "relational_capacity"
    with pytest.raises(DataError) as caught:
        study.read()
    assert {problem.column for problem in caught.value.problems} == {"instrument"}


def test_notes_are_told_in_the_language_of_the_report(study):
    study.replace("respondents", "role", "rolle")
    notes = [load_texts("da").say(note.as_json()) for note in study.read().intake.notes]
    assert "respondents.csv: kolonnen 'rolle' er beholdt som en egenskab" in " ".join(notes)
    assert "relational_capacity: ingen svar på RC3, RC5 og RC6" in notes
