"""Random organisations and their uncontrolled result tables, built the slow and obvious way.

Nothing here uses the package's disclosure control: sums, means and counts come from plain groupbys, so that
the tests hold the package against a second reading of what the tables mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from relcap_models.data.survey import Intake, Survey, Wave
from relcap_models.schema.instrument import Instrument

ESTIMATE = ["mean", "sd", "lower", "upper", "ci_prob"]
ROLES = {"as_rater": "rater_unit", "seen_by_others": "target_unit"}


def instrument(*dimensions: tuple[str, int], referent: str = "target_unit", name: str = "rc") -> Instrument:
    """An instrument with so many items in each dimension, on a scale of 1 to 5; the last item is reversed."""
    items = [(f"{d}{number}", d) for d, size in dimensions for number in range(1, size + 1)]
    return Instrument.model_validate(
        {
            "id": name,
            "title": {"en": name},
            "referent": referent,
            "dimensions": [{"id": d, "title": {"en": d}} for d, _ in dimensions],
            "items": [
                {"id": i, "dimension": d, "text": {"en": i}, "reversed": i == items[-1][0]} for i, d in items
            ],
            "source": "made up for a test",
            "original_language": "en",
            "translation_status": {"en": "original"},
        }
    )


def survey_of(
    responses: pd.DataFrame, *instruments: Instrument, n_leaders: dict[str, float] | None = None
) -> Survey:
    """A survey from rows of `wave, respondent_id, rater_unit, target_unit, instrument, item, value`."""
    responses = responses.reset_index(drop=True)
    names = sorted(set(responses["rater_unit"]) | set(responses["target_unit"]))
    units = pd.DataFrame({"unit_id": names, "name": names})
    if n_leaders is not None:
        units["n_leaders"] = [n_leaders.get(u, np.nan) for u in names]
    for column in ("wave", "respondent_id", "rater_unit", "target_unit", "instrument", "item"):
        responses[column] = responses[column].astype("category")
    return Survey(
        responses=responses,
        dont_know=responses.iloc[:0].drop(columns="value"),
        units=units,
        respondents=pd.DataFrame({"respondent_id": sorted(responses["respondent_id"].unique())}),
        nominations=pd.DataFrame(),
        programmes=pd.DataFrame(),
        outcomes=pd.DataFrame(),
        waves=tuple(Wave(w) for w in sorted(responses["wave"].unique())),
        instruments={one.id: one for one in instruments},
        intake=Intake(by_instrument=pd.DataFrame()),
    )


def random_responses(
    seed: int,
    scale: Instrument,
    *,
    sizes: list[int],
    waves: int = 1,
    p_target: float = 0.8,
    p_respond: float = 0.8,
    p_item: float = 0.95,
    top: float = 0.3,
    stay: float = 1.0,
) -> pd.DataFrame:
    """Answers of an organisation whose units have the given sizes; every unit rates some others and
    itself."""
    rng = np.random.default_rng(seed)
    units = [f"u{number}" for number in range(len(sizes))]
    partners = {u: [t for t in units if t == u or rng.random() < p_target] for u in units}
    rows = []
    for u, size in zip(units, sizes, strict=True):
        for person in range(size):
            for wave in range(1, waves + 1):
                if wave > 1 and rng.random() > stay:
                    break
                for t in partners[u] if scale.about_targets else [u]:
                    if t != u and rng.random() > p_respond:
                        continue
                    for item in scale.item_ids:
                        if rng.random() < p_item:
                            value = 5 if rng.random() < top else int(rng.integers(1, 6))
                            rows.append((f"w{wave}", f"{u}_{person}", u, t, scale.id, item, float(value)))
    columns = ["wave", "respondent_id", "rater_unit", "target_unit", "instrument", "item", "value"]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class World:
    """A survey, its uncontrolled tables, and the answers behind them (`score` after reverse scoring).

    theta : posterior expectation by (wave, rater_unit, target_unit, item), every item of every cell.
    """

    survey: Survey
    tables: dict[str, pd.DataFrame]
    answers: pd.DataFrame
    theta: pd.Series
    scale: Instrument


def world_of(survey: Survey, scale: Instrument, *, analysis: str = "relations") -> World:
    """All tables of one analysis of relations (or of own units, if the instrument is not about targets)."""
    answers = survey.of_instrument(scale.id).copy()
    for column in ("wave", "respondent_id", "rater_unit", "target_unit", "item"):
        answers[column] = answers[column].astype(str)
    reverse = answers["item"].map({i.id: i.reversed for i in scale.items}).astype(bool)
    answers["score"] = answers["value"].where(~reverse, 6 - answers["value"])
    answers["dimension"] = answers["item"].map({i.id: i.dimension for i in scale.items})
    answers["own"] = answers["rater_unit"] == answers["target_unit"]

    rng = np.random.default_rng(1)
    ends = ["wave", "rater_unit", "target_unit"]
    cells = answers[ends].drop_duplicates().sort_values(ends)
    index = pd.MultiIndex.from_tuples(
        [(*cell, item) for cell in cells.itertuples(index=False, name=None) for item in scale.item_ids],
        names=["wave", "rater_unit", "target_unit", "item"],
    )
    naive = answers.groupby(["wave", "rater_unit", "target_unit", "item"])["score"].mean().reindex(index)
    theta = (0.3 * 3.5 + 0.7 * naive.fillna(3.5)) + rng.normal(scale=0.1, size=len(index))
    tables = _tables(answers, theta, scale, analysis)
    return World(survey=survey, tables=tables, answers=answers, theta=theta, scale=scale)


def _summary(part: pd.DataFrame, posterior: float) -> dict[str, float]:
    return {
        "mean": posterior,
        "sd": 0.1,
        "lower": posterior - 0.2,
        "upper": posterior + 0.2,
        "ci_prob": 0.9,
        "naive_mean": part["score"].mean(),
        "n_respondents": part["respondent_id"].nunique(),
        "n_ratings": part[["respondent_id", "target_unit", "wave"]].drop_duplicates().shape[0],
        "suppressed": False,
        "ci_kind": "eti",
        "median": posterior,
        "mcse": 0.01,
        "ess": 900.0,
        "ess_tail": 800.0,
        "rhat": 1.0,
    }


def _shares(part: pd.DataFrame) -> dict[str, float]:
    share = (part["score"] >= 4).mean()
    return {
        "favourable_mean": share * 0.9,
        "favourable_lower": share * 0.8,
        "favourable_upper": share,
        "naive_favourable": share,
        "rank_lower": 1.0,
        "rank_upper": 3.0,
        "prob_lowest_k": 0.2,
        "prob_highest_k": 0.3,
        "k": 3.0,
    }


def _parts(frame: pd.DataFrame, scale: Instrument):
    yield "overall", frame
    for dimension in scale.dimension_ids:
        yield dimension, frame[frame["dimension"] == dimension]


def _tables(
    answers: pd.DataFrame, theta: pd.Series, scale: Instrument, analysis: str
) -> dict[str, pd.DataFrame]:
    latent = theta.rename("theta").reset_index()
    latent["dimension"] = latent["item"].map({i.id: i.dimension for i in scale.items})
    latent["own"] = latent["rater_unit"] == latent["target_unit"]
    columns = {name: latent[name].to_numpy() for name in latent}

    def posterior(where: dict, dimension: str) -> float:
        keep = (
            np.ones(len(latent), dtype=bool) if dimension == "overall" else columns["dimension"] == dimension
        )
        for column, value in where.items():
            keep = keep & (columns[column] == value)
        return columns["theta"][keep].mean()

    relations, units, items = [], [], []
    for (wave, u, t), frame in answers.groupby(["wave", "rater_unit", "target_unit"]):
        where = {"wave": wave, "rater_unit": u, "target_unit": t}
        for dimension, part in _parts(frame, scale):
            row = {"analysis": analysis, "dimension": dimension}
            figures = _summary(part, posterior(where, dimension)) | _shares(part)
            if u == t:
                role = "within_unit" if scale.about_targets else "own_staff"
                units.append(row | {"wave": wave, "unit": u, "role": role} | figures)
            else:
                relations.append(row | where | figures | {"mean_unit_adjusted": figures["mean"] - 0.1})
        for item in scale.items:
            part = frame[frame["item"] == item.id]
            row = {"analysis": analysis, **where, "item": item.id, "dimension": item.dimension}
            items.append(row | _summary(part, theta[wave, u, t, item.id]))
    others = answers[~answers["own"]]
    for role, column in ROLES.items():
        for (wave, unit), frame in others.groupby(["wave", column]):
            for dimension, part in _parts(frame, scale):
                figures = _summary(part, posterior({"wave": wave, column: unit, "own": False}, dimension))
                row = {"analysis": analysis, "wave": wave, "unit": unit, "role": role, "dimension": dimension}
                units.append(row | figures | _shares(part))
    tables = {"unit_scores": pd.DataFrame(units), "item_profiles": pd.DataFrame(items)}
    if relations:
        tables["relation_scores"] = pd.DataFrame(relations)
        tables["perception_gaps"] = _gaps(tables["relation_scores"])
    everybody = others if scale.about_targets else answers
    tables["changes"] = _changes(tables, everybody, scale, analysis, posterior)
    tables["item_distributions"] = pd.DataFrame(
        {
            "analysis": analysis,
            "item": item,
            "dimension": part["dimension"].iloc[0],
            "category": category,
            "observed": int((part["score"] == category).sum()),
            "predicted_mean": 0.2,
            "suppressed": False,
        }
        for item, part in answers.groupby("item")
        for category in range(1, 6)
    )
    return {name: table for name, table in tables.items() if len(table)}


def _gaps(relations: pd.DataFrame) -> pd.DataFrame:
    rows = []
    by_key = relations.set_index(["wave", "rater_unit", "target_unit", "dimension"])
    for (wave, a, b, dimension), here in by_key.iterrows():
        if a < b and (wave, b, a, dimension) in by_key.index:
            back = by_key.loc[(wave, b, a, dimension)]
            rows.append(
                {
                    "analysis": here["analysis"],
                    "wave": wave,
                    "unit_a": a,
                    "unit_b": b,
                    "dimension": dimension,
                    "mean": here["mean"] - back["mean"],
                    "sd": 0.1,
                    "naive_gap": here["naive_mean"] - back["naive_mean"],
                    "n_respondents_a": here["n_respondents"],
                    "n_respondents_b": back["n_respondents"],
                    "n_ratings_a": here["n_ratings"],
                    "n_ratings_b": back["n_ratings"],
                    "suppressed": False,
                    "delta": 0.5,
                    "prob_gap_above_delta": 0.4,
                    "mean_unit_adjusted": here["mean"] - back["mean"] - 0.1,
                    "prob_gap_above_delta_unit_adjusted": 0.3,
                }
            )
    return pd.DataFrame(rows)


def _changes(tables, answers, scale, analysis, posterior) -> pd.DataFrame:
    rows = []
    waves = sorted(answers["wave"].unique())

    def add(ids: dict, before: dict, after: dict, first: str, last: str) -> None:
        rows.append(
            {
                "analysis": analysis,
                **ids,
                "wave_from": first,
                "wave_to": last,
                "mean": after["mean"] - before["mean"],
                "sd": 0.1,
                "naive_change": after["naive_mean"] - before["naive_mean"],
                "n_respondents_from": before["n_respondents"],
                "n_respondents_to": after["n_respondents"],
                "suppressed": False,
                "prob_positive": 0.5,
            }
        )

    pairs = sorted({*pairwise(waves), *([(waves[0], waves[-1])] if len(waves) > 1 else [])})
    for first, last in pairs:
        relations = tables.get("relation_scores", pd.DataFrame({"wave": []}))
        now = {
            tuple(r[c] for c in ("rater_unit", "target_unit", "dimension")): r
            for r in relations[relations["wave"] == last].to_dict("records")
        }
        for r in relations[relations["wave"] == first].to_dict("records"):
            key = (r["rater_unit"], r["target_unit"], r["dimension"])
            if key in now:
                ids = dict(zip(("rater_unit", "target_unit", "dimension"), key, strict=True))
                add({"level": "relation", "role": None, **ids}, r, now[key], first, last)
        units = tables["unit_scores"]
        now = {
            (r["unit"], r["role"], r["dimension"]): r for r in units[units["wave"] == last].to_dict("records")
        }
        for r in units[units["wave"] == first].to_dict("records"):
            key = (r["unit"], r["role"], r["dimension"])
            if key in now:
                ids = {
                    "role": r["role"],
                    "rater_unit": None if r["role"] == "seen_by_others" else r["unit"],
                    "target_unit": None if r["role"] == "as_rater" else r["unit"],
                    "dimension": r["dimension"],
                }
                add({"level": "unit", **ids}, r, now[key], first, last)
        for dimension in ("overall", *scale.dimension_ids):
            sides = [
                _summary(
                    part[(part["dimension"] == dimension) | (dimension == "overall")],
                    posterior({"own": not scale.about_targets, "wave": wave}, dimension),
                )
                for wave in (first, last)
                for part in [answers[answers["wave"] == wave]]
            ]
            ids = {"role": "", "rater_unit": None, "target_unit": None, "dimension": dimension}
            add({"level": "organisation", **ids}, *sides, first, last)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Builder:
    """What the test files use, as one fixture (test folders are not packages)."""

    instrument = staticmethod(instrument)
    survey_of = staticmethod(survey_of)
    random_responses = staticmethod(random_responses)
    world_of = staticmethod(world_of)

    def random(
        self, seed: int, scale: Instrument, *, n_leaders: dict[str, float] | None = None, **shape
    ) -> World:
        responses = random_responses(seed, scale, **shape)
        return world_of(survey_of(responses, scale, n_leaders=n_leaders), scale)


@pytest.fixture(scope="session")
def build() -> Builder:
    return Builder()


@pytest.fixture(scope="module")
def world(build):
    """Five units of three to fourteen people, most of whom answer in both waves."""
    return build.random(3, build.instrument(("o", 2), ("b", 2)), sizes=[3, 6, 8, 11, 14], waves=2, stay=0.9)
