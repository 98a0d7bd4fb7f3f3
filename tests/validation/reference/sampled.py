"""Reference values that the relation model meets by sampling: figures are posterior means.

`test_published_relations.py` and `test_speed_dating.py` find and judge them, which takes minutes, and put
them into the table.
"""

from __future__ import annotations

from tests.validation.reference.entry import Entry

_WIDTH = {r".*\.posterior_sd": "amen's posterior sd, half of which is allowed"}

ENTRIES = (
    Entry(
        "dirt.partial_credit",
        "Relation model, partial credit",
        remark="posterior means; allowed: three Monte Carlo errors of both",
    ),
    *(
        Entry(
            id,
            "Relation model, one ordinal item",
            reasons=_WIDTH,
            remark="posterior means under amen's priors; allowed: half a posterior sd, Monte Carlo error",
        )
        for id in (
            "consulting.info.ordinal[0 as missing]",
            "consulting.value.ordinal[0 as missing]",
            "likingLong.liking_a.ordinal",
        )
    ),
    Entry(
        "speeddating.attr.lmer.REML",
        "Relation model, Gaussian",
        reasons={
            r"sd_wave\(variance\)": "the model has no variance between events",
            "remlcrit": "a criterion of REML, not of Bayes",
        },
        remark="posterior means; allowed: their 99 % intervals",
    ),
)
