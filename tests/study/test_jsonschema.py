"""The JSON Schema that editors use is the study's own."""

import json

import jsonschema
import pytest

from relcap_models.errors import ConfigError
from relcap_models.schema import read_yaml
from relcap_models.study import new_study
from relcap_models.study.jsonschema import STUDY_SCHEMA_FILE, study_schema


def test_the_file_is_what_the_class_says():
    remedy = "run: python -m relcap_models.study.jsonschema"
    assert STUDY_SCHEMA_FILE.read_text(encoding="utf-8") == study_schema(), remedy


def test_shipped_studies_suit_the_schema(repository):
    files = sorted(repository.glob("studies/*/study.yaml"))
    assert files
    for file in files:
        jsonschema.validate(read_yaml(file, error=ConfigError), json.loads(study_schema()))


def test_a_new_study_suits_the_schema_that_it_brings(tmp_path):
    folder = new_study(tmp_path / "mine")
    schema = json.loads((folder / "study.schema.json").read_text(encoding="utf-8"))
    content = read_yaml(folder / "study.yaml", error=ConfigError)
    jsonschema.validate(content, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content | {"reprot": {}}, schema)
