"""Invented results of a programme beside those of `results_factory`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from results_factory import write_results

ANALYSIS = "training"
GOAL = 0.2
EFFECTS = {"target_end": 1.0, "rater_end": 0.5, "both_ends": 1.5, "interaction": 0.0}
"""Each effect as a multiple of the visible one."""
METHODS = ("dyadic", "att_gt", "two_way", "wild_bootstrap", "randomisation")
SD = 0.05
SEVERAL_STARTS = ("staggered", "stepped_wedge")


def write_programme_results(
    folder: Path,
    *,
    design: str = "staggered",
    assignment: str = "observational",
    instrument: str = "relational_capacity",
    effect: float = 0.3,
    refused: str = "",
    separate: bool = False,
    before: float = 0.0,
    methods: Mapping[str, float] | None = None,
    forbidden: float = 0.0,
    threats: pd.DataFrame | None = None,
    chosen: bool = False,
    engine: str = "nuts",
    language: str = "en",
    audience: str = "researcher",
) -> Path:
    """A results folder with one analysis of a programme; `effect` is the visible one, in points.

    before : differences before the start · methods : estimate by method as a multiple of the model's; None
    leaves comparisons, weights and threats out · forbidden : weight of forbidden comparisons
    """
    write_results(folder, n_units=12, n_waves=3, language=language, audience=audience, climate=True)
    own, single = instrument != "relational_capacity", design == "single_group"
    factors = {"change": 1.0} if single else {"both_ends": 1.0} if own else EFFECTS
    tables = {
        "programme_designs": _design(design, assignment, instrument, refused),
        "programme_exposure": _exposure(own=own, single=single),
    }
    dimensions = DIMENSIONS if separate else WHOLE
    tables["programme_effects"] = effects_table(
        factors, effect, design, assignment, before=before, dimensions=dimensions
    )
    tables["programme_relation_types"] = _by_type(tables["programme_effects"])
    if methods is not None:
        tables["programme_comparisons"] = _comparisons(factors, effect, methods)
        tables["programme_weights"] = _weights(factors, effect, forbidden)
    if threats is not None:
        tables["programme_threats"] = threats.assign(analysis=ANALYSIS)
    for name, table in tables.items():
        if name not in ("programme_designs", "programme_exposure") and "suppressed" not in table:
            table["suppressed"] = False
        if "suppressed" in table:
            table["suppressed"] = table["suppressed"].map({True: "true", False: "false"})
        table.to_csv(folder / "public" / "tables" / f"{name}.csv", index=False, float_format="%.7g")
    _into_context(folder, assignment, instrument, chosen=chosen, engine=engine)
    return folder


WHOLE = ("pooled",)
DIMENSIONS = ("orientation", "behaviour", "overall")


def _by_type(effects: pd.DataFrame) -> pd.DataFrame:
    """Effects of relations of two types: from leaders to employees and back, of which these are larger."""
    simple = effects[effects["aggregate"] == "simple"].drop(columns=["aggregate", "group", "time"])
    ends = (("leaders", "employees", 0.0), ("employees", "leaders", 0.1))
    return pd.concat(
        [
            simple.assign(rater_type=rater, target_type=target, mean=simple["mean"] + more)
            for rater, target, more in ends
        ],
        ignore_index=True,
    )


def _design(design: str, assignment: str, instrument: str, refused: str) -> pd.DataFrame:
    treated = 1 if refused == "one_treated_cluster" else 6
    never = {"single_group": 0, "stepped_wedge": 0}.get(design, 6)
    row = {
        "analysis": ANALYSIS,
        "programme": "P1",
        "instrument": instrument,
        "assignment": assignment,
        "exposure": "start",
        "design": design,
        "assigned": "district" if refused else "unit",
        "refused": refused,
        "n_clusters_treated": treated,
        "n_clusters_comparison": 1 if refused == "one_comparison_cluster" else never,
        "n_units_treated": 6,
        "n_units_comparison": never,
        "n_units_always": 2,
        "n_relations_left_out": 17,
        "first_start": "w2",
        "last_start": "w2" if design not in SEVERAL_STARTS else "w3",
    }
    return pd.DataFrame([row])


def _exposure(*, own: bool, single: bool) -> pd.DataFrame:
    waves, rows = ["w1", "w2", "w3"], []
    cohorts = ["w2"] if single else ["w2", "w3", "never"]
    for wave in waves:
        for rater in cohorts:
            for target in [rater] if own else cohorts:
                ends = [start != "never" and start <= wave for start in (rater, target)]
                kind = {(1, 1): "both_ends", (1, 0): "rater_end", (0, 1): "target_end"}.get(
                    tuple(map(int, ends)), "comparison"
                )
                rows.append((wave, rater, target, kind, 10 + len(rows)))
    frame = pd.DataFrame(rows, columns=["wave", "cohort_rater", "cohort_target", "kind", "n_relations"])
    return frame.assign(analysis=ANALYSIS, n_respondents=40)


def effects_table(
    factors: Mapping[str, float],
    effect: float,
    design: str,
    assignment: str,
    *,
    before: float = 0.0,
    dimensions: tuple[str, ...] = WHOLE,
) -> pd.DataFrame:
    """Rows of every aggregate; favourable answers move 0.4 as much, latent scores 1.5 as much."""
    rows = []
    for estimand, factor in factors.items():
        for aggregate, group, time, more in _aggregates(design):
            for scale, times in (("latent", 1.5), ("points", 1.0), ("probability", 0.4)):
                for dimension in dimensions:
                    if scale == "latent" and dimension == "overall":
                        continue
                    early = aggregate == "dynamic" and time.startswith("-")
                    mean = before if early else factor * effect * more
                    rows.append(
                        (estimand, aggregate, group, time, scale, dimension, times * mean, times * SD)
                    )
    names = ["estimand", "aggregate", "group", "time", "scale", "dimension", "mean", "sd"]
    frame = pd.DataFrame(rows, columns=names)
    points = frame["scale"] == "points"
    return frame.assign(
        analysis=ANALYSIS,
        component="",
        assignment=assignment,
        design=design,
        lower=frame["mean"] - 1.645 * frame["sd"],
        upper=frame["mean"] + 1.645 * frame["sd"],
        ci_prob=0.9,
        prob_positive=[_above(m, s, 0.0) for m, s in zip(frame["mean"], frame["sd"], strict=True)],
        prob_goal=[_above(m, s, GOAL) for m, s in zip(frame["mean"], frame["sd"], strict=True)],
        goal=np.where(points, GOAL, np.nan),
        n_respondents=60,
        n_relations=40,
        n_units=6,
        n_clusters=6,
    )


def _above(mean: float, sd: float, limit: float) -> float:
    from math import erf, sqrt

    return 0.5 * (1 + erf((mean - limit) / sd / sqrt(2)))


def _aggregates(design: str) -> Iterator[tuple[str, str, str, float]]:
    """Aggregate, group, time, and the effect there as a multiple of the whole."""
    starts = ["w2"] if design not in SEVERAL_STARTS else ["w2", "w3"]
    yield "simple", "", "", 1.0
    for start in starts:
        yield "group", start, "", 1.1 if start == "w2" else 0.9
        yield from (("cell", start, wave, 1.0) for wave in ("w2", "w3") if wave >= start)
    for wave in ("w2", "w3"):
        yield "calendar", "", wave, 1.0
    for event, more in (("0", 0.9), ("1", 1.2)):
        yield "dynamic", "", event, more
    if design == "staggered":
        yield "dynamic", "", "-2", 1.0


def _comparisons(factors: Mapping[str, float], effect: float, methods: Mapping[str, float]) -> pd.DataFrame:
    rows = []
    for estimand, factor in factors.items():
        for method, times in methods.items():
            bare = method == "randomisation"
            mean = times * factor * effect
            limits = [np.nan] * 3 if bare else [0.06, mean - 0.1, mean + 0.1]
            rows.append((estimand, method, mean, *limits, 0.02))
    names = ["estimand", "method", "estimate", "se", "lower", "upper", "p"]
    return pd.DataFrame(rows, columns=names).assign(
        analysis=ANALYSIS,
        aggregate="simple",
        group="",
        time="",
        dimension="pooled",
        ci_prob=0.9,
        n_relations=40,
        n_units=6,
        n_clusters=6,
        note="incomplete:12;few_clusters",
    )


def _weights(factors: Mapping[str, float], effect: float, forbidden: float) -> pd.DataFrame:
    rows = []
    for estimand, factor in factors.items():
        rows.append((estimand, "treated_never", 1 - forbidden, factor * effect))
        if forbidden:
            rows.append((estimand, "later_earlier", forbidden, 0.0))
    frame = pd.DataFrame(rows, columns=["estimand", "comparison", "weight", "estimate"])
    return frame.assign(analysis=ANALYSIS)


def threat_rows(*rows: tuple) -> pd.DataFrame:
    """Rows of `threat, variant, estimand, quantity, value, lower, upper, p`, with a note where a ninth is."""
    names = ["threat", "variant", "estimand", "quantity", "value", "lower", "upper", "p", "note"]
    full = [(*row, "") if len(row) == len(names) - 1 else row for row in rows]
    return pd.DataFrame(full, columns=names).assign(ci_prob=0.9, n=60)


NONE = np.nan


def all_threats(estimand: str = "target_end", effect: float = 0.3) -> pd.DataFrame:
    """Every threat once, as a staggered study would have it."""
    low, high = effect - 0.1, effect + 0.1
    about = (estimand, "effect")
    return threat_rows(
        ("none", "", *about, effect, low, high, NONE),
        ("pre_trends", "", estimand, "wald", 0.5, NONE, NONE, 0.61),
        ("pre_trends", "-2", estimand, "difference", 0.02, -0.06, 0.1, 0.7),
        ("pre_trends", "relative", estimand, "breakdown", 1.4, NONE, NONE, NONE),
        *(
            ("pre_trends", f"relative:{bound:g}", *about, effect, low - 0.1 * bound, high + 0.1 * bound, NONE)
            for bound in (0.5, 1.0, 2.0)
        ),
        ("pre_trends", "smooth", estimand, "breakdown", NONE, NONE, NONE, NONE, "no_breakdown"),
        ("placebo_start", "", *about, 0.02, -0.1, 0.14, NONE),
        ("placebo_outcome", "psychological_safety", "both_ends", "effect", -0.01, -0.1, 0.08, NONE),
        ("anticipation", "", *about, effect + 0.02, low, high, NONE),
        ("anticipation", "-1", estimand, "difference", 0.04, -0.05, 0.13, NONE),
        ("response_shift", "thresholds", "", "difference_test", 9.1, NONE, NONE, 0.4, "held"),
        ("response_shift", "loadings", "", "difference_test", 30.1, NONE, NONE, 0.001, "not_held"),
        ("response_shift", "intercepts", "", "difference_test", 3.0, NONE, NONE, 0.6, "not_held"),
        ("response_shift", "RC1", "", "shift", 0.4, 0.2, 0.6, 0.001, "not_held"),
        ("response_shift", "RC5", "", "shift", -0.1, -0.3, 0.1, 0.4, "held"),
        ("response_shift", "RC1", "", "drift", 0.1, -0.1, 0.3, 0.3, "held"),
        ("response_shift", "RC5", "", "drift", 0.5, 0.3, 0.7, 0.001, "not_held"),
        ("response_shift", "equal:orientation", "", "latent_difference", 0.3, 0.1, 0.5, NONE),
        ("response_shift", "freed:orientation", "", "latent_difference", 0.2, 0.0, 0.4, NONE),
        ("response_shift", "orientation", "", "mean_impact", -0.1, NONE, NONE, NONE, "items:RC1"),
        ("response_shift", "without_shifting_items", *about, effect - 0.04, low, high, NONE, "items:RC1"),
        ("dropout", "leavers:w2", "", "share", 0.2, NONE, NONE, NONE),
        ("dropout", "leavers:never", "", "share", 0.3, NONE, NONE, NONE),
        ("dropout", "stayers", *about, effect + 0.03, low, high, NONE),
        ("dropout", "", estimand, "missing_share", 0.25, NONE, NONE, NONE),
        ("dropout", "", estimand, "tipping_point", 0.8, NONE, NONE, NONE),
        ("contamination", "0.25", *about, effect - 0.01, low, high, NONE),
        ("leave_one_out", "lowest", *about, effect - 0.15, low - 0.15, high - 0.15, NONE, "cluster:u01"),
        ("leave_one_out", "highest", *about, effect + 0.05, low, high, NONE, "cluster:u02"),
        ("regression_to_the_mean", "", "", "change", NONE, NONE, NONE, NONE, "no_comparison"),
    )


def single_group_threats() -> pd.DataFrame:
    """What can be checked without a comparison; the rest says that it cannot."""
    threats = all_threats("change")
    kept = threats["threat"].isin(["none", "placebo_outcome", "response_shift", "dropout", "leave_one_out"])
    kept &= ~threats["quantity"].isin(["shift", "drift", "latent_difference"])
    blank = [
        (threat, "", "", quantity, NONE, NONE, NONE, NONE, "no_comparison")
        for threat, quantity in (
            ("pre_trends", "wald"),
            ("placebo_start", "effect"),
            ("anticipation", "effect"),
            ("response_shift", "shift"),
        )
    ]
    return pd.concat([threats[kept], threat_rows(*blank), selection()])


def selection() -> pd.DataFrame:
    """Where the lowest were chosen."""
    return threat_rows(
        ("regression_to_the_mean", "simulated", "target_end", "stability", 0.6, NONE, NONE, NONE),
        ("regression_to_the_mean", "simulated", "target_end", "change", 0.1, 0.02, 0.18, NONE),
        ("regression_to_the_mean", "observed", "target_end", "change", 0.35, NONE, NONE, 0.001),
        ("regression_to_the_mean", "simulated", "target_end", "difference", 0.15, 0.04, 0.26, NONE),
        ("regression_to_the_mean", "observed", "target_end", "difference", 0.3, NONE, NONE, 0.02),
    )


def _into_context(folder: Path, assignment: str, instrument: str, *, chosen: bool, engine: str) -> None:
    path = folder / "restricted" / "context.json"
    context = json.loads(path.read_text(encoding="utf-8"))
    for one in context["instruments"]:
        one["referent"] = "target_unit" if one["id"] == "relational_capacity" else "own_team"
    context["programmes"] = [
        {
            "id": ANALYSIS,
            "kind": "programme_effect",
            "programme": "P1",
            "assignment": assignment,
            "instrument": instrument,
            "exposure": "start",
            "covariates": [],
            "dimensions": "pooled",
            "chosen": "lowest" if chosen else None,
            "engine": {"name": engine},
        }
    ]
    path.write_text(json.dumps(context, ensure_ascii=False), encoding="utf-8")
