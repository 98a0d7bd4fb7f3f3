"""Trials with one ordinal question and a random intercept, as cumulative mixed models have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import relcap_models as rc
from relcap_models.data import Survey, Wave, read_survey
from relcap_models.inference.fit import Fit, fit_frame
from relcap_models.models.priors import Priors
from relcap_models.schema.instrument import Instrument


def one_question(categories: int) -> Instrument:
    """An instrument of one item, about the unit that answers."""
    english = {"en": "How are you?"}
    return Instrument.model_validate(
        {
            "id": "state",
            "title": english,
            "referent": "own_team",
            "dimensions": [{"id": "state", "title": english}],
            "items": [{"id": "y", "dimension": "state", "text": english}],
            "scale": {"minimum": 1, "maximum": categories, "favourable_from": categories - 1},
            "source": "a trial",
            "original_language": "en",
            "translation_status": {"en": "original"},
        }
    )


def trial(person: pd.Series, wave: pd.Series, answer: pd.Series, treated: pd.Series) -> Survey:
    """Persons who answer one question in several waves; the treated start after the first."""
    who = "p" + person.astype(int).astype(str)
    responses = pd.DataFrame(
        {
            "wave": wave.to_numpy(),
            "respondent_id": who.to_numpy(),
            "rater_unit": who.to_numpy(),
            "target_unit": who.to_numpy(),
            "instrument": "state",
            "item": "y",
            "value": answer.to_numpy(dtype=float),
        }
    ).dropna()
    waves = sorted(responses["wave"].unique())
    started = who[treated.to_numpy(dtype=bool)].unique()
    tables = {
        "responses": responses,
        "units": pd.DataFrame({"unit_id": who.unique(), "name": who.unique()}),
        "programmes": pd.DataFrame({"unit_id": started, "programme": "drug", "start_wave": waves[1]}),
    }
    declared = (one_question(int(answer.max())),)
    return read_survey(tables, instruments=declared, waves=[Wave(name) for name in waves])


def schizophrenia(reference: Path) -> Mapping[str, np.ndarray]:
    """Draws of imps79o on √week × drug with a patient's intercept, cumulative logit."""
    data = pd.read_csv(reference / "mixor_schizophrenia_imps79.csv").dropna(subset=["imps79o"])
    root, drug = np.sqrt(data["Week"]), data["TxDrug"]
    columns = pd.DataFrame({"SqrtWeek": root, "TxDrug": drug, "SqrtWeek:TxDrug": root * drug})
    answer = data["imps79o"].astype(int)
    return _draws(data["id"], data["Week"].astype(int), answer, columns, "logit", person="id")


def wine(reference: Path, link: str) -> Mapping[str, np.ndarray]:
    """Draws of the bitterness of wine on temperature and contact with a judge's intercept."""
    data = pd.read_csv(reference / "ordinal_wine.csv")
    columns = pd.DataFrame({"tempwarm": data["temp"] == "warm", "contactyes": data["contact"] == "yes"})
    return _draws(data["judge"], data["bottle"], data["rating"], columns, link, person="judge")


def _draws(
    who: pd.Series, occasion: pd.Series, answer: pd.Series, columns: pd.DataFrame, link: str, *, person: str
) -> Mapping[str, np.ndarray]:
    """Coefficients, the persons' variance and thresholds, by the names that ordinal::clmm gives them."""
    wave = "w" + occasion.astype(str)
    survey = trial(who, wave, answer, treated=pd.Series(False, index=who.index))
    model = rc.Climate(instrument="state", link=link, priors=Priors(covariate=3.0, threshold=5.0))
    frame = model.frame(survey)
    names = np.array(frame.units)[frame.rater_of_rating], np.array(frame.waves)[frame.wave_of_rating]
    keys = pd.MultiIndex.from_arrays(["p" + who.astype(int).astype(str), wave])
    told = columns.set_axis(keys).loc[pd.MultiIndex.from_arrays(names)].to_numpy(dtype=float)
    # One time for all answers: what the occasions are is in the columns.
    frame = replace(
        frame,
        waves=("all",),
        wave_of_rating=np.zeros_like(frame.wave_of_rating),
        covariates=tuple(columns),
        covariates_of_rating=told,
        covariates_of_relation=np.zeros((0, 1, len(columns.columns))),
    )
    settings = {"engine": "nuts", "chains": 2, "draws": 1000, "tune": 600, "target_accept": 0.8, "seed": 1}
    fit = fit_frame(model, frame, settings, progress=False)
    draws = {name: fit.draws("beta")[:, k, 0] for k, name in enumerate(columns)}
    draws[f"var.{person}"] = fit.draws("sd_unit")[:, 0] ** 2
    for k, threshold in enumerate(_of_population(fit, len(frame.units)).T, start=1):
        draws[f"{k}|{k + 1}"] = threshold
    return draws


def _of_population(fit: Fit, n_units: int) -> np.ndarray:
    """Thresholds where 0 is the mean of the population of persons, not of those at hand."""
    sd = fit.draws("sd_unit")[:, 0] / np.sqrt(n_units)
    shift = np.random.default_rng(1).normal(size=len(sd)) * sd
    return fit.draws("threshold") + shift[:, None]
