"""The summary: what the tables say, in sentences, each figure with its uncertainty."""

from __future__ import annotations

import pandas as pd

from relcap_models.report.blocks import Bullets, Paragraph, Section
from relcap_models.report.material import Analysis, Material
from relcap_models.report.sections.cells import difference_with_interval, score_with_interval, top_by
from relcap_models.report.sections.link_rows import links_of
from relcap_models.report.sections.link_sentences import summary_sentence
from relcap_models.report.sections.programme_effect_rows import programmes_of
from relcap_models.report.sections.programme_effect_sentences import summary_sentence as of_programme
from relcap_models.report.sections.programme_effect_sentences import title_of

SURE = 0.8
"""Probability from which a relation is said to be among the lowest or highest."""
_NAMED = 3
_WORTH_NAMING = 0.05


def summary_section(material: Material) -> Section:
    texts = material.texts
    blocks: list = []
    for analysis in material.analyses:
        scores = analysis.headline("relation_scores")
        sentences: list[str] = []
        if not scores.empty:
            latest = analysis.latest(scores)
            sentences += level_sentences(analysis, latest)
            sentences += extreme_sentences(analysis, latest)
            sentences += hidden_sentences(analysis, latest)
            sentences += gap_sentences(analysis)
        units = analysis.latest(analysis.headline("unit_scores"))
        if scores.empty and not units.empty:
            sentences += unit_level_sentences(analysis, units)
        sentences += change_sentences(analysis)
        if sentences:
            if len(material.analyses) > 1:
                blocks.append(Paragraph(texts("summary.about", title=analysis.title, id=analysis.id), "lead"))
            blocks.append(Bullets(tuple(sentences)))
    for rows in programmes_of(material):
        blocks += [Paragraph(title_of(rows), "lead"), Bullets((of_programme(rows),))]
    for link in links_of(material):
        if any(link.answer(pair, "between") for pair in link.leadership_pairs):
            blocks += [Paragraph(texts("links.title"), "lead"), Bullets((summary_sentence(link),))]
    if not blocks:
        blocks.append(Paragraph(texts("summary.nothing")))
    return Section("summary", texts("summary.title"), tuple(blocks), group="results")


def level_sentences(analysis: Analysis, scores: pd.DataFrame) -> list[str]:
    """The overall level and how many relations lie surely below or above the middle one."""
    texts = analysis.material.texts
    shown = scores[scores["mean"].notna()]
    if shown.empty:
        return [texts("summary.all_hidden", n=texts.whole(len(scores)))]
    middle = float(shown["mean"].median())
    sentences = [
        texts.count(
            "summary.level",
            len(shown),
            wave=analysis.material.wave(str(shown["wave"].iloc[0])),
            middle=texts.number(middle),
            score=score_with_interval(texts, shown.iloc[0]),
            low=texts.number(float(shown["mean"].quantile(0.25))),
            high=texts.number(float(shown["mean"].quantile(0.75))),
            minimum=texts.whole(analysis.minimum),
            maximum=texts.whole(analysis.maximum),
        )
    ]
    if len(shown) == 1:
        return sentences
    below, above = int((shown["upper"] < middle).sum()), int((shown["lower"] > middle).sum())
    sentences.append(
        texts(
            "summary.separate",
            ci=analysis.ci(shown),
            below=texts.whole(below),
            above=texts.whole(above),
            rest=texts.whole(len(shown) - below - above),
        )
    )
    return [*sentences, _precision(analysis, shown, "summary.precision")]


def _precision(analysis: Analysis, shown: pd.DataFrame, key: str) -> str:
    half = float((shown["upper"] - shown["lower"]).median() / 2)
    return analysis.material.texts(key, ci=analysis.ci(shown), half=analysis.material.texts.number(half))


def extreme_sentences(analysis: Analysis, scores: pd.DataFrame) -> list[str]:
    """Which relations are among the k lowest and highest, and with what probability."""
    texts = analysis.material.texts
    sentences = []
    for side in ("lowest", "highest"):
        column = f"prob_{side}_k"
        known = scores[scores["mean"].notna() & scores[column].notna()]
        if known.empty:
            continue
        # Ranks are among all relations: those that are shown may all be in the middle.
        k = texts.whole(float(known["k"].dropna().max()))
        known = known[known[column] >= _WORTH_NAMING]
        if known.empty:
            continue
        sure = known[known[column] >= SURE]
        rows = top_by(known if sure.empty else sure, column, _NAMED)
        named = texts.listing([_named(analysis, row, column) for _, row in rows.iterrows()])
        values = {"k": k, "sure": texts.number(SURE), "named": named}
        form = "none" if sure.empty else "one" if len(sure) == 1 else "few" if len(sure) <= _NAMED else "many"
        sentences.append(texts(f"summary.{side}.{form}", n=texts.whole(len(sure)), **values))
    return sentences


def _named(analysis: Analysis, row: pd.Series, column: str) -> str:
    texts = analysis.material.texts
    return texts(
        "summary.named",
        relation=analysis.material.relation(row["rater_unit"], row["target_unit"]),
        score=score_with_interval(texts, row),
        p=texts.p(row[column]),
    )


def hidden_sentences(analysis: Analysis, scores: pd.DataFrame) -> list[str]:
    texts = analysis.material.texts
    hidden = int(scores["suppressed"].sum())
    threshold = str(analysis.material.study.get("disclosure", {}).get("min_respondents_mean", 5))
    if hidden == len(scores):
        return []
    if not hidden:
        return [texts("summary.none_hidden", threshold=threshold)]
    return [texts.count("summary.hidden", hidden, total=texts.whole(len(scores)), threshold=threshold)]


def gap_sentences(analysis: Analysis) -> list[str]:
    texts, material = analysis.material.texts, analysis.material
    gaps = analysis.latest(analysis.headline("perception_gaps"))
    known = gaps[gaps["mean"].notna() & gaps["prob_gap_above_delta"].notna()]
    if known.empty:
        return []
    delta = texts.number(float(known["delta"].max()))
    sure = known[known["prob_gap_above_delta"] >= SURE]
    first = top_by(known, "prob_gap_above_delta", 1).iloc[0]
    values = {
        "delta": delta,
        "sure": texts.number(SURE),
        "total": texts.whole(len(known)),
        "a": material.unit(first["unit_a"]),
        "b": material.unit(first["unit_b"]),
        "gap": difference_with_interval(texts, first),
        "p": texts.p(first["prob_gap_above_delta"]),
    }
    if len(known) == 1 or sure.empty:
        return [texts(f"summary.gaps.{'only' if len(known) == 1 else 'none'}", **values)]
    return [texts.count("summary.gaps", len(sure), **values)]


def unit_level_sentences(analysis: Analysis, units: pd.DataFrame) -> list[str]:
    texts = analysis.material.texts
    shown = units[units["mean"].notna()]
    if shown.empty:
        return [texts("summary.units_all_hidden", n=texts.whole(len(units)))]
    sentences = [
        texts.count(
            "summary.unit_level",
            len(shown),
            wave=analysis.material.wave(str(shown["wave"].iloc[0])),
            middle=texts.number(float(shown["mean"].median())),
            score=score_with_interval(texts, shown.iloc[0]),
            low=score_with_interval(texts, shown.loc[shown["mean"].idxmin()]),
            high=score_with_interval(texts, shown.loc[shown["mean"].idxmax()]),
        )
    ]
    if len(shown) > 1:
        sentences.append(_precision(analysis, shown, "summary.unit_precision"))
    hidden = len(units) - len(shown)
    return [*sentences, texts.count("summary.units_hidden", hidden)] if hidden else sentences


def change_sentences(analysis: Analysis) -> list[str]:
    """The change of the organisation as a whole from the first wave to the last."""
    texts, material = analysis.material.texts, analysis.material
    changes = analysis.headline("changes")
    whole = changes[(changes["level"] == "organisation") & changes["mean"].notna()]
    if whole.empty:
        return []
    order = {wave: n for n, wave in enumerate(material.wave_ids)}
    span = whole["wave_to"].map(order).fillna(0) - whole["wave_from"].map(order).fillna(0)
    row = whole.loc[span.sort_values(kind="stable").index[-1]]
    rising, chance = float(row["prob_positive"]), ""
    if rising == rising:
        direction = "rise" if rising >= 0.5 else "fall"
        chance = " " + texts(f"summary.chance_{direction}", p=texts.p(max(rising, 1 - rising)))
    return [
        texts(
            "summary.change",
            wave_from=material.wave(row["wave_from"]),
            wave_to=material.wave(row["wave_to"]),
            change=difference_with_interval(texts, row),
            chance=chance,
        )
    ]
