"""The layers hold: imports point one way, and looking does not load a sampler."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import relcap_models

PACKAGE = Path(relcap_models.__file__).parent
LEVEL = {
    "errors": 0,
    "lazy": 0,
    "seeds": 0,
    "language": 0,
    "schema": 1,
    "data": 2,
    "simulate": 3,
    "psychometrics": 3,
    "differences": 3,
    "models": 4,
    "inference": 5,
    "estimands": 6,
    "report": 7,
    "study": 8,
    "cli": 9,
}
# The package's own __init__ is the map: it names every layer and imports none until it is asked.
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")
HEAVY = ("pymc", "pytensor", "arviz", "nutpie", "matplotlib")


def layer(module: str) -> str:
    """`relcap_models.study.run` → study."""
    return module.split(".")[1]


def imports(path: Path) -> list[str]:
    """Modules of this package that a file imports anywhere, imports for type checking included."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import in line {node.lineno}"
            found += [node.module] + [
                f"{node.module}.{alias.name}" for alias in node.names if node.module == "relcap_models"
            ]
    return [module for module in found if module.startswith("relcap_models.")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_an_import_points_to_the_same_layer_or_one_further_left(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    wrong = [module for module in imports(path) if LEVEL.get(layer(module), 99) > LEVEL[own]]
    assert not wrong, f"{own} may not import {wrong}"


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running some code."""
    program = f"import sys\n{code}\nprint('\\n'.join({{name.partition('.')[0] for name in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize("module", ["relcap_models", "relcap_models.cli", "relcap_models.study"])
def test_importing_loads_no_sampler_and_no_plotting(module):
    assert not loaded_by(f"import {module}") & set(HEAVY)


def test_every_public_name_is_there():
    for name in relcap_models.__all__:
        assert getattr(relcap_models, name).__doc__, name
