"""All tables of a leadership link: of the joint model, and of the estimates that stand beside it."""

from __future__ import annotations

import pandas as pd

from relcap_models.estimands.estimate import columns
from relcap_models.estimands.leadership_link.corrected import corrected_link
from relcap_models.estimands.leadership_link.joint import joint_link_table
from relcap_models.estimands.leadership_link.mixed import mixed_link
from relcap_models.estimands.leadership_link.naive import naive_link
from relcap_models.estimands.leadership_link.paths import link_path_table
from relcap_models.estimands.leadership_link.rating_scores import rating_scores
from relcap_models.estimands.leadership_link.units import link_unit_table
from relcap_models.inference.fit import Fit

LINK_COLUMNS = columns(
    "analysis method source adjusted level predictor outcome scale mean sd lower upper prob_positive",
    "ci_prob standardised standardised_lower standardised_upper per_point per_point_lower per_point_upper",
    "prob_smallest prob_rope prior_share n_units n_respondents mcse ess ess_tail rhat note",
)


def link_tables(fit: Fit, *, ci_prob: float, smallest: float, seed: int) -> dict[str, pd.DataFrame]:
    """`leadership_link`, `leadership_paths` and, with different sources, `leadership_mixed` and
    `leadership_units`.

    smallest : change in points, per standard deviation of leadership, that would matter
    """
    model, frame = fit.model, fit.frame
    scores = rating_scores(model, frame)
    beside = [table(model, frame, scores, ci_prob=ci_prob) for table in (naive_link, corrected_link)]
    joint = joint_link_table(fit, ci_prob=ci_prob, smallest=smallest, seed=seed)
    joint["n_units"] = len(frame.units)
    joint["n_respondents"] = len(set(frame.respondent_of_rating))
    estimates = [part.assign(analysis=model.id, ci_prob=ci_prob) for part in (*beside, joint)]
    # Columns that a part does not have are blank there; of one type in all.
    estimates = [part.reindex(columns=LINK_COLUMNS).astype({"note": object}) for part in estimates]
    found = {
        "leadership_link": pd.concat(estimates, ignore_index=True).fillna({"note": ""}),
        "leadership_paths": link_path_table(fit, ci_prob=ci_prob),
    }
    if model.source == "different":
        mixed = mixed_link(model, frame, scores, ci_prob=ci_prob)
        mixed.insert(0, "analysis", model.id)
        found["leadership_mixed"] = mixed.fillna({"note": ""})
        found["leadership_units"] = link_unit_table(fit, ci_prob=ci_prob)
    return found
