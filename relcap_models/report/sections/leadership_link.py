"""Does leadership in a unit go with how other units experience working with it?"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from relcap_models.report.blocks import Block, Bullets, Heading, Paragraph, Picture, Section
from relcap_models.report.figures.intervals import Panel, draw_intervals
from relcap_models.report.figures.leadership_link import Cloud, draw_units
from relcap_models.report.material import Material
from relcap_models.report.sections.link_paths import path_blocks
from relcap_models.report.sections.link_rows import LEVELS, LinkRows, links_of
from relcap_models.report.sections.link_sentences import (
    answer_sentences,
    compared_sentences,
    favourable_sentence,
    few_units_sentence,
    prior_sentences,
)
from relcap_models.report.sections.link_tables import estimate_table, unit_table

_FEWEST_DRAWN = 3
"""Units below which a scatter shows nothing but these units."""


def link_sections(material: Material) -> list[Section]:
    """A section for each analysis of a leadership link."""
    links = links_of(material)
    return [
        Section(
            f"leadership-link-{link.analysis.number}",
            material.texts("links.title"),
            tuple(_blocks(link)),
            "results",
            link.analysis.id if len(links) > 1 else "",
        )
        for link in links
    ]


def link_summary(material: Material) -> list[tuple[LinkRows, list[str]]]:
    """The answers of each link, for the report's summary."""
    answers = [(link, _answers(link, "between")) for link in links_of(material)]
    return [(link, sentences) for link, sentences in answers if sentences]


def _blocks(link: LinkRows) -> Iterator[Block]:
    texts, researcher = link.texts, link.material.audience != "leader"
    answers = _answers(link, "between")
    if not answers:
        yield Paragraph(texts("links.nothing"), "note")
        return
    yield Bullets(tuple(answers)) if len(link.leadership_pairs) > 1 else Paragraph(answers[0], "lead")
    if len(link.leadership_pairs) == 1 and (favourable := favourable_sentence(link, link.leadership_pairs[0])):
        yield Paragraph(favourable)
    yield Paragraph(texts("links.causes"))
    for sentence in filter(None, [few_units_sentence(link)]):
        yield Paragraph(sentence, "warning")
    if much := prior_sentences(link, always=bool(few_units_sentence(link))):
        yield Paragraph(" ".join(much), "note")
    yield Heading(texts("links.compared_title"))
    yield Bullets(tuple(_explanations(link)))
    yield Heading(texts("links.levels_title.between"))
    yield from _level(link, "between")
    yield Heading(texts("links.units_title"))
    yield from _units(link)
    yield Heading(texts("links.levels_title.within"))
    if link.has_level("within"):
        within = _answers(link, "within")
        if within:
            yield Bullets(tuple(within)) if len(within) > 1 else Paragraph(within[0])
        yield from _level(link, "within")
    else:
        yield Paragraph(texts("links.one_wave"), "note")
    if researcher:
        yield from path_blocks(link)
        yield Heading(texts("links.method_title"))
        yield Paragraph(texts("links.method"))


def _answers(link: LinkRows, level: str) -> list[str]:
    """One text for each leadership and outcome."""
    answers = [" ".join(answer_sentences(link, pair, level)) for pair in link.leadership_pairs]
    return [answer for answer in answers if answer]


def _explanations(link: LinkRows) -> Iterator[str]:
    """What the words in figures and tables mean, only those that are used there."""
    texts = link.texts
    conditions = {c.key for level in LEVELS for c in link.conditions(level)}
    if conditions & {"different", "different_adjusted"}:
        yield texts("links.explained.different")
    if "different_adjusted" in conditions:
        yield texts("links.explained.adjusted")
    yield texts("links.explained.same" if "same" in conditions else "links.explained.no_same")
    if covariates := link.analysis.declared.get("covariates"):
        yield texts("links.explained.covariates", covariates=texts.listing(list(map(str, covariates))))
    for method in link.methods:
        if text := texts.known(f"links.explained.{method}", ""):
            yield text
    if link.methods == ("joint",):
        yield texts("links.explained.only_joint")


def _level(link: LinkRows, level: str) -> Iterator[Block]:
    """The estimates side by side at one level: a figure for each outcome, and the table."""
    for number, outcome in enumerate(link.outcomes, start=1):
        pairs = [pair for pair in link.leadership_pairs if pair[1] == outcome]
        sentences = [sentence for pair in pairs for sentence in compared_sentences(link, pair, level)]
        if len(link.leadership_pairs) == 1 and sentences:
            yield Paragraph(" ".join(sentences))
        name = f"leadership_link_{level}_{link.analysis.slug}" + (f"_{number}" if number > 1 else "")
        yield _side_by_side(link, pairs, level, name)
    yield estimate_table(link, level)


def _side_by_side(link: LinkRows, pairs: list[tuple[str, str]], level: str, name: str) -> Picture:
    texts = link.texts
    panels, labels = [], []
    for condition in link.conditions(level):
        rows, own = [], []
        for pair in pairs:
            for method in link.methods:
                row = link.effect(pair, level, condition, method=method)
                rows.append(pd.Series(dtype=float) if row is None else row)
                own.append(_row_label(link, pair, method, several=len(pairs) > 1))
        frame = pd.DataFrame(rows).reindex(columns=["mean", "lower", "upper", "prob_smallest"]).astype(float)
        labels.append(own)
        panels.append(
            Panel(
                texts(f"links.conditions.{condition.key}"),
                frame[["mean", "lower", "upper"]],
                notes=["" if p != p else texts.probability(p) for p in frame["prob_smallest"]],
                notes_title=texts("links.note", smallest=texts.number(link.smallest)),
            )
        )
    smallest = link.smallest
    return Picture(
        name,
        lambda theme: draw_intervals(
            theme,
            texts,
            labels=labels[0],
            panels=panels,
            panel_labels=labels,
            axis_label=texts(f"links.axis.{level}"),
            reference=0.0,
            band=(-smallest, smallest),
            missing=texts("links.not_estimated"),
        ),
        alt=" ".join(s for pair in pairs for s in answer_sentences(link, pair, level)[:1])
        or texts("links.alt_nothing"),
        caption=texts(
            f"links.caption.{level}",
            ci=link.ci,
            outcome=link.title(pairs[0][1]),
            smallest=texts.number(smallest),
        ),
        narrow=True,
    )


def _row_label(link: LinkRows, pair: tuple[str, str], method: str, *, several: bool) -> str:
    name = link.texts.known(f"links.methods.{method}", method)
    return link.texts("links.row", predictor=link.title(pair[0]), method=name) if several else name


def _units(link: LinkRows) -> Iterator[Block]:
    """Where the units lie whose leadership and whose collaboration may both be shown."""
    texts, table = link.texts, link.analysis.table("leadership_units")
    for number, outcome in enumerate(link.outcomes, start=1):
        rows = table[(table["outcome"] == outcome) & table["predictor"].map(link.is_leadership)]
        clouds, hidden, least = [], 0, 0
        for predictor, part in rows.groupby("predictor", sort=False):
            shown = part[part["predictor_mean"].notna() & part["outcome_mean"].notna()]
            if len(shown) >= _FEWEST_DRAWN:
                clouds.append(_cloud(link, (str(predictor), outcome), shown))
                hidden, least = max(hidden, len(part) - len(shown)), len(shown)
        if not clouds:
            key = "links.units.none" if len(rows) else "links.units.no_table"
            yield Paragraph(texts(key, leaders=_least_leaders(link)), "note")
            continue
        prob = float(rows["ci_prob"].dropna().iloc[0])
        yield Picture(
            f"leadership_units_{link.analysis.slug}" + (f"_{number}" if number > 1 else ""),
            lambda theme, clouds=clouds, prob=prob: draw_units(theme, texts, clouds, ci_prob=prob),
            alt=texts("links.units.alt", n=texts.whole(least), outcome=link.title(outcome)),
            caption=" ".join(_units_caption(link, clouds, hidden)),
            narrow=True,
        )
        yield unit_table(link, rows)


def _cloud(link: LinkRows, pair: tuple[str, str], shown: pd.DataFrame) -> Cloud:
    slope = None
    for condition in (c for c in link.conditions("between") if c.source == "different" and not c.adjusted):
        row = link.effect(pair, "between", condition)
        if row is not None and pd.notna(row["per_point"]):
            slope = (row["per_point"], row["per_point_lower"], row["per_point_upper"])
    units = pd.DataFrame(
        {
            "label": [link.material.label(unit) for unit in shown["unit"]],
            "x": shown["predictor_mean"].to_numpy(),
            "y": shown["outcome_mean"].to_numpy(),
            "sd_x": shown["predictor_sd"].to_numpy(),
            "sd_y": shown["outcome_sd"].to_numpy(),
            "correlation": shown["correlation"].fillna(0.0).to_numpy(),
        }
    )
    x_label = link.texts("links.units.axis_leadership", leadership=link.title(pair[0]))
    y_label = link.texts("links.units.axis_outcome", outcome=link.title(pair[1]))
    return Cloud(x_label, y_label, units, slope)


def _units_caption(link: LinkRows, clouds: list[Cloud], hidden: int) -> Iterator[str]:
    texts = link.texts
    yield texts("links.units.caption", ci=link.ci)
    if any(cloud.slope for cloud in clouds):
        yield texts("links.units.caption_slope", ci=link.ci)
    if hidden:
        yield texts.count("links.units.hidden", hidden)


def _least_leaders(link: LinkRows) -> str:
    return str(link.material.study.get("disclosure", {}).get("min_leaders", 3))
