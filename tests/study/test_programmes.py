"""Programme effects in a run: what is fitted, written, refused and planned."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from relcap_models.errors import ConfigError, DataError
from relcap_models.simulate import Simulation
from relcap_models.study import power_study, read_study, run_study
from relcap_models.study.config import Plan
from relcap_models.study.designs import designs_of
from relcap_models.study.validate import validate_study

STUDY = {
    "name": "trained",
    "title": "Training",
    "seed": 3,
    "instruments": ["relational_capacity", "psychological_safety"],
    "waves": [{"id": "w1"}, {"id": "w2"}, {"id": "w3"}],
    "targets": {"change": 0.2},
    "analyses": [
        {"kind": "programme_effect", "id": "training", "programme": "P", "assignment": "randomised"}
    ],
    "inference": {"engine": "fast", "chains": 2, "draws": 100},
    "simulation": {
        "organisation": {"n_respondents": 90, "n_units": 12, "n_districts": 4},
        "nominations": {"partners": 3},
        "programmes": [{"id": "P", "share": 0.5, "starts": ["w3"], "on_target": 0.6}],
    },
}


def study(folder: Path, *, programme: dict | None = None, waves: int = 3, **analysis: object) -> Path:
    """A study folder of `STUDY`, with these changes to its programme and its analysis."""
    content = yaml.safe_load(yaml.safe_dump(STUDY))
    content["simulation"]["programmes"][0] |= programme or {}
    content["waves"] = content["waves"][:waves]
    content["analyses"][0] |= analysis
    folder.mkdir()
    (folder / "study.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = study(tmp_path_factory.mktemp("programme") / "trained")
    return run_study(folder, progress=False).folder


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / "restricted" / "tables" / f"{name}.csv", keep_default_na=False)


def test_the_public_table_of_effects_begins_as_fixed(results):
    public = pd.read_csv(results / "public" / "tables" / "programme_effects.csv")
    begins = "analysis estimand aggregate group time scale mean sd lower upper prob_positive prob_goal"
    assert list(public.columns[:12]) == begins.split()
    assert set(public["estimand"]) >= {"target_end", "rater_end"}


def test_differences_before_the_start_stand_beside_the_effects(results):
    effects = table(results, "programme_effects")
    dynamic = effects[(effects["aggregate"] == "dynamic") & (effects["estimand"] == "target_end")]
    # A start in w3 leaves w1 to be compared with w2.
    assert set(dynamic["time"].astype(str)) == {"-2", "0"}


def test_the_goal_of_the_study_is_the_goal_of_the_effect(results):
    effects = table(results, "programme_effects")
    points = effects[effects["scale"] == "points"]
    assert set(points["goal"].astype(float)) == {0.2}
    assert points["prob_goal"].astype(float).between(0, 1).all()


def test_the_design_is_written_down(results):
    design = table(results, "programme_designs").iloc[0]
    assert (design["design"], design["assignment"], design["refused"]) == ("event_study", "randomised", "")
    assert design["n_units_treated"] + design["n_units_comparison"] == 12
    exposure = table(results, "programme_exposure")
    assert set(exposure["kind"]) >= {"comparison", "target_end", "rater_end"}


def test_the_fit_is_kept_and_checked(results):
    assert list((results / "restricted" / "posteriors" / "training").iterdir())
    assert "training" in set(table(results, "checks")["analysis"])


def test_effects_by_both_engines_are_compared_one_by_one(tmp_path):
    content = yaml.safe_load(yaml.safe_dump(STUDY))
    content["inference"] = {"engine": "both", "chains": 2, "draws": 40, "tune": 40}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    folder = run_study(tmp_path, out=tmp_path / "out", progress=False).folder
    found, effects = table(folder, "effect_agreement"), table(folder, "programme_effects")
    # Differences before the start are the fast engine's alone.
    assert len(found) == (effects["time"] != "-2").sum()
    assert not found.duplicated("effect").any()
    assert {"target_end, simple, points", "rater_end, cell, w3, w3, latent"} <= set(found["effect"])
    assert found["difference"].astype(float).abs().between(1e-9, 3.0).all()


def test_with_one_treated_district_nothing_is_inferred(tmp_path):
    one = {"level": "district", "share": 0.25}
    results = run_study(study(tmp_path / "one", programme=one), progress=False).folder
    assert table(results, "programme_designs")["refused"].tolist() == ["one_treated_cluster"]
    assert not (results / "public" / "tables" / "programme_effects.csv").exists()


def test_with_one_comparison_district_nothing_is_inferred(tmp_path):
    one = {"level": "district", "share": 0.75}
    results = run_study(study(tmp_path / "one", programme=one), progress=False).folder
    assert table(results, "programme_designs")["refused"].tolist() == ["one_comparison_cluster"]


def test_before_and_after_alone_is_a_change(tmp_path, capsys):
    all_start = {"share": 1.0, "starts": ["w2"]}
    results = run_study(study(tmp_path / "all", programme=all_start, waves=2)).folder
    effects = table(results, "programme_effects")
    assert set(effects["estimand"]) == {"change"}
    assert "nobody to compare with: a change since before the start" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"assignment": None}, "assignment"),
        ({"assignment": "lottery"}, "randomised"),
        ({"instrument": "relational_leadership"}, "not one of the study's"),
        ({"placebo": ["psychological_saftey"]}, r"analyses\[0\].placebo\[0\]"),
    ],
)
def test_what_the_study_file_gets_wrong_is_told_with_its_place(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        read_study(study(tmp_path / "wrong", **change))


def test_the_design_is_told_before_anything_is_fitted(tmp_path):
    said = validate_study(study(tmp_path / "told"))
    assert "training: event study, randomised; units that start during the study: 6, that do not: 6" in said


def test_an_unknown_programme_is_told_before_anything_is_fitted(tmp_path):
    with pytest.raises(DataError, match="no unit is in the programme 'Q'"):
        validate_study(study(tmp_path / "unknown"), overrides=["analyses.0.programme=Q"])


def test_a_planned_programme_keeps_who_starts_and_does_nothing():
    simulation = Simulation.model_validate(STUDY["simulation"])
    ((design, planned),), problems = designs_of(Plan(respondents=(8,)), simulation, n_waves=3)
    assert problems == ()
    assert design.districts == 4
    (programme,) = planned.programmes
    assert programme.starts == ("w3",)
    assert {getattr(programme, f"on_{end}") for end in ("target", "perceiver", "both", "climate")} == {0.0}


def test_a_plan_tells_how_likely_an_effect_is_seen(tmp_path):
    folder = study(tmp_path / "plan")
    content = yaml.safe_load((folder / "study.yaml").read_text(encoding="utf-8"))
    content["power"] = {"respondents": [4], "districts": [4], "changes": [0.2, 1.0]}
    content["instruments"].append("relational_leadership")
    content["analyses"].append({"kind": "leadership_link"})
    (folder / "study.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    found = power_study(folder, replicates=2, workers=1, progress=False)
    assert found.failed_fits == {}
    assert (
        "leadership_link: not planned: `power` can plan relations, climate, programme_effect"
        in found.notes[0]
    )
    assert set(found.table["analysis"]) == {"training"}
    surveys = pd.concat(pd.read_parquet(path) for path in (found.folder / "surveys").glob("*.parquet"))
    planned = surveys[surveys["quantity"] == "effect"]
    assert len(planned)
    assert (planned["true"] == 0).all()
    assert (planned["lower"] < planned["upper"]).all()
    seen = found.table[(found.table["quantity"] == "prob_seen") & (found.table["of"] == "target_end")]
    assert seen["change"].tolist() == [0.2, 1.0]
    assert seen["value"].is_monotonic_increasing
    assert (found.folder / "training.png").exists()
