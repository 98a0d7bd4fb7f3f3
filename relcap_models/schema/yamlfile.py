"""Reading YAML without its surprises: ids stay text, a key given twice is an error with its line.

PyYAML follows YAML 1.1, where `NO` is False, `01` is 1, `12:30` is 750 and `2024-03-01` is a date. Here only
`true`, `false`, plain numbers and `null` are anything but text, as in YAML 1.2.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from relcap_models.errors import Problem, RelcapError


class _PlainLoader(yaml.SafeLoader):
    """YAML 1.2's core types only; remembers keys that a mapping gives twice."""

    yaml_implicit_resolvers: dict = {}  # noqa: RUF012  (PyYAML's own class attribute)

    def __init__(self, stream: str) -> None:
        yaml.SafeLoader.__init__(self, stream)
        self.repeated: list[tuple[str, int, int]] = []

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return yaml.SafeLoader.construct_object(self, node, deep=deep)
        except (ValueError, LookupError, AttributeError, TypeError):
            # PyYAML's own constructors fail on a scalar that its tag does not suit, and on very long numbers.
            what = node.tag.rpartition(":")[2]
            said = f"this is no value of the type `{what}`"
            raise yaml.constructor.ConstructorError(None, None, said, node.start_mark) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        first_line: dict[str, int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            name = getattr(key, "value", None)
            if not isinstance(name, str):
                continue
            line = key.start_mark.line + 1
            if name in first_line:
                self.repeated.append((name, line, first_line[name]))
            first_line.setdefault(name, line)
        return yaml.SafeLoader.construct_mapping(self, node, deep=deep)


_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), "tTfF"
)
_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""])
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789")
)
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+|(?:0|[1-9][0-9]*)(?=[eE]))(?:[eE][-+]?[0-9]+)?$"
    ),
    list("-+.0123456789"),
)
_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), "<")


def read_yaml(path: Path | str, *, error: type[RelcapError]) -> dict[str, Any]:
    """The mapping that a YAML file holds, with every id as text.

    Raises
    ------
    error
        If the file is missing, empty, not UTF-8, not YAML, not a mapping, or gives a key twice (all
        repetitions at once, with their lines).
    """
    path = Path(path)
    content = parse_yaml(_read_text(path, error=error), name=path.name, error=error)
    if not isinstance(content, dict):
        found = "is empty" if content is None else f"holds a {_name_of(content)}, not keys with values"
        raise error(
            problems=[
                Problem(file=path.name, message=f"the file {found}", remedy="Write lines such as `id: value`")
            ]
        )
    return content


def parse_yaml(text: str, *, name: str, error: type[RelcapError]) -> Any:
    """What a piece of YAML stands for, with every id as text.

    Raises
    ------
    error
        If the text is not YAML, or gives a key twice (all repetitions at once, with their lines); `name`
        stands in the message as the file.
    """
    try:
        loader = _PlainLoader(text)
        content = loader.get_single_data()
    except yaml.reader.ReaderError as problem:
        raise error(problems=[_forbidden_sign(name, text, problem)]) from None
    except yaml.YAMLError as problem:
        raise error(problems=[_syntax_problem(name, problem)]) from None
    except RecursionError:
        message, remedy = "brackets or indentation are nested too deeply", "Is a bracket opened many times?"
        raise error(problems=[Problem(file=name, message=message, remedy=remedy)]) from None
    if loader.repeated:
        raise error(
            problems=[
                Problem(
                    file=name,
                    row=line,
                    message=f"key '{key}' is given twice (first in line {first})",
                    remedy="Keep one of them; YAML would silently use the last",
                )
                for key, line, first in sorted(loader.repeated, key=lambda found: found[1])
            ]
        )
    return content


def _read_text(path: Path, *, error: type[RelcapError]) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        message, remedy = "there is no such file", f"Looked for {path}"
    except IsADirectoryError:
        message, remedy = "this is a folder, not a file", "Name the file inside it"
    except PermissionError:
        message, remedy = "the file may not be read", "Change its permissions"
    except UnicodeDecodeError as problem:
        line = problem.object[: problem.start].count(b"\n") + 1
        message, remedy = f"line {line} is not UTF-8", "Save the file as UTF-8"
    except (OSError, ValueError) as problem:
        # A name that no file can have: too long, or with a zero byte.
        said = getattr(problem, "strerror", None) or str(problem)
        message, remedy = f"the file cannot be read: {said}", "Correct its name"
    raise error(problems=[Problem(file=path.name, message=message, remedy=remedy)])


def _forbidden_sign(name: str, text: str, problem: yaml.reader.ReaderError) -> Problem:
    return Problem(
        file=name,
        row=text.count("\n", 0, problem.position) + 1,
        message=f"a control character that YAML does not allow (U+{problem.character:04X})",
        remedy="Remove it; it cannot be seen in most editors, and may have come with pasted text",
    )


def _syntax_problem(name: str, problem: yaml.YAMLError) -> Problem:
    mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
    said = getattr(problem, "problem", None) or getattr(problem, "reason", None) or str(problem)
    context = getattr(problem, "context", None)
    remedy = "Check indentation, quotes and brackets at this line and just above it (no tabs)"
    if isinstance(problem, yaml.constructor.ConstructorError):
        remedy = "Correct it, or write it in quotes if it is meant as text"
    return Problem(
        file=name,
        row=None if mark is None else mark.line + 1,
        message=f"this is not valid YAML: {said}" + (f", {context}" if context else ""),
        remedy=remedy,
    )


def _name_of(content: object) -> str:
    return {list: "list", str: "text", int: "number", float: "number", bool: "true/false value"}.get(
        type(content), type(content).__name__
    )
