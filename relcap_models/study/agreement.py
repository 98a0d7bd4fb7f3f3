"""The fast engine beside the sampler, where a run asks for both: on the same answers, in the same tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from relcap_models import inference
from relcap_models.data import Survey
from relcap_models.errors import FitError


def compare(
    fit: inference.Fit,
    survey: Survey,
    tables_of: Callable[[inference.Fit], Mapping[str, pd.DataFrame]],
    *,
    name: str,
    progress: bool,
    said: Callable[[str], None],
) -> dict[str, pd.DataFrame]:
    """`agreement` and, of a link or a programme, `effect_agreement`; a line why not, if the engine cannot.

    Parameters
    ----------
    fit : the sampler's · tables_of : the tables of estimates that a fit leads to
    name : of the analysis, in the lines and in the tables
    """
    shape = {name: fit.settings[name] for name in ("seed", "chains", "draws")}
    try:
        fast = inference.fit(fit.model, survey, engine="fast", **shape, progress=progress)
    except FitError as error:
        said(f"{name}: not compared with the fast engine: {error}")
        return {}
    estimates, approximated = tables_of(fit), tables_of(fast)
    found = {
        "agreement": inference.agreement(fit, fast, estimates=estimates, approximated=approximated),
        "effect_agreement": inference.effect_agreement(estimates, approximated),
    }
    found = {key: table.assign(analysis=name) for key, table in found.items() if len(table)}
    for key, table in found.items():
        what = "effect by effect" if key == "effect_agreement" else "differences in posterior sds"
        said(f"{name}: the fast engine beside the sampler, {what}:")
        for line in table.iloc[:, 1:].to_string(index=False, float_format="{:.2f}".format).splitlines():
            said(line)
    return found
