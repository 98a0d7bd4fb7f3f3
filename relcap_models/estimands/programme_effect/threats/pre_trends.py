"""Whether relations moved alike before the start, and how far they may not have for the effect to vanish."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import f as fisher

from relcap_models.differences import honest_trends
from relcap_models.errors import DataError, FitError
from relcap_models.estimands.programme_effect import notes
from relcap_models.estimands.programme_effect.comparisons.averages import Average, averages, estimated
from relcap_models.estimands.programme_effect.comparisons.before_start import with_leads
from relcap_models.estimands.programme_effect.comparisons.saturated import Saturated
from relcap_models.estimands.programme_effect.threats.case import EFFECT, Case, Row, blank, effect_rows
from relcap_models.models.exposure_columns import INTERACTION

THREAT = "pre_trends"
RELATIVE = (0.5, 1.0, 2.0)
"""Multiples of the largest step before the start."""
SMOOTH = (0.0, 0.05, 0.1)
"""Points by which the slope of the difference in trends may change from one wave to the next."""
SINGULAR = 1e-10


def pre_trend_rows(case: Case) -> Iterator[Row]:
    """Of each estimand: a joint test that all differences before the start are 0 (`wald`, an F statistic, n
    its numerator's degrees of freedom); each `difference` (`variant` in waves to the start); and what the
    effect is if trends differ after the start by a multiple of what they did before (`relative:1`), or bend
    by so many points a wave (`smooth:0.05`), with the largest violation that it survives (`breakdown`).

    Source: Rambachan & Roth (2023), Rev. Econ. Stud. 90, 2555-2591.
    """
    if not case.compared:
        yield blank(THREAT, notes.NO_COMPARISON, quantity="wald")
        return
    found = case.regression(with_leads(case.rows))
    studies: dict[str, list[Average]] = {}
    for average in averages(found, aggregates=("dynamic",)):
        if average.estimand != INTERACTION:
            studies.setdefault(average.estimand, []).append(average)
    for estimand, study in studies.items():
        if not any(average.event < 0 for average in study):
            yield blank(THREAT, notes.ONE_WAVE_BEFORE, estimand=estimand, quantity="wald")
        elif any(average.event >= 0 for average in study):
            yield from _of_estimand(case, found, estimand, study)


def _of_estimand(case: Case, found: Saturated, estimand: str, study: list[Average]) -> Iterator[Row]:
    base = {"threat": THREAT, "estimand": estimand}
    leads = [average for average in study if average.event < 0]
    rows = [
        row
        for lead in leads
        for row in effect_rows(
            case, found, [lead], threat=THREAT, variant=str(lead.event), quantity="difference"
        )
    ]
    unknown = [row["note"] for row in estimated(found, study, ci_prob=case.ci_prob) if np.isnan(row["se"])]
    if unknown:
        yield blank(THREAT, unknown[0], estimand=estimand, quantity="wald")
        yield from rows
        return
    yield base | _joint(found, leads)
    yield from rows
    for kind, bounds in (("relative", RELATIVE), ("smooth", SMOOTH)):
        for row in _honest(case, found, study, kind, bounds):
            yield base | row


def _joint(found: Saturated, leads: list[Average]) -> Row:
    weights = np.column_stack([average.weights for average in leads])
    difference = weights.T @ found.estimate
    covariance = found.covariance(weights)
    roots = np.linalg.eigvalsh(covariance)
    row = {"variant": "", "quantity": "wald", "n": len(leads), "note": ""}
    if roots[0] <= SINGULAR * roots[-1]:
        return row | {"note": notes.NOT_ESTIMATED}
    statistic = float(difference @ np.linalg.solve(covariance, difference)) / len(leads)
    p = float(fisher.sf(statistic, len(leads), found.df))
    return row | {"value": statistic, "p": p}


def _honest(
    case: Case, found: Saturated, study: list[Average], kind: str, bounds: tuple[float, ...]
) -> Iterator[Row]:
    """The effect over all waves from the start on, under violations of each size."""
    chosen = _consecutive(study)
    weights = np.column_stack([average.weights for average in chosen])
    events = [average.event for average in chosen]
    n_of = found.parts.groupby(["estimand", "event"])["n"].sum()
    after = np.array([n_of[chosen[0].estimand, event] if event >= 0 else 0 for event in events])
    target = {event: n / after.sum() for event, n in zip(events, after) if n}
    try:
        trends = honest_trends(
            pd.Series(weights.T @ found.estimate, index=events),
            found.covariance(weights),
            kind=kind,
            bounds=bounds,
            target=target,
            ci_prob=case.ci_prob,
        )
    except (DataError, FitError, np.linalg.LinAlgError):
        yield {"variant": kind, "quantity": "breakdown", "note": notes.NOT_ESTIMATED}
        return
    endless = np.isinf(trends.breakdown)
    note = notes.NO_BREAKDOWN if endless else notes.INCLUDES_ZERO if trends.breakdown == 0 else ""
    value = np.nan if endless else trends.breakdown
    yield {"variant": kind, "quantity": "breakdown", "value": value, "note": note}
    for row in trends.table.itertuples(index=False):
        limits = {"lower": row.lower, "upper": row.upper}
        variant = f"{kind}:{row.bound:g}"
        yield {"variant": variant, "quantity": EFFECT, "value": trends.effect, **limits, "note": ""}


def _consecutive(study: list[Average]) -> list[Average]:
    """Those before and after the start without a gap next to it."""
    by_event = {average.event: average for average in study}
    first, last = -2, 0
    while first - 1 in by_event:
        first -= 1
    while last + 1 in by_event:
        last += 1
    return [by_event[e] for e in range(first, last + 1) if e in by_event]
