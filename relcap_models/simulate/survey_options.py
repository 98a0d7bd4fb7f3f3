"""Options of who works where, who is asked about whom, and how people answer or do not."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from relcap_models.schema.instrument import Declaration

Sd = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Correlation = Annotated[float, Field(ge=-1, le=1)]


class Organisation(Declaration):
    """Who works where, and how that changes between waves.

    `n_respondents` is the staff in the first wave, those who never answer included. Unit sizes are lognormal:
    `size_sd` is the sd of their logarithm, 0 gives equal sizes. Of the units, `strategic_units` lead the
    whole organisation and each district has `leader_units_per_district` leader groups; the rest are
    employees. Between two waves a share `turnover` leaves and is replaced by new people, and a share `moves`
    of those who stay swap units among themselves, so units keep their sizes.
    """

    n_units: int = Field(25, ge=1)
    n_respondents: int = Field(300, ge=1)
    n_districts: int = Field(4, ge=1)
    size_sd: Sd = 0.5
    min_size: int = Field(3, ge=1)
    strategic_units: int = Field(1, ge=0)
    leader_units_per_district: int = Field(1, ge=0)
    staff_per_leader: float = Field(17.0, gt=0)
    turnover: Share = 0.1
    moves: Share = 0.03

    @model_validator(mode="after")
    def _possible(self) -> Organisation:
        said = []
        if self.n_units * self.min_size > self.n_respondents:
            said.append(
                f"n_respondents ({self.n_respondents}) cannot fill {self.n_units} units of at least "
                f"{self.min_size} (min_size): raise n_respondents or lower n_units or min_size"
            )
        leading = self.strategic_units + self.n_districts * self.leader_units_per_district
        if leading > self.n_units:
            said.append(
                f"{leading} leading units (strategic_units, leader_units_per_district) are more than "
                f"n_units ({self.n_units}): lower them or n_districts, or raise n_units"
            )
        if said:
            raise ValueError("; ".join(said))
        return self


class Nominations(Declaration):
    """Which partners a unit says it must collaborate with.

    A unit nominates `partners` others on average and at least one. Units of the same district and of the same
    layer are likelier partners: `same_district` and `same_layer` are added to a standard normal propensity.
    `mutuality` is the correlation of the two sides' propensities (1: every relation is mutual, but for units
    whose only partner does not name them), `persistence` the correlation of a propensity between one wave and
    the next. A relation counts, and is rated from both sides, if either side nominates the other.
    """

    partners: float = Field(9.0, gt=0)
    same_district: float = 0.9
    same_layer: float = 0.4
    mutuality: Share = 0.7
    persistence: Share = 0.95


class Ratings(Declaration):
    """What a respondent is asked: at most `max_targets` partner units (at random), and the own unit."""

    max_targets: int = Field(6, ge=1)
    own_unit: bool = True


class Nonresponse(Declaration):
    """Answers that are not there.

    unit : share of respondents who answer nothing in a wave; `persistence` is the correlation of a person's
        inclination over waves, `leniency` the correlation of answering at all with leniency.
    item : share of single items left blank.
    dont_know : share of ratings of a partner answered "don't know" on all items (where the instrument has a
        code for it, otherwise left blank); `dont_know_asynchronous` where the rater's unit did not nominate
        the target. Own-unit ratings and climate have none.
    """

    unit: Share = 0.15
    persistence: Share = 0.6
    leniency: Correlation = 0.0
    item: Share = 0.02
    dont_know: Share = 0.02
    dont_know_asynchronous: Share = 0.15

    @model_validator(mode="after")
    def _consistent(self) -> Nonresponse:
        if self.leniency**2 + self.persistence > 1:
            raise ValueError("persistence must be at most 1 − leniency²")
        return self


class Departures(Declaration):
    """What the models do not assume; all off by default. Truth scores are those of a world without them.

    extreme, midpoint, acquiescent : shares of respondents with that response style. `style_strength` is the
        log factor by which thresholds draw together (extreme) or apart (midpoint), and the latent shift
        towards agreement, also with reversed items (acquiescent).
    sd_occasion : sd of a good or bad day: one effect per respondent × wave over all items of all instruments.
    tail_df : degrees of freedom of t-distributed unit, relation and respondent effects with the same
        variances.
    halo : share by which a rating's dimensions are drawn to their common mean.
    """

    extreme: Share = 0.0
    midpoint: Share = 0.0
    acquiescent: Share = 0.0
    style_strength: float = Field(0.7, ge=0)
    sd_occasion: Sd = 0.0
    tail_df: float | None = Field(None, gt=2)
    halo: Share = 0.0

    @model_validator(mode="after")
    def _shares(self) -> Departures:
        if self.extreme + self.midpoint + self.acquiescent > 1:
            raise ValueError("extreme + midpoint + acquiescent must be at most 1: each person has one style")
        return self
