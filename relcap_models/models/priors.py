"""Weakly informative priors as fields, with what each of them says."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from relcap_models.schema.instrument import Declaration

Positive = Annotated[float, Field(gt=0)]


class Priors(Declaration):
    """Priors of a rating model, on the latent scale in probit units.

    Logit and partial-credit models multiply every scale by 1.8, gaussian models by the pooled standard
    deviation of the answers. `sd_*`: scale of a half-normal prior on a standard deviation. `mean`,
    `covariate`, `threshold`, `log_loading`: standard deviation of a normal prior. `reciprocity`: a in
    2·Beta(a, a) − 1, the prior of dyadic reciprocity. `correlation`: η of LKJ priors. `stability`: a in
    Beta(a, a), the prior of the share of a variance that stays over waves.
    """

    threshold: Positive = 1.5
    log_loading: Positive = 0.4
    mean: Positive = 1.0
    covariate: Positive = 0.5
    sd_perceiver: Positive = 0.75
    sd_target: Positive = 0.75
    sd_self: Positive = 0.75
    sd_relation: Positive = 0.75
    sd_respondent: Positive = 1.0
    sd_respondent_wave: Positive = 0.5
    sd_respondent_target: Positive = 0.75
    sd_rating: Positive = 1.0
    sd_district: Positive = 0.3
    reciprocity: Positive = 2.0
    correlation: Positive = 2.0
    stability: Positive = 2.0
