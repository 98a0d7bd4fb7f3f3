"""What a leadership link depends on, what passes it on and what it goes with: regressions among units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.blocks import Block, Bullets, Cell, Column, Heading, Paragraph, Table
from relcap_models.report.sections.cells import difference_with_interval, probability_cell, text_cell
from relcap_models.report.sections.link_rows import LinkRows
from relcap_models.report.sections.link_sentences import direction

_TIMES = " × "
_CAPACITY = "capacity"


def regression_blocks(link: LinkRows) -> Iterator[Block]:
    """A sentence for each question that was asked, and every coefficient in a table."""
    texts, table = link.texts, link.analysis.table("leadership_regressions")
    table = table[table["mean"].notna()].reset_index(drop=True)
    if table.empty:
        return
    # Each dimension of the outcome has the same regressions, one after another.
    place = table.groupby(["question", "outcome", "term"]).cumcount()
    parts = [(outcome, table[place == k]) for k, outcome in enumerate(link.outcomes)]
    yield Heading(texts("links.regressions.title"))
    yield Paragraph(texts("links.regressions.how"))
    yield Bullets(tuple(s for outcome, rows in parts for s in _sentences(link, outcome, rows)))
    yield _table(link, [(outcome, row) for outcome, rows in parts for _, row in rows.iterrows()])


def _sentences(link: LinkRows, capacity: str, table: pd.DataFrame) -> Iterator[str]:
    """`capacity` is the facet that the regressions call so."""
    texts, declared = link.texts, link.analysis.declared
    rows = {(row["question"], row["outcome"], row["term"]): row for _, row in table.iterrows()}
    moderator = str(declared.get("moderator") or "")
    row = rows.get(("moderation", _CAPACITY, f"leadership{_TIMES}{moderator}"))
    if row is not None:
        yield _told(texts, "moderation", row, moderator=moderator)
    row = rows.get(("cascade", "leadership", "leadership above"))
    if row is not None:
        yield _told(texts, "cascade", row, layers=" → ".join(map(str, declared.get("cascade", ()))))
    for result in declared.get("results", ()):
        outcome = str(result["outcome"])
        of_outcome = {term: row for (_, name, term), row in rows.items() if name == outcome}
        yield from _of_result(link, result, of_outcome, link.title(capacity))


def _of_result(
    link: LinkRows, result: Mapping[str, Any], rows: Mapping[str, pd.Series], capacity: str
) -> Iterator[str]:
    texts = link.texts
    if _CAPACITY not in rows:
        return
    row = rows[_CAPACITY]
    unit = texts.known(f"links.regressions.units.{row['scale']}", str(row["scale"]))
    parts = [
        _told(texts, "outcome", row, outcome=str(result["outcome"]), capacity=capacity, unit=unit),
    ]
    held = [str(result[name]) for name in ("structure", "complexity") if result.get(name)]
    if held:
        attributes = texts.listing([texts("links.regressions.quoted", name=name) for name in held])
        parts.append(texts("links.regressions.average", attributes=attributes))
    yield " ".join(parts)
    if len(held) == 2:
        yield from _contingency(texts, *held, rows, capacity, str(result["outcome"]))


def _contingency(
    texts: Texts, structure: str, complexity: str, rows: Mapping[str, pd.Series], capacity: str, outcome: str
) -> Iterator[str]:
    """What both expectations about complexity say, and what the data say of them."""
    of_structure = rows.get(f"{structure}{_TIMES}{complexity}")
    of_capacity = rows.get(f"{_CAPACITY}{_TIMES}{complexity}")
    if of_structure is None or of_capacity is None:
        return
    products = [f"{structure}{_TIMES}{complexity}", f"{capacity}{_TIMES}{complexity}"]
    found = [
        _probability(texts, f"{products[0]}\u00a0<\u00a00", 1 - of_structure["prob_positive"]),
        _probability(texts, f"{products[1]}\u00a0>\u00a00", of_capacity["prob_positive"]),
    ]
    sentence = texts(
        "links.regressions.contingency",
        outcome=outcome,
        structure=structure,
        capacity=capacity,
        complexity=complexity,
        less=found[0],
        more=found[1],
    )
    unclear = any(direction(row) == "unclear" for row in (of_structure, of_capacity))
    verdict = texts(f"links.regressions.contingency_{'open' if unclear else 'clear'}")
    yield f"{sentence} {verdict} {texts('links.regressions.contingency_sign')}"


def _told(texts: Texts, question: str, row: pd.Series, **names: str) -> str:
    """Question and answer in the direction of the interval."""
    return texts(
        f"links.regressions.{question}.{direction(row)}",
        estimate=difference_with_interval(texts, row),
        p=_probability(texts, ">\u00a00", row["prob_positive"]),
        **names,
    )


def _probability(texts: Texts, what: str, value: float) -> str:
    """`P(> 0) = 0.37`."""
    return texts.p(value).replace("P", f"P({what})", 1)


def _table(link: LinkRows, rows: list[tuple[str, pd.Series]]) -> Table:
    texts = link.texts
    cells = tuple(
        (
            text_cell(_name(link, row["outcome"], capacity)),
            text_cell(_TIMES.join(_name(link, part, capacity) for part in row["term"].split(_TIMES))),
            text_cell(texts.known(f"links.regressions.units.{row['scale']}", str(row["scale"]))),
            Cell(difference_with_interval(texts, row), float(row["mean"])),
            probability_cell(texts, row["prob_positive"]),
        )
        for capacity, row in rows
    )
    ci = link.analysis.ci(link.analysis.table("leadership_regressions"))
    return Table(
        texts("links.regressions.table", ci=ci),
        (
            *(
                Column(texts(f"links.regressions.column_{name}"), figures=False)
                for name in ("outcome", "term", "unit")
            ),
            Column(texts("links.regressions.column_estimate")),
            Column(texts("links.paths.column_positive")),
        ),
        cells,
        folded=texts.count("table.unfold", len(cells)),
        source="tables/leadership_regressions.csv",
    )


def _name(link: LinkRows, name: str, capacity: str) -> str:
    """What the regressions call capacity, leadership …; attributes and outcomes have their own names."""
    if name == "leadership above":
        return link.texts("links.regressions.above")
    facets = {
        _CAPACITY: capacity,
        "leadership": str(link.analysis.declared.get("leadership", "leadership")),
        "safety": str(link.analysis.declared.get("safety", "safety")),
        "perceiver": "perceiver",
    }
    return link.title(facets[name]) if name in facets else name
