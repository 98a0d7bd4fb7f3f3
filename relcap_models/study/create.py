"""`relcap new`: a small study that works, to be changed into one's own."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from relcap_models.errors import ConfigError, Problem
from relcap_models.schema import schema_folder
from relcap_models.study.config import FileName
from relcap_models.study.folder import write_text
from relcap_models.study.material import write_simulation
from relcap_models.study.read import STUDY_FILE, read_study

_TEMPLATE = Path(__file__).parent / "template"


def new_study(folder: Path | str) -> Path:
    """Make a study folder with `study.yaml`, `README.md` and simulated tables.

    Raises
    ------
    ConfigError
        If the folder exists and is not empty, or its name cannot be the name of a study.
    """
    folder = Path(folder)
    name = folder.resolve().name
    try:
        TypeAdapter(FileName).validate_python(name)
    except ValidationError as error:
        message = "the name of the folder is the study's, and " + error.errors()[0]["msg"].removeprefix(
            "Value error, "
        )
        raise ConfigError(problems=[Problem(str(folder), message, value=name)]) from None
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        message = "is there already and not empty"
        raise ConfigError(problems=[Problem(str(folder), message, "Give another name; nothing was written")])
    for file in (STUDY_FILE, "README.md"):
        text = (_TEMPLATE / file).read_text(encoding="utf-8")
        write_text(folder / file, text.replace("{name}", name))
    schema = schema_folder() / "json" / "study.schema.json"
    write_text(folder / schema.name, schema.read_text(encoding="utf-8"))
    write_text(folder / ".gitignore", "results/\n")
    write_simulation(read_study(folder), folder)
    return folder
