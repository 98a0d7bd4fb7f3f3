"""What a frame holds, counted: respondents, pairs, partners, repeats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.models.frame import Frame


@dataclass(frozen=True)
class Counts:
    """Numbers that say how much a design holds.

    A cell is a relation in one wave, or a unit's own staff in one wave where nobody rates another unit.

    respondents_per_cell : (cells,) · respondents_per_unit : (units that rate,) over all waves
    ratings_per_respondent : (respondents × waves,)
    partners_of_unit : (units that rate or are rated by another,) the smaller of its numbers of raters and
        targets, or the larger where one of them is 0
    n_pairs : pairs of units seen from both sides
    n_both_ways : units that rate others and are rated by others
    n_repeating : respondents with ratings in two waves or more · n_moving : respondents of two units or more
    not_rated, not_rating : units that no other unit rates; units that rate nobody, not even themselves
    parts : sizes of the connected parts of the graph of raters and targets, in rater units, largest first
    """

    respondents_per_cell: np.ndarray
    respondents_per_unit: np.ndarray
    ratings_per_respondent: np.ndarray
    partners_of_unit: np.ndarray
    n_pairs: int
    n_both_ways: int
    n_repeating: int
    n_moving: int
    not_rated: tuple[str, ...]
    not_rating: tuple[str, ...]
    parts: tuple[int, ...]


def count(frame: Frame) -> Counts:
    """Count what the frame holds."""
    n_units = len(frame.units)
    ratings = pd.DataFrame(
        {
            "respondent": frame.respondent_of_rating,
            "rater": frame.rater_of_rating,
            "target": frame.target_of_rating,
            "wave": frame.wave_of_rating,
        }
    )
    others = ratings[~frame.own]
    cells = others if len(others) else ratings
    n_targets = np.bincount(frame.rater_of_relation, minlength=n_units)
    n_raters = np.bincount(frame.target_of_relation, minlength=n_units)
    fewer, more = np.minimum(n_targets, n_raters), np.maximum(n_targets, n_raters)
    partners = np.where(fewer > 0, fewer, more)
    rating = np.isin(np.arange(n_units), frame.rater_of_rating)
    by_respondent = ratings.groupby("respondent")
    return Counts(
        respondents_per_cell=cells.groupby(["rater", "target", "wave"]).size().to_numpy(),
        respondents_per_unit=ratings.groupby("rater")["respondent"].nunique().to_numpy(),
        ratings_per_respondent=ratings.groupby(["respondent", "wave"]).size().to_numpy(),
        partners_of_unit=partners[more > 0],
        n_pairs=int((frame.partner_of_relation >= 0).sum()) // 2,
        n_both_ways=int((fewer > 0).sum()),
        n_repeating=int((by_respondent["wave"].nunique() > 1).sum()),
        n_moving=int((by_respondent["rater"].nunique() > 1).sum()),
        not_rated=tuple(u for u, n in zip(frame.units, n_raters) if n == 0),
        not_rating=tuple(u for u, r in zip(frame.units, rating) if not r),
        parts=_parts(frame),
    )


def _parts(frame: Frame) -> tuple[int, ...]:
    import networkx as nx

    graph = nx.Graph()
    graph.add_edges_from(
        (("rater", int(u)), ("target", int(t)))
        for u, t in zip(frame.rater_of_relation, frame.target_of_relation)
    )
    sizes = (sum(end == "rater" for end, _ in part) for part in nx.connected_components(graph))
    return tuple(sorted(sizes, reverse=True))
