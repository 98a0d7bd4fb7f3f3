"""Does leadership in a unit go with how other units experience working with it?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import pandas as pd

from relcap_models.report.blocks import Block, Bullets, Heading, Paragraph, Picture, Section
from relcap_models.report.figures.intervals import Panel, draw_intervals
from relcap_models.report.figures.leadership_link import Cloud, draw_units
from relcap_models.report.material import Material
from relcap_models.report.sections.link_paths import path_blocks
from relcap_models.report.sections.link_regressions import regression_blocks
from relcap_models.report.sections.link_rows import LEVELS, LinkRows, Pair, links_of
from relcap_models.report.sections.link_sensitivity import sensitivity_blocks
from relcap_models.report.sections.link_sentences import (
    MOSTLY_PRIOR,
    answer_sentence,
    chance_sentence,
    compared_sentences,
    favourable_sentence,
    few_units_sentence,
    prior_sentences,
    prior_shares,
    several_sentence,
    short_sentences,
)
from relcap_models.report.sections.link_tables import estimate_tables, unit_table

_FEWEST_DRAWN = 8
"""Units below which ellipses fill the figure and show no pattern: the table has them."""


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


def _blocks(link: LinkRows) -> Iterator[Block]:
    texts = link.texts
    if not any(link.answer(pair, "between") for pair in link.leadership_pairs):
        yield Paragraph(texts("links.nothing"), "note")
        return
    few, priors = few_units_sentence(link), prior_sentences(link)
    little = few or any(share > MOSTLY_PRIOR for level in LEVELS for share in prior_shares(link, level))
    yield from _answer(link, "between", "lead")
    if little:
        yield Paragraph(" ".join(filter(None, [few, *priors])), "note")
    yield Paragraph(texts("links.causes"))
    yield Heading(texts("links.compared_title"))
    yield Bullets(tuple(_explanations(link)))
    yield Heading(texts("links.levels_title.between"))
    yield from _level(link, "between")
    yield Heading(texts("links.units_title"))
    yield from _units(link)
    yield Heading(texts("links.levels_title.within"))
    if link.has_level("within"):
        yield from _answer(link, "within", "plain")
        yield from _level(link, "within")
    else:
        yield Paragraph(texts("links.one_wave"), "note")
    if link.material.for_researchers:
        yield from sensitivity_blocks(link)
        yield from path_blocks(link)
        yield from regression_blocks(link)
        yield Heading(texts("links.method_title"))
        yield Paragraph(texts("links.method"))
        if priors and not little:
            yield Paragraph(" ".join(priors))


def _answer(link: LinkRows, level: str, style: Literal["lead", "plain"]) -> Iterator[Block]:
    """Of one leadership the answer, then how surely it matters; of several a line each."""
    if link.several:
        yield Paragraph(several_sentence(link, level), style)
        yield Bullets(tuple(short_sentences(link, level)))
        return
    pair = link.leadership_pairs[0]
    if answer := answer_sentence(link, pair, level):
        yield Paragraph(answer, style)
    favourable = favourable_sentence(link, pair) if level == "between" else ""
    if more := " ".join(filter(None, [favourable, chance_sentence(link, pair, level)])):
        yield Paragraph(more)


def _explanations(link: LinkRows) -> Iterator[str]:
    """What the words in figures and tables mean, only those that are used there."""
    texts = link.texts
    conditions = {c.key for level in LEVELS for c in link.conditions(level)}
    if conditions & {"different", "different_adjusted"}:
        yield texts("links.explained.different")
    if "different_adjusted" in conditions:
        yield texts("links.explained.adjusted")
    yield texts("links.explained.same" if "same" in conditions else "links.explained.no_same")
    yield texts("links.explained.sd")
    if covariates := link.analysis.declared.get("covariates"):
        yield texts("links.explained.covariates", covariates=texts.listing(list(map(str, covariates))))
    for method in link.methods if link.material.for_researchers else ():
        if text := texts.known(f"links.explained.{method}", ""):
            yield text
    if link.methods == ("joint",) and link.material.for_researchers:
        yield texts("links.explained.only_joint")


def _level(link: LinkRows, level: str) -> Iterator[Block]:
    """The estimates side by side at one level: a figure for each outcome, and the table."""
    if not link.several and (sentences := compared_sentences(link, link.leadership_pairs[0], level)):
        yield Paragraph(" ".join(sentences))
    for number, outcome in enumerate(link.outcomes, start=1):
        pairs = [pair for pair in link.leadership_pairs if pair[1] == outcome]
        name = f"leadership_link_{level}_{link.analysis.slug}" + (f"_{number}" if number > 1 else "")
        yield _side_by_side(link, pairs, level, name)
    yield from estimate_tables(link, level)


def _side_by_side(link: LinkRows, pairs: Sequence[Pair], level: str, name: str) -> Picture:
    """A panel for each comparison; in it the methods, or of several leaderships the joint model alone."""
    texts, smallest = link.texts, link.texts.number(link.smallest)
    several = len(pairs) > 1
    rows = [(pair, "joint") for pair in pairs] if several else [(pairs[0], m) for m in link.methods]
    answers = [row for _, row in filter(None, (link.answer(pair, level) for pair in pairs))]
    side = "negative" if answers and all(row["mean"] < 0 for row in answers) else "positive"
    panels, labels = [], []
    for condition in link.conditions(level):
        tried = [row for row in rows if link.tried(row[0], level, condition, row[1])] or rows
        labels.append([link.title(pair[0]) if several else link.method(method) for pair, method in tried])
        effects = [link.effect(pair, level, condition, method=method) for pair, method in tried]
        frame = pd.DataFrame(
            [pd.Series(dtype=float) if effect is None else effect for effect in effects]
        ).reindex(columns=["mean", "lower", "upper", "prob_smallest", "prob_rope"])
        large = frame["prob_smallest"].astype(float)
        if side == "negative":
            large = (1 - large - frame["prob_rope"].astype(float)).clip(lower=0.0)
        panels.append(
            Panel(
                texts(f"links.conditions.{condition.key}"),
                frame[["mean", "lower", "upper"]].astype(float),
                notes=["" if math.isnan(p) else texts.probability(p) for p in large],
                notes_title=texts(f"links.note.{side}", smallest=smallest),
            )
        )
    return Picture(
        name,
        lambda theme: draw_intervals(
            theme,
            texts,
            labels=[],
            panels=panels,
            panel_labels=labels,
            axis_label=texts(f"links.axis.{level}"),
            reference=0.0,
            band=(-link.smallest, link.smallest),
            missing=texts("links.not_estimated"),
        ),
        alt=" ".join(filter(None, (answer_sentence(link, pair, level) for pair in pairs)))
        or texts("links.alt_nothing"),
        caption=texts(
            f"links.caption.{level}", ci=link.ci, outcome=link.title(pairs[0][1]), smallest=smallest
        )
        + (" " + texts("links.caption.joint") if several and len(link.methods) > 1 else ""),
        narrow=True,
    )


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
            yield Paragraph(
                texts(key, leaders=_least_leaders(link), fewest=texts.whole(_FEWEST_DRAWN)), "note"
            )
            if (rows["predictor_mean"].notna() & rows["outcome_mean"].notna()).any():
                yield unit_table(link, rows)
            continue
        prob = float(rows["ci_prob"].dropna().iloc[0])
        yield Picture(
            f"leadership_units_{link.analysis.slug}" + (f"_{number}" if number > 1 else ""),
            lambda theme, clouds=clouds, prob=prob: draw_units(theme, texts, clouds, ci_prob=prob),
            alt=" ".join(_units_alt(link, outcome, clouds, least)),
            caption=" ".join(_units_caption(link, clouds, hidden)),
            narrow=True,
        )
        yield unit_table(link, rows)


def _cloud(link: LinkRows, pair: Pair, shown: pd.DataFrame) -> Cloud:
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


def _units_alt(link: LinkRows, outcome: str, clouds: list[Cloud], n: int) -> Iterator[str]:
    texts = link.texts
    yield texts("links.units.alt", n=texts.whole(n), outcome=link.title(outcome))
    for cloud in clouds:
        if cloud.slope is not None:
            slope, lower, upper = cloud.slope
            estimate = texts(
                "format.estimate", mean=texts.signed(slope), interval=texts.interval(lower, upper)
            )
            yield texts("links.units.alt_slope", leadership=cloud.x_label, estimate=estimate)


def _units_caption(link: LinkRows, clouds: list[Cloud], hidden: int) -> Iterator[str]:
    texts = link.texts
    yield texts("links.units.caption", ci=link.ci)
    if any(cloud.slope for cloud in clouds):
        yield texts("links.units.caption_slope", ci=link.ci)
    if hidden:
        yield texts.count("links.units.hidden", hidden)


def _least_leaders(link: LinkRows) -> str:
    return str(link.material.study.get("disclosure", {}).get("min_leaders", 3))
