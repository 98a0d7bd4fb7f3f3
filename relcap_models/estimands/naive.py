"""Plain means of the answers, beside which every estimate stands, and how many people gave them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.models.frame import Frame

OVERALL = "overall"


def responses_of(frame: Frame) -> pd.DataFrame:
    """One row per response: its codes, the answer in points after reverse scoring, and whether it is favourable."""
    rating = frame.rating_of_response
    item = frame.item_of_response
    return pd.DataFrame(
        {
            "rating": rating,
            "wave": frame.wave_of_rating[rating],
            "rater": frame.rater_of_rating[rating],
            "target": frame.target_of_rating[rating],
            "respondent": frame.respondent_of_rating[rating],
            "item": item,
            "dimension": frame.dimension_of_item[item],
            "points": frame.answer + frame.minimum_of_item[item],
            "favourable": frame.answer >= frame.favourable_category[item],
        }
    )


def naive_table(frame: Frame, responses: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Naive means per cell and dimension, `overall` included.

    by : code columns that make a cell. Returns columns `by`, dimension, naive_mean, naive_favourable, n_respondents,
    n_ratings; the mean is over all answers of the cell.
    """
    names = np.array([*frame.dimensions, OVERALL], dtype=object)
    overall = responses.assign(dimension=len(frame.dimensions))
    stacked = pd.concat([responses, overall], ignore_index=True) if len(frame.dimensions) > 1 else overall
    table = (
        stacked.groupby([*by, "dimension"], sort=True)
        .agg(
            naive_mean=("points", "mean"),
            naive_favourable=("favourable", "mean"),
            n_respondents=("respondent", "nunique"),
            n_ratings=("rating", "nunique"),
        )
        .reset_index()
    )
    table["dimension"] = names[table["dimension"].to_numpy()]
    if len(frame.dimensions) == 1:
        single = table.assign(dimension=frame.dimensions[0])
        table = pd.concat([single, table], ignore_index=True)
    return table
