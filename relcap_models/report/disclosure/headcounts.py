"""Units whose numbers of respondents stay out of public, so that no small number follows from the whole.

The number of respondents of the whole organisation stands at the head of a report. Where all units but one
small one show theirs, in whatever role or instrument, the difference is the small one's. So beside a small
unit stands another without counts. Its figures stay: they need no protection.
"""

from __future__ import annotations

import pandas as pd

from relcap_models.report.disclosure.rules import Disclosure


def units_without_counts(responses: pd.DataFrame, rules: Disclosure) -> set[str]:
    """Units to leave without counts in every wave and instrument.

    In each wave of each instrument the units with fewer respondents than a mean needs, and those left without
    counts, must be two or more and count together at least as many respondents as a mean needs.
    """
    heads = (
        responses[["wave", "instrument", "rater_unit", "respondent_id"]]
        .astype(str)
        .drop_duplicates()
        .groupby(["wave", "instrument", "rater_unit"])
        .size()
    )
    smallest_first = heads.groupby("rater_unit").sum().sort_values(kind="stable").index
    chosen: set[str] = set()
    for _, of_unit in heads.groupby(["wave", "instrument"]):
        count = of_unit.droplevel(["wave", "instrument"])
        small = set(count.index[count < rules.min_respondents_mean])
        if not small:
            continue
        for unit in smallest_first:
            silent = count[count.index.isin(small | chosen)]
            if len(silent) > 1 and silent.sum() >= rules.min_respondents_mean:
                break
            if unit in count.index and unit not in small:
                chosen.add(unit)
    return chosen
