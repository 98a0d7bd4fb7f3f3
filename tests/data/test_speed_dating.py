"""Half-block speed-dating ratings: refused as they are, every offender told, read once they are recoded."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from relcap_models.data import read_survey
from relcap_models.errors import DataError
from relcap_models.schema import Instrument

FILE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "speed_dating.csv"
ITEMS = ("attr", "sinc", "intel", "fun", "amb", "shar")


@pytest.fixture(scope="module")
def ratings() -> pd.DataFrame:
    """8,378 ratings, a column per item; each person is a unit of one."""
    if not FILE.is_file():
        pytest.skip("the reference data (shared/reference/speed_dating.csv) are not beside this checkout")
    table = pd.read_csv(FILE, dtype=str, keep_default_na=False)
    table = table.rename(columns={"rater": "respondent_id", "target": "target_unit"})
    return table[["wave", "respondent_id", "target_unit", *ITEMS]].assign(rater_unit=table["respondent_id"])


@pytest.fixture(scope="module")
def instrument() -> Instrument:
    return Instrument.model_validate(
        {
            "id": "impression",
            "title": {"en": "Impression of the partner"},
            "referent": "target_unit",
            "dimensions": [{"id": "impression", "title": {"en": "Impression"}}],
            "scale": {"minimum": 1, "maximum": 10, "favourable_from": 8},
            "items": [{"id": item, "dimension": "impression", "text": {"en": item}} for item in ITEMS],
            "source": "Fisman, Iyengar, Kamenica & Simonson (2006)",
            "original_language": "en",
            "translation_status": {"en": "original"},
        }
    )


def test_zeros_halves_and_missing_targets_are_all_listed(ratings, instrument, tmp_path):
    ratings.to_csv(tmp_path / "responses.csv", index=False)
    with pytest.raises(DataError) as caught:
        read_survey(tmp_path, instruments=[instrument])
    problems = caught.value.problems
    assert Counter(problem.message for problem in problems) == {
        "outside the response scale 1 to 10": 100,
        "between two answers of the response scale 1 to 10 (whole numbers)": 54,
        "nothing is given here": 10,
    }
    lines = (tmp_path / "responses.csv").read_text(encoding="utf-8").splitlines()
    columns = lines[0].split(",")
    for problem in problems:
        assert lines[problem.row - 1].split(",")[columns.index(problem.column)] == (problem.value or "")
    said = str(caught.value)
    for count in ("100 cells", "54 cells", "10 rows"):
        assert count in said


def test_recoded_they_are_read_whole(ratings, instrument):
    recoded = ratings[ratings["target_unit"] != ""].copy()
    for item in ITEMS:
        recoded[item] = pd.to_numeric(recoded[item]).clip(lower=1).round()
    survey = read_survey({"responses": recoded}, instruments=[instrument])
    assert len(recoded) == 8368
    assert len(survey.responses) == recoded[list(ITEMS)].notna().sum().sum()
    assert len(survey.waves) == 21
    assert set(survey.responses["value"]) == set(range(1, 11))
