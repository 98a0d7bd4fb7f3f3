"""How long it takes until something happens: help, validation, the first draw."""

import statistics

import pandas as pd
import pytest

from tests.benchmarks.measure import cost_of, relcap

pytestmark = pytest.mark.bench

FIRST_DRAW = """
import sys, time
from pathlib import Path
began = time.perf_counter()
import relcap_models as rc
from relcap_models.data import read_survey
survey = read_survey(Path(sys.argv[1]), instruments=["relational_capacity"])
model = rc.Relation(instrument="relational_capacity")
rc.fit(model, survey, seed=1, chains=2, draws=1, tune=1, progress=False)
"""
SMALL = """
name: small
title: The small size
seed: 1
instruments: [relational_capacity]
waves: [{id: w1}]
analyses: [{kind: relations, instrument: relational_capacity}]
simulation: {}
"""


def test_help_and_validation(kept, repository):
    rows, studies = [], repository / "studies"
    for name, arguments in (
        ("relcap --help", ["--help"]),
        *((f"relcap validate studies/{s}", ["validate", studies / s]) for s in ("district", "municipality")),
    ):
        costs = [relcap(*arguments) for _ in range(5)]
        seconds = statistics.median(cost.seconds for cost in costs)
        rows.append({"command": name, "seconds": seconds, "mib": costs[0].mib})
    kept("startup", pd.DataFrame(rows), ["command"])


def test_first_draw_in_a_second_process(kept, tmp_path):
    """Everything from the start of Python to the end of a run of two draws; compiled code is on disk."""
    (tmp_path / "study.yaml").write_text(SMALL, encoding="utf-8")
    relcap("simulate", tmp_path)
    for turn in ("first process", "second process", "third process"):
        cost = cost_of("-c", FIRST_DRAW, tmp_path / "data")
        row = {"command": f"two draws on small, {turn}", "seconds": cost.seconds, "mib": cost.mib}
        kept("startup", pd.DataFrame([row]), ["command"])
