"""What a leadership link found, in sentences that follow its table."""

from __future__ import annotations

import math

import pandas as pd

from relcap_models.report.sections.cells import difference_with_interval
from relcap_models.report.sections.link_rows import Condition, LinkRows

FEW_UNITS = 10
MOSTLY_PRIOR = 0.5
"""Share of the prior's squared width that is left, from which it is said."""
_WORDS = (
    (0.99, "almost_certain"),
    (0.90, "very_likely"),
    (0.66, "likely"),
    (0.33, "even"),
    (0.10, "unlikely"),
    (0.01, "very_unlikely"),
    (0.0, "almost_impossible"),
)

Pair = tuple[str, str]


def answer_sentences(link: LinkRows, pair: Pair, level: str) -> list[str]:
    """The answer: direction, size in points, and whether it is large enough to matter."""
    found = link.answer(pair, level)
    if found is None:
        return []
    condition, row = found
    texts, analysis = link.texts, link.analysis
    direction = _direction(row)
    sentences = [
        texts(
            f"links.answer.{level}.{condition.source}.{direction}",
            leadership=link.title(pair[0]),
            outcome=link.title(pair[1]),
            points=texts.signed(row["mean"]) if direction == "unclear" else texts.number(abs(row["mean"])),
            interval=texts.interval(row["lower"], row["upper"]),
            ci=link.ci,
            minimum=texts.whole(analysis.minimum),
            maximum=texts.whole(analysis.maximum),
        )
    ]
    if not math.isnan(row["prob_smallest"]) and not math.isnan(row["prob_rope"]):
        sentences.append(_chance(link, row))
    return sentences


def _direction(row: pd.Series) -> str:
    if row["lower"] > 0:
        return "positive"
    return "negative" if row["upper"] < 0 else "unclear"


def _chance(link: LinkRows, row: pd.Series) -> str:
    """P(the difference is large enough to matter), in the direction in which it more probably lies."""
    texts, side = link.texts, "positive" if row["mean"] >= 0 else "negative"
    small = float(row["prob_rope"])
    large = float(row["prob_smallest"])
    if side == "negative":
        large = max(0.0, 1 - large - small)
    return texts(
        f"links.chance.{side}",
        smallest=texts.number(link.smallest),
        words=_in_words(link, large),
        p=texts.p(large),
        small_words=_in_words(link, small),
        small_p=texts.p(small),
    )


def _in_words(link: LinkRows, probability: float) -> str:
    word = next(word for least, word in _WORDS if probability >= least)
    return link.texts(f"links.words.{word}")


def favourable_sentence(link: LinkRows, pair: Pair) -> str:
    """The same in answers that count as favourable, in percentage points."""
    found = link.answer(pair, "between")
    row = None if found is None else link.effect(pair, "between", found[0], scale="probability")
    if row is None:
        return ""
    texts = link.texts
    return texts(
        "links.favourable",
        favourable=texts.whole(link.analysis.favourable_from),
        share=texts.signed(100 * row["mean"], 1),
        interval=texts.interval(100 * row["lower"], 100 * row["upper"], 1),
        ci=link.ci,
    )


def compared_sentences(link: LinkRows, pair: Pair, level: str) -> list[str]:
    """What the other comparisons give: without adjustment, with one source, from unit means."""
    found = link.answer(pair, level)
    if found is None:
        return []
    texts, (condition, row) = link.texts, found
    sentences = []
    others = {
        "unadjusted": Condition("different", False) if condition.adjusted else None,
        "same": Condition("same", False) if condition.source == "different" else None,
    }
    for name, other in others.items():
        known = other and link.effect(pair, level, other)
        if known is not None:
            sentences.append(texts(f"links.compared.{name}", estimate=difference_with_interval(texts, known)))
    naive = link.effect(pair, level, condition, method="naive")
    if naive is not None:
        sentences.append(
            texts(
                "links.compared.naive",
                naive=difference_with_interval(texts, naive),
                joint=difference_with_interval(texts, row),
            )
        )
    return sentences


def few_units_sentence(link: LinkRows) -> str:
    """Fewer than ten units say little, and how much of the answer is then the prior's is said beside."""
    joint = link.estimates[(link.estimates["method"] == "joint") & link.estimates["n_units"].notna()]
    # The roster is an upper limit where the number itself may not be told.
    n = int(joint["n_units"].max()) if len(joint) else len(link.material.units)
    return link.texts.count("links.few_units", n) if 0 < n < FEW_UNITS else ""


def prior_sentences(link: LinkRows, *, always: bool) -> list[str]:
    """How much of the interval that the prior alone would give is left, where that is much (or always)."""
    texts, sentences = link.texts, []
    for level in ("between", "within"):
        for pair in link.leadership_pairs:
            found = link.answer(pair, level)
            if found is None or math.isnan(found[1]["prior_share"]):
                continue
            share = float(found[1]["prior_share"])
            much = share > MOSTLY_PRIOR
            if much or always:
                sentences.append(
                    texts(
                        f"links.prior.{'much' if much else 'little'}",
                        link=link.label(pair),
                        level=texts(f"links.levels.{level}"),
                        width=texts.percent(math.sqrt(share)),
                        share=texts.percent(share),
                    )
                )
    return sentences
