"""Units that are too small for their number of respondents to be told, not even as a remainder.

Where every other unit shows how many answered, the number of all respondents less theirs is the small unit's.
So numbers of the whole organisation leave small units out, or stay out themselves.
"""

from __future__ import annotations

import pandas as pd

from relcap_models.report.disclosure.rules import Disclosure


def small_rater_units(responses: pd.DataFrame, rules: Disclosure) -> set[str]:
    """Units that had respondents in some wave of some instrument, but fewer than a mean needs.

    responses : `wave, instrument, rater_unit, respondent_id`
    """
    heads = (
        responses[["wave", "instrument", "rater_unit", "respondent_id"]]
        .astype(str)
        .drop_duplicates()
        .groupby(["wave", "instrument", "rater_unit"])
        .size()
    )
    return set(heads.index[heads < rules.min_respondents_mean].get_level_values("rater_unit"))


_STEPS = (0.01, 0.02, 0.05, 0.1)
_FRACTIONS = 4


def step_of_shares(responses: pd.DataFrame) -> float:
    """To which step shares of all respondents are rounded, so that their denominator cannot be worked out.

    Shares of n people are fractions with n below. Within a step there are at least four of them, and with
    some other number of people as well; few people need the largest step.
    """
    heads = responses[["wave", "instrument", "respondent_id"]].astype(str).drop_duplicates()
    fewest = int(heads.groupby(["wave", "instrument"]).size().min())
    return next((step for step in _STEPS if step * fewest >= _FRACTIONS), _STEPS[-1])
