"""Did a programme work? Of a single group: what changed from before it to after."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from relcap_models.report.blocks import Block, Bullets, Heading, Paragraph, Picture, Section
from relcap_models.report.figures.programme_effect import (
    KINDS,
    Course,
    Grid,
    draw_course,
    draw_exposure,
)
from relcap_models.report.material import Material
from relcap_models.report.sections.cells import difference_with_interval
from relcap_models.report.sections.programme_effect_checklist import checklist_blocks
from relcap_models.report.sections.programme_effect_comparisons import comparison_blocks
from relcap_models.report.sections.programme_effect_rows import NEVER, ProgrammeRows, programmes_of
from relcap_models.report.sections.programme_effect_sentences import (
    answer_sentence,
    assignment_sentence,
    before_sentence,
    chance_sentence,
    favourable_sentence,
    further_sentences,
    not_shown_sentences,
    title_of,
)
from relcap_models.report.sections.programme_effect_tables import (
    design_blocks,
    parts_table,
    simple_table,
    types_table,
)
from relcap_models.report.sections.programme_effect_threats import threat_blocks


def programme_sections(material: Material) -> list[Section]:
    """A section for each analysis of a programme."""
    programmes = programmes_of(material)
    return [
        Section(
            f"programme-effect-{rows.analysis.number}",
            title_of(rows),
            tuple(_blocks(rows)),
            "results",
            rows.analysis.id if len(programmes) > 1 else "",
        )
        for rows in programmes
    ]


def _blocks(rows: ProgrammeRows) -> Iterator[Block]:
    yield from _answer(rows)
    if rows.lead:
        yield from _course(rows)
    if not rows.material.for_researchers:
        return
    if rows.lead:
        yield Heading(rows.texts(f"programmes.table.title.{rows.word}"))
        if rows.n_hidden:
            yield Paragraph(rows.texts("programmes.hidden"), "note")
        yield simple_table(rows)
        yield from (table for table in (parts_table(rows), types_table(rows)) if table is not None)
    yield from design_blocks(rows)
    yield from _exposure(rows)
    if rows.lead:
        yield from comparison_blocks(rows)
        yield from threat_blocks(rows)
        yield Heading(rows.texts("programmes.method.title"))
        yield Paragraph(rows.texts(f"programmes.method.{rows.word}"))
    yield from checklist_blocks(rows)


def _answer(rows: ProgrammeRows) -> Iterator[Block]:
    """What the programme changed, how surely, at which ends; and on what that rests."""
    texts = rows.texts
    yield Paragraph(answer_sentence(rows), "lead")
    if more := " ".join(filter(None, [favourable_sentence(rows), chance_sentence(rows)])):
        yield Paragraph(more)
    if further := further_sentences(rows):
        yield Bullets(tuple(further))
    yield Paragraph(assignment_sentence(rows))
    if not rows.lead:
        return
    if rows.single:
        yield Heading(texts("programmes.not_shown.title"))
        yield Bullets(tuple(not_shown_sentences(rows)))
    else:
        yield Paragraph(texts(f"programmes.parallel.{'randomised' if rows.randomised else 'observational'}"))


def _course(rows: ProgrammeRows) -> Iterator[Block]:
    """Effects by waves since the start, and differences before it."""
    texts = rows.texts
    found = {estimand: _dynamic(rows, estimand) for estimand in rows.estimands}
    found = {estimand: effects for estimand, effects in found.items() if (effects["event"] >= 0).any()}
    if not found:
        return
    courses = [Course(rows.title(estimand), effects) for estimand, effects in found.items()]
    early = any((effects["event"] < 0).any() for effects in found.values())
    yield Heading(texts(f"programmes.event.title.{rows.word}"))
    if not rows.single:
        yield Paragraph(before_sentence(rows))
    yield Picture(
        f"programme_course_{rows.analysis.slug}",
        lambda theme: draw_course(theme, texts, courses, goal=rows.goal, word=rows.word),
        alt=" ".join(_course_alt(rows, estimand, effects) for estimand, effects in found.items()),
        caption=texts(
            f"programmes.event.caption.{rows.word}",
            ci=rows.ci,
            goal=texts.number(rows.goal),
            outcome=rows.analysis.title,
            assignment=rows.assignment,
        )
        + (f" {texts('programmes.event.caption_before')}" if early else ""),
        narrow=True,
    )


def _dynamic(rows: ProgrammeRows, estimand: str) -> pd.DataFrame:
    effects = rows.of(estimand, "dynamic")
    return effects.assign(event=effects["time"].astype(int)).sort_values("event")


def _course_alt(rows: ProgrammeRows, estimand: str, effects: pd.DataFrame) -> str:
    texts = rows.texts
    after = effects[effects["event"] >= 0]
    return texts(
        "programmes.event.alt",
        what=rows.title(estimand),
        first=difference_with_interval(texts, after.iloc[0]),
        last=difference_with_interval(texts, after.iloc[-1]),
        waves=texts.whole(after["event"].iloc[-1]),
        assignment=rows.assignment,
    )


def _exposure(rows: ProgrammeRows) -> Iterator[Block]:
    """Which relations are how exposed, by the cohorts of both ends and by wave."""
    texts, table = rows.texts, rows.analysis.table("programme_exposure")
    if table.empty:
        return
    cohorts = _cohorts(rows, table)
    waves = rows.analysis.waves(table)
    place = {cohort: n for n, cohort in enumerate(cohorts)}
    labels = [rows.cohort(cohort) for cohort in cohorts]
    fields = pd.DataFrame(
        {
            "row": table["cohort_rater"].map(place).to_numpy(),
            "column": table["cohort_target"].map(place).to_numpy(),
            "kind": table["kind"].to_numpy(),
            "n": table["n_relations"].to_numpy(),
            "wave": table["wave"].to_numpy(),
        }
    )
    if rows.own:
        # Rater and target are one, so that waves can stand side by side.
        columns, ends = waves, ("wave", "unit")
        fields["column"] = np.array([waves.index(wave) for wave in fields["wave"]])
        grids = [Grid(rows.analysis.title, fields)]
    else:
        columns, ends = labels, ("target", "rater")
        grids = [Grid(rows.material.wave(wave), fields[fields["wave"] == wave]) for wave in waves]
    kind = "own" if rows.own else "relations"
    kinds = {name: _kind(rows, name) for name in KINDS}
    axes_labels = tuple(texts(f"programmes.exposure.axis_{end}") for end in ends)
    yield Heading(texts("programmes.exposure.title"))
    yield Paragraph(texts(f"programmes.exposure.how.{kind}"))
    yield Picture(
        f"programme_exposure_{rows.analysis.slug}",
        lambda theme: draw_exposure(
            theme, texts, grids, rows=labels, columns=columns, axes_labels=axes_labels, kinds=kinds
        ),
        alt=" ".join(_exposure_alt(rows, table, waves)),
        caption=texts(f"programmes.exposure.caption.{kind}"),
        narrow=True,
    )


def _kind(rows: ProgrammeRows, kind: str) -> str:
    own = rows.own and kind == "both_ends"
    return rows.texts("programmes.kinds.own" if own else f"programmes.kinds.{kind}")


def _cohorts(rows: ProgrammeRows, table: pd.DataFrame) -> list[str]:
    """In order of their starts, those that never start last."""
    found = set(table["cohort_rater"]) | set(table["cohort_target"])
    order = [*rows.material.wave_ids, NEVER]
    return sorted(found, key=lambda cohort: order.index(cohort) if cohort in order else len(order))


def _exposure_alt(rows: ProgrammeRows, table: pd.DataFrame, waves: list[str]) -> Iterator[str]:
    texts = rows.texts
    for wave in waves:
        numbers = table[table["wave"] == wave].groupby("kind", sort=False)["n_relations"].sum()
        told = [
            texts("programmes.exposure.count", kind=_kind(rows, kind), n=texts.whole(number))
            for kind, number in numbers.items()
        ]
        yield texts("programmes.exposure.alt", wave=rows.material.wave(wave), counts=texts.listing(told))
