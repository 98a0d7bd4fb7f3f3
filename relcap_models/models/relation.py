"""`relations`: how units experience working with each other, from ratings of units by respondents."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from relcap_models.schema.instrument import Declaration


class Priors(Declaration):
    """Scales of the weakly informative priors, in units of the latent (probit) scale.

    Standard deviations of effects are half-normal with these scales; logit-scale families multiply them by 1.8.
    Correlations have 2·Beta(a, a) − 1 priors with `a` given here.
    """

    sd_perceiver: float = Field(0.75, gt=0)
    sd_target: float = Field(0.75, gt=0)
    sd_self: float = Field(0.75, gt=0)
    sd_relation: float = Field(0.75, gt=0)
    sd_respondent: float = Field(1.0, gt=0)
    sd_rating: float = Field(1.0, gt=0)
    sd_wave: float = Field(0.5, gt=0)
    sd_covariate: float = Field(0.5, gt=0)
    threshold: float = Field(1.5, gt=0)
    log_loading: float = Field(0.4, gt=0)
    reciprocity: float = Field(2.0, gt=0)
    correlation: float = Field(2.0, gt=0)


class Relation(Declaration):
    """Ratings of partner units (and of the own unit), with both reciprocities. Kind `relations`."""

    kind: Literal["relations"] = "relations"
    id: str = "relations"
    instrument: str
    family: Literal["cumulative", "partial_credit", "gaussian"] = "cumulative"
    link: Literal["probit", "logit"] = "probit"
    loadings: Literal["free", "equal"] = "free"
    covariates: tuple[str, ...] = ()
    priors: Priors = Priors()
