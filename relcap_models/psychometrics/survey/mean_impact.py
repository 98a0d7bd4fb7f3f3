"""How far differences between groups change where items that mean something else in them are let go.

Where an instrument's intercepts (or what comes before) are not equal in all groups, means of the dimensions
are compared twice: with all items equal, and with those free that are not.
"""

from __future__ import annotations

from collections.abc import Iterator

from relcap_models.psychometrics.structural.compare import compare
from relcap_models.psychometrics.structural.invariance import Invariance, invariance
from relcap_models.psychometrics.structural.result import CfaResult
from relcap_models.psychometrics.survey.equality import SIGNIFICANT, Equality
from relcap_models.psychometrics.survey.notes import Notes

LEVEL = "intercepts"
PART = "mean_impact"


def impact_rows(equality: Equality, notes: Notes) -> Iterator[dict[str, object]]:
    """For each dimension and group: its mean with all items equal, and with some free.

    Means are in standard deviations of the first group (`reference`), whose mean is 0. Items are freed
    (loading and intercept) one at a time: the one with the largest modification index of its intercept, as
    long as the difference test, which takes rater units as clusters, has p < .05 over the number of items.
    Fewer than half of a dimension's items are freed, since the others have to say what it is. `items` names
    those of the dimension. There are no rows where the intercepts held, or not even the form did.
    """
    if equality.held(LEVEL) or not equality.held("configural"):
        return
    with notes.estimating(equality.split, "", PART):
        freed, found = _freed(equality)
        if found is None:
            notes.add(equality.split, "", "not_estimated", PART, "no single item that differs was found")
            return
        model = equality.model
        for row in found.mean_impact.itertuples(index=False):
            dimension = model.dimensions[row.factor]
            mine = [item for item in freed if item in model.factors[dimension]]
            yield {
                "across": equality.split,
                "reference": found.fits[LEVEL].groups[0],
                "dimension": dimension,
                "group": row.where,
                "items": ", ".join(mine),
                "equal": row.equal,
                "partial": row.partial,
                "impact": row.impact,
            }


def _freed(equality: Equality) -> tuple[list[str], Invariance | None]:
    """Items that are let go, in the order in which they were found, and the model without them equal."""
    model = equality.model
    factor_of = {item: factor for factor, d in model.dimensions.items() for item in model.factors[d]}
    codes: list[str] = []
    found, now = None, equality.found.fits[LEVEL]
    while True:
        code = _next(now, [c for c in model.items if _may(equality, c, codes)])
        if code is None:
            break
        tried = [*codes, code]
        partial = [line for c in tried for line in (f"{factor_of[model.items[c]]} =~ {c}", f"{c} ~ 1")]
        free = invariance(
            model.syntax,
            equality.items,
            ordered=True,
            group=equality.about[equality.split],
            cluster=equality.about["rater_unit"],
            levels=(LEVEL,),
            partial=partial,
        )
        p = compare(free.fits[LEVEL], now, method="satorra.2000").iloc[1]["p"]
        if not p < SIGNIFICANT / len(model.items):
            break
        codes, found, now = tried, free, free.fits[LEVEL]
    return [model.items[c] for c in codes], found


def _may(equality: Equality, code: str, freed: list[str]) -> bool:
    """Whether this item may be freed as well: fewer than half of its dimension's are."""
    (mine,) = (items for items in equality.model.factors.values() if equality.model.items[code] in items)
    already = [c for c in freed if equality.model.items[c] in mine]
    return code not in freed and 2 * (len(already) + 1) < len(mine)


def _next(fit: CfaResult, candidates: list[str]) -> str | None:
    """The candidate whose intercept the chi-square most wants free in some group."""
    table = fit.modification_indices
    rows = table[(table["op"] == "~1") & table["lhs"].isin(candidates) & (table["group"] > 1)]
    return None if rows.empty else str(rows.loc[rows["mi"].idxmax(), "lhs"])
