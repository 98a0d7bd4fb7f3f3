"""JSON Schema of instrument files for editors; `python -m relcap_models.schema.jsonschema` writes it anew."""

from __future__ import annotations

import json
from pathlib import Path

from relcap_models.schema.instrument import Instrument
from relcap_models.schema.shipped import schema_folder


def instrument_schema() -> str:
    """The JSON Schema of an instrument file, as the text of its file."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Instrument.model_json_schema(),
        "title": "Instrument of relcap_models",
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def instrument_schema_file() -> Path:
    """Where the JSON Schema of instrument files stands."""
    return schema_folder() / "json" / "instrument.schema.json"


if __name__ == "__main__":
    instrument_schema_file().parent.mkdir(exist_ok=True)
    instrument_schema_file().write_text(instrument_schema(), encoding="utf-8")
