"""Disclosure control of the tables `programme_*`.

An effect is an average over the relations of a cohort, and a cohort can be small. What is averaged over all
relations is shown if enough respondents are behind it. Averages of its parts (cohorts, waves, checks on some
of the answers) and of the whole tell each other, so where one part rests on too few respondents, nothing but
the whole is shown. `interaction` is made of the three others, and where one of them has such a part, so has
it; so have the components of a programme among each other.

Simpler methods, their weights and checks are about the same answers, and follow the effects. A check that
leaves one unit out would tell of that unit with the whole beside it: which one it was is not told. Who stayed
and who left can be so few that their answers would follow from an effect with and without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.report.disclosure.rules import Disclosure

PREFIX = "programme_"
_EFFECTS = "programme_effects"
_TYPES = "programme_relation_types"
_ABOUT = {
    _EFFECTS: "analysis estimand aggregate group time scale component dimension assignment design goal "
    "ci_prob ci_kind",
    _TYPES: "analysis estimand rater_type target_type scale component dimension assignment design goal "
    "ci_prob ci_kind",
    "programme_comparisons": "analysis method estimand aggregate group time dimension ci_prob",
    "programme_weights": "analysis estimand comparison treated control",
    "programme_threats": "analysis threat variant estimand quantity ci_prob",
}
"""Columns that stay in a hidden row: what it is about."""
_INTERACTION = "interaction"
_ENDS = ("rater_end", "target_end", "both_ends")
_LEFT_OUT = "leave_one_out"
_CLUSTER = "cluster:"


@dataclass(frozen=True)
class _Verdict:
    """Of each analysis and estimand: whether the whole is hidden, and whether its parts are."""

    whole: frozenset[tuple[str, str]]
    parts: frozenset[tuple[str, str]]


def hide_programmes(
    name: str,
    tables: Mapping[str, pd.DataFrame],
    rules: Disclosure,
    *,
    some_small: bool,
) -> pd.DataFrame:
    """One of the tables with what must stay hidden blank.

    some_small : numbers of everybody would tell a small unit's
    """
    table = tables[name]
    public = table.copy()
    if name in _ABOUT:
        hidden = _hidden(name, table, _verdict(tables, rules), rules)
        if name == "programme_threats":
            public["note"] = _without_units(table, tables, some_small=some_small)
        public["suppressed"] = hidden
        for column in public.columns.difference([*_ABOUT[name].split(), "suppressed"]):
            values = public[column].astype("Int64") if column.startswith("n_") else public[column]
            public[column] = values.mask(hidden)
    if "n_respondents" in public:
        counts = public["n_respondents"].astype("Int64")
        few = (counts < rules.min_respondents_mean).fillna(True).to_numpy(bool)
        public["n_respondents"] = counts.mask(few | some_small)
    if name == "programme_threats":
        people = (table["quantity"] == "share").to_numpy()
        public["n"] = public["n"].mask(people & some_small)
    return public


def _verdict(tables: Mapping[str, pd.DataFrame], rules: Disclosure) -> _Verdict:
    """Nothing is hidden where there are no effects: then there are no answers in the other tables either."""
    table = tables.get(_EFFECTS)
    if table is None:
        return _Verdict(frozenset(), frozenset())
    few = table["n_respondents"] < rules.min_respondents_mean
    about = list(zip(table["analysis"], table["estimand"], strict=True))
    whole = few & (table["aggregate"] == "simple") & (table["component"] == "")
    return _Verdict(
        _with_interaction({pair for pair, gone in zip(about, whole, strict=True) if gone}),
        _with_interaction({pair for pair, gone in zip(about, few, strict=True) if gone}),
    )


def _with_interaction(pairs: set[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    return frozenset(pairs | {(analysis, _INTERACTION) for analysis, end in pairs if end in _ENDS})


def _hidden(name: str, table: pd.DataFrame, verdict: _Verdict, rules: Disclosure) -> np.ndarray:
    about = list(zip(table["analysis"], table["estimand"], strict=True))
    whole = np.array([pair in verdict.whole for pair in about], dtype=bool)
    parts = np.array([pair in verdict.parts for pair in about], dtype=bool)
    if name == _EFFECTS:
        return whole | (parts & ~_is_whole(table))
    if name == _TYPES:
        # Types tell each other with the whole beside them.
        few = table["n_respondents"] < rules.min_respondents_mean
        return whole | few.groupby([table["analysis"], table["estimand"]]).transform("any").to_numpy(bool)
    if name == "programme_comparisons":
        few = (table["n_relations"] < rules.min_respondents_mean).to_numpy(bool)
        return whole | few | (parts & (table["aggregate"] != "simple").to_numpy())
    if name == "programme_weights":
        return whole | parts
    # A check that leaves one out counts how many there are to leave out, the others relations.
    counted = (table["quantity"] == "effect") & (table["threat"] != _LEFT_OUT)
    few = ((table["n"].astype(float) < rules.min_respondents_mean) & counted).to_numpy()
    return whole | few | (parts & (table["threat"] != "none").to_numpy()) | _who_stayed(table, rules)


def _is_whole(table: pd.DataFrame) -> np.ndarray:
    """Averages over all relations; a component's is a part of the programme's."""
    return ((table["aggregate"] == "simple") & (table["component"] == "")).to_numpy()


def _who_stayed(table: pd.DataFrame, rules: Disclosure) -> np.ndarray:
    """Shares that count too few people, their complements, and then effects among some of the people."""
    dropout = (table["threat"] == "dropout").to_numpy()
    shares = dropout & (table["quantity"] == "share").to_numpy()
    n = table["n"].astype(float).to_numpy()
    people = np.where(shares, (table["value"].astype(float) * n).round(), 0.0)
    least = rules.min_respondents_mean
    few = shares & (((people > 0) & (people < least)) | (n < least))
    cohort = table["variant"].astype(str).str.partition(":")[2]
    by_cohort = [table["analysis"], pd.Series(cohort, index=table.index)]
    hidden = shares & pd.Series(few, index=table.index).groupby(by_cohort).transform("any").to_numpy()
    some = pd.Series(few, index=table.index).groupby(table["analysis"]).transform("any").to_numpy()
    return hidden | (dropout & ~shares & some)


def _without_units(table: pd.DataFrame, tables: Mapping[str, pd.DataFrame], *, some_small: bool) -> pd.Series:
    """The notes, without the name of a unit that was left out; a district's may stand if none is small."""
    designs = tables.get("programme_designs", pd.DataFrame(columns=["analysis", "assigned"]))
    districts = set() if some_small else set(designs["analysis"][designs["assigned"] == "district"])
    kept = (
        table["note"]
        .astype(str)
        .map(lambda note: ";".join(code for code in note.split(";") if not code.startswith(_CLUSTER)))
    )
    return table["note"].where(table["analysis"].isin(districts), kept)
