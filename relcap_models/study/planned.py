"""One planned survey, simulated and fitted: how wide its intervals are, and which changes it sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from relcap_models.data import Survey, Wave, read_survey
from relcap_models.errors import FitError
from relcap_models.estimands import tables
from relcap_models.estimands.programme_effect import programme_effect_tables, refusal
from relcap_models.inference import fit
from relcap_models.inference.fit import Fit
from relcap_models.schema import Instrument
from relcap_models.seeds import child_seed
from relcap_models.simulate import Simulated, Simulation, simulate
from relcap_models.study.config import Model, ProgrammeEffect, Targets

COLUMNS = ["analysis", "quantity", "of", "value", "true", "lower", "upper"]
_RELATION = ["wave", "rater_unit", "target_unit"]
_UNIT = ["wave", "unit", "role"]


def planned_survey(
    simulation: Simulation,
    instruments: Mapping[str, Instrument],
    waves: Sequence[Wave],
    analyses: Sequence[Model | ProgrammeEffect],
    targets: Targets,
    settings: Mapping[str, Any],
    *,
    ci_prob: float,
    seed: int,
    key: str,
) -> pd.DataFrame:
    """Simulate a survey, fit the analyses to it, and say how precise they are.

    Parameters
    ----------
    settings : of the fits, without seed · key : names this survey; its random numbers follow from it

    Returns
    -------
    Rows of the mean over all items, by analysis: quantity, of, value. `interval_width` in points,
    `rank_width` as a share of those ranked, `coverage` of the intervals, `respondents_for_0.70` by comparison
    (of the D-study, on the response scale), `respondents` of a unit and `ratings` of a relation in a wave.
    And a row `change` for everything followed from the first wave to the last: true, and its interval from
    lower to upper. Of a programme, `effect` by end of a relation: 0 in truth, and its interval.
    """
    number = int(child_seed(seed, "power", key).generate_state(1)[0])
    simulated = simulate(simulation, instruments=instruments, waves=waves, seed=number)
    survey = read_survey(simulated.tables, instruments=tuple(instruments.values()), waves=waves)
    parts = []
    for analysis in analyses:
        fitted = fit(analysis, survey, seed=number, progress=False, **settings)
        if isinstance(analysis, ProgrammeEffect):
            if told := refusal(analysis.exposed(survey)):
                raise FitError(f"{analysis.id}: {told.replace('_', ' ')}, so no effect can be inferred")
            rows = list(_of_programme(fitted, survey, targets, ci_prob))
        else:
            rows = list(_of_analysis(fitted, survey, simulated, targets, ci_prob))
        parts.append(pd.DataFrame(rows, columns=COLUMNS[1:]).assign(analysis=analysis.id))
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def _of_analysis(
    fitted: Fit, survey: Survey, simulated: Simulated, targets: Targets, ci_prob: float
) -> Iterator[dict[str, object]]:
    found = tables(fitted, survey, ci_prob=ci_prob, gap=targets.gap, goal=targets.change, k=targets.k)
    overall = {name: t[t["dimension"] == "overall"] if "dimension" in t else t for name, t in found.items()}
    relations, units = _truth(simulated, fitted.model.instrument)
    scores = overall["unit_scores"].merge(units, on=_UNIT, how="left", validate="one_to_one")
    judged = dict(list(scores.groupby("role", sort=False)))
    if relations is not None:
        cells = overall["relation_scores"].merge(relations, on=_RELATION, how="left", validate="one_to_one")
        judged = {"relation": cells, "gap": _gaps(overall["perception_gaps"], relations), **judged}
    for of, table in judged.items():
        if table.empty:
            continue
        inside = (table["lower"] <= table["true"]) & (table["true"] <= table["upper"])
        yield _figure("interval_width", of, (table["upper"] - table["lower"]).mean())
        yield _figure("coverage", of, inside.mean())
        if "rank_upper" in table and table["rank_upper"].notna().all():
            ranked = table.groupby("wave")["wave"].transform("size")
            width = (table["rank_upper"] - table["rank_lower"] + 1) / ranked
            yield _figure("rank_width", of, width.mean())
    yield from _numbers(fitted)
    needed = overall["reliability"].query("quantity == 'respondents_for_0.70' and scale == 'response'")
    for row in needed.itertuples():
        yield _figure(row.quantity, row.comparison, row.median)
    if "changes" in overall:
        yield from _changes(overall["changes"], relations, units, fitted.frame.waves)


def _of_programme(
    fitted: Fit, survey: Survey, targets: Targets, ci_prob: float
) -> Iterator[dict[str, object]]:
    """Effects of a programme that does nothing, in points, averaged over all who take part."""
    found = programme_effect_tables(fitted, survey, ci_prob=ci_prob, goal=targets.change)
    table = found["programme_effects"]
    table = table[
        (table["scale"] == "points") & (table["aggregate"] == "simple") & (table["component"] == "")
    ]
    for row in table.drop_duplicates("estimand", keep="last").itertuples():
        yield _figure("interval_width", row.estimand, row.upper - row.lower)
        yield _figure("coverage", row.estimand, row.lower <= 0.0 <= row.upper)
        yield {
            "quantity": "effect",
            "of": row.estimand,
            "true": 0.0,
            "lower": row.lower,
            "upper": row.upper,
        }
    yield from _numbers(fitted)


def _figure(quantity: str, of: str, value: float) -> dict[str, object]:
    return {"quantity": quantity, "of": of, "value": float(value)}


def _truth(simulated: Simulated, instrument: str) -> tuple[pd.DataFrame | None, pd.DataFrame]:
    """True scores of relations (None in a climate analysis) and of units in every role, in `true`."""

    def of(name: str, role: str | None = None) -> pd.DataFrame | None:
        if name not in simulated.truth:
            return None
        table = simulated.truth[name]
        table = table[(table["instrument"] == instrument) & (table["dimension"] == "overall")]
        table = table.rename(columns={"score": "true"})
        return table if role is None else table.assign(role=role)

    sources = (
        of("unit_scores"),
        of("within_unit_scores", "within_unit"),
        of("climate_scores", "own_staff"),
    )
    units = pd.concat([table for table in sources if table is not None])[[*_UNIT, "true"]]
    relations = of("relation_scores")
    if relations is None or relations.empty:
        return None, units
    return relations[[*_RELATION, "true"]], units


def _gaps(gaps: pd.DataFrame, relations: pd.DataFrame) -> pd.DataFrame:
    ends = [["wave", "unit_a", "unit_b"], ["wave", "unit_b", "unit_a"]]
    sides = [gaps.merge(relations, left_on=end, right_on=_RELATION, how="left")["true"] for end in ends]
    return gaps.reset_index(drop=True).assign(true=sides[0] - sides[1])


def _numbers(fitted: Fit) -> Iterator[dict[str, object]]:
    frame = fitted.frame
    ratings = pd.DataFrame(
        {
            "wave": frame.wave_of_rating,
            "rater": frame.rater_of_rating,
            "target": frame.target_of_rating,
            "respondent": frame.respondent_of_rating,
        }
    )
    each = ratings.groupby(["wave", "rater"])["respondent"].nunique()
    yield _figure("respondents", "unit", each.mean())
    others = ratings[ratings["rater"] != ratings["target"]]
    if len(others):
        yield _figure("ratings", "relation", others.groupby(["wave", "rater", "target"]).size().mean())


def _changes(
    changes: pd.DataFrame, relations: pd.DataFrame | None, units: pd.DataFrame, waves: Sequence[str]
) -> Iterator[dict[str, object]]:
    """From the first wave to the last. The organisation's true change is the mean of what is followed."""
    first_to_last = changes[(changes["wave_from"] == waves[0]) & (changes["wave_to"] == waves[-1])]
    groups = dict(list(first_to_last.groupby(["level", "role"], sort=False)))
    everyone = groups.pop(("organisation", ""))
    means = []
    for (level, role), table in groups.items():
        if level == "relation":
            key, scores = ["rater_unit", "target_unit"], relations
        else:
            name = "target_unit" if role == "seen_by_others" else "rater_unit"
            key, scores = [name], units[units["role"] == role].rename(columns={"unit": name})
        sides = [
            table.merge(scores[scores["wave"] == wave], on=key, how="left", validate="one_to_one")["true"]
            for wave in (waves[0], waves[-1])
        ]
        true = (sides[1] - sides[0]).to_numpy()
        if level == "relation" or role == "own_staff":
            means.append(true.mean())
        for change, lower, upper in zip(true, table["lower"], table["upper"]):
            yield {"quantity": "change", "of": role or level, "true": change, "lower": lower, "upper": upper}
    row = everyone.iloc[0]
    limits = {"lower": row["lower"], "upper": row["upper"]}
    yield {"quantity": "change", "of": "organisation", "true": means[0], **limits}
