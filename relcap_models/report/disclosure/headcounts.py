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
