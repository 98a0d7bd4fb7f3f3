"""A plausible results folder in the form of the table contract, for the report's tests.

The figures are invented with a seeded generator; they follow the shape of real results (shrunken means, wider
intervals for fewer respondents), so that the figures look like those of a study.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from context_factory import context_of_study
from table_factory import climate_tables, relation_tables

from relcap_models.inference.predictive_fit import COLUMNS as PREDICTIVE_FIT

HOSTILE = (
    "<script>window.hacked = true</script>",
    'Børn & Unge, "Øst"',
    "Familieafdelingen 👩‍👧‍👦 ÆØÅ æøå",
    "<img src=x onerror='window.hacked=true'>",
    "A unit with a very long name indeed, so long that no figure can hold it in full, whatever one does",
    "${7*7} {{7*7}} {0} %s \\frac $x_",
)
_PLACES = ("Nord", "Syd", "Øst", "Vest", "Midt")
_GROUPS = (
    "Socialrådgivere",
    "Sundhedspleje",
    "PPR",
    "Skoleledelse",
    "Dagtilbud",
    "Familiehus",
    "SSP",
    "Ungeteam",
    "Visitation",
    "Tandpleje",
    "Specialskole",
    "Klub og SFO",
)


def write_results(
    folder: Path,
    *,
    n_units: int = 12,
    n_waves: int = 1,
    hostile: bool = False,
    failing: bool = False,
    all_suppressed: bool = False,
    climate: bool = True,
    language: str = "en",
    audience: str = "researcher",
    analysis_ids: tuple[str, ...] = ("relations",),
    simulated: bool = True,
    seed: int = 7,
) -> Path:
    """Write `public/tables/*.csv` and `restricted/context.json` below `folder` and return it."""
    rng = np.random.default_rng(seed)
    units = _units(n_units, hostile=hostile)
    waves = [f"w{n + 1}" for n in range(n_waves)]
    tables: dict[str, list[pd.DataFrame]] = {}
    for analysis in analysis_ids:
        parts = relation_tables(rng, analysis, units, waves, suppress_all=all_suppressed)
        for name, frame in parts.items():
            tables.setdefault(name, []).append(frame)
    if climate:
        for name, frame in climate_tables(rng, units, waves, suppress_all=all_suppressed).items():
            tables.setdefault(name, []).append(frame)
    tables["checks"] = [_checks(failing=failing)]
    tables["predictive_fit"] = [
        pd.DataFrame(
            [
                ["relations", "relational_capacity", -4301.2, 61.4, 412.7, 18, 0, 0.0, 0.0],
                ["equal", "relational_capacity", -4318.9, 60.8, 409.1, 15, 0, -17.7, 6.2],
                ["safety", "psychological_safety", -1204.0, 30.1, 66.0, 0, 2, None, None],
            ],
            columns=list(PREDICTIVE_FIT),
        )
    ]
    tables["intake"] = [
        pd.DataFrame(
            [["relational_capacity", 51000, 48000, 1200, 1500, 300]],
            columns=["instrument", "read", "answers", "dont_know", "missing", "blank"],
        )
    ]
    public = folder / "public" / "tables"
    public.mkdir(parents=True, exist_ok=True)
    for name, frames in tables.items():
        written = pd.concat(frames, ignore_index=True)
        for flag in ("suppressed", "passed", "asynchronous"):
            if flag in written:
                written[flag] = written[flag].map({True: "true", False: "false"})
        written.to_csv(public / f"{name}.csv", index=False, float_format="%.6g")
    context = context_of_study(
        units, waves, analysis_ids, climate=climate, language=language, audience=audience, simulated=simulated
    )
    (folder / "restricted").mkdir(exist_ok=True)
    (folder / "restricted" / "context.json").write_text(
        json.dumps(context, ensure_ascii=False), encoding="utf-8"
    )
    return folder


def _units(n: int, *, hostile: bool) -> list[dict[str, object]]:
    units = []
    for number in range(n):
        place = _PLACES[number * min(len(_PLACES), max(1, n // 4)) // n % len(_PLACES)]
        name = f"{_GROUPS[number % len(_GROUPS)]} {place}"
        if hostile and number < len(HOSTILE):
            name = HOSTILE[number]
        units.append(
            {
                "unit_id": f"u{number:02d}",
                "name": name,
                "district": f"Distrikt {place}",
                "layer": "employees",
                "size": 12,
            }
        )
    if hostile:
        units[-1]["district"] = "<b>Distrikt</b> 🏫"
    return units


def _checks(*, failing: bool) -> pd.DataFrame:
    rows = [
        ("relations", "rhat", "all reported", 1.004, 1.01, True, "Largest R-hat 1.004 (at most 1.01)."),
        ("relations", "ess_bulk", "all reported", 812.0, 400, True, "Smallest bulk ESS 812 (at least 400)."),
        ("relations", "divergences", "", 0, 0, True, "No divergent transitions."),
        ("safety", "posterior_predictive_item", "PS3", 0.41, 0.05, True, "PS3: p = 0.41."),
    ]
    if failing:
        rows[0] = (
            "relations",
            "rhat",
            "relation[u03→u07]",
            1.08,
            1.01,
            False,
            "R-hat of relation[u03→u07] is 1.08 (at most 1.01).",
        )
        rows[2] = ("relations", "divergences", "", 14, 0, False, "14 divergent transitions after tuning.")
    return pd.DataFrame(
        rows, columns=["analysis", "check", "subject", "value", "threshold", "passed", "message"]
    )
