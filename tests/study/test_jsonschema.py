"""The JSON Schema that editors use is the study's own."""

import json

import jsonschema
import pytest

from relcap_models.errors import ConfigError
from relcap_models.schema import read_yaml
from relcap_models.study import new_study, read_study
from relcap_models.study.jsonschema import STUDY_SCHEMA_FILE, study_schema


def test_the_file_is_what_the_class_says():
    remedy = "run: python -m relcap_models.study.jsonschema"
    assert STUDY_SCHEMA_FILE.read_text(encoding="utf-8") == study_schema(), remedy


def test_shipped_studies_suit_the_schema(repository):
    files = sorted(repository.glob("studies/*/study.yaml"))
    assert files
    for file in files:
        jsonschema.validate(read_yaml(file, error=ConfigError), json.loads(study_schema()))


def test_the_link_that_a_new_study_holds_back_can_be_let_in(tmp_path):
    folder = new_study(tmp_path / "mine")
    file = folder / "study.yaml"
    text = file.read_text(encoding="utf-8").replace("# - {kind: leadership_link", "- {kind: leadership_link")
    text = text.replace("psychological_safety]", "psychological_safety, relational_leadership]")
    file.write_text(text, encoding="utf-8")
    assert [link.covariates for link in read_study(folder).config.links] == [("size",)]


def test_a_new_study_suits_the_schema_that_it_brings(tmp_path):
    folder = new_study(tmp_path / "mine")
    schema = json.loads((folder / "study.schema.json").read_text(encoding="utf-8"))
    content = read_yaml(folder / "study.yaml", error=ConfigError)
    jsonschema.validate(content, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content | {"reprot": {}}, schema)
