"""`relcap instruments`: the instruments that come with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from relcap_models.cli.printed import display

if TYPE_CHECKING:
    from relcap_models.schema import Instrument

instruments_app = typer.Typer()


@instruments_app.callback(invoke_without_command=True)
def instruments(context: typer.Context) -> None:
    """The instruments that come with the package.

    \b
      relcap instruments
      relcap instruments show relational_capacity --language da
    """
    if context.invoked_subcommand is None:
        list_instruments()


@instruments_app.command("list")
def list_instruments() -> None:
    """Ids, titles and what they ask about."""
    from rich.table import Table

    from relcap_models.schema import load_instrument, shipped_instruments

    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    for column in ("title", "items", "dimensions", "asks about"):
        table.add_column(column)
    for name in shipped_instruments():
        instrument = load_instrument(name)
        about = instrument.referent.replace("_", " ")
        title = instrument.title.get("en", name)
        table.add_row(name, title, str(len(instrument.items)), ", ".join(instrument.dimension_ids), about)
    display(table)


@instruments_app.command("show")
def show_instrument(
    instrument: Annotated[str, typer.Argument(metavar="ID", help="A shipped id, or an instrument file.")],
    language: Annotated[str | None, typer.Option(metavar="da|nb|en", help="Language of the items.")] = None,
) -> None:
    """Items, scale and provenance of an instrument.

    relcap instruments show relational_capacity --language da
    """
    from relcap_models.errors import InstrumentError, Problem
    from relcap_models.schema import load_instrument, suggestion

    shown = load_instrument(instrument)
    languages = {code for item in shown.items for code in item.text}
    language = language or shown.original_language
    if language not in languages:
        message = f"the instrument '{shown.id}' has no items in '{language}'"
        remedy = suggestion(language, languages, what="languages")
        raise InstrumentError(problems=[Problem("--language", message, remedy)])
    display(_instrument_table(shown, language))


def _instrument_table(shown: Instrument, language: str) -> object:
    from rich.console import Group
    from rich.table import Table

    items = Table("item", "dimension", "text", box=None, pad_edge=False)
    for item in shown.items:
        items.add_row(
            item.id, item.dimension, item.text.get(language, "") + (" (reversed)" if item.reversed else "")
        )
    scale = shown.scale
    labels = ", ".join(scale.labels.get(language, ()))
    return Group(
        f"{shown.title.get(language, shown.id)} ({shown.id}), asks about {shown.referent.replace('_', ' ')}",
        f"Scale {scale.minimum} to {scale.maximum}" + (f": {labels}" if labels else ""),
        items,
        f"Source: {shown.source}",
        f"Translation: {shown.translation_status.get(language, 'unknown')}",
    )
