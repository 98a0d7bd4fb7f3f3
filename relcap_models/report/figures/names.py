"""What is written in a figure: without what its font cannot draw, cut in the middle, no two units alike."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import cache


def drawable(name: str, length: int) -> str:
    """`name` on one line, without what the figures' font cannot draw (emoji, some scripts), and not longer.

    Both ends stay: what tells names apart is often the last word. The tables hold them in full.
    """
    kept = "".join(c if unicodedata.category(c)[0] not in "CZ" and _in_font(c) else " " for c in name)
    kept = " ".join(kept.split())
    if len(kept) > length:
        end = (length - 1) // 2
        kept = f"{kept[: length - 1 - end].rstrip()}…{kept[-end:].lstrip()}"
    return kept or "□"


def unit_labels(names: Mapping[str, str], length: int) -> dict[str, str]:
    """Drawable names by unit id; units whose names look alike when cut have their id behind."""
    labels = {unit_id: drawable(name, length) for unit_id, name in names.items()}
    times = Counter(labels.values())
    for unit_id, label in labels.items():
        if times[label] > 1:
            behind = f" ({drawable(unit_id, length)})"
            labels[unit_id] = drawable(names[unit_id], max(5, length - len(behind))) + behind
    return labels


@cache
def _in_font(character: str) -> bool:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return get_font(findfont(FontProperties(family="DejaVu Sans"))).get_char_index(ord(character)) != 0
