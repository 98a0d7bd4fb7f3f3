"""The designs that `power:` plans: each with its simulation, and every reason why one cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from pydantic import ValidationError

from relcap_models.errors import Problem
from relcap_models.simulate import Simulation
from relcap_models.study.config import Plan

DESIGN = ("units", "respondents", "partners", "waves", "districts")


@dataclass(frozen=True)
class Design:
    """A planned survey: units, people asked in each, partners each nominates, waves, districts."""

    units: int
    respondents: int
    partners: float
    waves: int
    districts: int

    @property
    def key(self) -> str:
        return f"u{self.units}-n{self.respondents}-p{self.partners:g}-w{self.waves}-d{self.districts}"


def designs_of(
    plan: Plan, base: Simulation, *, n_waves: int
) -> tuple[tuple[tuple[Design, Simulation], ...], tuple[Problem, ...]]:
    """Every combination that is planned, with its simulation; and what is wrong with those that cannot be.

    Parameters
    ----------
    base : the study's simulation, which holds what the plan leaves out · n_waves : of the study
    """
    grid = product(
        plan.units or (base.organisation.n_units,),
        plan.respondents,
        plan.partners or (base.nominations.partners,),
        plan.waves or (n_waves,),
        plan.districts or (base.organisation.n_districts,),
    )
    planned: list[tuple[Design, Simulation]] = []
    problems: list[Problem] = []
    for combination in grid:
        design = Design(*combination)
        if plan.partners and design.partners > design.units - 1:
            problems.append(_too_many_partners(design))
            continue
        try:
            planned.append((design, _simulation(base, design)))
        except ValidationError as error:
            said = "; ".join(found["msg"].removeprefix("Value error, ") for found in error.errors())
            message = f"the design {design.key} cannot be: {said}"
            problems.append(Problem("study.yaml", message, "Change `power:` or `simulation:`", where="power"))
    # Partners do not hang on how many are asked: such a problem comes back with each number of them.
    return tuple(planned), tuple(dict.fromkeys(problems))


def _too_many_partners(design: Design) -> Problem:
    message = f"a unit cannot have {design.partners:g} partners among {design.units} units"
    return Problem("study.yaml", message, "Lower `partners`, or raise `units`", where="power")


def _simulation(base: Simulation, design: Design) -> Simulation:
    """As the study has it, without what moves units apart from the design."""
    block = base.model_dump()
    block["organisation"] |= {
        "n_units": design.units,
        "n_respondents": design.units * design.respondents,
        "n_districts": design.districts,
    }
    block["nominations"]["partners"] = design.partners
    # Who takes part is kept, what it does is not: an effect of any size only moves its interval.
    block["programmes"] = [
        {name: value for name, value in programme.items() if not name.startswith("on_") and name != "sd"}
        for programme in block["programmes"]
    ]
    block["outcomes"] = ()
    for name in ("relations", "climate"):
        block[name]["trend"] = 0.0
    return Simulation.model_validate(block)
