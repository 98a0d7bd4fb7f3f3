"""A section for each instrument that was examined."""

from __future__ import annotations

from relcap_models.report.blocks import Block, Paragraph, Section
from relcap_models.report.material import Analysis, Material
from relcap_models.report.sections.psychometrics.equality import bias_blocks, impact_blocks, invariance_blocks
from relcap_models.report.sections.psychometrics.examined import Examined
from relcap_models.report.sections.psychometrics.factors import factor_blocks
from relcap_models.report.sections.psychometrics.items import answer_blocks, information_blocks
from relcap_models.report.sections.psychometrics.notes import note_blocks
from relcap_models.report.sections.psychometrics.reliability import reliability_blocks


def psychometrics_sections(material: Material) -> list[Section]:
    """A section for each instrument that was examined."""
    instruments = {str(i["id"]): i for i in material.context.get("instruments", ())}
    sections = []
    for declared in material.context.get("psychometrics", ()):
        for name in declared["instruments"]:
            about = Analysis(
                material, len(sections) + 1, {**declared, "instrument": name}, instruments.get(name, {})
            )
            sections.append(_section(Examined(about, name)))
    return sections


def _section(of: Examined) -> Section:
    texts = of.texts
    blocks: list[Block] = [Paragraph(texts("psychometrics.how"))]
    items = of.everybody("items")
    if items.empty or items["mean"].isna().all():
        blocks.append(Paragraph(texts("psychometrics.nothing"), "note"))
    else:
        blocks += [*answer_blocks(of), *factor_blocks(of), *information_blocks(of), *reliability_blocks(of)]
    blocks += [*invariance_blocks(of), *impact_blocks(of), *bias_blocks(of), *note_blocks(of)]
    title = texts("psychometrics.title", title=of.analysis.title)
    return Section(f"psychometrics-{of.analysis.number}", title, tuple(blocks), "quality")
