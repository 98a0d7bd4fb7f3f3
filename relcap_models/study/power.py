"""How precise would a planned design be? Many surveys of each design, simulated and fitted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

import relcap_models
from relcap_models.data import Wave
from relcap_models.errors import ConfigError, FitError, Problem
from relcap_models.simulate import Simulation
from relcap_models.study.config import Plan, StudyConfig
from relcap_models.study.designs import DESIGN, Design, designs_of
from relcap_models.study.many import run_many
from relcap_models.study.planned import planned_survey
from relcap_models.study.precision import precision
from relcap_models.study.read import STUDY_FILE, Study, read_study, require_models
from relcap_models.study.tables import write_tables

_PLANNED = ("relations", "climate", "programme_effect")


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
    engine: str | None = None,
    overrides: Sequence[str] = (),
    replicates: int = 20,
    scheduler: str | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Power:
    """Simulate surveys of each design in the study's `power:`, fit them, and say how precise they are.

    Of the analyses it takes relations, climates and programmes; that it leaves leadership links out is noted.
    Everything but the design is as the study's `simulation:` has it. Outcomes, trends and what programmes do
    are left out: a change is then as likely up as down.

    Parameters
    ----------
    study : a study folder with a `simulation:` · out : default `power` in it; results there are kept, and
        added to
    engine, overrides : replace settings of the study file, as in `run_study`; without either the engine is
        `fast`
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
    engines = [f"inference.engine={engine}"] if engine else []
    read = read_study(study, overrides=["inference.engine=fast", *overrides, *engines])
    if read.config.links and not (read.config.models or read.config.programmes):
        raise ConfigError(
            problems=[Problem(STUDY_FILE, line, where="analyses") for line in _not_planned(read.config)]
        )
    require_models(read)
    if replicates < 2:
        raise ConfigError(f"--replicates {replicates}: two are needed to tell a Monte Carlo error")
    out = Path(out) if out is not None else read.folder / "power"
    config = read.config
    shared = {
        "instruments": read.instruments,
        "analyses": (*config.models, *config.programmes),
        "targets": config.targets,
        "settings": config.inference.fit_settings(),
        "ci_prob": config.report.ci_prob,
        "seed": config.seed,
    }
    tasks, designs = {}, {}
    for design, simulation in _designs(read):
        waves = _waves(read, design.waves)
        world = json.dumps([simulation.model_dump(mode="json"), [wave.id for wave in waves]], sort_keys=True)
        fingerprint = hashlib.sha256(world.encode()).hexdigest()[:8]
        for replicate in range(replicates):
            key = f"{design.key}-{fingerprint}-{replicate:05d}"
            tasks[key] = {"simulation": simulation, "waves": waves, **shared, "key": key}
            designs[key] = {**asdict(design), "replicate": replicate}
    about = {
        "version": relcap_models.__version__,
        "instruments": {name: i.model_dump(mode="json") for name, i in read.instruments.items()},
        "analyses": [analysis.model_dump(mode="json") for analysis in shared["analyses"]],
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
    table, left_out = precision(found, DESIGN, changes=(config.power or Plan()).changes)
    if table.empty:
        raise FitError(f"of no design could two surveys be fitted. {' '.join(many.failed.values())}")
    write_tables({"power": table}, out)
    for analysis in shared["analyses"]:
        _draw(table[table["analysis"] == analysis.id], out / f"{analysis.id}.png", config.title)
    notes = (*_not_planned(config), *many.notes, *left_out)
    return Power(out, table, many.failed, notes)


def _not_planned(config: StudyConfig) -> list[str]:
    """Analyses of the study that no plan is made for."""
    return [
        f"{analysis.id}: not planned: `power` can plan {', '.join(_PLANNED)}, and no {analysis.kind}. "
        "Its precision at a number of units and respondents: simulate the study and run it."
        for analysis in config.links
    ]


def _designs(study: Study) -> tuple[tuple[Design, Simulation], ...]:
    """Every combination that is planned, with its simulation."""
    if study.config.simulation is None:
        message = "there is nothing to plan from: `power` varies the design of a `simulation:`"
        raise ConfigError(problems=[Problem(STUDY_FILE, message, "Add `simulation: {}` to the file")])
    planned, problems = designs_of(
        study.config.power or Plan(), study.config.simulation, n_waves=len(study.waves)
    )
    if problems:
        raise ConfigError(problems=problems)
    return planned


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
