"""Relational capacity, psychological safety and relational leadership from surveys of relations.

tables + instrument + study → `Survey` → `Frame` → model → `Fit` → `Estimate` (draws) → table → figure, report

    schema      instruments and table contracts, as they are declared
    data        trusted tables: nothing past here sees a raw file
    simulate    organisations with known truth
    psychometrics
                reliability, factor analysis, item response theory, invariance, agreement
    differences programme effects by differences in differences
    models      one generative story per file
    inference   the only place that samples
    estimands   one question per file
    report      figures, disclosure control, the HTML report
    study       a study folder and the stages of its run
    cli         the command `relcap`

An import may only point to a layer further up in this list. Importing the package loads nothing heavy:
names are looked up when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relcap_models.lazy import lookup

if TYPE_CHECKING:
    from relcap_models.data import Survey, read_survey
    from relcap_models.differences import att_gt
    from relcap_models.errors import ConfigError, DataError, FitError, InstrumentError, RelcapError
    from relcap_models.inference import Fit, fit
    from relcap_models.models import Climate, LeadershipLink, ProgrammeEffect, Relation, describe_design
    from relcap_models.psychometrics import Psychometrics
    from relcap_models.schema import Instrument, load_instrument
    from relcap_models.study import Study, read_study, run_study

__version__ = "0.1.0"

_HOME = {
    "Survey": "data",
    "read_survey": "data",
    "att_gt": "differences",
    "ConfigError": "errors",
    "DataError": "errors",
    "FitError": "errors",
    "InstrumentError": "errors",
    "RelcapError": "errors",
    "Fit": "inference",
    "fit": "inference",
    "Climate": "models",
    "LeadershipLink": "models",
    "ProgrammeEffect": "models",
    "Relation": "models",
    "describe_design": "models",
    "Psychometrics": "psychometrics",
    "Instrument": "schema",
    "load_instrument": "schema",
    "Study": "study",
    "read_study": "study",
    "run_study": "study",
}
_LAYERS = (
    "schema",
    "data",
    "simulate",
    "psychometrics",
    "differences",
    "models",
    "inference",
    "estimands",
    "report",
    "study",
)

__all__ = [
    "Climate",
    "ConfigError",
    "DataError",
    "Fit",
    "FitError",
    "Instrument",
    "InstrumentError",
    "LeadershipLink",
    "ProgrammeEffect",
    "Psychometrics",
    "Relation",
    "RelcapError",
    "Study",
    "Survey",
    "att_gt",
    "describe_design",
    "fit",
    "load_instrument",
    "read_study",
    "read_survey",
    "run_study",
]


__getattr__ = lookup(__name__, {**dict.fromkeys(_LAYERS, ""), **_HOME})


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_LAYERS})
