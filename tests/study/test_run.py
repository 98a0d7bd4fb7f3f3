"""The plumbing of a run, with stand-ins for sampling and estimation: they prove nothing about statistics."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from relcap_models import cli, estimands, inference
from relcap_models.errors import DataError
from relcap_models.inference.predictive_fit import COLUMNS as PREDICTIVE_FIT
from relcap_models.study import report_again, run_study, verify_results
from relcap_models.study.run import STAGES

DISTRIBUTION = ["analysis", "item", "dimension", "category", "observed"]
DISTRIBUTION += ["predicted_mean", "predicted_lower", "predicted_upper", "suppressed"]


class StandInFit:
    """What a run needs of a fit."""

    def __init__(self, seed):
        self.seed = seed
        self.settings = {
            "engine": "stand-in",
            "chains": 4,
            "draws": 10,
            "tune": 10,
            "backend": "numba",
            "target_accept": 0.9,
            "seed": seed,
        }

    def save(self, folder):
        folder.mkdir(exist_ok=True)
        (folder / "posterior.nc").write_text(str(self.seed), encoding="utf-8")


@pytest.fixture
def sampling(monkeypatch):
    """Stand-ins; its attribute `passed` decides the checks, `shift` moves the estimates."""
    choices = SimpleNamespace(passed=True, shift=0.0, seeds=[])

    def fit(model, survey, *, seed, **_):
        choices.seeds.append(seed)
        return StandInFit(seed)

    def tables(fit, survey, *, ci_prob, gap, goal, k):
        shares = {
            "analysis": "relations",
            "dimension": "orientation",
            "component": "target",
            "quantity": "share",
        }
        figures = {"mean": 0.25 + choices.shift, "sd": 0.1, "lower": 0.1, "upper": 0.4, "ci_prob": ci_prob}
        diagnostics = {"ci_kind": "eti", "median": 0.24, "mcse": 0.001, "ess": 900.0, "rhat": 1.0}
        return {"variance_shares": pd.DataFrame([shares | figures | diagnostics])}

    def checks(fit, *, estimates, max_rhat, min_ess, replicates, left_out):
        check = {"analysis": "relations", "check": "rhat", "subject": "everything reported"}
        figures = {"value": 1.2, "threshold": max_rhat, "passed": choices.passed, "message": "R-hat is 1.2."}
        return pd.DataFrame([check | figures])

    from relcap_models import models

    monkeypatch.setattr(
        models,
        "describe_design",
        lambda m, s: SimpleNamespace(
            messages=(), public_messages=(), public_of_few=(), respondents_per_score=9.0
        ),
        raising=False,
    )
    monkeypatch.setattr(inference, "replicate", lambda fit, *, seed: None, raising=False)
    monkeypatch.setattr(
        inference, "item_distributions", lambda *_, **__: pd.DataFrame(columns=DISTRIBUTION), raising=False
    )
    monkeypatch.setattr(inference, "fit", fit, raising=False)
    monkeypatch.setattr(
        inference,
        "cross_validate",
        lambda *_, **__: SimpleNamespace(save=lambda folder: None, not_refitted=""),
    )
    monkeypatch.setattr(inference, "predictive_fit", lambda *_: pd.DataFrame(columns=list(PREDICTIVE_FIT)))
    monkeypatch.setattr(inference, "checks", checks, raising=False)
    monkeypatch.setattr(estimands, "tables", tables, raising=False)
    return choices


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_results_folder_holds_what_the_contract_says(study_folder, sampling):
    result = run_study(study_folder, progress=False)
    found = set(tree(study_folder / "results"))
    assert result.passed
    assert result.report == study_folder / "results" / "public" / "report.html"
    assert {
        "manifest.json",
        "public/report.html",
        "public/tables/checks.csv",
        "public/tables/units.csv",
        "public/tables/variance_shares.csv",
        "restricted/README.txt",
        "restricted/context.json",
        "restricted/data/responses.csv",
        "restricted/posteriors/relations/posterior.nc",
        "restricted/posteriors/safety/posterior.nc",
        "restricted/tables/variance_shares.csv",
        "restricted/truth/relation_scores.csv",
    } <= found


def test_nothing_is_written_outside_the_results_folder(study_folder, tmp_path, sampling):
    before = tree(tmp_path)
    run_study(study_folder, tmp_path / "elsewhere", progress=False)
    after = tree(tmp_path)
    assert {name: after[name] for name in after if not name.startswith("elsewhere/")} == before


def test_the_manifest_names_every_input_and_output(study_folder, sampling):
    run_study(study_folder, progress=False)
    manifest = json.loads((study_folder / "results" / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["inputs"]) == {
        "study.yaml",
        "relcap_models:relational_capacity",
        "relcap_models:psychological_safety",
    }
    results = tree(study_folder / "results")
    assert set(manifest["outputs"]) == set(results) - {"manifest.json"}
    assert manifest["status"] == "passed"
    assert manifest["seed"] == 7
    assert set(manifest["seconds"]) == set(STAGES) - {"manifest"}
    assert "pymc" in manifest["environment"]["packages"]
    assert str(study_folder) not in json.dumps(manifest), "a manifest must not name folders of this machine"


def test_the_public_manifest_has_no_hash_of_what_is_not_public(study_folder, sampling):
    """What stands in a small file, `restricted/tables/intake.csv` say, can be found from a hash by trying."""
    run_study(study_folder, progress=False)
    results = study_folder / "results"
    report_again(results)
    public = json.loads((results / "public" / "manifest.json").read_text(encoding="utf-8"))
    names = {name for name in tree(results) if name.startswith("public/")}
    assert set(public["outputs"]) == names - {"public/manifest.json"}
    assert "inputs" not in public
    assert verify_results(results).holds


def test_each_analysis_has_a_seed_of_its_own_that_the_others_do_not_change(
    study_folder, study_text, sampling
):
    run_study(study_folder, progress=False)
    both = list(sampling.seeds)
    alone = "\n".join(line for line in study_text.splitlines() if "kind: relations" not in line)
    (study_folder / "study.yaml").write_text(alone, encoding="utf-8")
    run_study(study_folder, progress=False)
    assert both[0] != both[1]
    assert sampling.seeds[2] == both[1]


def test_failed_checks_leave_results_and_exit_1(study_folder, sampling, monkeypatch, capsys):
    sampling.passed = False
    monkeypatch.setattr("sys.argv", ["relcap", "run", str(study_folder)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    assert ended.value.code == 1
    assert "R-hat is 1.2." in printed.err
    assert str(study_folder / "results" / "public" / "report.html") in printed.out
    report = (study_folder / "results" / "public" / "report.html").read_text(encoding="utf-8")
    assert "The largest R-hat is 1.200 (at most 1.01), of everything reported." in report


def test_an_interrupted_run_exits_130_and_leaves_the_previous_results(
    study_folder, sampling, monkeypatch, capsys
):
    run_study(study_folder, progress=False)
    before = tree(study_folder / "results")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(inference, "fit", interrupt)
    monkeypatch.setattr("sys.argv", ["relcap", "run", str(study_folder)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130
    after = tree(study_folder / "results")
    assert {name: after[name] for name in before} == before
    marked = json.loads(after["incomplete/manifest.json"])
    assert (marked["status"], marked["how"], marked["stage"]) == ("incomplete", "interrupted", "fit")


def test_a_first_run_that_breaks_is_marked_incomplete_and_verify_says_so(study_folder, sampling, monkeypatch):
    def break_down(*_, **__):
        raise RuntimeError("the sampler broke")

    monkeypatch.setattr(inference, "checks", break_down)
    with pytest.raises(RuntimeError):
        run_study(study_folder, progress=False)
    verdict = verify_results(study_folder / "results")
    assert not verdict.holds
    assert "incomplete" in verdict.lines[0]
    kept = set(tree(study_folder / "results" / "incomplete"))
    assert "restricted/posteriors/relations/posterior.nc" in kept


def test_wrong_tables_are_refused_before_anything_is_written(study_folder, sampling):
    (study_folder / "data").mkdir()
    (study_folder / "data" / "responses.csv").write_text("wave,value\n", encoding="utf-8")
    with pytest.raises(DataError):
        run_study(study_folder, progress=False)
    assert not (study_folder / "results").exists()


def test_verify_holds_until_a_file_is_touched(study_folder, sampling):
    run_study(study_folder, progress=False)
    results = study_folder / "results"
    assert verify_results(results).holds
    table = results / "public" / "tables" / "variance_shares.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("0.25", "0.99"), encoding="utf-8")
    verdict = verify_results(results)
    assert not verdict.holds
    assert any("variance_shares.csv: was changed" in line for line in verdict.lines)


def test_verify_finds_a_changed_input(study_folder, sampling):
    run_study(study_folder, progress=False)
    with (study_folder / "study.yaml").open("a", encoding="utf-8") as file:
        file.write("# a remark\n")
    verdict = verify_results(study_folder / "results")
    assert not verdict.holds
    assert "input study.yaml: was changed" in verdict.lines


@pytest.mark.parametrize(("shift", "reproduced"), [(0.0, True), (0.004, True), (0.01, False)])
def test_a_rerun_tells_equal_tables_from_close_ones_and_from_others(
    study_folder, sampling, shift, reproduced
):
    # Monte Carlo errors of .001 on both sides: five of the difference's are .0071.
    run_study(study_folder, progress=False, overrides=["report.ci_prob=0.8"])
    sampling.shift = shift
    verdict = verify_results(study_folder / "results", rerun=True, progress=False)
    assert verdict.holds is reproduced
    assert any("figure by figure" in line for line in verdict.lines) is (shift == 0.0)


def test_the_report_again_needs_no_sampling_and_keeps_the_manifest_true(study_folder, sampling, monkeypatch):
    run_study(study_folder, progress=False)
    results = study_folder / "results"
    (results / "public" / "report.html").write_text("spoilt", encoding="utf-8")
    monkeypatch.delattr(inference, "fit")
    report_again(results)
    assert "spoilt" not in (results / "public" / "report.html").read_text(encoding="utf-8")
    assert verify_results(results).holds
    table = results / "public" / "tables" / "variance_shares.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("0.25", "0.99"), encoding="utf-8")
    report_again(results)
    assert not verify_results(results).holds, "a changed table must not become true by being reported"
