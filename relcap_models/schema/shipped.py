"""Where the declarations lie, which instruments are shipped, and how an instrument is loaded."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from relcap_models.errors import InstrumentError, Problem
from relcap_models.schema.consistency import contradictions
from relcap_models.schema.instrument import Instrument
from relcap_models.schema.places import is_file
from relcap_models.schema.problems import nearest, problems_of
from relcap_models.schema.yamlfile import read_yaml

_PACKAGE = Path(__file__).resolve().parents[1]


def schema_folder() -> Path:
    """The folder `data_schemas`: table contracts, instruments and JSON Schemas.

    In a checkout it stands beside the package, in an installed wheel inside it.
    """
    for folder in (_PACKAGE / "data_schemas", _PACKAGE.parent / "data_schemas"):
        if (folder / "instruments").is_dir():
            return folder
    raise InstrumentError(
        "The folder data_schemas is not there: the installation of relcap_models is incomplete."
    )


def shipped_instruments() -> tuple[str, ...]:
    """Ids of the instruments that come with the package, sorted."""
    return tuple(sorted(path.stem for path in (schema_folder() / "instruments").glob("*.yaml")))


def load_instrument(id_or_path: str | Path, *, base: Path | str | None = None) -> Instrument:
    """The instrument with a shipped id, or the one that a YAML file of your own describes.

    Parameters
    ----------
    id_or_path : a shipped id (`relational_capacity`), or the path of an instrument file (`my_scale.yaml`)
    base : folder that a relative path starts from (the study's); default the current folder

    Raises
    ------
    InstrumentError
        With every problem of the file at once, or the nearest ids if there is no such instrument.
    """
    name = str(id_or_path)
    if name in shipped_instruments():
        return _read(schema_folder() / "instruments" / f"{name}.yaml")
    path = Path(base or ".") / id_or_path
    if isinstance(id_or_path, str) and path.suffix not in (".yaml", ".yml"):
        raise InstrumentError(problems=[_unknown(name, path)])
    return _read(path)


def _read(path: Path) -> Instrument:
    content = read_yaml(path, error=InstrumentError)
    found = contradictions(content, file=path.name)
    try:
        instrument = Instrument.model_validate(content)
    except ValidationError as error:
        of_fields = problems_of(error, file=path.name, model=Instrument)
        if found:
            # The class's own sentence on the first contradiction: `found` has them all, with their places.
            twins = {i for i, e in enumerate(error.errors()) if e["type"] == "value_error"}
            of_fields = tuple(problem for i, problem in enumerate(of_fields) if i not in twins)
        raise InstrumentError(problems=(*of_fields, *found)) from None
    if found:
        raise InstrumentError(problems=found)
    return instrument


def _unknown(name: str, path: Path) -> Problem:
    beside = path.with_name(path.name + ".yaml")
    if is_file(beside):
        remedy = f"Did you mean the file '{beside.name}'?"
    else:
        close = nearest(name, shipped_instruments())
        remedy = (f"Did you mean '{close}'? " if close else "") + (
            f"Shipped: {', '.join(shipped_instruments())}; for your own give the path of its .yaml file"
        )
    return Problem(file=name, message="there is no shipped instrument with this id", remedy=remedy)
