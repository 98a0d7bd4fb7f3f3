"""Where a study's survey comes from: its tables, or its simulation where there are none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from relcap_models.data import Survey, Wave, read_survey
from relcap_models.errors import ConfigError, DataError, Problem
from relcap_models.schema import Instrument, is_file, suggestion
from relcap_models.simulate import Simulated, simulate, write
from relcap_models.study.config import Tables
from relcap_models.study.folder import sha256, write_json
from relcap_models.study.read import STUDY_FILE, Draft, Study

DATA, TRUTH = "data", "truth"
_MADE = "made.json"
_SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class Material:
    """A study's survey, and the simulation that made it if the study has no tables."""

    survey: Survey
    simulated: Simulated | None


def gather(study: Study) -> Material:
    """The survey of a study.

    Raises
    ------
    DataError
        With every problem of the tables at once.
    ConfigError
        If tables are absent and there is no `simulation:` to make them from; with the problems of the others.
    """
    paths = table_paths(study.folder, study.config.tables)
    instruments, simulation = tuple(study.instruments.values()), study.config.simulation
    present = {name: path for name, path in paths.items() if is_file(path)}
    if simulation is not None and not present:
        simulated = simulate_study(study)
        return Material(read_survey(simulated.tables, instruments=instruments, waves=study.waves), simulated)
    if not paths:
        remedy = "Put responses.csv there, or declare `tables:` or `simulation:`"
        raise ConfigError(problems=[Problem(STUDY_FILE, f"there are no tables in {DATA}/", remedy)])
    absent = _absent(study.folder, study.config.tables, present, simulated=simulation is not None)
    source = _source(study.folder, study.config.tables, present)
    if absent:
        raise ConfigError(problems=[*absent, *_of_tables(source, instruments, study.waves)])
    return Material(read_survey(source, instruments=instruments, waves=study.waves), None)


def problems_of_study(draft: Draft) -> tuple[Problem, ...]:
    """Everything that is wrong with a study whose file is: in the file, its instruments and its tables.

    Tables are judged by the instruments and waves, so they are left alone while those are in doubt; that one
    is not there is told all the same.
    """
    paths = table_paths(draft.folder, draft.tables)
    present = {name: path for name, path in paths.items() if is_file(path)}
    if draft.simulated and not present:
        return draft.problems
    absent = _absent(draft.folder, draft.tables, present, simulated=draft.simulated)
    if not draft.declarations_hold or not present:
        return (*draft.problems, *absent)
    source = _source(draft.folder, draft.tables, present)
    return (*draft.problems, *absent, *_of_tables(source, tuple(draft.instruments.values()), draft.waves))


def simulate_study(study: Study) -> Simulated:
    """The tables that the study's `simulation:` makes, with their truth.

    Raises
    ------
    ConfigError
        If the study has no `simulation:`.
    """
    if study.config.simulation is None:
        problem = Problem(STUDY_FILE, "there is nothing to simulate from", "Add `simulation: {}` to the file")
        raise ConfigError(problems=[problem])
    return simulate(
        study.config.simulation, instruments=study.instruments, waves=study.waves, seed=study.config.seed
    )


def write_simulation(study: Study, out: Path) -> tuple[Path, Path]:
    """Simulate the study's tables into `out/data` and their truth into `out/truth`.

    Raises
    ------
    ConfigError
        If `out/data` holds tables that no simulation made: they might be somebody's answers.
    """
    data, truth = out / DATA, out / TRUTH
    foreign = [path.name for path in _tables_in(data).values() if not _made_by_simulation(path, truth)]
    if foreign:
        message = f"holds tables that no simulation made ({', '.join(foreign)}), so nothing was written"
        raise ConfigError(problems=[Problem(str(data), message, "Give another --out, or move them away")])
    simulated = simulate_study(study)
    earlier = [*_tables_in(data).values(), *_truth_in(truth)]
    write(simulated, data, truth)
    # What an earlier simulation made and this one does not is about another organisation.
    new = {*(data / f"{name}.csv" for name in simulated.tables), *_files(truth, simulated.truth)}
    for path in earlier:
        if path not in new:
            path.unlink(missing_ok=True)
    made = {
        "seed": study.config.seed,
        "tables": {f"{name}.csv": sha256(data / f"{name}.csv") for name in simulated.tables},
        "truth": [f"{name}.csv" for name in simulated.truth],
        "waves": [wave.id for wave in study.waves],
        "instruments": list(study.instruments),
        "simulation": study.config.simulation.model_dump(mode="json"),
    }
    write_json(truth / _MADE, made)
    return data, truth


def _files(folder: Path, names: Iterable[str]) -> list[Path]:
    return [folder / f"{name}.csv" for name in names]


def _truth_in(truth: Path) -> list[Path]:
    """Truth that an earlier simulation wrote here."""
    try:
        names = json.loads((truth / _MADE).read_text(encoding="utf-8"))["truth"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [truth / Path(name).name for name in names if isinstance(name, str)]


def is_simulated(study: Study, material: Material) -> bool:
    """True if the answers come from a simulation: of this run, or of an earlier one that left its truth."""
    responses = table_paths(study.folder, study.config.tables).get("responses")
    return material.simulated is not None or (
        responses is not None and _made_by_simulation(responses, study.folder / TRUTH)
    )


def table_paths(folder: Path, tables: Tables | None) -> dict[str, Path]:
    """Table name to path: those that the study declares, else those that stand in its folder `data`."""
    if tables is not None:
        return {name: folder / path for name, path in tables if path is not None}
    return _tables_in(folder / DATA)


def _tables_in(data: Path) -> dict[str, Path]:
    """Tables in a folder by name; of two files of one table, which is a problem, the CSV."""
    there = (
        sorted(data.iterdir(), key=lambda path: path.suffix.lower(), reverse=True) if data.is_dir() else ()
    )
    found = {path.stem: path for path in there if path.suffix.lower() in _SUFFIXES and path.is_file()}
    return {name: found[name] for name in Tables.model_fields if name in found}


def _made_by_simulation(table: Path, truth: Path) -> bool:
    """By its bytes: whoever puts real answers in the place of simulated ones leaves the truth lying there."""
    try:
        made = json.loads((truth / _MADE).read_text(encoding="utf-8"))["tables"].get(table.name)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return is_file(table) and made == sha256(table)


def _source(folder: Path, declared: Tables | None, present: Mapping[str, Path]) -> Path | Mapping[str, Path]:
    """Where to read from; a folder rather than its files where none is declared: then two files of one table,
    and misspelt names, are told."""
    return present if declared is not None else folder / DATA


def _of_tables(
    source: Path | Mapping[str, Path], instruments: Sequence[Instrument], waves: Sequence[Wave]
) -> tuple[Problem, ...]:
    """Everything that is wrong with the tables that are there, whichever are not."""
    if not source:
        return ()
    try:
        read_survey(source, instruments=instruments, waves=waves)
    except DataError as error:
        # Absent responses are told with the place where they are declared.
        told = isinstance(source, Path) or "responses" in source
        return tuple(problem for problem in error.problems if told or problem.file != "responses")
    return ()


def _absent(
    folder: Path, declared: Tables | None, present: Mapping[str, Path], *, simulated: bool
) -> list[Problem]:
    """Tables that are declared and are not there."""
    names = [] if declared is None else [name for name, path in declared if path is not None]
    absent = [name for name in names if name not in present]
    if not absent:
        return []
    there = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in _SUFFIXES]
    note = "Other tables of the study are there, and simulated ones would not fit them. " if simulated else ""
    return [
        Problem(
            STUDY_FILE,
            f"there is no file {_shown(getattr(declared, name))}",
            note + (suggestion(getattr(declared, name), there, what="there are") if there else "Add it"),
            where=f"tables.{name}",
        )
        for name in absent
    ]


def _shown(path: str) -> str:
    """As it is declared; shortened, and signs that cannot be printed by their code."""
    text = path if path.isprintable() else repr(path)
    return text if len(text) <= 200 else f"{text[:199]}…"
