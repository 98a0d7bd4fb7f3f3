"""A small study on disk."""

from pathlib import Path

import pytest

STUDY = """
name: small
title: A small study
seed: 7
instruments: [relational_capacity, psychological_safety]
waves: [{id: w1, date: 2025-03}]
analyses:
  - {kind: relations, instrument: relational_capacity}
  - {kind: climate, id: safety, instrument: psychological_safety}
simulation:
  organisation: {n_units: 4, n_respondents: 30, n_districts: 1}
  nominations: {partners: 2}
"""


@pytest.fixture
def study_text() -> str:
    return STUDY


@pytest.fixture
def study_folder(tmp_path) -> Path:
    """A study folder without tables, with a simulation."""
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    return folder
