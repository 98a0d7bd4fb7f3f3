"""Weakly informative priors as fields, with what each of them says."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from relcap_models.schema.instrument import Declaration

Positive = Annotated[float, Field(gt=0)]


class Priors(Declaration):
    """Priors of a rating model, on the latent scale in probit units.

    Logit and partial-credit models multiply every scale by 1.8, gaussian models by the pooled standard
    deviation of the answers.

    `sd_perceiver`, `sd_target`, `sd_self`: mean of a gamma prior with shape 2 on a standard deviation. With
    few units it keeps the posterior away from a variance of 0, which their answers seldom rule out (Chung et
    al. 2013, Psychometrika 78, 685–709). Other `sd_*`: scale of a half-normal prior on a standard deviation.
    `mean`, `covariate`, `threshold`, `log_loading`: standard deviation of a normal prior. `reciprocity`: a in
    2·Beta(a, a) − 1, the prior of dyadic reciprocity. `correlation`: η of LKJ priors.
    `dimension_correlation`: the correlation of two dimensions of one effect around which those priors lie (0
    for dimensions that are thought to have nothing in common); effects of different roles, such as how a unit
    rates and how it is rated, lie around 0. `stability`: a in Beta(a, a), the prior of the share of a
    variance that stays over waves. `memory`: b in Beta(1, b), the prior of the correlation of what does not
    stay with that of the wave before, where there are three waves or more. `lagged`: standard deviation of
    the normal prior of how far an effect of a unit follows another's deviation in the wave before.

    Not scaled by a field: the intercepts of gaussian items are normal around the mean answer with twice the
    pooled standard deviation, their residual standard deviations half-normal with that standard deviation.

    What the defaults imply before any answer, with 15 units of 6 respondents who rate 5 others, 5 categories
    and probit (median and 90 % range of 200 worlds from `prior_predictive`): sd of the units' mean answers
    0.44 points (0.23–0.71), sd of relation scores 0.57 points (0.31–0.85), share of latent variance between
    relations 34 % (10–60 %), share of answers in the top category 26 % (15–36 %). Logit implies the same;
    partial credit is wider (sd of relation scores 0.69) and gaussian widest (0.88). Thresholds are free for
    each item, so a common skew to the top, which the prior does not expect, is learnt from the answers.
    """

    threshold: Positive = 1.5
    log_loading: Positive = 0.4
    mean: Positive = 1.0
    covariate: Positive = 0.5
    sd_perceiver: Positive = 0.6
    sd_target: Positive = 0.6
    sd_self: Positive = 0.6
    sd_relation: Positive = 0.75
    sd_respondent: Positive = 1.0
    sd_respondent_wave: Positive = 0.5
    sd_respondent_target: Positive = 0.75
    sd_rating: Positive = 1.0
    sd_district: Positive = 0.3
    reciprocity: Positive = 2.0
    correlation: Positive = 2.0
    dimension_correlation: Annotated[float, Field(ge=0, lt=1)] = 0.5
    stability: Positive = 2.0
    memory: Positive = 2.0
    lagged: Positive = 0.3
