"""What a user of the command line sees: text, exit code, and nothing written on wrong input."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import relcap_models
from relcap_models.study import new_study


@pytest.fixture(scope="session")
def new(tmp_path_factory):
    return new_study(tmp_path_factory.mktemp("cli") / "trial")


@pytest.fixture
def study(tmp_path, new):
    """A new study, to be spoilt."""
    return shutil.copytree(new, tmp_path / "trial")


def test_version(relcap):
    assert relcap("--version") == (0, f"relcap {relcap_models.__version__}\n", "")


@pytest.mark.parametrize(
    "command", ["validate", "simulate", "run", "report", "verify", "power", "calibrate", "new", "instruments"]
)
def test_every_command_of_the_contract_teaches_itself(relcap, command):
    assert command in relcap("--help")[1]
    code, out, _ = relcap(command, "--help")
    assert code == 0
    examples = out.partition("\n")[2]
    assert "built yet" in out or f"  relcap {command}" in examples


def test_help_loads_no_tables():
    """They take most of a second."""
    program = (
        "import sys; sys.argv = ['relcap', '--help']\n"
        "from relcap_models.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'pandas', 'pydantic', 'pymc', 'matplotlib'} & set(sys.modules)\n"
        "print(*heavy, file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stderr.strip() == ""


def test_a_new_study_is_in_order(relcap, study):
    code, out, err = relcap("validate", study)
    assert (code, err) == (0, "")
    assert "in order" in out
    assert "8 units, waves w1, w2" in out
    assert "relational_capacity" in out
    assert "don't know" in out


@pytest.mark.parametrize("kind", ["template", "with a link and a programme"])
def test_validating_loads_no_sampler_no_compiler_and_no_plotting(study, kind):
    """Each of them takes a second or more."""
    if kind != "template":
        study = Path(__file__).parents[2] / "studies" / "municipality"
    heavy = {"pymc", "pytensor", "arviz", "nutpie", "matplotlib", "numba", "scipy.stats"}
    program = (
        f"import sys; sys.argv = ['relcap', 'validate', {str(study)!r}]\n"
        "from relcap_models.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print(*({heavy!r} & set(sys.modules)), file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stderr.strip() == ""


def test_all_problems_of_file_and_tables_come_at_once_without_a_traceback(relcap, study):
    file = study / "study.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("disclosure:", "disclosre:"), encoding="utf-8")
    with (study / "data" / "responses.csv").open("a", encoding="utf-8") as responses:
        responses.write("w1,nobody,nowhere,u_1,relational_capacity,RC1,9\n")
    before = sorted(study.rglob("*"))
    code, out, err = relcap("validate", study)
    assert (code, out) == (2, "")
    assert "'disclosure'" in err
    assert "responses.csv" in err
    assert "nowhere" in err
    assert "Traceback" not in err
    assert sorted(study.rglob("*")) == before


def test_validate_looks_at_the_simulation_although_there_are_tables(relcap, study):
    code, _, err = relcap("validate", study)
    assert (code, err) == (0, "")
    file = study / "study.yaml"
    text = file.read_text(encoding="utf-8")
    assert "\nsimulation:\n" in text
    programme = "\nsimulation:\n  programmes: [{id: p, starts: [w9]}]\n"
    file.write_text(text.replace("\nsimulation:\n", programme), encoding="utf-8")
    code, _, err = relcap("validate", study)
    assert code == 2
    assert "simulation.programmes[0].starts: 'w9' is not a wave" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "{study}", "--engine", "nutz"], "nuts"),
        (["run", "{study}", "--set", "inference.drawz=1"], "'draws'"),
        (["run", "{study}", "--set", "inference.draws=10", "inference.tun=1"], "'tune'"),
        (["run", "{study}", "{study}"], "have the same name"),
        (["run", "{study}", "{study}/absent"], "absent: there is no such folder"),
        (["run", "{study}", "inference.draws=10"], "first the study, then --set"),
        (["run", "{study}", "--workers", "2"], "this is one"),
        (["run", "{study}", "--workers", "0"], "--workers"),
        (["power", "{study}", "--workers", "-2"], "--workers"),
        (["calibrate", "{study}", "--workers", "0"], "--workers"),
        (["run", "{study}/absent"], "no such folder"),
        (["calibrate", "{study}", "--replicates", "5"], "fewer than 10 say nothing"),
        (["calibrate", "{study}", "--set", "analyses.relations.family=gaussian"], "no answers can be drawn"),
        (["report", "{study}"], "no finished results"),
        (["verify", "{study}"], "no manifest.json"),
        (["new", "{study}"], "not empty"),
        (["new", "{study}/no good"], "names files"),
        (["instruments", "show", "relational_capasity"], "'relational_capacity'"),
        (["instruments", "show", "relational_capacity", "--language", "no"], "nb"),
        (["validat", "{study}"], "validat"),
    ],
)
def test_wrong_input_exits_2_says_what_is_wrong_and_writes_nothing(relcap, study, arguments, says):
    before = sorted(study.rglob("*"))
    code, out, err = relcap(*(argument.format(study=study) for argument in arguments))
    assert code == 2
    assert says in err
    assert out == ""
    assert "Traceback" not in err
    assert sorted(study.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["simulate", "{study}", "--out", "{study}/README.md"],
        ["calibrate", "{study}", "--engine", "fast", "--out", "{study}/README.md"],
        ["power", "{study}", "--out", "{study}/README.md"],
        ["new", "{study}/README.md/mine"],
        ["new", "{study}/" + 300 * "n" + "/mine"],
        ["run", "{study}", "--out", "{study}/" + 300 * "n"],
        ["validate", "{study}/" + 300 * "n"],
        ["verify", "{study}/README.md"],
        ["report", "{study}/" + 300 * "n"],
    ],
)
def test_what_the_system_refuses_is_told_with_its_place_and_a_remedy(relcap, study, arguments):
    before = sorted(study.rglob("*"))
    code, out, err = relcap(*(argument.format(study=study) for argument in arguments))
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert str(study) in err
    assert any(word in err for word in ("another place", "shorter name", "results folder")), err
    assert sorted(study.rglob("*")) == before


@pytest.mark.parametrize("file", ["study.yaml", "data/responses.csv"])
def test_a_file_that_may_not_be_read_is_told_and_is_not_taken_for_absent(relcap, study, monkeypatch, file):
    """The tests may run as root, whom no permission stops."""
    hidden = study / file

    def read_bytes(path):
        if path == hidden:
            raise PermissionError(13, "Permission denied", str(path))
        with open(path, "rb") as content:
            return content.read()

    monkeypatch.setattr(type(hidden), "read_bytes", read_bytes)
    code, out, err = relcap("validate", study)
    assert (code, out) == (2, "")
    assert hidden.name in err
    assert "read" in err


def test_a_folder_that_may_not_be_entered_is_told_by_the_system_s_own_word(relcap, study, monkeypatch):
    def stat(path, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(study), "stat", stat)
    code, _, err = relcap("simulate", study)
    assert code == 2
    assert err == f"{study}: Permission denied. Change its permissions, or give another place.\n"


def test_new_makes_a_study_and_says_what_is_next(relcap, tmp_path):
    code, out, _ = relcap("new", tmp_path / "mine")
    assert code == 0
    assert "relcap validate" in out
    assert "name: mine " in (tmp_path / "mine" / "study.yaml").read_text(encoding="utf-8")


def test_simulate_writes_tables_and_truth_where_it_is_told(relcap, study, tmp_path):
    code, out, _ = relcap("simulate", study, "--out", tmp_path / "elsewhere")
    assert code == 0
    assert (tmp_path / "elsewhere" / "data" / "responses.csv").read_bytes() == (
        study / "data" / "responses.csv"
    ).read_bytes()
    assert (tmp_path / "elsewhere" / "truth" / "relation_scores.csv").is_file()
    assert str(tmp_path / "elsewhere") in out


def test_instruments_are_listed_and_shown_in_a_language(relcap):
    assert "relational_leadership" in relcap("instruments")[1]
    assert relcap("instruments")[1] == relcap("instruments", "list")[1]
    code, out, _ = relcap("instruments", "show", "psychological_safety", "--language", "nb")
    assert code == 0
    assert "Er det mulig å gjøre en feil i dette teamet" in out
