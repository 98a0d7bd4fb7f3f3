"""A study that examines its instruments, whether or not it fits a model."""

import re

import pandas as pd
import pytest

from relcap_models.errors import ConfigError
from relcap_models.study import read_study, run_study
from relcap_models.study.calibrate import calibrate_study
from relcap_models.study.power import power_study

STUDY = """
name: examined
title: En undersøgelse
seed: 7
instruments: [psychological_safety, relational_leadership]
waves: [{id: w1, date: 2025-03}, {id: w2, date: 2026-03}]
analyses:
  - {kind: psychometrics, instruments: [psychological_safety]}
report: {language: da}
simulation:
  organisation: {n_units: 14, n_respondents: 170, n_districts: 2}
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies") / "examined"
    folder.mkdir()
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    return run_study(folder, progress=False)


def test_a_study_of_instruments_alone_runs_and_is_reported(results):
    assert results.passed
    text = results.report.read_text(encoding="utf-8")
    assert "Måler det, hvad det skal?" in text
    assert 'id="psychometrics-1"' in text
    assert 'id="psychometrics-2"' not in text
    figures = {path.name for path in (results.folder / "public" / "figures").glob("psychometrics_*_1.png")}
    assert "psychometrics_loadings_1.png" in figures
    levels = pd.read_csv(results.folder / "public" / "tables" / "psychometrics_levels.csv")
    assert set(levels["split"]) > {"survey"}
    assert "Korrelationer mellem dimensionernes gennemsnit af svar, efter runde, sprog og lag" in text
    levels = levels[levels["split"] == "survey"].set_index("level")
    for level, where in (("within", "mellem personer"), ("between", "mellem det bedømte")):
        r, low, high = (
            f"{levels.loc[level, c]:.2f}".replace(".", ",") for c in ("estimate", "lower", "upper")
        )
        assert re.search(rf"{r}\s+\({low}\D+{high}\)\s+{where}", text)
    # Not examined, not modelled: the reader is told.
    assert "relationel ledelse" in text.lower()


def test_public_tables_hide_what_restricted_ones_have(results):
    tables = {
        where: pd.read_csv(results.folder / where / "tables" / "psychometrics_items.csv")
        for where in ("public", "restricted")
    }
    assert len(tables["public"]) == len(tables["restricted"])
    assert tables["restricted"]["mean"].notna().all()
    layers = tables["public"]["split"] == "layer"
    assert tables["public"].loc[layers, "mean"].isna().all()
    assert tables["public"].loc[~layers, "mean"].notna().all()
    assert (results.folder / "public" / "tables" / "psychometrics_invariance.csv").exists()


def test_an_instrument_that_the_study_has_not_is_refused_with_its_place(tmp_path):
    wrong = STUDY.replace("[psychological_safety]}", "[psychological_safty]}")
    (tmp_path / "study.yaml").write_text(wrong, encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        read_study(tmp_path)
    (problem,) = raised.value.problems
    assert problem.where == "analyses[0].instruments[0]"
    assert "psychological_safety" in problem.remedy


@pytest.mark.parametrize("many", [power_study, calibrate_study])
def test_what_fits_models_many_times_asks_for_a_model(tmp_path, many):
    (tmp_path / "study.yaml").write_text(STUDY, encoding="utf-8")
    with pytest.raises(ConfigError, match="fits a model"):
        many(tmp_path)
