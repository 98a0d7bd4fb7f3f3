"""Reference values of analyses that are not built, and why."""

from __future__ import annotations

from tests.validation.reference.entry import Entry

_ORDINAL = "Ordinal mixed models"
_LAPLACE = {".*": "no maximum likelihood here: relations are estimated with priors"}
ENTRIES = (
    *(
        Entry(id, _ORDINAL, reasons=_LAPLACE)
        for id in (
            "wine.clmm.logit.laplace",
            "wine.clmm.probit.laplace",
            "wine.clmm.logit.agq10",
            "imps79.clmm.logit.agq15",
            "consulting.value.clmm.logit[(1|rater)+(1|target), 0 as missing]",
            "consulting.value.clmm.probit[(1|rater)+(1|target), 0 as missing]",
        )
    ),
)
