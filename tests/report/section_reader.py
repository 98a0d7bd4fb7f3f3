"""What a section of the report says, as a reader finds it."""

from relcap_models.report.blocks import Bullets, Heading, Paragraph, Picture, Table
from relcap_models.report.sections.leadership_link import link_sections


def link_blocks(material):
    """Blocks of the one section on a leadership link."""
    (section,) = link_sections(material)
    return section.blocks


def words_of(blocks):
    words = []
    for block in blocks:
        words += [getattr(block, name, "") for name in ("text", "caption", "alt")]
        words += getattr(block, "items", ())
        words += [text for pair in getattr(block, "pairs", ()) for text in pair]
        words += [cell.text for row in getattr(block, "rows", ()) for cell in row]
        words += [column.label for column in getattr(block, "columns", ())]
    return " ".join(words)


def lead_of(blocks):
    return next(b.text for b in blocks if isinstance(b, Paragraph) and b.style == "lead")


def pictures_of(blocks):
    return {b.name.partition("_1-")[0]: b for b in blocks if isinstance(b, Picture)}


def bullets_after(blocks, title):
    place = next(n for n, b in enumerate(blocks) if isinstance(b, Heading) and b.text == title)
    return next(b.items for b in blocks[place:] if isinstance(b, Bullets))


def tables_of(blocks, name):
    return [b for b in blocks if isinstance(b, Table) and b.source == f"tables/{name}.csv"]


def read_again(folder):
    from relcap_models.language import load_texts
    from relcap_models.report.material import Material
    from relcap_models.report.results import read_results

    results = read_results(folder)
    return Material(results, load_texts(results.context["report"]["language"]))
