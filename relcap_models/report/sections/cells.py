"""Table cells and sentence parts that several sections share."""

from __future__ import annotations

import math

import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.blocks import Cell
from relcap_models.report.material import Analysis

_WORDS = (
    (0.99, "almost_certain"),
    (0.90, "very_likely"),
    (0.66, "likely"),
    (0.33, "even"),
    (0.10, "unlikely"),
    (0.01, "very_unlikely"),
    (0.0, "almost_impossible"),
)


def text_cell(text: object) -> Cell:
    return Cell(str(text))


def number_cell(texts: Texts, value: float, *, digits: int = 2, signed: bool = False) -> Cell:
    write = texts.signed if signed else texts.number
    return Cell(write(value, digits), None if math.isnan(value) else value, muted=math.isnan(value))


def interval_cell(texts: Texts, lower: float, upper: float, *, digits: int = 2) -> Cell:
    missing = math.isnan(lower) or math.isnan(upper)
    return Cell(texts.interval(lower, upper, digits), None if missing else lower, muted=missing)


def probability_cell(texts: Texts, value: float) -> Cell:
    return Cell(texts.probability(value), None if math.isnan(value) else value, muted=math.isnan(value))


def share_cell(texts: Texts, value: float) -> Cell:
    return Cell(texts.percent(value), None if math.isnan(value) else value, muted=math.isnan(value))


def count_cell(texts: Texts, count: object) -> Cell:
    """A count, or the band that disclosure control made of it."""
    if pd.isna(count):
        return Cell("–", muted=True)
    text = str(count)
    try:
        value = float(text)
    except ValueError:
        leading = text.split("–")[0].split("-")[0].strip("<>≥≤ ")
        return Cell(text or "–", float(leading) if leading.isdigit() else None, muted=not text)
    return Cell(texts.whole(value), value)


def score_with_interval(texts: Texts, row: pd.Series) -> str:
    """`3.42 (3.10 to 3.71)`: an estimate in a sentence never goes without its interval."""
    return texts(
        "format.estimate",
        mean=texts.number(row["mean"]),
        interval=texts.interval(row["lower"], row["upper"]),
    )


def difference_with_interval(texts: Texts, row: pd.Series) -> str:
    return texts(
        "format.estimate",
        mean=texts.signed(row["mean"]),
        interval=texts.interval(row["lower"], row["upper"]),
    )


def in_words(texts: Texts, probability: float) -> str:
    """`very likely`, for a probability that stands beside it as a figure."""
    word = next(word for least, word in _WORDS if probability >= least)
    return texts(f"chances.{word}")


def top_by(frame: pd.DataFrame, column: str, n: int) -> pd.DataFrame:
    """The `n` rows with the highest probability; ties keep the table's order, so reruns agree."""
    return frame[frame[column].notna()].sort_values(column, ascending=False, kind="stable").head(n)


def colour_limits(analysis: Analysis, means: pd.Series) -> tuple[float, float]:
    """Ends of the colour bar: the shown scores rounded outwards to half points, within the scale."""
    shown = means.dropna()
    if shown.empty:
        return analysis.minimum, analysis.maximum
    low = max(analysis.minimum, math.floor(2 * shown.min()) / 2)
    high = min(analysis.maximum, math.ceil(2 * shown.max()) / 2)
    return (low, high) if high > low else (analysis.minimum, analysis.maximum)
