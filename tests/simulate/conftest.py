from collections.abc import Callable

import pytest

from relcap_models.data.survey import Wave
from relcap_models.schema import load_instrument
from relcap_models.schema.instrument import Instrument
from relcap_models.simulate.organisation import Roster, draw_roster
from relcap_models.simulate.survey_options import Organisation


@pytest.fixture(scope="session")
def instruments() -> dict[str, Instrument]:
    """The three instruments of the theory: one about partner units, two about the own unit."""
    names = ("relational_capacity", "psychological_safety", "relational_leadership")
    return {name: load_instrument(name) for name in names}


@pytest.fixture(scope="session")
def waves() -> tuple[Wave, ...]:
    return (Wave("w1"), Wave("w2"), Wave("w3"))


@pytest.fixture(scope="session")
def many_units() -> Callable[[int, tuple[Wave, ...]], Roster]:
    """An organisation of so many units of one person: a large sample of unit or relation effects."""

    def build(n_units: int, waves: tuple[Wave, ...]) -> Roster:
        options = Organisation(
            n_units=n_units, n_respondents=n_units, min_size=1, strategic_units=0, leader_units_per_district=0
        )
        return draw_roster(options, waves=waves, seed=1)

    return build
