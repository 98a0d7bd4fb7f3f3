"""From uncontrolled result tables to public ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from relcap_models.data.survey import Survey
from relcap_models.report.disclosure.decide import Shown, Verdict, decide
from relcap_models.report.disclosure.headcounts import small_rater_units, step_of_shares
from relcap_models.report.disclosure.layout import (
    COUNTS,
    DISTRIBUTION,
    IDS,
    ORGANISATION,
    UNCONTROLLED,
    instrument_of_analyses,
    row_places,
)
from relcap_models.report.disclosure.links import PREFIX as LINKS
from relcap_models.report.disclosure.links import hide_links, links_shown, verdicts_of_links
from relcap_models.report.disclosure.messages import scrub_checks
from relcap_models.report.disclosure.programmes import PREFIX as PROGRAMMES
from relcap_models.report.disclosure.programmes import hide_programmes
from relcap_models.report.disclosure.psychometrics import PREFIX, hide_psychometrics, items_shown
from relcap_models.report.disclosure.ranks import COLUMNS as RANKS
from relcap_models.report.disclosure.ranks import ranks_to_hide
from relcap_models.report.disclosure.rules import Disclosure
from relcap_models.schema.instrument import Instrument

SHARES = ["observed", "predicted_mean", "predicted_lower", "predicted_upper"]


def apply_disclosure(
    tables: Mapping[str, pd.DataFrame], survey: Survey, rules: Disclosure
) -> dict[str, pd.DataFrame]:
    """The tables with every figure hidden that says too much about few people, or lets it be worked out.

    Hidden rows stay, with `suppressed` true and every figure and count blank. Where only the share of
    favourable answers is hidden the row is not `suppressed` and its `favourable_*` columns are blank.
    Analyses of one instrument share their decisions, because they show the same answers. The input is not
    changed.

    Posterior intervals and ranks go with their mean, and so may ranks beside a hidden one (`ranks`). Where a
    unit is small, numbers of the whole organisation are blank, and shares of all respondents are rounded
    (`headcounts`).

    Parameters
    ----------
    tables : uncontrolled tables by name, as the estimands make them.
    survey : the answers behind them.

    Raises
    ------
    DataError
        If the instrument of an analysis cannot be told from its dimensions and items.
    ValueError
        If there is no rule for a table.
    """
    handled = {*IDS, *ORGANISATION, *UNCONTROLLED}
    unknown = sorted(n for n in tables if n not in handled and not n.startswith((PREFIX, LINKS, PROGRAMMES)))
    if unknown:
        raise ValueError(
            f"no disclosure rule for the tables {', '.join(unknown)}; they must not become public"
        )
    instruments = instrument_of_analyses(tables, survey.instruments)
    shown = _what_is_shown(tables, instruments, rules)
    items_shown(tables, shown)
    waves = [wave.id for wave in survey.waves]
    links_shown(tables, shown, list(survey.instruments), waves)
    verdicts = {name: decide(survey, survey.instruments[name], what, rules) for name, what in shown.items()}
    answered = survey.responses["respondent_id"].astype(str).unique()
    some_small = bool(small_rater_units(survey.responses, rules))
    step = step_of_shares(survey.responses) if some_small else 0.0
    by_analysis = {analysis: verdicts[instrument.id] for analysis, instrument in instruments.items()}
    public = {}
    for name, table in tables.items():
        if name in IDS:
            public[name] = _blank(name, table, instruments, by_analysis, rules, some_small)
            if name == "item_distributions" and step:
                shares = [column for column in SHARES if column in table]
                public[name][shares] = (public[name][shares].astype(float) / step).round() * step
        elif name.startswith(PREFIX):
            public[name] = hide_psychometrics(name, table, verdicts, some_small=some_small, step=step)
        elif name.startswith(LINKS):
            public[name] = hide_links(name, table, verdicts, waves, some_small=some_small)
        elif name.startswith(PROGRAMMES):
            public[name] = hide_programmes(name, tables, rules, some_small=some_small)
        elif name in ORGANISATION:
            public[name] = _blank_organisation(name, table, by_analysis)
        elif name == "checks":
            public[name] = scrub_checks(
                table,
                by_analysis | verdicts_of_links(tables, verdicts),
                respondents=set(answered),
                least=rules.min_respondents_mean,
                step=step,
            )
        elif name == "intake" and some_small:
            public[name] = table.assign(**dict.fromkeys(table.columns.drop("instrument"), pd.NA))
        else:
            public[name] = table.copy()
    return public


def _few(table: pd.DataFrame, rules: Disclosure) -> np.ndarray:
    """Rows that were hidden before, or that count fewer respondents than a mean needs."""
    hidden = np.zeros(len(table), dtype=bool)
    if "suppressed" in table:
        hidden = table["suppressed"].astype("boolean").fillna(False).to_numpy(bool)
    counts = [column for column in COUNTS if column in table and column.startswith("n_respondents")]
    return hidden | (table[counts].astype(float) < rules.min_respondents_mean).any(axis=1).to_numpy(bool)


def _what_is_shown(
    tables: Mapping[str, pd.DataFrame], instruments: Mapping[str, Instrument], rules: Disclosure
) -> dict[str, Shown]:
    shown = {instrument.id: Shown() for instrument in instruments.values()}
    for name, table in tables.items():
        if name not in IDS:
            continue
        about = [shown[instruments[analysis].id] for analysis in table["analysis"].astype(str)]
        few = _few(table, rules)
        if name == "item_distributions":
            for what, item, gone in zip(about, table["item"].astype(str), few, strict=True):
                if not gone:
                    what.items.add(item)
            continue
        for what, places, is_few in zip(about, row_places(name, table, instruments), few, strict=True):
            what.rows.update(places)
            if is_few and len(places) == 1:
                what.small.update(places)
            if name in ("relation_scores", "unit_scores"):
                what.shares.update(places)
    return shown


def _blank(
    name: str,
    table: pd.DataFrame,
    instruments: Mapping[str, Instrument],
    verdicts: Mapping[str, Verdict],
    rules: Disclosure,
    some_small: bool,
) -> pd.DataFrame:
    about = [verdicts[analysis] for analysis in table["analysis"].astype(str)]
    shares = np.zeros(len(table), dtype=bool)
    if name == "item_distributions":
        hidden = [
            item not in verdict.items for verdict, item in zip(about, table["item"].astype(str), strict=True)
        ]
    else:
        places = list(row_places(name, table, instruments))
        hidden = [not verdict.means.isdisjoint(p) for verdict, p in zip(about, places, strict=True)]
        shares = np.array(
            [not verdict.shares.isdisjoint(p) for verdict, p in zip(about, places, strict=True)]
        )
    suppressed = np.asarray(hidden, dtype=bool) | _few(table, rules)
    ranks = ranks_to_hide(table, suppressed, rules) if "prob_lowest_k" in table else suppressed
    public = table.copy()
    public["suppressed"] = suppressed
    for column in public.columns:
        if column in COUNTS:
            public[column] = public[column].astype("Int64")
        if column not in IDS[name] and column != "suppressed":
            blank = suppressed
            if column in DISTRIBUTION:
                blank = suppressed | shares
            elif column in RANKS:
                blank = ranks
            elif column in COUNTS and "level" in table and some_small:
                blank = suppressed | (table["level"] == "organisation").to_numpy()
            public[column] = public[column].mask(blank)
    return public


def _blank_organisation(name: str, table: pd.DataFrame, verdicts: Mapping[str, Verdict]) -> pd.DataFrame:
    analysis = table["analysis"].astype(str)
    whole = analysis.map(lambda a: a in verdicts and verdicts[a].whole).to_numpy(bool)
    if name == "item_parameters":
        # Thresholds are little else than the distribution of an item's answers.
        items = zip(analysis, table["item"].astype(str), strict=True)
        hidden = [a in verdicts and item in verdicts[a].hidden_items for a, item in items]
        whole = whole | np.array(hidden, dtype=bool)
    public = table.copy()
    for column in public.columns.difference(ORGANISATION[name]):
        public[column] = public[column].mask(whole)
    return public
