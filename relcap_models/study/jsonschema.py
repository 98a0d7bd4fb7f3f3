"""JSON Schema of study files for editors; `python -m relcap_models.study.jsonschema` writes it anew."""

from __future__ import annotations

import json

from relcap_models.schema import schema_folder
from relcap_models.study.config import StudyConfig

STUDY_SCHEMA_FILE = schema_folder() / "json" / "study.schema.json"


def study_schema() -> str:
    """The JSON Schema of a study file, as the text of its file."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **StudyConfig.model_json_schema(),
        "title": "Study of relcap_models",
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    STUDY_SCHEMA_FILE.write_text(study_schema(), encoding="utf-8", newline="\n")
