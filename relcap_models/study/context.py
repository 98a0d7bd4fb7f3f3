"""What a report must know beside the tables: `restricted/context.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

import relcap_models
from relcap_models import inference, models
from relcap_models.data import Survey
from relcap_models.report.disclosure import Disclosure, small_rater_units
from relcap_models.schema import Instrument
from relcap_models.study.config import Analysis
from relcap_models.study.read import Study

_PRIORS = {
    "threshold": ("normal, sd {:g}", "thresholds between answer categories"),
    "log_loading": ("normal, sd {:g}", "logarithm of a loading"),
    "mean": ("normal, sd {:g}", "mean of a later wave, and of the own unit"),
    "covariate": ("normal, sd {:g}", "effect of a covariate"),
    "reciprocity": ("2·Beta(a, a) − 1, a = {:g}", "dyadic reciprocity"),
    "correlation": ("LKJ, η = {:g}", "correlations of effects"),
    "dimension_correlation": ("{:g}", "correlation of two dimensions around which that prior lies"),
    "stability": ("Beta(a, a), a = {:g}", "share of a variance that stays over waves"),
}
_UNIT_EFFECTS = ("perceiver", "target", "self")
_UNIT_KEYS = ("unit_id", "name", "district", "layer", "size")


def report_context(
    study: Study, survey: Survey, analyses: Sequence[Mapping[str, Any]], *, simulated: bool
) -> dict[str, Any]:
    """Study, units, instruments and analyses as the report's head, methods and labels need them.

    `analyses` has what `analysis_context` gives, one for each analysis.
    """
    config = study.config
    return {
        "package_version": relcap_models.__version__,
        "study": {
            "name": config.name,
            "title": config.title,
            "seed": config.seed,
            "waves": [{"id": wave.id, "date": wave.date} for wave in study.waves],
            "simulated": simulated,
            "disclosure": config.disclosure.model_dump(mode="json"),
        },
        "report": config.report.model_dump(mode="json"),
        "units": _units(survey),
        "instruments": [_instrument(instrument) for instrument in study.instruments.values()],
        "analyses": list(analyses),
        "not_done": _not_done(study, survey),
        "intake_notes": list(survey.intake.notes),
    }


def analysis_context(
    analysis: Analysis,
    survey: Survey,
    design: models.Design,
    fit: inference.Fit,
    *,
    rules: Disclosure,
    seconds: float,
) -> dict[str, Any]:
    """One analysis: its options, its priors, what its design can carry, and how it was computed.

    Respondents of small units are not counted: the report is public.
    """
    responses = survey.of_instrument(analysis.instrument)
    n_units = int(responses["rater_unit"].nunique())
    n_relations = _n_relations(responses)
    small = small_rater_units(survey.responses, rules)
    responses = responses[~responses["rater_unit"].astype(str).isin(small)]
    ratings = responses[["wave", "respondent_id", "rater_unit", "target_unit"]].drop_duplicates()
    options = analysis.model_dump(mode="json", exclude={"kind", "id", "instrument", "priors"})
    settings = {key: fit.settings[key] for key in ("chains", "draws", "tune", "target_accept")}
    return {
        "id": analysis.id,
        "kind": analysis.kind,
        "instrument": analysis.instrument,
        "model": options,
        "priors": _priors(analysis),
        "design": list(design.public_messages),
        "design_for_analysts": list(design.messages),
        "engine": {**settings, "name": fit.settings["engine"], "seconds": round(seconds, 1)},
        "n_responses": len(responses),
        "n_ratings": len(ratings),
        "n_respondents": int(ratings["respondent_id"].nunique()),
        "small_units_not_counted": bool(small),
        "n_units": n_units,
        "n_relations": n_relations,
    }


def _n_relations(responses: pd.DataFrame) -> int:
    ends = responses[["rater_unit", "target_unit"]].astype(str).drop_duplicates()
    return int((ends["rater_unit"] != ends["target_unit"]).sum())


def _priors(analysis: Analysis) -> list[dict[str, str]]:
    described = []
    for name, value in analysis.priors:
        if name.startswith("sd_"):
            form, meaning = (
                "gamma, shape 2, mean {:g}" if name[3:] in _UNIT_EFFECTS else "half-normal, scale {:g}",
                f"standard deviation of {name[3:].replace('_', ' × ')} effects",
            )
        else:
            form, meaning = _PRIORS[name]
        described.append({"parameter": name, "prior": form.format(value), "meaning": meaning})
    return described


def _units(survey: Survey) -> list[dict[str, Any]]:
    columns = [key for key in _UNIT_KEYS if key in survey.units]
    return [
        {key: value for key, value in row.items() if value == value and value is not None}
        for row in survey.units[columns].astype(object).to_dict("records")
    ]


def _instrument(instrument: Instrument) -> dict[str, Any]:
    return instrument.model_dump(
        mode="json",
        include={"id", "title", "source", "translation_status", "scale", "items", "dimensions"},
    )


def _not_done(study: Study, survey: Survey) -> list[str]:
    """What a reader might take for done and is not."""
    sentences = [
        "Whether the items measure what they are meant to, alike in every wave, language and group, was "
        "assumed and not tested.",
        "Nothing here is a causal effect: no programme was evaluated and no link between leadership and "
        "relations was estimated.",
    ]
    for what, table in (("programmes", survey.programmes), ("outcomes", survey.outcomes)):
        if len(table):
            sentences.append(f"The table of {what} was checked, but no analysis of this version uses it.")
    used = {analysis.instrument for analysis in study.config.analyses}
    if unused := [name for name in study.instruments if name not in used]:
        sentences.append(f"No analysis uses the answers to {', '.join(unused)}.")
    return sentences
