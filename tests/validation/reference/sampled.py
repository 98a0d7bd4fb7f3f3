"""Reference values that the relation model meets by sampling: figures are posterior means.

`test_published_relations.py`, `test_speed_dating.py` and `test_ordinal_mixed_models.py` find and judge them,
which takes minutes, and put them into the table.
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
    *(
        Entry(
            id,
            "Ordinal mixed models",
            reasons={"loglik": "a maximum, where there are posterior means here"},
            remark="posterior means; allowed: half a posterior sd, Monte Carlo error",
        )
        for id in (
            "wine.clmm.logit.laplace",
            "wine.clmm.probit.laplace",
            "wine.clmm.logit.agq10",
            "imps79.clmm.logit.agq15",
        )
    ),
    *(
        Entry(
            id,
            "Ordinal mixed models",
            reasons={".*": "its crossed effects have no reciprocity; amen has, on the same answers"},
        )
        for id in (
            "consulting.value.clmm.logit[(1|rater)+(1|target), 0 as missing]",
            "consulting.value.clmm.probit[(1|rater)+(1|target), 0 as missing]",
        )
    ),
)
