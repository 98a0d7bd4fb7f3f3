"""Item response models, against mirt."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from relcap_models.psychometrics import gpcm, grm
from relcap_models.psychometrics.irt import ItemResponseFit
from tests.validation.reference.entry import Entry, Tolerance, read
from tests.validation.reference.ordinal_factor_models import agreeableness

LEVELS = ["strongly disagree", "disagree", "agree", "strongly agree"]
TRAIT = [-2, -1, 0, 1, 2]

# mirt stops at changes of 1e-6 in a cycle of its EM, which leaves up to 3.3e-4; ours are at the maximum.
MIRT = Tolerance(1e-7, 5e-4)


def _science(reference: Path) -> pd.DataFrame:
    items = read(reference, "ltm_science")[["Comfort", "Work", "Future", "Benefit"]]
    return items.astype(pd.CategoricalDtype(LEVELS, ordered=True))


def _parameters(fit: ItemResponseFit) -> pd.Series:
    difficulty = fit.difficulty.stack()
    difficulty.index = [f"{b}:{item}" for item, b in difficulty.index]
    return pd.concat([pd.Series({"loglik": fit.loglik}), fit.discrimination.add_prefix("a:"), difficulty])


def _with_scores(fit: ItemResponseFit) -> pd.Series:
    """Parameters, test information over the trait, and the scores of the first five respondents."""
    information = fit.information(TRAIT).to_numpy()
    scores = fit.scores()["theta"].to_numpy()[:5]
    return pd.concat(
        [
            _parameters(fit),
            pd.Series(information, [f"test.information@{point}" for point in TRAIT]),
            pd.Series(scores, [f"eap:row{row}" for row in range(1, 6)]),
        ]
    )


GRADED = "Graded response model"
ENTRIES = (
    Entry("science.grm", GRADED, lambda r: _with_scores(grm(_science(r))), MIRT),
    Entry("bfi.A.grm[listwise]", GRADED, lambda r: _with_scores(grm(agreeableness(r))), MIRT),
    Entry(
        "science.gpcm",
        "Generalised partial credit model",
        lambda r: _parameters(gpcm(_science(r))),
        MIRT,
    ),
)
