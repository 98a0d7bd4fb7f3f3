"""Which rows of one instrument stay hidden: thresholds first, then what follows from the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from relcap_models.data.survey import Survey
from relcap_models.report.disclosure.build_cells import build_cells, scored_answers
from relcap_models.report.disclosure.cells import Cells, Key
from relcap_models.report.disclosure.complementary import ABSENT, HIDDEN, PUBLISHED, Suppression, protect
from relcap_models.report.disclosure.layout import Place
from relcap_models.report.disclosure.rules import Disclosure, distribution_is_reportable, mean_is_reportable
from relcap_models.schema.instrument import Instrument


@dataclass(frozen=True)
class Shown:
    """What the tables show about one instrument.

    rows : every (wave, row of `Cells`) in a table of means. small : those to hide because a table counts
    fewer respondents than the rules ask for, or had hidden them already. shares : those with a favourable
    share.
    items : items with an organisation-wide distribution that is not hidden yet.
    """

    rows: set[Place] = field(default_factory=set)
    small: set[Place] = field(default_factory=set)
    shares: set[Place] = field(default_factory=set)
    items: set[str] = field(default_factory=set)


@dataclass
class Verdict:
    """What must stay hidden of one instrument.

    means, shares : (wave, row of `Cells`) whose mean, or share of favourable answers, is hidden.
    items : items whose organisation-wide distribution may be shown; hidden_items : those of which it may not
    be, or was given up. whole : nothing at all may be shown.
    small_units : units with a hidden or unreportable row of their own; hidden_pairs : such relations.
    """

    means: set[Place] = field(default_factory=set)
    shares: set[Place] = field(default_factory=set)
    items: set[str] = field(default_factory=set)
    hidden_items: set[str] = field(default_factory=set)
    whole: bool = False
    small_units: set[str] = field(default_factory=set)
    hidden_pairs: set[tuple[str, str]] = field(default_factory=set)


def decide(survey: Survey, instrument: Instrument, shown: Shown, rules: Disclosure) -> Verdict:
    """Hide as few rows of one instrument as the greedy order finds, wave by wave.

    Differences (perception gaps, changes) show nothing that their two sides do not show, and are hidden with
    either side, so they add no equations. The exceptions are changes of the organisation and
    organisation-wide distributions, whose sides stand in no table: each wave's total is taken as known to the
    attacker, who is thereby stronger than any difference or pooling of waves makes them, and waves separate.
    """
    answers = scored_answers(survey.responses, instrument)
    n_leaders = _leaders(survey.units)
    items, whole = _organisation(answers, instrument, n_leaders, rules)
    verdict = Verdict(items=items & shown.items, whole=whole)
    for wave in sorted({wave for wave, _ in shown.rows} | set(answers["wave"])):
        keys, small, shares = (
            {k for w, k in s if w == wave} for s in (shown.rows, shown.small, shown.shares)
        )
        cells = build_cells(
            answers[answers["wave"] == wave],
            instrument,
            pairs={(key[1], key[2]) for key in keys if key[0] in ("relation", "within", "item")},
            n_leaders=n_leaders,
        )
        means = _hide_means(cells, keys, small, verdict, instrument, rules)
        distributions = _hide_shares(cells, means, shares, verdict, instrument, rules)
        nobody = {key for key in keys if key not in cells.index}
        verdict.means |= {(wave, key) for key in _hidden(cells, means) | nobody}
        verdict.shares |= {(wave, key) for key in _hidden(cells, distributions) | nobody}
        _note_small(verdict, cells, means, rules)
    verdict.hidden_items = (set(instrument.item_ids) - items) | (shown.items - verdict.items)
    return verdict


def _leaders(units: pd.DataFrame) -> dict[str, float]:
    if "n_leaders" not in units:
        return {}
    stated = pd.Series(pd.to_numeric(units["n_leaders"]).to_numpy(float), index=units["unit_id"].astype(str))
    return stated.dropna().to_dict()


def _organisation(
    answers: pd.DataFrame, instrument: Instrument, n_leaders: Mapping[str, float], rules: Disclosure
) -> tuple[set[str], bool]:
    """The items whose distribution over everybody may be shown, and whether nothing at all may be."""
    cells = build_cells(answers, instrument, n_leaders=n_leaders)
    item = cells.base["item"].to_numpy()
    groups = {i: cells.group(np.flatnonzero(item == i)) for i in np.unique(item)}
    reportable = {i for i, group in groups.items() if distribution_is_reportable(group, rules)}
    everybody = cells.group(np.arange(len(item))) if len(item) else None
    return reportable, everybody is None or not mean_is_reportable(everybody, rules)


def _hide_means(
    cells: Cells, keys: set[Key], small: set[Key], verdict: Verdict, instrument: Instrument, rules: Disclosure
) -> np.ndarray:
    reportable = mean_is_reportable(cells.groups, rules)
    state = _start(cells, keys, small, reportable)
    by_item = any(key[0] == "item" for key in keys)
    given_up = _organisation_rows(cells, state, verdict.items, instrument, by_item=by_item)
    suppression = Suppression(cells, state, lambda group: bool(mean_is_reportable(group, rules)), given_up)
    n = cells.figures["n_answers"]
    lowest, highest = (n * cells.figures[end] for end in ("minimum", "maximum"))
    listed_small = np.isin(np.arange(len(state)), [cells.index[key] for key in small if key in cells.index])
    few = (cells.groups.n_respondents < rules.min_respondents_mean) | listed_small
    protect(
        suppression,
        means=True,
        few=few,
        secret=~reportable | listed_small,
        lowest=lowest,
        total=cells.figures["total"],
        highest=highest,
    )
    verdict.items = _left(cells, state, verdict.items, instrument, by_item=by_item)
    return state


def _hide_shares(
    cells: Cells,
    means: np.ndarray,
    keys: set[Key],
    verdict: Verdict,
    instrument: Instrument,
    rules: Disclosure,
) -> np.ndarray:
    reportable = distribution_is_reportable(cells.groups, rules)
    state = _start(cells, keys, set(), reportable & (means == PUBLISHED))
    given_up = _organisation_rows(cells, state, verdict.items, instrument, by_item=False)
    suppression = Suppression(
        cells, state, lambda group: bool(distribution_is_reportable(group, rules)), given_up
    )
    n, favourable = (cells.figures[name] for name in ("n_answers", "n_favourable"))
    few = np.zeros(len(cells.keys), dtype=bool)
    protect(suppression, means=False, few=few, secret=~reportable, lowest=0 * n, total=favourable, highest=n)
    verdict.items = _left(cells, state, verdict.items, instrument, by_item=False)
    return state


def _start(cells: Cells, keys: set[Key], small: set[Key], reportable: np.ndarray) -> np.ndarray:
    state = np.full(len(cells.keys), ABSENT)
    rows = np.array([cells.index[key] for key in keys if key in cells.index], dtype=int)
    state[rows] = np.where(reportable[rows], PUBLISHED, HIDDEN)
    state[[cells.index[key] for key in small if key in cells.index]] = HIDDEN
    return state


def _item_rows(cells: Cells, item: str, instrument: Instrument, *, by_item: bool) -> list[int]:
    """The rows that the organisation-wide distribution of an item stands for.

    Where no single item of a relation or unit is shown or hidden, only the sum over a dimension's items can
    tell anything about a hidden row, so a much smaller system asks the same question.
    """
    dimension = next(i.dimension for i in instrument.items if i.id == item)
    names = (
        (("items", item), ("items_within", item))
        if by_item
        else (("total", dimension), ("total_within", dimension))
    )
    return [cells.index[kind, "", "", name] for kind, name in names if (kind, "", "", name) in cells.index]


def _organisation_rows(
    cells: Cells, state: np.ndarray, items: set[str], instrument: Instrument, *, by_item: bool
) -> set[int]:
    """Mark the rows of the shown item distributions as published; return those that may be given up."""
    rows = {row for item in items for row in _item_rows(cells, item, instrument, by_item=by_item)}
    given_up = {row for row in rows if state[row] == ABSENT}
    state[sorted(given_up)] = PUBLISHED
    return given_up


def _left(
    cells: Cells, state: np.ndarray, items: set[str], instrument: Instrument, *, by_item: bool
) -> set[str]:
    return {
        item
        for item in items
        if all(state[row] == PUBLISHED for row in _item_rows(cells, item, instrument, by_item=by_item))
    }


def _hidden(cells: Cells, state: np.ndarray) -> set[Key]:
    return {cells.keys[row] for row in np.flatnonzero(state == HIDDEN)}


def _note_small(verdict: Verdict, cells: Cells, state: np.ndarray, rules: Disclosure) -> None:
    small = (state == HIDDEN) | ~mean_is_reportable(cells.groups, rules)
    for row in np.flatnonzero(small):
        kind, rater, target, _ = cells.keys[row]
        if kind in ("as_rater", "seen_by", "within"):
            verdict.small_units.add(rater or target)
        elif kind == "relation":
            verdict.hidden_pairs.add((rater, target))
