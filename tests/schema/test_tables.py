"""The table contracts are Frictionless Table Schemas and hold every column of the contract."""

from __future__ import annotations

import json

import pytest

from relcap_models.data.survey import Wave
from relcap_models.schema import TABLES, load_instrument, schema_folder, table_contract
from relcap_models.simulate import Simulation, simulate

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
    described = _described(name)
    names = [field["name"] for field in described["fields"]]
    assert all(field["description"].endswith(".") for field in described["fields"])
    assert all(field["type"] in ("string", "number", "integer", "any") for field in described["fields"])
    assert set(_key(described)) <= set(names)
    for link in described.get("foreignKeys", ()):
        assert set(link["fields"]) <= set(names)
        assert link["reference"]["fields"][0] in table_contract(link["reference"]["resource"]).names


@pytest.mark.parametrize("name", TABLES)
def test_descriptors_let_optional_columns_and_tables_be_absent(name):
    described = _described(name)
    optional = [field for field in described["fields"] if "optional" in field]
    # Columns are matched by name, and only those that are required or in the primary key must be there.
    assert described["fieldsMatch"] == "partial"
    assert not any("required" in field.get("constraints", {}) for field in optional)
    assert not {field["name"] for field in optional} & set(described.get("primaryKey", ()))
    assert {link["reference"]["resource"] for link in described.get("foreignKeys", ())} <= {"units"}


def test_descriptors_accept_the_tables_of_the_simulator():
    options = Simulation(programmes=[{"id": "P1", "starts": ["w2"]}], outcomes=[{"id": "quality"}])
    instruments = {"relational_capacity": load_instrument("relational_capacity")}
    simulated = simulate(options, instruments=instruments, waves=(Wave("w1"), Wave("w2")), seed=1)
    assert simulated.tables["respondents"]["respondent_id"].duplicated().any(), "people of two waves"
    for name, table in simulated.tables.items():
        described = _described(name)
        assert set(table_contract(name).required) <= set(table.columns)
        key = [column for column in _key(described) if column in table]
        assert not table.duplicated(key).any(), name
        for field in described["fields"]:
            constraints = field.get("constraints", {})
            if "required" in constraints:
                assert table[field["name"]].notna().all()
            if field["type"] == "integer" and field["name"] in table:
                assert (table[field["name"]].dropna() % 1 == 0).all()
        for link in described.get("foreignKeys", ()):
            to = link["reference"]
            assert set(table[link["fields"][0]]) <= set(simulated.tables[to["resource"]][to["fields"][0]])


def _described(name):
    return json.loads((schema_folder() / "tables" / f"{name}.json").read_text(encoding="utf-8"))


def _key(described):
    return described["primaryKey"] if "primaryKey" in described else described["uniqueKeys"][0]
