"""Plain means of the answers, beside which every estimate stands, and how many people gave them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from relcap_models.models.frame import Frame

OVERALL = "overall"
_COUNTS = ("n_respondents", "n_ratings")


def responses_of(frame: Frame) -> pd.DataFrame:
    """One row per response: codes, the answer in points after reverse scoring, and whether it is favourable.

    `relation` is −1 for ratings of the own unit.
    """
    rating = frame.rating_of_response
    item = frame.item_of_response
    return pd.DataFrame(
        {
            "rating": rating,
            "wave": frame.wave_of_rating[rating],
            "rater": frame.rater_of_rating[rating],
            "target": frame.target_of_rating[rating],
            "relation": frame.relation_of_rating[rating],
            "respondent": frame.respondent_of_rating[rating],
            "item": item,
            "dimension": frame.dimension_of_item[item],
            "points": frame.answer + frame.minimum_of_item[item],
            "favourable": frame.answer >= frame.favourable_category[item],
        }
    )


def naive_table(frame: Frame, responses: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Naive means per cell and dimension, `overall` included: the mean over all answers of the cell.

    by : code columns that make a cell. Returns columns `by`, dimension, naive_mean, naive_favourable,
    n_respondents, n_ratings.
    """
    names = np.array([*frame.dimensions, OVERALL], dtype=object)
    overall = responses.assign(dimension=len(frame.dimensions))
    table = cell_means(pd.concat([responses, overall], ignore_index=True), [*by, "dimension"])
    return table.assign(dimension=names[table["dimension"].to_numpy()])


def cell_means(responses: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Means and counts of the answers of each cell."""
    return (
        responses.groupby(list(by), sort=True)
        .agg(
            naive_mean=("points", "mean"),
            naive_favourable=("favourable", "mean"),
            n_respondents=("respondent", "nunique"),
            n_ratings=("rating", "nunique"),
        )
        .reset_index()
    )


def beside(naive: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Naive means of these cells, row by row; where nobody answered the means are blank and the counts 0.

    cells : the columns by which `naive` was made (and dimension).
    """
    found = cells.merge(naive, on=list(cells.columns), how="left").drop(columns=list(cells.columns))
    counts = {name: found[name].fillna(0).astype(np.int64) for name in _COUNTS}
    return found.assign(**counts)
