"""Large surveys are read in seconds: nothing is done row by row but for the rows that are wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from relcap_models.data import read_survey
from relcap_models.errors import DataError


@pytest.fixture(scope="module")
def organisation(tmp_path_factory):
    """140,400 responses: 3 waves × 1,300 respondents × 6 targets × 6 items."""
    folder = tmp_path_factory.mktemp("large")
    wave, respondent, target, item = (a.ravel() for a in np.indices((3, 1300, 6, 6)))
    table = pd.DataFrame(
        {
            "wave": np.char.add("w", (wave + 1).astype(str)),
            "respondent_id": np.char.add("r", respondent.astype(str)),
            "rater_unit": np.char.add("u", (respondent % 60).astype(str)),
            "target_unit": np.char.add("u", ((respondent + target) % 60).astype(str)),
            "instrument": "relational_capacity",
            "item": np.char.add("RC", (item + 1).astype(str)),
            "value": np.random.default_rng(1).integers(1, 6, len(wave)),
        }
    )
    table.to_csv(folder / "responses.csv", index=False)
    pd.DataFrame({"unit_id": [f"u{i}" for i in range(60)], "name": "Unit"}).to_csv(
        folder / "units.csv", index=False
    )
    return folder


def test_140000_responses_are_read(organisation):
    survey = read_survey(organisation, instruments=["relational_capacity"])
    assert len(survey.responses) == 140_400


def test_a_column_of_wrong_values_is_told_once(organisation):
    """140,400 problems of one kind, all kept."""
    with pytest.raises(DataError) as caught:
        read_survey(organisation, instruments=["relational_capacity"], waves=["a", "b"])
    assert len(caught.value.problems) == 140_400
    assert "and 140380 more like this" in str(caught.value)
