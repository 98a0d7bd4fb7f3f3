"""The published data sets as surveys: read from the reference folder, recoded where the source says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from relcap_models.data import Survey, read_survey
from relcap_models.schema.instrument import Dimension, Instrument, Item, Scale

RATINGS = ["wave", "respondent_id", "rater_unit", "target_unit", "instrument", "item", "value"]


def instrument(name: str, items: list[str], *, minimum: int, maximum: int) -> Instrument:
    """A one-dimensional instrument about other people."""
    text = {"en": name}
    return Instrument(
        id=name,
        title=text,
        referent="target_unit",
        dimensions=(Dimension(id=name, title=text),),
        items=tuple(Item(id=item, dimension=name, text={"en": item}) for item in items),
        scale=Scale(minimum=minimum, maximum=maximum, favourable_from=maximum - 1),
        source="published data",
        original_language="en",
        translation_status={"en": "as published"},
    )


def persons_rate_persons(answers: pd.DataFrame, declared: Instrument) -> Survey:
    """Every person is a unit of one. answers: rater, target, item, value (blank answers are left out)."""
    table = answers.dropna(subset=["value"]).assign(
        wave="w1",
        instrument=declared.id,
        rater_unit=lambda t: "p" + t["rater"].astype(str),
        target_unit=lambda t: "p" + t["target"].astype(str),
        respondent_id=lambda t: "p" + t["rater"].astype(str),
        item=lambda t: t["item"].astype(str),
    )
    return read_survey({"responses": table[RATINGS]}, instruments=[declared])


def dyadic_irt(reference: Path) -> Survey:
    """Gin et al. (2020): 551 people, five items 0–4."""
    answers = pd.read_csv(reference / "dyadic_irt.csv.gz")
    answers = answers.rename(columns={"actor": "rater", "partner": "target", "x": "value"})
    answers["item"] = "i" + answers["item"].astype(str)
    items = sorted(answers["item"].unique())
    return persons_rate_persons(answers, instrument("attraction", items, minimum=0, maximum=4))


def consulting(reference: Path, question: str) -> Survey:
    """Cross & Parker (2004): 46 consultants, one question 1–5; 0 is unknown *or* unanswered, so missing."""
    answers = pd.read_csv(reference / "crossparker_consulting.csv")
    answers = answers.assign(item=question, value=answers[question].where(answers[question] > 0))
    return persons_rate_persons(answers, instrument("consulting", [question], minimum=1, maximum=5))


def consulting_matrix(reference: Path, question: str) -> np.ndarray:
    """(46, 46) answers of row about column, NaN where there is none."""
    answers = pd.read_csv(reference / "crossparker_consulting.csv")
    matrix = answers.pivot(index="rater", columns="target", values=question).to_numpy(dtype=float)
    return np.where(matrix > 0, matrix, np.nan)


def liking(reference: Path) -> Survey:
    """TripleR's likingLong: 54 people, one item 0–5."""
    answers = pd.read_csv(reference / "tripler_liking.csv")
    answers = answers.rename(columns={"perceiver.id": "rater", "target.id": "target", "liking_a": "value"})
    return persons_rate_persons(
        answers.assign(item="liking"), instrument("liking", ["liking"], minimum=0, maximum=5)
    )


def liking_matrix(reference: Path) -> np.ndarray:
    """(54, 54) answers of row about column, NaN on the diagonal."""
    answers = pd.read_csv(reference / "tripler_liking.csv")
    return answers.pivot(index="perceiver.id", columns="target.id", values="liking_a").to_numpy(dtype=float)


SPEED_DATING_ITEMS = ["attr", "sinc", "intel", "fun", "amb", "shar"]


def speed_dating(reference: Path, items: list[str]) -> Survey:
    """Fisman et al. (2006): 8,368 ratings of one person by another, items 1–10, each sex rating the other.

    Recoded here: zeros → 1, halves rounded up, the 10 rows without a target left out. The 21 events are one
    wave, because nobody comes twice.
    """
    ratings = pd.read_csv(reference / "speed_dating.csv").dropna(subset=["target"]).astype({"target": int})
    answers = ratings.melt(["rater", "target"], items, var_name="item")
    recoded = np.floor(answers["value"].clip(lower=1) + 0.5)
    return persons_rate_persons(
        answers.assign(value=recoded), instrument("impression", items, minimum=1, maximum=10)
    )
