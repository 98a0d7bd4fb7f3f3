"""Complementary suppression: nothing hidden may follow from what is published.

Three nets, each wider than the one before, until all are quiet:

1. *Families.* A published sum minus its published parts is a published figure too. The hidden rest must pass
   the same test as a cell of its own, and must not be a single cell (the residual rule of Hundepool et al.
   2012, Statistical Disclosure Control, section 4.3: two hidden cells with two respondents each are a cell of
   four).
2. *Linear algebra* (`linear`): a hidden figure that is any linear combination of published ones.
3. *Intervals* (`intervals`): a hidden count or sum of answers that bounds and margins leave one value.

Each finding hides the published row that costs least (fewest respondents), which shows again in the first
net. The problem of hiding as little as possible is NP-hard; this greedy order is the usual heuristic. An
attacker who also simulates the order in which rows were hidden is not modelled.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

import numpy as np

from relcap_models.report.disclosure.cells import Cells, Key
from relcap_models.report.disclosure.intervals import pinned_counts, pinned_sums
from relcap_models.report.disclosure.linear import Leak, determined
from relcap_models.report.disclosure.rules import Group

ABSENT, PUBLISHED, HIDDEN = 0, 1, 2
"""States of a row. Absent rows stand in no table: they need no protection and give nothing away."""


class Suppression:
    """The states of the rows of one wave, and the moves that hide more of them.

    Parameters
    ----------
    state : (row,), changed in place.
    reportable : the test that a group must pass.
    given_up : rows that turn absent instead of hidden: organisation-wide figures that are given up to protect
        others and are no secret themselves.
    """

    def __init__(
        self, cells: Cells, state: np.ndarray, reportable: Callable[[Group], bool], given_up: set[int]
    ) -> None:
        self.cells, self.state, self.reportable, self.given_up = cells, state, reportable, given_up
        self.columns = {key[3] for key in cells.keys if key[0] in ("relation", "within")}
        self._queue = list(range(len(cells.families)))
        self._waiting = set(self._queue)
        self._families_led: dict[int, list[int]] = {}
        for number, family in enumerate(cells.families):
            self._families_led.setdefault(family.parent, []).append(number)

    def hide(self, row: int) -> None:
        self.state[row] = ABSENT if row in self.given_up else HIDDEN
        for number in (*self.cells.families_of.get(row, ()), *self._families_led.get(row, ())):
            if number not in self._waiting:
                self._waiting.add(number)
                heapq.heappush(self._queue, number)

    def cheapest(self, rows: Iterable[int]) -> int | None:
        """The published row that loses least: few respondents, and no margin newly opened."""
        published = [int(row) for row in rows if self.state[row] == PUBLISHED]
        return min(published, key=lambda row: (self._cost(row), row), default=None)

    def _cost(self, row: int) -> float:
        opened = 0
        for number in self.cells.families_of.get(row, ()):
            family = self.cells.families[number]
            if self.state[family.parent] == PUBLISHED and np.all(self.state[family.children] == PUBLISHED):
                opened += 1  # a margin without a hidden part needs a second one after this
        return float(self.cells.groups.n_respondents[row]) * (1 + opened)

    def sums_of_units(self, row: int) -> set[int]:
        """The families that a row is a part of, without those that sum over the whole organisation."""
        families = self.cells.families_of.get(row, ())
        return {n for n in families if any(self.cells.keys[self.cells.families[n].parent][1:3])}

    def settle(self) -> None:
        """Apply the residual rule until every family keeps it."""
        while self._queue:
            number = heapq.heappop(self._queue)
            self._waiting.discard(number)
            victims = self._victims(number)
            for row in victims:
                self.hide(row)

    def _victims(self, number: int) -> list[int]:
        family = self.cells.families[number]
        parent, children = family.parent, family.children
        states = self.state[children]
        rest = children[states != PUBLISHED]
        if self.state[parent] == HIDDEN:
            if family.nested:
                return [int(row) for row in children[states == PUBLISHED]]
            return self._one_of(children) if rest.size == 0 else []
        if self.state[parent] != PUBLISHED or rest.size == 0 or self._rest_is_reportable(rest):
            return []
        return self._one_of(children) or [parent]

    def _one_of(self, rows: np.ndarray) -> list[int]:
        row = self.cheapest(rows)
        return [] if row is None else [row]

    def _rest_is_reportable(self, rest: np.ndarray) -> bool:
        if rest.size == 1 and self.state[rest[0]] == HIDDEN:
            return False
        if np.all(self.state[rest] == ABSENT) and not self.cells.groups.n_answers[rest].any():
            return True
        columns = self.cells.columns(rest)
        if not self.reportable(self.cells.group(columns)):
            return False
        # Whoever is a unit of their own knows its answers and takes them out of the rest.
        rater, alone = self.cells.base["rater_unit"].to_numpy()[columns], self.cells.lone[columns]
        others = [columns[rater != unit] for unit in np.unique(rater[alone])]
        return all(left.size == 0 or self.reportable(self.cells.group(left)) for left in others)


def protect(
    suppression: Suppression,
    *,
    means: bool,
    few: np.ndarray,
    secret: np.ndarray,
    lowest: np.ndarray,
    total: np.ndarray,
    highest: np.ndarray,
) -> None:
    """Hide rows until no hidden one follows from the published ones. Changes `suppression.state`.

    Parameters
    ----------
    means : the figures are means, so numbers of respondents and perception gaps stand beside them.
    few : (row,) rows with so few respondents that their number is a secret too. Larger numbers are none:
        where everybody answers every item, each follows from the row above, and all would be hidden.
    secret : (row,) rows that may not be shown for what they are, and not to protect others.
    lowest, total, highest : (base,) least, actual and greatest possible sum of the figure over the
        respondents of a base cell (answers, or favourable answers).
    """
    cells, state = suppression.cells, suppression.state
    # An item that nobody in a cell answered adds nothing to a sum of answers, but has a posterior mean: both
    # views.
    nowhere, answered = np.zeros(len(total), dtype=bool), cells.groups.n_answers > 0
    empty = highest == lowest
    # Hiding more takes equations away, so an interval that was wide enough once stays so.
    wide, wide_counts = np.zeros((2, len(state)), dtype=bool)
    rounds = np.zeros(len(state), dtype=int)
    while True:
        suppression.settle()
        published, hidden = state == PUBLISHED, state == HIDDEN
        leaks = determined(cells, published, hidden, empty=nowhere, gaps=means)
        if empty.any():
            leaks += determined(cells, published, hidden & answered, empty=empty, gaps=means)
        if leaks:
            _stop_leaks(suppression, leaks)
            continue
        pinned = pinned_counts(cells, published, hidden & few & ~wide_counts) if means else []
        wide_counts |= hidden & few
        wide_counts[pinned] = False
        if not pinned:
            pinned = pinned_sums(cells, published, hidden & ~wide, secret, lowest, total, highest)
            wide |= hidden
            wide[pinned] = False
        if not pinned:
            return
        # An item that everybody answered alike is pinned in every relation by the other items' distributions.
        distributions = [row for row in suppression.given_up if state[row] == PUBLISHED]
        if distributions and len(distributions) < len(pinned):
            without, asked = published.copy(), np.zeros(len(state), dtype=bool)
            without[distributions], asked[pinned] = False, True
            still = pinned_sums(cells, without, asked, secret, lowest, total, highest)
            if len(pinned) - len(still) > len(distributions):
                shared = cells.incidence[distributions] @ cells.incidence[pinned].T
                suppression.hide(distributions[int(np.argmax(shared.count_nonzero(axis=1)))])
                continue
        opened: set[int] = set()
        for row in pinned:
            # What was hidden for another row of the same sum may have widened this one: look again first.
            # In a sum of the whole organisation it has hardly, and there are many more rows than looks.
            sums = suppression.sums_of_units(row)
            if opened.isdisjoint(sums):
                opened.update(sums)
                # A row that stays pinned is in a long sum: twice as many of its parts are hidden every time.
                for _ in range(2 ** min(max(0, int(rounds[row]) - 2), 6)):
                    _widen(suppression, row)
                rounds[row] += 1


def _stop_leaks(suppression: Suppression, leaks: list[Leak]) -> None:
    touched: set[int] = set()
    for leak in sorted(leaks, key=lambda leak: (suppression.cells.groups.n_respondents[leak.row], leak.row)):
        if touched & set(leak.equations):
            continue  # the row hidden for the other leak may have stopped this one: look again first
        row = suppression.cheapest([*leak.equations, *_covering(suppression, leak)])
        if row is None:
            row = suppression.cheapest(range(len(suppression.cells.keys)))
        if row is not None:
            suppression.hide(row)
            touched |= set(leak.equations)


def _covering(suppression: Suppression, leak: Leak) -> list[int]:
    """The published rows of single relations (or own units) through which the known base cells enter the
    leak."""
    cells, state = suppression.cells, suppression.state
    rows = []
    by_cell = cells.base.iloc[leak.known].groupby(["rater_unit", "target_unit"])["item"]
    for (rater, target), items in by_cell:
        kind = "within" if rater == target else "relation"
        wanted = set(items.index)
        keys: list[Key] = [("item", rater, target, item) for item in items]
        if len(wanted) > 1:
            keys += [(kind, rater, target, column) for column in suppression.columns]
        fitting = [row for key in keys if state[row := cells.index[key]] == PUBLISHED]
        covering = [row for row in fitting if wanted <= set(cells.columns([row]).tolist())]
        smallest = min(covering, key=lambda row: cells.columns([row]).size, default=None)
        rows += [smallest] if smallest is not None else fitting
    return rows


def _widen(suppression: Suppression, row: int) -> None:
    """Hide one more row of the smallest sum that the pinned row stands in: that is the one that pins it."""
    cells = suppression.cells
    families = [cells.families[number] for number in cells.families_of.get(row, ())]
    families = [family for family in families if suppression.state[family.parent] == PUBLISHED]
    victim = None
    if families:
        smallest = min(families, key=lambda family: cells.columns([family.parent]).size)
        sibling = suppression.cheapest(smallest.children)
        victim = sibling if sibling is not None else smallest.parent
    if victim is None:
        overlapping = (cells.incidence @ cells.incidence[[row]].T).tocoo().row
        victim = suppression.cheapest(overlapping)
    if victim is None:
        victim = suppression.cheapest(range(len(cells.keys)))
    if victim is not None:
        suppression.hide(victim)
