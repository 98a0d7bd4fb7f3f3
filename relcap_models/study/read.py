"""From a study folder to a checked `Study`: every problem of the file at once, with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from relcap_models.data import Wave
from relcap_models.data.survey import is_date
from relcap_models.errors import ConfigError, InstrumentError, Problem
from relcap_models.models import LeadershipLink, ProgrammeEffect
from relcap_models.schema import Instrument, is_file, load_instrument, problems_of, read_yaml, suggestion
from relcap_models.simulate import Simulation, problems_of_simulation
from relcap_models.study.config import (
    NOT_BUILT_KINDS,
    FileName,
    Plan,
    StudyConfig,
    Tables,
    WaveDeclaration,
)
from relcap_models.study.designs import designs_of
from relcap_models.study.override import Override, apply_overrides

STUDY_FILE = "study.yaml"


@dataclass(frozen=True)
class Study:
    """A study that can run: its folder, its checked configuration and its instruments.

    `sources` tells where each instrument was declared, by instrument id: an id of a shipped instrument or a
    path in the study folder.
    """

    folder: Path
    config: StudyConfig
    instruments: Mapping[str, Instrument]
    sources: Mapping[str, str]

    @property
    def waves(self) -> tuple[Wave, ...]:
        return tuple(Wave(wave.id, wave.date) for wave in self.config.waves)


@dataclass(frozen=True)
class Draft:
    """What could be made of a study file, with everything that is wrong in it.

    `declarations_hold` is true if instruments, waves and the places of the tables are beyond doubt, whatever
    else is wrong: then the tables can be checked already. `simulated`: the file has a `simulation:`.
    """

    folder: Path
    config: StudyConfig | None
    instruments: Mapping[str, Instrument]
    sources: Mapping[str, str]
    waves: tuple[Wave, ...]
    tables: Tables | None
    declarations_hold: bool
    simulated: bool
    problems: tuple[Problem, ...] = field(repr=False)

    def study(self) -> Study:
        """The study, if nothing is wrong.

        Raises
        ------
        ConfigError
            With every problem of the file.
        """
        if self.problems or self.config is None:
            raise ConfigError(problems=self.problems)
        return Study(self.folder, self.config, self.instruments, self.sources)


def read_study(path: Path | str, *, overrides: Sequence[str] = ()) -> Study:
    """Read and check a study.

    Parameters
    ----------
    path : the study folder, or its `study.yaml`
    overrides : `key=value` settings that replace those of the file, as `relcap run --set` takes them:
        `inference.draws=500`, `analyses.relations.family=gaussian`

    Raises
    ------
    ConfigError
        With every problem of the file and of its instruments, each with its place and nearest valid word.
    """
    return draft_study(path, overrides=overrides).study()


def draft_study(path: Path | str, *, overrides: Sequence[str] = ()) -> Draft:
    """Read a study file and collect what is wrong in it.

    Raises
    ------
    ConfigError
        Only if there is no file to be read, or it is not YAML.
    """
    path = Path(path)
    file = path if path.is_file() else path / STUDY_FILE
    if not file.is_file():
        raise ConfigError(problems=[_no_study(path)])
    content = read_yaml(file, error=ConfigError)
    content, placed, problems = apply_overrides(content, overrides)
    return _check(content, folder=file.parent, problems=problems, overrides=placed)


def require_models(study: Study) -> None:
    """Refuse a study without an analysis that fits a model.

    Raises
    ------
    ConfigError
        If it has none.
    """
    if not (study.config.models or study.config.programmes):
        message = "no analysis of the study fits a model"
        remedy = "Add one: `- {kind: relations, instrument: …}` or `- {kind: climate, instrument: …}`"
        raise ConfigError(problems=[Problem(STUDY_FILE, message, remedy, where="analyses")])


def study_of(content: Mapping[str, Any], *, folder: Path) -> Study:
    """The study that a resolved configuration describes, as a manifest keeps it.

    Raises
    ------
    ConfigError
        As `read_study`.
    """
    return _check(dict(content), folder=folder, problems=[], overrides=[]).study()


def _check(
    content: dict[str, Any], *, folder: Path, problems: list[Problem], overrides: Sequence[Override]
) -> Draft:
    found = list(problems)
    config = None
    try:
        config = StudyConfig.model_validate(content)
    except ValidationError as error:
        found += [_not_built(p) for p in problems_of(error, file=STUDY_FILE, model=StudyConfig)]
    instruments, sources, instrument_problems = _instruments(content, folder)
    waves, (tables, tables_hold) = _waves(content), _tables(content)
    found += instrument_problems
    found += _repeated(content)
    found += _wave_problems(content)
    found += _analysis_problems(content, instruments, complete=not instrument_problems)
    if instruments and waves and not instrument_problems:
        found += _simulation_problems(content, instruments, waves)
    return Draft(
        folder=folder,
        config=config,
        instruments=instruments,
        sources=sources,
        waves=waves or (),
        tables=tables,
        declarations_hold=bool(instruments and waves) and not instrument_problems and tables_hold,
        simulated=content.get("simulation") is not None,
        problems=tuple(_blame_override(problem, overrides) for problem in found),
    )


def _no_study(path: Path) -> Problem:
    if path.is_dir():
        remedy = f"A study is a folder with a {STUDY_FILE}; `relcap new NAME` makes one"
        return Problem(file=str(path), message=f"this folder has no {STUDY_FILE}", remedy=remedy)
    if path.parent.is_dir():
        siblings = [p.name for p in path.parent.iterdir() if p.is_dir()]
        remedy = suggestion(path.name, siblings, what="here") if siblings else "`relcap new NAME` makes one"
    else:
        above = next(folder for folder in path.parents if folder.is_dir() or folder == folder.parent)
        remedy = f"There is no {path.parent} either: of that path only {above} is there"
    return Problem(file=str(path), message="there is no such folder", remedy=remedy)


def _not_built(problem: Problem) -> Problem:
    if not (problem.where or "").endswith(".kind") or problem.value not in NOT_BUILT_KINDS:
        return problem
    return Problem(
        file=problem.file,
        where=problem.where,
        message=f"the analysis '{problem.value}' is not built yet",
        remedy="Take this analysis out of the file; it is planned",
    )


def _instruments(
    content: Mapping[str, Any], folder: Path
) -> tuple[dict[str, Instrument], dict[str, str], list[Problem]]:
    instruments: dict[str, Instrument] = {}
    sources: dict[str, str] = {}
    problems: list[Problem] = []
    for index, name in _texts(content.get("instruments")):
        where = f"instruments[{index}]"
        try:
            instrument = load_instrument(name, base=folder)
        except InstrumentError as error:
            there = is_file(folder / name)
            problems += [
                problem
                if there
                else Problem(STUDY_FILE, problem.message, problem.remedy, where=where, value=name)
                for problem in error.problems
            ]
            continue
        if instrument.id in instruments:
            message = f"instrument '{instrument.id}' is declared twice"
            problems.append(Problem(STUDY_FILE, message, "Keep one of them", where=where))
        instruments[instrument.id], sources[instrument.id] = instrument, name
    return instruments, sources, problems


def _repeated(content: Mapping[str, Any]) -> list[Problem]:
    """Ids that are given twice. Analyses name files, so theirs may not differ in case alone."""
    waves = [(f"waves[{i}].id", wave.get("id")) for i, wave in _mappings(content.get("waves"))]
    analyses = [
        (f"analyses[{i}].id", str(analysis.get("id", analysis.get("kind", ""))).lower())
        for i, analysis in _mappings(content.get("analyses"))
    ]
    problems = []
    for what, entries in (("wave", waves), ("analysis", analyses)):
        first: dict[str, str] = {}
        for where, name in entries:
            if not isinstance(name, str):
                continue
            if name in first:
                message = f"the {what} id '{name}' is taken by {first[name].removesuffix('.id')}"
                problems.append(
                    Problem(STUDY_FILE, message, "Give it an id of its own: `id: …`", where=where)
                )
            first.setdefault(name, where)
    return problems


def _wave_problems(content: Mapping[str, Any]) -> list[Problem]:
    problems = []
    for i, wave in _mappings(content.get("waves")):
        name, date = wave.get("id"), wave.get("date", "")
        if isinstance(name, str) and name != name.strip():
            message = "an id has no blanks around it"
            problems.append(Problem(STUDY_FILE, message, "Change it", where=f"waves[{i}].id", value=name))
        if isinstance(date, str) and date and not is_date(date):
            message, remedy = "this is no date", "Write 2024-03 or 2024-03-15"
            problems.append(Problem(STUDY_FILE, message, remedy, where=f"waves[{i}].date", value=date))
    return problems


_OWN_REFERENTS = "the own team, own leaders or a service"


def _analysis_problems(
    content: Mapping[str, Any], instruments: Mapping[str, Instrument], *, complete: bool
) -> list[Problem]:
    """Ids that cannot name files, instruments that are not listed, kinds that do not suit the instrument."""
    problems = []
    for index, analysis in _mappings(content.get("analyses")):
        where = f"analyses[{index}]"
        if isinstance(analysis.get("id"), str):
            try:
                TypeAdapter(FileName).validate_python(analysis["id"])
            except ValidationError as error:
                message = error.errors()[0]["msg"].removeprefix("Value error, ")
                problems.append(Problem(STUDY_FILE, message, where=f"{where}.id", value=analysis["id"]))
        if complete:
            problems += [
                _unlisted(listed, instruments, f"{where}.instruments[{i}]")
                for i, listed in _texts(analysis.get("instruments"))
                if listed not in instruments
            ]
        name, kind = analysis.get("instrument"), analysis.get("kind")
        if kind == "leadership_link":
            problems += _link_problems(analysis, instruments, where, complete=complete)
            continue
        if kind == "programme_effect":
            problems += _programme_problems(analysis, instruments, where) if complete else []
            continue
        if not isinstance(name, str):
            continue
        if name not in instruments:
            if complete:
                problems.append(_unlisted(name, instruments, f"{where}.instrument"))
            continue
        about_targets = instruments[name].about_targets
        if kind == "relations" and not about_targets:
            problems.append(_wrong_kind(where, name, _OWN_REFERENTS, "climate"))
        if kind == "climate" and about_targets:
            problems.append(_wrong_kind(where, name, "partner units", "relations"))
    return problems


def _link_problems(
    analysis: Mapping[str, Any], instruments: Mapping[str, Instrument], where: str, *, complete: bool
) -> list[Problem]:
    """Instruments of a leadership link that are not the study's, or ask about the wrong thing."""
    problems = []
    for key in ("instrument", "leadership", "safety"):
        name = analysis.get(key, LeadershipLink.model_fields[key].default)
        if not isinstance(name, str):
            continue
        place = f"{where}.{key}"
        if name not in instruments:
            problems += [_unlisted(name, instruments, place)] if complete else []
        elif instruments[name].about_targets != (key == "instrument"):
            wanted = "partner units" if key == "instrument" else _OWN_REFERENTS
            message = f"the instrument '{name}' does not ask about {wanted}"
            fitting = [i for i, other in instruments.items() if other.about_targets == (key == "instrument")]
            remedy = f"Those that do: {', '.join(fitting) or 'none of the study'}"
            problems.append(Problem(STUDY_FILE, message, remedy, where=place))
    return problems


def _programme_problems(
    analysis: Mapping[str, Any], instruments: Mapping[str, Instrument], where: str
) -> list[Problem]:
    """Instruments of a programme's outcome and placebos that are not the study's."""
    outcome = analysis.get("instrument", ProgrammeEffect.model_fields["instrument"].default)
    named = [("instrument", outcome)] if isinstance(outcome, str) else []
    named += [(f"placebo[{i}]", name) for i, name in _texts(analysis.get("placebo"))]
    return [_unlisted(name, instruments, f"{where}.{key}") for key, name in named if name not in instruments]


def _unlisted(name: str, instruments: Mapping[str, Instrument], where: str) -> Problem:
    remedy = suggestion(name, instruments, what="listed under `instruments`")
    return Problem(STUDY_FILE, f"the instrument '{name}' is not one of the study's", remedy, where=where)


def _simulation_problems(
    content: Mapping[str, Any], instruments: Mapping[str, Instrument], waves: Sequence[Wave]
) -> list[Problem]:
    """What in `simulation:` and `power:` does not suit the study, whether or not it has tables already."""
    simulation, whole = _simulation(content.get("simulation"))
    if simulation is None:
        return []
    problems = [*problems_of_simulation(simulation, instruments=instruments, waves=waves)]
    if whole and content.get("power") is not None:
        try:
            plan = Plan.model_validate(content["power"])
        except ValidationError:
            return problems
        problems += designs_of(plan, simulation, n_waves=len(waves))[1]
    return problems


def _simulation(block: object) -> tuple[Simulation | None, bool]:
    """The simulation, without those of its blocks that cannot be read; and whether it is whole."""
    if not isinstance(block, dict):
        return None, False
    try:
        return Simulation.model_validate(block), True
    except ValidationError as error:
        wrong = {found["loc"][0] for found in error.errors() if found["loc"]}
    try:
        return Simulation.model_validate({k: part for k, part in block.items() if k not in wrong}), False
    except ValidationError:
        return None, False


def _wrong_kind(where: str, instrument: str, asks_about: str, right_kind: str) -> Problem:
    message = f"the instrument '{instrument}' asks about {asks_about}"
    return Problem(STUDY_FILE, message, f"Use kind: {right_kind}", where=f"{where}.kind")


def _waves(content: Mapping[str, Any]) -> tuple[Wave, ...]:
    """The declared waves, or none if the id of any is in doubt. What is no date is told elsewhere."""
    try:
        declared = TypeAdapter(tuple[WaveDeclaration, ...]).validate_python(content.get("waves"))
    except ValidationError:
        return ()
    if any(wave.id != wave.id.strip() for wave in declared):
        return ()
    return tuple(Wave(wave.id, wave.date if is_date(wave.date) else "") for wave in declared)


def _tables(content: Mapping[str, Any]) -> tuple[Tables | None, bool]:
    """The declared places of the tables, and whether they can be read."""
    try:
        return TypeAdapter(Tables | None).validate_python(content.get("tables")), True
    except ValidationError:
        return None, False


def _blame_override(problem: Problem, overrides: Sequence[Override]) -> Problem:
    """A problem that an override caused names the override, not the file."""
    for override in overrides:
        if problem.where and re.match(re.escape(override.where) + r"($|[.\[])", problem.where):
            return Problem(f"--set {override.text}", problem.message, problem.remedy, value=problem.value)
    return problem


def _mappings(content: object) -> list[tuple[int, dict[str, Any]]]:
    return (
        [(i, part) for i, part in enumerate(content) if isinstance(part, dict)]
        if isinstance(content, list)
        else []
    )


def _texts(content: object) -> list[tuple[int, str]]:
    return (
        [(i, part) for i, part in enumerate(content) if isinstance(part, str)]
        if isinstance(content, list)
        else []
    )
