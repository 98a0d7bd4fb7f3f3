"""A plausible results folder in the form of the table contract, for the report's tests.

The figures are invented with a seeded generator; they follow the shape of real results (shrunken means, wider
intervals for fewer respondents), so that the figures look like those of a study.
"""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd

HOSTILE = (
    "<script>window.hacked = true</script>",
    'Børn & Unge, "Øst"',
    "Familieafdelingen 👩‍👧‍👦 ÆØÅ æøå",
    "<img src=x onerror='window.hacked=true'>",
    "A unit with a very long name indeed, so long that no figure can hold it in full, whatever one does",
    "${7*7} {{7*7}} {0} %s \\frac $x_",
)
_PLACES = ("Nord", "Syd", "Øst", "Vest", "Midt")
_GROUPS = (
    "Socialrådgivere", "Sundhedspleje", "PPR", "Skoleledelse", "Dagtilbud", "Familiehus",
    "SSP", "Ungeteam", "Visitation", "Tandpleje", "Specialskole", "Klub og SFO",
)  # fmt: skip
_K = 5


def write_results(
    folder: Path,
    *,
    n_units: int = 12,
    n_waves: int = 1,
    hostile: bool = False,
    failing: bool = False,
    all_suppressed: bool = False,
    climate: bool = True,
    language: str = "en",
    audience: str = "researcher",
    analysis_ids: tuple[str, ...] = ("relations",),
    simulated: bool = True,
    seed: int = 7,
) -> Path:
    """Write `public/tables/*.csv` and `restricted/context.json` below `folder` and return it."""
    rng = np.random.default_rng(seed)
    units = _units(n_units, hostile=hostile)
    waves = [f"w{n + 1}" for n in range(n_waves)]
    tables: dict[str, list[pd.DataFrame]] = {}
    for analysis in analysis_ids:
        parts = _relation_tables(rng, analysis, units, waves, suppress_all=all_suppressed)
        for name, frame in parts.items():
            tables.setdefault(name, []).append(frame)
    if climate:
        for name, frame in _climate_tables(rng, units, waves, suppress_all=all_suppressed).items():
            tables.setdefault(name, []).append(frame)
    tables["checks"] = [_checks(failing=failing)]
    tables["intake"] = [
        pd.DataFrame(
            [["relational_capacity", 51000, 48000, 1200, 1500, 300]],
            columns=["instrument", "read", "answers", "dont_know", "missing", "blank"],
        )
    ]
    public = folder / "public" / "tables"
    public.mkdir(parents=True, exist_ok=True)
    for name, frames in tables.items():
        written = pd.concat(frames, ignore_index=True)
        for flag in ("suppressed", "passed", "asynchronous"):
            if flag in written:
                written[flag] = written[flag].map({True: "true", False: "false"})
        written.to_csv(public / f"{name}.csv", index=False, float_format="%.6g")
    context = _context(
        units, waves, analysis_ids, climate=climate, language=language, audience=audience, simulated=simulated
    )
    (folder / "restricted").mkdir(exist_ok=True)
    (folder / "restricted" / "context.json").write_text(
        json.dumps(context, ensure_ascii=False), encoding="utf-8"
    )
    return folder


def _units(n: int, *, hostile: bool) -> list[dict[str, object]]:
    units = []
    for number in range(n):
        place = _PLACES[number * min(len(_PLACES), max(1, n // 4)) // n % len(_PLACES)]
        name = f"{_GROUPS[number % len(_GROUPS)]} {place}"
        if hostile and number < len(HOSTILE):
            name = HOSTILE[number]
        units.append(
            {
                "unit_id": f"u{number:02d}",
                "name": name,
                "district": f"Distrikt {place}",
                "layer": "employees",
                "size": 12,
            }
        )
    if hostile:
        units[-1]["district"] = "<b>Distrikt</b> 🏫"
    return units


def _dimensions(analysis: str) -> tuple[str, ...]:
    return (
        ("overall", "safety", "synergy") if analysis == "safety" else ("overall", "orientation", "behaviour")
    )


def _estimates(mean: np.ndarray, sd: np.ndarray) -> dict[str, object]:
    return {
        "mean": mean, "sd": sd, "lower": mean - 1.645 * sd, "upper": mean + 1.645 * sd, "ci_prob": 0.9,
        "ci_kind": "eti", "median": mean, "mcse": sd / 40, "ess": 1600.0, "rhat": 1.002,
    }  # fmt: skip


def _blanked(frame: pd.DataFrame, hidden: np.ndarray, keep: tuple[str, ...]) -> pd.DataFrame:
    frame = frame.astype(object)
    frame.loc[hidden, [column for column in frame if column not in keep]] = np.nan
    return frame.assign(suppressed=hidden)


def _probabilities(
    rng: np.random.Generator, mean: np.ndarray, sd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    draws = mean + sd * rng.normal(size=(400, len(mean)))
    rank = draws.argsort(axis=1).argsort(axis=1)
    return (rank < _K).mean(axis=0), (rank >= len(mean) - _K).mean(axis=0)


def _relation_tables(
    rng: np.random.Generator,
    analysis: str,
    units: list[dict[str, object]],
    waves: list[str],
    *,
    suppress_all: bool,
) -> dict[str, pd.DataFrame]:
    ids = [str(unit["unit_id"]) for unit in units]
    district = {str(unit["unit_id"]): unit["district"] for unit in units}
    near = {pair: district[pair[0]] == district[pair[1]] for pair in permutations(ids, 2)}
    pairs = [
        pair
        for pair in permutations(ids, 2)
        if rng.random() < (0.85 if near[pair] else 0.35 if len(ids) < 20 else 0.13)
    ]
    perceiver = dict(zip(ids, rng.normal(0, 0.25, len(ids))))
    target = dict(zip(ids, rng.normal(0, 0.3, len(ids))))
    base = np.array(
        [3.65 + perceiver[a] + target[b] + rng.normal(0, 0.28) + 0.15 * near[a, b] for a, b in pairs]
    ).clip(1.4, 4.8)
    respondents = rng.integers(3, 28, len(pairs))
    asynchronous = rng.random(len(pairs)) < 0.12
    scores, profiles, gaps = [], [], []
    items = [f"RC{n}" for n in range(1, 7)]
    easiness = rng.normal(0, 0.2, len(items))
    for number, wave in enumerate(waves):
        for dimension in ("overall", "orientation", "behaviour"):
            mean = (base + 0.09 * number + rng.normal(0, 0.06, len(pairs))).clip(1.2, 4.9)
            sd = 0.75 / np.sqrt(respondents + 2)
            low, high = _probabilities(rng, mean, sd)
            overall = dimension == "overall"
            blank = np.full(len(pairs), np.nan)
            frame = pd.DataFrame(
                {
                    "analysis": analysis, "wave": wave, "rater_unit": [a for a, _ in pairs], "target_unit": [b for _, b in pairs],
                    "dimension": dimension, **_estimates(mean, sd),
                    "naive_mean": (mean + rng.normal(0, 0.8 / np.sqrt(respondents))).clip(1, 5),
                    "n_respondents": [str(n) if n >= 8 else "5–7" for n in respondents], "n_ratings": respondents * 6,
                    "mean_unit_adjusted": mean - [0.5 * perceiver[a] for a, _ in pairs], "lower_unit_adjusted": mean - sd, "upper_unit_adjusted": mean + sd,
                    "favourable_mean": ((mean - 1) / 4).clip(0.02, 0.98), "favourable_lower": 0.1, "favourable_upper": 0.9, "naive_favourable": 0.5,
                    "rank_lower": 1 if overall else blank, "rank_upper": len(pairs) if overall else blank,
                    "prob_lowest_k": low if overall else blank, "prob_highest_k": high if overall else blank, "k": _K if overall else blank,
                    "asynchronous": asynchronous,
                }
            )  # fmt: skip
            hidden = (respondents < 5) | suppress_all
            keep = ("analysis", "wave", "rater_unit", "target_unit", "dimension", "asynchronous")
            scores.append(_blanked(frame, hidden, keep))
            if overall:
                gaps.append(
                    _gaps(rng, analysis, wave, pairs, mean, sd, respondents, suppress_all=suppress_all)
                )
        for item, shift in zip(items, easiness):
            mean = (base + shift + rng.normal(0, 0.15, len(pairs))).clip(1.1, 4.9)
            frame = pd.DataFrame(
                {
                    "analysis": analysis, "wave": wave, "rater_unit": [a for a, _ in pairs], "target_unit": [b for _, b in pairs],
                    "item": item, "dimension": "orientation", **_estimates(mean, np.full(len(pairs), 0.25)), "naive_mean": mean,
                    "n_respondents": respondents, "n_ratings": respondents,
                }
            )  # fmt: skip
            hidden = (respondents < 6) | suppress_all
            profiles.append(
                _blanked(
                    frame, hidden, ("analysis", "wave", "rater_unit", "target_unit", "item", "dimension")
                )
            )
    tables = {
        "relation_scores": pd.concat(scores),
        "item_profiles": pd.concat(profiles),
        "perception_gaps": pd.concat(gaps),
        "unit_scores": _unit_scores(
            rng, analysis, ids, waves, ("seen_by_others", "as_rater", "within_unit"), suppress_all
        ),
        "variance_shares": _variance(
            analysis, ("perceiver", "target", "relation", "self", "respondent", "rating", "residual")
        ),
        "reliability": _reliability(analysis, ("all_relations", "within_rater_unit", "units")),
        "item_distributions": _distributions(rng, analysis, items),
    }
    changes = _changes(
        rng, analysis, ids, pairs, waves, ("seen_by_others", "as_rater", "within_unit"), suppress_all
    )
    return tables | ({"changes": changes} if len(waves) > 1 else {})


def _gaps(
    rng: np.random.Generator, analysis: str, wave: str, pairs: list[tuple[str, str]], mean: np.ndarray, sd: np.ndarray,
    respondents: np.ndarray, *, suppress_all: bool,
) -> pd.DataFrame:  # fmt: skip
    place = {pair: n for n, pair in enumerate(pairs)}
    both = [(a, b) for a, b in pairs if a < b and (b, a) in place]
    there = np.array([place[pair] for pair in both], int)
    back = np.array([place[b, a] for a, b in both], int)
    gap, spread = mean[there] - mean[back], np.hypot(sd[there], sd[back])
    draws = gap + spread * rng.normal(size=(400, len(both)))
    frame = pd.DataFrame(
        {
            "analysis": analysis, "wave": wave, "unit_a": [a for a, _ in both], "unit_b": [b for _, b in both], "dimension": "overall",
            **_estimates(gap, spread), "naive_gap": gap * 1.3, "n_respondents_a": 9, "n_respondents_b": 9, "n_ratings_a": 54, "n_ratings_b": 54,
            "delta": 0.5, "prob_gap_above_delta": (abs(draws) > 0.5).mean(axis=0), "mean_unit_adjusted": gap * 0.8,
            "lower_unit_adjusted": gap - spread, "upper_unit_adjusted": gap + spread,
        }
    )  # fmt: skip
    hidden = (respondents[there] < 5) | (respondents[back] < 5) | suppress_all
    return _blanked(frame, hidden, ("analysis", "wave", "unit_a", "unit_b", "dimension"))


def _unit_scores(
    rng: np.random.Generator,
    analysis: str,
    ids: list[str],
    waves: list[str],
    roles: tuple[str, ...],
    suppress_all: bool,
) -> pd.DataFrame:
    frames = []
    for role in roles:
        for wave in waves:
            mean = rng.normal(3.7, 0.3, len(ids)).clip(1.5, 4.9)
            sd = rng.uniform(0.07, 0.22, len(ids))
            low, high = _probabilities(rng, mean, sd)
            frame = pd.DataFrame(
                {
                    "analysis": analysis, "wave": wave, "unit": ids, "role": role, "dimension": "overall", **_estimates(mean, sd),
                    "naive_mean": mean + rng.normal(0, 0.1, len(ids)), "n_respondents": 20, "n_ratings": 120,
                    "favourable_mean": 0.6, "favourable_lower": 0.5, "favourable_upper": 0.7, "naive_favourable": 0.6,
                    "rank_lower": 1, "rank_upper": 5, "prob_lowest_k": low, "prob_highest_k": high, "k": _K,
                }
            )  # fmt: skip
            hidden = (rng.random(len(ids)) < 0.08) | suppress_all
            frames.append(_blanked(frame, hidden, ("analysis", "wave", "unit", "role", "dimension")))
    return pd.concat(frames)


def _variance(analysis: str, components: tuple[str, ...]) -> pd.DataFrame:
    rows = []
    for dimension in _dimensions(analysis):
        shares = np.linspace(0.05, 0.3, len(components))
        for component, share in zip(components, shares / shares.sum()):
            for quantity, value in (("variance", share * 2.2), ("share", share)):
                rows.append((dimension, component, quantity, value, 0.15 * value))
        if "relation" in components:
            rows.append((dimension, "generalised_reciprocity", "correlation", 0.32, 0.12))
            rows.append((dimension, "dyadic_reciprocity", "correlation", 0.18, 0.16))
    frame = pd.DataFrame(rows, columns=["dimension", "component", "quantity", "mean", "sd"])
    return frame.assign(analysis=analysis, **_estimates(frame["mean"].to_numpy(), frame["sd"].to_numpy()))


def _reliability(analysis: str, comparisons: tuple[str, ...]) -> pd.DataFrame:
    rows = []
    for comparison, ratio in zip(comparisons, (3.0, 5.5, 2.0)):
        for dimension, factor in zip(_dimensions(analysis), (1.0, 1.3, 1.2)):
            for n in range(1, 31):
                value = n / (n + ratio * factor)
                rows.append((comparison, dimension, "reliability", str(n), value, 0.08 * (1 - value)))
            for target in (0.7, 0.8):
                needed = ratio * factor * target / (1 - target)
                rows.append(
                    (comparison, dimension, f"respondents_for_{target:.2f}", "", needed, 0.15 * needed)
                )
    frame = pd.DataFrame(rows, columns=["comparison", "dimension", "quantity", "n_respondents", "mean", "sd"])
    return frame.assign(
        analysis=analysis, scale="response", **_estimates(frame["mean"].to_numpy(), frame["sd"].to_numpy())
    )


def _distributions(rng: np.random.Generator, analysis: str, items: list[str]) -> pd.DataFrame:
    frames = []
    for item in items:
        observed = rng.dirichlet([2, 5, 12, 20, 11])
        frames.append(
            pd.DataFrame(
                {
                    "analysis": analysis, "item": item, "dimension": "orientation", "category": range(1, 6), "observed": observed,
                    "predicted_mean": observed + rng.normal(0, 0.008, 5), "predicted_lower": observed - 0.02, "predicted_upper": observed + 0.02,
                    "suppressed": False,
                }
            )
        )  # fmt: skip
    return pd.concat(frames)


def _changes(
    rng: np.random.Generator, analysis: str, ids: list[str], pairs: list[tuple[str, str]], waves: list[str],
    roles: tuple[str, ...], suppress_all: bool,
) -> pd.DataFrame:  # fmt: skip
    spans = list(dict.fromkeys([*zip(waves, waves[1:]), (waves[0], waves[-1])])) if len(waves) > 1 else []
    rows = []
    for start, end in spans:
        for dimension in _dimensions(analysis):
            rows.append(("organisation", "", "", "", dimension, start, end, 0.12, 0.05))
        for role in roles:
            for unit in ids:
                rater = unit if role != "seen_by_others" else ""
                target = unit if role != "as_rater" else ""
                rows.append(
                    (
                        "unit",
                        role,
                        rater,
                        target,
                        "overall",
                        start,
                        end,
                        rng.normal(0.1, 0.18),
                        rng.uniform(0.08, 0.16),
                    )
                )
        for a, b in pairs:
            rows.append(("relation", "", a, b, "overall", start, end, rng.normal(0.1, 0.2), 0.17))
    names = ["level", "role", "rater_unit", "target_unit", "dimension", "wave_from", "wave_to", "mean", "sd"]
    frame = pd.DataFrame(rows, columns=names)
    mean, sd = frame["mean"].to_numpy(float), frame["sd"].to_numpy(float)
    frame = frame.assign(
        analysis=analysis, **_estimates(mean, sd), naive_change=mean * 1.4, n_respondents_from=15, n_respondents_to=14,
        prob_positive=1 / (1 + np.exp(-1.7 * mean / np.maximum(sd, 1e-9))),
    )  # fmt: skip
    hidden = (rng.random(len(frame)) < 0.1) & (frame["level"] != "organisation").to_numpy() | suppress_all
    return _blanked(frame, hidden, ("analysis", *names[:7]))


def _climate_tables(
    rng: np.random.Generator, units: list[dict[str, object]], waves: list[str], *, suppress_all: bool
) -> dict[str, pd.DataFrame]:
    ids = [str(unit["unit_id"]) for unit in units]
    tables = {
        "unit_scores": _unit_scores(rng, "safety", ids, waves, ("own_staff",), suppress_all),
        "variance_shares": _variance("safety", ("unit", "respondent", "residual")),
        "reliability": _reliability("safety", ("units",)),
        "item_distributions": _distributions(rng, "safety", [f"PS{n}" for n in range(1, 7)]),
    }
    changes = _changes(rng, "safety", ids, [], waves, ("own_staff",), suppress_all)
    return tables | ({"changes": changes} if len(waves) > 1 else {})


def _checks(*, failing: bool) -> pd.DataFrame:
    rows = [
        ("relations", "rhat", "all reported", 1.004, 1.01, True, "Largest R-hat 1.004 (at most 1.01)."),
        ("relations", "ess_bulk", "all reported", 812.0, 400, True, "Smallest bulk ESS 812 (at least 400)."),
        ("relations", "divergences", "", 0, 0, True, "No divergent transitions."),
        ("safety", "posterior_predictive_item", "PS3", 0.41, 0.05, True, "PS3: p = 0.41."),
    ]
    if failing:
        rows[0] = (
            "relations",
            "rhat",
            "relation[u03→u07]",
            1.08,
            1.01,
            False,
            "R-hat of relation[u03→u07] is 1.08 (at most 1.01).",
        )
        rows[2] = ("relations", "divergences", "", 14, 0, False, "14 divergent transitions after tuning.")
    return pd.DataFrame(
        rows, columns=["analysis", "check", "subject", "value", "threshold", "passed", "message"]
    )


def _context(
    units: list[dict[str, object]], waves: list[str], analysis_ids: tuple[str, ...], *, climate: bool, language: str,
    audience: str, simulated: bool,
) -> dict[str, object]:  # fmt: skip
    model = {
        "kind": "relations",
        "instrument": "relational_capacity",
        "family": "cumulative",
        "link": "probit",
        "loadings": "free",
        "covariates": [],
    }
    shared = {
        "priors": [
            {"parameter": "sd_target", "prior": "half-normal(0.75)", "meaning": "spread of units as seen by others"},
            {"parameter": "threshold", "prior": "normal(0, 1.5)", "meaning": "where one answer becomes the next"},
        ],
        "design": ["Dyadic reciprocity rests on 120 pairs seen from both sides.", "All waves hold every item."],
        "engine": {"name": "nuts", "chains": 4, "draws": 1000, "tune": 1000, "target_accept": 0.9, "seconds": 311.0},
        "n_responses": 48000, "n_ratings": 8200, "n_respondents": 1296, "n_units": len(units), "n_relations": 640,
    }  # fmt: skip
    analyses = [
        {"id": a, "kind": "relations", "instrument": "relational_capacity", "model": model, **shared}
        for a in analysis_ids
    ]
    instruments = [_instrument("relational_capacity", "RC", ("orientation", "behaviour"))]
    if climate:
        options = model | {"kind": "climate", "instrument": "psychological_safety"}
        analyses.append(
            {
                "id": "safety",
                "kind": "climate",
                "instrument": "psychological_safety",
                "model": options,
                **shared,
            }
        )
        instruments.append(_instrument("psychological_safety", "PS", ("safety", "synergy")))
    dates = ("2024-03", "2024-11", "2025-06")
    return {
        "package_version": "0.1.0",
        "study": {
            "name": "test", "title": "Collaboration in a children and youth service", "seed": 20260101,
            "waves": [{"id": wave, "date": dates[n % 3]} for n, wave in enumerate(waves)], "simulated": simulated,
            "disclosure": {"min_respondents_mean": 5, "min_respondents_distribution": 8, "min_leaders": 3},
        },
        "report": {"audience": audience, "language": language, "ci_prob": 0.9},
        "units": units, "instruments": instruments, "analyses": analyses,
        "not_done": ["No analysis of programmes: the study declares none."],
        "intake_notes": ["responses.csv uses semicolons and decimal commas; both were read."],
    }  # fmt: skip


def _instrument(instrument_id: str, prefix: str, dimensions: tuple[str, ...]) -> dict[str, object]:
    title = instrument_id.replace("_", " ").capitalize()
    items = [
        {"id": f"{prefix}{n}", "dimension": dimensions[n > 3], "text": {"en": f"Question {n} about the collaboration?", "da": f"Spørgsmål {n} om samarbejdet?"}}
        for n in range(1, 7)
    ]  # fmt: skip
    return {
        "id": instrument_id, "title": {"en": title, "da": title, "nb": title}, "source": "A slide deck of 2023.",
        "translation_status": {"en": "unvalidated translation from Danish", "da": "original ordlyd", "nb": "ikke validert"},
        "scale": {"minimum": 1, "maximum": 5, "favourable_from": 4}, "items": items,
        "dimensions": [{"id": d, "title": {"en": d.capitalize()}} for d in dimensions],
    }  # fmt: skip
