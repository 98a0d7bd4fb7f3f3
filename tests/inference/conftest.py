"""A small real fit, shared by the tests of this folder."""

import pytest

from relcap_models.data import read_survey
from relcap_models.data.survey import Survey, Wave
from relcap_models.inference import Fit, fit
from relcap_models.models.relation import Relation
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate


@pytest.fixture(scope="session")
def survey() -> Survey:
    """Six units, about fifty respondents, one wave, own-unit ratings too."""
    instrument = load_instrument("relational_capacity")
    options = Simulation.model_validate(
        {
            "organisation": {"n_units": 6, "n_respondents": 60, "n_districts": 1, "strategic_units": 0},
            "nominations": {"partners": 4},
        }
    )
    waves = (Wave("w1"),)
    tables = simulate(options, instruments={instrument.id: instrument}, waves=waves, seed=3).tables
    return read_survey(tables, instruments=[instrument], waves=waves)


@pytest.fixture(scope="session")
def small_fit(survey) -> Fit:
    """A fit long enough to run, too short to report."""
    return fit(
        Relation(instrument="relational_capacity"),
        survey,
        seed=1,
        chains=2,
        draws=150,
        tune=300,
        progress=False,
    )
