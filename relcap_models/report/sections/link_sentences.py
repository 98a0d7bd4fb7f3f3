"""What a leadership link found, in sentences that follow its table."""

from __future__ import annotations

import math
from collections import Counter

import pandas as pd

from relcap_models.report.sections.cells import difference_with_interval, in_words
from relcap_models.report.sections.link_rows import LEVELS, Condition, LinkRows, Pair

FEW_UNITS = 10
MOSTLY_PRIOR = 0.5
"""Share of the prior's squared width that is left, from which it is said."""


def answer_sentence(link: LinkRows, pair: Pair, level: str) -> str:
    """The answer: direction and size in points."""
    found = link.answer(pair, level)
    if found is None:
        return ""
    texts, analysis, (condition, row) = link.texts, link.analysis, found
    side = direction(row)
    return texts(
        f"links.answer.{level}.{condition.source}.{side}",
        leadership=link.title(pair[0]),
        outcome=link.title(pair[1]),
        points=texts.signed(row["mean"]) if side == "unclear" else texts.number(abs(row["mean"])),
        interval=texts.interval(row["lower"], row["upper"]),
        ci=link.ci,
        minimum=texts.whole(analysis.minimum),
        maximum=texts.whole(analysis.maximum),
    )


def direction(row: pd.Series) -> str:
    """Of an estimate whose interval excludes zero; `unclear` otherwise."""
    if row["lower"] > 0:
        return "positive"
    return "negative" if row["upper"] < 0 else "unclear"


def chance_sentence(link: LinkRows, pair: Pair, level: str) -> str:
    """P(the difference is large enough to matter), in the direction in which it more probably lies."""
    found = link.answer(pair, level)
    chances = None if found is None else _chances(found[1])
    if chances is None:
        return ""
    texts, (side, large, small) = link.texts, chances
    return texts(
        f"links.chance.{side}",
        smallest=texts.number(link.smallest),
        words=in_words(texts, large),
        p=texts.p(large),
        small_words=in_words(texts, small),
        small_p=texts.p(small),
    )


def _chances(row: pd.Series) -> tuple[str, float, float] | None:
    """The side on which the estimate lies, P(beyond the smallest effect on it), P(smaller on either)."""
    if row[["prob_smallest", "prob_rope"]].isna().any():
        return None
    above, small = float(row["prob_smallest"]), float(row["prob_rope"])
    if row["mean"] >= 0:
        return "positive", above, small
    return "negative", max(0.0, 1 - above - small), small


def several_sentence(link: LinkRows, level: str) -> str:
    """How many of the links between dimensions have a sure direction."""
    found = [link.answer(pair, level) for pair in link.leadership_pairs]
    directions = Counter(direction(row) for _, row in filter(None, found))
    counts = {name: link.texts.whole(directions[name]) for name in ("positive", "negative", "unclear")}
    return link.texts(f"links.several.{level}", n=link.texts.whole(directions.total()), ci=link.ci, **counts)


def short_sentences(link: LinkRows, level: str) -> list[str]:
    """The answer for each pair of dimensions."""
    texts, sentences = link.texts, []
    for pair in link.leadership_pairs:
        found = link.answer(pair, level)
        if found is None:
            continue
        sentence = texts(
            "links.several.one", link=link.label(pair), estimate=difference_with_interval(texts, found[1])
        )
        if (chances := _chances(found[1])) is not None:
            side, large, _ = chances
            words, smallest = in_words(texts, large), texts.number(link.smallest)
            sentence += texts(f"links.several.{side}", smallest=smallest, words=words, p=texts.p(large))
        sentences.append(f"{sentence}.")
    return sentences


def summary_sentence(link: LinkRows) -> str:
    """What the report's summary says of the link."""
    if link.several:
        return several_sentence(link, "between")
    pair = link.leadership_pairs[0]
    return f"{answer_sentence(link, pair, 'between')} {chance_sentence(link, pair, 'between')}".strip()


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
    estimate, sentences = difference_with_interval(texts, row), []
    unadjusted = link.effect(pair, level, Condition("different", False)) if condition.adjusted else None
    if unadjusted is not None:
        other = difference_with_interval(texts, unadjusted)
        sentences.append(texts("links.compared.adjusted", adjusted=estimate, unadjusted=other))
    same = link.effect(pair, level, Condition("same", False)) if condition.source == "different" else None
    if same is not None:
        sentences.append(texts("links.compared.same", estimate=difference_with_interval(texts, same)))
    naive = link.effect(pair, level, condition, method="naive") if "naive" in link.methods else None
    if naive is not None:
        other = difference_with_interval(texts, naive)
        sentences.append(texts("links.compared.naive", naive=other, joint=estimate))
    return sentences


def few_units_sentence(link: LinkRows) -> str:
    """Fewer than ten units say little, and how much of the answer is then the prior's is said beside."""
    joint = link.estimates[(link.estimates["method"] == "joint") & link.estimates["n_units"].notna()]
    # The roster is an upper limit where the number itself may not be told.
    n = int(joint["n_units"].max()) if len(joint) else len(link.material.units)
    return link.texts.count("links.few_units", n) if 0 < n < FEW_UNITS else ""


def prior_shares(link: LinkRows, level: str) -> list[float]:
    """What is left of the prior's interval in each answer, as a share of its squared width."""
    found = [link.answer(pair, level) for pair in link.leadership_pairs]
    shares = [float(row["prior_share"]) for _, row in filter(None, found)]
    return [share for share in shares if not math.isnan(share)]


def prior_sentences(link: LinkRows) -> list[str]:
    """By how much the answers have narrowed the interval that the prior alone would give, at each level."""
    texts, sentences = link.texts, []
    for level in LEVELS:
        shares = prior_shares(link, level)
        if shares:
            key = "several" if link.several else "much" if shares[0] > MOSTLY_PRIOR else "little"
            sentences.append(
                texts(
                    f"links.prior.{key}",
                    level=texts(f"links.levels_title.{level}"),
                    width=texts.percent(math.sqrt(min(shares))),
                    share=texts.percent(min(shares)),
                    most_width=texts.percent(math.sqrt(max(shares))),
                    most_share=texts.percent(max(shares)),
                )
            )
    return sentences
