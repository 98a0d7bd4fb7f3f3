"""Invented results of a leadership link beside those of `results_factory`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import erf, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
from estimate_factory import estimates
from results_factory import write_results

DIMENSIONS = {
    "relational_capacity": ("orientation", "behaviour"),
    "relational_leadership": ("framing", "engaged", "involving"),
    "psychological_safety": ("safety", "synergy"),
}
TITLES = {
    "relational_leadership": {
        "en": "Relational leadership",
        "da": "Relationel ledelse",
        "nb": "Relasjonell ledelse",
    },
    "framing": {"en": "Framing", "da": "Rammesættende", "nb": "Rammesettende"},
    "engaged": {"en": "Engaged", "da": "Engageret", "nb": "Engasjert"},
    "involving": {"en": "Involving", "da": "Involverende", "nb": "Involverende"},
}
SMALLEST = 0.1
CHECKS = (
    ("priors", "halved", 0.9),
    ("priors", "doubled", 1.1),
    ("leaders_left_out", "", 0.8),
    ("least_raters", "5", 1.2),
)
"""Check, detail, and its slope as a multiple of the estimate."""
QUESTIONS = {
    "moderator": "complexity",
    "cascade": ["top", "leaders", "employees"],
    "results": [
        {"outcome": "quality", "family": "gaussian", "structure": "meetings", "complexity": "complexity"}
    ],
}


def write_link_results(
    folder: Path,
    *,
    n_units: int = 12,
    n_waves: int = 2,
    effect: float = 0.2,
    sd: float = 0.05,
    methods: Sequence[str] = ("joint",),
    sources: Sequence[str] = ("different", "same"),
    separate: bool = False,
    hidden: int = 2,
    prior_share: float = 0.2,
    few_to_count: bool = False,
    left_out: tuple[float, float] | None = None,
    coefficients: Mapping[tuple[str, str, str], tuple[float, float]] | None = None,
    engine: str = "nuts",
    language: str = "en",
    audience: str = "researcher",
) -> Path:
    """A results folder with one leadership link; `effect` is that between units, adjusted.

    hidden : units whose rows are suppressed · few_to_count : numbers of units are blank · left_out : slopes
    without a unit, as multiples of the estimate; None leaves all checks out · coefficients : (question,
    outcome, term) → mean and P(> 0) of the regressions among units
    """
    write_results(folder, n_units=n_units, n_waves=n_waves, language=language, audience=audience)
    instruments = list(DIMENSIONS)
    facets = {i: [f"{i}.{d}" for d in DIMENSIONS[i]] if separate else [i] for i in instruments}
    outcomes, climates = (
        facets["relational_capacity"],
        facets["relational_leadership"] + facets["psychological_safety"],
    )
    tables = {
        "leadership_link": _links(outcomes, climates, n_waves, effect, sd, methods, sources, prior_share),
        "leadership_paths": _paths(outcomes, facets, n_waves, effect, sd, sources),
        "leadership_units": _units(outcomes, climates, n_units, hidden),
    }
    links = tables["leadership_link"]
    if "mixed" in methods:
        of_mixed = links["method"] == "mixed"
        tables["leadership_mixed"] = links[of_mixed & (links["source"] != "same")]
        tables["leadership_link"] = links[~of_mixed].reset_index(drop=True)
    if left_out is not None:
        tables["leadership_sensitivity"] = _checks(
            outcomes, climates[0], n_waves, 5 * effect, 5 * sd, left_out
        )
    if coefficients is not None:
        tables["leadership_regressions"] = _regressions(coefficients)
    tables["leadership_link"]["n_units"] = np.nan if few_to_count else n_units
    for name, table in tables.items():
        for flag in {"adjusted", "suppressed"} & set(table):
            table[flag] = table[flag].map({True: "true", False: "false"})
        table.to_csv(folder / "public" / "tables" / f"{name}.csv", index=False, float_format="%.7g")
    _into_context(folder, separate=separate, engine=engine, asked=QUESTIONS if coefficients else {})
    return folder


def _conditions(sources: Sequence[str]) -> list[tuple[str, bool, float]]:
    """Source, adjusted, and how far the estimate lies from the adjusted one of different sources."""
    of = {
        "different": [("different", False, 0.03), ("different", True, 0.0)],
        "same": [("same", False, 0.15)],
    }
    return [condition for source in sources for condition in of[source]]


def _levels(n_waves: int) -> list[tuple[str, float]]:
    return [("between", 1.0), *([("within", 0.5)] if n_waves > 1 else [])]


def _links(
    outcomes: Sequence[str],
    climates: Sequence[str],
    n_waves: int,
    effect: float,
    sd: float,
    methods: Sequence[str],
    sources: Sequence[str],
    prior_share: float,
) -> pd.DataFrame:
    drawn = {"naive": 0.5, "mixed": 0.6, "corrected": 0.95, "joint": 1.0}
    rows = []
    for outcome in outcomes:
        for method in methods:
            for source, adjusted, more in _conditions(sources):
                for level, part in _levels(n_waves):
                    for predictor in climates:
                        mean = drawn[method] * part * (effect + more)
                        for scale, factor in (("latent", 5.0), ("points", 1.0), ("probability", 0.4)):
                            about = (method, source, adjusted, level, predictor, outcome, scale)
                            rows.append((*about, factor * mean, factor * sd))
    names = ["method", "source", "adjusted", "level", "predictor", "outcome", "scale", "mean", "sd"]
    frame = pd.DataFrame(rows, columns=names)
    mean, spread = frame["mean"].to_numpy(), frame["sd"].to_numpy()
    frame = frame.assign(analysis="leadership_link", **estimates(mean, spread))
    points = frame["mean"] / frame["scale"].map({"latent": 5.0, "points": 1.0, "probability": 0.4})
    above, below = ((1 + np.vectorize(erf)((points - x) / sd / sqrt(2))) / 2 for x in (SMALLEST, -SMALLEST))
    joint, of_points = frame["method"] == "joint", frame["scale"] != "latent"
    return frame.assign(
        prob_positive=0.5,
        prob_smallest=pd.Series(above).where(joint),
        prob_rope=pd.Series(below - above).where(joint),
        prior_share=np.where(joint, prior_share, np.nan),
        per_point=(2 * frame["mean"]).where(of_points),
        per_point_lower=(2 * frame["lower"]).where(of_points),
        per_point_upper=(2 * frame["upper"]).where(of_points),
        note="",
    )


def _paths(
    outcomes: Sequence[str],
    facets: dict[str, list[str]],
    n_waves: int,
    effect: float,
    sd: float,
    sources: Sequence[str],
) -> pd.DataFrame:
    safety = facets["psychological_safety"]
    through, rows = " + ".join(safety), []
    for outcome in outcomes:
        for source, adjusted, more in _conditions(sources):
            for level, part in _levels(n_waves):
                total = part * (effect + more)
                for leader in facets["relational_leadership"]:
                    about = (source, adjusted, level)
                    for path, mediator, value in (
                        ("total", "", total),
                        ("direct", through, 0.75 * total),
                        ("indirect", through, 0.25 * total),
                    ):
                        rows.append((*about, leader, mediator, outcome, path, "latent", 5 * value))
                        rows.append((*about, leader, mediator, outcome, path, "points", value))
                    for mediator in safety:
                        rows.append((*about, leader, mediator, mediator, "first", "latent", 0.4))
                        rows.append((*about, mediator, mediator, outcome, "second", "latent", 0.6 * total))
            if n_waves > 2:
                names = [outcome, *facets["relational_leadership"], "perceiver"]
                lagged = [(a, "", b) for a in names for b in names]
                rows += [(source, adjusted, "within", *one, "lagged", "latent", 0.1) for one in lagged]
    names = ["source", "adjusted", "level", "predictor", "mediator", "outcome", "path", "scale", "mean"]
    frame = pd.DataFrame(rows, columns=names)
    mean = frame["mean"].to_numpy()
    spread = np.where(frame["scale"] == "latent", 5 * sd, sd)
    return frame.assign(analysis="leadership_link", prob_positive=0.9, **estimates(mean, spread))


def _units(outcomes: Sequence[str], climates: Sequence[str], n_units: int, hidden: int) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frames = []
    for outcome in outcomes:
        for predictor in climates:
            x, noise = rng.normal(0, 0.25, n_units), rng.normal(0, 0.15, n_units)
            frame = pd.DataFrame(
                {
                    "analysis": "leadership_link",
                    "unit": [f"u{n:02d}" for n in range(n_units)],
                    "predictor": predictor,
                    "outcome": outcome,
                    "ci_prob": 0.9,
                    "correlation": rng.uniform(-0.1, 0.5, n_units),
                    "n_staff": 14,
                    "n_raters": 60,
                    "suppressed": np.arange(n_units) < hidden,
                }
            )
            for name, value, sd in (("predictor", 3.7 + x, 0.12), ("outcome", 3.9 + 0.5 * x + noise, 0.08)):
                frame[f"{name}_mean"], frame[f"{name}_sd"] = value, sd
                frame[f"{name}_lower"], frame[f"{name}_upper"] = value - 1.645 * sd, value + 1.645 * sd
            figures = [c for c in frame if c.startswith(("predictor_", "outcome_", "n_"))]
            blank = ["ci_prob", "correlation", *figures]
            frame[blank] = frame[blank].astype(float).mask(frame["suppressed"])
            frames.append(frame)
    return pd.concat(frames)


def _checks(
    outcomes: Sequence[str],
    leadership: str,
    n_waves: int,
    slope: float,
    sd: float,
    left_out: tuple[float, float],
) -> pd.DataFrame:
    """Latent slopes; without adjustment they are half as large again."""
    rows = []
    for outcome in outcomes:
        for level, part in _levels(n_waves):
            for adjusted, factor in ((False, 1.5), (True, 1.0)):
                mean = part * factor * slope
                ends = zip(("lowest", "highest"), left_out)
                without = [("unit_left_out", which, factor) for which, factor in ends]
                checks = [("estimate", "", 1.0), *CHECKS, *without]
                about = (adjusted, level, outcome)
                rows += [
                    (*about, c, d, "slope", m * mean, m * mean - 2 * sd, m * mean + 2 * sd)
                    for c, d, m in checks
                ]
                needed = min(abs(mean) / 4, 0.9)
                least = 0.0 if abs(mean) < 2 * sd else needed / 2
                rows.append((*about, "robustness", "", "partial_r2", needed, least, (1 + needed) / 2))
    names = ["adjusted", "level", "outcome", "check", "detail", "quantity", "mean", "lower", "upper"]
    return pd.DataFrame(rows, columns=names).assign(
        analysis="leadership_link", predictor=leadership, ci_prob=0.9, n_units=np.nan
    )


def _regressions(coefficients: Mapping[tuple[str, str, str], tuple[float, float]]) -> pd.DataFrame:
    frame = pd.DataFrame(
        [(*about, *found) for about, found in coefficients.items()],
        columns=["question", "outcome", "term", "mean", "prob_positive"],
    )
    scale = np.where(frame["question"] == "outcome", "standardised", "latent")
    mean = frame["mean"].to_numpy()
    return frame.assign(analysis="leadership_link", scale=scale, **estimates(mean, np.full(len(mean), 0.1)))


def _into_context(folder: Path, *, separate: bool, engine: str, asked: Mapping[str, object]) -> None:
    path = folder / "restricted" / "context.json"
    context = json.loads(path.read_text(encoding="utf-8"))
    likeness = context["instruments"][0]
    context["instruments"].append(
        likeness
        | {
            "id": "relational_leadership",
            "title": TITLES["relational_leadership"],
            "dimensions": [{"id": d, "title": TITLES[d]} for d in DIMENSIONS["relational_leadership"]],
        }
    )
    context["links"] = [
        {
            "id": "leadership_link",
            "kind": "leadership_link",
            "instrument": "relational_capacity",
            "leadership": "relational_leadership",
            "safety": "psychological_safety",
            "dimensions": "separate" if separate else "pooled",
            "covariates": ["layer", "size"],
            "smallest": SMALLEST,
            "engine": {"name": engine},
            **asked,
        }
    ]
    path.write_text(json.dumps(context, ensure_ascii=False), encoding="utf-8")


def regressions(**means):
    """Mean and P(> 0) of some coefficients; others are 0."""
    terms = {
        "moderation": ("moderation", "capacity", "leadership × complexity"),
        "cascade": ("cascade", "leadership", "leadership above"),
        "outcome": ("outcome", "quality", "capacity"),
        "structure": ("outcome", "quality", "meetings × complexity"),
        "capacity": ("outcome", "quality", "capacity × complexity"),
    }
    return {term: means.get(name, (0.0, 0.5)) for name, term in terms.items()}
