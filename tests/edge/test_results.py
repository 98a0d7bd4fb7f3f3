"""Whatever the input was: results are whole, without figures that are none, with failed checks on top."""

from __future__ import annotations

import csv
import re

import pytest

from relcap_models import cli
from relcap_models.study import verify_results
from tests.edge.organisations import Page

NO_FIGURE = re.compile(r"[+−-]?(nan|inf|infinity|none|null|nat|<na>|∞)", re.IGNORECASE)


def test_no_public_table_holds_a_figure_that_is_none(any_run):
    for path in (any_run.folder / "public" / "tables").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        found = [(k, v) for row in rows for k, v in row.items() if NO_FIGURE.fullmatch(v)]
        assert not found, (path.name, found[:5])


def test_the_report_shows_no_figure_that_is_none(any_run):
    page = Page(any_run.report)
    assert not [cell for cell in page.shown_cells if NO_FIGURE.fullmatch(cell)]
    assert not re.search(r"(?<![\w-])(nan|inf|NaT)(?![\w-])", page.text, re.IGNORECASE)
    assert not re.search(r"\b(None|Undefined)\b(?= (points|respondents|units|%))", page.text)


def test_results_are_whole(any_run):
    verdict = verify_results(any_run.folder)
    assert verdict.holds, verdict.lines
    assert not (any_run.folder / "incomplete").exists()
    names = {path.stem for path in (any_run.folder / "public" / "tables").glob("*.csv")}
    assert {"unit_scores", "variance_shares", "reliability", "item_parameters", "checks", "intake"} <= names
    assert list((any_run.folder / "public" / "figures").glob("*.png"))


def test_failed_checks_stand_above_the_results(any_run):
    assert not any_run.passed, "so few draws cannot pass"
    html = any_run.report.read_text(encoding="utf-8")
    assert 0 < html.index('<section class="failed"') < html.index('<section id="summary"')


def test_a_run_whose_checks_fail_exits_1_and_prints_what_failed(climate_only, tmp_path, monkeypatch, capsys):
    """The same study again, by the command."""
    study = climate_only.folder.parent
    monkeypatch.setattr("sys.argv", ["relcap", "run", str(study), "--out", str(tmp_path / "again")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "R-hat" in capsys.readouterr().err
    assert (tmp_path / "again" / "public" / "report.html").is_file()
