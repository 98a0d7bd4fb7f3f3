"""The command on a tiny study with real sampling: too few draws to mean anything, but all the way."""

import json
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import xarray as xr

from relcap_models.study import run_study, verify_results

TINY = """
name: tiny
title: Tiny (simulated), with a unit called <b>Børn & "unge"</b>
seed: 3
instruments: [relational_capacity, psychological_safety]
waves: [{id: w1}]
analyses:
  - {kind: relations, instrument: relational_capacity}
  - {kind: climate, instrument: psychological_safety}
inference: {engine: both, chains: 2, draws: 40, tune: 40, kfold: 0}
simulation:
  organisation: {n_units: 4, n_respondents: 36, n_districts: 1}
  nominations: {partners: 2}
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("end-to-end") / "tiny"
    folder.mkdir()
    (folder / "study.yaml").write_text(TINY, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def result(tiny):
    return run_study(tiny, progress=False)


def test_too_few_draws_fail_the_checks_and_the_report_says_so_on_top(result):
    assert not result.passed
    report = result.report.read_text(encoding="utf-8")
    assert result.failed
    assert (
        json.loads((result.folder / "manifest.json").read_text(encoding="utf-8"))["status"] == "failed checks"
    )
    assert "<b>Børn" not in report


def test_saved_posteriors_hold_draws_and_a_number_for_each_statistic(result):
    place = result.folder / "restricted" / "posteriors" / "relations"
    assert not (place / "stream.zarr").exists()
    with xr.open_datatree(place / "posterior.nc", engine="h5netcdf") as tree:
        stats = tree["sample_stats"].to_dataset()
        assert {"diverging", "energy", "maxdepth_reached"} <= set(stats.data_vars)
        assert all(values.dims == ("chain", "draw") for values in stats.data_vars.values())
        assert tree["posterior"]["relation_effect"].sizes["draw"] == 40


def test_relation_scores_begin_as_the_contract_says(result):
    header = (result.folder / "public" / "tables" / "relation_scores.csv").read_bytes().split(b"\n")[0]
    assert header.startswith(
        b"analysis,wave,rater_unit,target_unit,dimension,mean,sd,lower,upper,ci_prob,"
        b"naive_mean,n_respondents,n_ratings,suppressed,"
    )


def test_both_engines_are_compared_where_both_were_run(result):
    table = pd.read_csv(result.folder / "public" / "tables" / "agreement.csv")
    kinds = ["relation_scores", "seen_by_others", "as_rater", "within_unit", "own_staff", "parameters"]
    assert sorted(set(table["quantity"])) == sorted(kinds)
    assert list(table["analysis"]).count("relations") == 5
    assert list(table["analysis"]).count("climate") == 2
    assert (table["n"] > 0).all()
    # With 80 draws the sampler's own error is a fifth of a posterior sd and more.
    assert table["mean_difference"].between(0, 1.5).all()
    assert table["median_sd_ratio"].between(0.4, 2.0).all()
    engines = {
        (a["engine"]["name"], a["engine"]["backend"]) for a in json.loads(context_of(result))["analyses"]
    }
    assert engines == {("nuts", "numba")}
    assert "Estimated by NUTS" in " ".join(result.report.read_text(encoding="utf-8").split())
    assert "The fast engine beside the sampler" in result.report.read_text(encoding="utf-8")


def context_of(result):
    return (result.folder / "restricted" / "context.json").read_text(encoding="utf-8")


def test_a_rerun_gives_the_same_tables_figure_by_figure(result):
    verdict = verify_results(result.folder, rerun=True, progress=False)
    assert verdict.holds
    assert verdict.lines[-1] == "Run again: every table is the same, figure by figure."


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to a child")
def test_ctrl_c_while_sampling_exits_130_and_marks_the_run(tiny, tmp_path):
    out = tmp_path / "results"
    # A shell's background jobs ignore Ctrl-C, and so would what they start.
    heedful = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [
        sys.executable,
        "-c",
        f"{heedful}\nfrom relcap_models.cli import main; main()",
        "run",
        str(tiny),
    ]
    command += ["--out", str(out), "--set", "inference.draws=200000"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as run:
        stream = out / "incomplete" / "restricted" / "posteriors" / "relations" / "stream.zarr"
        # Sampling has begun once there are draws on disk.
        while run.poll() is None and not any(stream.glob("chain_*/posterior/*/c")):
            time.sleep(0.2)
        run.send_signal(signal.SIGINT)
        try:
            run.wait(timeout=60)
        finally:
            run.kill()
    assert run.returncode == 130
    marked = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert (marked["status"], marked["how"]) == ("incomplete", "interrupted")
    assert not (out / "public").exists()
