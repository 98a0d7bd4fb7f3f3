"""Several studies at once: the same results as alone, and none is run twice."""

import json

import pandas as pd
import pytest

from relcap_models.errors import ConfigError
from relcap_models.study import run_studies, run_study

SETTINGS = ["inference.chains=2", "inference.draws=50"]


@pytest.fixture
def two_studies(tmp_path, study_text):
    folders = []
    for name, seed in (("north", 7), ("south", 8)):
        folder = tmp_path / f"folder-{name}"
        folder.mkdir()
        text = study_text.replace("name: small", f"name: {name}").replace("seed: 7", f"seed: {seed}")
        (folder / "study.yaml").write_text(text, encoding="utf-8")
        folders.append(folder)
    return folders


def test_every_problem_of_every_study_file_is_said_before_anything_runs(two_studies, tmp_path):
    for folder, key in zip(two_studies, ("titel", "sed")):
        text = (folder / "study.yaml").read_text(encoding="utf-8")
        (folder / "study.yaml").write_text(
            text.replace(f"{'title' if key == 'titel' else 'seed'}:", f"{key}:")
        )
    with pytest.raises(ConfigError) as raised:
        run_studies(two_studies, tmp_path / "out", progress=False)
    places = {problem.file for problem in raised.value.problems}
    assert places == {f"{folder}/study.yaml" for folder in two_studies}
    assert not (tmp_path / "out").exists()


@pytest.mark.recovery
def test_studies_side_by_side_give_what_each_gives_alone_and_are_not_run_twice(two_studies, tmp_path):
    def run():
        return run_studies(
            two_studies, tmp_path / "out", engine="fast", overrides=SETTINGS, workers=2, progress=False
        )

    first = run()
    assert list(first.results) == ["north", "south"]
    assert (first.failed, first.notes) == ({}, ())
    alone = run_study(two_studies[0], engine="fast", overrides=SETTINGS, progress=False)
    # One processor adds up in another order than two, which ranks of equal draws (R-hat, ESS) may notice.
    columns = ["rater_unit", "target_unit", "dimension", "mean", "sd", "lower", "upper"]
    tables = [
        pd.read_csv(result.folder / "public" / "tables" / "relation_scores.csv")[columns]
        for result in (alone, first.results["north"])
    ]
    pd.testing.assert_frame_equal(*tables, rtol=1e-4, atol=1e-6)
    assert run().notes == ("2 of 2 results were there from an earlier run.",)
    file = two_studies[1] / "study.yaml"
    text = file.read_text(encoding="utf-8")
    for seed in (9, 8):
        file.write_text(text.replace("seed: 8", f"seed: {seed}"), encoding="utf-8")
        again = run()
        assert again.notes == ("1 of 2 results were there from an earlier run.",)
        manifest = json.loads((again.results["south"].folder / "manifest.json").read_text(encoding="utf-8"))
        assert manifest["seed"] == seed
