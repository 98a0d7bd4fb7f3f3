"""From many planned surveys to expected precision, with its Monte Carlo error."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtr

_FOLLOWED = ("change", "effect")
_MIN_SURVEYS = 2
_MIN_SEEN = 5
"""With fewer changes that were seen there is no curve."""
_MIN_BEYOND = 5
"""As many changes must have been larger than one of which is said how likely it is seen."""


def precision(
    found: pd.DataFrame, by: Sequence[str], *, changes: Sequence[float]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Means over surveys, and the probability of seeing a change.

    Parameters
    ----------
    found : rows of `planned.planned_survey`, with the columns `by` (the design) and `replicate`; changes are
        as likely up as down
    changes : in points; those larger than what happened in a design are left out there

    Returns
    -------
    A table with the columns `by`, analysis, quantity, of, change, value, mc_error, n: the quantities of
    `planned_survey`, and `prob_seen` by size of change (or of effect): that the interval lies on the right
    side of 0. mc_error is the standard error of the value, n the number of surveys.
    And, in words, what is left out and why.
    """
    keys = [*by, "analysis", "quantity", "of"]
    n_surveys = found.groupby(list(by))["replicate"].transform("nunique")
    found, alone = found[n_surveys >= _MIN_SURVEYS], found.loc[n_surveys < _MIN_SURVEYS, list(by)]
    followed = found["quantity"].isin(_FOLLOWED)
    figures = found[~followed]
    table = figures.groupby(keys, sort=False)["value"].agg(["mean", "sem", "size"]).reset_index()
    table = table.rename(columns={"mean": "value", "sem": "mc_error", "size": "n"}).assign(change=np.nan)
    seen, unseen = [], {}
    for key, group in found[followed].groupby(keys, sort=False):
        rows = list(_seen(group, changes))
        n = group["replicate"].nunique()
        seen += [{**dict(zip(keys, key)), "quantity": "prob_seen", **row, "n": n} for row in rows]
        if not rows:
            analysis, of = key[len(by)], key[-1]
            unseen[analysis, of] = unseen.get((analysis, of), 0) + 1
    columns = [*keys, "change", "value", "mc_error", "n"]
    notes = [
        f"Only one survey of this design could be fitted, so it is left out: {dict(zip(by, design))}."
        for design in alone.drop_duplicates().itertuples(index=False, name=None)
    ]
    notes += [
        f"{analysis}: in {n} of the designs it cannot be said how likely a change of '{of}' is seen: hardly "
        "one was seen, or none was as large as those in `power.changes`. Add --replicates, or give "
        "`simulation:` wider `sd_…` and less `stability_…`."
        for (analysis, of), n in unseen.items()
    ]
    whole = pd.concat([table, pd.DataFrame(seen, columns=columns)], ignore_index=True)[columns]
    return whole, tuple(notes)


def _seen(group: pd.DataFrame, changes: Sequence[float]) -> Iterator[dict[str, float]]:
    """Rises and falls are alike: each is also looked at upside down."""
    true, lower, upper = (group[name].to_numpy(dtype=float) for name in ("true", "lower", "upper"))
    if group["of"].iloc[0] == "organisation" or group["quantity"].iloc[0] == "effect":
        yield from _seen_if_shifted(true, lower, upper, changes)
        return
    half = (upper - lower) / 2.0
    regressors = np.vstack([_regressors(true, half), _regressors(-true, half)])
    seen = np.r_[lower > 0.0, upper < 0.0].astype(float)
    curve = _probit(regressors, seen, np.tile(group["replicate"].to_numpy(), 2))
    if curve is None:
        return
    coefficients, covariance = curve
    for change in changes:
        if (np.abs(true) >= change).sum() < _MIN_BEYOND:
            continue
        at = _regressors(np.full(len(half), change), half)
        value = at @ coefficients
        slope = (np.exp(-0.5 * value**2)[:, None] / np.sqrt(2 * np.pi) * at).mean(axis=0)
        error = float(np.sqrt(slope @ covariance @ slope))
        yield {"change": change, "value": float(ndtr(value).mean()), "mc_error": error}


def _regressors(change: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Of a normal posterior with sd s and shrinkage r, Φ⁻¹(P) is (r·change − z·s)/(s·√r), r a function of s.

    half : half the width of the interval, z·s; cells are known unequally well
    """
    return np.column_stack([np.ones_like(change), change, 1.0 / half, change / half])


def _seen_if_shifted(
    true: np.ndarray, lower: np.ndarray, upper: np.ndarray, changes: Sequence[float]
) -> Iterator[dict[str, float]]:
    """Of the organisation and of programmes: nothing draws these to a value, so another change only moves the
    interval."""
    n = len(true)
    for change in changes:
        value = ((lower - true + change > 0.0).mean() + (upper - true - change < 0.0).mean()) / 2.0
        # Never 0: that all of a few surveys saw it does not mean that all would.
        share = (n * value + 0.5) / (n + 1.0)
        error = float(np.sqrt(share * (1.0 - share) / n))
        yield {"change": change, "value": float(value), "mc_error": error}


def _probit(x: np.ndarray, y: np.ndarray, survey: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Coefficients and covariance of a probit regression, surveys being independent; None if it has none."""
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.families.links import Probit
    from statsmodels.genmod.generalized_linear_model import GLM
    from statsmodels.tools.sm_exceptions import ConvergenceWarning, PerfectSeparationWarning

    if y.sum() < _MIN_SEEN:
        return None
    model = GLM(y, x, family=Binomial(Probit()))
    with warnings.catch_warnings():
        for failure in (ConvergenceWarning, PerfectSeparationWarning):
            warnings.simplefilter("error", failure)
        try:
            fitted = model.fit(cov_type="cluster", cov_kwds={"groups": survey})
        except (ConvergenceWarning, PerfectSeparationWarning, np.linalg.LinAlgError):
            return None
    return np.asarray(fitted.params), np.asarray(fitted.cov_params())
