"""`climate`: how a unit's own staff experience their team or their leaders."""

from __future__ import annotations

from typing import Literal

from relcap_models.models.relation import Priors
from relcap_models.schema.instrument import Declaration


class Climate(Declaration):
    """Ratings of the own team or the own leaders. Kind `climate`."""

    kind: Literal["climate"] = "climate"
    id: str = "climate"
    instrument: str
    family: Literal["cumulative", "partial_credit", "gaussian"] = "cumulative"
    link: Literal["probit", "logit"] = "probit"
    loadings: Literal["free", "equal"] = "free"
    covariates: tuple[str, ...] = ()
    priors: Priors = Priors()
