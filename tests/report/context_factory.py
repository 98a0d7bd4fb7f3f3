"""Invented metadata of a study, see results_factory."""

from __future__ import annotations

from relcap_models.language import Message


def context_of_study(
    units: list[dict[str, object]],
    waves: list[str],
    analysis_ids: tuple[str, ...],
    *,
    climate: bool,
    language: str,
    audience: str,
    simulated: bool,
) -> dict[str, object]:
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
            {
                "parameter": "sd_relation",
                "prior": Message("priors.half_normal", value=0.75).as_json(),
                "meaning": Message("priors.sd", effect=Message("design.effects.relation")).as_json(),
            },
            {
                "parameter": "threshold",
                "prior": Message("priors.normal", value=1.5).as_json(),
                "meaning": Message("priors.threshold").as_json(),
            },
        ],
        "design": [
            Message("design.dyadic_reciprocity", n=120, sd=0.1, prior=0.45).as_json(),
            Message("design.one_wave").as_json(),
        ],
        "engine": {
            "name": "nuts",
            "chains": 4,
            "draws": 1000,
            "tune": 1000,
            "target_accept": 0.9,
            "seconds": 311.0,
        },
        "n_responses": 48000,
        "n_ratings": 8200,
        "n_respondents": 1296,
        "n_units": len(units),
        "n_relations": 640,
    }
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
            "name": "test",
            "title": "Collaboration in a children and youth service",
            "seed": 20260101,
            "waves": [{"id": wave, "date": dates[n % 3]} for n, wave in enumerate(waves)],
            "simulated": simulated,
            "disclosure": {"min_respondents_mean": 5, "min_respondents_distribution": 8, "min_leaders": 3},
        },
        "report": {"audience": audience, "language": language, "ci_prob": 0.9},
        "units": units,
        "instruments": instruments,
        "analyses": analyses,
        "not_done": [Message("not_done.validity").as_json()],
        "intake_notes": ["responses.csv uses semicolons and decimal commas; both were read."],
    }


def _instrument(instrument_id: str, prefix: str, dimensions: tuple[str, ...]) -> dict[str, object]:
    title = instrument_id.replace("_", " ").capitalize()
    items = [
        {
            "id": f"{prefix}{n}",
            "dimension": dimensions[n > 3],
            "text": {"en": f"Question {n} about the collaboration?", "da": f"Spørgsmål {n} om samarbejdet?"},
        }
        for n in range(1, 7)
    ]
    return {
        "id": instrument_id,
        "title": {"en": title, "da": title, "nb": title},
        "source": "A slide deck of 2023.",
        "translation_status": {
            "en": "unvalidated translation from Danish",
            "da": "original ordlyd",
            "nb": "ikke validert",
        },
        "scale": {"minimum": 1, "maximum": 5, "favourable_from": 4},
        "items": items,
        "dimensions": [{"id": d, "title": {"en": d.capitalize()}} for d in dimensions],
    }
