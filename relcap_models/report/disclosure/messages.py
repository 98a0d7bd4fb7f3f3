"""What messages about single units and respondents may say in public."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

import pandas as pd

from relcap_models.language import load_texts

WITHHELD = "Withheld: about fewer people than the disclosure rules allow."


class Small(Protocol):
    """What `scrub_checks` must know of one analysis."""

    hidden_items: set[str]
    small_units: set[str]
    hidden_pairs: set[tuple[str, str]]


_OF_EVERYBODY = ("pareto_k", "fast_extremes")
"""Checks whose value is a share of all respondents or ratings."""

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
    goes too. The share of all respondents with a large Pareto k stays, without the name of the worst. An id
    that happens to be a common word hides more than it must, never less.

    Parameters
    ----------
    checks : `analysis, check, subject, value, threshold, passed, message`.
    small : by analysis; rows of other analyses (of the whole study, say) are held against all of them.
    least : respondents that a mean needs · step : to which shares of everybody are rounded, 0 for not at all
    """
    public = checks.copy()
    everything = list(small.values())
    of_respondent = _mentions(respondents)
    patterns = {
        analysis: (_mentions(_units(about)), _both_ends(about)) for analysis, about in _split(small).items()
    }
    items = {analysis: _mentions(about.hidden_items) for analysis, about in small.items()}
    anywhere = (_mentions(_units(everything)), _both_ends(everything))
    public["value"] = public["value"].astype(object)
    for row in public.index:
        subject, message = (_text(public.at[row, column]) for column in ("subject", "message"))
        units, pairs = patterns.get(_text(public.at[row, "analysis"]), anywhere)
        check = public.at[row, "check"]
        about_item = check == "posterior_predictive_items" and _found(
            items.get(_text(public.at[row, "analysis"])), subject
        )
        person = _found(of_respondent, subject) or _found(of_respondent, message)
        if check == "posterior_predictive_units":
            # Mean and standard deviation together can leave a single set of answers.
            message = public.at[row, "message"] = _STATISTIC.sub("", message)
        if check in _OF_EVERYBODY and step:
            share = round(float(public.at[row, "value"]) / step) * step
            told = {"value": share, "threshold": float(public.at[row, "threshold"]), "subject": ""}
            public.at[row, "value"] = share
            message = load_texts("en").say({"key": f"checks.said.{check}", "values": told})
            public.at[row, "message"] = message
        # The share of respondents who weigh much is a figure about all of them, and names none.
        if check == "pareto_k" and not _found(of_respondent, message):
            public.at[row, "subject"] = ""
            continue
        if check == "fast_respondents" and float(public.at[row, "value"]) < least:
            public.at[row, "value"], public.at[row, "message"] = None, WITHHELD
            continue
        if person or about_item or _found(units, subject) or _found(units, message) or pairs(subject):
            public.at[row, "value"] = None
            public.at[row, "message"] = WITHHELD
        if person:
            public.at[row, "subject"] = "a respondent"
    public["value"] = pd.to_numeric(public["value"])
    return public


def _split(small: Mapping[str, Small]) -> dict[str, list[Small]]:
    return {analysis: [about] for analysis, about in small.items()}


def _units(about: Iterable[Small]) -> set[str]:
    return {unit for one in about for unit in one.small_units}


def _both_ends(about: Iterable[Small]):
    pairs = {pair for one in about for pair in one.hidden_pairs}
    ends = {unit for pair in pairs for unit in pair}
    pattern = _mentions(ends)

    def names_pair(text: str) -> bool:
        found = set(pattern.findall(text)) if pattern else set()
        return any((a, b) in pairs for a in found for b in found if a != b)

    return names_pair


def _mentions(names: Collection[str]) -> re.Pattern[str] | None:
    if not names:
        return None
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")


def _found(pattern: re.Pattern[str] | None, text: str) -> bool:
    return bool(pattern and pattern.search(text))


def _text(value: object) -> str:
    return "" if value is None or value is pd.NA or value != value else str(value)
