"""The `simulation:` block of a study file: what the simulated organisation is like."""

from __future__ import annotations

from pydantic import model_validator

from relcap_models.schema.instrument import Declaration, Instrument
from relcap_models.simulate.effect_options import Climate, Outcome, Programme, Relations
from relcap_models.simulate.survey_options import (
    Departures,
    Nominations,
    Nonresponse,
    Organisation,
    Ratings,
    Share,
)


class Simulation(Declaration):
    """An organisation with known truth: the `simulation:` block of a study file.

    Everything has a default; the instruments and waves are those of the study. The default is a small
    organisation (300 respondents, 25 units; about 1,770 ratings a wave):

        simulation: {}

    The shape of the published case (three waves, 1,300 respondents in 60 units of six districts, about
    140,000 answers about relations, leadership linked to how others rate the unit, a training that starts
    district by district):

        simulation:
          organisation: {n_respondents: 1300, n_units: 60, n_districts: 6, turnover: 0.08, moves: 0.03}
          climate:
            leniency: 0.3
            paths:
              - {source: relational_leadership, to: psychological_safety, coefficient: 0.4}
              - {source: relational_leadership, to: target, coefficient: 0.3}
          programmes:
            - {id: training, level: district, starts: [w2, w3], on_target: 0.25, on_perceiver: 0.1}
          outcomes:
            - {id: quality, slope: 0.5}

    `shared_leniency` is the correlation of a respondent's effects between any two instruments.
    """

    organisation: Organisation = Organisation()
    nominations: Nominations = Nominations()
    ratings: Ratings = Ratings()
    relations: Relations = Relations()
    climate: Climate = Climate()
    shared_leniency: Share = 0.4
    programmes: tuple[Programme, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    nonresponse: Nonresponse = Nonresponse()
    departures: Departures = Departures()

    def block_of(self, instrument: Instrument) -> Relations | Climate:
        """The truth that an instrument follows: about partner units, or about the own team or leaders."""
        return self.relations if instrument.about_targets else self.climate

    @model_validator(mode="after")
    def _consistent(self) -> Simulation:
        said = []
        for name, block in (("relations", self.relations), ("climate", self.climate)):
            if self.shared_leniency > block.dimension_correlation + 1e-12:
                said.append(
                    f"shared_leniency ({self.shared_leniency}) must be at most {name}.dimension_correlation "
                    f"({block.dimension_correlation}): dimensions of one instrument share at least what "
                    "instruments share"
                )
        for name, entries in (("programmes", self.programmes), ("outcomes", self.outcomes)):
            ids = [entry.id for entry in entries]
            twice = sorted({i for i in ids if ids.count(i) > 1})
            if twice:
                said.append(f"{name}: ids appear twice: {', '.join(twice)}")
        if said:
            raise ValueError("; ".join(said))
        return self
