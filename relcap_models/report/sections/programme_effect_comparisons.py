"""Simpler methods beside the model's effects: do they say the same, and if not, why can that be?"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.blocks import Block, Bullets, Cell, Column, Heading, Paragraph, Picture, Table
from relcap_models.report.figures.intervals import Panel, draw_intervals
from relcap_models.report.sections.cells import (
    count_cell,
    difference_with_interval,
    probability_cell,
    share_cell,
    text_cell,
)
from relcap_models.report.sections.programme_effect_checks import notes_in_words
from relcap_models.report.sections.programme_effect_rows import ProgrammeRows

METHODS = ("dyadic", "att_gt", "two_way", "wild_bootstrap", "randomisation")
JOINT = "joint"
_FORBIDDEN = ("later_earlier", "later_always")
"""Comparisons with relations that are under the programme already."""
_MUCH = 0.1
"""Weight of such comparisons from which it is said that they can move an estimate."""


def comparison_blocks(rows: ProgrammeRows) -> Iterator[Block]:
    """The model's effects and those of simpler methods: a figure, what sets them apart, and the table."""
    texts = rows.texts
    table = _compared(rows)
    yield Heading(texts("programmes.beside.title"))
    if table.empty:
        yield Paragraph(texts("programmes.beside.absent"), "note")
        return
    yield Paragraph(texts(f"programmes.beside.how.{rows.word}"))
    yield Bullets(tuple(_agreement(rows, table)))
    yield _picture(rows, table)
    yield _table(rows, table)
    yield from _weight_blocks(rows)


def _compared(rows: ProgrammeRows) -> pd.DataFrame:
    """Averages over all relations that may be shown and of which the model has one, in points."""
    table = rows.table("programme_comparisons")
    kept = (table["aggregate"] == "simple") & ~table["suppressed"] & table["estimate"].notna()
    table = table[kept & table["estimand"].isin(rows.estimands)]
    found = set(table["dimension"])
    whole = rows.whole if rows.whole in found else next(iter(sorted(found)), rows.whole)
    return table[table["dimension"] == whole]


def _by_method(rows: ProgrammeRows, table: pd.DataFrame, estimand: str) -> list[tuple[str, pd.Series]]:
    """The model's effect first, then the others in their order, all with `mean, lower, upper, p`."""
    joint = rows.simple(estimand)
    part = table[table["estimand"] == estimand].rename(columns={"estimate": "mean"})
    known = [m for m in METHODS if m in set(part["method"])] + sorted(set(part["method"]) - set(METHODS))
    found = [] if joint is None else [(JOINT, joint)]
    return found + [(method, part[part["method"] == method].iloc[0]) for method in known]


def _agreement(rows: ProgrammeRows, table: pd.DataFrame) -> Iterator[str]:
    """A sentence for each effect: whether sign and size are the same, and which method lies elsewhere; then
    why that can be."""
    texts, apart, forbidden = rows.texts, set(), 0.0
    for estimand in [e for e in rows.estimands if e in set(table["estimand"])]:
        (_, joint), *others = _by_method(rows, table, estimand)
        off = [(name, row) for name, row in others if not _alike(joint, row)]
        means = [row["mean"] for _, row in others]
        low, high = texts.signed(min(means)), texts.signed(max(means))
        sure = joint["lower"] > 0 or joint["upper"] < 0
        yield texts(
            f"programmes.beside.{'differ' if off else 'agree' if sure else 'open'}.{rows.word}",
            what=rows.title(estimand),
            joint=difference_with_interval(texts, joint),
            span=low if low == high else texts("format.range", lower=low, upper=high),
            assignment=rows.assignment,
            methods=texts.listing(
                [f"{_method(texts, name)} ({texts.signed(row['mean'])})" for name, row in off]
            ),
        )
        apart |= {name for name, _ in off}
        forbidden = max(forbidden, _forbidden(_weights(rows, estimand)))
    if "two_way" in apart and forbidden >= _MUCH:
        yield texts("programmes.beside.why.forbidden", share=texts.percent(forbidden))
    if apart - {"two_way"} or (apart and forbidden < _MUCH):
        yield texts(f"programmes.beside.why.{rows.word}")


def _alike(joint: pd.Series, other: pd.Series) -> bool:
    """Same sign and size: each lies in the interval of the other, or either in that of the one that has one.

    Signs of estimates whose intervals both hold zero may differ by chance.
    """
    inside = joint["lower"] <= other["mean"] <= joint["upper"]
    if pd.notna(other["lower"]) and pd.notna(other["upper"]):
        inside = inside or other["lower"] <= joint["mean"] <= other["upper"]
    sure = joint["lower"] > 0 or joint["upper"] < 0
    return bool(inside and (not sure or joint["mean"] * other["mean"] > 0))


def _method(texts: Texts, method: str) -> str:
    return texts.known(f"programmes.methods.{method}", method)


def _picture(rows: ProgrammeRows, table: pd.DataFrame) -> Picture:
    texts = rows.texts
    panels, labels = [], []
    for estimand in [e for e in rows.estimands if e in set(table["estimand"])]:
        found = _by_method(rows, table, estimand)
        labels.append([_method(texts, name) for name, _ in found])
        frame = pd.DataFrame([row[["mean", "lower", "upper"]] for _, row in found]).astype(float)
        panels.append(Panel(rows.title(estimand), frame))
    return Picture(
        f"programme_comparisons_{rows.analysis.slug}",
        lambda theme: draw_intervals(
            theme,
            texts,
            labels=[],
            panels=panels,
            panel_labels=labels,
            axis_label=texts(f"programmes.event.axis.{rows.word}"),
            reference=0.0,
        ),
        alt=" ".join(_agreement(rows, table)),
        caption=texts(f"programmes.beside.caption.{rows.word}", ci=rows.ci, assignment=rows.assignment),
        narrow=True,
    )


def _table(rows: ProgrammeRows, table: pd.DataFrame) -> Table:
    texts = rows.texts
    found = []
    for estimand in [e for e in rows.estimands if e in set(table["estimand"])]:
        for method, row in _by_method(rows, table, estimand):
            joint = method == JOINT
            found.append(
                (
                    text_cell(rows.title(estimand)),
                    text_cell(_method(texts, method)),
                    Cell(difference_with_interval(texts, row), float(row["mean"])),
                    Cell("–", muted=True) if joint else probability_cell(texts, row["p"]),
                    *(count_cell(texts, row[name]) for name in ("n_relations", "n_units", "n_clusters")),
                    text_cell("" if joint else notes_in_words(rows, str(row["note"]))),
                )
            )
    return Table(
        texts(f"programmes.beside.table.{rows.word}", ci=rows.ci, assignment=rows.assignment),
        (
            Column(texts("programmes.column_what"), figures=False),
            Column(texts("programmes.column_method"), figures=False),
            Column(texts("programmes.column_points")),
            Column(texts("programmes.column_p")),
            *(
                Column(texts(f"programmes.column_counts.n_{name}"))
                for name in ("relations", "units", "clusters")
            ),
            Column(texts("programmes.column_note"), figures=False),
        ),
        tuple(found),
        folded=texts.count("table.unfold", len(found)),
        source="tables/programme_comparisons.csv, tables/programme_effects.csv",
    )


def _weights(rows: ProgrammeRows, estimand: str) -> pd.DataFrame:
    table = rows.table("programme_weights")
    return table[(table["estimand"] == estimand) & table["weight"].notna() & ~table["suppressed"]]


def _forbidden(table: pd.DataFrame) -> float:
    return float(table["weight"][table["comparison"].isin(_FORBIDDEN)].sum())


def _weight_blocks(rows: ProgrammeRows) -> Iterator[Block]:
    """What the usual two-way estimate is made of."""
    texts = rows.texts
    shown = [e for e in rows.estimands if len(_weights(rows, e))]
    if not shown:
        return
    share = max(_forbidden(_weights(rows, estimand)) for estimand in shown)
    key = "some" if share > 0 else "none"
    yield Paragraph(texts(f"programmes.weights.{key}", share=texts.percent(share)))
    cells = []
    for estimand in shown:
        for comparison, part in _weights(rows, estimand).groupby("comparison", sort=False):
            weight = float(part["weight"].sum())
            mean = float((part["weight"] * part["estimate"]).sum() / weight) if weight else float("nan")
            cells.append(
                (
                    text_cell(rows.title(estimand)),
                    text_cell(texts.known(f"programmes.weights.{comparison}", str(comparison))),
                    share_cell(texts, weight),
                    Cell(texts.signed(mean), mean),
                )
            )
    yield Table(
        texts("programmes.weights.table", assignment=rows.assignment),
        (
            Column(texts("programmes.column_what"), figures=False),
            Column(texts("columns.comparison"), figures=False),
            Column(texts("programmes.weights.column_weight")),
            Column(texts("programmes.column_points")),
        ),
        tuple(cells),
        folded=texts.count("table.unfold", len(cells)),
        source="tables/programme_weights.csv",
    )
