"""The `disclosure:` block of a study, and what makes a group of answers reportable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import model_validator

from relcap_models.schema.instrument import Declaration

FLOOR = 3
"""No threshold may be lower: of two respondents each learns the other's answer by subtracting their own."""


WIDTH = 1 / 8
"""The least part of its possible range that must stay open of a secret figure: half a point of a mean on a
scale from 1 to 5. How near an attacker may come is a choice of policy; no source states it for surveys."""


class Disclosure(Declaration):
    """How many people must stand behind a public figure.

    min_respondents_mean : respondents behind a mean or any posterior summary of one.
    min_respondents_distribution : respondents behind a share of favourable answers or a distribution.
    min_leaders : leaders in the group that a leadership score is about. With one leader it is data about that
        person however many staff answered.

    Source: Hundepool et al. (2012), Statistical Disclosure Control, section 4.2 (threshold rules).
    """

    min_respondents_mean: int = 5
    min_respondents_distribution: int = 8
    min_leaders: int = 3

    @model_validator(mode="after")
    def _sane(self) -> Disclosure:
        low = [name for name in type(self).model_fields if getattr(self, name) < FLOOR]
        if low:
            raise ValueError(
                f"{', '.join(low)}: must be at least {FLOOR}; with two people in a group each of them"
                " learns the other's answer by subtracting their own"
            )
        if self.min_respondents_distribution < self.min_respondents_mean:
            raise ValueError(
                f"min_respondents_distribution ({self.min_respondents_distribution}) must not be below"
                f" min_respondents_mean ({self.min_respondents_mean}): a distribution says more than its mean"
            )
        return self


@dataclass(frozen=True)
class Group:
    """What decides whether a group of answers may be reported; every field a scalar or an array over groups.

    n_respondents : distinct people. lowest, highest : smallest and largest answer after reverse scoring.
    n_answers, n_favourable : responses. fewest_favourable, most_favourable : what their mean leaves possible.
    n_leaders : leaders the answers are about; infinite where the
    instrument is not about leaders.
    """

    n_respondents: np.ndarray | int
    lowest: np.ndarray | float
    highest: np.ndarray | float
    n_answers: np.ndarray | float
    n_favourable: np.ndarray | float
    fewest_favourable: np.ndarray | float
    most_favourable: np.ndarray | float
    n_leaders: np.ndarray | float


def mean_is_reportable(group: Group, rules: Disclosure) -> np.ndarray | bool:
    """True where a mean may be shown: enough people, enough leaders, and not all answers the same.

    A unanimous group's mean is every member's answer (attribute disclosure without identification). A mean so
    close to an end of the scale that it tells the share of favourable answers is held to the rule of shares.
    """
    return (
        (group.n_respondents >= rules.min_respondents_mean)
        & (group.n_leaders >= rules.min_leaders)
        & (group.lowest < group.highest)
        & (_share_stays_open(group, rules) | _share_is_reportable(group, rules))
    )


def distribution_is_reportable(group: Group, rules: Disclosure) -> np.ndarray | bool:
    """True where a share of favourable answers may be shown.

    Beside the number of people: neither all nor none are favourable, because a share of 0 or 1 says of every
    member on which side they stand.
    """
    return mean_is_reportable(group, rules) & _share_is_reportable(group, rules)


def _share_stays_open(group: Group, rules: Disclosure) -> np.ndarray | bool:
    """True where the mean leaves the number of favourable answers open, in small groups by `WIDTH` of all."""
    left = group.most_favourable - group.fewest_favourable
    few = group.n_respondents < rules.min_respondents_distribution
    return (left > 0) & (~np.asarray(few) | (left >= WIDTH * group.n_answers))


def _share_is_reportable(group: Group, rules: Disclosure) -> np.ndarray | bool:
    return (
        (group.n_respondents >= rules.min_respondents_distribution)
        & (group.n_favourable > 0)
        & (group.n_favourable < group.n_answers)
    )


def band(count: int, threshold: int) -> str:
    """A count as words for a message: 'fewer than 5', '5–9', '10–19', '20–49', '50–99', '100 or more'.

    Nothing below `threshold` is told apart, zero included.
    """
    if count < threshold:
        return f"fewer than {threshold}"
    starts = [threshold, *(start for start in (10, 20, 50, 100) if start > threshold)]
    start = max(start for start in starts if start <= count)
    after = [other for other in starts if other > start]
    return f"{start}–{after[0] - 1}" if after else f"{start} or more"
