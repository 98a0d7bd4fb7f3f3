"""Which hidden counts and sums of answers have one possible value, given bounds and margins.

Answers are whole numbers on a known scale and counts are whole numbers, so an interval shorter than one
leaves a single value although the linear equations alone do not (two hidden cells whose answers must add up
to the scale's maximum). Source: Hundepool et al. (2012), section 4.3.2 (the attacker's linear programme,
feasibility intervals).
"""

from __future__ import annotations

import highspy
import numpy as np
from scipy import sparse

from relcap_models.report.disclosure.cells import OVERALL, Cells
from relcap_models.report.disclosure.linear import functionals, reduce_system
from relcap_models.report.disclosure.rules import WIDTH

STEP = 1.0 - 1e-6
"""An interval at least this long holds two whole numbers if its ends are attained."""

_PRIMAL, _DUAL = 4, 1
_NOISE = 0.1
_MET = 1e-6
"""How near a length must be to its upper bound to be taken for it: the solver's own tolerance is 1e-7."""
_FEW = 20
"""So few sums cost less one by one than another pair of mixed directions does."""


def interval_lengths(
    matrix: sparse.sparray,
    truth: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    weights: sparse.csr_array,
    enough: np.ndarray,
) -> np.ndarray:
    """Lengths, or lower bounds that are enough, of the feasible intervals of several sums of unknowns.

    Parameters
    ----------
    matrix : (equation, unknown). truth : (unknown,), a feasible point; it sets the margins.
    lower, upper : (unknown,) bounds. weights : (sum, unknown), 0/1. enough : (sum,) a length that will do.

    Notes
    -----
    A programme costs what the whole system is large, and sums are as many, so few may need one of their own.
    What single equations leave of a sum is an upper bound: a sum that reaches it is done, as are all that one
    equation pins. Most others are cleared by a few vertices in directions that mix them at random, tried as
    long as each clears half; the rest get two programmes of their own.
    """
    longest = weights @ _room(sparse.csr_array(matrix), truth, lower, upper)
    goal = np.minimum(enough, longest - _MET)
    if weights.nnz == len(enough) and not (np.diff(sparse.csc_array(matrix).indptr) > 1).any():
        return longest  # single unknowns, each in one equation: nothing else bounds them
    least = most = weights @ truth
    short = np.flatnonzero(most - least < goal)
    if not short.size:
        return most - least
    vertex = _Programme(matrix, truth, lower, upper)
    random = np.random.default_rng(0)
    before = np.inf
    while short.size > (0 if np.isinf(before) else _FEW) and short.size <= before / 2:
        before = short.size
        # Noise on every unknown: where few have a weight, ties would take the simplex many times as long.
        direction = random.normal(size=short.size) @ weights[short] + _NOISE * random.normal(size=len(truth))
        for objective in (direction, -direction):
            reached = weights @ vertex.minimise(objective, afresh=True)
            least, most = np.minimum(least, reached), np.maximum(most, reached)
        short = np.flatnonzero(most - least < goal)
    for position in short:
        if most[position] - least[position] >= goal[position]:
            continue  # cleared on the way to another
        own = weights[[position]].toarray()[0]
        for objective in (own, -own):
            reached = weights @ vertex.minimise(objective, afresh=False)
            least, most = np.minimum(least, reached), np.maximum(most, reached)
    return most - least


def _room(matrix: sparse.csr_array, truth: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """(unknown,) length of what its bounds, and each equation by itself, leave of an unknown."""
    margins, unknown = matrix @ truth, matrix.indices
    equation = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    most, least = upper.copy(), lower.copy()
    np.minimum.at(most, unknown, lower[unknown] + (margins - matrix @ lower)[equation])
    np.maximum.at(least, unknown, most[unknown] - (matrix @ most - margins)[equation])
    return np.maximum(most - least, 0.0)


class _Programme:
    """Linear programmes over the values that agree with the margins."""

    def __init__(
        self, matrix: sparse.sparray, truth: np.ndarray, lower: np.ndarray, upper: np.ndarray
    ) -> None:
        columns = sparse.csc_array(matrix)
        margins = matrix @ truth
        model = highspy.HighsLp()
        model.num_row_, model.num_col_ = matrix.shape
        model.col_cost_ = np.zeros(len(truth))
        model.col_lower_, model.col_upper_ = lower, upper
        model.row_lower_ = model.row_upper_ = margins
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_ = columns.indptr
        model.a_matrix_.index_ = columns.indices
        model.a_matrix_.value_ = columns.data
        self.truth = truth
        self.every = np.arange(len(truth), dtype=np.int32)
        self.solver = highspy.Highs()
        self.solver.setOptionValue("output_flag", False)
        self.solver.setOptionValue("presolve", "off")  # has little to remove here, and costs as much again
        self.solver.passModel(model)

    def minimise(self, objective: np.ndarray, *, afresh: bool) -> np.ndarray:
        """A vertex with the smallest objective; the truth where the solver finds none.

        afresh : by the dual simplex from no vertex at all, which is faster where the objective has nothing to
        do with the last one. Otherwise the primal goes on from the last vertex, which a new objective leaves
        feasible.
        """
        if afresh:
            self.solver.clearSolver()
        self.solver.setOptionValue("simplex_strategy", _DUAL if afresh else _PRIMAL)
        self.solver.changeColsCost(len(objective), self.every, np.asarray(objective, dtype=float))
        self.solver.run()
        if self.solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return self.truth
        return np.asarray(self.solver.getSolution().col_value)


def pinned_sums(
    cells: Cells,
    published: np.ndarray,
    hidden: np.ndarray,
    secret: np.ndarray,
    lowest: np.ndarray,
    total: np.ndarray,
    highest: np.ndarray,
) -> list[int]:
    """Hidden rows whose sum of answers is known too well to somebody who knows every count.

    Too well is one possible value, or, of a row that is a secret itself, less than `WIDTH` of its range.

    Parameters
    ----------
    published, hidden, secret : (row,) bool.
    lowest, total, highest : (base,) least, actual and greatest possible sum.
    """
    empty = highest == lowest
    asked = np.flatnonzero(hidden & (cells.groups.n_answers > 0))
    reduced = reduce_system(cells, published, asked, empty=empty)
    rows, weights = functionals(cells, reduced, asked)
    inside = reduced.unknown_of >= 0
    lower, truth, upper = (
        np.bincount(reduced.unknown_of[inside], weights=figure[inside], minlength=len(reduced.sizes))
        for figure in (lowest, total, highest)
    )
    # STEP leaves room for rounding, on which an interval of just that width must not hang.
    wide = STEP * WIDTH * (cells.incidence[rows] @ (highest - lowest))
    enough = np.where(secret[rows], np.maximum(STEP, wide), STEP)
    length = np.zeros(len(rows))
    for component in reduced.components:
        part = sparse.csr_array(weights[:, component.unknowns])
        concerned = np.flatnonzero((np.diff(part.indptr) > 0) & (length < enough))
        if concerned.size:
            at = component.unknowns
            length[concerned] += interval_lengths(
                component.matrix, truth[at], lower[at], upper[at], part[concerned], enough[concerned]
            )
    return rows[length < enough].tolist()


def pinned_counts(cells: Cells, published: np.ndarray, hidden: np.ndarray) -> list[int]:
    """Hidden rows whose number of respondents has one possible value.

    The attacker knows the counts of published rows, that a unit's raters of one target are at most its
    respondents, that an item's are at most its dimension's, and that a listed row has at least one.
    """
    columns = sorted(
        {key[3] for key in cells.keys if key[0] in ("relation", "within")}, key=lambda c: c != OVERALL
    )
    items = sorted({key[3] for key in cells.keys if key[0] == "item"})
    systems = [("relation", column, ("as_rater", "seen_by")) for column in columns]
    systems += [("within", column, ("total_within",)) for column in columns]
    systems += [("as_rater", column, ("total",)) for column in columns]
    systems += [("item", item, ("items", "items_within")) for item in items]
    pinned: list[int] = []
    for kind, column, margins in systems:
        pinned += _pinned_in(cells, published, hidden, kind, column, margins)
    return pinned


def _pinned_in(
    cells: Cells, published: np.ndarray, hidden: np.ndarray, kind: str, column: str, margins: tuple[str, ...]
) -> list[int]:
    people = cells.groups.n_respondents
    unknown = [
        row
        for row, key in enumerate(cells.keys)
        if key[0] == kind and key[3] == column and not published[row] and people[row] > 0
    ]
    if not any(hidden[row] for row in unknown):
        return []
    place = {row: position for position, row in enumerate(unknown)}
    equations = []
    for family in cells.families:
        key = cells.keys[family.parent]
        if published[family.parent] and key[0] in margins and key[3] == column:
            inside = [place[row] for row in family.children.tolist() if row in place]
            if inside:
                equations.append(inside)
    if not equations:
        return []
    upper = np.array([_most_people(cells, published, row) for row in unknown])
    wanted = np.array([place[row] for row in unknown if hidden[row]])
    truth = people[unknown].astype(float)
    weights = sparse.csr_array(sparse.eye_array(len(unknown), format="csr")[wanted])
    ends = np.cumsum([0, *map(len, equations)])
    columns = np.concatenate(equations)
    matrix = sparse.csr_array((np.ones(len(columns)), columns, ends), shape=(len(equations), len(unknown)))
    free = ~np.isin(wanted, columns)
    enough = np.full(len(wanted), STEP)
    length = interval_lengths(matrix, truth, np.minimum(1.0, truth), upper, weights, enough)
    return [
        unknown[position] for position, short in zip(wanted, (length < STEP) & ~free, strict=True) if short
    ]


def _most_people(cells: Cells, published: np.ndarray, row: int) -> float:
    above = [cells.families[number].parent for number in cells.families_of.get(row, ())]
    above = [
        parent
        for parent in above
        if published[parent] and cells.keys[parent][0] in ("as_rater", "relation", "within")
    ]
    return min((float(cells.groups.n_respondents[parent]) for parent in above), default=np.inf)
