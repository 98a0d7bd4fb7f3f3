"""What a report must know beside the tables: `restricted/context.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

import relcap_models
from relcap_models import inference, models
from relcap_models.data import Survey
from relcap_models.language import Message
from relcap_models.report.disclosure import Disclosure, small_rater_units
from relcap_models.schema import Instrument
from relcap_models.study.config import Model
from relcap_models.study.read import Study

_FORMS = {
    "reciprocity": "beta_reciprocity",
    "correlation": "lkj",
    "dimension_correlation": "value",
    "stability": "beta",
    "memory": "beta_memory",
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
        "psychometrics": [
            {"id": analysis.id, "instruments": list(analysis.instruments or study.instruments)}
            for analysis in config.psychometrics
        ],
        "links": [_link(link, study) for link in config.links],
        "programmes": [_programme(analysis, study) for analysis in config.programmes],
        "not_done": [message.as_json() for message in _not_done(study, survey)],
        "intake_notes": [note.as_json() for note in survey.intake.notes],
    }


def analysis_context(
    analysis: Model,
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
    settings = {key: fit.settings[key] for key in ("backend", "chains", "draws", "tune", "target_accept")}
    few = design.respondents_per_score < rules.min_respondents_mean
    told = design.public_of_few if few else design.public_messages
    return {
        "id": analysis.id,
        "kind": analysis.kind,
        "instrument": analysis.instrument,
        "model": options,
        "priors": _priors(analysis),
        "design": [message.as_json() for message in told],
        "design_for_analysts": list(design.messages),
        "engine": {**settings, "name": fit.settings["engine"], "seconds": round(seconds, 1)},
        "n_responses": len(responses),
        "n_ratings": len(ratings),
        "n_respondents": int(ratings["respondent_id"].nunique()),
        "small_units_not_counted": bool(small),
        "n_units": n_units,
        "n_relations": n_relations,
    }


def _link(link: models.LeadershipLink, study: Study) -> dict[str, Any]:
    """What the report's section on a link says of its options, and how it was computed."""
    engine = study.config.inference.fit_settings()["engine"]
    options = link.model_dump(mode="json", exclude={"priors", "outcome", "source"})
    return {**options, "engine": {"name": engine}}


def _programme(analysis: models.ProgrammeEffect, study: Study) -> dict[str, Any]:
    """What the report's section on a programme says of its options, and how it was computed."""
    engine = study.config.inference.fit_settings()["engine"]
    options = analysis.model_dump(mode="json", exclude={"priors", "estimate"})
    return {**options, "engine": {"name": engine}}


def _n_relations(responses: pd.DataFrame) -> int:
    ends = responses[["rater_unit", "target_unit"]].astype(str).drop_duplicates()
    return int((ends["rater_unit"] != ends["target_unit"]).sum())


def _priors(analysis: Model) -> list[dict[str, Any]]:
    described = []
    for name, value in analysis.priors:
        if name == "lagged":
            # Of a unit's changes over waves in a leadership link alone.
            continue
        if name.startswith("sd_"):
            effect = name.removeprefix("sd_")
            form = "gamma" if effect in _UNIT_EFFECTS else "half_normal"
            meaning = Message("priors.sd", effect=Message(f"design.effects.{effect}"))
        else:
            form, meaning = _FORMS.get(name, "normal"), Message(f"priors.{name}")
        prior = Message(f"priors.{form}", value=value)
        described.append({"parameter": name, "prior": prior.as_json(), "meaning": meaning.as_json()})
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
        include={"id", "title", "referent", "source", "translation_status", "scale", "items", "dimensions"},
    )


def _not_done(study: Study, survey: Survey) -> list[Message]:
    """What a reader might take for done and is not."""
    found = [Message("not_done.validity")]
    if not study.config.programmes:
        found.append(Message("not_done.effects_of_links" if study.config.links else "not_done.effects"))
    asked = {analysis.programme for analysis in study.config.programmes}
    if not set(survey.programmes["programme"].astype(str)) <= asked:
        found.append(Message("not_done.programmes"))
    if len(survey.outcomes):
        found.append(Message("not_done.outcomes"))
    used = {analysis.instrument for analysis in study.config.models}
    for link in study.config.links:
        used |= {link.instrument, *link.climates}
    for analysis in study.config.programmes:
        used |= {analysis.instrument, *analysis.placebo}
    for analysis in study.config.psychometrics:
        used |= set(analysis.instruments or study.instruments)
    if unused := [i.title or i.id for name, i in study.instruments.items() if name not in used]:
        found.append(Message("not_done.unused", instruments=unused))
    return found
