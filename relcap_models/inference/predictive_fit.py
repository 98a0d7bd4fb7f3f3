"""How well each analysis predicts the answers of a respondent who was left out, and which does it best."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from relcap_models.inference.loo import LooResult
from relcap_models.models.rating_model import RatingModel

COLUMNS = ("analysis", "instrument", "elpd", "se", "p_loo", "n_kfold", "n_unreliable", "elpd_diff", "se_diff")


def predictive_fit(models: Mapping[str, RatingModel], left_out: Mapping[str, LooResult]) -> pd.DataFrame:
    """Expected log predictive densities, and their differences between analyses of the same answers.

    Parameters
    ----------
    models, left_out : by analysis

    Returns
    -------
    One row per analysis. elpd, se, p_loo : sum over respondents, its standard error, and the effective number
    of parameters (Vehtari, Gelman & Gabry 2017). n_kfold, n_unreliable : respondents who were left out in
    fits of their own, and those whose weights are unreliable and who were not. elpd_diff, se_diff : less that
    of the best analysis of these answers, and the standard error of the difference, respondent by respondent;
    0 for the best, blank where nothing can be compared: densities of the gaussian family are no
    probabilities.
    """
    rows = pd.DataFrame(
        [
            {
                "analysis": name,
                "instrument": models[name].instrument,
                "elpd": found.total,
                "se": found.se,
                "p_loo": found.p_loo,
                "n_kfold": int(found.refitted.sum()),
                "n_unreliable": found.n_bad,
                "elpd_diff": np.nan,
                "se_diff": np.nan,
            }
            for name, found in left_out.items()
        ],
        columns=list(COLUMNS),
    )
    of_numbers = [models[name].response == "gaussian" for name in left_out]
    for _, alike in rows.groupby([rows["instrument"], of_numbers], sort=False):
        if len(alike) < 2:
            continue
        best = left_out[rows.loc[alike["elpd"].idxmax(), "analysis"]].elpd
        for row in alike.index:
            apart = left_out[rows.loc[row, "analysis"]].elpd - best
            rows.loc[row, "elpd_diff"] = float(apart.sum())
            rows.loc[row, "se_diff"] = float(np.sqrt(apart.size * apart.var()))
    return rows
