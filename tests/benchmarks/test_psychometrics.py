"""Psychometrics beside R's packages, on the same data in one run; each is timed inside its own process."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from relcap_models.psychometrics import cfa, efa, grm, omega, polychoric

pytestmark = pytest.mark.bench

ITEMS = [f"{factor}{i}" for factor in "AECNO" for i in range(1, 6)]
FIVE_FACTORS = "\n".join(f"{f} =~ " + " + ".join(f"{f}{i}" for i in range(1, 6)) for f in "AECNO")
SCIENCE = ["Comfort", "Work", "Future", "Benefit"]
LEVELS = ["strongly disagree", "disagree", "agree", "strongly agree"]
RUNS = 5

# Prints the median seconds of an expression, and a figure by which both are seen to do the same.
TIMER = """
arguments <- commandArgs(trailingOnly = TRUE)
suppressPackageStartupMessages(library(PACKAGE))
d <- read.csv(arguments[1])
model <- arguments[2]
run <- function() suppressWarnings(suppressMessages({ EXPRESSION }))
found <- run()
seconds <- median(replicate(RUNS, system.time(run())[["elapsed"]]))
cat(sprintf('{"seconds": %f, "figure": %.8f, "version": "%s"}', seconds, FIGURE, packageVersion("PACKAGE")))
"""


@pytest.fixture(scope="module")
def personality(reference: Path) -> pd.DataFrame:
    """25 items of six categories, the 2,436 respondents who answered all."""
    items = pd.read_csv(reference / "psychtools_bfi.csv")[ITEMS].dropna()
    assert items.shape == (2436, 25)
    return items


@pytest.fixture(scope="module")
def science(reference: Path) -> pd.DataFrame:
    """Four items of four categories, 392 respondents, as numbers from 1."""
    items = pd.read_csv(reference / "ltm_science.csv")[SCIENCE]
    return items.apply(lambda item: pd.Categorical(item, LEVELS, ordered=True).codes + 1)


def of_r(folder: Path, data: pd.DataFrame, package: str, expression: str, figure: str) -> dict:
    """Seconds, figure and version of an R package; a test without it is skipped."""
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    data.to_csv(folder / "data.csv", index=False)
    script = TIMER.replace("PACKAGE", package).replace("RUNS", str(RUNS))
    script = script.replace("EXPRESSION", expression).replace("FIGURE", figure)
    (folder / "peer.R").write_text(script, encoding="utf-8")
    ran = subprocess.run(
        ["Rscript", folder / "peer.R", folder / "data.csv", FIVE_FACTORS], capture_output=True, text=True
    )
    if "no package called" in ran.stderr:
        pytest.skip(f"R has no package {package}")
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout[ran.stdout.index("{") :])


def seconds_of(run: Callable[[], object]) -> float:
    """Median seconds of some runs after a first one, which compiles."""
    run()
    taken = []
    for _ in range(RUNS):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


# What is timed: data, our run and its figure, R's package, expression and figure, closeness of the figures.
CASES = {
    "factor model, WLSMV, 25 items": (
        "personality",
        lambda d: cfa(FIVE_FACTORS, d, ordered=True),
        lambda fit: fit.fit_measures["chisq.scaled"],
        "lavaan",
        "cfa(model, d, ordered = TRUE)",
        'fitMeasures(found, "chisq.scaled")',
        1e-4,
    ),
    "factor model, ML, 25 items": (
        "personality",
        lambda d: cfa(FIVE_FACTORS, d),
        lambda fit: fit.fit_measures["chisq"],
        "lavaan",
        "cfa(model, d)",
        'fitMeasures(found, "chisq")',
        1e-5,
    ),
    "polychoric correlations, 25 items, with their errors": (
        "personality",
        polychoric,
        lambda found: found.correlation.loc["A1", "A2"],
        "lavaan",
        'lavCor(d, ordered = names(d), output = "fit", se = "standard")',
        'inspect(found, "cor.ov")["A1", "A2"]',
        1e-4,
    ),
    "polychoric correlations, 25 items; theirs without errors (psych)": (
        "personality",
        polychoric,
        lambda found: found.correlation.loc["A1", "A2"],
        "psych",
        "polychoric(d, correct = 0)",
        'found$rho["A1", "A2"]',
        1e-3,
    ),
    "polychoric correlations, 25 items; theirs without errors (lavaan)": (
        "personality",
        polychoric,
        lambda found: found.correlation.loc["A1", "A2"],
        "lavaan",
        "lavCor(d, ordered = names(d))",
        'found["A1", "A2"]',
        1e-4,
    ),
    "exploratory factors, 5 of 25 items, minres, varimax": (
        "personality",
        lambda d: efa(d, 5, method="minres", rotation="varimax"),
        lambda found: found.fit["chisq"],
        "psych",
        'fa(d, 5, fm = "minres", rotate = "varimax")',
        "found$STATISTIC",
        1e-4,
    ),
    "omega of 25 items, 5 factors": (
        "personality",
        lambda d: omega(d, n_factors=5),
        lambda found: found.hierarchical,
        "psych",
        "omega(d, nfactors = 5, plot = FALSE)",
        "found$omega_h",
        1e-3,
    ),
    "graded response model, 4 items": (
        "science",
        grm,
        lambda fit: fit.loglik,
        "mirt",
        'mirt(d, 1, itemtype = "graded", verbose = FALSE, SE = TRUE)',
        'extract.mirt(found, "logLik")',
        1e-4,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_against_r(case, request, kept, tmp_path):
    """Both find the same figure; ours is told before the peer's, which may not be installed."""
    data_name, run, figure, package, expression, their_figure, close = CASES[case]
    data = request.getfixturevalue(data_name)
    ours, seconds = figure(run(data)), seconds_of(lambda: run(data))
    mine = {"what": case, "who": "relcap_models", "figure": ours, "seconds": seconds}
    kept("psychometrics", pd.DataFrame([mine]), ["what", "who"])
    theirs = of_r(tmp_path, data, package, expression, their_figure)
    other = {
        "what": case,
        "who": f"{package} {theirs['version']}",
        "figure": theirs["figure"],
        "seconds": theirs["seconds"],
        "times_ours": theirs["seconds"] / seconds,
    }
    kept("psychometrics", pd.DataFrame([other]), ["what", "who"])
    assert ours == pytest.approx(theirs["figure"], rel=close)
