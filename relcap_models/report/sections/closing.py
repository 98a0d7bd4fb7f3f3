"""The end of the report: the instruments, what was not done, and how privacy is kept."""

from __future__ import annotations

from relcap_models.report.blocks import Block, Bullets, Column, Heading, Paragraph, Section, Table
from relcap_models.report.material import Material
from relcap_models.report.sections.cells import text_cell


def instrument_section(material: Material) -> Section:
    texts = material.texts
    blocks: list[Block] = [Paragraph(texts("instruments.how"))]
    for instrument in material.context.get("instruments", ()):
        title = texts.of(instrument.get("title")) or str(instrument["id"])
        scale = instrument.get("scale", {})
        blocks.append(Heading(title))
        blocks.append(
            Paragraph(
                texts(
                    "instruments.about",
                    minimum=str(scale.get("minimum", "–")),
                    maximum=str(scale.get("maximum", "–")),
                    favourable=str(scale.get("favourable_from", "–")),
                    source=(texts.of(instrument.get("source")) or "–").rstrip("."),
                    status=(texts.of(instrument.get("translation_status")) or "–").rstrip("."),
                )
            )
        )
        names = {
            str(d["id"]): texts.of(d.get("title")) or str(d["id"])
            for d in instrument.get("dimensions", ())
            if isinstance(d, dict)
        }
        items = instrument.get("items", ())
        blocks.append(
            Table(
                texts("instruments.table", title=title),
                (
                    Column(texts("columns.item"), figures=False),
                    Column(texts("columns.wording"), figures=False),
                    Column(texts("columns.dimension"), figures=False),
                ),
                tuple(
                    (
                        text_cell(item["id"]),
                        text_cell(texts.of(item.get("text"))),
                        text_cell(names.get(str(item.get("dimension")), str(item.get("dimension", "")))),
                    )
                    for item in items
                ),
                folded=texts.count("table.unfold", len(items)),
            )
        )
    return Section("instruments", texts("instruments.title"), tuple(blocks), "method")


def not_done_section(material: Material) -> Section:
    texts, programmes = material.texts, material.context.get("programmes")
    sentences = tuple(texts.say(message) for message in material.context.get("not_done", ()))
    always = (
        texts("not_done.norms"),
        texts("not_done.causes_beside_programmes" if programmes else "not_done.causes"),
    )
    return Section("not-done", texts("not_done.title"), (Bullets(sentences + always),), "method")


def privacy_section(material: Material) -> Section:
    texts = material.texts
    rules = material.study.get("disclosure", {})
    blocks: list[Block] = [
        Paragraph(
            texts(
                "privacy.rules",
                mean=str(rules.get("min_respondents_mean", 5)),
                distribution=str(rules.get("min_respondents_distribution", 8)),
                leaders=str(rules.get("min_leaders", 3)),
            )
        ),
        Paragraph(texts("privacy.complementary")),
        Paragraph(texts("privacy.pseudonyms")),
    ]
    return Section("privacy", texts("privacy.title"), tuple(blocks), "method")
