"""Which sections the report has, in which order, for whom."""

from __future__ import annotations

from relcap_models.report.blocks import Paragraph, Section
from relcap_models.report.material import Material
from relcap_models.report.sections.changes import change_section
from relcap_models.report.sections.checks import check_section
from relcap_models.report.sections.closing import instrument_section, not_done_section, privacy_section
from relcap_models.report.sections.gaps import gap_section
from relcap_models.report.sections.items import distribution_section, profile_section
from relcap_models.report.sections.leadership_link import link_sections
from relcap_models.report.sections.matrix import matrix_section, network_section
from relcap_models.report.sections.methods import method_section
from relcap_models.report.sections.programme_effect import programme_sections
from relcap_models.report.sections.psychometrics.sections import psychometrics_sections
from relcap_models.report.sections.relation_scores import relation_section
from relcap_models.report.sections.reliability import reliability_section
from relcap_models.report.sections.summary import summary_section
from relcap_models.report.sections.unit_scores import unit_section
from relcap_models.report.sections.variance import variance_section

_RELATION_RESULTS = (
    matrix_section,
    network_section,
    unit_section,
    relation_section,
    gap_section,
    change_section,
    profile_section,
)
_QUALITY = (variance_section, reliability_section)


def sections_of(material: Material) -> tuple[Section, ...]:
    """All sections below the warning. Audience `leader` gets the results without the detail of method."""
    researcher = material.for_researchers
    relations = [a for a in material.analyses if a.kind == "relations"]
    climates = [a for a in material.analyses if a.kind == "climate"]
    sections = [summary_section(material)]
    sections += [build(analysis) for analysis in relations for build in _RELATION_RESULTS]
    sections += programme_sections(material)
    sections += link_sections(material)
    for analysis in climates:
        sections.append(unit_section(analysis))
        if not (relations and analysis.table("changes").empty):
            sections.append(change_section(analysis))
    sections += [] if relations else [_absent(material, "relations", "results")]
    sections += [] if climates else [_absent(material, "climate", "climate")]
    if researcher:
        sections += [build(analysis) for analysis in (*relations, *climates) for build in _QUALITY]
        sections += [distribution_section(analysis) for analysis in (*relations, *climates)]
        sections += psychometrics_sections(material)
        sections += [check_section(material), method_section(material)]
    sections += [instrument_section(material), not_done_section(material), privacy_section(material)]
    return tuple(sections)


def _absent(material: Material, kind: str, group: str) -> Section:
    texts = material.texts
    return Section(
        f"no-{kind}", texts(f"absent.{kind}_title"), (Paragraph(texts(f"absent.{kind}"), "note"),), group
    )
