"""What is published with the code agrees with it."""

import re
import tomllib

import yaml
from packaging.requirements import Requirement

import relcap_models


def pins(repository):
    """Name → version and number of hashes, of the lock file."""
    text = (repository / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    found = {}
    for line in lines:
        name, version = re.match(r"([A-Za-z0-9._-]+)==([^ ;]+)", line).groups()
        found.setdefault(name, []).append((version, line.count("--hash=sha256:")))
    return found


def test_the_lock_file_pins_what_the_package_asks_for_and_names_no_host(repository):
    assert "://" not in (repository / "requirements.lock").read_text(encoding="utf-8")
    locked = pins(repository)
    assert all(hashes > 0 for versions in locked.values() for _, hashes in versions)
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    assert len(wanted) > 20
    for requirement in map(Requirement, wanted):
        versions = [version for version, _ in locked[requirement.name]]
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_the_version_is_one(repository):
    citation = yaml.safe_load((repository / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == relcap_models.__version__
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    changes = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {relcap_models.__version__}" in changes


def test_files_that_the_readme_points_to_are_there(repository):
    text = (repository / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"\]\(([^):]+)\)", text)
    assert named
    assert [name for name in named if not (repository / name).is_file()] == []
