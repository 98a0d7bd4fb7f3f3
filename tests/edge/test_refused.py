"""What no model can be fitted to is refused before anything is written: where, what, and what to do."""

from __future__ import annotations

import dataclasses
import json

import pandas as pd
import pytest

from relcap_models.errors import ConfigError, DataError, FitError, InstrumentError
from relcap_models.inference import Fit, loo
from relcap_models.schema import load_instrument
from relcap_models.study import gather, read_study, run_study, validate_study
from tests.edge.organisations import answers, write_study

SAFETY = {"kind": "climate", "id": "safety", "instrument": "psychological_safety"}
RELATIONS = {"kind": "relations", "id": "rc", "instrument": "relational_capacity"}
STAFF = {"a": 3, "b": 3, "c": 3}


def of_safety(**who: bool) -> pd.DataFrame:
    return answers(STAFF, instrument="psychological_safety", **who)


CASES = {
    "two units": ([RELATIONS], answers({"a": 5, "b": 5}), FitError, ["'rc'", "2 units (a, b)", "At least 3"]),
    "nobody rates another unit": (
        [RELATIONS],
        answers(STAFF, others=False),
        FitError,
        ["'rc'", "nobody rates another unit", "`climate`"],
    ),
    "a climate of other units": (
        [SAFETY],
        of_safety(),
        (DataError, FitError),
        ["psychological_safety", "own"],
    ),
    "an instrument that nobody answered": (
        [RELATIONS, SAFETY],
        answers(STAFF),
        DataError,
        ["responses", "psychological_safety", "remove the analysis"],
    ),
    "no answers at all": ([RELATIONS], answers(STAFF).head(0), DataError, ["responses.csv"]),
    "an analysis of an instrument that is not in the study": (
        [{**RELATIONS, "instrument": "relational_capacty"}],
        answers(STAFF),
        (ConfigError, InstrumentError),
        ["relational_capacity"],
    ),
    "only don't know": (
        [RELATIONS],
        answers(STAFF).assign(value="DK"),
        DataError,
        ["responses.csv", "not a single answer"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_in_plain_words(case, tmp_path):
    analyses, table, error, words = CASES[case]
    study = write_study(tmp_path / "study", {"responses": table}, analyses=analyses)
    said = []
    for attempt in (validate_study, lambda folder: run_study(folder, progress=False)):
        with pytest.raises(error) as refused:
            attempt(study)
        said.append(str(refused.value))
    for text in said:
        assert [word for word in words if word not in text] == [], text
        assert not any(python in text for python in ("Traceback", "KeyError", "ValueError", "array("))
    assert not (study / "results").exists()


def test_too_few_draws_for_the_checks_are_refused_before_sampling(tmp_path):
    study = write_study(tmp_path / "study", {"responses": answers(STAFF)}, inference={"draws": 10})
    with pytest.raises(ConfigError, match=r"inference\.draws.* 25"):
        run_study(study, progress=False)


def test_leaving_respondents_out_of_too_few_draws_is_refused(climate_only):
    study = read_study(climate_only.folder.parent)
    survey = gather(study).survey
    fitted = Fit.load(climate_only.folder / "restricted" / "posteriors" / "climate", survey)
    short = dataclasses.replace(fitted, tree=fitted.tree.isel(draw=slice(12)))
    with pytest.raises(FitError, match="25 draws, and there are 24"):
        loo(short)


def test_a_dimension_may_not_be_called_overall(tmp_path):
    shipped = load_instrument("psychological_safety").model_dump(mode="json", exclude_none=True)
    for part in (shipped["dimensions"][0], *shipped["items"]):
        part |= {key: "overall" for key in ("id", "dimension") if part.get(key) == "safety"}
    study = write_study(tmp_path / "study", {"responses": of_safety(others=False)}, instruments=["own.yaml"])
    (study / "own.yaml").write_text(json.dumps(shipped), encoding="utf-8")
    with pytest.raises((InstrumentError, ConfigError), match=r"own\.yaml: dimensions\[0\]\.id.*kept for all"):
        validate_study(study)
