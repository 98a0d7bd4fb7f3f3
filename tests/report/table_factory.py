"""Invented tables of estimates, see results_factory."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pandas as pd
from estimate_factory import K, blanked, dimensions, estimates, probabilities, reliability, variance


def relation_tables(
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
            low, high = probabilities(rng, mean, sd)
            overall = dimension == "overall"
            blank = np.full(len(pairs), np.nan)
            frame = pd.DataFrame(
                {
                    "analysis": analysis,
                    "wave": wave,
                    "rater_unit": [a for a, _ in pairs],
                    "target_unit": [b for _, b in pairs],
                    "dimension": dimension,
                    **estimates(mean, sd),
                    "naive_mean": (mean + rng.normal(0, 0.8 / np.sqrt(respondents))).clip(1, 5),
                    "n_respondents": [str(n) if n >= 8 else "5–7" for n in respondents],
                    "n_ratings": respondents * 6,
                    "mean_unit_adjusted": mean - [0.5 * perceiver[a] for a, _ in pairs],
                    "lower_unit_adjusted": mean - sd,
                    "upper_unit_adjusted": mean + sd,
                    "favourable_mean": ((mean - 1) / 4).clip(0.02, 0.98),
                    "favourable_lower": 0.1,
                    "favourable_upper": 0.9,
                    "naive_favourable": 0.5,
                    "rank_lower": 1 if overall else blank,
                    "rank_upper": len(pairs) if overall else blank,
                    "prob_lowest_k": low if overall else blank,
                    "prob_highest_k": high if overall else blank,
                    "k": K if overall else blank,
                    "asynchronous": asynchronous,
                }
            )
            hidden = (respondents < 5) | suppress_all
            keep = ("analysis", "wave", "rater_unit", "target_unit", "dimension", "asynchronous")
            scores.append(blanked(frame, hidden, keep))
            if overall:
                gaps.append(
                    _gaps(rng, analysis, wave, pairs, mean, sd, respondents, suppress_all=suppress_all)
                )
        for item, shift in zip(items, easiness):
            mean = (base + shift + rng.normal(0, 0.15, len(pairs))).clip(1.1, 4.9)
            frame = pd.DataFrame(
                {
                    "analysis": analysis,
                    "wave": wave,
                    "rater_unit": [a for a, _ in pairs],
                    "target_unit": [b for _, b in pairs],
                    "item": item,
                    "dimension": "orientation",
                    **estimates(mean, np.full(len(pairs), 0.25)),
                    "naive_mean": mean,
                    "n_respondents": respondents,
                    "n_ratings": respondents,
                }
            )
            hidden = (respondents < 6) | suppress_all
            profiles.append(
                blanked(frame, hidden, ("analysis", "wave", "rater_unit", "target_unit", "item", "dimension"))
            )
    tables = {
        "relation_scores": pd.concat(scores),
        "item_profiles": pd.concat(profiles),
        "perception_gaps": pd.concat(gaps),
        "unit_scores": _unit_scores(
            rng, analysis, ids, waves, ("seen_by_others", "as_rater", "within_unit"), suppress_all
        ),
        "variance_shares": variance(
            analysis, ("perceiver", "target", "relation", "self", "respondent", "rating", "residual")
        ),
        "reliability": reliability(analysis, ("all_relations", "within_rater_unit", "units")),
        "item_distributions": _distributions(rng, analysis, items),
    }
    changes = _changes(
        rng, analysis, ids, pairs, waves, ("seen_by_others", "as_rater", "within_unit"), suppress_all
    )
    return tables | ({"changes": changes} if len(waves) > 1 else {})


def _gaps(
    rng: np.random.Generator,
    analysis: str,
    wave: str,
    pairs: list[tuple[str, str]],
    mean: np.ndarray,
    sd: np.ndarray,
    respondents: np.ndarray,
    *,
    suppress_all: bool,
) -> pd.DataFrame:
    place = {pair: n for n, pair in enumerate(pairs)}
    both = [(a, b) for a, b in pairs if a < b and (b, a) in place]
    there = np.array([place[pair] for pair in both], int)
    back = np.array([place[b, a] for a, b in both], int)
    gap, spread = mean[there] - mean[back], np.hypot(sd[there], sd[back])
    draws = gap + spread * rng.normal(size=(400, len(both)))
    frame = pd.DataFrame(
        {
            "analysis": analysis,
            "wave": wave,
            "unit_a": [a for a, _ in both],
            "unit_b": [b for _, b in both],
            "dimension": "overall",
            **estimates(gap, spread),
            "naive_gap": gap * 1.3,
            "n_respondents_a": 9,
            "n_respondents_b": 9,
            "n_ratings_a": 54,
            "n_ratings_b": 54,
            "delta": 0.5,
            "prob_gap_above_delta": (abs(draws) > 0.5).mean(axis=0),
            "mean_unit_adjusted": gap * 0.8,
            "lower_unit_adjusted": gap - spread,
            "upper_unit_adjusted": gap + spread,
            "prob_gap_above_delta_unit_adjusted": (abs(draws - 0.2 * gap) > 0.5).mean(axis=0),
        }
    )
    hidden = (respondents[there] < 5) | (respondents[back] < 5) | suppress_all
    return blanked(frame, hidden, ("analysis", "wave", "unit_a", "unit_b", "dimension"))


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
            low, high = probabilities(rng, mean, sd)
            frame = pd.DataFrame(
                {
                    "analysis": analysis,
                    "wave": wave,
                    "unit": ids,
                    "role": role,
                    "dimension": "overall",
                    **estimates(mean, sd),
                    "naive_mean": mean + rng.normal(0, 0.1, len(ids)),
                    "n_respondents": 20,
                    "n_ratings": 120,
                    "favourable_mean": 0.6,
                    "favourable_lower": 0.5,
                    "favourable_upper": 0.7,
                    "naive_favourable": 0.6,
                    "rank_lower": 1,
                    "rank_upper": 5,
                    "prob_lowest_k": low,
                    "prob_highest_k": high,
                    "k": K,
                }
            )
            hidden = (rng.random(len(ids)) < 0.08) | suppress_all
            frames.append(blanked(frame, hidden, ("analysis", "wave", "unit", "role", "dimension")))
    return pd.concat(frames)


def _distributions(rng: np.random.Generator, analysis: str, items: list[str]) -> pd.DataFrame:
    frames = []
    for item in items:
        observed = rng.dirichlet([2, 5, 12, 20, 11])
        frames.append(
            pd.DataFrame(
                {
                    "analysis": analysis,
                    "item": item,
                    "dimension": "orientation",
                    "category": range(1, 6),
                    "observed": observed,
                    "predicted_mean": observed + rng.normal(0, 0.008, 5),
                    "predicted_lower": observed - 0.02,
                    "predicted_upper": observed + 0.02,
                    "suppressed": False,
                }
            )
        )
    return pd.concat(frames)


def _changes(
    rng: np.random.Generator,
    analysis: str,
    ids: list[str],
    pairs: list[tuple[str, str]],
    waves: list[str],
    roles: tuple[str, ...],
    suppress_all: bool,
) -> pd.DataFrame:
    spans = list(dict.fromkeys([*pairwise(waves), (waves[0], waves[-1])])) if len(waves) > 1 else []
    rows = []
    for start, end in spans:
        for dimension in dimensions(analysis):
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
        analysis=analysis,
        **estimates(mean, sd),
        naive_change=mean * 1.4,
        n_respondents_from=15,
        n_respondents_to=14,
        prob_positive=1 / (1 + np.exp(-1.7 * mean / np.maximum(sd, 1e-9))),
    )
    hidden = (rng.random(len(frame)) < 0.1) & (frame["level"] != "organisation").to_numpy() | suppress_all
    return blanked(frame, hidden, ("analysis", *names[:7]))


def climate_tables(
    rng: np.random.Generator, units: list[dict[str, object]], waves: list[str], *, suppress_all: bool
) -> dict[str, pd.DataFrame]:
    ids = [str(unit["unit_id"]) for unit in units]
    tables = {
        "unit_scores": _unit_scores(rng, "safety", ids, waves, ("own_staff",), suppress_all),
        "variance_shares": variance("safety", ("unit", "respondent", "residual")),
        "reliability": reliability("safety", ("units",)),
        "item_distributions": _distributions(rng, "safety", [f"PS{n}" for n in range(1, 7)]),
    }
    changes = _changes(rng, "safety", ids, [], waves, ("own_staff",), suppress_all)
    return tables | ({"changes": changes} if len(waves) > 1 else {})
