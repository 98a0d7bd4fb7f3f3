"""Declarations: instruments and table contracts, read from files with every problem told at once."""

from relcap_models.schema.instrument import Declaration, Dimension, Instrument, Item, Scale
from relcap_models.schema.places import is_file
from relcap_models.schema.problems import nearest, problems_of, suggestion
from relcap_models.schema.shipped import load_instrument, schema_folder, shipped_instruments
from relcap_models.schema.tables import TABLES, ColumnContract, TableContract, table_contract
from relcap_models.schema.yamlfile import parse_yaml, read_yaml

__all__ = [
    "TABLES",
    "ColumnContract",
    "Declaration",
    "Dimension",
    "Instrument",
    "Item",
    "Scale",
    "TableContract",
    "is_file",
    "load_instrument",
    "nearest",
    "parse_yaml",
    "problems_of",
    "read_yaml",
    "schema_folder",
    "shipped_instruments",
    "suggestion",
    "table_contract",
]
