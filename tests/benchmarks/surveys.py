"""Simulated surveys of three sizes: a small organisation, a municipality, and three waves of it."""

from relcap_models.data import Wave, read_survey
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate

SIZES = {
    "small": ({"n_respondents": 300, "n_units": 25, "n_districts": 4}, 1),
    "large": ({"n_respondents": 1300, "n_units": 60, "n_districts": 6}, 1),
    "large3": ({"n_respondents": 1300, "n_units": 60, "n_districts": 6}, 3),
}


def survey_of(size):
    organisation, n_waves = SIZES[size]
    waves = [Wave(f"w{w + 1}") for w in range(n_waves)]
    instrument = load_instrument("relational_capacity")
    options = Simulation.model_validate({"organisation": organisation})
    tables = simulate(options, instruments={instrument.id: instrument}, waves=waves, seed=1).tables
    return read_survey(tables, instruments=[instrument], waves=waves)
