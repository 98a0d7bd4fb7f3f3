"""The shipped instruments say what the sources say, and a user's own file needs no Python."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from relcap_models.errors import InstrumentError
from relcap_models.schema import load_instrument, schema_folder, shipped_instruments
from relcap_models.schema.jsonschema import instrument_schema, instrument_schema_file

SOURCE = Path(__file__).resolve().parents[3] / "shared" / "instruments.json"

GOOD = """
id: "own"
title: {en: "My scale"}
referent: target_unit
original_language: "en"
source: "a test"
translation_status: {en: "original"}
dimensions:
  - {id: "a", title: {en: "A"}}
  - {id: "b", title: {en: "B"}}
scale: {minimum: 1, maximum: 7, favourable_from: 6}
dont_know: ["9"]
items:
  - {id: "01", dimension: "a", text: {en: "One?"}}
  - {id: "NO", dimension: "b", text: {en: "Two?"}}
"""


def problems_in(tmp_path: Path, text: str) -> dict[str | None, str]:
    """Place in the file → the problem's text."""
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InstrumentError) as caught:
        load_instrument("own.yaml", base=tmp_path)
    assert all(problem.file == "own.yaml" for problem in caught.value.problems)
    return {problem.where: str(problem) for problem in caught.value.problems}


def test_four_instruments_are_shipped():
    assert shipped_instruments() == (
        "joint_working",
        "psychological_safety",
        "relational_capacity",
        "relational_leadership",
    )


def test_every_item_has_the_words_of_the_source():
    if not SOURCE.is_file():
        pytest.skip("the source of the items (shared/instruments.json) is not beside this checkout")
    items = json.loads(SOURCE.read_text(encoding="utf-8"))["items"]
    shipped = {id: load_instrument(id) for id in shipped_instruments()}
    assert sum(len(instrument.items) for instrument in shipped.values()) == len(items)
    for expected in items:
        instrument = shipped[expected["instrument"]]
        item = next(item for item in instrument.items if item.id == expected["id"])
        assert item.text == expected["text"]
        assert item.dimension == expected["dimension"]
        assert item.facet == expected.get("facet")
        assert instrument.referent == expected["referent"]
        assert instrument.original_language == expected["original_language"]
        assert not item.reversed


@pytest.mark.parametrize("id", shipped_instruments())
def test_shipped_instruments_speak_three_languages_and_claim_no_validation(id):
    instrument = load_instrument(id)
    three = {"da", "nb", "en"}
    assert instrument.id == id
    assert (
        set(instrument.title) == set(instrument.translation_status) == set(instrument.scale.labels) == three
    )
    assert all(set(item.text) == three for item in instrument.items)
    assert all(set(dimension.title) == three for dimension in instrument.dimensions)
    unvalidated = {"en": "not validated", "da": "ikke valideret", "nb": "ikke validert"}
    assert all(unvalidated[language] in status for language, status in instrument.translation_status.items())
    assert "states NO response scale" in (schema_folder() / "instruments" / f"{id}.yaml").read_text("utf-8")


def test_known_wrinkles_are_noted():
    notes = {
        item.id: item.note for id in shipped_instruments() for item in load_instrument(id).items if item.note
    }
    assert set(notes) == {"RC2", "RC3", "RL1", "RL7", "JW7"}
    assert "kommunikeret" in notes["RL1"]


@pytest.mark.parametrize("id", shipped_instruments())
def test_any_yaml_reader_reads_the_shipped_files_alike(id):
    """Other programs use YAML 1.1, where unquoted NO and 01 are no texts."""
    text = (schema_folder() / "instruments" / f"{id}.yaml").read_text(encoding="utf-8")
    jsonschema.validate(yaml.safe_load(text), json.loads(instrument_schema()))


def test_json_schema_for_editors_is_up_to_date():
    assert instrument_schema_file().read_text(encoding="utf-8") == instrument_schema(), (
        "run `python -m relcap_models.schema.jsonschema`"
    )


def test_own_file_is_loaded_and_its_ids_stay_text(tmp_path):
    (tmp_path / "own.yaml").write_text(GOOD, encoding="utf-8")
    instrument = load_instrument("own.yaml", base=tmp_path)
    assert instrument.item_ids == ("01", "NO")
    assert instrument.scale.n_categories == 7


def test_unquoted_words_of_yaml_1_1_stay_text_too(tmp_path):
    text = GOOD.replace('"01"', "01").replace('"NO"', "NO").replace("{en:", "{no:")
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    instrument = load_instrument("own.yaml", base=tmp_path)
    assert instrument.item_ids == ("01", "NO")
    assert instrument.title == {"no": "My scale"}


def test_everything_wrong_in_a_file_is_told_at_once(tmp_path):
    found = problems_in(
        tmp_path,
        GOOD.replace("referent: target_unit", "referent: target_units")
        .replace("source:", "sauce:")
        .replace('dimension: "b"', 'dimension: "bb"')
        .replace('"01"', "7")
        .replace('["9"]', "[true, '3']")
        .replace("favourable_from: 6", "favourable_from: 8, labels: {en: [low, high]}"),
    )
    assert set(found) == {
        "referent", "source", "sauce", "items[0].id", "items[1].dimension", "dimensions[1].id",
        "dont_know[0]", "dont_know[1]", "scale.favourable_from", "scale.labels.en",
    }  # fmt: skip
    assert "Did you mean 'target_unit'?" in found["referent"]
    assert "Did you mean 'source'?" in found["sauce"]
    assert "Did you mean 'b'?" in found["items[1].dimension"]
    assert "Write it in quotes: '7'" in found["items[0].id"]
    assert "Write it in quotes: 'true'" in found["dont_know[0]"]
    assert "also an answer on the scale" in found["dont_know[1]"]
    assert "above 1 and at most at 7" in found["scale.favourable_from"]
    assert "2 labels for 7 answers" in found["scale.labels.en"]


def test_ids_used_twice_are_found_with_their_places(tmp_path):
    found = problems_in(tmp_path, GOOD.replace('"NO"', '"01"'))
    said = "this id is already used by items[0] (value '01'). Give each its own id."
    assert found == {"items[1].id": f"own.yaml: items[1].id: {said}"}


def test_a_dimension_that_is_a_list_is_a_problem_beside_the_others(tmp_path):
    found = problems_in(tmp_path, GOOD.replace('"01", dimension: "a"', '"01", dimension: ["a"]'))
    assert set(found) == {"items[0].dimension", "dimensions[0].id"}
    assert "must be text" in found["items[0].dimension"]


def test_keys_given_twice_are_errors_with_their_lines(tmp_path):
    (tmp_path / "own.yaml").write_text(
        GOOD + "source: 'again'\nscale: {minimum: 0, minimum: 1}\n", encoding="utf-8"
    )
    with pytest.raises(InstrumentError) as caught:
        load_instrument("own.yaml", base=tmp_path)
    assert [(p.row, p.message) for p in caught.value.problems] == [
        (16, "key 'source' is given twice (first in line 6)"),
        (17, "key 'scale' is given twice (first in line 11)"),
        (17, "key 'minimum' is given twice (first in line 17)"),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"- a\n- b\n", "holds a list"),
        (b"id: [1, 2\ntitle: x\n", "row 2: this is not valid YAML"),
        ("id: 'blå'\n".encode("latin-1"), "line 1 is not UTF-8"),
        (b"a: !!python/object:os.system {}\n", "not valid YAML"),
        (b"a: 1\nb: ring\x07\n", r"row 2: a control character .*U\+0007"),
        (b"a: 1\n\nb: \x00\n", r"row 3: a control character .*U\+0000"),
        ("a: don\x92t\n".encode(), r"row 1: a control character .*U\+0092"),
        (b"a: 1\nb: !!int abc\n", "row 2: this is not valid YAML: this is no value of the type `int`"),
        (b"a: !!int ''\n", "row 1: .* no value of the type `int`"),
        (b"a: !!float foo\n", "row 1: .* no value of the type `float`"),
        (b"a: !!bool x\n", "row 1: .* no value of the type `bool`"),
        (b"a: !!timestamp x\n", "row 1: .* no value of the type `timestamp`"),
        (b"a: !!timestamp 2024-13-45\n", "row 1: .* no value of the type `timestamp`"),
        (b"a: !!set x\n", "row 1: this is not valid YAML"),
        (b"a:\n  - " + 5000 * b"9", "row 2: .* no value of the type `int`"),
        (100_000 * b"[", "nested too deeply"),
    ],
)
def test_files_that_are_no_instrument_are_refused_in_plain_words(tmp_path, content, said):
    (tmp_path / "own.yaml").write_bytes(content)
    with pytest.raises(InstrumentError, match=said):
        load_instrument("own.yaml", base=tmp_path)


@pytest.mark.parametrize("name", [5000 * "n", 5000 * "n" + ".yaml", "a\0.yaml", "own.yaml/below.yaml"])
def test_names_that_no_file_can_have_are_refused_in_plain_words(tmp_path, name):
    (tmp_path / "own.yaml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(InstrumentError):
        load_instrument(name, base=tmp_path)


def test_unknown_instrument_names_the_nearest(tmp_path):
    with pytest.raises(InstrumentError, match="Did you mean 'relational_capacity'"):
        load_instrument("relational_capasity")
    with pytest.raises(InstrumentError, match="there is no such file"):
        load_instrument("nowhere.yaml", base=tmp_path)
    (tmp_path / "own.yaml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(InstrumentError, match=r"Did you mean the file 'own\.yaml'"):
        load_instrument("own", base=tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('dont_know: ["9"]', 'dont_know: ["04"]', "dont_know[0]"),
        ('dont_know: ["9"]', 'dont_know: ["4.0"]', "dont_know[0]"),
        ("scale: {minimum: 1, maximum: 7", 'scale: {minimum: "1", maximum: 9', "dont_know[0]"),
        (
            'text: {en: "Two?"}',
            'text: {en: "Two?"}, scale: {maximum: 10, favourable_from: 7}',
            "dont_know[0]",
        ),
        ('dont_know: ["9"]', 'dont_know: ["DK"]\nmissing: ["dk "]', "missing[0]"),
        ('dont_know: ["9"]', 'dont_know: ["99"]\nmissing: ["99.0"]', "missing[0]"),
    ],
)
def test_a_code_that_would_swallow_answers_is_refused_however_it_is_written(tmp_path, old, new, place):
    assert old in GOOD
    assert set(problems_in(tmp_path, GOOD.replace(old, new))) == {place}


def test_a_huge_scale_is_checked_at_once(tmp_path):
    text = GOOD.replace("maximum: 7", "maximum: 300000000").replace('dont_know: ["9"]', 'dont_know: ["-9"]')
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    assert load_instrument("own.yaml", base=tmp_path).dont_know == ("-9",)
