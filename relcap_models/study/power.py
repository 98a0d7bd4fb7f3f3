"""How precise would a planned design be? Many surveys of each design, simulated and fitted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

import relcap_models
from relcap_models.data import Wave
from relcap_models.errors import ConfigError, FitError, Problem
from relcap_models.simulate import Simulation
from relcap_models.study.config import Plan
from relcap_models.study.many import run_many
from relcap_models.study.planned import planned_survey
from relcap_models.study.precision import precision
from relcap_models.study.read import STUDY_FILE, Study, read_study
from relcap_models.study.tables import write_tables

DESIGN = ("units", "respondents", "partners", "waves")
_SETTINGS = ("backend", "chains", "draws", "tune", "target_accept")


@dataclass(frozen=True)
class Design:
    """A planned survey: units, people asked in each, partners each nominates, waves."""

    units: int
    respondents: int
    partners: float
    waves: int

    @property
    def key(self) -> str:
        return f"u{self.units}-n{self.respondents}-p{self.partners:g}-w{self.waves}"


@dataclass(frozen=True)
class Power:
    """Where the results are, and what they say.

    table : see `study.precision.precision`, the design in the columns `DESIGN`
    failed_fits : design and replicate to error message · notes : see `study.many.Many`
    """

    folder: Path
    table: pd.DataFrame
    failed_fits: dict[str, str]
    notes: tuple[str, ...]


def power_study(
    study: Path | str,
    out: Path | str | None = None,
    *,
    engine: str = "fast",
    overrides: Sequence[str] = (),
    replicates: int = 20,
    scheduler: str | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Power:
    """Simulate surveys of each design in the study's `power:`, fit them, and say how precise they are.

    Everything but the design is as the study's `simulation:` has it; programmes and outcomes are left out.

    Parameters
    ----------
    study : a study folder with a `simulation:` · out : default `power` in it; results there are kept, and
        added to
    engine : as in a study file; `both` is `nuts` · overrides : replace settings of it, as in `run_study`
    replicates : surveys of each design · scheduler, workers : see `study.many.run_many`

    Returns
    -------
    Power, whose table and figures stand in the folder.

    Raises
    ------
    ConfigError
        With every problem of the study, or if a design cannot be.
    FitError
        If not one survey could be fitted.
    """
    read = read_study(study, overrides=[*overrides, f"inference.engine={engine}"])
    if replicates < 2:
        raise ConfigError(f"--replicates {replicates}: two are needed to tell a Monte Carlo error")
    out = Path(out) if out is not None else read.folder / "power"
    config = read.config
    plans = list(_designs(read))
    settings: dict[str, Any] = {key: getattr(config.inference, key) for key in _SETTINGS}
    settings["engine"] = "fast" if config.inference.engine == "fast" else "nuts"
    shared = {
        "instruments": read.instruments,
        "analyses": config.analyses,
        "targets": config.targets,
        "settings": settings,
        "ci_prob": config.report.ci_prob,
        "seed": config.seed,
    }
    tasks, designs = {}, {}
    for design, simulation in plans:
        waves = _waves(read, design.waves)
        for replicate in range(replicates):
            key = f"{design.key}-{replicate:05d}"
            tasks[key] = {"simulation": simulation, "waves": waves, **shared, "key": key}
            designs[key] = {**asdict(design), "replicate": replicate}
    about = {
        "version": relcap_models.__version__,
        "simulation": config.simulation.model_dump(mode="json"),
        "instruments": {name: i.model_dump(mode="json") for name, i in read.instruments.items()},
        "analyses": [analysis.model_dump(mode="json") for analysis in config.analyses],
        "targets": config.targets.model_dump(mode="json"),
        **{name: shared[name] for name in ("settings", "ci_prob", "seed")},
    }
    many = run_many(
        planned_survey,
        tasks,
        folder=out / "surveys",
        about=about,
        scheduler=scheduler,
        workers=workers,
        progress=progress,
    )
    if not many.tables:
        key, error = next(iter(many.failed.items()))
        raise FitError(f"not one of {len(tasks):,} surveys could be fitted; the first, {key}: {error}")
    found = pd.concat([table.assign(**designs[key]) for key, table in many.tables.items()], ignore_index=True)
    table = precision(found, DESIGN, changes=_plan(read).changes)
    write_tables({"power": table}, out)
    for analysis in config.analyses:
        _draw(table[table["analysis"] == analysis.id], out / f"{analysis.id}.png", config.title)
    return Power(out, table, many.failed, (*many.notes, *_not_told(found, table)))


def _not_told(found: pd.DataFrame, table: pd.DataFrame) -> Iterator[str]:
    """Changes that were followed, but seen too seldom (or never missed) to say how likely they are seen."""
    keys = ["analysis", "of", *DESIGN]
    told = set(table.loc[table["quantity"] == "prob_seen", keys].itertuples(index=False, name=None))
    followed = found.loc[found["quantity"] == "change", keys].drop_duplicates()
    missing: dict[tuple[str, str], int] = {}
    for row in followed.itertuples(index=False, name=None):
        if row not in told:
            missing[row[:2]] = missing.get(row[:2], 0) + 1
    for (analysis, of), n in missing.items():
        yield (
            f"{analysis}: in {n} of the designs too few changes of '{of}' were seen, or missed, to say how "
            "likely they are seen. Add --replicates, or wider `sd_…` and less `stability_…` to `simulation:`."
        )


def _plan(study: Study) -> Plan:
    return study.config.power or Plan()


def _designs(study: Study) -> Iterator[tuple[Design, Simulation]]:
    """Every combination that is planned, with its simulation."""
    base, plan = study.config.simulation, _plan(study)
    if base is None:
        message = "there is nothing to plan from: `power` varies the design of a `simulation:`"
        raise ConfigError(problems=[Problem(STUDY_FILE, message, "Add `simulation: {}` to the file")])
    grid = product(
        plan.units or (base.organisation.n_units,),
        plan.respondents,
        plan.partners or (base.nominations.partners,),
        plan.waves or (len(study.waves),),
    )
    for combination in grid:
        design = Design(*combination)
        yield design, _simulation(base, design)


def _simulation(base: Simulation, design: Design) -> Simulation:
    if design.partners > design.units - 1:
        message = f"a unit cannot have {design.partners:g} partners among {design.units} units"
        remedy = "Lower `partners`, or raise `units`"
        raise ConfigError(problems=[Problem(STUDY_FILE, message, remedy, where="power")])
    block = base.model_dump()
    block["organisation"] |= {"n_units": design.units, "n_respondents": design.units * design.respondents}
    block["nominations"]["partners"] = design.partners
    block |= {"programmes": (), "outcomes": ()}
    try:
        return Simulation.model_validate(block)
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        problem = Problem(
            STUDY_FILE, message, "Change `power:` or `simulation:`", where=f"power ({design.key})"
        )
        raise ConfigError(problems=[problem]) from None


def _waves(study: Study, n: int) -> tuple[Wave, ...]:
    """The study's waves, and further ones after them."""
    declared = study.waves[:n]
    taken = {wave.id for wave in declared}
    names = (f"w{number}" for number in range(1, 10 * n) if f"w{number}" not in taken)
    return (*declared, *(Wave(next(names)) for _ in range(n - len(declared))))


def _draw(table: pd.DataFrame, path: Path, title: str) -> None:
    from relcap_models.report.figures.power import draw_power
    from relcap_models.report.figures.theme import LIGHT, png

    path.write_bytes(png(lambda theme: draw_power(theme, table, title=title), LIGHT))
