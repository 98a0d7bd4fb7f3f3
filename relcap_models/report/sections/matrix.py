"""Who rates whom: the relation matrix and the network map of the latest wave."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pandas as pd

from relcap_models.report.blocks import Block, Paragraph, Picture, Section
from relcap_models.report.figures.network_map import draw_network
from relcap_models.report.figures.relation_matrix import draw_relation_matrix
from relcap_models.report.material import Analysis
from relcap_models.report.sections.cells import colour_limits
from relcap_models.report.sections.summary import SURE, extreme_sentences, level_sentences
from relcap_models.report.sections.unit_scores import lowest_and_highest

_SMALL_MULTIPLES_FROM = 15
_DISTRICT_PANELS = 12


def matrix_section(analysis: Analysis) -> Section:
    """The relation matrix as a heat map."""
    material, texts = analysis.material, analysis.material.texts
    scores = analysis.latest(analysis.headline("relation_scores"))
    blocks: list[Block] = []
    if scores["mean"].notna().any():
        wave = str(scores["wave"].iloc[0])
        own = _own_scores(analysis, wave)
        cells = pd.concat([scores[own.columns], own], ignore_index=True)
        units = material.ordered_units(set(cells["rater_unit"]) | set(cells["target_unit"]))
        districts = [material.district(unit) for unit in units]
        breaks = [n for n in range(1, len(units)) if districts[n] != districts[n - 1]]
        limits = colour_limits(analysis, cells["mean"])
        names = [material.label(unit) for unit in units]
        blocks += [
            Paragraph(texts("matrix.how", ci=analysis.ci(scores))),
            Picture(
                f"relation_matrix_{analysis.slug}",
                lambda theme: draw_relation_matrix(
                    theme, texts, cells, units=units, names=names, breaks=breaks, limits=limits
                ),
                alt=texts("matrix.alt", finding=" ".join(level_sentences(analysis, scores)[:2])),
                caption=texts(
                    "matrix.caption",
                    wave=material.wave(wave),
                    ci=analysis.ci(scores),
                    low=texts.number(limits[0], 1),
                    high=texts.number(limits[1], 1),
                    minimum=texts.whole(analysis.minimum),
                    maximum=texts.whole(analysis.maximum),
                ),
            ),
        ]
    else:
        blocks.append(Paragraph(texts("matrix.all_hidden", n=texts.whole(len(scores))), "note"))
    return Section(
        f"matrix-{analysis.number}", texts("matrix.title"), tuple(blocks), "results", analysis.subject
    )


def _own_scores(analysis: Analysis, wave: str) -> pd.DataFrame:
    units = analysis.headline("unit_scores")
    own = units[(units["role"] == "within_unit") & (units["wave"] == wave)]
    return own.assign(rater_unit=own["unit"], target_unit=own["unit"])[
        ["rater_unit", "target_unit", "mean", "lower", "upper", "suppressed"]
    ]


def network_section(analysis: Analysis) -> Section:
    """The network map; for large organisations also one small map per district."""
    material, texts = analysis.material, analysis.material.texts
    scores = analysis.latest(analysis.headline("relation_scores"))
    shown = scores[scores["mean"].notna()]
    title = texts("network.title")
    if shown.empty:
        note = Paragraph(texts("network.all_hidden"), "note")
        return Section(f"network-{analysis.number}", title, (note,), "results", analysis.subject)
    k = int(shown["k"].max()) if shown["k"].notna().any() else 0
    lowest, highest = lowest_and_highest(shown, k)
    relations = shown.assign(
        chosen=shown.index.isin([*lowest.index, *highest.index]),
        stands_out=(shown["prob_lowest_k"] >= SURE) | (shown["prob_highest_k"] >= SURE),
    )
    units = material.ordered_units(set(scores["rater_unit"]) | set(scores["target_unit"]))
    groups = {d: list(members) for d, members in groupby(units, key=material.district)}
    names = {unit: material.label(unit) for unit in units}
    limits = colour_limits(analysis, shown["mean"])
    dashed = int(relations["asynchronous"].sum())
    large = len(units) >= _SMALL_MULTIPLES_FROM
    how = texts(
        "network.how_selected" if large else "network.how_all", sure=texts.number(SURE), k=texts.whole(k)
    )
    blocks: list[Block] = [
        Paragraph(how),
        Picture(
            f"network_map_{analysis.slug}",
            lambda theme: draw_network(theme, texts, relations, groups=groups, names=names, limits=limits),
            alt=texts.count(
                "network.alt",
                len(relations),
                units=texts.whole(len(units)),
                finding=" ".join(
                    extreme_sentences(analysis, scores) or level_sentences(analysis, scores)[:1]
                ),
            ),
            caption=" ".join(
                [
                    texts("network.caption", wave=material.wave(str(scores["wave"].iloc[0]))),
                    texts.count("network.dashed", dashed) if dashed else "",
                ]
            ).strip(),
        ),
    ]
    inner = {d: members for d, members in groups.items() if d and len(members) > 1}
    if large and 2 <= len(inner) <= _DISTRICT_PANELS:
        district = {unit: material.district(unit) for unit in units}
        same = relations["rater_unit"].map(district) == relations["target_unit"].map(district)
        within, across = relations[same]["mean"], relations[~same]["mean"]
        blocks.append(
            Picture(
                f"network_districts_{analysis.slug}",
                lambda theme: draw_network(
                    theme, texts, relations, groups=inner, names=names, limits=limits, small_multiples=True
                ),
                alt=texts(
                    "network.districts_alt",
                    within=texts.number(float(within.mean()) if len(within) else np.nan),
                    across=texts.number(float(across.mean()) if len(across) else np.nan),
                ),
                caption=texts("network.districts_caption", n=texts.whole(int((~same).sum()))),
            )
        )
    return Section(f"network-{analysis.number}", title, tuple(blocks), "results", analysis.subject)
