"""What an answer costs as organisations grow: reading, simulating, the fast engine, the report."""

import json

import pandas as pd
import pytest

from tests.benchmarks.measure import relcap

pytestmark = pytest.mark.bench

SIZES = (10_000, 50_000, 150_000, 500_000, 1_000_000)
STUDY = """
name: growth
title: An organisation of {n} answers
seed: 1
instruments: [relational_capacity]
waves: [{{id: w1}}, {{id: w2}}, {{id: w3}}]
analyses: [{{kind: relations, instrument: relational_capacity}}]
inference: {{engine: fast, chains: 2, draws: 250}}
simulation:
  organisation: {{n_respondents: {respondents}, n_units: {units}, n_districts: {districts}}}
"""


def declare(folder, size):
    """The municipality's shape (1,300 respondents, 60 units, 129,000 answers) at another size."""
    share = size / 129_000
    numbers = {"respondents": round(1300 * share), "units": max(round(60 * share), 5)}
    districts = max(round(6 * share), 1)
    text = STUDY.format(n=size, districts=districts, **numbers)
    (folder / "study.yaml").write_text(text, encoding="utf-8")


def test_cost_of_an_answer(figures, tmp_path, measured_folder, environment):
    rows = []
    for size in SIZES:
        folder = tmp_path / str(size)
        folder.mkdir()
        declare(folder, size)
        costs = {"simulate": relcap("simulate", folder), "validate": relcap("validate", folder)}
        whole = relcap("run", folder, "--engine", "fast", allowed=(0, 1))
        costs["report"] = relcap("report", folder / "results")
        manifest = json.loads((folder / "results" / "manifest.json").read_text(encoding="utf-8"))
        n = len(pd.read_csv(folder / "data" / "responses.csv", usecols=["wave"]))
        steps = {name: (cost.seconds, cost.mib) for name, cost in costs.items()}
        steps["fast engine and estimates"] = (manifest["seconds"]["fit"], whole.mib)
        steps["disclosure control"] = (manifest["seconds"]["disclosure"], whole.mib)
        steps["whole run"] = (whole.seconds, whole.mib)
        for step, (seconds, mib) in steps.items():
            rows.append({"answers": n, "step": step, "seconds": seconds, "mib": mib})
            figures("growth", **rows[-1], us_per_answer=1e6 * seconds / n)
    table = pd.DataFrame(rows)
    measured_folder.mkdir(exist_ok=True)
    written = f"# {environment}\n{table.to_csv(index=False, float_format='%.4g')}"
    (measured_folder / "growth.csv").write_text(written, encoding="utf-8")
    draw(table).savefig(measured_folder / "growth.png", dpi=150)


def draw(table):
    """Seconds and memory of each step on double logarithmic axes, and what a proportional cost would be."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    figure = Figure(figsize=(8.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for step, rows in table.groupby("step", sort=False):
        (line,) = left.loglog(rows["answers"], rows["seconds"], marker="o", markersize=4, label=step)
        if step in ("simulate", "validate", "report", "whole run"):  # processes of their own
            right.loglog(
                rows["answers"], rows["mib"] / 1024, marker="o", markersize=4, color=line.get_color()
            )
    whole = table[table["step"] == "whole run"]
    last = whole.iloc[-1]
    left.loglog(
        whole["answers"],
        last["seconds"] * whole["answers"] / last["answers"],
        color="grey",
        linestyle=":",
        label="proportional",
    )
    left.set(xlabel="answers", ylabel="seconds")
    right.set(xlabel="answers", ylabel="peak memory, GiB")
    for axes in (left, right):
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.grid(alpha=0.3)
    left.yaxis.set_major_formatter("{x:g}")
    right.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    right.yaxis.set_major_formatter("{x:g}")
    right.yaxis.set_minor_formatter(NullFormatter())
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return figure
