"""From tables to a `Survey`: the only door through which data enters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from relcap_models.data.contract import check_table, empty_frame
from relcap_models.data.findings import Findings
from relcap_models.data.items import Items, items_of
from relcap_models.data.responses import Responses, read_responses
from relcap_models.data.rows import Known
from relcap_models.data.sources import Tables, find_tables, load_table
from relcap_models.data.survey import Intake, Survey, Wave, is_date
from relcap_models.data.table import Table
from relcap_models.errors import DataError, InstrumentError
from relcap_models.language import Message
from relcap_models.schema.instrument import Instrument
from relcap_models.schema.shipped import load_instrument
from relcap_models.schema.tables import TABLES, table_contract


def read_survey(
    tables: Path | str | Tables,
    *,
    instruments: str | Path | Instrument | Sequence[str | Path | Instrument] | Mapping[str, Instrument],
    waves: Sequence[Wave | str] | None = None,
) -> Survey:
    """The tables of a study, checked against their contracts, the instruments and each other.

    Parameters
    ----------
    tables : a folder with `responses.csv` (or .parquet), `units.csv` …, or a mapping of those names to files
        or DataFrames. Responses may be long (one row per answer) or wide (one column per item). Without a
        units table the units are those that responses name, and a note says so.
    instruments : shipped ids, paths of instrument files, or instruments; one, or all that the tables use
    waves : declared waves in order of time; None: those found in the tables, sorted by id

    Returns
    -------
    Survey, its responses ordered by wave, respondent, target and item whatever the order of the file.
    Numbers in the other tables are float. `intake.notes` says how files that needed it were read.

    Raises
    ------
    DataError
        With every problem of every table. A problem's `row` is the line in a CSV file (the header is line 1);
        in Parquet files and DataFrames it is the row's position counted from 1, and `file` is then the
        file's or the table's name.
    InstrumentError
        With every problem of every instrument.
    """
    questionnaires = _instruments(instruments)
    items = items_of(questionnaires)
    findings = Findings()
    sources = find_tables(tables, findings)
    loaded: dict[str, Table | None] = {}
    for name, source in sources.items():
        expected = {*table_contract(name).names, *(items.ids if name == "responses" else ())}
        loaded[name] = load_table(source, name, expected, findings)
    declared = _waves(waves, loaded, findings)
    units = _unit_numbers(loaded, findings)
    units_file = _file(loaded, "units")
    wave_numbers = {wave.id: i for i, wave in enumerate(declared)}
    frames = {
        name: check_table(table, waves=wave_numbers, units=units, units_file=units_file, findings=findings)
        for name, table in loaded.items()
        if table is not None and name != "responses"
    }
    _check_self_nominations(loaded.get("nominations"), findings)
    people = loaded.get("respondents")
    has_people = people is not None and people.complete and "respondent_id" in people.columns
    known = Known(
        waves=wave_numbers,
        units=units,
        units_file=units_file,
        respondents=_numbered(people.columns["respondent_id"].texts) if has_people else None,
        respondents_file=_file(loaded, "respondents"),
    )
    table = loaded.get("responses")
    responses = None if table is None else read_responses(table, items, known, findings)
    if findings.problems or responses is None:
        order = {_file(loaded, name): i for i, name in enumerate(TABLES)}
        raise DataError(problems=sorted(findings.problems, key=lambda p: (order.get(p.file, -1), p.row or 0)))
    if "units" not in frames:
        frames["units"] = pd.DataFrame({"unit_id": list(units), "name": list(units)}, dtype="str")
    _note_absences(items, responses, declared, findings)
    return Survey(
        responses=responses.answers,
        dont_know=responses.dont_know,
        **{name: frames.get(name, empty_frame(name)) for name in TABLES if name != "responses"},
        waves=declared,
        instruments=questionnaires,
        intake=Intake(responses.counts, tuple(findings.notes)),
    )


def _instruments(
    instruments: str | Path | Instrument | Sequence[str | Path | Instrument] | Mapping[str, Instrument],
) -> dict[str, Instrument]:
    given = instruments.values() if isinstance(instruments, Mapping) else instruments
    if isinstance(given, str | Path | Instrument):
        given = [given]
    found: dict[str, Instrument] = {}
    problems = []
    for element in given:
        try:
            instrument = element if isinstance(element, Instrument) else load_instrument(element)
        except InstrumentError as error:
            problems += error.problems
            continue
        if instrument.id in found:
            raise InstrumentError(
                f"Two instruments have the id '{instrument.id}'. Give one of them another id."
            )
        found[instrument.id] = instrument
    if problems:
        raise InstrumentError(problems=problems)
    if not found:
        raise InstrumentError("No instrument is given: name at least one shipped id or instrument file.")
    return found


def _waves(
    waves: Sequence[Wave | str] | None, loaded: Mapping[str, Table | None], findings: Findings
) -> tuple[Wave, ...]:
    if waves is None:
        texts = {
            text
            for table in loaded.values()
            if table is not None
            for column in ("wave", "start_wave")
            if column in table.columns
            for text in table.columns[column].texts
        }
        return tuple(Wave(text) for text in sorted(texts, key=_natural))
    declared = tuple(wave if isinstance(wave, Wave) else Wave(str(wave)) for wave in waves)
    for i, wave in enumerate(declared):
        if wave.id in {earlier.id for earlier in declared[:i]}:
            findings.add("waves", "this wave is declared twice", "Remove one", value=wave.id)
        if wave.date and not is_date(wave.date):
            findings.add(
                "waves",
                f"the date of wave {wave.id} is no date",
                "Write 2024-03 or 2024-03-15",
                value=wave.date,
            )
    dates = [wave.date for wave in declared if wave.date]
    if dates != sorted(dates):
        findings.note(Message("intake.dates"))
    return declared


def _natural(text: str) -> list[tuple[int, str]]:
    """w10 comes after w2."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)]


def _unit_numbers(loaded: Mapping[str, Table | None], findings: Findings) -> dict[str, int]:
    table = loaded.get("units")
    if table is not None and table.complete and "unit_id" in table.columns:
        column = table.columns["unit_id"]
        in_order = pd.unique(column.codes[column.codes >= 0])
        return _numbered([column.texts[code] for code in in_order])
    if "units" not in loaded:
        findings.note(Message("intake.no_units"))
    # With a units table that can't be read, or not all of it, too: units that are then unknown would only
    # hide the other problems.
    texts = {
        text
        for table in loaded.values()
        if table is not None
        for column in ("rater_unit", "target_unit", "unit_id")
        if column in table.columns
        for text in table.columns[column].texts
    }
    return _numbered(sorted(texts, key=_natural))


def _numbered(texts: Sequence[str]) -> dict[str, int]:
    return {text: i for i, text in enumerate(texts)}


def _file(loaded: Mapping[str, Table | None], name: str) -> str:
    table = loaded.get(name)
    return f"{name}.csv" if table is None else table.file


def _check_self_nominations(table: Table | None, findings: Findings) -> None:
    if table is None or not {"rater_unit", "target_unit"} <= set(table.columns):
        return
    rater, target = table.columns["rater_unit"], table.columns["target_unit"]
    same = rater.matched(_numbered(target.texts)) == target.codes
    findings.add_rows(
        table,
        np.flatnonzero(same & (target.codes >= 0)),
        "the unit nominates itself",
        "Remove the row: nominations are about partner units",
        column="target_unit",
    )


def _note_absences(items: Items, responses: Responses, waves: Sequence[Wave], findings: Findings) -> None:
    """Items and waves without a single answer: no error, but nobody should find out from the report."""
    answers = responses.answers
    answered = set(answers.groupby(["instrument", "item"], observed=True).groups)
    for instrument in items.instruments:
        silent = [item for item in instrument.item_ids if (instrument.id, item) not in answered]
        if len(silent) == len(instrument.items):
            findings.note(Message("intake.no_answers", instrument=instrument.id))
        elif silent:
            findings.note(Message("intake.silent_items", instrument=instrument.id, items=silent))
    present = set(answers["wave"].unique())
    for wave in waves:
        if wave.id not in present:
            findings.note(Message("intake.silent_wave", wave=wave.id))
