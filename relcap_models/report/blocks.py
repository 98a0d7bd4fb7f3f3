"""What a section of the report is made of. The template knows only these; sections know no HTML."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from relcap_models.report.figures.theme import Theme


@dataclass(frozen=True)
class Paragraph:
    text: str
    style: Literal["plain", "lead", "note", "warning"] = "plain"
    kind: Literal["paragraph"] = "paragraph"


@dataclass(frozen=True)
class Bullets:
    items: tuple[str, ...]
    kind: Literal["bullets"] = "bullets"


@dataclass(frozen=True)
class Heading:
    text: str
    kind: Literal["heading"] = "heading"


@dataclass(frozen=True)
class Picture:
    """A figure: drawn once for light and once for dark paper; a `narrow` one both times for a phone, too.

    `name` is the file name of the PNG without ending; `alt` states the finding, `caption` how to read it.
    """

    name: str
    draw: Callable[[Theme], Figure]
    alt: str
    caption: str
    narrow: bool = False
    kind: Literal["picture"] = "picture"


@dataclass(frozen=True)
class Column:
    label: str
    figures: bool = True
    """Right-aligned tabular figures; False for text."""


@dataclass(frozen=True)
class Cell:
    """`sort` orders the column where the text would not (figures in another format, blanks last)."""

    text: str
    sort: float | None = None
    muted: bool = False


@dataclass(frozen=True)
class Table:
    """`folded` is the text of the line that unfolds the table; empty for one that stands open."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    folded: str = ""
    source: str = ""
    """The file with all figures, relative to the report."""
    kind: Literal["table"] = "table"


@dataclass(frozen=True)
class Definitions:
    """Terms and what they mean here, such as a model's options."""

    pairs: tuple[tuple[str, str], ...]
    kind: Literal["definitions"] = "definitions"


Block = Paragraph | Bullets | Heading | Picture | Table | Definitions


@dataclass(frozen=True)
class Section:
    """`group` gathers sections in the contents; `subject` names the analysis where there are several."""

    id: str
    title: str
    blocks: tuple[Block, ...] = field(default=())
    group: str = ""
    subject: str = ""
