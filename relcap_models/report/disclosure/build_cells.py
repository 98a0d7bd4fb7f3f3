"""Lay out the base cells and rows of one wave from its answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from scipy import sparse

from relcap_models.report.disclosure.cells import FIGURES, OVERALL, Cells, Family, Key
from relcap_models.report.disclosure.favourable import favourable_range
from relcap_models.report.disclosure.rules import Group
from relcap_models.schema.instrument import Instrument


def scored_answers(responses: pd.DataFrame, instrument: Instrument) -> pd.DataFrame:
    """The responses to one instrument with `score` (reverse scored) and `favourable`, ids as plain
    strings."""
    columns = ["wave", "respondent_id", "rater_unit", "target_unit", "item"]
    answers = responses.loc[responses["instrument"] == instrument.id, [*columns, "value"]].copy()
    answers[columns] = answers[columns].astype(str)
    scales = {item.id: (item, instrument.scale_of(item)) for item in instrument.items}
    low, high, cut, reverse = (
        answers["item"].map({i: f(item, scale) for i, (item, scale) in scales.items()})
        for f in (
            lambda item, scale: scale.minimum,
            lambda item, scale: scale.maximum,
            lambda item, scale: scale.favourable_from,
            lambda item, scale: item.reversed,
        )
    )
    value = answers["value"].astype(float)
    answers["score"] = np.where(reverse.astype(bool), low + high - value, value)
    answers["favourable"] = answers["score"] >= cut
    return answers


def build_cells(
    answers: pd.DataFrame,
    instrument: Instrument,
    *,
    pairs: Iterable[tuple[str, str]] = (),
    n_leaders: Mapping[str, float],
) -> Cells:
    """Lay out one wave.

    Parameters
    ----------
    answers : of this wave, from `scored_answers`.
    pairs : (rater unit, target unit) that stand in a table although nobody answered.
    n_leaders : by unit; used only if the instrument is about leaders. Missing units count as 1.
    """
    items = instrument.item_ids
    asked = set(answers[["rater_unit", "target_unit"]].drop_duplicates().itertuples(index=False, name=None))
    cells = sorted(asked | set(pairs))
    column = _column_of(answers, cells, items)
    base = _base_cells(answers, instrument, cells, column)
    codes, _ = pd.factorize(answers["respondent_id"])
    people = sparse.csr_array(
        (np.ones(len(codes)), (column, codes)), shape=(len(base), codes.max(initial=0) + 1)
    )
    people.sum_duplicates()
    respondents_of = tuple(np.split(people.indices, people.indptr[1:-1]))
    members_of = answers.groupby("rater_unit")["respondent_id"].nunique()

    members = _rows(cells, instrument)
    keys = tuple(members)
    index = {key: row for row, key in enumerate(keys)}
    sizes = [len(columns) for columns in members.values()]
    indices = (
        np.concatenate([np.sort(columns) for columns in members.values()]) if keys else np.empty(0, dtype=int)
    )
    indptr = np.concatenate([[0], np.cumsum(sizes, dtype=int)])
    incidence = sparse.csr_array((np.ones(len(indices)), indices, indptr), shape=(len(keys), len(base)))

    leaders_of = None
    if instrument.referent == "own_leaders":
        base["n_leaders"] = base["target_unit"].map(lambda unit: n_leaders.get(unit, 1.0))
        leaders_of = base["n_leaders"].to_numpy()
    families = _families(index, cells, instrument)
    families_of: dict[int, list[int]] = {}
    for number, family in enumerate(families):
        for child in family.children:
            families_of.setdefault(int(child), []).append(number)
    scales, scale_of = np.unique(
        base[["minimum", "maximum", "favourable_from"]].to_numpy(float), axis=0, return_inverse=True
    )
    return Cells(
        keys=keys,
        index=index,
        incidence=incidence,
        groups=_row_groups(incidence, people, base, leaders_of, scales, scale_of),
        base=base,
        figures={name: base[name].to_numpy(float) for name in FIGURES},
        scales=scales,
        scale_of=scale_of,
        respondents_of=respondents_of,
        lone=(base["rater_unit"].map(members_of) == 1).to_numpy(),
        leaders_of=leaders_of,
        families=families,
        families_of={row: tuple(numbers) for row, numbers in families_of.items()},
    )


def _column_of(answers: pd.DataFrame, cells: list[tuple[str, str]], items: tuple[str, ...]) -> np.ndarray:
    number = {cell: position for position, cell in enumerate(cells)}
    place = {item: position for position, item in enumerate(items)}
    ends = (answers[end].astype(object).to_numpy() for end in ("rater_unit", "target_unit"))
    cell = [number[pair] for pair in zip(*ends, strict=True)]
    return np.asarray(cell, dtype=int) * len(items) + answers["item"].map(place).to_numpy(dtype=int)


def _base_cells(
    answers: pd.DataFrame, instrument: Instrument, cells: list[tuple[str, str]], column: np.ndarray
) -> pd.DataFrame:
    items = instrument.item_ids
    base = pd.DataFrame(
        {
            "rater_unit": np.repeat([u for u, _ in cells], len(items)),
            "target_unit": np.repeat([t for _, t in cells], len(items)),
            "item": list(items) * len(cells),
        },
        dtype=object,  # looked up by NumPy thousands of times, which costs a copy from Arrow's strings
    )
    by_column = answers.assign(column=column).groupby("column")
    for name, source, how in (
        ("n_answers", "score", "count"),
        ("total", "score", "sum"),
        ("n_favourable", "favourable", "sum"),
    ):
        base[name] = by_column[source].agg(how).reindex(base.index).fillna(0).astype(float)
    base["lowest"] = by_column["score"].min().reindex(base.index).fillna(np.inf)
    base["highest"] = by_column["score"].max().reindex(base.index).fillna(-np.inf)
    scales = [instrument.scale_of(item) for item in instrument.items]
    base["favourable_from"] = [float(scale.favourable_from) for scale in scales] * len(cells)
    base["minimum"] = [float(scale.minimum) for scale in scales] * len(cells)
    base["maximum"] = [float(scale.maximum) for scale in scales] * len(cells)
    return base


def _columns_by_dimension(instrument: Instrument) -> dict[str, list[int]]:
    columns = {OVERALL: list(range(len(instrument.items)))}
    for dimension in instrument.dimension_ids:
        if dimension != OVERALL:
            columns[dimension] = [p for p, item in enumerate(instrument.items) if item.dimension == dimension]
    return columns


def _rows(cells: list[tuple[str, str]], instrument: Instrument) -> dict[Key, list[int]]:
    items = instrument.item_ids
    by_dimension = _columns_by_dimension(instrument)
    rows: dict[Key, list[int]] = {}
    for number, (rater, target) in enumerate(cells):
        first = number * len(items)
        own = rater == target
        for dimension, places in by_dimension.items():
            columns = [first + place for place in places]
            rows["within" if own else "relation", rater, target, dimension] = columns
            sums: list[Key] = [("total_within", "", "", dimension)]
            if not own:
                sums = [
                    ("as_rater", rater, "", dimension),
                    ("seen_by", "", target, dimension),
                    ("total", "", "", dimension),
                ]
            for key in sums:
                rows.setdefault(key, []).extend(columns)
        for place, item in enumerate(items):
            rows["item", rater, target, item] = [first + place]
            rows.setdefault(("items_within" if own else "items", "", "", item), []).append(first + place)
    return rows


def _families(
    index: Mapping[Key, int], cells: list[tuple[str, str]], instrument: Instrument
) -> tuple[Family, ...]:
    dimensions = [d for d in _columns_by_dimension(instrument) if d != OVERALL]
    items_of = {d: [item.id for item in instrument.items if item.dimension == d] for d in dimensions}
    children: dict[tuple[Key, bool, str], list[int]] = {}

    def add(parent: Key, child: Key, *, nested: bool) -> None:
        # A total is partitioned twice, by rater and by target: the child's kind keeps the two apart.
        children.setdefault((parent, nested, child[0]), []).append(index[child])

    for key in index:
        kind, rater, target, dimension = key
        if kind in ("item", "items", "items_within"):
            continue
        if dimension == OVERALL:
            for part in dimensions:
                add(key, (kind, rater, target, part), nested=True)
        leaf = {"relation": "item", "within": "item", "total": "items", "total_within": "items_within"}.get(
            kind
        )
        parts = items_of.get(dimension, () if dimensions else instrument.item_ids)
        if leaf is not None:
            for item in parts:
                add(key, (leaf, rater, target, item), nested=leaf == "item")
        if kind == "relation":
            add(("as_rater", rater, "", dimension), key, nested=False)
            add(("seen_by", "", target, dimension), key, nested=False)
        elif kind == "within":
            add(("total_within", "", "", dimension), key, nested=False)
        elif kind in ("as_rater", "seen_by"):
            add(("total", "", "", dimension), key, nested=False)
    for rater, target in cells:
        for item in instrument.item_ids:
            total = "items_within" if rater == target else "items"
            add((total, "", "", item), ("item", rater, target, item), nested=False)
    return tuple(
        Family(parent=index[parent], children=np.array(sorted(rows)), nested=nested)
        for (parent, nested, _), rows in children.items()
    )


def _row_groups(
    incidence: sparse.csr_array,
    people: sparse.csr_array,
    base: pd.DataFrame,
    leaders_of: np.ndarray | None,
    scales: np.ndarray,
    scale_of: np.ndarray,
) -> Group:
    starts, columns = incidence.indptr[:-1], incidence.indices
    lowest, highest = base["lowest"].to_numpy(), base["highest"].to_numpy()
    n_leaders = np.full(len(starts), np.inf)
    if leaders_of is not None:
        units, names = pd.factorize(base["target_unit"])
        answered = (base["n_answers"] > 0).to_numpy()
        of_unit = sparse.csr_array(
            (answered.astype(float), (np.arange(len(units)), units)), shape=(len(units), len(names))
        )
        leaders = base.groupby("target_unit")["n_leaders"].first().reindex(names).to_numpy()
        n_leaders = ((incidence @ of_unit) > 0).astype(float) @ leaders
    n_answers = base["n_answers"].to_numpy()
    fewest, most = favourable_range(
        incidence @ (n_answers[:, None] * (scale_of[:, None] == np.arange(len(scales)))),
        incidence @ base["total"].to_numpy(),
        *scales.T,
    )
    return Group(
        n_respondents=np.diff(_nonzero(incidence @ people).indptr),
        lowest=np.minimum.reduceat(lowest[columns], starts) if len(starts) else np.empty(0),
        highest=np.maximum.reduceat(highest[columns], starts) if len(starts) else np.empty(0),
        n_answers=incidence @ n_answers,
        n_favourable=incidence @ base["n_favourable"].to_numpy(),
        fewest_favourable=fewest,
        most_favourable=most,
        n_leaders=n_leaders,
    )


def _nonzero(matrix: sparse.csr_array) -> sparse.csr_array:
    matrix = sparse.csr_array(matrix)
    matrix.eliminate_zeros()
    matrix.sum_duplicates()
    return matrix
