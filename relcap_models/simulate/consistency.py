"""What a `simulation:` must have to do with its study's instruments and waves: everything at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from relcap_models.data.survey import Wave
from relcap_models.errors import ConfigError, Problem
from relcap_models.schema.instrument import Instrument
from relcap_models.simulate.gaussian import per_dimension
from relcap_models.simulate.options import Simulation
from relcap_models.simulate.programmes import start_problems
from relcap_models.simulate.units import path_problems


def problems_of_simulation(
    options: Simulation, *, instruments: Mapping[str, Instrument], waves: Sequence[Wave]
) -> tuple[Problem, ...]:
    """Every reason why this simulation cannot be drawn, in order of place.

    Parameters
    ----------
    instruments : id → instrument · waves : in order of time; as `simulate` takes them
    """
    climate = tuple(i.id for i in instruments.values() if not i.about_targets)
    return tuple(
        chain(
            _of_study(instruments, waves),
            _numbers_per_dimension(options, instruments),
            path_problems(options.climate.paths, climate) if instruments else (),
            start_problems(options.programmes, waves) if waves else (),
        )
    )


def _of_study(instruments: Mapping[str, Instrument], waves: Sequence[Wave]) -> Iterator[Problem]:
    if not instruments:
        yield Problem("study.yaml", "names no instrument", "Name one.", where="instruments")
    if not waves:
        yield Problem("study.yaml", "declares no wave", "Declare one to simulate.", where="waves")
    for instrument in instruments.values():
        if instrument.referent == "service":
            message = f"'{instrument.id}' asks citizens about a service, which cannot be simulated"
            remedy = "Take it out of the simulated study."
            yield Problem("study.yaml", message, remedy, where="instruments")


def _numbers_per_dimension(options: Simulation, instruments: Mapping[str, Instrument]) -> Iterator[Problem]:
    """Settings that give a number for each dimension, and not as many as the instrument has."""
    for instrument in instruments.values():
        block = "relations" if instrument.about_targets else "climate"
        for name, value in options.block_of(instrument):
            # Links are the other setting that is a tuple.
            if name == "paths" or not isinstance(value, tuple):
                continue
            try:
                per_dimension(value, len(instrument.dimensions), f"{block}.{name}", instrument.id)
            except ConfigError as error:
                yield from error.problems
