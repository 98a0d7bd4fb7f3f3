"""Options of what moves a rating: effects of units, relations, respondents and programmes, and items.

All spreads and effects are on the latent scale of the response model, whose residual has variance 1 (probit)
or π²/3 (logit, partial credit), or are in points of the response scale (gaussian).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from relcap_models.schema.instrument import Declaration
from relcap_models.simulate.survey_options import Correlation, Sd, Share

SdPerDimension = Sd | tuple[Sd, ...]
CorrelationPerDimension = Correlation | tuple[Correlation, ...]


class Items(Declaration):
    """How item parameters are drawn.

    Loadings are lognormal with `loading_sd` on the log scale, with Σ log λ = 0 within each dimension.
    Thresholds are such that, over all ratings, answers follow about a beta distribution with mean at the
    share `mean_answer` of the way from the lowest to the highest category, skewed to the top as in real data;
    `concentration` is the sum of its two parameters. `location_sd` lets items differ in how easily they are
    endorsed, `spread_sd` in how far apart their thresholds lie (log scale); `residual_sd` belongs to the
    gaussian family alone.
    """

    loading_sd: Sd = 0.2
    mean_answer: float = Field(0.68, gt=0, lt=1)
    concentration: float = Field(4.5, gt=0)
    location_sd: Sd = 0.25
    spread_sd: Sd = 0.1
    residual_sd: float = Field(0.7, gt=0)


class Relations(Declaration):
    """The truth about instruments that ask about partner units.

    A standard deviation or reciprocity is one number, or one for each dimension in the instrument's order.
    `dimension_correlation` is the correlation of any two dimensions in every effect.
    `generalised_reciprocity` is the correlation of a unit's perceiver and target effects,
    `dyadic_reciprocity` that of the two relations of a pair. An effect over waves has correlation stability +
    (1 − stability) · autocorrelation^lag. `trend` is the change of the latent mean from one wave to the next;
    `own_unit_shift` is how much higher the own unit is rated. `sd_district` is a district × wave effect at
    either end of a relation. With links (`climate.paths`) the spreads of the unit effects here are those
    apart from the links.
    """

    family: Literal["cumulative", "partial_credit", "gaussian"] = "cumulative"
    link: Literal["probit", "logit"] = "probit"
    sd_perceiver: SdPerDimension = 0.35
    sd_target: SdPerDimension = 0.4
    sd_self: SdPerDimension = 0.4
    sd_relation: SdPerDimension = 0.45
    sd_respondent: SdPerDimension = 0.6
    sd_respondent_wave: SdPerDimension = 0.0
    sd_respondent_target: SdPerDimension = 0.0
    sd_rating: SdPerDimension = 0.5
    sd_district: SdPerDimension = 0.0
    dimension_correlation: Share = 0.7
    generalised_reciprocity: Correlation = 0.3
    perceiver_self: Correlation = 0.2
    target_self: Correlation = 0.3
    dyadic_reciprocity: CorrelationPerDimension = 0.4
    stability_unit: Share = 0.7
    stability_relation: Share = 0.6
    autocorrelation: float = Field(0.3, ge=0, lt=1)
    trend: float = 0.0
    own_unit_shift: float = 0.3
    items: Items = Items()

    @model_validator(mode="after")
    def _positive_definite(self) -> Relations:
        if np.linalg.eigvalsh(self.role_correlation()).min() < -1e-9:
            raise ValueError(
                "generalised_reciprocity, perceiver_self and target_self cannot hold together "
                "(their correlation matrix has a negative eigenvalue): move them towards 0"
            )
        return self

    def role_correlation(self) -> np.ndarray:
        """(3, 3) correlations of a unit's perceiver, target and self effects."""
        ps, ts, pt = self.perceiver_self, self.target_self, self.generalised_reciprocity
        return np.array([[1.0, pt, ps], [pt, 1.0, ts], [ps, ts, 1.0]])


class Path(Declaration):
    """A straight effect of a unit's climate: `source` is the instrument, `to` what it acts on.

    One unit more of the source (its mean over dimensions, apart from leniency) raises every dimension of `to`
    by `coefficient`: how others rate the unit (`target`), how the unit rates others (`perceiver`), how it
    rates itself (`self`), or another climate instrument. What a programme does to the source travels too.
    """

    source: str
    to: str
    coefficient: float


class Climate(Declaration):
    """The truth about instruments on the own team or the own leaders.

    `leniency` is the effect of the unit's perceiver effect (mean over dimensions) on its climate ratings:
    lenient staff rate their leaders kindly too. Together with generalised reciprocity it fakes a link between
    leadership and how others rate the unit. `paths` are the true links. The other fields are as in
    `relations`.
    """

    family: Literal["cumulative", "partial_credit", "gaussian"] = "cumulative"
    link: Literal["probit", "logit"] = "probit"
    sd_unit: SdPerDimension = 0.5
    sd_respondent: SdPerDimension = 0.7
    sd_respondent_wave: SdPerDimension = 0.0
    sd_rating: SdPerDimension = 0.4
    dimension_correlation: Share = 0.7
    stability_unit: Share = 0.7
    autocorrelation: float = Field(0.3, ge=0, lt=1)
    trend: float = 0.0
    leniency: float = 0.0
    paths: tuple[Path, ...] = ()
    items: Items = Items()


class Programme(Declaration):
    """A programme that units, or whole districts, start in different waves.

    A share `share` of the units (districts) takes part; they are dealt out in equal numbers over the waves
    `starts` (wave ids). Effects hold from the start on: `on_perceiver` is how the trained see others,
    `on_target` how others see the trained, `on_both` comes on top where both ends are trained, `on_self` is
    how the trained see themselves, `on_climate` acts on every climate instrument. With `growth` each wave
    after the first adds that share of these (0.5: one and a half times as much in the second wave). `sd` is
    the sd of each unit's own effect around them. `selection` is the correlation between how *low* others rate
    a unit before the first start and its priority for the programme: 0 is a lottery, 1 takes the lowest, −1
    the highest.
    """

    id: str
    level: Literal["unit", "district"] = "unit"
    share: Share = 0.5
    starts: tuple[str, ...] = Field(min_length=1)
    on_perceiver: float = 0.0
    on_target: float = 0.0
    on_both: float = 0.0
    on_self: float = 0.0
    on_climate: float = 0.0
    growth: float = 0.0
    sd: Sd = 0.0
    selection: Correlation = 0.0


class Outcome(Declaration):
    """A result of each unit in each wave: intercept + slope · capacity + stable unit part + sampling error.

    Capacity is how others rate the unit on the latent scale (its target effect, mean over dimensions, of the
    first relation instrument). A value is the mean of n cases (about `cases_per_respondent` for each member);
    its `se` is sd_case/√n.
    """

    id: str
    intercept: float = 0.0
    slope: float = 1.0
    sd_unit: Sd = 0.3
    sd_case: float = Field(2.0, gt=0)
    cases_per_respondent: float = Field(5.0, gt=0)
