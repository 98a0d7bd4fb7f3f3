"""What was done on the way, and what could not be."""

from __future__ import annotations

from relcap_models.report.blocks import Block, Bullets, Heading
from relcap_models.report.sections.psychometrics.examined import Examined

_MOST_NOTES = 12


def note_blocks(of: Examined) -> list[Block]:
    texts, table = of.texts, of.table("notes")
    rows = table[table["topic"].isin(["few_units", "merged", "left_out", "too_few_items", "not_estimated"])]
    said = []
    for _, row in rows.iterrows():
        part = str(row["subject"]).partition(":")
        subject = texts.known(f"psychometrics.parts.{part[0]}", part[0])
        dimension = of.analysis.dimension(part[2]) if part[2] else ""
        if row["topic"] == "too_few_items":
            subject = of.analysis.dimension(str(row["subject"]))
        split = str(row["split"])
        group = of.group(split, str(row["group"])) if row["group"] or split == "survey" else ""
        said.append(
            texts(
                f"psychometrics.notes.{row['topic']}",
                subject=f"{subject} ({dimension})" if dimension else subject,
                group=group or texts.known(f"psychometrics.across.{split}", split),
                detail=str(row["detail"]),
            )
        )
    said = list(dict.fromkeys(said))
    if not said:
        return []
    if len(said) > _MOST_NOTES:
        left = texts.whole(len(said) - _MOST_NOTES)
        said = [*said[:_MOST_NOTES], texts("psychometrics.more_notes", n=left)]
    return [Heading(texts("psychometrics.notes_title")), Bullets(tuple(said))]
