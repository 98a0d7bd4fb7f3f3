"""The table contracts are Frictionless Table Schemas and hold every column of the contract."""

from __future__ import annotations

import json

import pytest

from relcap_models.schema import TABLES, schema_folder, table_contract

CONTRACT = {
    "responses": ("wave respondent_id rater_unit target_unit instrument item value", "task"),
    "units": ("unit_id name", "organisation district layer type complexity size n_leaders"),
    "respondents": ("respondent_id", "wave role language"),
    "nominations": ("wave rater_unit target_unit importance", "task complexity"),
    "programmes": ("unit_id programme start_wave", "dose component"),
    "outcomes": ("wave unit_id outcome value", "n se"),
}


@pytest.mark.parametrize("name", TABLES)
def test_columns_are_those_of_the_contract(name):
    contract = table_contract(name)
    required, optional = CONTRACT[name]
    assert contract.required == tuple(required.split())
    assert contract.names == (*required.split(), *optional.split())


@pytest.mark.parametrize("name", TABLES)
def test_descriptors_are_complete_table_schemas(name):
    described = json.loads((schema_folder() / "tables" / f"{name}.json").read_text(encoding="utf-8"))
    names = [field["name"] for field in described["fields"]]
    assert all(field["description"].endswith(".") for field in described["fields"])
    assert all(field["type"] in ("string", "number", "integer", "any") for field in described["fields"])
    assert set(described["primaryKey"]) <= set(names)
    for link in described.get("foreignKeys", ()):
        assert set(link["fields"]) <= set(names)
        assert link["reference"]["fields"][0] in table_contract(link["reference"]["resource"]).names
