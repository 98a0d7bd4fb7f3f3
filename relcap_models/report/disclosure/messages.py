"""What messages about single units and respondents may say in public."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from relcap_models.language import load_texts

WITHHELD = "Withheld: about fewer people than the disclosure rules allow."


class Small(Protocol):
    """What `scrub_checks` must know of one analysis."""

    hidden_items: set[str]
    small_units: set[str]
    hidden_pairs: set[tuple[str, str]]


@dataclass(frozen=True)
class _Rule:
    """What a check is about, beside the units, relations and people that its texts name.

    share : its value is a share of all respondents or ratings, which is rounded and told without names
    number : its value is a number of respondents, withheld where it is below what a mean needs
    item : its subject is an item, withheld with the item's distribution
    statistic : its message tells a unit's mean or standard deviation, which together can leave a single set
        of answers
    """

    share: bool = False
    number: bool = False
    item: bool = False
    statistic: bool = False


_RULES = {
    "pareto_k": _Rule(share=True),
    "fast_extremes": _Rule(share=True),
    "fast_few_respondents": _Rule(share=True),
    "fast_respondents": _Rule(number=True),
    "posterior_predictive_items": _Rule(item=True),
    "posterior_predictive_units": _Rule(statistic=True),
}
"""Of the other checks only what they name matters."""

_STATISTIC = re.compile(r" \([^()]*predicted [^()]*\)")


def scrub_checks(
    checks: pd.DataFrame,
    small: Mapping[str, Small],
    *,
    respondents: Collection[str],
    least: int,
    step: float,
) -> pd.DataFrame:
    """The table of checks without figures about small units, hidden relations and single respondents.

    Rows stay, with their verdict. A posterior predictive check of a unit with two respondents is a figure
    about two people, so `value` is blanked and `message` says only that it is withheld; a respondent's id
    goes too. A share of everybody stays, without the name of the one for whom it is worst. An id that happens
    to be a common word hides more than it must, never less.

    Parameters
    ----------
    checks : `analysis, check, subject, value, threshold, passed, message`.
    small : by analysis; rows of other analyses (of the whole study, say) are held against all of them.
    least : respondents that a mean needs · step : to which shares of everybody are rounded, 0 for not at all
    """
    secrets = {analysis: _Secrets.of([about]) for analysis, about in small.items()}
    everywhere = _Secrets.of(small.values())
    person, texts = _mentions(respondents), load_texts("en")

    def scrub(row: Mapping[str, object]) -> tuple[str, float | None, str]:
        rule = _RULES.get(str(row["check"]), _Rule())
        subject, value, message = _text(row["subject"]), row["value"], _text(row["message"])
        if rule.share:
            value = round(float(value) / step) * step if step else value
            told = {"value": value, "threshold": float(row["threshold"])}
            return "", value, texts.say({"key": f"checks.said.{row['check']}", "values": told})
        if rule.statistic:
            message = _STATISTIC.sub("", message)
        secret = secrets.get(_text(row["analysis"]), everywhere)
        names_person = _found(person, subject) or _found(person, message)
        withheld = (
            names_person
            or (rule.number and float(value) < least)
            or (rule.item and _found(secret.items, subject))
            or secret.is_named(subject, message)
        )
        return (
            "a respondent" if names_person else subject,
            None if withheld else value,
            WITHHELD if withheld else message,
        )

    scrubbed = [scrub(row) for row in checks.to_dict("records")]
    public = checks.copy()
    for place, (column, kind) in enumerate((("subject", str), ("value", float), ("message", str))):
        public[column] = pd.Series([row[place] for row in scrubbed], index=checks.index, dtype=kind)
    return public


@dataclass(frozen=True)
class _Secrets:
    """What must not be told apart: `pairs` of units at the two ends of a hidden relation, and `ends`, all of
    those units."""

    units: re.Pattern[str] | None
    items: re.Pattern[str] | None
    ends: re.Pattern[str] | None
    pairs: set[tuple[str, str]]

    @classmethod
    def of(cls, about: Iterable[Small]) -> _Secrets:
        about = list(about)
        pairs = set().union(*(one.hidden_pairs for one in about))
        return cls(
            units=_mentions(set().union(*(one.small_units for one in about))),
            items=_mentions(set().union(*(one.hidden_items for one in about))),
            ends=_mentions({unit for pair in pairs for unit in pair}),
            pairs=pairs,
        )

    def is_named(self, subject: str, message: str) -> bool:
        """Do the texts name a small unit, or the subject both ends of a hidden relation?"""
        ends = set(self.ends.findall(subject)) if self.ends else set()
        return (
            _found(self.units, subject)
            or _found(self.units, message)
            or any((a, b) in self.pairs for a in ends for b in ends if a != b)
        )


def _mentions(names: Collection[str]) -> re.Pattern[str] | None:
    if not names:
        return None
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")


def _found(pattern: re.Pattern[str] | None, text: str) -> bool:
    return bool(pattern and pattern.search(text))


def _text(value: object) -> str:
    return "" if value is None or value is pd.NA or value != value else str(value)
