"""The tables of effects: averaged over relations as they were exposed, by cohort and time, and by type."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from relcap_models.data.survey import Survey
from relcap_models.estimands.estimate import columns
from relcap_models.estimands.programme_effect.contrast_means import COUNTS, contrast_means
from relcap_models.estimands.programme_effect.counterfactuals import Contrast, changes, effects, leads
from relcap_models.inference.fit import Fit
from relcap_models.models.exposure import SINGLE_GROUP
from relcap_models.models.programme_effect import Exposed

_REST = columns(
    "component dimension assignment design goal ci_prob ci_kind median", *COUNTS, "mcse ess ess_tail rhat"
)
_FIGURES = "scale mean sd lower upper prob_positive prob_goal"
COLUMNS = columns("analysis estimand aggregate group time", _FIGURES, *_REST)
TYPE_COLUMNS = columns("analysis estimand rater_type target_type", _FIGURES, *_REST)
_BY = {
    "cell": ["group", "wave"],
    "simple": [],
    "group": ["group"],
    "dynamic": ["event"],
    "calendar": ["wave"],
}


def programme_effect_tables(
    fit: Fit, survey: Survey, *, ci_prob: float, goal: float
) -> dict[str, pd.DataFrame]:
    """`programme_effects`, and `programme_relation_types` where units have types or layers.

    Rows of the first are means over relations in waves, all with one weight: `cell` over those of one cohort
    (the wave in which their exposure began) in one wave, `simple` over all, `group` by cohort, `calendar` by
    wave, `dynamic` by waves since the start. Below 0 these are differences before it (where the fit has
    them): a check, no effects. Rows of the second are `simple` means by the types of rater and target: the
    model's latent effects do not hang on these, so that they say what the same effect comes to where ratings
    start from other levels, and who was exposed.

    estimand : `rater_end`, `target_end`, `both_ends`, `interaction` and `spillover` are effects: a score as
    it was minus one without the programme, which takes comparisons to know. A single group has none, and so
    no effects: its one estimand is `change`, since the last wave before the start, at whichever end.

    latent : in standard deviations of the response's own noise · points : of the response scale ·
    probability : share of favourable answers. `prob_goal` is P(effect > goal), in points alone.
    """
    exposed = fit.model.exposed(survey)
    about = {"ci_prob": ci_prob, "goal": goal}
    single = exposed.design == SINGLE_GROUP
    contrasts = [changes(fit, exposed)] if single else list(effects(fit, exposed))
    found = [rows for contrast in contrasts for rows in _by_time(fit, exposed, contrast, **about)]
    for event, contrast in leads(fit, exposed):
        everywhere = pd.Series(0, index=contrast.cells.index)
        labels = [{"aggregate": "dynamic", "group": "", "time": str(event)}]
        found += contrast_means(fit, exposed, contrast, everywhere, labels, **about)
    tables = {"programme_effects": pd.concat(found, ignore_index=True)[COLUMNS]}
    types = _types(exposed, survey)
    if types is not None:
        by_type = [
            rows for contrast in contrasts for rows in _by_type(fit, exposed, contrast, types, **about)
        ]
        tables["programme_relation_types"] = pd.concat(by_type, ignore_index=True)[TYPE_COLUMNS]
    return tables


def _by_time(
    fit: Fit, exposed: Exposed, contrast: Contrast, *, ci_prob: float, goal: float
) -> Iterator[pd.DataFrame]:
    """Every aggregate of one estimand."""
    waves = np.array(exposed.exposure.waves, dtype=object)
    for aggregate, by in _BY.items():
        part, parts = _parts(contrast.cells[by])
        labels = [
            {
                "aggregate": aggregate,
                "group": waves[row["group"]] if "group" in row else "",
                "time": str(row["event"]) if "event" in row else waves[row["wave"]] if "wave" in row else "",
            }
            for row in parts
        ]
        yield from contrast_means(fit, exposed, contrast, part, labels, ci_prob=ci_prob, goal=goal)


def _by_type(
    fit: Fit, exposed: Exposed, contrast: Contrast, types: np.ndarray, *, ci_prob: float, goal: float
) -> Iterator[pd.DataFrame]:
    ends = {f"{end}_type": types[contrast.cells[end]] for end in ("rater", "target")}
    part, parts = _parts(pd.DataFrame(ends))
    yield from contrast_means(fit, exposed, contrast, part, parts, ci_prob=ci_prob, goal=goal)


def _parts(keys: pd.DataFrame) -> tuple[pd.Series, list[dict[str, object]]]:
    """The part of each row, by number, and the keys of each part in rising order; one part without keys."""
    if keys.columns.empty:
        return pd.Series(0, index=keys.index), [{}]
    part = keys.groupby(list(keys.columns), sort=True).ngroup()
    first = keys.assign(part=part).drop_duplicates("part").sort_values("part")
    return part, first.drop(columns="part").to_dict("records")


def _types(exposed: Exposed, survey: Survey) -> np.ndarray | None:
    """(U,) type of each unit, or its layer where there are no types; None where all are alike or unknown."""
    table = survey.units.set_index(survey.units["unit_id"].astype(str)).reindex(list(exposed.exposure.units))
    for name in ("type", "layer"):
        if name in table and table[name].notna().all() and table[name].nunique() > 1:
            return table[name].astype(str).to_numpy(dtype=object)
    return None
