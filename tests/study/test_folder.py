"""Results are the last complete run's, whatever happens to the next."""

import json

import pytest

from relcap_models.errors import ConfigError
from relcap_models.study import folder


def finished(out, text):
    work = folder.begin(out)
    (work / "public" / "report.html").write_text(text, encoding="utf-8")
    folder.write_json(work / folder.MANIFEST, {"status": "passed"})
    folder.finish(out)


def test_new_results_take_the_place_of_old_ones_and_leave_no_trace_of_them(tmp_path):
    finished(tmp_path, "old")
    (tmp_path / "public" / "stale.csv").write_text("stale", encoding="utf-8")
    finished(tmp_path, "new")
    assert (tmp_path / "public" / "report.html").read_text(encoding="utf-8") == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "public", "restricted"]
    assert not (tmp_path / "public" / "stale.csv").exists()


def test_a_run_that_ends_early_leaves_previous_results_and_says_so_beside_them(tmp_path):
    finished(tmp_path, "old")
    folder.begin(tmp_path)
    folder.mark_incomplete(tmp_path, {"status": folder.INCOMPLETE})
    assert folder.has_results(tmp_path)
    assert (tmp_path / "public" / "report.html").read_text(encoding="utf-8") == "old"
    assert json.loads((tmp_path / "incomplete" / "manifest.json").read_text())["status"] == "incomplete"


def test_a_first_run_that_ends_early_is_marked_and_the_next_one_succeeds(tmp_path):
    out = tmp_path / "results"
    folder.begin(out)
    folder.mark_incomplete(out, {"status": folder.INCOMPLETE})
    assert not folder.has_results(out)
    assert json.loads((out / "manifest.json").read_text())["status"] == "incomplete"
    finished(out, "new")
    assert folder.has_results(out)
    assert not (out / "incomplete").exists()


def test_files_of_others_in_the_folder_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    finished(tmp_path, "new")
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_a_folder_public_that_no_run_made_is_not_replaced(tmp_path):
    (tmp_path / "public").mkdir()
    with pytest.raises(ConfigError, match="does not come from a run"):
        folder.begin(tmp_path)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "results").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="is a file"):
        folder.begin(tmp_path / "results")
